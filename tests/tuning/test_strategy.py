"""What is proposed next: within the space, a function of what may be known and of nothing else."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.models.family import StopFit
from engine.recipe.space import Choices, Span, read_space
from engine.recipe.spec_model import ModelSpec
from engine.recipe.text import Plain
from engine.tuning.bayes import N_STARTUP, Bayes
from engine.tuning.candidates import Axis, Candidate, Candidates
from engine.tuning.halving import Halving, Ladder
from engine.tuning.strategy import Grid, Random, draw, grid_size
from engine.tuning.trial import Outcome, Trial


def space(**texts: str) -> dict[str, Axis]:
    """Read axes as a recipe says them."""
    return {name: read_space(text) for name, text in texts.items()}


def among(**spaces: Mapping[str, Axis]) -> Candidates:
    """Search among models of these names."""
    return Candidates(
        tuple(
            Candidate(name, ModelSpec(family=name, params={}, space={}), axes)
            for name, axes in spaces.items()
        )
    )


TWO = among(
    lightgbm=space(learning_rate="tag(log,interval(0.01,0.3))", num_leaves="int(interval(8,64))"),
    mlp=space(hidden_sizes="choice([8],[16,8])"),
)


def is_in(value: Plain, axis: Axis) -> bool:
    """Tell whether a value is one of an axis."""
    if isinstance(axis, Choices):
        return value in axis.values
    is_whole = isinstance(value, int)
    return isinstance(value, int | float) and axis.low <= value <= axis.high and is_whole == axis.is_whole


def history(bayes: Bayes, n: int, *, lag: int) -> list[tuple[Trial, Outcome]]:
    """Run a made search: the score falls with the distance of the rate from 0.05, and mlp is poor."""
    done: list[tuple[Trial, Outcome]] = []
    for index in range(n):
        told = done[: max(index - lag + 1, 0)]
        pending = [trial for trial, _ in done[len(told) :]]
        model, params = bayes.propose(index, told=told, pending=pending)
        rate = params.get("learning_rate", 0.3)
        assert isinstance(rate, float)
        score = -abs(math.log(rate / 0.05)) if model == "lightgbm" else -5.0
        done.append((Trial(index, model, params, 0), Outcome(index, "done", score)))
    return done


@given(
    low=st.integers(1, 50),
    width=st.integers(1, 200),
    is_log=st.booleans(),
    is_whole=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_draw_is_within_its_axis(low: int, width: int, is_log: bool, is_whole: bool, seed: int) -> None:
    """Both ends belong to the axis, and whole axes give whole numbers."""
    axis = Span(low, low + width, is_log) if is_whole else Span(low / 7, (low + width) / 7, is_log)
    for turn in range(5):
        assert is_in(draw(axis, np.random.default_rng([seed, turn])), axis)


def test_the_ends_of_whole_numbers_get_their_share() -> None:
    """Of four whole numbers each is drawn about as often as the others."""
    rng = np.random.default_rng(0)
    drawn = [draw(Span(1, 4, is_log=False), rng) for _ in range(4000)]
    assert np.bincount(drawn)[1:] == pytest.approx([1000] * 4, rel=0.1)
    logs = [draw(Span(1, 4, is_log=True), rng) for _ in range(4000)]
    assert sorted(np.bincount(logs)[1:], reverse=True) == list(np.bincount(logs)[1:])


def test_a_grid_takes_each_combination_once() -> None:
    """The last axis turns fastest, and one model follows the other."""
    both = among(
        ridge=space(alpha="choice(1,2)", tol="choice(0.1,0.2)"), mlp=space(hidden_sizes="choice([8],[4])")
    )
    grid = Grid(both, grid_size(both))
    points = [grid.propose(index, told=[], pending=[]) for index in range(grid.n_trials)]
    assert points == [
        ("ridge", {"alpha": 1, "tol": 0.1}),
        ("ridge", {"alpha": 1, "tol": 0.2}),
        ("ridge", {"alpha": 2, "tol": 0.1}),
        ("ridge", {"alpha": 2, "tol": 0.2}),
        ("mlp", {"hidden_sizes": [8]}),
        ("mlp", {"hidden_sizes": [4]}),
    ]
    with pytest.raises(IndexError):
        grid.propose(6, told=[], pending=[])


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), index=st.integers(0, 200))
def test_random_depends_on_seed_and_index_alone(seed: int, index: int) -> None:
    """The same index gives the same params, whatever was told; the first trials are the params as they stand."""
    told = [(Trial(0, "mlp", {}, 0), Outcome(0, "done", 1.0))]
    name, params = Random(TWO, 300, seed).propose(index, told=[], pending=[])
    assert (name, params) == Random(TWO, 300, seed).propose(index, told=told, pending=[])
    if index < 2:
        assert (name, params) == (("lightgbm", "mlp")[index], {})
    else:
        assert set(params) == set(TWO[name].axes)
        assert all(is_in(value, TWO[name].axes[param]) for param, value in params.items())


def test_bayes_is_a_function_of_what_it_was_told() -> None:
    """Asked twice it says the same, with trials pending too; every proposal is within the space."""
    bayes = Bayes(TWO, 40, 7, maximize=True)
    first, again = history(bayes, 30, lag=4), history(bayes, 30, lag=4)
    assert [trial for trial, _ in first] == [trial for trial, _ in again]
    for trial, _ in first[2:]:
        assert all(is_in(value, TWO[trial.model].axes[param]) for param, value in trial.params.items())
    # Who has never been asked before, as after an interruption, says the same.
    for index in (12, 19, 29):
        told = first[: index - 3]
        pending = [trial for trial, _ in first[index - 3 : index]]
        fresh = Bayes(TWO, 40, 7, maximize=True).propose(index, told=told, pending=pending)
        assert fresh == (first[index][0].model, first[index][0].params)
    other = history(Bayes(TWO, 40, 8, maximize=True), 30, lag=4)
    assert [trial for trial, _ in first] != [trial for trial, _ in other]


def test_bayes_learns() -> None:
    """After the random start more trials are of the better model, and nearer to the best rate."""
    done = history(Bayes(TWO, 60, 3, maximize=True), 60, lag=4)
    start, late = done[: N_STARTUP + 2], done[-20:]
    assert sum(trial.model == "lightgbm" for trial, _ in late) > 14
    score = {True: [], False: []}  # type: dict[bool, list[float]]
    for is_late, part in ((False, start), (True, late)):
        score[is_late] += [
            outcome.score
            for trial, outcome in part
            if trial.model == "lightgbm" and outcome.score is not None
        ]
    assert np.mean(score[True]) > np.mean(score[False]) + 0.3


def test_bayes_takes_an_axis_of_one_value_as_it_is() -> None:
    """Where there is nothing to choose nothing is drawn, also in a model of such axes alone."""
    fixed = among(
        lightgbm=space(learning_rate="tag(log,interval(0.01,0.3))", num_leaves="choice(31)"),
        mlp=space(hidden_sizes="choice([8])", dropout="choice(0.2)"),
    )
    for trial, _ in history(Bayes(fixed, 30, 1, maximize=True), 30, lag=1)[2:]:
        if trial.model == "mlp":
            assert trial.params == {"hidden_sizes": [8], "dropout": 0.2}
        else:
            assert trial.params["num_leaves"] == 31


def test_bayes_keeps_away_from_what_misses_a_gate() -> None:
    """What scores best and misses a gate is left for where the gate is just met."""
    one = among(ridge=space(alpha="interval(0.0,1.0)"))
    bayes = Bayes(one, 60, 5, maximize=True)
    done: list[tuple[Trial, Outcome]] = []
    for index in range(60):
        model, params = bayes.propose(index, told=done, pending=[])
        alpha = params.get("alpha", 0.5)
        assert isinstance(alpha, float)
        missed = {"bundle_mib": alpha - 0.4} if alpha > 0.4 else {}
        done.append((Trial(index, model, params, 0), Outcome(index, "done", alpha, missed=missed)))
    late = [outcome for _, outcome in done[-20:]]
    assert np.mean([outcome.is_feasible for outcome in late]) > 0.3
    assert np.median([abs((outcome.score or 0.0) - 0.4) for outcome in late]) < 0.1


def test_half_way_a_trial_must_be_among_the_best_of_those_before() -> None:
    """A rung's cut is the loss of the last that goes on: one of three, two of six, of the same model alone."""
    halving = Halving(Random(TWO, 20, 0), factor=3, n_rungs=2)

    def told(*losses: tuple[float, ...], model: str = "mlp") -> list[tuple[Trial, Outcome]]:
        return [(Trial(n, model, {}, 0), Outcome(n, "stopped", losses=one)) for n, one in enumerate(losses)]

    assert halving.cuts("mlp", told=[]) == (None, None)
    assert halving.cuts("mlp", told=told((3.0,), (1.0, 0.5), (2.0,))) == (1.0, None)
    six = told((3.0,), (1.0, 0.5), (2.0, 0.7), (9.0,), (1.5, 0.6), (4.0,))
    assert halving.cuts("mlp", told=six) == (1.5, 0.5)
    assert halving.cuts("lightgbm", told=six) == (None, None)


def test_a_fit_is_stopped_at_the_first_rung_where_it_is_behind() -> None:
    """Rungs stand at 1/9 and 1/3 of the rounds; the least loss so far counts; without a cut nothing stops."""
    ladder = Ladder((0.5, 0.4), factor=3)
    for done, loss in enumerate((0.9, 0.45, 0.6, 0.44), start=1):
        ladder(done, 27, loss)
    assert ladder.losses == [0.45]
    for done in range(5, 9):
        ladder(done, 27, 0.41)
    with pytest.raises(StopFit):
        ladder(9, 27, 0.43)
    assert ladder.losses == [0.45, 0.41]
    free = Ladder((None, None), factor=3)
    free(3, 27, 0.9)
    free(4, 27, None)
    assert free.finished() == (0.9, 0.9)


@pytest.mark.parametrize("loss", [float("inf"), float("nan"), float("-inf")])
def test_a_loss_that_is_no_number_is_none(loss: float) -> None:
    """As a relative error where a target is 0: no rung hears of it, and a journal could not hold it."""
    ladder = Ladder((0.5, None), factor=3)
    for done in range(1, 28):
        ladder(done, 27, loss)
    assert ladder.losses == []
    assert ladder.finished() == ()


def test_what_a_clock_says_proposes_nothing() -> None:
    """Two histories that differ in how long answers took lead to the same next trial."""
    bayes = Bayes(TWO, 40, 7, maximize=True)
    done = history(bayes, 20, lag=1)
    slow = [
        (trial, replace(outcome, missed={"latency_p95_ms": 0.5} if outcome.index % 2 else {}))
        for trial, outcome in done
    ]
    first = bayes.propose(20, told=done, pending=[])
    assert Bayes(TWO, 40, 7, maximize=True).propose(20, told=slow, pending=[]) == first
