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


def n_rounds(spec: Spec) -> int:
    """Return the epochs of a generation of pbt; all together are held to `compute.max_iterations`."""
    tune, most = spec.tune, spec.compute.max_iterations
    assert tune.interval is not None
    if most is None:
        return tune.interval
    return min(tune.interval, max(most // n_generations(spec), 1))


def n_generations(spec: Spec) -> int:
    """Return how many generations pbt has, the last one maybe not whole."""
    assert spec.tune.population is not None
    return -(-(spec.tune.trials or 0) // spec.tune.population)


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


def n_whole(spec: Spec, *, n_folds: int) -> float:
    """Return the fits of a search in whole ones: a trial of pbt is one stage of a fit."""
    n, trials = n_searched(spec, n_folds=n_folds), n_trials(spec)
    return n if spec.tune.kind != "pbt" else n - trials + trials / n_generations(spec)


def in_stages(spec: Spec) -> Spec:
    """Return the recipe with the length that its fits have in a search by pbt: no fit ends before."""
    if spec.tune.kind != "pbt":
        return spec
    n_epochs = n_rounds(spec) * n_generations(spec)
    params = {**spec.model.params, "max_epochs": n_epochs, "patience": n_epochs}
    return spec.with_model(spec.model.model_copy(update={"params": params}))


def describe(spec: Spec) -> str:
    """Say in a line what a search tries."""
    models = searched_models(spec)
    names = list(dict.fromkeys(name for model in models.values() for name in space_of(spec, model)))
    rest = len(names) - _MAX_NAMED
    over = ", ".join(names[:_MAX_NAMED]) + (f" and {rest} more" if rest > 0 else "")
    among = f" of {', '.join(models)}" if len(models) > 1 else ""
    stages = ""
    if spec.tune.kind == "pbt":
        stages = f", {n_generations(spec)} generations of {n_rounds(spec)} epochs"
    return f"{spec.tune.kind}: {n_trials(spec)} trials{stages}{among}, over {over}"
