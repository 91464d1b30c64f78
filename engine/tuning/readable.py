"""`goal.interpretable`: only models that a person can read whole, with nothing beside them.

Rudin, "Stop explaining black box machine learning models for high stakes decisions" (2019). A linear model is
read as a coefficient a column, a tree as a few sentences; a sum of hundreds of trees can only be explained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from engine.errors import Message, nearest
from engine.recipe.draft import Draft
from engine.recipe.spec import Spec
from engine.recipe.spec_model import ModelSpec
from engine.tuning.candidates import searched_models, space_of

# Of 32 leaves at most; deeper trees are nobody's reading.
_MOST_DEPTH = 5
_DEPTH = "max_depth"
_COEFFICIENTS, _SENTENCES = (
    "a coefficient for each column",
    f"a tree of at most {_MOST_DEPTH} questions a row",
)
_FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"classification": ("logistic", "sgd"), "regression": ("ridge", "sgd")}
)
_LINEAR: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "classification": ("LinearDiscriminantAnalysis", "LogisticRegression", "LogisticRegressionCV"),
        "regression": (
            *("ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "GammaRegressor"),
            *("HuberRegressor", "Lars", "Lasso", "LassoCV", "LinearRegression", "PoissonRegressor"),
            *("QuantileRegressor", "Ridge", "RidgeCV", "TweedieRegressor"),
        ),
    }
)
_TREES: Mapping[str, str] = MappingProxyType(
    {"classification": "DecisionTreeClassifier", "regression": "DecisionTreeRegressor"}
)


def reading_of(spec: Spec) -> str | None:
    """Return how the model will be read, where a recipe asks that it can be; else None."""
    if not spec.goal.interpretable:
        return None
    told = {
        name: _SENTENCES if model.estimator in _TREES.values() else _COEFFICIENTS
        for name, model in searched_models(spec).items()
    }
    allowed = ", ".join([*_FAMILIES.get(spec.task.kind, ()), "sklearn (linear, or a shallow tree)"])
    read = "; ".join(f"{name}: {words}" for name, words in told.items())
    return f"{read} (goal.interpretable; of the families it leaves {allowed})"


def check_readable(draft: Draft) -> Iterator[Message]:
    """Yield what keeps a model from being read, where a recipe asks that it can be."""
    spec = draft.spec
    if not (draft.knows("goal") and spec.goal.interpretable and spec.task.kind in _FAMILIES):
        return
    for model in searched_models(spec).values():
        for message in _of_model(spec, model):
            # Of a model of a list no key but the list's is written.
            yield replace(message, key="tune.models", try_="") if spec.tune.models else message
    if spec.model.fairness is not None and spec.model.fairness.kind == "reductions":
        what = "reductions mix several models, and goal.interpretable asks for one that a person can read"
        yield Message(what, "model.fairness.kind")


def _of_model(spec: Spec, model: ModelSpec) -> Iterator[Message]:
    task = spec.task.kind
    if model.family in _FAMILIES[task]:
        return
    if model.family != "sklearn":
        allowed = (*_FAMILIES[task], "sklearn")
        what = f"goal.interpretable asks for a model that a person can read, and {model.family} is none"
        yield Message(what, "model.family", allowed=allowed, try_=f"model={allowed[0]}")
        return
    estimators = (*_LINEAR[task], _TREES[task])
    if model.estimator is not None and model.estimator not in estimators:
        what = f"goal.interpretable asks for a model that a person can read, and {model.estimator} is none"
        near = nearest(model.estimator, estimators)
        yield Message(what, "model.estimator", suggestion=near, allowed=estimators)
    if model.estimator != _TREES[task]:
        return
    depth = model.params.get(_DEPTH)
    if _DEPTH in space_of(spec, model):
        what = f"goal.interpretable keeps trees to {_MOST_DEPTH} questions a row: their depth is not searched"
        yield Message(what, f"model.space.{_DEPTH}")
    if not isinstance(depth, int) or isinstance(depth, bool) or depth > _MOST_DEPTH:
        said = "no depth is said" if depth is None else f"the depth is {depth}"
        what = f"goal.interpretable keeps trees to {_MOST_DEPTH} questions a row, and {said}"
        yield Message(what, f"model.params.{_DEPTH}", try_=f"model.params.{_DEPTH}={_MOST_DEPTH}")
