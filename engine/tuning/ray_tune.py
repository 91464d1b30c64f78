"""Trials on Ray: Ray Tune hands them to workers that live as long as the search, which decides everything.

Tune is asked for its scheduling alone. What is tried comes journalled from the search, and what came of it
goes back there, so nothing that Tune keeps is ever read again.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from engine.tuning.objective import Objective
from engine.tuning.ray_session import Workers, quiet_ray, session, set_aside
from engine.tuning.ray_worker import pack, read_told, worker_class
from engine.tuning.search import Heard, Search
from engine.tuning.trial import Outcome, Trial

# A trial whose worker dies is tried again so often.
MAX_LOSSES: Final = 3
LOST: Final = f"its worker process died {MAX_LOSSES + 1} times"

Propose = Callable[[], Trial | str]
Take = Callable[[Outcome], None]


def run_on_ray(
    search: Search,
    objective: Objective,
    *,
    heard: Heard,
    max_seconds: float | None,
    slots: int,
    address: str | None,
) -> None:
    """Run trials side by side until the search is done, its time is over, or the user stops it.

    Parameters
    ----------
    slots
        The most trials side by side.
    address
        Of a cluster that runs already, `host:port`; None: one of our own, for as long as this takes.

    Raises
    ------
    RecipeError
        As `session`.
    Exception
        What a trial raised that is not its own failure: a fault of ours.
    """
    start, threads = time.monotonic(), objective.threads
    uses_gpu = objective.spec.compute.device == "cuda"

    def take(outcome: Outcome) -> None:
        search.tell(outcome)
        heard(outcome, search.n_done, search.n_total, search.best())
        if max_seconds is not None and time.monotonic() - start > max_seconds:
            search.stop()

    try:
        with quiet_ray(address=address, threads=threads) as ray:
            packed = pack(ray, objective)
            with session(
                ray, address=address, slots=slots, threads=threads, uses_gpu=uses_gpu, n_bytes=packed.nbytes
            ) as workers:
                needs = {"cpu": threads, "gpu": int(uses_gpu)}
                _run(search.next, take, packed=packed, workers=workers, needs=needs)
    except KeyboardInterrupt:
        if search.best() is None:
            raise
        search.stop()
        search.is_interrupted = True


def _run(
    propose: Propose, take: Take, *, packed: np.ndarray, workers: Workers, needs: dict[str, int]
) -> None:
    from ray import tune

    with contextlib.ExitStack() as stack:
        folder = tempfile.TemporaryDirectory(dir=workers.folder, ignore_cleanup_errors=True)
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(workers.slots)
        stack.callback(os.environ.pop, "TUNE_MAX_PENDING_TRIALS_PG", None)
        desk = _Desk(propose, take, workers.slots)
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(worker_class(), packed=packed), needs),
            tune_config=tune.TuneConfig(
                search_alg=_front(desk),
                scheduler=_scheduler(workers.slots, stack),
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=lambda trial: trial.trial_id,
                trial_dirname_creator=lambda _: "trial",
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=stack.enter_context(folder),
                stop=_stopper(desk),
                verbose=0,
                log_to_file=False,
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        )
        tuner.fit()
    if desk.fault is not None:
        raise desk.fault


@dataclass
class _Desk:
    """Hands trials out, takes outcomes in; what that raises is held until the end, for Tune would wrap it."""

    propose: Propose
    take: Take
    slots: int
    fault: Exception | None = None
    running: dict[str, Trial] = field(default_factory=dict)
    # Tune counts a worker twice that dies between two trials, so the count is ours.
    losses: Counter[int] = field(default_factory=Counter)
    again: list[Trial] = field(default_factory=list)

    def __getstate__(self) -> dict[str, object]:
        """Return nothing: Tune writes it down and never reads it, and who listens may hold a terminal."""
        return {}

    def hand_out(self, key: str) -> Trial | str:
        """Return the trial that Tune will know by a key; "wait" only where an outcome is to come."""
        if self.fault is not None or len(self.running) >= self.slots:
            return "wait" if self.fault is None else "done"
        try:
            found = self.again.pop() if self.again else self.propose()
        except Exception as fault:  # noqa: BLE001 (raised when Tune has ended)
            self.fault = fault
            return "done"
        if isinstance(found, Trial):
            self.running[key] = found
        return found

    def take_in(self, key: str, told: str | None) -> None:
        """Take what the worker of a trial told; None: it died."""
        trial = self.running.pop(key)
        self.losses[trial.index] += told is None
        if told is None and self.losses[trial.index] <= MAX_LOSSES:
            self.again.append(trial)
        elif self.fault is None:
            try:
                lost = Outcome(trial.index, "failed", error=LOST)
                self.take(lost if told is None else read_told(told))
            except Exception as fault:  # noqa: BLE001 (raised when Tune has ended)
                self.fault = fault


def _front(desk: _Desk) -> Any:
    """Return the search as Tune knows it."""
    from ray.tune.search import Searcher

    class Front(Searcher):  # type: ignore[misc]
        def suggest(self, trial_id: str) -> dict[str, str] | str | None:
            found = desk.hand_out(trial_id)
            if isinstance(found, Trial):
                return {"trial": json.dumps(found.to_json())}
            return None if found == "wait" else str(Searcher.FINISHED)

        def on_trial_complete(
            self, trial_id: str, result: dict[str, str] | None = None, error: bool = False
        ) -> None:
            if result is not None or error:
                desk.take_in(trial_id, result["told"] if result is not None else None)

        # The journal is all that is kept.
        def save(self, checkpoint_path: str) -> None: ...
        def restore(self, checkpoint_path: str) -> None: ...
        def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None: ...

    return Front(metric="told", mode="max")


def _scheduler(slots: int, stack: contextlib.ExitStack) -> Any:
    """Return the plainest scheduler: it is the first of ours that Tune shows its controller to."""
    from ray.tune.schedulers import FIFOScheduler

    class Lightened(FIFOScheduler):  # type: ignore[misc]
        is_new = True

        def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
            if self.is_new:
                self.is_new = False
                _lighten(tune_controller, trial.placement_group_factory, slots, stack)

    return Lightened()


def _stopper(desk: _Desk) -> Any:
    from ray import tune

    class Stopper(tune.Stopper):  # type: ignore[misc]
        def __call__(self, trial_id: str, result: dict[str, object]) -> bool:
            return False

        def stop_all(self) -> bool:
            return desk.fault is not None

    return Stopper()


def _lighten(shown: Any, resources: object, slots: int, stack: contextlib.ExitStack) -> None:
    """Spare Tune's controller what is nothing to us; another version of it stays as it is, and slower."""
    from ray.tune.experiment import trial as one_trial

    controller = getattr(shown, "_tune_controller", shown)
    # It keeps one idle worker and ends the others; we keep one a slot.
    if hasattr(getattr(controller, "_actor_cache", None), "increase_max"):
        controller._actor_cache.increase_max(resources, by=slots)  # noqa: SLF001
    # A trial whose own worker still starts gets the first idle one, and the new worker is ended: with trials
    # shorter than a start that goes on for ever.
    if all(
        hasattr(controller, name)
        for name in ("_maybe_reuse_cached_actor", "_trial_to_actor", "_resetting_trials")
    ):
        reuse, asked = controller._maybe_reuse_cached_actor, controller._trial_to_actor  # noqa: SLF001
        resetting = controller._resetting_trials  # noqa: SLF001

        def reuse_unasked(trial: object) -> bool:
            return trial in resetting if trial in asked else bool(reuse(trial))

        set_aside(controller, "_maybe_reuse_cached_actor", reuse_unasked, stack)
    # It writes the state of all trials down with each; the journal has it.
    set_aside(controller, "_get_trial_checkpoints", dict, stack)
    # It asks the cluster's store for the same pickled class five times a trial.
    if hasattr(one_trial, "get_trainable_cls"):
        cached = functools.lru_cache(maxsize=8)(one_trial.get_trainable_cls)
        set_aside(one_trial, "get_trainable_cls", cached, stack)
        set_aside(one_trial, "validate_trainable", lambda _: None, stack)
