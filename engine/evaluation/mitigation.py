"""What a recipe may ask for so that groups are decided for more alike: checked here, done in training."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import cast

from engine.errors import Message
from engine.evaluation.gates import Grouping
from engine.models.family import Debiasing, Family
from engine.names import FAMILIES
from engine.recipe.spec import Spec
from engine.recipe.spec_model import Bounds, FairnessSpec, ModelSpec
from engine.tasks.confusion import F1
from engine.tasks.task import Task

_BOUNDED = ("thresholds", "reductions")
# Of these the fit itself is another.
_IN_FIT = ("adversarial", "reductions")
_EXAMPLE = "+model.fairness.bounds={demographic_parity_ratio: {min: 0.85}}"
_INSTALL = "pip install 'declarative-engine[fairness]'"


def check_mitigation(spec: Spec, task: Task) -> Iterator[Message]:
    """Yield what is wrong with `model.fairness`."""
    asked = spec.model.fairness
    if asked is None:
        return
    if "continuous" in task.kinds:
        what = f"{asked.kind} is for classes, and task {spec.task.kind} has none"
        yield Message(what, "model.fairness")
        return
    if spec.tune.kind != "none" and spec.tune.models:
        what = "what is done for fairness belongs to one model, and tune.models searches among several"
        yield Message(what, "model.fairness", try_="tune.models: []")
    grouping = Grouping()
    if not asked.by:
        what = f"{asked.kind} needs a column whose groups are told apart"
        yield Message(what, "model.fairness.by", allowed=grouping.columns(spec))
    yield from grouping.check(asked.by, key="model.fairness.by", spec=spec)
    if asked.kind in _BOUNDED and F1.name not in task.metric_names(spec):
        what = f"{asked.kind} are for two classes, and '{spec.schema_.target}' declares more"
        yield Message(what, "model.fairness.kind")
    yield from _check_bounds(asked)
    yield from _check_strength(asked)
    if asked.kind in _IN_FIT:
        yield from _check_in_fit(asked, spec)
    if asked.kind == "thresholds":
        yield from _check_thresholds(spec)


def _check_bounds(asked: FairnessSpec) -> Iterator[Message]:
    key, kind = "model.fairness.bounds", asked.kind
    if kind not in _BOUNDED:
        if asked.bounds is not None:
            yield Message(f"{kind} keeps to no bounds", key, try_="model.fairness.kind=thresholds")
        return
    limits = asked.bounds.limits if asked.bounds is not None else {}
    if not limits:
        allowed = tuple(Bounds.model_fields)
        yield Message(f"{kind} need a bound to keep to", key, allowed=allowed, try_=_EXAMPLE)
    elif kind == "reductions" and len(limits) > 1:
        yield Message(f"reductions keep to one bound, and there are {len(limits)}", key)


def _check_strength(asked: FairnessSpec) -> Iterator[Message]:
    key = "model.fairness.strength"
    if asked.kind == "adversarial" and asked.strength is None:
        yield Message("adversarial needs a strength, such as 1.0", key, try_="+model.fairness.strength=1.0")
    elif asked.kind != "adversarial" and asked.strength is not None:
        yield Message(f"a strength is of adversarial alone, not of {asked.kind}", key)


def _check_in_fit(asked: FairnessSpec, spec: Spec) -> Iterator[Message]:
    model = spec.model
    if spec.tune.kind == "pbt":
        what = f"pbt fits in stages, and {asked.kind} is one fit"
        yield Message(what, "tune.kind", allowed=("asha", "bayes", "grid", "none", "random"))
    if model.family not in FAMILIES.names():
        return
    if asked.kind == "adversarial":
        able = tuple(name for name in FAMILIES.names() if isinstance(FAMILIES.load(name), Debiasing))
        if model.family not in able:
            what = f"{model.family} can't be fitted against an adversary"
            yield Message(what, "model.family", allowed=able)
        return
    yield from _check_reductions(model, spec)


def _check_reductions(model: ModelSpec, spec: Spec) -> Iterator[Message]:
    if cast("Family", FAMILIES.load(model.family)).deployed_as(model) == "skops":
        what = f"reductions are deployed as one graph, and {model.estimator or model.family} has none"
        yield Message(what, "model.family")
    if isinstance((spec.task.model_extra or {}).get("threshold"), str):
        what = "reductions need a number here, by which what they mix decides while it is fitted"
        yield Message(what, "task.threshold", try_="task.threshold=0.5")
    weighs = [name for name, column in spec.schema_.columns.items() if column.role == "weight"]
    if weighs or model.balance == "weights":
        what = "reductions weigh training rows, and can't heed other weights"
        yield Message(what, f"schema.columns.{weighs[0]}.role" if weighs else "model.balance")
    if find_spec("fairlearn") is None:
        yield Message("reductions need the package fairlearn", "model.fairness.kind", try_=_INSTALL)


def _check_thresholds(spec: Spec) -> Iterator[Message]:
    asked = (spec.task.model_extra or {}).get("threshold")
    if isinstance(asked, int | float):
        what = "the thresholds of groups are chosen by a metric, and this is a number for all"
        yield Message(what, "task.threshold", try_="task.threshold=auto")
    if spec.split.kind != "predefined" and spec.split.folds is None and not spec.split.validation:
        what = "thresholds are chosen on validation rows, and there are none: split.validation is 0"
        yield Message(what, "model.fairness.kind", try_="split.validation=0.1")
