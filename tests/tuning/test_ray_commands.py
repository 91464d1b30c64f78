"""Whole runs whose trials are on Ray: nothing is left behind and nothing is changed, whatever happens."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.lifecycle import run
from engine.plan import load_checked
from engine.runs.folder import TRIALS
from engine.runs.run import Run
from engine.tuning.journal import Journal
from engine.tuning.trial import Outcome, Trial
from engine.tuning.tune import Before
from tests import warm
from tests.tuning.cluster import LOOPBACK, Cluster
from tests.tuning.processes import children, is_gone, session_folder, wait_for

# Ray's own warnings are Ray's.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

# Long enough to be disturbed again and again before it ends.
SEARCH = ("model=lightgbm", "tune=bayes", "tune.trials=40")
Start = Callable[..., warm.Command]


@pytest.fixture(scope="module")
def alone(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give the run of one process that nobody disturbed."""
    return run(
        load_checked(small, [*SEARCH, "compute.executor=local"], runs=tmp_path_factory.mktemp("alone"))
    )


def n_lines(runs: Path) -> int:
    """Return how many entries the journals below a folder have."""
    return sum(len(path.read_text().splitlines()) for path in runs.glob(f"small/*/{TRIALS}"))


def only_run(runs: Path) -> Run:
    """Return the only run of a folder, which has ended."""
    (folder,) = (path for path in (runs / "small").iterdir() if not path.name.startswith("."))
    assert not folder.name.endswith(".partial")
    return Run(folder)


def tried(one: Run) -> tuple[dict[int, Trial], dict[int, Outcome]]:
    """Return what the journal of a run tells, but for the seconds, which no two runs share."""
    kept = Journal(one.path / TRIALS)
    return kept.trials, {index: replace(each, seconds=0.0) for index, each in sorted(kept.outcomes.items())}


def test_kills_and_a_stop_leave_nothing_and_change_nothing(
    small: Path, tmp_path: Path, alone: Run, command: Start
) -> None:
    """Killed while Ray starts, and amid trials with a worker, then stopped by Ctrl-C: all of Ray goes each time.

    The stop keeps the best so far, with a code of its own; gone on with, all is as undisturbed.
    """
    dice = random.Random(os.getpid())  # noqa: S311 (no secret)
    arguments: tuple[object, ...] = (small, *SEARCH, "compute.executor=ray")
    for moment in ("start", "trials", "stop"):
        process = command(*arguments, "--runs", tmp_path, "--quiet")
        wait_for(lambda pid=process.pid: session_folder(pid))  # type: ignore[misc]
        folder = session_folder(process.pid)
        assert folder is not None
        if moment != "start":
            enough = n_lines(tmp_path) + (10 if moment == "stop" else 1)
            wait_for(lambda n=enough: n_lines(tmp_path) >= n)  # type: ignore[misc]
        if moment == "stop":
            below = children(process.pid)
            # A terminal tells the whole group.
            os.killpg(process.pid, signal.SIGINT)
            _, said = process.communicate(timeout=120)
            assert (process.poll(), said) == (130, "")
            assert is_gone(below, folder)
            break
        if moment == "trials":
            workers = [pid for pid, words in children(process.pid).items() if words.startswith("ray::")]
            with contextlib.suppress(ProcessLookupError):
                os.kill(dice.choice(workers), signal.SIGKILL)
        time.sleep(dice.uniform(0, 2.0 if moment == "start" else 0.2))
        below = children(process.pid)
        process.kill()
        process.wait()
        wait_for(lambda pids=below, at=folder: is_gone(pids, at), seconds=10)  # type: ignore[misc]
        arguments = ("--resume", "small@latest", "--root", small.parent)
    stopped = only_run(tmp_path)
    assert stopped.stopped_by is not None
    assert 3 < len(tried(stopped)[1]) < len(tried(alone)[1])
    spec = load_checked(small, [*SEARCH, "compute.executor=local"], runs=tmp_path)
    done = run(spec, before=Before(stopped.id, stopped.path / TRIALS, is_done_again=False))
    assert (tried(done), done.metrics) == (tried(alone), alone.metrics)


def test_a_cluster_gives_the_result_of_one_process(
    small: Path, tmp_path: Path, alone: Run, cluster: Cluster, command: Start
) -> None:
    """Two nodes, one worker of them killed: trials and outcomes are those of one process."""
    where = ("compute.executor=ray", f"compute.address={cluster.address}")
    process = command(small, *SEARCH, *where, "--runs", tmp_path, **LOOPBACK)
    wait_for(lambda: n_lines(tmp_path) > 5 or process.poll() is not None)
    # Not an agent, without which a node ends.
    named = {pid: name for pid, name in children(cluster.pid).items() if name.startswith("ray::")}
    workers = [pid for pid, name in named.items() if ".train" in name or "Worker" in name]
    os.kill(workers[-1], signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.poll() == 0, said
    assert tried(only_run(tmp_path)) == tried(alone)
