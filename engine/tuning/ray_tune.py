"""Trials on Ray: Ray Tune hands them to workers that live as long as the search; every decision is the search's.

Tune is asked for its scheduling alone. What is tried comes journalled from the search, and what came of it
goes back there, so nothing that Tune keeps is ever read again.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pickle
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any, Final

import numpy as np

from engine.errors import EngineError
from engine.machine import fixed_threads
from engine.tuning.objective import Objective
from engine.tuning.ray_session import Workers, quiet_ray, session, set_aside
from engine.tuning.search import Heard, Search
from engine.tuning.trial import Outcome, Trial

# A trial whose worker dies is tried again so often.
MAX_LOSSES: Final = 3
LOST: Final = f"its worker process died, {MAX_LOSSES + 1} times in a row"


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
            packed = _pack(ray, objective)
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


def _pack(ray: ModuleType, objective: Objective) -> np.ndarray:
    """Write an objective down as bytes: each worker unpacks arrays that are its own, as they are here."""
    bare = replace(objective, _prepared={}, _wanted=None)
    return np.frombuffer(ray.cloudpickle.dumps(bare), dtype=np.uint8)


def _run(
    propose: Callable[[], Trial | str],
    take: Callable[[Outcome], None],
    *,
    packed: np.ndarray,
    workers: Workers,
    needs: dict[str, int],
) -> None:
    from ray import tune
    from ray.tune.schedulers import FIFOScheduler
    from ray.tune.search import Searcher

    class Worker(tune.Trainable):  # type: ignore[misc]
        """Lives as long as the search, and holds what it has prepared."""

        def setup(self, config: dict[str, str], packed: np.ndarray) -> None:
            self.packed, self.objective, self.trial = packed, None, config["trial"]
            self.stack = contextlib.ExitStack()

        def reset_config(self, new_config: dict[str, str]) -> bool:
            self.trial = new_config["trial"]
            return True

        def step(self) -> dict[str, object]:
            # Tune would try a trial again that raises: only the death of a worker is Tune's to see.
            try:
                self.objective = self.objective or _unpack(self.packed, self.stack)
                outcome = self.objective.evaluate(Trial.from_json(json.loads(self.trial)))
                told = json.dumps({"outcome": outcome.to_json()})
            except Exception as fault:  # noqa: BLE001 (raised again where the search is)
                told = json.dumps({"fault": _fault_to_text(fault), "trace": traceback.format_exc()})
            return {"done": True, "told": told}

    class Front(Searcher):  # type: ignore[misc]
        """The search as Tune knows it."""

        def __init__(self) -> None:
            super().__init__(metric="told", mode="max")
            self.running: dict[str, Trial] = {}
            self.fault: BaseException | None = None

        def suggest(self, trial_id: str) -> dict[str, str] | str | None:
            # Without an answer and with nothing under way Tune sleeps for a second, but then there is one.
            if len(self.running) >= workers.slots:
                return None
            found = self.holding(propose) if self.fault is None else "done"
            if isinstance(found, Trial):
                self.running[trial_id] = found
                return {"trial": json.dumps(found.to_json())}
            return None if found == "wait" else str(Searcher.FINISHED)

        def on_trial_complete(
            self, trial_id: str, result: dict[str, str] | None = None, error: bool = False
        ) -> None:
            trial = self.running.pop(trial_id)
            if self.fault is None and (result is not None or error):
                self.holding(lambda: take(_outcome(trial, result)))

        def holding(self, call: Callable[[], Any]) -> Any:
            """Call, and keep what it raises for whoever waits for the search: Tune would wrap it."""
            try:
                return call()
            except Exception as fault:  # noqa: BLE001 (raised when Tune has ended)
                self.fault = fault
                return None

        # The journal is all that is kept.
        def save(self, checkpoint_path: str) -> None: ...
        def restore(self, checkpoint_path: str) -> None: ...
        def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None: ...

    class Lightened(FIFOScheduler):  # type: ignore[misc]
        """First come, first served; where the controller first shows itself, it is made lighter."""

        is_new = True

        def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
            if self.is_new:
                self.is_new = False
                _lighten(tune_controller, trial.placement_group_factory, workers.slots, stack)

    class OnFault(tune.Stopper):  # type: ignore[misc]
        def __call__(self, trial_id: str, result: dict[str, object]) -> bool:
            return False

        def stop_all(self) -> bool:
            return front.fault is not None

    front = Front()
    with contextlib.ExitStack() as stack:
        folder = tempfile.TemporaryDirectory(dir=workers.folder, ignore_cleanup_errors=True)
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(workers.slots)
        stack.callback(os.environ.pop, "TUNE_MAX_PENDING_TRIALS_PG", None)
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(Worker, packed=packed), needs),
            tune_config=tune.TuneConfig(
                search_alg=front,
                scheduler=Lightened(),
                num_samples=-1,
                reuse_actors=True,
                trial_name_creator=lambda trial: trial.trial_id,
                trial_dirname_creator=lambda trial: "trial",
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=stack.enter_context(folder),
                stop=OnFault(),
                verbose=0,
                log_to_file=False,
                failure_config=tune.FailureConfig(max_failures=MAX_LOSSES),
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        )
        tuner.fit()
    if front.fault is not None:
        raise front.fault


def _lighten(shown: Any, resources: object, slots: int, stack: contextlib.ExitStack) -> None:
    """Spare Tune's controller work that is nothing to us; another version of it is left as it is, and slower."""
    from ray.tune.experiment import trial as one_trial

    controller = getattr(shown, "_tune_controller", shown)
    # It keeps one idle worker and ends the others; we keep one a slot.
    if hasattr(getattr(controller, "_actor_cache", None), "increase_max"):
        controller._actor_cache.increase_max(resources, by=slots)  # noqa: SLF001
    # It gives a trial that waits for its own worker to start to the first idle one, and ends the new worker:
    # with trials shorter than a start that goes on for ever.
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


def _outcome(trial: Trial, result: dict[str, str] | None) -> Outcome:
    if result is None:
        return Outcome(trial.index, "failed", error=LOST)
    told = json.loads(result["told"])
    if "fault" in told:
        raise _fault_of_text(told["fault"], told["trace"])
    return Outcome.from_json(told["outcome"])


def _unpack(packed: np.ndarray, stack: contextlib.ExitStack) -> Objective:
    """Make a worker's own objective, and have its arithmetic done as one process does it anywhere."""
    objective: Objective = pickle.loads(packed.data)  # noqa: S301 (our own)
    stack.enter_context(fixed_threads(objective.threads))
    return objective


def _fault_to_text(fault: Exception) -> str:
    try:
        packed = pickle.dumps(fault)
        pickle.loads(packed)  # noqa: S301 (our own)
    except Exception:  # noqa: BLE001 (an exception may hold what can't be sent)
        return ""
    return packed.hex()


def _fault_of_text(packed: str, trace: str) -> Exception:
    """Return what a worker raised, with its traceback as the cause."""
    cause = RuntimeError(f"in a worker:\n{trace}")
    if not packed:
        return cause
    fault: Exception = pickle.loads(bytes.fromhex(packed))  # noqa: S301 (our own)
    fault.__cause__ = cause
    return fault
