"""How much a search is, told from the recipe alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

from engine.recipe.space import Choices, read_space
from engine.recipe.spec import Spec
from engine.tuning.candidates import searched_models, space_of

_MAX_NAMED = 4


def n_trials(spec: Spec) -> int:
    """Return how many trials a checked recipe's search has, its repeats left out; 0 without a search."""
    tune = spec.tune
    if tune.kind == "none":
        return 0
    if tune.kind != "grid":
        return tune.trials or 0
    size = sum(n_points(space_of(spec, model)) for model in searched_models(spec).values())
    return min(size, tune.trials or size)


def n_points(space: Mapping[str, str]) -> int:
    """Return how many combinations the listed values of a space have."""
    axes = map(read_space, space.values())
    return math.prod(len(axis.values) for axis in axes if isinstance(axis, Choices))


def n_searched(spec: Spec, *, n_folds: int) -> int:
    """Return how many fits a search is, repeats and folds counted."""
    trials = n_trials(spec)
    finalists = min(spec.tune.finalists, trials)
    repeats = finalists * spec.tune.repeats if finalists > 1 else 0
    return (trials + repeats) * (n_folds if spec.tune.objective == "folds" else 1)


def describe(spec: Spec) -> str:
    """Say in a line what a search tries."""
    models = searched_models(spec)
    names = list(dict.fromkeys(name for model in models.values() for name in space_of(spec, model)))
    rest = len(names) - _MAX_NAMED
    over = ", ".join(names[:_MAX_NAMED]) + (f" and {rest} more" if rest > 0 else "")
    among = f" of {', '.join(models)}" if len(models) > 1 else ""
    return f"{spec.tune.kind}: {n_trials(spec)} trials{among}, over {over}"
