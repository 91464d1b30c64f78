from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
import pytest

from engine.errors import RecipeError
from engine.evaluation.evaluate import Evaluation, PartScores, audit_columns, evaluate, metrics_for
from engine.evaluation.gates import judge
from engine.recipe.spec import Spec
from engine.tasks.classification import TASK
from engine.tasks.regression import TASK as REGRESSION
from engine.tasks.task import Scores, Target
from engine.tasks.value import profit

MakeSpec = Callable[[Mapping[str, object]], Spec]

BINARY = Target("repaid", "binary", ("no", "yes"))
THREE = Target("repaid", "multiclass", ("a", "b", "c"))
NUMBER = Target("amount", "continuous")
VALUE = {"true_positive": 50.0, "false_positive": -10.0, "currency": "EUR"}


def _part(n: int, *, seed: int) -> PartScores:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    positive = np.clip(0.3 * y + rng.uniform(0, 0.7, n), 0, 1)
    scores = Scores(np.column_stack([1 - positive, positive]), (positive >= 0.5).astype(np.int64))
    frame = pl.DataFrame({"sex": np.where(rng.random(n) < 0.5, "F", "M"), "age": rng.integers(30, 33, n)})
    return PartScores(y=y, scores=scores, weights=None, frame=frame)


def _evaluate(spec: Spec) -> Evaluation:
    parts = {"train": _part(300, seed=1), "validation": _part(100, seed=2), "test": _part(200, seed=3)}
    return evaluate(parts, spec=spec, task=TASK, target=BINARY, seed=spec.seed)


def test_every_part_has_every_metric_and_the_test_part_intervals(make_spec: MakeSpec) -> None:
    """The JSON has value, low and high a metric; only test rows are resampled."""
    spec = make_spec({"evaluation.bootstrap": 50})
    found = _evaluate(spec).to_json()
    assert list(found) == ["train", "validation", "test"]
    for part, metrics in found.items():
        assert list(metrics) == list(TASK.metrics("binary"))
        for name, interval in metrics.items():
            assert list(interval) == ["value", "low", "high"]
            assert interval["value"] is not None
            assert (interval["low"] is not None) is (part == "test"), name
    assert found == _evaluate(spec).to_json()


def test_without_resamples_no_part_has_intervals(make_spec: MakeSpec) -> None:
    """`evaluation.bootstrap: 0` gives plain values everywhere."""
    found = _evaluate(make_spec({})).to_json()
    assert {interval["low"] for metrics in found.values() for interval in metrics.values()} == {None}


def test_profit_is_measured_where_an_outcome_has_a_value(make_spec: MakeSpec) -> None:
    """With `goal.value` profit is among the metrics, and equals the pure function."""
    spec = make_spec({"goal.value": VALUE, "goal.metric": "profit"})
    part = _part(200, seed=3)
    assert spec.goal.value is not None
    expected = profit(part.y, part.scores.decisions, None, spec.goal.value)
    assert _evaluate(spec).to_json()["test"]["profit"]["value"] == expected


def test_groups_are_audited_on_test_rows(make_spec: MakeSpec) -> None:
    """Each sensitive column and what gates compare by is audited once, and gates find their values."""
    gates = {
        "demographic_parity_ratio": {"by": "sex", "min": 0.01},
        "equalized_odds_ratio": {"by": ["sex", "age"], "min": 0.01},
        "roc_auc": {"min": 0.5},
    }
    spec = make_spec({"goal.gates": gates})
    assert audit_columns(spec) == ("sex", "age")
    found = _evaluate(spec)
    assert [audit.by for audit in found.fairness] == [("sex",), ("sex", "age")]
    assert sum(group.n for group in found.fairness[0].groups) == 200
    verdict = judge(spec.goal.gates, measured=found.measured())
    assert [gate.name for gate in verdict.gates] == [
        "demographic_parity_ratio by sex",
        "equalized_odds_ratio by sex, age",
        "roc_auc",
    ]
    assert verdict.passed


def test_groups_of_a_personal_column_are_counted_and_not_named(make_spec: MakeSpec) -> None:
    """They are compared like any others, and no value that tells who a person is stands in the audit."""
    column = {"type": "category", "sensitive": True}
    (plain,), (hidden,) = (
        _evaluate(make_spec({"schema.columns.sex": column | {"pii": pii}})).fairness for pii in (False, True)
    )
    assert [group.name for group in hidden.groups] == ["group 1", "group 2"]
    assert [group.n for group in hidden.groups] == [group.n for group in plain.groups]
    assert hidden.measures == plain.measures


def test_the_target_is_never_a_group(make_spec: MakeSpec) -> None:
    """A sensitive target is not audited against itself, text makes no groups, nor does what is not read."""
    columns = {
        "left": {"type": "category", "sensitive": True, "role": "ignore"},
        "note": {"type": "text", "sensitive": True},
        "old": {"type": "boolean", "sensitive": True},
        "repaid": {"type": "category", "sensitive": True},
    }
    assert audit_columns(make_spec({"schema.columns": columns})) == ("old",)


def test_several_classes_and_numbers_have_no_audit(make_spec: MakeSpec) -> None:
    """Groups are compared by binary decisions only."""
    values = np.full((4, 3), 1 / 3)
    part = PartScores(np.array([0, 1, 2, 0]), Scores(values, np.array([0, 1, 2, 1])), None, pl.DataFrame())
    spec = make_spec({"schema.positive": None})
    found = evaluate({"test": part}, spec=spec, task=TASK, target=THREE, seed=0)
    assert found.fairness == ()
    assert found.measured()["accuracy"] == 0.75
    numbers = np.array([1.0, 2.0])
    part = PartScores(numbers, Scores(numbers, numbers), None, pl.DataFrame())
    spec = make_spec({"goal.metric": "rmse", "schema.target": "amount"})
    found = evaluate({"test": part}, spec=spec, task=REGRESSION, target=NUMBER, seed=0)
    assert found.fairness == ()
    assert found.to_json()["test"]["rmse"] == {"value": 0.0, "low": None, "high": None}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"goal.value": VALUE},
            "goal.value\n  'value' prices decisions between two classes, and 'repaid' has 3 classes",
        ),
        (
            {"goal.metric": "average_precision"},
            "goal.metric\n"
            "  'average_precision' is not a metric here: 'repaid' has 3 classes\n"
            "  allowed: roc_auc, log_loss, brier_score, accuracy, balanced_accuracy, f1_macro, matthews_corrcoef, "
            "expected_calibration_error",
        ),
        (
            {"goal.gates": {"demographic_parity_ratio": {"by": "sex", "min": 0.3}}},
            "goal.gates.demographic_parity_ratio\n"
            "  'demographic_parity_ratio' is not a metric here: 'repaid' has 3 classes\n"
            "  allowed: roc_auc, log_loss, brier_score, accuracy, balanced_accuracy, f1_macro, matthews_corrcoef, "
            "expected_calibration_error, latency_p50_ms, latency_p95_ms and 22 more",
        ),
    ],
)
def test_what_only_the_data_can_rule_out_is_said(
    make_spec: MakeSpec, changes: dict[str, object], expected: str
) -> None:
    """A recipe that left the classes open and asks for what three can't give is told so, word for word."""
    with pytest.raises(RecipeError) as caught:
        metrics_for(make_spec(changes), task=TASK, target=THREE)
    assert str(caught.value) == expected
