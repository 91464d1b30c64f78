"""A search: in any order of outcomes the same trials, the same winner; nothing done twice after a kill."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.durable import append_journal
from engine.errors import EngineError
from engine.recipe.space import read_space
from engine.recipe.spec_model import ModelSpec, TuneSpec
from engine.recipe.text import Plain
from engine.tuning.candidates import Candidate, Candidates
from engine.tuning.journal import Journal
from engine.tuning.search import Finalist, Search
from engine.tuning.strategy import Strategy, Windowed
from engine.tuning.trial import Outcome, Trial


@dataclass
class Follower(Windowed):
    """A strategy that follows the best so far, and keeps what it was told."""

    n_trials: int
    heard: dict[int, tuple[int, int]] = field(default_factory=dict)

    def propose(
        self, index: int, *, told: Sequence[tuple[Trial, Outcome]], pending: Sequence[Trial]
    ) -> tuple[str, Mapping[str, Plain]]:
        """Step away from the best by an amount of the index's own."""
        self.heard[index] = (len(told), len(pending))
        scored = [(outcome.score, trial.params["x"]) for trial, outcome in told if outcome.score is not None]
        _, best = max(scored, default=(0.0, 0.0))  # type: ignore[type-var]
        assert isinstance(best, float)
        return "m", {"x": best + random.Random(index).gauss(0, 1)}  # noqa: S311 (no secret)

    def cuts(self, model: str, *, told: Sequence[tuple[Trial, Outcome]]) -> tuple[float | None, ...]:
        """Stop nothing."""
        del model, told
        return ()


def evaluate(trial: Trial) -> Outcome:
    """Score by the distance from 2, a little by the seed; every seventh fails, beyond 3 a gate is missed."""
    if trial.index % 7 == 5:
        return Outcome(trial.index, "failed", error="diverged")
    x = trial.params["x"]
    assert isinstance(x, float)
    missed = {"profit": x - 3} if x > 3 else {}
    return Outcome(trial.index, "done", -abs(x - 2) - 0.01 * (trial.seed % 3), missed=missed)


def tune(**changes: object) -> TuneSpec:
    """Make the keys of a search."""
    keys: dict[str, object] = {
        "kind": "bayes", "trials": 20, "max_seconds": None, "max_concurrent_trials": 4,
        "objective": "validation", "nested": False, "finalists": 3, "repeats": 2, "reduction_factor": None,
        "rungs": None, "population": None, "interval": None, "quantile": None, "perturbation": None,
        "models": {}, "space": None,
    }  # fmt: skip
    return TuneSpec.model_validate({**keys, **changes})


def among(family: str = "lightgbm", **params: float) -> Candidates:
    """Search among one model, along an axis without a space of its own."""
    model = ModelSpec(family=family, params=params, space={})  # type: ignore[arg-type]
    return Candidates((Candidate("m", model, {"x": read_space("interval(-9.0,9.0)")}),))


def search(path: Path, *, n: int = 20, **changes: object) -> Search:
    """Begin a search, or go on with the one that is journalled."""
    return begin(Follower(n), path, **changes)


def begin(
    strategy: Strategy,
    path: Path,
    *,
    candidates: Candidates | None = None,
    only: frozenset[int] | None = None,
    **changes: object,
) -> Search:
    """Begin a search by any strategy."""
    return Search(
        strategy,
        Journal(path),
        candidates=candidates or among(),
        tune=tune(**changes),
        seed=5,
        maximize=True,
        only=only,
    )


def finish(one: Search, *, shuffle: random.Random | None = None, workers: int = 1) -> Search:
    """Run to the end with some workers, whose trials end in an order of the dice."""
    running: list[Trial] = []
    while True:
        while len(running) < workers and not isinstance(got := one.next(), str):
            running.append(got)
        if not running:
            assert one.next() == "done"
            return one
        one.tell(evaluate(running.pop(shuffle.randrange(len(running)) if shuffle else 0)))


def test_the_order_of_outcomes_changes_nothing(tmp_path: Path) -> None:
    """One worker or several, fast or slow: the same trials and the same winner."""
    alone = finish(search(tmp_path / "alone"))
    for seed in range(8):
        dice = random.Random(seed)  # noqa: S311 (no secret)
        many = finish(search(tmp_path / f"many{seed}"), shuffle=dice, workers=dice.randint(2, 9))
        assert many.journal.trials == alone.journal.trials
        assert many.winner() == alone.winner()


def test_a_proposal_knows_all_but_the_last_few(tmp_path: Path) -> None:
    """Trial i knows i - 3 outcomes where four may be under way, whatever else has ended."""
    strategy = Follower(10)
    one = begin(strategy, tmp_path / "j")
    finish(one)
    assert strategy.heard == {i: (max(i - 3, 0), min(i, 3)) for i in range(10)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Search, bytes]:
    """Give a search that nobody disturbed, and its journal."""
    path = tmp_path_factory.mktemp("whole") / "whole"
    return finish(search(path)), path.read_bytes()


@settings(max_examples=40, deadline=None)
@given(kill=st.integers(0, 6000))
def test_a_kill_at_any_byte_changes_nothing(
    whole: tuple[Search, bytes], kill: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A journal cut anywhere is gone on with to the same end, and no trial with an outcome is handed out."""
    folder = tmp_path_factory.mktemp("kill")
    undisturbed, written = whole
    (folder / "cut").write_bytes(written[: kill % len(written)])
    one = search(folder / "cut")
    replayed = dict(one.journal.outcomes)
    assert one.journal.n_replayed == len(replayed)
    ran: list[int] = []
    while not isinstance(got := one.next(), str):
        ran.append(got.index)
        one.tell(evaluate(got))
    assert not set(ran) & set(replayed)
    assert one.journal.trials == undisturbed.journal.trials
    assert one.winner() == undisturbed.winner()
    assert Journal(folder / "cut").outcomes == undisturbed.journal.outcomes


def test_finalists_are_fitted_with_other_seeds_and_the_mean_wins(tmp_path: Path) -> None:
    """Three finalists, two seeds each; what misses a gate is no finalist where others miss none."""
    one = finish(search(tmp_path / "j"))
    repeats = [trial for trial in one.journal.trials.values() if trial.repeats is not None]
    assert [trial.seed for trial in repeats] == [6] * 3 + [7] * 3
    finalists = [trial.index for trial, _ in one.ranked(one.searched())[:3]]
    assert [trial.repeats for trial in repeats] == finalists * 2
    winner = one.winner()
    assert winner is not None
    assert winner.n_seeds == 3 - sum(
        one.journal.outcomes[t.index].score is None for t in repeats if t.repeats == winner.trial.index
    )
    assert winner.outcome.is_feasible


def test_a_trial_that_was_tried_before_is_not_fitted_again(tmp_path: Path) -> None:
    """Equal params and seed have one outcome; a trial under way is not waited for."""

    @dataclass
    class Same(Windowed):
        n_trials: int = 6

        def propose(self, index: int, **_: object) -> tuple[str, Mapping[str, Plain]]:
            return "m", {"x": float(index % 2)}

        def cuts(self, model: str, **_: object) -> tuple[float | None, ...]:
            del model
            return ()

    one = begin(Same(), tmp_path / "j", max_concurrent_trials=1, repeats=0)
    ran = []
    while not isinstance(got := one.next(), str):
        ran.append(got.index)
        one.tell(evaluate(got))
    assert ran == [0, 1]
    assert len(one.journal.outcomes) == 6


def test_where_no_trial_meets_the_gates_the_nearest_wins(tmp_path: Path) -> None:
    """It is said to be infeasible, and it is the one that misses least."""
    one = search(tmp_path / "j", n=4, finalists=1, repeats=0)
    for missed in (0.5, 0.2, 0.9, 0.2):
        got = one.next()
        assert isinstance(got, Trial)
        one.tell(Outcome(got.index, "done", float(got.index), missed={"roc_auc": missed}))
    winner = one.winner()
    assert winner is not None
    assert (winner.trial.index, winner.outcome.is_feasible) == (3, False)


def test_a_search_without_a_score_has_no_winner(tmp_path: Path) -> None:
    """All trials failed: there is no best and no winner."""
    one = search(tmp_path / "j", n=3)
    while not isinstance(got := one.next(), str):
        one.tell(Outcome(got.index, "failed", error="diverged"))
    assert one.best() is None
    assert one.winner() is None


def test_a_stopped_search_begins_nothing_more(tmp_path: Path) -> None:
    """What is done stays, and the best of it wins."""
    one = search(tmp_path / "j")
    for _ in range(3):
        got = one.next()
        assert isinstance(got, Trial)
        one.tell(evaluate(got))
    one.stop()
    assert one.next() == "done"
    winner = one.winner()
    assert winner is not None
    assert winner.n_seeds == 1


@dataclass
class Fixed(Windowed):
    """A strategy that tries a list."""

    points: tuple[float | None, ...]

    @property
    def n_trials(self) -> int:
        """Return the length of the list."""
        return len(self.points)

    def propose(self, index: int, **_: object) -> tuple[str, Mapping[str, Plain]]:
        """Return a point; none: the params as they stand."""
        x = self.points[index]
        return "m", {} if x is None else {"x": x}

    def cuts(self, model: str, **_: object) -> tuple[float | None, ...]:
        """Stop nothing."""
        del model
        return ()


def scored(one: Search, *, stand: float = 0.0) -> list[int]:
    """Run to the end, each trial worth its x and a little of its seed; return what was fitted."""
    ran = []
    while not isinstance(got := one.next(), str):
        ran.append(got.index)
        x = got.params.get("x", stand)
        assert isinstance(x, float)
        one.tell(Outcome(got.index, "done", x - (got.seed - 5) * (x == 3.0)))
    return ran


def test_the_params_as_they_stand_are_a_finalist_and_can_win(tmp_path: Path) -> None:
    """A trial that was lucky with one seed loses to them in the mean over the same seeds."""
    one = begin(Fixed((None, 3.0, 1.0, 0.5)), tmp_path / "j", finalists=2)
    assert scored(one, stand=2.5) == list(range(4 + 2 * 2))
    assert {one.trial.index: (one.mean, one.n_seeds) for one in one.finalists()} == {
        0: (2.5, 3),
        1: (2.0, 3),
    }
    winner = one.winner()
    assert winner is not None
    assert winner.trial.index == 0
    last = begin(Fixed((None, 3.0, 1.0, 0.5)), tmp_path / "last", finalists=2)
    assert scored(last, stand=-1.0) == list(range(4 + 3 * 2))
    assert [one.trial.index for one in last.finalists()] == [1, 2, 0]


def test_equal_params_are_one_finalist_and_fitted_once(tmp_path: Path) -> None:
    """What is drawn again has its score already, also while the first is under way, and takes no other's place."""
    one = begin(Fixed((None, 2.0, 2.0, 1.0, 2.0, 0.0)), tmp_path / "j", candidates=among(x=0.0))
    assert scored(one) == [0, 1, 3, *range(6, 6 + 3 * 2)]
    assert [one.trial.index for one in one.finalists()] == [1, 3, 0]
    assert [one.journal.outcomes[index].score for index in range(6)] == [0.0, 2.0, 2.0, 1.0, 2.0, 0.0]
    side = begin(Fixed((2.0, 2.0, 1.0)), tmp_path / "side", finalists=1)
    under_way = [side.next(), side.next()]
    assert [trial.index for trial in under_way if isinstance(trial, Trial)] == [0, 2]
    assert side.next() == "wait"
    side.tell(Outcome(0, "done", 2.0))
    side.tell(Outcome(2, "done", 1.0))
    assert side.next() == "done"
    assert side.journal.outcomes[1] == Outcome(1, "done", 2.0)


def test_what_makes_no_random_choice_is_fitted_once(tmp_path: Path) -> None:
    """A ridge comes out the same with any seed; one trial alone has nothing to be held against."""
    one = begin(Fixed((None, 2.0, 1.0)), tmp_path / "j", candidates=among("ridge"))
    assert one.n_total == 3
    assert scored(one) == [0, 1, 2]
    winner = one.winner()
    assert winner is not None
    assert (winner.trial.index, winner.n_seeds) == (1, 1)
    assert scored(begin(Fixed((None,)), tmp_path / "single")) == [0]


def test_a_search_stopped_amid_the_repeats_compares_over_equal_seeds(tmp_path: Path) -> None:
    """Who has been fitted with one more seed is neither better nor worse for it."""
    one = begin(Fixed((None, 3.0, 2.0)), tmp_path / "j", finalists=2)
    for _ in range(3 + 1):
        got = one.next()
        assert isinstance(got, Trial)
        one.tell(Outcome(got.index, "done", float(str(got.params.get("x", 0.0))) - (got.index == 3) * 9))
    one.stop()
    assert {one.trial.index: (one.mean, one.n_seeds) for one in one.finalists()} == {
        1: (3.0, 1),
        2: (2.0, 1),
        0: (0.0, 1),
    }


def test_a_stop_between_disk_and_memory_loses_nothing(tmp_path: Path) -> None:
    """What was written down when the stop came counts, as it will for whoever reads the journal."""
    one = begin(Fixed((None, 2.0, 1.0)), tmp_path / "j", finalists=1)
    for _ in range(2):
        got = one.next()
        assert isinstance(got, Trial)
    one.tell(Outcome(0, "done", 0.0))
    append_journal(tmp_path / "j", {"outcome": Outcome(1, "done", 2.0).to_json()})
    one.stop()
    one.settle()
    assert (one.n_done, one.best()) == (2, Outcome(1, "done", 2.0))
    assert one.winner() == Finalist(one.journal.trials[1], Outcome(1, "done", 2.0), 2.0, 1)


@pytest.mark.parametrize("n_ended", [1, 4, 9, 20, 23])
def test_as_far_as_a_search_came_it_can_be_done_again(n_ended: int, tmp_path: Path) -> None:
    """Just the trials that ended are run, whichever they were, with the params they had; the same wins."""
    first, running = search(tmp_path / "first"), []
    dice = random.Random(n_ended)  # noqa: S311 (no secret)
    while len(first.journal.outcomes) < n_ended:
        while len(running) < 4 and not isinstance(got := first.next(), str):
            running.append(got)
        first.tell(evaluate(running.pop(dice.randrange(len(running)))))
    first.stop()
    ended = frozenset(first.journal.outcomes)
    again = finish(begin(Follower(20), tmp_path / "again", only=ended), workers=2)
    assert again.journal.outcomes == first.journal.outcomes
    assert all(again.journal.trials[index] == first.journal.trials[index] for index in ended)
    assert again.winner() == first.winner()


@pytest.mark.parametrize(
    ("content", "line", "why"),
    [
        (b"no json\n", 1, "it is no JSON"),
        (b'{"else": 1}\n', 1, "it holds neither trial nor outcome"),
        (b'{"trial": {"index": 0}}\n', 1, "it holds neither trial nor outcome"),
        (b"[]\n", 1, "it holds neither trial nor outcome"),
        (b"GOOD\n\n{", 2, "it is no JSON"),
    ],
)
def test_a_damaged_journal_is_refused(content: bytes, line: int, why: str, tmp_path: Path) -> None:
    """A whole line that can't be replayed is an error that names file and line, and not an empty search."""
    good = json.dumps({"trial": Trial(0, "m", {"x": 1.0}, 5).to_json()}).encode()
    path = tmp_path / "j"
    path.write_bytes(content.replace(b"GOOD", good))
    with pytest.raises(EngineError) as error:
        Journal(path)
    assert str(error.value) == (
        f"{path}:{line}\n  line {line} of the search's journal is damaged: {why}\n"
        "  try: cut the journal off before that line, and resume: what stood there and after it is done again"
    )
