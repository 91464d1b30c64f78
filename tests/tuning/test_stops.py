"""A stop by the user during a search."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from engine.recipe.space import Choices
from engine.recipe.spec_model import ModelSpec, TuneSpec
from engine.recipe.text import Plain
from engine.tuning.candidates import Candidate, Candidates
from engine.tuning.journal import Journal
from engine.tuning.search import Search
from engine.tuning.stops import heard_by
from engine.tuning.strategy import Windowed
from engine.tuning.trial import Outcome, Trial


class Steps(Windowed):
    """A strategy of ever new params."""

    n_trials = 5

    def propose(
        self, index: int, *, told: Sequence[tuple[Trial, Outcome]], pending: Sequence[Trial]
    ) -> tuple[str, Mapping[str, Plain]]:
        """Return the index."""
        del told, pending
        return "m", {"x": index}

    def cuts(self, model: str, *, told: Sequence[tuple[Trial, Outcome]]) -> tuple[float | None, ...]:
        """Stop nothing."""
        del model, told
        return ()


class Finaliser:
    """A model whose end takes long enough for a signal to land in it."""

    def __del__(self) -> None:
        """Be interrupted: Python drops what is raised here."""
        os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Answer Ctrl-C as a program in the foreground does, however these tests were started."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def search(tmp_path: Path) -> Search:
    """Give a search of five trials."""
    tune = TuneSpec.model_validate(
        {
            "kind": "random", "trials": 5, "max_seconds": None, "max_concurrent_trials": 1,
            "objective": "validation", "nested": False, "finalists": 1, "repeats": 0, "reduction_factor": None, "rungs": None,
            "population": None, "interval": None, "quantile": None, "perturbation": None,
            "models": {}, "space": None,
        }
    )  # fmt: skip
    model = ModelSpec(family="ridge", params={}, space={})
    among = Candidates((Candidate("m", model, {"x": Choices((0, 1))}),))
    journal = Journal(tmp_path / "j")
    return Search(Steps(), journal, candidates=among, tune=tune, seed=0, maximize=True)


def one(search: Search) -> None:
    """Run a trial."""
    got = search.next()
    assert isinstance(got, Trial)
    search.tell(Outcome(got.index, "done", 0.5))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_stop_that_python_drops_is_heard(search: Search) -> None:
    """Where the exception is lost in a finaliser, nothing more is handed out; the handlers of before are back."""
    before = signal.getsignal(signal.SIGINT)
    with heard_by(search):
        one(search)
        model = Finaliser()
        del model
        assert search.next() == "done"
    assert search.is_interrupted
    assert signal.getsignal(signal.SIGINT) == before


def test_a_stop_before_any_score_stops_the_run(search: Search) -> None:
    """There is nothing to finish with: the interrupt goes on."""
    with pytest.raises(KeyboardInterrupt), heard_by(search):
        os.kill(os.getpid(), signal.SIGINT)


def test_what_is_ignored_stays_ignored(search: Search) -> None:
    """A program that was started without Ctrl-C gets none by a search."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with heard_by(search):
            os.kill(os.getpid(), signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert not search.is_interrupted
    finally:
        signal.signal(signal.SIGINT, before)
