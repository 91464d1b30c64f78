"""What a reader is told in one minute says no more, and nothing else, than what was recorded."""

import html
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from engine.report import figures, record
from engine.report.card import card
from engine.report.html import page
from engine.report.written import markdown

Facts = dict[str, dict]
Write = Callable[..., Path]
WORTH = {"true_positive": 5.0, "currency": "EUR"}


def told(folder: Path) -> str:
    """Return the page of a run folder."""
    found = record.read(folder)
    return page(found, figures.draw(found))


def test_money_that_is_the_goal_stands_once(
    write_run: Write, binary: Facts, binary_rows: pl.DataFrame
) -> None:
    """A goal that is money itself has one card, not two that say the same."""
    binary["recipe"]["goal"] |= {"metric": "profit", "value": WORTH}
    for part in ("train", "validation", "test"):
        binary["metrics"][part]["profit"] = {"value": 100.0, "low": 90.0, "high": 110.0}
    assert told(write_run(binary, binary_rows)).count('class="headline"') == 1


@pytest.mark.parametrize(("fall", "said"), [(0.02, "worsens by 0.0200"), (-0.02, "gets no worse")])
def test_noise_that_does_no_harm(write_run: Write, binary: Facts, fall: float, said: str) -> None:
    """A score that rises under noise is not said to worsen by less than nothing."""
    binary["metrics"]["robustness"] = {"metric": "roc_auc", "falls": {"robustness_noise_fall": fall}}
    assert f"ROC AUC {said} where numbers are off" in told(write_run(binary, None))


def test_thresholds_of_groups_cost_decisions(write_run: Write, binary: Facts) -> None:
    """What ROC AUC can't see of them, as they move no probability, accuracy tells."""
    binary["metrics"]["test"]["accuracy"] = {"value": 0.45}
    binary["metrics"]["mitigation"] = {
        "kind": "thresholds",
        "by": ["sex"],
        "test": {"roc_auc": {"value": 0.9}, "accuracy": {"value": 0.77}},
        "difference": {
            "roc_auc": {"value": 0.0, "verdict": "the same"},
            "accuracy": {"value": -0.32, "verdict": "worse"},
        },
    }
    said = "the same; Accuracy is 0.4500 with it, 0.7700 without: worse."
    assert said in told(write_run(binary, None))


@pytest.mark.parametrize(
    ("n_groups", "why"),
    [(1, "fewer than two groups have rows enough"), (2, "no test row is decided positive")],
)
def test_parity_that_nobody_can_tell(write_run: Write, binary: Facts, n_groups: int, why: str) -> None:
    """A ratio without a value is said to have none, and why, rather than left out."""
    groups = [{"name": f"group {at}", "n": 20, "selection_rate": 0.0} for at in range(n_groups)]
    binary["metrics"]["fairness"] = {"sex": {"groups": groups, "demographic_parity_ratio": None}}
    assert f"not defined, as {why}." in told(write_run(binary, None))


def test_sensitive_columns_of_a_number(write_run: Write, continuous: Facts) -> None:
    """Where no decision is yes or no, the page says why it compares no groups."""
    continuous["recipe"]["schema"]["columns"]["sex"] = {"type": "category", "sensitive": True}
    found = told(write_run(continuous, None))
    assert "Marked sensitive: sex. How groups are decided for is compared where the decision is yes" in found


def test_pictures_of_weighed_rows(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """A caption gives no area that is not the area of its curve: that counts each row once."""
    assert "the area under the curve is" in told(write_run(binary, binary_rows, folder="plain"))
    binary["data"]["columns"].append({"name": "w", "type": "number", "role": "weight"})
    assert "the area under the curve is" not in told(write_run(binary, binary_rows, folder="weighed"))


def test_no_table_of_heads_alone(write_run: Write, binary: Facts) -> None:
    """Where every slice and group is too small to show, there is a sentence and no empty table."""
    binary["metrics"]["slices"] = {"sex": {"slices": [], "n_unnamed_slices": 2, "n_unnamed_rows": 9}}
    binary["metrics"]["fairness"] = {"sex": {"groups": [], "n_excluded_groups": 2, "n_excluded_rows": 9}}
    found = told(write_run(binary, None))
    assert "<tbody></tbody>" not in found
    assert "Not shown, as too small: 2 groups of 9 rows together." in found


def test_calibration_of_many_classes(write_run: Write, multiclass: Facts) -> None:
    """Rows are said to have chosen a threshold only where there is one."""
    multiclass["metrics"]["calibration"] = {"kind": "sigmoid", "n_validation_rows": 40, "difference": {}}
    found = told(write_run(multiclass, None))
    assert "The same rows stopped the fit where it stops early" in found


def test_what_was_not_looked_at(write_run: Write, binary: Facts) -> None:
    """A judgement that left something out says its name and what."""
    binary["recipe"]["evaluation"] |= {"depth": "standard", "bootstrap": 200, "learning_curve": []}
    assert "at depth standard, without a learning curve." in told(write_run(binary, None))


def test_a_gate_on_a_count(write_run: Write, binary: Facts) -> None:
    """What was counted is told as a count, what was scored to four places."""
    gates = [("smallest_sensitive_group", 3.0), ("roc_auc", 0.9)]
    bound = {"bound": {"min": 0.5}, "passed": True}
    binary["gates"] = {"passed": True, "gates": [{"name": n, "value": v, **bound} for n, v in gates]}
    found = told(write_run(binary, None))
    assert "<div>3</div>" in found
    assert "<div>0.9000</div>" in found


@pytest.mark.parametrize("owners", ["growth@example.com", ["growth@example.com"]])
def test_one_who_answers_needs_no_brackets(write_run: Write, binary: Facts, owners: str | list[str]) -> None:
    """A recipe may name one person as a text, and page and card name that one."""
    binary["recipe"]["governance"] = {"risk_class": "minimal", "owners": owners}
    folder = write_run(binary, None)
    assert "AI Act; growth@example.com answers for it." in html.unescape(told(folder))
    assert "- Owner and contact: growth\\@example.com\n" in markdown(card(record.read(folder)))
