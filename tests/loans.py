"""A recipe about loans that tests change key by key."""

from __future__ import annotations

import json
from collections.abc import Mapping

from engine.recipe.spec import Spec

_RECIPE: dict[str, object] = {
    "recipe_version": 1,
    "name": "loans",
    "goal": {"statement": "", "metric": "roc_auc", "gates": None, "value": None, "interpretable": False},
    "governance": None,
    "task": {"kind": "classification", "metric": "roc_auc", "threshold": "auto"},
    "data": {
        "path": "loans.csv",
        "format": "auto",
        "delimiter": ",",
        "decimal": ".",
        "encoding": "utf-8",
        "null_values": [],
    },
    "schema": {
        "target": "repaid",
        "positive": "yes",
        "missing_target": "error",
        "key": None,
        "extra": "error",
        "columns": {
            "age": {"type": "integer"},
            "sex": {"type": "category", "sensitive": True},
            "note": {"type": "text"},
            "amount": {"type": "number"},
            "repaid": {"type": "category", "values": ["no", "yes"]},
        },
    },
    "split": {
        "kind": "random",
        "test": 0.2,
        "validation": 0.1,
        "folds": None,
        "repeats": 1,
        "gap": 0,
        "embargo": 0,
        "ignore_structure": False,
    },
    "model": {"family": "logistic", "params": {}, "space": {}},
    "tune": {
        "kind": "none",
        "trials": None,
        "max_seconds": None,
        "max_concurrent_trials": 1,
        "objective": "validation",
        "nested": False,
        "finalists": 1,
        "repeats": 0,
        "reduction_factor": None,
        "rungs": None,
        "population": None,
        "interval": None,
        "quantile": None,
        "perturbation": None,
        "models": [],
        "space": None,
    },
    "evaluation": {
        "depth": "quick",
        "baselines": False,
        "bootstrap": 0,
        "confidence": 0.95,
        "pictures": False,
        "latency_rows": 10,
        "train_rows": 1000,
        "importance_rows": 0,
        "explain_rows": 0,
        "learning_curve": [],
        "robustness_rows": 0,
        "slices": [],
    },
    "deploy": {
        "kind": "bento",
        "golden_rows": 5,
        "max_records": 10,
        "max_body_mib": 1.0,
        "timeout_s": 1.0,
        "max_concurrent": 4,
        "abstain_below": None,
        "pipeline": "front",
        "batching": "auto",
        "cache": None,
        "kubernetes": None,
        "log": None,
    },
    "compute": {
        "device": "cpu",
        "threads": 1,
        "max_iterations": None,
        "memory_mib": None,
        "parallel_runs": 1,
        "executor": "auto",
        "address": None,
    },
    "tracking": {"kind": "none"},
    "seed": 0,
    "runs": "runs",
}


def make_spec(changes: Mapping[str, object]) -> Spec:
    """Return the recipe with some values changed, dotted key to value."""
    recipe = json.loads(json.dumps(_RECIPE))
    for key, value in changes.items():
        *above, last = key.split(".")
        node = recipe
        for part in above:
            node = node[part]
        node[last] = value
    return Spec.model_validate_json(json.dumps(recipe))
