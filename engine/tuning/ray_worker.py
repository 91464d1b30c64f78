"""What is sent to a worker of Ray and what comes back: an objective once, then trials for outcomes.

An exception that is no trial's own failure comes back as itself: a fault of ours must not look like one.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import traceback
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from engine.machine import fixed_threads
from engine.tuning.objective import Objective
from engine.tuning.trial import Outcome, Trial


def pack(ray: ModuleType, objective: Objective) -> np.ndarray:
    """Write an objective down as bytes: each worker unpacks arrays that are its own, as they are here."""
    bare = replace(objective, _prepared={}, _wanted=None)
    return np.frombuffer(ray.cloudpickle.dumps(bare), dtype=np.uint8)


def worker_class() -> type[Any]:
    """Return what Tune runs in each worker process: it evaluates one trial after another."""
    from ray import tune

    class Worker(tune.Trainable):  # type: ignore[misc]
        """Lives as long as the search, and holds what it has prepared."""

        def setup(self, config: dict[str, str], packed: np.ndarray) -> None:
            self.packed, self.trial = packed, config["trial"]
            self.objective: Objective | None = None
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

    return Worker


def read_told(told: str) -> Outcome:
    """Return the outcome that a worker told.

    Raises
    ------
    Exception
        What the worker raised.
    """
    said = json.loads(told)
    if "fault" in said:
        raise _fault_of_text(said["fault"], said["trace"])
    return Outcome.from_json(said["outcome"])


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
