"""Where trials run: in this process, or on Ray; the same trials with the same outcomes either way."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field

from engine.machine import fixed_threads, usable_cores
from engine.recipe.spec import ComputeSpec, Spec
from engine.tuning.local import run_here
from engine.tuning.objective import Objective
from engine.tuning.ray_session import NoRayError
from engine.tuning.search import Heard, Search
from engine.tuning.stops import heard_by
from engine.tuning.trial import Outcome

# What the start of Ray takes until its workers are at their first trials. (benchmarks/tuning.py)
START_S = 8.0
# Later trials are better guesses than the first, which prepares the rows for all.
_N_LATEST = 10


def run_trials(search: Search, objective: Objective, *, heard: Heard) -> tuple[str, ...]:
    """Run a search where its recipe says, and return what a person should know of that, a sentence each.

    Raises
    ------
    RecipeError
        If the cluster of `compute.address` can't be reached.
    NoRayError
        If Ray is asked for and does not start.
    """
    spec = objective.spec
    # What is done again ends where it once did, however long that takes here.
    max_seconds = spec.tune.max_seconds if search.only is None else None
    compute, start = spec.compute, time.monotonic()
    slots = n_slots(spec, threads=objective.threads)
    is_asked = compute.executor == "ray" or (compute.executor == "auto" and compute.address is not None)
    with fixed_threads(objective.threads), heard_by(search):
        if not is_asked:
            may_leave = compute.executor == "auto" and slots > 1 and not _is_timed(spec)
            pace = Pace(search, slots, max_seconds=max_seconds)
            leaves = pace.is_slow if may_leave else None
            if not run_here(search, objective, heard=heard, max_seconds=max_seconds, leaves=leaves):
                return ()
        n_here = len(search.journal.outcomes)
        if max_seconds is not None:
            max_seconds = max(max_seconds - (time.monotonic() - start), 0.0)
        from engine.tuning.ray_tune import run_on_ray

        address = compute.address if is_asked else None
        try:
            with spec.places.placing():
                run_on_ray(
                    search, objective, heard=heard, max_seconds=max_seconds, slots=slots, address=address
                )
        except NoRayError as error:
            if is_asked:
                raise
            run_here(search, objective, heard=heard, max_seconds=max_seconds)
            return (f"trials ran one at a time: {error.messages[0].what}",)
    if not is_asked:
        return (f"trials are slow enough for Ray: after the first {n_here} they ran {slots} at a time",)
    if _is_timed(spec) and slots > 1:
        return (f"latencies of trials were taken with up to {slots} at a time, and may be too high",)
    return ()


def n_slots(spec: Spec, *, threads: int) -> int:
    """Return how many trials may run side by side: by cores, runs and what a proposal waits for.

    A cluster has its own number of cores.
    """
    compute, most = spec.compute, spec.tune.max_concurrent_trials
    if compute.address is not None and compute.executor != "local":
        return most
    return max(min(_cores(compute) // threads, most), 1)


def _cores(compute: ComputeSpec) -> int:
    return usable_cores() // (compute.parallel_runs or usable_cores())


def _is_timed(spec: Spec) -> bool:
    """Tell whether a gate bounds what trials side by side would slow down."""
    return any(name.startswith("latency") for name in spec.goal.gates or ())


@dataclass
class Pace:
    """Tells from the trials so far whether the start of Ray would be clearly repaid by those to come."""

    search: Search
    slots: int
    max_seconds: float | None
    _latest: list[float] = field(default_factory=list)
    _start: float = field(default_factory=time.monotonic)

    def is_slow(self, outcome: Outcome) -> bool:
        """Take one more outcome in, and tell whether twice Ray's start would be saved by what is left."""
        self._latest = [*self._latest, outcome.seconds][-_N_LATEST:]
        n_left = self.search.n_total - self.search.n_done
        left = n_left * statistics.median(self._latest)
        if self.max_seconds is not None:
            left = min(left, self.max_seconds - (time.monotonic() - self._start))
        return left * (1 - 1 / self.slots) > 2 * START_S
