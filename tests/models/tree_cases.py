"""Problems for the tree families, rows on which trees are easily wrong, and the answer of a graph."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
import polars as pl

from engine.graph import Graph
from engine.models.family import Fitted, ParamValue, Problem, Rows
from engine.tasks.task import TargetKind

DATA = Path(__file__).parents[2] / "recipes" / "data"
N_CLASSES = {"binary": 2, "multiclass": 3, "continuous": 1}
# Columns 3, 4 and 5 hold level indices; the last has more levels than a 64-bit set.
SIZES = {3: 12, 4: 3, 5: 90}
WIDTH = 6
TINY = float(np.float32(1e-35))


def table(kind: TargetKind, *, n: int, missing: bool, seed: int = 0) -> Rows:
    """Make rows with ties, zeros and three columns of categories; a tenth of the values is missing."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, WIDTH))
    x[:, 1] = np.round(x[:, 1], 1)
    x[:, 2] = random.integers(-3, 4, n)
    for column, size in SIZES.items():
        x[:, column] = random.integers(0, size, n)
    z = x[:, 0] + x[:, 1] * x[:, 2] + 2.0 * np.isin(x[:, 3], [0, 4, 7]) + x[:, 5] % 7 / 3
    z = z + random.normal(size=n) * 0.3
    y = {"binary": z > 1.0, "multiclass": np.digitize(z, [0.5, 2.0]), "continuous": 100.0 * z + 3000.0}[kind]
    holes = random.random(x.shape) < 0.1
    for column in range(WIDTH):
        x[holes[:, column], column] = np.nan if missing else SIZES.get(column, 0.0)
    return Rows(x=x, y=y.astype(np.float64 if kind == "continuous" else np.int64), weights=None)


def problem(
    kind: TargetKind,
    *,
    params: Mapping[str, ParamValue],
    missing: bool = True,
    validation: bool = True,
    weights: bool = False,
    max_iterations: int | None = None,
) -> Problem:
    """Make a problem of 700 training rows, and 300 to validate on if wished."""
    rows = table(kind, n=1000, missing=missing)
    given = np.random.default_rng(1).uniform(0.5, 2.0, 1000) if weights else None
    parts = [
        Rows(x=rows.x[part], y=rows.y[part], weights=None if given is None else given[part])
        for part in (slice(700), slice(700, None))
    ]
    return Problem(
        train=parts[0],
        validation=parts[1] if validation else None,
        kind=kind,
        n_classes=N_CLASSES[kind],
        feature_names=tuple("abcdef"),
        category_sizes=SIZES,
        estimator=None,
        params=params,
        seed=7,
        threads=1,
        device="cpu",
        max_iterations=max_iterations,
    )


def real(name: str, *, params: Mapping[str, ParamValue], missing: bool) -> Problem:
    """Read 2000 rows of a recipe's data: adult (binary), penguins (multiclass) or diamonds (continuous)."""
    path = {"adult": "adult.csv", "penguins": "penguins.csv", "diamonds": "diamonds.parquet"}[name]
    target = {"adult": "income-per-year", "penguins": "species", "diamonds": "price"}[name]
    nulls = ["?", "NA", ""]
    read = pl.read_parquet if path.endswith("parquet") else lambda file: pl.read_csv(file, null_values=nulls)
    frame = read(DATA / path)
    frame = frame.sample(min(2000, len(frame)), seed=0, shuffle=True)
    columns, sizes = [], {}
    for column in frame.drop(target):
        if column.dtype.is_numeric():
            columns.append(column.cast(pl.Float64).fill_null(np.nan if missing else 0.0).to_numpy())
            continue
        levels = column.drop_nulls().unique().sort().cast(pl.String).to_list()
        codes = column.cast(pl.String).replace_strict(levels, range(len(levels)), return_dtype=pl.Float64)
        sizes[len(columns)] = len(levels)
        columns.append(codes.fill_null(np.nan if missing else len(levels)).to_numpy())
    answer = frame[target]
    kind: TargetKind = "continuous"
    n_classes = 1
    if answer.dtype == pl.String:
        classes = answer.unique().sort().to_list()
        answer = answer.replace_strict(classes, range(len(classes)), return_dtype=pl.Int64)
        n_classes = len(classes)
        kind = "binary" if n_classes == 2 else "multiclass"
    rows = Rows(
        x=np.column_stack(columns), y=answer.to_numpy().astype(float if n_classes == 1 else int), weights=None
    )
    return Problem(
        train=rows,
        validation=None,
        kind=kind,
        n_classes=n_classes,
        feature_names=tuple(column for column in frame.columns if column != target),
        category_sizes=sizes,
        estimator=None,
        params=params,
        seed=0,
        threads=1,
        device="cpu",
        max_iterations=None,
    )


def model_of(fitted: Fitted, *, width: int, n_outputs: int) -> bytes:
    """Write a fitted model's graph, from x to its output."""
    graph = Graph()
    written = fitted.write(graph, graph.input("x", np.float64, width=width))
    assert written is not None
    graph.output("y", written, np.float64, width=n_outputs)
    model: bytes = graph.build().SerializeToString()
    return model


def run(model: bytes, x: np.ndarray) -> np.ndarray:
    """Run a graph of one output with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    answer: np.ndarray = onnxruntime.InferenceSession(model, options).run(None, {"x": x})[0]
    return answer


def largest_difference(fitted: Fitted, x: np.ndarray, *, n_outputs: int) -> float:
    """Return the largest difference between the graph and the library over all rows and outputs."""
    want = fitted.predict(x).reshape(-1, n_outputs)
    got = run(model_of(fitted, width=x.shape[1], n_outputs=n_outputs), x)
    assert got.shape == want.shape
    assert np.isfinite(want).all()
    return float(np.abs(got - want).max())


def hard_rows(fitted: Fitted, x: np.ndarray, *, n_outputs: int, missing: bool) -> np.ndarray:
    """Return rows of x with one value moved to a split's threshold, or to a float or a double beside it.

    Besides, zeros of both signs and numbers that LightGBM takes for zero, and rows with all or one missing.
    """
    import onnx

    model = onnx.load_from_string(model_of(fitted, width=x.shape[1], n_outputs=n_outputs))
    rows = []
    for node in model.graph.node:
        if node.op_type == "TreeEnsemble":
            given = {
                attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute
            }
            features = np.asarray(given["nodes_featureids"])
            splits = onnx.numpy_helper.to_array(given["nodes_splits"]).astype(np.float64)
            is_bound = (onnx.numpy_helper.to_array(given["nodes_modes"]) != 6) & np.isfinite(splits)
            is_bound &= np.abs(splits) < 1e30
            for feature, split in sorted({*zip(features[is_bound], splits[is_bound], strict=True)})[:400]:
                rows += [(feature, value) for value in _beside(split)]
    special = [0.0, -0.0, TINY, -TINY, TINY / 2, -TINY / 2, np.nextafter(-TINY, -1.0), 5e-324, 1e30, -1e30]
    numbers = [column for column in range(x.shape[1]) if column not in SIZES or x.shape[1] != WIDTH]
    rows += [(column, value) for column in numbers for value in special]
    if missing:
        rows += [(column, np.nan) for column in range(x.shape[1])] * 5
    hard = x[np.arange(len(rows)) % len(x)].copy()
    hard[np.arange(len(rows)), [column for column, _ in rows]] = [value for _, value in rows]
    return np.vstack([hard, np.full((1, x.shape[1]), np.nan)]) if missing else hard


def _beside(split: float) -> list[float]:
    single = np.float32(split)
    singles = [np.nextafter(single, np.float32(side)) for side in (-np.inf, np.inf)]
    doubles = [np.nextafter(split, side) for side in (-np.inf, np.inf)]
    return [float(value) for value in (split, single, *singles, *doubles)]
