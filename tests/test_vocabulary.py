"""The names that the reference and the schema offer are the names that the rooms take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import pytest

from engine.evaluation.gates import check_gates
from engine.models.family import Family
from engine.names import DEPLOYMENTS, FAMILIES, TASKS
from engine.recipe.known import Node
from engine.recipe.spec import Spec
from engine.recipe.spec_model import ModelSpec
from engine.tasks.task import Task
from engine.vocabulary import known_names

KNOWN = known_names()
MakeSpec = Callable[[Mapping[str, object]], Spec]
NUMBER = {
    "task": {"kind": "regression", "metric": "rmse"},
    "schema.target": "amount",
    "schema.positive": None,
}
CLASSES = {"task": {"kind": "classification", "metric": "roc_auc", "threshold": "auto"}}
PRICED = {"goal.value": {"true_positive": 1, "action_cost": 1, "currency": "EUR"}}


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("metric", [metric.name for metric in KNOWN.metrics])
def test_a_metric_is_taken_where_it_is_said_to_be(metric: str, task: str, make_spec: MakeSpec) -> None:
    """`goal.metric` and `goal.gates` take each metric for the tasks that are said, and for no other."""
    (words,) = [one for one in KNOWN.metrics if one.name == metric]
    changes = dict(NUMBER if task == "regression" else CLASSES)
    if task == "classification":
        changes |= PRICED
    if metric == "shift_from_population":
        changes["data.population"] = {"sex": {"f": 0.5, "m": 0.5}}
    if words.needs == "evaluation.robustness_rows":
        changes |= {words.needs: 10, "schema.columns.age.nullable": True}
    gate: dict[str, object] = {"min": 0}
    if words.needs == "by":
        gate["by"] = "sex"
    spec = make_spec({**changes, "goal.metric": metric, "goal.gates": {metric: gate}})
    room = cast("Task", TASKS.load(task))
    named = [message.key for message in room.check(spec) if message.key == "goal.metric"]
    bounded = [message.key for message in check_gates(spec, room.metric_names(spec))]
    assert (not named) == (words.can_select and task in words.tasks)
    assert (not bounded) == (task in words.tasks)


def test_what_a_metric_needs_is_needed(make_spec: MakeSpec) -> None:
    """Without `goal.value`, what acting costs, or `by`, a metric that is said to need it is refused."""
    task = cast("Task", TASKS.load("classification"))
    needing = {metric.needs: metric.name for metric in KNOWN.metrics if metric.needs}
    assert {"by", "goal.value", "goal.value.action_cost"} <= set(needing)
    for name in needing.values():
        spec = make_spec({"goal.gates": {name: {"min": 0}}})
        assert check_gates(spec, task.metric_names(spec))


def test_directions_are_the_metrics_own() -> None:
    """Which way is better is known of hand-picked metrics of every kind."""
    better = {metric.name: metric.greater_is_better for metric in KNOWN.metrics}
    higher = ("roc_auc", "r2", "profit", "demographic_parity_ratio", "equalized_odds_ratio")
    lower = ("log_loss", "rmse", "demographic_parity_difference", "latency_p95_ms", "bundle_mib")
    assert [better[name] for name in higher] == [True] * 5
    assert [better[name] for name in lower] == [False] * 5


def test_every_registered_name_is_known() -> None:
    """Tasks, families and deployments are those of the registries."""
    assert tuple(KNOWN.tasks) == TASKS.names()
    assert tuple(KNOWN.families) == FAMILIES.names()
    assert KNOWN.deployments == DEPLOYMENTS.names()
    by_task = {name: tuple(family.by_task) for name, family in KNOWN.families.items()}
    assert by_task["logistic"] == ("classification",)
    assert by_task["ridge"] == ("regression",)
    assert by_task["lightgbm"] == ("classification", "regression")


@pytest.mark.parametrize(
    "threshold", ["auto", "f1", "balanced_accuracy", "profit", "recall", "nonsense", 0.3]
)
def test_a_tasks_own_key_is_described_as_it_is_checked(threshold: object, make_spec: MakeSpec) -> None:
    """The words offered for `task.threshold` are those that the task takes."""
    kinds = cast("list[Node]", KNOWN.tasks["classification"].keys["threshold"]["anyOf"])
    offered = threshold in cast("list[str]", kinds[0]["enum"]) or threshold == 0.3
    changes = {"task": {"kind": "classification", "metric": "roc_auc", "threshold": threshold}, **PRICED}
    messages = cast("Task", TASKS.load("classification")).check(make_spec(changes))
    assert (not messages) == offered


@pytest.mark.parametrize("name", FAMILIES.names())
def test_parameters_are_those_that_the_family_takes(name: str) -> None:
    """Each parameter and each other name of it is taken by the family's own check, and no other is known."""
    family = cast("Family", FAMILIES.load(name))
    known = KNOWN.families[name]
    n_seen = 0
    for task, estimators in known.by_task.items():
        for estimator in estimators or (None,):
            for parameter in known.params[estimator or ""].values():
                assert parameter.node != {"enum": []}
            names = family.parameters(estimator=estimator, task=task)
            model = ModelSpec(family=name, estimator=estimator, params=dict.fromkeys(names), space={})
            unknown = [
                m.what
                for m in family.check(model, task)
                if "is not a parameter" in m.what or "is set by" in m.what
            ]
            assert unknown == []
            n_seen += len(names)
            other = ModelSpec(
                family=name, estimator=estimator, params={"no_such_one": 1, "random_state": 1}, space={}
            )
            assert len([m for m in family.check(other, task) if m.key.startswith("model.params.")]) >= 2
    assert n_seen > 0


def test_defaults_of_the_library_are_taken_by_it() -> None:
    """The library's default that is shown for a parameter passes the check of its type and range."""
    n_seen = 0
    for name, known in KNOWN.families.items():
        family = cast("Family", FAMILIES.load(name))
        for task, estimators in known.by_task.items():
            for estimator in estimators or (None,):
                for param, words in family.parameters(estimator=estimator, task=task).items():
                    # Infinity, which scikit-learn has for a count once, can't be written in a recipe.
                    if words.default in (None, "inf") or words.same_as:
                        continue
                    model = ModelSpec(
                        family=name, estimator=estimator, params={param: words.default}, space={}
                    )
                    wrong = [m.what for m in family.check(model, task) if " must be " in m.what]
                    assert wrong == []
                    n_seen += 1
    assert n_seen > 500


def test_words_of_a_parameter_are_taken() -> None:
    """Each word that is offered for a parameter passes the check, and the one that has no graph is not offered."""
    n_seen = 0
    for name, known in KNOWN.families.items():
        family = cast("Family", FAMILIES.load(name))
        for task, estimators in known.by_task.items():
            for estimator in estimators or (None,):
                for param, words in family.parameters(estimator=estimator, task=task).items():
                    for word in (word for accepted in words.accepts or () for word in accepted.options):
                        model = ModelSpec(family=name, estimator=estimator, params={param: word}, space={})
                        said = [message.what for message in family.check(model, task)]
                        assert [w for w in said if " must be " in w or "can't be deployed" in w] == []
                        n_seen += 1
    assert n_seen > 200
    xgboost = cast("Family", FAMILIES.load("xgboost")).parameters(estimator=None, task="regression")
    offered = [word for accepted in xgboost["booster"].accepts or () for word in accepted.options]
    assert offered == ["gbtree", "dart"]
