"""What a search chooses among: models, each with the values that its params may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from engine.models.family import Family, ParamValue
from engine.names import FAMILIES
from engine.recipe.space import Choices, Span, read_space
from engine.recipe.spec import Spec
from engine.recipe.spec_model import ModelSpec
from engine.recipe.text import Plain
from engine.tuning.trial import Trial

Axis = Span | Choices


@dataclass(frozen=True)
class Candidate:
    """One model of a search, and the axes along which it is varied, by param."""

    name: str
    model: ModelSpec
    axes: Mapping[str, Axis]

    def with_params(self, params: Mapping[str, Plain]) -> ModelSpec:
        """Return the model with some of its params set."""
        varied = {**self.model.params, **{name: _frozen(value) for name, value in params.items()}}
        return self.model.model_copy(update={"params": varied})


@dataclass(frozen=True)
class Candidates:
    """All models of a search, in the order of the recipe."""

    members: tuple[Candidate, ...]

    def __getitem__(self, name: str) -> Candidate:
        """Return the candidate of a name."""
        return next(one for one in self.members if one.name == name)

    def model_of(self, trial: Trial) -> ModelSpec:
        """Return the model that a trial fits."""
        return self[trial.model].with_params(trial.params)

    def stages_of(self, trial: Trial) -> tuple[Mapping[str, ParamValue], ...]:
        """Return all params of each stage of a trial."""
        one = self[trial.model]
        return tuple(
            cast("Mapping[str, ParamValue]", one.with_params(params).params) for params in trial.stages
        )


def searched_models(spec: Spec) -> dict[str, ModelSpec]:
    """Return the models of a recipe's search by name: those of `tune.models`, else the recipe's own."""
    models = spec.tune.models
    # Composition has put the models in the place of their names.
    named = {} if isinstance(models, tuple) else dict(models)
    return named or {spec.model.family: spec.model}


def space_of(spec: Spec, model: ModelSpec) -> dict[str, str]:
    """Return the space of one model: its own, or what `tune.space` says of the params that it has."""
    if spec.tune.space is None:
        return dict(model.space)
    family = cast("Family", FAMILIES.load(model.family))
    known = family.parameters(estimator=model.estimator, task=spec.task.kind)
    return {name: text for name, text in spec.tune.space.items() if name in known}


def candidates(spec: Spec) -> Candidates:
    """Return what a checked recipe searches."""
    return Candidates(
        tuple(
            Candidate(name, model, {key: read_space(text) for key, text in space_of(spec, model).items()})
            for name, model in searched_models(spec).items()
        )
    )


def _frozen(value: Plain) -> object:
    return tuple(value) if isinstance(value, list) else value
