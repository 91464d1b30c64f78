"""Trials on a real Ray: what one process finds, found by many; and nothing left behind, whatever happens."""

import contextlib
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest

from engine.data.schema import declare
from engine.data.source import read
from engine.errors import RecipeError
from engine.lifecycle import run
from engine.machine import fixed_threads
from engine.names import TASKS
from engine.plan import load_checked
from engine.recipe.spec import Spec
from engine.tasks.task import Task
from engine.training.parts import divide
from engine.tuning import ray_tune
from engine.tuning.candidates import candidates
from engine.tuning.journal import Journal
from engine.tuning.local import run_here
from engine.tuning.objective import Objective
from engine.tuning.ray_session import Workers, quiet_ray, session
from engine.tuning.ray_worker import pack
from engine.tuning.search import Finalist, Search
from engine.tuning.states import States
from engine.tuning.strategy import strategy
from engine.tuning.trial import Outcome, Trial
from engine.tuning.tune import lessons
from tests.tuning.processes import children, is_gone

# Ray's own warnings are Ray's.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SEARCH = ("model=lightgbm", "tune=bayes", "tune.trials=24")
Heard = Callable[[Outcome], None]
Found = tuple[dict[int, Trial], dict[int, Outcome], Finalist | None]


@dataclass
class Quick(Objective):
    """Scores by the params alone, at once, and says which process has done so."""

    def evaluate(self, trial: Trial) -> Outcome:
        """Score slowly enough to be disturbed."""
        time.sleep(0.03)
        score = random.Random(f"{trial.params} {trial.past} {trial.seed}").random()  # noqa: S311 (no secret)
        return Outcome(trial.index, "done", score, measured={"pid": os.getpid()})


@dataclass
class Deadly(Quick):
    """Kills the process that evaluates trial 3."""

    def evaluate(self, trial: Trial) -> Outcome:
        """Evaluate, or die."""
        if trial.index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().evaluate(trial)


@dataclass
class Broken(Quick):
    """Has a fault of its own at one trial."""

    broken_at: int = 3

    def evaluate(self, trial: Trial) -> Outcome:
        """Evaluate, or break."""
        if trial.index == self.broken_at:
            raise ZeroDivisionError("ours")
        return super().evaluate(trial)


@pytest.fixture(scope="module")
def spec(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Spec:
    """Give the checked recipe of a search."""
    return load_checked(small, SEARCH, runs=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def started() -> Iterator[tuple[ModuleType, Workers]]:
    """Start Ray once for all tests that share it; nothing of it is left at the end."""
    known = children(os.getpid())
    with (
        quiet_ray(address=None, threads=1) as ray,
        session(ray, address=None, slots=2, threads=1, uses_gpu=False, n_bytes=1 << 20) as workers,
    ):
        # Our own classes have no module that a worker could import.
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield ray, workers
        below = [pid for pid, words in children(os.getpid()).items() if "ray" in words and pid not in known]
    assert below
    assert workers.folder is not None
    assert is_gone(below, Path(workers.folder))


def objective(spec: Spec, kind: type[Objective] = Objective) -> Objective:
    """Make what measures a recipe's trials."""
    parts = divide(read(spec.data, declare(spec)), task=cast("Task", TASKS.load(spec.task.kind)), spec=spec)
    return kind(spec, declare(spec), parts.target, lessons(parts, spec), candidates(spec), threads=1)


def search(spec: Spec, journal: Path) -> Search:
    """Begin a recipe's search."""
    among = candidates(spec)
    return Search(
        strategy(spec, among, maximize=True),
        Journal(journal),
        candidates=among,
        tune=spec.tune,
        seed=spec.seed,
        maximize=True,
    )


def here(spec: Spec, journal: Path, measuring: Objective) -> Found:
    """Search in this process."""
    one = search(spec, journal)
    with fixed_threads(1):
        run_here(one, measuring, heard=lambda *_: None, max_seconds=None)
    return found(one)


def there(
    one: Search,
    measuring: Objective,
    started: tuple[ModuleType, Workers],
    heard: Heard = lambda _: None,
) -> Found:
    """Search on the shared Ray."""

    def take(outcome: Outcome) -> None:
        one.tell(outcome)
        heard(outcome)

    ray, workers = started
    ray_tune._run(one.next, take, packed=pack(ray, measuring), workers=workers, needs={"cpu": 1, "gpu": 0})
    return found(one)


def found(one: Search) -> Found:
    """Return all that a search found, but for the seconds."""
    outcomes = {index: timeless(outcome) for index, outcome in sorted(one.journal.outcomes.items())}
    winner = one.winner()
    return one.journal.trials, outcomes, winner and replace(winner, outcome=timeless(winner.outcome))


def timeless(outcome: Outcome) -> Outcome:
    """Leave the seconds out, which no two runs share."""
    return replace(outcome, seconds=0.0)


def listeners(pids: Mapping[int, str]) -> set[tuple[str, str]]:
    """Return the addresses at which processes listen, with their command lines."""
    heard_at: dict[str, str] = {}
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            packed = bytes.fromhex(fields[1].split(":")[0])
            words = b"".join(packed[at : at + 4][::-1] for at in range(0, len(packed), 4))
            if fields[3] == "0A":
                heard_at[f"socket:[{fields[9]}]"] = socket.inet_ntop(family, words)
    held = set()
    for pid, command in pids.items():
        with contextlib.suppress(OSError):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    held.add((heard_at.get(os.readlink(link), ""), command[:40]))
    return {one for one in held if one[0]}


def test_ray_finds_what_one_process_finds(
    spec: Spec, started: tuple[ModuleType, Workers], tmp_path: Path
) -> None:
    """The same trials, outcomes and winner to the bit; and nobody listens beyond loopback meanwhile."""
    reached: set[tuple[str, str]] = set()
    measuring = objective(spec)
    # Who listens may hold what can't be sent, as a terminal's table does.
    watching = threading.RLock()

    def heard(outcome: Outcome) -> None:
        with watching:
            look(outcome)

    def look(outcome: Outcome) -> None:
        if outcome.index % 8 == 2:
            reached.update(listeners({os.getpid(): "driver", **children(os.getpid())}))

    many = there(search(spec, tmp_path / "many"), measuring, started, heard)
    assert many == here(spec, tmp_path / "alone", measuring)
    assert many[2] is not None
    assert len(reached) > 3
    assert {address for address, _ in reached} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, reached


def test_a_population_is_the_same_wherever_it_is_trained(
    small: Path, started: tuple[ModuleType, Workers], tmp_path: Path
) -> None:
    """Members go on from what other processes have kept, or train again what is not kept where they are."""
    asked = ("model=mlp", "tune=pbt", "tune.trials=8", "tune.population=4", "tune.interval=1")
    spec = load_checked(small, [*asked, "tune.repeats=1"], runs=tmp_path)
    measuring = objective(spec)
    alone = here(spec, tmp_path / "alone", measuring)
    kept = replace(measuring, states=States(tmp_path / "states"))
    assert there(search(spec, tmp_path / "many"), kept, started) == alone
    assert list((tmp_path / "states").glob("*.npz"))
    assert any(trial.start is not None for trial in alone[0].values())


class GoneError(Exception):
    """What ends a driver where these tests want it to."""


def test_what_fails_or_goes_at_any_moment_changes_nothing(
    spec: Spec, started: tuple[ModuleType, Workers], tmp_path: Path
) -> None:
    """A fault, a worker and the driver, a worker alone: no trial runs again that had ended, the same one wins.

    What a worker raises is raised where the search is, with the worker's traceback as its cause. One process a
    slot does all trials; where one is killed another does its trial, the very same.
    """
    measuring = objective(spec, Quick)
    alone = here(spec, tmp_path / "alone", measuring)
    dice = random.Random(os.getpid())  # noqa: S311 (no secret)
    broken = replace(cast("Broken", objective(spec, Broken)), broken_at=dice.randrange(1, 6))
    one = search(spec, tmp_path / "many")
    with pytest.raises(ZeroDivisionError, match="ours") as raised:
        there(one, broken, started)
    assert "in a worker" in str(raised.value.__cause__)
    assert broken.broken_at not in one.journal.outcomes
    pids: set[int] = set()
    for goes in ("worker and driver", "worker"):
        left = dice.randrange(1, 6)
        pids.clear()

        def heard(outcome: Outcome, *, goes: str = goes) -> None:
            nonlocal left
            left -= 1
            pids.add(cast("int", outcome.measured["pid"]))
            if left == 0:
                assert len(pids) <= 2
                with contextlib.suppress(ProcessLookupError):
                    os.kill(cast("int", outcome.measured["pid"]), signal.SIGKILL)
            if left <= 0 and "driver" in goes:
                raise GoneError

        one = search(spec, tmp_path / "many")
        ended = dict(one.journal.outcomes)
        with contextlib.suppress(GoneError):
            there(one, measuring, started, heard)
        assert {index: one.journal.outcomes[index] for index in ended} == ended
    assert len(pids) == 3
    kept = Journal(tmp_path / "many")
    assert kept.trials == alone[0]
    assert {index: one.score for index, one in kept.outcomes.items()} == {
        index: one.score for index, one in alone[1].items()
    }
    (winner, expected) = (search(spec, tmp_path / "many").winner(), alone[2])
    assert winner is not None
    assert expected is not None
    assert (winner.trial, winner.mean) == (expected.trial, expected.mean)


def test_a_trial_that_kills_its_workers_is_a_failed_one(
    spec: Spec, started: tuple[ModuleType, Workers], tmp_path: Path
) -> None:
    """It is tried four times; the others go on, and one of them wins."""
    small = spec.model_copy(update={"tune": spec.tune.model_copy(update={"trials": 6, "repeats": 0})})
    _, outcomes, winner = there(search(small, tmp_path / "j"), objective(small, Deadly), started)
    assert {index: one.error for index, one in outcomes.items() if one.state == "failed"} == {
        3: "its worker process died 4 times"
    }
    assert sorted(outcomes) == list(range(6))
    assert winner is not None


@pytest.mark.filterwarnings("error")
def test_an_address_without_a_cluster_is_refused(small: Path, tmp_path: Path) -> None:
    """Nothing there, or something else: said at the key, at once, and no run is left."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    spec = load_checked(
        small, ["tune=random", "compute=ray", f"compute.address=127.0.0.1:{port}"], runs=tmp_path
    )
    with pytest.raises(RecipeError) as error:
        run(spec)
    assert str(error.value) == (
        "command line: compute.address\n"
        f"  no Ray cluster answers at 127.0.0.1:{port}: connection refused\n"
        "  try: ray start --head, on the machine of that address"
    )
    assert list(tmp_path.glob("small/2*")) == []
