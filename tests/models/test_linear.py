"""Linear families, through the whole graph from raw columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.data.schema import Column, Schema
from engine.errors import DataError, RecipeError
from engine.features.prepare import Preparation, prepare
from engine.graph import Graph
from engine.models.assemble import assemble
from engine.models.family import Array, Problem, Rows
from engine.models.linear import LOGISTIC, RIDGE, FittedLinear
from engine.models.scorer import Scorer, parity
from engine.recipe.spec_model import ModelSpec
from engine.tasks.classification import TASK as CLASSIFICATION
from engine.tasks.regression import TASK as REGRESSION
from engine.tasks.task import Target, TargetKind
from tests.models.problems import make_problem

DATA = Path(__file__).parents[2] / "recipes" / "data"
SPEC = ModelSpec(family="logistic", params={}, space={})


def problem(
    x: Array,
    y: Array,
    *,
    kind: TargetKind,
    n_classes: int = 1,
    weights: Array | None = None,
    **params: object,
) -> Problem:
    """Return a problem without validation rows."""
    return make_problem(Rows(x, y, weights), kind, n_classes=n_classes, params={"max_iter": 1000, **params})


def answers(fitted: FittedLinear, x: Array) -> Array:
    """Return what the nodes of a fitted model give."""
    import onnxruntime

    graph = Graph()
    values = fitted.write(graph, graph.input("x", np.float64, width=x.shape[1]))
    graph.output("values", values, np.float64, width=fitted.n_classes)
    session = onnxruntime.InferenceSession(graph.build().SerializeToString())
    answer: Array = session.run(None, {"x": x})[0]
    return answer


def adult() -> tuple[pl.DataFrame, Schema]:
    """Return 2,000 rows of the census with its nulls, every seventh of them further bereft of its age."""
    frame = pl.read_csv(DATA / "adult.csv", null_values=["?"], n_rows=2000)
    numbers = ["age", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
    frame = frame.with_columns(pl.col(numbers).cast(pl.Float64))
    frame = frame.with_columns(
        pl.when(pl.int_range(pl.len()) % 7 == 0).then(None).otherwise("age").alias("age")
    )
    columns = [
        Column(name, "number", "feature", "float64", nullable=True)
        if name in numbers
        else Column(name, "category", "feature", "string", nullable=True)
        for name in frame.columns
        if name not in ("fnlwgt", "income-per-year")
    ]
    target = Column("income-per-year", "category", "target", "string")
    return frame, Schema(columns=(*columns, target), positive=">50K", extra="error", missing_target="error")


def penguins() -> tuple[pl.DataFrame, Schema]:
    """Return the penguins with their nulls."""
    frame = pl.read_csv(DATA / "penguins.csv", null_values=["NA", ""])
    names = {"island": "string", "sex": "string"}
    numbers = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
    columns = [
        *(Column(name, "category", "feature", "string", nullable=True) for name in names),
        *(Column(name, "number", "feature", "float64", nullable=True) for name in numbers),
        Column("species", "category", "target", "string"),
    ]
    return frame.with_columns(pl.col(numbers).cast(pl.Float64)), Schema(
        tuple(columns), None, "error", missing_target="error"
    )


def fit_logistic(frame: pl.DataFrame, schema: Schema) -> tuple[Preparation, FittedLinear, Target]:
    """Fit logistic regression on a frame."""
    target = CLASSIFICATION.target(frame[schema.target.name], schema)
    preparation = prepare(frame, schema=schema, needs=LOGISTIC.needs(SPEC))
    y = CLASSIFICATION.encode(frame[schema.target.name], target)
    x = preparation.transform(frame)
    fitted = LOGISTIC.fit(problem(x, y, kind=target.kind, n_classes=target.n_outputs))
    return preparation, fitted, target


@pytest.mark.parametrize(("data", "kind"), [(adult, "binary"), (penguins, "multiclass")])
def test_logistic_from_raw_columns_equals_scikit_learn(data, kind: str) -> None:  # noqa: ANN001
    """On rows kept out of training, with nulls and unseen levels, graph and library agree to 1e-9."""
    frame, schema = data()
    train, rest = frame[::2], frame[1::2]
    preparation, fitted, target = fit_logistic(train, schema)
    assert target.kind == kind
    artifact = assemble(
        preparation=preparation, fitted=fitted, task=CLASSIFICATION, target=target, threshold=0.3
    )
    scorer = Scorer(artifact, schema_columns=schema.features, kind=target.kind, threads=1)
    found = parity(scorer, fitted, preparation, rest)
    assert found.n_rows == rest.height
    assert found.n_beyond == 0
    assert found.largest <= 1e-9
    scores = scorer.score(rest)
    expected = scores.values[:, 1] >= 0.3 if kind == "binary" else scores.values.argmax(axis=1)
    np.testing.assert_array_equal(scores.decisions, expected)
    actual = CLASSIFICATION.encode(rest[schema.target.name], target)
    assert np.mean(scores.values.argmax(axis=1) == actual) > {"binary": 0.8, "multiclass": 0.97}[kind]


def test_ridge_from_raw_columns_equals_scikit_learn() -> None:
    """Diamonds, which have columns named x, y and z: prices agree to 1e-9 of their size."""
    frame = pl.read_parquet(DATA / "diamonds.parquet")[::40]
    numbers = ["carat", "depth", "table", "x", "y", "z"]
    frame = frame.with_columns(pl.col([*numbers, "price"]).cast(pl.Float64)).with_columns(
        pl.col(["cut", "color", "clarity"]).cast(pl.String)
    )
    columns = (
        *(Column(name, "number", "feature", "float64") for name in numbers),
        *(Column(name, "category", "feature", "string") for name in ("cut", "color", "clarity")),
        Column("price", "number", "target", "float64"),
    )
    schema = Schema(columns, None, "error", missing_target="error")
    preparation = prepare(frame[::2], schema=schema, needs=RIDGE.needs(SPEC))
    x, y = preparation.transform(frame[::2]), frame["price"].to_numpy()
    fitted = RIDGE.fit(problem(x, y[::2], kind="continuous", max_iter=None))
    target = Target("price", "continuous")
    artifact = assemble(
        preparation=preparation, fitted=fitted, task=REGRESSION, target=target, threshold=None
    )
    scorer = Scorer(artifact, schema_columns=schema.features, kind="continuous", threads=1)
    found = parity(scorer, fitted, preparation, frame)
    assert (found.n_rows, found.n_beyond) == (frame.height, 0)
    assert found.largest <= 1e-9 * y.max()
    scores = scorer.score(frame[1::2])
    np.testing.assert_array_equal(scores.decisions, scores.values)
    assert 1 - np.var(scores.values - y[1::2]) / np.var(y[1::2]) > 0.85


def test_ridge_finds_the_line() -> None:
    """Without a penalty y = 3 a - 2 b + 5 is found, and |coefficient| x deviation shares importance 3 : 2."""
    x = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    fitted = RIDGE.fit(problem(x, 3 * x[:, 0] - 2 * x[:, 1] + 5, kind="continuous", alpha=0.0, max_iter=None))
    np.testing.assert_allclose(fitted.predict(np.array([[2.0, 1.0]])), [9.0], atol=1e-12)
    np.testing.assert_allclose(answers(fitted, np.array([[2.0, 1.0]])), [[9.0]], atol=1e-12)
    np.testing.assert_allclose(fitted.importances, [0.6, 0.4], atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_keep_their_digits_far_from_a_half(n_classes: int) -> None:
    """Margins of hundreds and thousands give scikit-learn's probabilities, tiny ones to nine digits."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(200, 2))
    y = np.digitize(x[:, 0], [0.0, 1.0][: n_classes - 1])
    fitted = LOGISTIC.fit(problem(x, y, kind="multiclass", n_classes=n_classes, C=100.0))
    far = np.concatenate([x, x * 20, x * 1e4])
    expected = fitted.predict(far)
    np.testing.assert_allclose(answers(fitted, far), expected, rtol=1e-9, atol=1e-300)
    assert 0 < expected[expected > 0].min() < 1e-100


@pytest.mark.parametrize("present", [[0, 2], [1, 3, 4]])
def test_a_class_that_training_lacks_has_probability_0(present: list[int]) -> None:
    """Of five classes those not trained get a column of 0, in library and graph alike."""
    generator = np.random.default_rng(0)
    y = generator.choice(present, 100)
    x = np.column_stack([y + generator.normal(size=100), generator.normal(size=100)])
    fitted = LOGISTIC.fit(problem(x, y, kind="multiclass", n_classes=5))
    probabilities = fitted.predict(x)
    assert probabilities.shape == (100, 5)
    assert np.flatnonzero(probabilities.any(axis=0)).tolist() == present
    np.testing.assert_allclose(answers(fitted, x), probabilities, atol=1e-12)


def test_one_class_can_not_be_learnt() -> None:
    """Training rows of one class are the data's mistake."""
    with pytest.raises(DataError, match="one class"):
        LOGISTIC.fit(problem(np.ones((3, 1)), np.ones(3, np.int64), kind="binary", n_classes=2))


def test_weights_count_as_repeated_rows() -> None:
    """A row of weight 3 is three rows."""
    x = np.array([[0.0], [1.0], [2.0], [3.0]])
    y = np.array([0, 1, 0, 1])
    weights = np.array([1.0, 3.0, 2.0, 1.0])
    weighted = LOGISTIC.fit(problem(x, y, kind="binary", n_classes=2, weights=weights, tol=1e-10))
    times = weights.astype(int)
    repeated = LOGISTIC.fit(
        problem(x.repeat(times, 0), y.repeat(times), kind="binary", n_classes=2, tol=1e-10)
    )
    np.testing.assert_allclose(weighted.predict(x), repeated.predict(x), atol=1e-6)


def test_equal_fits_give_equal_bytes() -> None:
    """The same rows and seed give the same graph, bit for bit, with a solver that draws at random too."""
    frame, schema = penguins()
    written = []
    for _ in range(2):
        preparation, fitted, target = fit_logistic(frame, schema)
        written.append(
            assemble(
                preparation=preparation, fitted=fitted, task=CLASSIFICATION, target=target, threshold=None
            )
        )
    assert written[0] == written[1]
    x = np.random.default_rng(0).normal(size=(50, 3))
    y = (x[:, 0] > 0).astype(np.int64)
    drawn = [
        LOGISTIC.fit(problem(x, y, kind="binary", n_classes=2, solver="saga", tol=0.1)).predict(x)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])


def test_no_rows_are_answered_with_no_rows() -> None:
    """0 rows is a normal case."""
    frame, schema = penguins()
    preparation, fitted, _ = fit_logistic(frame, schema)
    assert fitted.predict(preparation.transform(frame[:0])).shape == (0, 3)


def test_importances_of_nothing_are_none() -> None:
    """Where every coefficient is 0 no feature is important."""
    fitted = RIDGE.fit(problem(np.ones((4, 2)), np.arange(4.0), kind="continuous", max_iter=None))
    assert fitted.importances is None


def test_parameters_that_do_not_go_together_are_the_recipes_mistake() -> None:
    """What scikit-learn refuses at fit is told with its reason."""
    model = problem(np.eye(3), np.array([0, 1, 1]), kind="binary", n_classes=2, solver="lbfgs", l1_ratio=0.5)
    with pytest.raises(RecipeError, match=r"could not be fitted: Solver lbfgs supports only 'l2'") as caught:
        LOGISTIC.fit(model)
    assert caught.value.messages[0].key == "model.params"


def messages(family: object, params: dict[str, object], *, task: str, estimator: str | None = None) -> str:
    """Return what a family says of a model."""
    model = ModelSpec(family="f", estimator=estimator, params=params, space={})  # type: ignore[arg-type]
    return "\n".join(str(message) for message in family.check(model, task))  # type: ignore[attr-defined]


def test_a_good_model_has_no_messages() -> None:
    """Known parameters of the right type are all right."""
    assert messages(LOGISTIC, {"C": 0.3, "class_weight": "balanced"}, task="classification") == ""
    assert messages(RIDGE, {"alpha": 2}, task="regression") == ""


def test_wrong_models_are_told_what_is_wrong() -> None:
    """The task, a misspelt and a managed parameter are each one message."""
    assert messages(LOGISTIC, {}, task="regression") == "model.family\n  logistic does not do regression"
    assert messages(RIDGE, {}, task="classification") == "model.family\n  ridge does not do classification"
    misspelt = messages(RIDGE, {"alhpa": 1.0}, task="regression")
    assert misspelt.startswith("model.params.alhpa\n  'alhpa' is not a parameter of ridge")
    assert "did you mean 'alpha'?" in misspelt
    assert "'n_jobs' is set by compute.threads" in messages(LOGISTIC, {"n_jobs": 2}, task="classification")
    assert "'random_state' is set by seed" in messages(RIDGE, {"random_state": 2}, task="regression")


def test_an_iteration_cap_is_kept_without_complaint() -> None:
    """`compute.max_iterations` stops the solver early, and that is no warning."""
    from dataclasses import replace

    x = np.random.default_rng(0).normal(size=(100, 5))
    y = (x.sum(axis=1) > 0).astype(np.int64)
    capped = LOGISTIC.fit(replace(problem(x, y, kind="binary", n_classes=2, tol=1e-12), max_iterations=2))
    assert int(capped.estimator.n_iter_[0]) == 2  # type: ignore[attr-defined]
