"""What a search chooses among: models, each with the values that its params may take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from engine.models.family import Family, ParamValue, Steady
from engine.models.params import Parameter
from engine.names import FAMILIES
from engine.recipe.space import Choices, Span, read_space
from engine.recipe.spec import Spec
from engine.recipe.spec_model import ModelSpec
from engine.recipe.text import Plain
from engine.tuning.trial import Trial

Axis = Span | Choices


@dataclass(frozen=True)
class Candidate:
    """One model of a search, and the axes along which it is varied, by param.

    Attributes
    ----------
    known
        What its family says of its params; none where nothing is known.
    """

    name: str
    model: ModelSpec
    axes: Mapping[str, Axis]
    known: Mapping[str, Parameter] = field(default_factory=dict)

    def with_params(self, params: Mapping[str, Plain]) -> ModelSpec:
        """Return the model with some of its params set."""
        varied = {**self.model.params, **{name: _frozen(value) for name, value in params.items()}}
        return self.model.model_copy(update={"params": varied})

    def said(self, params: Mapping[str, Plain]) -> dict[str, Plain]:
        """Return the value of every axis, one that is not set as it stands, by the library if not here.

        A whole number is a number like any other, but where the library means something else by it.
        """
        own = {name: self._standing(name) for name in self.axes}
        return {name: self._number(name, value) for name, value in {**own, **params}.items()}

    def _standing(self, name: str) -> Plain:
        known = self.known.get(name)
        if name in self.model.params or known is None:
            return thawed(self.model.params.get(name))
        return thawed(known.default)

    def _number(self, name: str, value: Plain) -> Plain:
        known = self.known.get(name)
        accepts = known.accepts if known is not None else None
        is_one_kind = accepts is not None and all(one.type != "fraction" for one in accepts)
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return float(cast("int", value)) if is_whole and is_one_kind else value


@dataclass(frozen=True)
class Candidates:
    """All models of a search, in the order of the recipe."""

    members: tuple[Candidate, ...]

    def __getitem__(self, name: str) -> Candidate:
        """Return the candidate of a name."""
        return next(one for one in self.members if one.name == name)

    def tried(self, trial: Trial) -> str:
        """Return what a trial tries, as text: two that say the same differ in nothing but their seeds."""
        one = self[trial.model]
        return json.dumps([trial.model, list(map(one.said, trial.stages))], sort_keys=True)

    def stands(self, trial: Trial) -> bool:
        """Tell whether a trial is of the recipe's own model, the first, with its params as they stand."""
        own = self.members[0]
        return trial.model == own.name and all(own.said(params) == own.said({}) for params in trial.stages)

    def ignores_seed(self, trial: Trial) -> bool:
        """Tell whether a trial with another seed would come to the same."""
        model = self.model_of(trial)
        family = FAMILIES.load(model.family)
        return isinstance(family, Steady) and family.ignores_seed(model)

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
    """Return the space of one model: what `tune.space` says of the params that it has, else its own.

    A grid takes nothing of a space of its own that holds a range: such a model is tried as it stands.
    """
    known = _known(spec, model) if spec.tune.space else {}
    given = {name: text for name, text in (spec.tune.space or {}).items() if name in known}
    own = dict(model.space)
    if given or spec.tune.kind != "grid" or spec.tune.space is None:
        return given or own
    return own if all(isinstance(read_space(text), Choices) for text in own.values()) else {}


def candidates(spec: Spec) -> Candidates:
    """Return what a checked recipe searches."""
    return Candidates(
        tuple(
            Candidate(
                name,
                model,
                {key: read_space(text) for key, text in space_of(spec, model).items()},
                _known(spec, model),
            )
            for name, model in searched_models(spec).items()
        )
    )


def _known(spec: Spec, model: ModelSpec) -> Mapping[str, Parameter]:
    family = cast("Family", FAMILIES.load(model.family))
    return family.parameters(estimator=model.estimator, task=spec.task.kind)


def _frozen(value: Plain) -> object:
    return tuple(value) if isinstance(value, list) else value


def thawed(value: object) -> Plain:
    """Return a param's value as a journal has it."""
    return cast("Plain", list(value) if isinstance(value, tuple) else value)
