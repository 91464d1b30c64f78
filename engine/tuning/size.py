"""How much a search is, told from the recipe alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from engine.models.family import Steady
from engine.names import FAMILIES
from engine.recipe.space import Choices, read_space
from engine.recipe.spec import Spec
from engine.recipe.spec_model import ModelSpec
from engine.tuning.candidates import searched_models, space_of

_MAX_NAMED = 4


def n_trials(spec: Spec) -> int:
    """Return how many trials a checked recipe's search has, its repeats left out; 0 without a search."""
    tune = spec.tune
    if tune.kind == "none":
        return 0
    if tune.kind != "grid":
        return tune.trials or 0
    size = grid_points(spec)
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


def n_repeats(spec: Spec) -> int:
    """Return how many fits of finalists with other seeds there are at most.

    The params as they stand are one of the finalists, but of a grid, which may not hold them; a model that
    makes no random choice is not fitted again.
    """
    tune = spec.tune
    finalists = min(tune.finalists + (tune.kind != "grid"), n_trials(spec))
    if tune.finalists == 1 or finalists == 1 or all(map(_ignores_seed, searched_models(spec).values())):
        return 0
    return finalists * tune.repeats


def _ignores_seed(model: ModelSpec) -> bool:
    family = FAMILIES.load(model.family)
    return isinstance(family, Steady) and family.ignores_seed(model)


def n_searched(spec: Spec, *, n_folds: int) -> int:
    """Return how many fits a search is at most, with repeats, folds, and two that tell gain from noise."""
    tune, trials = spec.tune, n_trials(spec)
    if tune.kind == "none":
        return 0
    is_alone = tune.objective == "validation"
    compared = 2 if is_alone and trials > 1 and spec.evaluation.bootstrap else 0
    n_tried = trials + (tune.kind == "pbt") + n_repeats(spec)
    inside = n_folds * (1 if is_alone else max((spec.split.folds or 0) - 1, 0)) if tune.nested else 0
    return n_tried * ((1 if is_alone else n_folds) + inside) + compared


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
    models = {name: tuple(space_of(spec, model)) for name, model in searched_models(spec).items()}
    n = n_trials(spec)
    size = f"{n} trial{'' if n == 1 else 's'}"
    if spec.tune.kind == "grid" and (whole := grid_points(spec)) > n:
        size = f"the first {n} of {whole} combinations"
    if spec.tune.kind == "pbt":
        size += f", {n_generations(spec)} generations of {n_rounds(spec)} epochs"
        size += " (the model's own max_epochs and patience end nothing)"
    if len(set(models.values())) == 1:
        among = f" of {', '.join(models)}" if len(models) > 1 else ""
        return f"{spec.tune.kind}: {size}{among}, {_over(next(iter(models.values())))}"
    apart = "; ".join(f"{name} {_over(names)}" for name, names in models.items())
    return f"{spec.tune.kind}: {size} of {apart}"


def _over(names: Sequence[str]) -> str:
    rest = len(names) - _MAX_NAMED
    over = ", ".join(names[:_MAX_NAMED]) + (f" and {rest} more" if rest > 0 else "")
    return f"over {over}" if names else "as it stands"


def grid_points(spec: Spec) -> int:
    """Return how many combinations the whole grid of a checked recipe has."""
    return sum(n_points(space_of(spec, model)) for model in searched_models(spec).values())
