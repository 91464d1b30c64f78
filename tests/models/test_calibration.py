from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from engine.data.schema import Column, Schema
from engine.errors import DataError
from engine.features.needs import Needs
from engine.features.prepare import prepare
from engine.graph import Graph
from engine.models.assemble import assemble
from engine.models.calibration import Calibrated, calibrate, log_odds
from engine.models.family import Array, Fitted, Rows
from engine.recipe.spec_model import Calibration
from engine.tasks.classification import TASK as CLASSIFICATION
from engine.tasks.probability import BRIER_SCORE, LOG_LOSS
from engine.tasks.task import Scores, Target

HOW: tuple[Calibration, ...] = ("sigmoid", "isotonic")


class Said:
    """A model that says what stands in its rows: probabilities, from the first column on."""

    n_iterations: int | None = 7
    importances: Array | None = None

    def predict(self, x: Array) -> Array:
        """Return the rows."""
        return x

    def write(self, graph: Graph, x: str) -> str | None:
        """Hand the rows on."""
        return graph.node("Identity", [x])

    def to_skops(self) -> bytes | None:
        """Return None: there is a graph."""
        return None


def _target(n_classes: int) -> Target:
    return Target("y", "binary" if n_classes == 2 else "multiclass", tuple(range(n_classes)))


def _overconfident(n: int, n_classes: int, *, seed: int = 0) -> tuple[Array, Array]:
    """Return what is said, (n, n_classes), and what came true less often than that, (n,)."""
    rng = np.random.default_rng(seed)
    margins = rng.normal(0, 1, (n, n_classes))
    true, said = (np.exp(scale * margins) for scale in (1.0, 3.0))
    true, said = (one / one.sum(axis=1, keepdims=True) for one in (true, said))
    y = (rng.random(n)[:, None] > true.cumsum(axis=1)).sum(axis=1)
    return said, y


def _calibrated(how: Calibration, said: Array, y: Array, weights: Array | None = None) -> Calibrated:
    found = calibrate(Said(), how, Rows(said, y, weights), target=_target(said.shape[1]))
    assert isinstance(found, Calibrated)
    return found


def _run(fitted: Fitted, x: Array) -> Array:
    import onnxruntime

    graph = Graph()
    values = fitted.write(graph, graph.input("x", np.float64, width=x.shape[1]))
    assert values is not None
    graph.output("p", values, np.float64, width=x.shape[1])
    session = onnxruntime.InferenceSession(graph.build().SerializeToString())
    found: Array = session.run(None, {"x": x})[0]
    return found


@pytest.mark.parametrize("weighted", [False, True])
def test_sigmoid_is_platts(*, weighted: bool) -> None:
    """Slope and intercept are those of scikit-learn's own Platt scaling, on log odds."""
    from sklearn.calibration import _sigmoid_calibration

    said, y = _overconfident(400, 2)
    weights = np.random.default_rng(1).uniform(0.5, 2, 400) if weighted else None
    (curve,) = _calibrated("sigmoid", said, y, weights).curves
    shares = None if weights is None else weights / weights.mean()
    slope, intercept = _sigmoid_calibration(log_odds(said[:, 1]), y, shares)
    assert (-curve.slope, -curve.intercept) == pytest.approx((slope, intercept), rel=1e-4)  # type: ignore[union-attr]


def test_steps_are_the_isotonic_regression() -> None:
    """The curve is scikit-learn's IsotonicRegression on log odds of two places, kept off 0 and 1."""
    from sklearn.isotonic import IsotonicRegression

    said, y = _overconfident(600, 2)
    fitted = _calibrated("isotonic", said, y)
    oracle = IsotonicRegression(out_of_bounds="clip").fit(np.round(log_odds(said[:, 1]), 2), y)
    fitted_on = np.round(log_odds(said[:, 1]), 2)
    expected = np.clip(oracle.predict(fitted_on), 1 / 602, 601 / 602)
    assert fitted.curves[0].at(fitted_on) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_what_is_said_comes_true_more_often(how: Calibration, n_classes: int) -> None:
    """On rows that fitted nothing an overconfident model loses less by what it says, and is sure of less."""
    said, y = _overconfident(3000, n_classes)
    asked, truth = _overconfident(3000, n_classes, seed=9)
    fitted = _calibrated(how, said, y)
    corrected = fitted.predict(asked)
    before, after = (
        [metric.compute(truth, Scores(p, p.argmax(axis=1)), None) for metric in (LOG_LOSS, BRIER_SCORE)]
        for p in (asked, corrected)
    )
    assert after[0] < 0.9 * before[0]
    assert after[1] < 0.97 * before[1]
    assert corrected.sum(axis=1) == pytest.approx(1)
    assert fitted.n_iterations == 7


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_graph_says_the_same(how: Calibration, n_classes: int) -> None:
    """The nodes give the same to 1e-12, beyond all that validation rows held and at 0 and 1 too."""
    said, y = _overconfident(500, n_classes)
    fitted = _calibrated(how, said, y)
    asked, _ = _overconfident(2000, n_classes, seed=3)
    asked = np.concatenate([asked, np.eye(n_classes), said, np.full((1, n_classes), 1 / n_classes)])
    assert _run(fitted, asked) == pytest.approx(fitted.predict(asked), abs=1e-12)


def test_what_is_kept_by_skops_is_corrected_after_it() -> None:
    """A model that has no graph is corrected in the graph that decides on its answers."""
    import onnxruntime

    class Stored(Said):
        def write(self, graph: Graph, x: str) -> str | None:
            return None

        def to_skops(self) -> bytes | None:
            return b"estimator"

    said, y = _overconfident(300, 2)
    fitted = calibrate(Stored(), "sigmoid", Rows(said, y, None), target=_target(2))
    assert isinstance(fitted, Calibrated)
    column = Column("a", "number", "feature", "float64")
    schema = Schema((column,), None, "error", missing_target="error")
    needs = Needs(categories="codes", missing="impute", scale=False, max_categories=None)
    artifact = assemble(
        preparation=prepare(pl.DataFrame({"a": [0.25, 0.75]}), schema=schema, needs=needs),
        fitted=fitted,
        task=CLASSIFICATION,
        target=Target("y", "binary", ("no", "yes")),
        threshold=0.3,
    )
    assert (artifact.estimator, artifact.decision is None) == (b"estimator", False)
    probability, decision, _ = onnxruntime.InferenceSession(artifact.decision).run(None, {"values": said})
    assert probability == pytest.approx(fitted.correct(said), abs=1e-12)
    assert decision.tolist() == (probability[:, 1] >= 0.3).astype(int).tolist()


def test_answers_hardly_move_where_the_model_does() -> None:
    """However close two validation rows are, a rounding error of the model is no other answer."""
    said = np.array([0.3, 0.3 + 1e-9, 0.3 - 1e-9, 0.6, 0.1] * 20)
    y = np.array([0, 1, 0, 1, 0] * 20)
    fitted = _calibrated("isotonic", np.stack([1 - said, said], axis=1), y)
    asked = np.linspace(0.05, 0.95, 500)
    one, other = (fitted.predict(np.stack([1 - p, p], axis=1)) for p in (asked, asked + 1e-10))
    assert np.abs(one - other).max() <= 1e-10 / 0.05 * fitted.steepness


@pytest.mark.parametrize("how", HOW)
def test_a_model_that_says_one_thing(how: Calibration) -> None:
    """Of a constant model what is left is the share that came true."""
    said = np.full((200, 2), 0.5)
    y = (np.arange(200) < 50).astype(np.int64)
    assert _calibrated(how, said, y).predict(said)[:, 1] == pytest.approx(0.25, abs=0.005)


@pytest.mark.parametrize(
    ("y", "what"),
    [
        ([], "probabilities are corrected on validation rows, and no row is of that part"),
        ([0, 0, 0], "1 of 2 classes is not among the 3 validation rows, which correct their probabilities"),
    ],
)
def test_every_class_must_be_there(y: Sequence[int], what: str) -> None:
    """Without validation rows of a class there is nothing to correct its probabilities by."""
    said = np.full((len(y), 2), 0.5)
    with pytest.raises(DataError) as caught:
        _calibrated("sigmoid", said, np.array(y, np.int64))
    assert str(caught.value) == (
        f"model.calibration\n  {what}\n  try: model.calibration=null, or a larger split.validation"
    )
