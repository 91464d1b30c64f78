"""The `mlp` family: a network with embeddings and bins, trained by Lightning, written in float32."""

import logging
import math
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from engine.errors import DataError, Message, RecipeError
from engine.models.family import Array, ParamValue, Problem, Rows
from engine.models.mlp import FAMILY, Columns, columns_of
from engine.recipe.spec_model import ModelSpec
from engine.tasks.task import TargetKind
from tests.models.problems import make_problem

PARAMS: dict[str, ParamValue] = {
    "hidden_sizes": (16, 8),
    "batch_norm": True,
    "dropout": 0.1,
    "learning_rate": 0.01,
    "weight_decay": 0.01,
    "batch_size": 64,
    "max_epochs": 30,
    "patience": 5,
    "embedding_size_max": 4,
    "n_bins": 4,
}
LEVELS = 3  # of column 2; the index 3 is a missing or unseen level


def _rows(kind: TargetKind, *, n: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=(n, 2)), rng.integers(0, LEVELS, n), rng.integers(0, 2, n)])
    score = x[:, 0] - x[:, 1] + 2.0 * (x[:, 2] == 1)
    y = {
        "binary": (score > 0.5).astype(np.int64),
        "multiclass": np.digitize(score, [0.0, 1.0]).astype(np.int64),
        "continuous": 3000.0 + 1000.0 * score,
    }[kind]
    return Rows(x=x, y=y, weights=None)


def _problem(kind: TargetKind, *, n: int = 400, **params: ParamValue) -> Problem:
    return make_problem(
        _rows(kind, n=n, seed=0),
        kind,
        validation=_rows(kind, n=150, seed=1),
        feature_names=("a", "b", "c", "d is missing"),
        category_sizes={2: LEVELS},
        params={**PARAMS, **params},
        seed=3,
    )


def _check(**changed: ParamValue) -> list[Message]:
    params = {**PARAMS, **changed}
    return [*FAMILY.check(ModelSpec(family="mlp", params=params, space={}), "classification")]


def _baseline(y: Array) -> float:
    return float(np.abs(y - np.median(y)).mean())


@pytest.mark.parametrize(("kind", "least"), [("binary", 0.93), ("multiclass", 0.87)])
def test_it_learns_classes(kind: TargetKind, least: float) -> None:
    """Known answer: two numbers and a category decide the class, and nearly every new row is right."""
    fitted = FAMILY.fit(_problem(kind))
    new = _rows(kind, n=500, seed=2)
    probabilities = fitted.predict(new.x)
    assert np.allclose(probabilities.sum(axis=1), 1.0)
    assert np.mean(probabilities.argmax(axis=1) == new.y) >= least


def test_it_learns_a_number() -> None:
    """Known answer: a continuous target of any scale is found, since it is standardised inside."""
    fitted = FAMILY.fit(_problem("continuous", dropout=0.0))
    new = _rows("continuous", n=500, seed=2)
    assert np.abs(fitted.predict(new.x) - new.y).mean() < 0.2 * _baseline(new.y)


def test_a_shuffled_target_is_not_learned() -> None:
    """There is no leak: with labels at random, new rows are guessed."""
    problem = _problem("binary")
    y = np.random.default_rng(0).permutation(problem.train.y)
    fitted = FAMILY.fit(replace(problem, train=replace(problem.train, y=y)))
    new = _rows("binary", n=500, seed=2)
    assert 0.3 < np.mean(fitted.predict(new.x).argmax(axis=1) == new.y) < 0.7


@pytest.mark.parametrize("kind", ["binary", "multiclass", "continuous"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_graph_answers_as_torch(kind: TargetKind, batch_norm: bool, cases: ModuleType) -> None:
    """Unseen levels, numbers far out and values at the edges of bins included."""
    fitted = FAMILY.fit(_problem(kind, batch_norm=batch_norm, max_epochs=4))
    x = _rows(kind, n=200, seed=2).x
    x[:20, 2] = LEVELS
    x[20:40, 0] *= 100
    edges = np.array(fitted.columns.lows)[np.array(fitted.columns.bins) == 0]
    x[40 : 40 + len(edges), 0] = edges
    want = fitted.predict(x).reshape(200, -1)
    got = cases.run(cases.model_of(fitted, width=4, n_outputs=fitted.n_classes), x)
    assert np.max(np.abs(got - want) / np.maximum(1.0, np.abs(want))) <= FAMILY.tolerance


@pytest.mark.parametrize(
    ("changed", "sizes"),
    [
        ({"hidden_sizes": ()}, {2: LEVELS}),
        ({"n_bins": 0}, {2: LEVELS}),
        ({}, {}),
        ({"n_bins": 0}, {0: 1, 1: 1, 2: LEVELS, 3: 1}),
    ],
)
def test_any_mix_of_columns_and_layers_is_written(
    changed: dict[str, ParamValue], sizes: dict[int, int], cases: ModuleType
) -> None:
    """No hidden layer, no bins, no categories, no numbers: each is a network, and a graph."""
    problem = replace(_problem("binary", max_epochs=2, **changed), category_sizes=sizes)
    fitted = FAMILY.fit(problem)
    assert cases.largest_difference(fitted, problem.train.x, n_outputs=2) <= FAMILY.tolerance


def test_an_unseen_level_starts_at_nothing() -> None:
    """Its embedding is zero, and stays zero while training never sees it."""
    fitted = FAMILY.fit(_problem("binary", max_epochs=2))
    table = fitted.network.embeddings[0].weight.detach().numpy()
    assert table.shape == (LEVELS + 1, 3)
    assert table[LEVELS].tolist() == [0.0] * 3
    assert np.abs(table[:LEVELS]).min() > 0


def test_bins_by_hand() -> None:
    """Of the values 0, 1, 2, 4, 8 in 2 bins the edges are 0, 2, 8; a bin fills from its lower to its upper."""
    problem = _problem("binary")
    x = np.zeros((6, 4))
    x[:, 0] = [0, 0, 1, 2, 4, 8]
    columns = columns_of(replace(problem, train=replace(problem.train, x=x)), n_bins=2)
    assert columns == Columns(
        numbers=(0, 1, 3), codes=(2,), levels=(3,), bins=(0, 0), lows=(0.0, 2.0), widths=(2.0, 6.0)
    )
    numbers, codes = columns.split(np.array([[-1.0, 9, 7, 5], [1, 9, 1, 5], [5, 9, 0, 5], [9, 9, 3, 5]]))
    assert numbers.tolist() == [[-1, 9, 5, 0, 0], [1, 9, 5, 0.5, 0], [5, 9, 5, 1, 0.5], [9, 9, 5, 1, 1]]
    assert codes.tolist() == [[3], [1], [0], [3]]


def test_equal_seeds_give_equal_bits() -> None:
    """Problem and seed decide the network, whatever torch's own generator has been through."""
    import torch

    first = FAMILY.fit(_problem("binary"))
    torch.rand(17)
    second = FAMILY.fit(_problem("binary"))
    other = FAMILY.fit(replace(_problem("binary"), seed=4))
    x = _rows("binary", n=100, seed=2).x
    assert np.array_equal(first.predict(x), second.predict(x))
    assert not np.array_equal(first.predict(x), other.predict(x))


def test_the_order_of_rows_is_a_function_of_seed_and_epoch() -> None:
    """Every epoch sees each row once, in nearly equal batches, in an order of its own that comes again."""
    import torch

    from engine.models._lightning import Batches

    def epochs(seed: int) -> list[list[list[int]]]:
        index = torch.arange(130)
        batches = Batches((index, index, index, index), batch_size=64, seed=seed)
        seen = []
        for epoch in range(2):
            batches.epoch = epoch
            seen.append([batch[2].tolist() for batch in batches])
        return seen

    first, second = epochs(0)
    assert [len(batch) for batch in first] == [43, 43, 44]
    assert sorted(row for batch in first for row in batch) == list(range(130))
    assert first != second
    assert epochs(0) == [first, second]
    assert epochs(1)[0] != first


def test_no_batch_has_one_row() -> None:
    """A batch of one row has no statistics, so none is made."""
    import torch

    from engine.models._lightning import Batches

    for n_rows in range(2, 20):
        index = torch.arange(n_rows)
        sizes = [len(batch[2]) for batch in Batches((index,) * 4, batch_size=2, seed=0)]
        assert min(sizes) >= 2
        assert sum(sizes) == n_rows


def test_it_stops_early_and_keeps_the_best_epoch() -> None:
    """What is kept is the epoch of the lowest validation loss, not the last."""
    told: list[tuple[int, int, float | None]] = []
    fitted = FAMILY.fit(_problem("binary", n=60, patience=3, max_epochs=200), lambda *step: told.append(step))
    losses = [loss for _, _, loss in told if loss is not None]
    assert fitted.n_iterations == int(np.argmin(losses)) + 1
    assert len(losses) == fitted.n_iterations + 3 < 200
    assert [(done, total) for done, total, _ in told] == [(epoch + 1, 200) for epoch in range(len(losses))]
    validation = _rows("binary", n=150, seed=1)
    kept = -np.log(fitted.predict(validation.x)[np.arange(150), validation.y]).mean()
    assert kept == pytest.approx(min(losses), rel=1e-5)


def test_without_validation_every_epoch_is_trained() -> None:
    """There is nothing to stop by."""
    fitted = FAMILY.fit(replace(_problem("binary", max_epochs=7, patience=1), validation=None))
    assert fitted.n_iterations == 7


def test_max_iterations_caps_epochs() -> None:
    """A fast look stays fast."""
    assert FAMILY.fit(replace(_problem("binary"), max_iterations=2)).n_iterations in {1, 2}


def test_a_batch_of_weight_zero_teaches_nothing() -> None:
    """Where so few rows count that batches are without any, the loss stays finite."""
    problem = _problem("binary", batch_size=8, max_epochs=2)
    weights = (np.arange(400) < 6).astype(float)
    fitted = FAMILY.fit(replace(problem, train=replace(problem.train, weights=weights)))
    assert np.isfinite(fitted.predict(problem.train.x)).all()


@pytest.mark.parametrize("n", [1, 2])
def test_answers_are_computed_on_the_threads_of_the_fit(n: int) -> None:
    """Another number of threads than the recipe's would give other bits, on another machine."""
    torch = pytest.importorskip("torch")
    fitted = FAMILY.fit(replace(_problem("binary", max_epochs=1), threads=n))
    seen = []
    fitted.network.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    fitted.predict(_rows("binary", n=3, seed=2).x)
    assert seen == [n]
    assert torch.get_num_threads() == before


def test_rows_of_weight_zero_teach_nothing() -> None:
    """Wrong labels of weight 0 don't spoil what the others teach."""
    problem = _problem("binary")
    wrong = np.arange(400) % 2 == 0
    y = np.where(wrong, 1 - problem.train.y, problem.train.y)
    weights = np.where(wrong, 0.0, 1.0)
    fitted = FAMILY.fit(replace(problem, train=Rows(x=problem.train.x, y=y, weights=weights)))
    new = _rows("binary", n=500, seed=2)
    assert np.mean(fitted.predict(new.x).argmax(axis=1) == new.y) > 0.9


@pytest.mark.parametrize("kind", ["binary", "continuous"])
def test_no_rows_give_no_answers(kind: TargetKind) -> None:
    """0 rows are a normal case."""
    fitted = FAMILY.fit(_problem(kind, max_epochs=1))
    assert fitted.predict(np.empty((0, 4))).shape == ((0, 2) if kind == "binary" else (0,))


def test_divergence_is_an_error() -> None:
    """A loss that is not finite never ends as a model."""
    problem = _problem("continuous", learning_rate=1e30, batch_norm=False)
    with pytest.raises(RecipeError) as caught:
        FAMILY.fit(problem)
    (message,) = caught.value.messages
    assert message.key == "model.params"
    assert message.what in {
        f"the fit diverged: the {part} loss is {loss} after epoch 1; a lower learning_rate may mend it"
        for part in ("training", "validation")
        for loss in (math.nan, math.inf)
    }


def test_a_target_beyond_doubles_is_an_error() -> None:
    """A target whose spread overflows is refused before anything is fitted."""
    problem = _problem("continuous", max_epochs=1)
    train = replace(problem.train, y=problem.train.y * 1e300)
    with pytest.raises(DataError) as caught:
        FAMILY.fit(replace(problem, train=train))
    assert str(caught.value) == (
        "schema.target\n  the target's values are too large for mlp: "
        "their spread is beyond what a double holds"
    )


def test_a_fit_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """No file, no output, and no change of torch's generator, threads, or settings, or of anyone's logging."""
    import torch

    FAMILY.fit(_problem("binary", max_epochs=1))
    monkeypatch.chdir(tmp_path)
    capfd.readouterr()
    logger = logging.getLogger("pytorch_lightning")

    def state() -> tuple[object, ...]:
        filters = tuple(str(item) for item in warnings.filters)
        return torch.get_rng_state().tolist(), torch.get_num_threads(), logger.level, filters

    before = state()
    FAMILY.fit(replace(_problem("binary", max_epochs=2), threads=2 if torch.get_num_threads() == 1 else 1))
    assert state() == before
    assert not torch.are_deterministic_algorithms_enabled()
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_ctrl_c_is_an_interruption() -> None:
    """Lightning would end the process with exit 1; here the interruption arrives, and Ctrl-C still works."""
    import signal

    handler = signal.getsignal(signal.SIGINT)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FAMILY.fit(_problem("binary"), interrupt)
    assert signal.getsignal(signal.SIGINT) == handler


def test_sigterm_is_no_success() -> None:
    """Lightning would end the process with exit 0; here it is 143, as of any process that was ended."""
    import os
    import signal

    def end(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as caught:
        FAMILY.fit(_problem("binary"), end)
    assert caught.value.code == 143


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"hidden_size": (8,)},
            "model.params.hidden_size\n"
            "  'hidden_size' is not a parameter of mlp\n"
            "  did you mean 'hidden_sizes'?\n"
            "  allowed: batch_norm, batch_size, dropout, embedding_size_max, hidden_sizes, learning_rate, "
            "max_epochs, n_bins, patience, weight_decay\n"
            "  try: engine options model/mlp",
        ),
        (
            {"dropout": 1.0},
            "model.params.dropout\n"
            "  'dropout' is 1.0: input should be less than 1\n"
            "  try: engine options model/mlp",
        ),
        (
            {"hidden_sizes": (8, 0)},
            "model.params.hidden_sizes\n"
            "  'hidden_sizes[1]' is 0: input should be greater than or equal to 1\n"
            "  try: engine options model/mlp",
        ),
        (
            {"batch_size": "big"},
            "model.params.batch_size\n"
            "  'batch_size' is 'big': input should be a valid integer\n"
            "  try: engine options model/mlp",
        ),
        (
            {"batch_norm": 1},
            "model.params.batch_norm\n"
            "  'batch_norm' is 1: input should be a valid boolean\n"
            "  try: engine options model/mlp",
        ),
    ],
)
def test_a_wrong_parameter_is_told_in_five_facts(changed: dict[str, ParamValue], message: str) -> None:
    """Name, type and range are checked without torch."""
    assert [str(found) for found in _check(**changed)] == [message]


def test_a_missing_parameter_is_told() -> None:
    """Defaults are in conf/, so what is not there is missed by name."""
    params = {name: value for name, value in PARAMS.items() if name != "patience"}
    (message,) = FAMILY.check(ModelSpec(family="mlp", params=params, space={}), "classification")
    assert str(message) == (
        "model.params.patience\n"
        "  'patience' is a parameter that mlp can't do without\n"
        "  try: engine options model/mlp"
    )


def test_right_parameters_give_no_messages() -> None:
    """An integer does for a number."""
    assert _check(weight_decay=0, dropout=0, hidden_sizes=()) == []


def test_checking_imports_no_torch() -> None:
    """`engine plan` stays fast."""
    code = (
        "import sys\n"
        "from engine.models.mlp import FAMILY\n"
        "from engine.recipe.spec import ModelSpec\n"
        "model = ModelSpec(family='mlp', params={}, space={})\n"
        "assert len(FAMILY.check(model, 'regression')) == 10\n"
        "FAMILY.needs(model), FAMILY.deployed_as(model)\n"
        "print(sorted({'sklearn', 'torch', 'pytorch_lightning', 'onnx'} & {*sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_too_few_rows_and_one_class_are_errors_of_the_data() -> None:
    """There is nothing to learn from one row or one class."""
    problem = _problem("continuous")
    one = Rows(x=problem.train.x[:1], y=problem.train.y[:1], weights=None)
    with pytest.raises(DataError, match="mlp needs at least 2 training rows, and there are 1"):
        FAMILY.fit(replace(problem, train=one))
    problem = _problem("binary")
    with pytest.raises(DataError, match="all of one class"):
        FAMILY.fit(replace(problem, train=replace(problem.train, y=np.ones(400, np.int64))))


@pytest.mark.parametrize("kind", ["binary", "continuous"])
def test_slopes_are_those_of_the_loss(kind: TargetKind) -> None:
    """The gradient of each row's loss agrees with small steps of its numbers, but where they cross an edge."""
    fitted = FAMILY.fit(_problem(kind, dropout=0.0, max_epochs=5))
    rows, step = _rows(kind, n=200, seed=5), 2e-3

    def losses(x: Array) -> Array:
        said = fitted.predict(x)
        if kind == "binary":
            return -np.log(said[np.arange(len(x)), rows.y])
        return ((said - rows.y) / fitted.spread) ** 2

    slopes = fitted.gradient(rows.x, rows.y)
    assert slopes[:, 2].tolist() == [0.0] * 200
    for column in (0, 1):
        up, down = rows.x.copy(), rows.x.copy()
        up[:, column] += step
        down[:, column] -= step
        found = (losses(up) - losses(down)) / (2 * step)
        apart = np.abs(slopes[:, column] - found) / np.maximum(np.abs(found), 0.05)
        assert np.quantile(apart, 0.8) < 0.02


def test_an_adversary_learns_less_of_the_group() -> None:
    """Against it the groups' mean probabilities come nearer; twice is the same, and the other group is unseen."""
    problem = _problem("binary", batch_norm=False, max_epochs=15)
    assert problem.validation is not None
    train, held = (
        replace(rows, groups=(rows.x[:, 0] > 0).astype(np.int64))
        for rows in (problem.train, problem.validation)
    )
    held = replace(held, groups=np.where(np.arange(len(held.y)) < 10, -1, held.groups))
    fair = replace(problem, train=train, validation=held)
    plain = FAMILY.fit(problem)
    first, again = (FAMILY.fit_debiased(fair, strength=1.0) for _ in range(2))
    new = _rows("binary", n=500, seed=2)
    assert np.array_equal(first.predict(new.x), again.predict(new.x))

    def gap(said: Array) -> float:
        group = new.x[:, 0] > 0
        return float(abs(said[group, 1].mean() - said[~group, 1].mean()))

    assert gap(first.predict(new.x)) < 0.6 * gap(plain.predict(new.x))
    # A split may leave validation rows of groups alone that training has not.
    unknown = replace(held, groups=np.full(len(held.y), -1))
    short = replace(fair, validation=unknown, params={**problem.params, "max_epochs": 1})
    assert np.isfinite(FAMILY.fit_debiased(short, strength=1.0).predict(new.x)).all()
