from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping

import pytest

from engine.evaluation.gates import Judged, check_gates, judge, missed_by_data
from engine.recipe.spec import Gate, Spec
from engine.tasks.classification import TASK
from engine.tasks.regression import TASK as REGRESSION

MakeSpec = Callable[[Mapping[str, object]], Spec]
ALLOWED = "roc_auc, average_precision, log_loss, brier_score, accuracy, balanced_accuracy, f1, precision, recall, f1_macro"


def test_the_verdict_is_the_documented_json() -> None:
    """Gates are judged in the recipe's order, fairness by its groups, and one miss fails the run."""
    gates = {
        "roc_auc": Gate(min=0.92),
        "demographic_parity_ratio": Gate(min=0.3, by=("sex",)),
        "latency_p95_ms": Gate(max=5),
        "log_loss": Gate(min=0.1, max=0.2),
    }
    measured = {
        "log_loss": 0.15,
        "roc_auc": 0.92,
        "demographic_parity_ratio by sex": 0.25,
        "latency_p95_ms": 5.5,
        "accuracy": 0.9,
    }
    verdict = judge(gates, measured=measured)
    assert json.loads(json.dumps(verdict.to_json())) == {
        "passed": False,
        "gates": [
            {"name": "roc_auc", "bound": {"min": 0.92}, "value": 0.92, "passed": True},
            {
                "name": "demographic_parity_ratio by sex",
                "bound": {"min": 0.3},
                "value": 0.25,
                "passed": False,
            },
            {"name": "latency_p95_ms", "bound": {"max": 5}, "value": 5.5, "passed": False},
            {"name": "log_loss", "bound": {"min": 0.1, "max": 0.2}, "value": 0.15, "passed": True},
        ],
    }


@pytest.mark.parametrize("gates", [None, {}])
def test_no_gates_are_met(gates: dict[str, Gate] | None) -> None:
    """A recipe without gates passes."""
    assert judge(gates, measured={}).to_json() == {"passed": True, "gates": []}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
@pytest.mark.parametrize("gate", [Gate(min=-1e9), Gate(max=1e9), Gate(min=-1e9, max=1e9)])
def test_an_undefined_value_never_passes(value: float | None, gate: Gate) -> None:
    """NaN, infinity, or a metric that was not measured meets no bound, and is null in JSON."""
    verdict = judge({"roc_auc": gate}, measured={} if value is None else {"roc_auc": value})
    assert not verdict.passed
    assert isinstance(verdict.gates[0], Judged)
    assert verdict.gates[0].to_json()["value"] is None


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        (None, None),
        ({"roc_auc": {"min": 0.9}, "bundle_mib": {"max": 10}, "latency_p50_ms": {"max": 1}}, None),
        ({"equalized_odds_difference": {"by": "sex", "max": 0.1}}, None),
        ({"equalized_odds_ratio": {"by": ["sex", "age"], "min": 0.5}}, None),
        (
            {"roc_aux": {"min": 0.9}},
            "goal.gates.roc_aux\n"
            "  'roc_aux' is not a metric of this recipe that a gate can bound\n"
            "  did you mean 'roc_auc'?\n"
            "  allowed: 43 names\n"
            "  try: engine options goal.gates",
        ),
        (
            {"profit": {"min": 0.9}},
            "goal.gates.profit\n"
            "  'profit' needs goal.value, which says what each outcome is worth\n"
            "  allowed: 43 names\n"
            "  try: engine options goal.gates",
        ),
        ({"roc_auc": {}}, "goal.gates.roc_auc\n  a gate needs a bound\n  allowed: min, max"),
        (
            {"roc_auc": {"min": 0.9, "max": 0.25}},
            "goal.gates.roc_auc\n  no value is at least 0.9 and at most 0.25",
        ),
        (
            {"roc_auc": {"min": 0.9, "by": "sex"}},
            "goal.gates.roc_auc.by\n"
            "  'roc_auc' compares no groups, so it takes no 'by'\n"
            "  try: engine options goal.gates",
        ),
        (
            {"demographic_parity_ratio": {"min": 0.3}},
            "goal.gates.demographic_parity_ratio.by\n"
            "  'demographic_parity_ratio' needs 'by', the column whose groups are compared\n"
            "  allowed: age, sex",
        ),
        (
            {"demographic_parity_ratio": {"min": 0.3, "by": "sexx"}},
            "goal.gates.demographic_parity_ratio.by\n"
            "  'sexx' is not a declared column\n"
            "  did you mean 'sex'?\n"
            "  allowed: age, sex",
        ),
        (
            {"demographic_parity_ratio": {"min": 0.3, "by": "note"}},
            "goal.gates.demographic_parity_ratio.by\n"
            "  'note' is of type text, which makes no groups\n"
            "  allowed: age, sex",
        ),
        (
            {"demographic_parity_ratio": {"min": 0.3, "by": "repaid"}},
            "goal.gates.demographic_parity_ratio.by\n"
            "  'repaid' is the target, and groups are compared by it\n"
            "  allowed: age, sex",
        ),
    ],
)
def test_each_mistake_of_a_gate_has_its_message(
    make_spec: MakeSpec, gates: dict[str, object] | None, expected: str | None
) -> None:
    """A mistake gives its one message, word for word; right gates give none."""
    spec = make_spec({"goal.gates": gates})
    said = [str(message) for message in check_gates(spec, TASK.metric_names(spec))]
    assert said == ([] if expected is None else [expected])


def test_profit_and_fairness_are_known_where_they_mean_something(make_spec: MakeSpec) -> None:
    """Profit is a gate once an outcome has a value; a number's task has no groups to select from."""
    gates = {"profit": {"min": 1}, "demographic_parity_ratio": {"min": 0.3, "by": "sex"}}
    binary = make_spec({"goal.gates": gates, "goal.value": {"true_positive": 1.0, "currency": "EUR"}})
    assert check_gates(binary, TASK.metric_names(binary)) == []
    number = make_spec({"goal.gates": gates, "schema.target": "amount"})
    assert [message.key for message in check_gates(number, REGRESSION.metric_names(number))] == [
        "goal.gates.profit",
        "goal.gates.demographic_parity_ratio",
    ]


def test_gates_on_the_data_are_judged_before_a_fit() -> None:
    """Of all gates those on the data are known already; a measure that could not be taken meets none."""
    gates = {
        "roc_auc": Gate(min=1.0),
        "leakage": Gate(max=0),
        "label_noise": Gate(max=0.1),
        "rarest_class": Gate(min=0.01),
    }
    measured = {"leakage": 2.0, "label_noise": math.nan, "rarest_class": 0.2}
    assert missed_by_data(gates, measured=measured) == (
        "the gate leakage is missed already: this run can't be packaged",
        "the gate label_noise is missed already: this run can't be packaged",
    )
    assert missed_by_data(None, measured=measured) == ()


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        (
            {"rarest_class": {"min": 0.1}},
            ["goal.gates.rarest_class\n  'rarest_class' is of classes, and this target has none"],
        ),
        (
            {"shift_from_population": {"max": 0.1}},
            [
                "goal.gates.shift_from_population\n"
                "  'shift_from_population' needs data.population, which says who there is"
            ],
        ),
        (
            {"duplicates_across_parts": {"max": -1}},
            [
                "goal.gates.duplicates_across_parts.max\n"
                "  duplicates_across_parts is 0 at least, so no run is below -1"
            ],
        ),
        (
            {"leakage": {"max": 0, "by": "sex"}},
            [
                "goal.gates.leakage.by\n  'leakage' compares no groups, so it takes no 'by'\n"
                "  try: engine options goal.gates"
            ],
        ),
    ],
)
def test_a_measure_that_no_run_has_is_refused(
    gates: dict[str, object], expected: list[str], make_spec: MakeSpec
) -> None:
    """What the recipe rules out is said before the data is read."""
    changes = {
        "task": {"kind": "regression", "metric": "rmse"},
        "goal.metric": "rmse",
        "schema.target": "amount",
        "schema.positive": None,
        "goal.gates": gates,
    }
    spec = make_spec(changes)
    assert [str(message) for message in check_gates(spec, REGRESSION.metric_names(spec))] == expected


def test_a_gate_on_sensitive_groups_needs_such_a_column(make_spec: MakeSpec) -> None:
    """Without a category or boolean marked sensitive there is no group whose rows could be counted."""
    gates = {"goal.gates": {"smallest_sensitive_group": {"min": 30}}}
    spec = make_spec(gates)
    assert check_gates(spec, TASK.metric_names(spec)) == []
    columns = {
        name: column.model_copy(update={"sensitive": False}) for name, column in spec.schema_.columns.items()
    }
    bare = spec.model_copy(update={"schema_": spec.schema_.model_copy(update={"columns": columns})})
    (message,) = check_gates(bare, TASK.metric_names(bare))
    assert str(message) == (
        "goal.gates.smallest_sensitive_group\n"
        "  'smallest_sensitive_group' needs a category or boolean that is marked sensitive"
    )
