"""Problems as families are given them, of one thread and seed 0 where a test says nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.models.family import Problem, Rows
from engine.tasks.task import TargetKind

N_CLASSES: Mapping[TargetKind, int] = {"binary": 2, "multiclass": 3, "continuous": 1}


def make_problem(train: Rows, kind: TargetKind, *, params: Mapping[str, object], **changed: Any) -> Problem:
    """Return a problem on some rows, without validation rows and categories unless they are given."""
    usual: dict[str, Any] = {
        "validation": None,
        "n_classes": N_CLASSES[kind],
        "feature_names": tuple(f"x{at}" for at in range(train.x.shape[1])),
        "category_sizes": {},
        "estimator": None,
        "seed": 0,
        "threads": 1,
        "device": "cpu",
        "max_iterations": None,
    }
    return Problem(train=train, kind=kind, params=dict(params), **{**usual, **changed})  # type: ignore[arg-type]
