"""What is wrong with a search, seen without any data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast

from engine.errors import Message, nearest
from engine.models.family import Continuing, Family
from engine.models.params import Parameter
from engine.models.space import check_space
from engine.names import FAMILIES
from engine.recipe.space import NotASpaceError, Span, read_space
from engine.recipe.spec import ComputeSpec, Spec
from engine.recipe.spec_model import ModelSpec
from engine.tuning.candidates import searched_models, space_of
from engine.tuning.size import n_trials

# More combinations than anyone waits for: such a space wants another strategy.
MAX_TRIALS = 100_000
# What Ray itself calls its port.
_PORT = 6379
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
_SWEEP = "model.params.NAME=interval(LOW,HIGH)"


def check_search(spec: Spec) -> Iterator[Message]:
    """Yield what is wrong with what a recipe searches.

    Parameters
    ----------
    spec
        A recipe whose model is known to be right.
    """
    tune = spec.tune
    if tune.kind == "none":
        if tune.nested:
            what = "there is no search to be done anew inside each fold: tune is none"
            yield Message(what, "tune.nested", suggestion="false", try_="tune=bayes with it")
        return
    wrong = list(_check_spaces(spec))
    yield from wrong
    if tune.kind != "grid" and tune.trials is None:
        yield Message(
            f"{tune.kind} needs a number of trials",
            "tune.trials",
            try_=f"tune={tune.kind}, which has its own, or tune.trials=50",
        )
    elif tune.kind == "grid" and not wrong:
        yield from _check_grid(spec)
    if tune.kind == "asha":
        yield from _check_halving(spec)
    if tune.kind == "pbt":
        yield from _check_population(spec)
    yield from _check_objective(spec)
    yield from _check_address(spec.compute)


def _check_halving(spec: Spec) -> Iterator[Message]:
    """Refuse what can't be stopped early: families that tell no loss, and several fits in one trial."""
    for key in ("reduction_factor", "rungs"):
        if getattr(spec.tune, key) is None:
            yield Message(f"asha needs {key}", f"tune.{key}", try_="tune=asha, which has its own")
    families = {name: cast("Family", FAMILIES.load(name)) for name in FAMILIES.names()}
    telling = tuple(name for name, family in families.items() if family.tells_loss)
    for model in searched_models(spec).values():
        if model.family not in telling:
            what = f"{model.family} tells no loss while it is fitted, so asha can't stop it early"
            yield Message(what, "tune.kind", allowed=telling, try_="tune=bayes")
    if spec.tune.objective == "folds":
        what = "asha stops one fit by another, and folds are several fits a trial"
        yield Message(what, "tune.objective", suggestion="validation", try_="tune=bayes")


def _check_population(spec: Spec) -> Iterator[Message]:
    """Refuse what can't go on from another fit, has nothing to change meanwhile, or ends before it could."""
    tune = spec.tune
    for key in ("population", "interval", "quantile", "perturbation"):
        if not getattr(tune, key):
            yield Message(f"pbt needs {key}", f"tune.{key}", try_="tune=pbt, which has its own")
    families = {name: FAMILIES.load(name) for name in FAMILIES.names()}
    able = {name: family for name, family in families.items() if isinstance(family, Continuing)}
    for name, model in searched_models(spec).items():
        if model.family not in able:
            what = f"a fit of {model.family} can't go on with other params, so pbt can't train it"
            yield Message(what, "tune.kind", allowed=tuple(able), try_="tune=bayes")
        elif space_of(spec, model) and not able[model.family].changeable & set(space_of(spec, model)):
            own = f"tune.models.{name}.space" if tune.models else "model.space"
            is_own = space_of(spec, model) == model.space
            what = "pbt changes params while a model is trained, and none of those searched can be"
            known = tuple(sorted(able[model.family].changeable))
            yield Message(what, own if is_own else "tune.space", allowed=known, try_="tune=bayes")
    if tune.population and tune.trials and tune.trials <= tune.population:
        what = f"{tune.trials} trials are one generation of {tune.population} members, in which none goes on"
        yield Message(what, "tune.trials", suggestion=str(8 * tune.population), try_="tune=random")
    if tune.objective == "folds":
        what = "pbt trains one fit on from another, and folds are several fits a trial"
        yield Message(what, "tune.objective", suggestion="validation", try_="tune=bayes")


def _check_address(compute: ComputeSpec) -> Iterator[Message]:
    address = compute.address
    if address is not None and compute.executor != "local" and (wrong := wrong_address(address)):
        yield wrong


def wrong_address(address: str) -> Message | None:
    """Say what is wrong with the address of a cluster, if anything is."""
    if _ADDRESS.fullmatch(address):
        return None
    what = f"'{address}' is not host:port"
    if address.startswith("ray://"):
        what = f"'{address}' is Ray Client's, through which no search runs: be on a machine of the cluster"
    return Message(what, "compute.address", try_=f"compute.address=127.0.0.1:{_PORT}")


def _check_objective(spec: Spec) -> Iterator[Message]:
    cut = spec.split
    if spec.tune.nested and cut.folds is None:
        what = f"a search is nested in folds, and a {cut.kind} split makes none"
        yield Message(what, "tune.nested", suggestion="false", try_="split=kfold")
    if spec.tune.nested and spec.tune.max_seconds is not None:
        what = "searches inside of folds are counted in trials: what a clock ends is another one in each"
        yield Message(what, "tune.max_seconds", suggestion="null", try_="tune.trials=20")
    if spec.tune.objective == "folds" and cut.folds is None:
        what = f"trials are scored by folds, and a {cut.kind} split makes none"
        yield Message(what, "tune.objective", suggestion="validation", try_="split=kfold")
    elif spec.tune.objective == "validation" and cut.folds is None and not cut.validation:
        what = "trials are scored on validation rows, and there are none"
        yield Message(what, "split.validation", suggestion="0.1", try_="engine options split")


def _check_spaces(spec: Spec) -> Iterator[Message]:
    models = searched_models(spec)
    known = {name: _parameters(spec, model) for name, model in models.items()}
    for name, model in models.items() if spec.tune.models else ():
        if not known[name]:
            what = f"'{model.family}' does not do {spec.task.kind}, or names no estimator"
            yield Message(what, f"tune.models.{name}", try_="engine options model")
            continue
        is_given = spec.tune.space is not None and not known[name].keys().isdisjoint(spec.tune.space)
        own = [] if is_given else check_space(model, known[name], family=model.family)
        for message in own:
            yield replace(message, key=f"tune.models.{name}.{message.key.removeprefix('model.')}")
    if spec.tune.space is not None:
        yield from _check_given(spec.tune.space, models, known)
    elif not any(model.space for model in models.values()):
        named = " and ".join(models)
        yield Message(f"there is nothing to search: {named} has an empty space", "tune.kind", try_=_SWEEP)


def _check_given(
    space: Mapping[str, str], models: Mapping[str, ModelSpec], known: Mapping[str, Mapping[str, Parameter]]
) -> Iterator[Message]:
    """Check what `tune.space` says: each name is a param of some model, each value one that it takes."""
    if not space:
        yield Message("there is nothing to search: the space is empty", "tune.space", try_=_SWEEP)
    every = sorted({name for parameters in known.values() for name in parameters})
    families = " nor ".join(model.family for model in models.values())
    for param, text in space.items():
        owners = [name for name, parameters in known.items() if param in parameters]
        if not owners:
            what = f"'{param}' is not a parameter of {families}"
            try_ = f"engine options model/{next(iter(models.values())).family}"
            near = nearest(param, every)
            yield Message(what, f"tune.space.{param}", suggestion=near, allowed=tuple(every), try_=try_)
            continue
        owner = models[owners[0]]
        alone = owner.model_copy(update={"space": {param: text}})
        for message in check_space(alone, known[owners[0]], family=owner.family):
            yield replace(message, key=f"tune.space.{param}")


def _check_grid(spec: Spec) -> Iterator[Message]:
    """Refuse a grid over what can't be listed, or over more than anyone waits for."""
    for name, model in searched_models(spec).items():
        is_given = space_of(spec, model) != model.space
        prefix = "tune" if is_given else f"tune.models.{name}" if spec.tune.models else "model"
        for param, text in space_of(spec, model).items():
            if isinstance(_read(text), Span):
                what = f"'{text}' is a continuous range, and a grid needs listed values"
                try_ = f"model.params.{param}=VALUE,VALUE or tune=bayes, which draws from ranges"
                yield Message(what, f"{prefix}.space.{param}", try_=try_)
                return
    if (n := n_trials(spec)) > MAX_TRIALS:
        yield Message(
            f"the grid has {n} combinations, more than {MAX_TRIALS}",
            "tune.trials",
            try_="tune=bayes tune.trials=100",
        )


def _read(text: str) -> object:
    try:
        return read_space(text)
    except NotASpaceError:
        return None


def _parameters(spec: Spec, model: ModelSpec) -> Mapping[str, Parameter]:
    if model.family not in FAMILIES.names():
        return {}
    family = cast("Family", FAMILIES.load(model.family))
    return family.parameters(estimator=model.estimator, task=spec.task.kind)
