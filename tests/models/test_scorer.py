"""Runs a deployed model, and trusts nothing in it."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from sklearn.datasets import clear_data_home

from engine.data.schema import Column, Schema
from engine.errors import BundleError, EngineError
from engine.features.needs import Needs
from engine.features.prepare import Preparation, prepare
from engine.graph import Graph
from engine.models.assemble import Artifact, assemble
from engine.models.family import Array
from engine.models.scorer import Scorer, parity
from engine.tasks.classification import TASK as CLASSIFICATION
from engine.tasks.regression import TASK as REGRESSION
from engine.tasks.task import Target

COLUMNS = (
    Column("x", "number", "feature", "float64", nullable=True),
    Column("probability", "category", "feature", "string", nullable=True),
    Column("when", "datetime", "feature", "datetime", nullable=True),
)
SCHEMA = Schema(COLUMNS, None, "error", missing_target="error")
NEEDS = Needs(categories="onehot", missing="impute", scale=True, max_categories=None)
BINARY = Target("y", "binary", ("no", "yes"))
CONTINUOUS = Target("y", "continuous")


class Stored:
    """An estimator of scikit-learn that is kept as it is."""

    n_iterations = None
    importances = None

    def __init__(self, estimator: object, *, classes: bool) -> None:
        self.estimator = estimator
        self.classes = classes

    def predict(self, x: Array) -> Array:
        """Return the estimator's own answer."""
        estimator = self.estimator
        answer: Array = estimator.predict_proba(x) if self.classes else estimator.predict(x)  # type: ignore[attr-defined]
        return answer

    def write(self, graph: Graph, x: str) -> None:
        """Have no graph."""

    def to_skops(self) -> bytes:
        """Return the estimator in skops' format."""
        import skops.io

        content: bytes = skops.io.dumps(self.estimator)
        return content


class Written(Stored):
    """The same for a linear estimator of two classes, as a graph; `off` is a mistake put into it."""

    def __init__(self, estimator: object, *, off: float = 0.0, classes: bool = True) -> None:
        super().__init__(estimator, classes=classes)
        self.off = off

    def write(self, graph: Graph, x: str) -> str:  # type: ignore[override]
        """Write 1 / (1 + e^-m) and its complement, or m."""
        estimator = self.estimator
        coefficients = np.atleast_2d(estimator.coef_).T  # type: ignore[attr-defined]
        product = graph.node("MatMul", [x, graph.constant(np.ascontiguousarray(coefficients))])
        margin = graph.node("Add", [product, graph.constant(np.atleast_1d(estimator.intercept_))])  # type: ignore[attr-defined]
        margin = graph.node("Add", [margin, graph.constant(self.off)])
        if not self.classes:
            return margin
        positive = graph.node("Sigmoid", [margin])
        return graph.node("Concat", [graph.node("Sub", [graph.constant(1.0), positive]), positive], axis=1)


def frame_of(n_rows: int) -> pl.DataFrame:
    """Return random rows with nulls."""
    generator = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "x": [None if value < -1.5 else value for value in generator.normal(size=n_rows).tolist()],
            "probability": [
                None if value == "d" else value for value in generator.choice([*"abcd"], n_rows).tolist()
            ],
            "when": pl.Series(generator.integers(-(2**50), 2**50, n_rows)).cast(pl.Datetime("us")),
        },
        schema_overrides={"x": pl.Float64, "probability": pl.String},
    )


def fit(estimator: object, *, classes: bool, n_rows: int = 300) -> tuple[Preparation, pl.DataFrame]:
    """Fit an estimator of scikit-learn on random rows."""
    frame = frame_of(n_rows)
    preparation = prepare(frame, schema=SCHEMA, needs=NEEDS)
    x = preparation.transform(frame)
    signal = x[:, 0] + (frame["probability"].fill_null("a") == "a").to_numpy()
    estimator.fit(x, (signal > 0).astype(np.int64) if classes else signal)  # type: ignore[attr-defined]
    return preparation, frame


def deploy(fitted: Stored, preparation: Preparation, *, threshold: float | None = None) -> Scorer:
    """Assemble and load a model."""
    target = BINARY if fitted.classes else CONTINUOUS
    task = CLASSIFICATION if fitted.classes else REGRESSION
    artifact = assemble(preparation=preparation, fitted=fitted, task=task, target=target, threshold=threshold)
    return Scorer(artifact, schema_columns=COLUMNS, kind=target.kind, threads=1)


def logistic() -> object:
    """Return an unfitted classifier."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def ridge() -> object:
    """Return an unfitted regressor."""
    from sklearn.linear_model import Ridge

    return Ridge()


@pytest.mark.parametrize("form", [Stored, Written])
@pytest.mark.parametrize("classes", [True, False])
def test_a_deployed_model_answers_as_the_library_does(form: type[Stored], classes: bool) -> None:
    """As a graph and as an estimator between graphs, frames and records get the library's answers."""
    estimator = logistic() if classes else ridge()
    preparation, frame = fit(estimator, classes=classes)
    fitted = form(estimator, classes=classes)
    scorer = deploy(fitted, preparation, threshold=0.7)
    scores = scorer.score(frame)
    values = fitted.predict(preparation.transform(frame))
    np.testing.assert_allclose(scores.values, values, rtol=0, atol=1e-12)
    if classes:
        assert scores.values.shape == (300, 2)
        np.testing.assert_array_equal(scores.decisions, (scores.values[:, 1] >= 0.7).astype(np.int64))
    else:
        assert scores.values.shape == (300,)
        np.testing.assert_array_equal(scores.decisions, scores.values)
    for row in (0, 7):
        one = scorer.score_records(frame[row].to_dicts())
        np.testing.assert_allclose(one.values, scores.values[[row]], rtol=0, atol=1e-12)
        np.testing.assert_array_equal(one.decisions.shape, (1,))


@pytest.mark.parametrize("form", [Stored, Written])
@pytest.mark.parametrize("classes", [True, False])
def test_no_rows_get_no_scores(form: type[Stored], classes: bool) -> None:
    """0 rows give scores of the usual shapes and types, from frames and from records."""
    estimator = logistic() if classes else ridge()
    preparation, frame = fit(estimator, classes=classes)
    scorer = deploy(form(estimator, classes=classes), preparation)
    for scores in (scorer.score(frame[:0]), scorer.score_records([])):
        assert scores.values.shape == ((0, 2) if classes else (0,))
        assert scores.decisions.shape == (0,)
        assert scores.values.dtype == np.float64
        assert scores.decisions.dtype == (np.int64 if classes else np.float64)


@pytest.mark.parametrize("classes", [True, False])
def test_many_rows_go_in_chunks(classes: bool) -> None:
    """More rows than one chunk come back in their order."""
    estimator = logistic() if classes else ridge()
    preparation, _ = fit(estimator, classes=classes)
    scorer = deploy(Written(estimator, classes=classes), preparation)
    frame = frame_of(70_000)
    scores = scorer.score(frame)
    assert scores.values.shape[0] == scores.decisions.shape[0] == 70_000
    last = scorer.score(frame[69_000:])
    np.testing.assert_allclose(last.values, scores.values[69_000:], rtol=0, atol=1e-12)
    np.testing.assert_allclose(last.decisions, scores.decisions[69_000:], rtol=0, atol=1e-12)


def test_parity_counts_what_differs() -> None:
    """A graph that is right differs by rounding, and one with a mistake by the mistake."""
    estimator = ridge()
    preparation, frame = fit(estimator, classes=False)
    right = Written(estimator, classes=False)
    found = parity(deploy(right, preparation), right, preparation, frame)
    assert (found.n_rows, found.n_beyond) == (300, 0)
    assert found.largest < 1e-12
    wrong = Written(estimator, off=0.25, classes=False)
    found = parity(deploy(wrong, preparation), right, preparation, frame)
    assert found.n_beyond == 300
    assert found.largest == pytest.approx(0.25)
    assert parity(deploy(wrong, preparation), right, preparation, frame, tolerance=0.3).n_beyond == 0
    assert parity(deploy(right, preparation), right, preparation, frame[:0]).largest == 0.0


@pytest.mark.parametrize(
    ("off", "classes"), [(float("nan"), True), (float("nan"), False), (float("inf"), False)]
)
def test_values_that_are_not_finite_are_no_scores(off: float, classes: bool) -> None:
    """A model that answers with NaN or infinity is refused by everyone who scores: frames, records, parity."""
    estimator = logistic() if classes else ridge()
    preparation, frame = fit(estimator, classes=classes)
    lost = Written(estimator, off=off, classes=classes)
    scorer = deploy(lost, preparation)
    what = "the model gave a value that is not finite for {0} of {0} rows"
    for n_rows, ask in {
        300: lambda: scorer.score(frame),
        70_000: lambda: scorer.score(frame_of(70_000)),
        1: lambda: scorer.score_records([{}]),
    }.items():
        with pytest.raises(EngineError) as caught:
            ask()
        assert (caught.value.exit_code, str(caught.value)) == (1, what.format(n_rows))
    with pytest.raises(EngineError, match="not finite for 300 of 300 rows"):
        parity(scorer, lost, preparation, frame)
    assert len(scorer.score(frame[:0]).values) == 0


def test_a_column_may_have_the_name_of_an_output() -> None:
    """Here a column is called `probability`, and the answers are still the model's."""
    estimator = logistic()
    preparation, frame = fit(estimator, classes=True)
    scorer = deploy(Written(estimator), preparation)
    assert "probability" in frame.columns
    np.testing.assert_allclose(scorer.score(frame).values.sum(axis=1), 1.0, atol=1e-15)


def test_an_unseen_category_and_a_late_date_are_scored() -> None:
    """What training never saw is answered, not refused."""
    estimator = logistic()
    preparation, _ = fit(estimator, classes=True)
    scorer = deploy(Written(estimator), preparation)
    record = {"x": 1e12, "probability": "never seen", "when": datetime(9999, 12, 31, 23, 59, 59, 999999)}  # noqa: DTZ001
    assert np.isfinite(scorer.score_records([record, {}]).values).all()


def test_a_model_that_reads_unknown_columns_is_refused() -> None:
    """A graph and a schema that don't belong together are not put together."""
    estimator = logistic()
    preparation, _ = fit(estimator, classes=True)
    artifact = assemble(
        preparation=preparation, fitted=Written(estimator), task=CLASSIFICATION, target=BINARY, threshold=None
    )
    with pytest.raises(BundleError) as caught:
        Scorer(artifact, schema_columns=COLUMNS[:1], kind="binary", threads=1)
    assert str(caught.value) == "the model reads columns that the schema lacks: probability, when"


def test_data_elsewhere_needs_a_location() -> None:
    """What names no place can open none: such a graph is given to onnxruntime, which refuses it."""
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.DOUBLE, dims=[1])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="offset", value="0")
    add = onnx.helper.make_node("Add", ["x", "w"], ["prediction"])
    shape = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.DOUBLE, ["rows", 1])
    answer = onnx.helper.make_tensor_value_info("prediction", onnx.TensorProto.DOUBLE, ["rows", 1])
    model = onnx.helper.make_model(onnx.helper.make_graph([add], "g", [shape], [answer], [tensor]))
    with pytest.raises(BundleError, match=r"the stored model can't be run: .*Missing 'location'"):
        Scorer(Artifact(model.SerializeToString()), schema_columns=COLUMNS, kind="continuous", threads=1)


def test_other_formats_are_refused() -> None:
    """A model in onnxruntime's own format is none that was judged here."""
    with pytest.raises(BundleError, match="is not an ONNX graph"):
        Scorer(Artifact(b"\x08\0\0\0ORTM" + bytes(64)), schema_columns=COLUMNS, kind="binary", threads=1)


@pytest.mark.parametrize("place", ["initializer", "attribute", "body"])
def test_a_graph_that_reads_other_files_is_refused(tmp_path: Path, place: str) -> None:
    """External data is never read, wherever in the graph it is named."""
    (tmp_path / "secret").write_bytes(np.ones(1).tobytes())
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.DOUBLE, dims=[1])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=str(tmp_path / "secret"))
    nodes = [onnx.helper.make_node("Add", ["x", "w"], ["prediction"])]
    constant = onnx.helper.make_node("Constant", [], ["w"], value=tensor)
    if place == "attribute":
        nodes.insert(0, constant)
    if place == "body":
        body = onnx.helper.make_graph(
            [constant], "body", [], [onnx.helper.make_tensor_value_info("w", onnx.TensorProto.DOUBLE, [1])]
        )
        nodes.insert(0, onnx.helper.make_node("If", ["yes"], ["w"], then_branch=body, else_branch=body))
    shape = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.DOUBLE, ["rows", 1])
    answer = onnx.helper.make_tensor_value_info("prediction", onnx.TensorProto.DOUBLE, ["rows", 1])
    graph = onnx.helper.make_graph(nodes, "g", [shape], [answer], [tensor] if place == "initializer" else [])
    content = onnx.helper.make_model(graph).SerializeToString()
    with pytest.raises(BundleError) as caught:
        Scorer(Artifact(content), schema_columns=COLUMNS, kind="continuous", threads=1)
    assert str(caught.value) == "the stored model keeps data in other files, which is never read"


def test_bytes_that_are_no_graph_are_refused() -> None:
    """Noise is told from a graph."""
    with pytest.raises(BundleError, match="not an ONNX graph"):
        Scorer(Artifact(b"\xff noise"), schema_columns=COLUMNS, kind="continuous", threads=1)


@pytest.mark.parametrize("func", [np.load, np.memmap, Path, Path.write_text, eval, clear_data_home])
def test_an_estimator_with_foreign_parts_is_refused(func: object) -> None:
    """What is hidden in a pipeline is refused before it is built: foreign classes, and any function."""
    import skops.io
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    estimator = logistic()
    preparation, _ = fit(estimator, classes=True)
    hidden = make_pipeline(FunctionTransformer(func), estimator)
    artifact = assemble(
        preparation=preparation,
        fitted=Stored(estimator, classes=True),
        task=CLASSIFICATION,
        target=BINARY,
        threshold=None,
    )
    poisoned = Artifact(artifact.graph, skops.io.dumps(hidden), artifact.decision)
    with pytest.raises(BundleError, match="types that are not trusted: "):
        Scorer(poisoned, schema_columns=COLUMNS, kind="binary", threads=1)


@pytest.mark.parametrize("schema", [None, [], {}, {"protocol": 0, "content": {}}])
def test_what_is_no_estimator_is_refused(schema: object) -> None:
    """Noise, and archives whose words say nothing that can be built."""
    graph = Graph()
    graph.output("x", graph.input("age", np.float64), np.float64, width=1)
    written = io.BytesIO(b"noise")
    if schema is not None:
        with zipfile.ZipFile(written := io.BytesIO(), "w") as archive:
            archive.writestr("schema.json", json.dumps(schema))
    content = graph.build().SerializeToString()
    with pytest.raises(BundleError, match="the stored model is no estimator of skops"):
        Scorer(
            Artifact(content, written.getvalue(), content),
            schema_columns=COLUMNS,
            kind="continuous",
            threads=1,
        )


@pytest.mark.parametrize(
    ("module", "name", "parameters"),
    [
        ("sklearn.neighbors", "KNeighborsClassifier", {}),
        ("sklearn.gaussian_process", "GaussianProcessClassifier", {}),
        ("sklearn.calibration", "CalibratedClassifierCV", {"method": "isotonic"}),
        ("sklearn.ensemble", "ExtraTreesClassifier", {"n_estimators": 5, "random_state": 0}),
        ("sklearn.discriminant_analysis", "QuadraticDiscriminantAnalysis", {"reg_param": 0.1}),
    ],
)
def test_estimators_of_scikit_learn_are_trusted(
    module: str, name: str, parameters: dict[str, object]
) -> None:
    """Classifiers with parts of many kinds are stored, read and answer to the last bit."""
    import importlib

    estimator = getattr(importlib.import_module(module), name)(**parameters)
    preparation, frame = fit(estimator, classes=True, n_rows=100)
    fitted = Stored(estimator, classes=True)
    scores = deploy(fitted, preparation).score(frame)
    np.testing.assert_array_equal(scores.values, fitted.predict(preparation.transform(frame)))
