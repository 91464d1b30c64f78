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
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from engine.tuning.objective import Objective
from engine.tuning.ray_session import Workers, quiet_ray, session, set_aside
from engine.tuning.ray_worker import pack, read_told, worker_class
from engine.tuning.search import Heard, Search
from engine.tuning.trial import Outcome, Trial

# A trial whose worker dies is tried again so often.
MAX_LOSSES: Final = 3
LOST: Final = f"its worker process died, {MAX_LOSSES + 1} times in a row"

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
        heard(outcome, len(search.journal.outcomes), search.n_total, search.best())
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
        held = _Held()
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(worker_class(), packed=packed), needs),
            tune_config=tune.TuneConfig(
                search_alg=_front(propose, take, workers.slots, held),
                scheduler=_scheduler(workers.slots, stack),
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=lambda trial: trial.trial_id,
                trial_dirname_creator=lambda _: "trial",
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=stack.enter_context(folder),
                stop=_stopper(held),
                verbose=0,
                log_to_file=False,
                failure_config=tune.FailureConfig(max_failures=MAX_LOSSES),
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        )
        tuner.fit()
    if held.fault is not None:
        raise held.fault


@dataclass
class _Held:
    """What was raised inside of Tune, which would wrap it: held until Tune has ended."""

    fault: Exception | None = None

    def calling(self, call: Callable[[], Any]) -> Any:
        """Call, unless something was raised before."""
        try:
            return call() if self.fault is None else None
        except Exception as fault:  # noqa: BLE001 (raised when Tune has ended)
            self.fault = fault
            return None


def _front(propose: Propose, take: Take, slots: int, held: _Held) -> Any:
    """Return the search as Tune knows it."""
    from ray.tune.search import Searcher

    class Front(Searcher):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(metric="told", mode="max")
            self.running: dict[str, Trial] = {}

        def suggest(self, trial_id: str) -> dict[str, str] | str | None:
            if len(self.running) >= slots:
                return None
            found = held.calling(propose)
            if isinstance(found, Trial):
                self.running[trial_id] = found
                return {"trial": json.dumps(found.to_json())}
            # With no answer and nothing under way Tune would sleep; but who waits, waits for an outcome.
            return None if found == "wait" else str(Searcher.FINISHED)

        def on_trial_complete(
            self, trial_id: str, result: dict[str, str] | None = None, error: bool = False
        ) -> None:
            trial = self.running.pop(trial_id)
            if result is not None or error:
                held.calling(lambda: take(_outcome(trial, result)))

        # The journal is all that is kept.
        def save(self, checkpoint_path: str) -> None: ...
        def restore(self, checkpoint_path: str) -> None: ...
        def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None: ...

    return Front()


def _outcome(trial: Trial, result: dict[str, str] | None) -> Outcome:
    if result is None:
        return Outcome(trial.index, "failed", error=LOST)
    return read_told(result["told"])


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


def _stopper(held: _Held) -> Any:
    from ray import tune

    class Stopper(tune.Stopper):  # type: ignore[misc]
        def __call__(self, trial_id: str, result: dict[str, object]) -> bool:
            return False

        def stop_all(self) -> bool:
            return held.fault is not None

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
