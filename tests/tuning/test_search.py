"""A search: in any order of outcomes the same trials, the same winner; nothing done twice after a kill."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.recipe.spec_model import TuneSpec
from engine.recipe.text import Plain
from engine.tuning.journal import Journal
from engine.tuning.search import Search
from engine.tuning.strategy import Windowed
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
        "objective": "validation", "finalists": 3, "repeats": 2, "reduction_factor": None,
        "rungs": None, "population": None, "interval": None, "quantile": None, "perturbation": None,
        "models": {}, "space": None,
    }  # fmt: skip
    return TuneSpec.model_validate({**keys, **changes})


def search(path: Path, *, n: int = 20, **changes: object) -> Search:
    """Begin a search, or go on with the one that is journalled."""
    return Search(Follower(n), Journal(path), tune=tune(**changes), seed=5, maximize=True)


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
    one = Search(strategy, Journal(tmp_path / "j"), tune=tune(), seed=5, maximize=True)
    finish(one)
    assert strategy.heard == {i: (max(i - 3, 0), min(i, 3)) for i in range(10)}


@settings(max_examples=40, deadline=None)
@given(kill=st.integers(0, 6000))
def test_a_kill_at_any_byte_changes_nothing(kill: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A journal cut anywhere is gone on with to the same end, and no trial with an outcome is handed out."""
    folder = tmp_path_factory.mktemp("kill")
    whole = finish(search(folder / "whole"))
    written = (folder / "whole").read_bytes()
    (folder / "cut").write_bytes(written[: kill % len(written)])
    one = search(folder / "cut")
    replayed = dict(one.journal.outcomes)
    assert one.journal.n_replayed == len(replayed)
    ran: list[int] = []
    while not isinstance(got := one.next(), str):
        ran.append(got.index)
        one.tell(evaluate(got))
    assert not set(ran) & set(replayed)
    assert one.journal.trials == whole.journal.trials
    assert one.winner() == whole.winner()
    assert Journal(folder / "cut").outcomes == whole.journal.outcomes


def test_finalists_are_fitted_with_other_seeds_and_the_mean_wins(tmp_path: Path) -> None:
    """Three finalists, two seeds each; what misses a gate is no finalist where others miss none."""
    one = finish(search(tmp_path / "j"))
    repeats = [trial for trial in one.journal.trials.values() if trial.repeats is not None]
    assert [trial.seed for trial in repeats] == [6, 7] * 3
    finalists = [trial.index for trial, _ in one.ranked(one.searched())[:3]]
    assert [trial.repeats for trial in repeats] == [index for index in finalists for _ in range(2)]
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

    one = Search(
        Same(), Journal(tmp_path / "j"), tune=tune(max_concurrent_trials=1, repeats=0), seed=0, maximize=True
    )
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


@pytest.mark.parametrize("content", [b"no json\n", b'{"else": 1}\n', b'{"trial": {"index": 0}}\n', b"[]\n"])
def test_a_file_that_is_no_journal_is_refused(content: bytes, tmp_path: Path) -> None:
    """A whole line that can't be replayed is an error, and not an empty search."""
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(EngineError, match="not the journal of a search"):
        Journal(tmp_path / "j")
