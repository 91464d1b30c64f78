"""The `sgd` family: near the exact linear models, the same from blocks as from a matrix, written exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from engine.errors import DataError, EngineError, RecipeError
from engine.graph import Graph
from engine.models.family import Array, Fitted, Problem, Rows
from engine.models.sgd import FAMILY
from engine.recipe.spec_model import ModelSpec
from engine.tasks.task import TargetKind
from tests.models.problems import make_problem

PARAMS = {"learning_rate": "constant", "eta0": 0.01, "average": True, "max_iter": 30, "tol": 1e-6}


def rows(n: int, kind: TargetKind, *, seed: int = 0, weighted: bool = False) -> Rows:
    """Return rows of five columns, of which two tell the target."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5))
    score = 2 * x[:, 0] - x[:, 3] + rng.normal(size=n)
    targets = {
        "binary": (score > 0).astype(np.int64),
        "multiclass": np.digitize(score, [-1, 1]).astype(np.int64),
        "continuous": 3e6 + 1e4 * score,
    }
    return Rows(x, targets[kind], rng.uniform(0.5, 2, n) if weighted else None)


def problem(train: Rows, kind: TargetKind, *, validation: Rows | None = None, **params: object) -> Problem:
    """Return a problem on these rows."""
    return make_problem(train, kind, validation=validation, params={**PARAMS, **params})


@dataclass(frozen=True)
class Cut:
    """Rows as blocks of a size."""

    rows: Rows
    size: int
    classes: Array

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.rows.y)

    def __iter__(self) -> Iterator[Rows]:
        """Yield the blocks in order."""
        for at in range(0, self.n_rows, self.size):
            weights = self.rows.weights
            block = slice(at, at + self.size)
            yield Rows(self.rows.x[block], self.rows.y[block], None if weights is None else weights[block])


def written(fitted: Fitted, x: Array, *, n_classes: int) -> Array:
    """Return what the nodes of a fitted model give."""
    import onnxruntime

    graph = Graph()
    values = fitted.write(graph, graph.input("x", np.float64, width=x.shape[1]))
    assert values is not None
    graph.output("values", values, np.float64, width=n_classes)
    answer: Array = onnxruntime.InferenceSession(graph.build().SerializeToString()).run(None, {"x": x})[0]
    return answer if n_classes > 1 else answer.reshape(-1)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "continuous"])
def test_near_the_exact_linear_model_and_written_exactly(kind: TargetKind) -> None:
    """On rows it has not seen it is as good as the solved model, and the graph answers as the library does.

    Of several classes each is told from the rest, where the solved model tells them all apart at once.
    """
    from sklearn.linear_model import LogisticRegression, Ridge

    train, held, test = rows(4000, kind), rows(500, kind, seed=1), rows(2000, kind, seed=2)
    fitted = FAMILY.fit(problem(train, kind, validation=held))
    answers = fitted.predict(test.x)
    np.testing.assert_allclose(
        written(fitted, test.x, n_classes=problem(train, kind).n_classes), answers, rtol=1e-9, atol=1e-12
    )
    assert fitted.importances is not None
    assert fitted.importances.sum() == pytest.approx(1)
    assert fitted.importances.argmax() == 0
    assert fitted.predict(test.x[:0]).shape == answers[:0].shape
    if kind == "continuous":
        exact = Ridge().fit(train.x, train.y).predict(test.x)
        ours, theirs = (np.sqrt(np.mean((values - test.y) ** 2)) for values in (answers, exact))
    else:
        exact = LogisticRegression().fit(train.x, train.y).predict_proba(test.x)
        ours, theirs = (np.mean(values.argmax(axis=1) != test.y) for values in (answers, exact))
    assert ours < (1.08 if kind == "multiclass" else 1.02) * theirs + 0.002


@pytest.mark.parametrize("weighted", [False, True])
def test_blocks_are_learnt_as_rows_are(weighted: bool) -> None:
    """From blocks and from a matrix the model is nearly one; from the same blocks it is one to the bit."""
    train = rows(4000, "binary", weighted=weighted)
    asked = problem(train, "binary", validation=rows(500, "binary", seed=1))
    whole = FAMILY.fit(asked).predict(train.x)
    blocks = Cut(train, 700, np.array([0, 1]))
    one, other = (FAMILY.fit_blocks(asked, blocks).predict(train.x) for _ in range(2))
    assert (one == other).all()
    assert np.abs(one - whole).max() < 0.02


def test_it_stops_when_validation_gets_no_better_and_tells_the_loss() -> None:
    """Progress hears a falling loss of each epoch; the epochs that are kept are fewer than allowed."""
    heard: list[tuple[int, int, float | None]] = []
    asked = problem(
        rows(2000, "binary"), "binary", validation=rows(300, "binary", seed=1), n_iter_no_change=2, tol=1e-3
    )
    fitted = FAMILY.fit(asked, lambda done, total, loss: heard.append((done, total, loss)))
    assert fitted.n_iterations is not None
    assert fitted.n_iterations <= len(heard) < 30
    assert [done for done, _, _ in heard] == list(range(1, len(heard) + 1))
    assert heard[-1][2] is not None
    assert FAMILY.fit(problem(asked.train, "binary", max_iter=3)).n_iterations == 3


def test_a_class_that_training_lacks_has_no_probability() -> None:
    """Of three classes two are trained: the third is 0 in the library's answer and in the graph's."""
    train = rows(500, "multiclass")
    known = train.y != 1
    fitted = FAMILY.fit(problem(Rows(train.x[known], train.y[known], None), "multiclass"))
    assert (fitted.predict(train.x)[:, 1] == 0).all()
    np.testing.assert_allclose(written(fitted, train.x, n_classes=3), fitted.predict(train.x), atol=1e-12)


def test_what_can_not_be_learnt_is_said() -> None:
    """Steps that are too long diverge, and one class is no choice."""
    train = rows(500, "continuous")
    with pytest.raises(RecipeError, match=r"sgd could not be fitted: .*overflow"):
        FAMILY.fit(problem(train, "continuous", eta0=1e300))
    with pytest.raises(EngineError, match="sgd diverged: its coefficients are not finite"):
        FAMILY.fit(problem(Rows(train.x, train.y * 1e301, None), "continuous"))
    with pytest.raises(DataError, match="are all of one class"):
        FAMILY.fit(problem(Rows(train.x, np.zeros(500, np.int64), None), "binary"))


@pytest.mark.parametrize(
    ("params", "task", "told"),
    [
        (
            {"learning_rate": "adaptive"},
            "classification",
            "sgd learns a block at a time, and can't with learning_rate 'adaptive'",
        ),
        ({"loss": "hinge"}, "classification", "'loss' is set by the engine"),
        ({"early_stopping": True}, "regression", "'early_stopping' is set by split.validation"),
        ({"class_weight": "balanced"}, "classification", "'class_weight' is set by model.balance"),
    ],
)
def test_params_that_it_can_not_take_are_refused(params: dict[str, object], task: str, told: str) -> None:
    """What the engine sets, and rates that change with an epoch's loss."""
    model = ModelSpec(family="sgd", params=params)  # type: ignore[arg-type]
    assert [message.what for message in FAMILY.check(model, task)] == [told]


def test_loss_is_a_choice_where_a_number_is_predicted() -> None:
    """The losses of SGDRegressor, in the units of the target."""
    model = ModelSpec(family="sgd", params={"loss": "huber", "epsilon": 1e4})
    assert FAMILY.check(model, "regression") == []
    train = rows(2000, "continuous")
    fit: Callable[[Problem], Fitted] = FAMILY.fit
    huber = fit(problem(train, "continuous", loss="huber", epsilon=1e4)).predict(train.x)
    assert np.sqrt(np.mean((huber - train.y) ** 2)) < 1.1e4
