"""Metrics are compared in words that claim no more than was recorded."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.report import record, scores
from engine.report.card import card
from engine.report.html import page
from engine.report.written import markdown

Facts = dict[str, dict]


def scored(
    value: float | None, low: float | None, high: float | None, against: float | None, better: bool | None
) -> scores.Scored:
    """Return one metric beside a baseline."""
    test, linear = scores.Score(value, low, high), scores.Score(against, None, None)
    return scores.Scored("m", "M", better, {"test": test}, {"linear": linear})


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (
            scored(0.9, 0.85, 0.95, 0.8, True),
            "reaches 0.8000, outside the model's interval: the model is better.",
        ),
        (
            scored(0.9, 0.85, 0.95, 0.99, True),
            "reaches 0.9900, outside the model's interval: the model is worse.",
        ),
        (
            scored(0.2, 0.1, 0.3, 0.4, False),
            "reaches 0.4000, outside the model's interval: the model is better.",
        ),
        (
            scored(0.9, 0.85, 0.95, 0.94, True),
            "reaches 0.9400, inside the model's interval: no clear difference.",
        ),
        (
            scored(0.9, None, None, 0.8, True),
            "reaches 0.8000: the model is better; no interval was recorded.",
        ),
        (scored(0.9, None, None, 0.9, True), "reaches 0.9000: the same."),
        (scored(0.9, 0.8, 1.0, 0.5, None), "reaches 0.5000."),
        (scored(None, None, None, 0.5, True), "reaches 0.5000."),
        (scored(0.9, 0.8, 1.0, None, True), "has no value here."),
    ],
)
def test_comparison_by_intervals_alone(one: scores.Scored, expected: str) -> None:
    """Of a run without a paired test: better or worse is what lies outside the interval, by the direction."""
    assert scores.comparison(one, "linear") == f"The linear baseline {expected}"


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        (
            {"value": 0.1, "low": 0.05, "high": 0.15, "verdict": "better"},
            "the model is better; on the same rows their difference is 0.1000 (0.0500 to 0.1500).",
        ),
        (
            {"value": -0.1, "low": -0.15, "high": -0.05, "verdict": "worse"},
            "the model is worse; on the same rows their difference is -0.1000 (-0.1500 to -0.0500).",
        ),
        (
            {"value": 0.1, "low": -0.05, "high": 0.15, "verdict": "unproven"},
            "unproven that either is better; on the same rows their difference is 0.1000 (-0.0500 to 0.1500).",
        ),
        (
            {"value": 0.1, "low": None, "high": None, "verdict": "unproven"},
            "unproven that either is better; on the same rows their difference is 0.1000; "
            "no interval was recorded.",
        ),
        (
            {"value": None, "low": None, "high": None, "verdict": "unproven"},
            "unproven that either is better; their difference is not defined.",
        ),
        (
            {"value": 0.0, "low": 0.0, "high": 0.0, "verdict": "the same"},
            "the model is the same; on the same rows their difference is 0.0000 (0.0000 to 0.0000).",
        ),
    ],
)
def test_comparison_by_a_paired_test(
    difference: dict, expected: str, write_run: Callable[..., Path], binary: Facts
) -> None:
    """The verdict is that of the test, whatever the model's own interval; the page and the card say it too."""
    binary["metrics"]["baselines"]["linear"]["difference"] = {"roc_auc": difference}
    found = record.read(write_run(binary, None))
    goal = scores.headline(found)
    assert goal is not None
    assert scores.comparison(goal, "linear") == f"The linear baseline reaches 0.7000: {expected}"
    assert scores.standing(goal, "linear") == difference["verdict"]
    assert f"| 0.7000 (the model: {difference['verdict']}) | 0.5000 |" in markdown(card(found))
    assert expected.replace("'", "&#39;") in page(found, None)


@pytest.mark.parametrize(
    ("roc_auc", "linear", "expected"),
    [
        (
            (0.6, 0.55, 0.65),
            0.7,
            "ROC AUC 0.6000 on the test rows. "
            "The linear baseline reaches 0.7000, outside the model's interval: the model is worse.",
        ),
        (
            (0.4, 0.35, 0.45),
            0.7,
            "ROC AUC 0.4000 on the test rows. "
            "The linear baseline reaches 0.7000, outside the model's interval: the model is worse. "
            "The constant baseline reaches 0.5000, outside the model's interval: the model is worse.",
        ),
        (
            (0.6, None, None),
            0.7,
            "ROC AUC 0.6000 on the test rows. "
            "The linear baseline reaches 0.7000: the model is worse; no interval was recorded.",
        ),
        ((0.6, 0.55, 0.75), 0.7, ""),
        ((0.7, 0.65, 0.75), 0.7, ""),
        ((0.9, 0.85, 0.95), 0.7, ""),
    ],
)
def test_worse_than_a_baseline(
    roc_auc: tuple[float, ...],
    linear: float,
    expected: str,
    write_run: Callable[..., Path],
    binary: Facts,
) -> None:
    """One line names each baseline that the comparison finds better, in what the goal is about."""
    binary["metrics"]["test"]["roc_auc"] = dict(zip(("value", "low", "high"), roc_auc, strict=True))
    binary["metrics"]["baselines"]["linear"]["test"]["roc_auc"]["value"] = linear
    assert scores.worse(record.read(write_run(binary, None))) == expected


def test_without_a_headline_nothing_is_worse(tmp_path: Path) -> None:
    """A run that recorded nothing is not called worse."""
    assert scores.worse(record.read(tmp_path)) == ""


def test_read_names_metrics_as_the_task_does(write_run: Callable[..., Path], binary: Facts) -> None:
    """Titles and directions are the task's own; a metric the task does not know keeps its name."""
    binary["metrics"]["test"]["house_blend"] = {"value": 1.0, "low": None, "high": None}
    binary["recipe"]["goal"]["value"] = {"true_positive": 5.0, "currency": "EUR"}
    binary["metrics"]["test"]["profit"] = {"value": 12.0, "low": None, "high": None}
    found = {one.name: one for one in scores.read(record.read(write_run(binary, None)))}
    told = {name: (one.title, one.greater_is_better) for name, one in found.items()}
    assert told == {
        "roc_auc": ("ROC AUC", True),
        "f1": ("F1", True),
        "house_blend": ("House blend", None),
        "profit": ("Profit per 1,000 cases, EUR", True),
    }
    assert found["roc_auc"].test == scores.Score(0.9, 0.88, 0.92)
    assert found["roc_auc"].baselines["linear"].value == 0.7


def test_a_task_that_is_not_installed(write_run: Callable[..., Path], binary: Facts) -> None:
    """A run of a task that is gone is still told, by the bare names of its metrics."""
    binary["recipe"]["task"]["kind"] = "divination"
    found = scores.headline(record.read(write_run(binary, None)))
    assert found is not None
    assert (found.title, found.greater_is_better) == ("Roc auc", None)


def test_folds_are_told_as_a_range() -> None:
    """A mean over folds without an interval is told with its lowest and highest fold."""
    assert scores.Score(0.5, None, None, (0.4, 0.6)).spread == "folds 0.4000 to 0.6000"
    assert scores.Score(0.5, 0.45, 0.55, (0.4, 0.6)).spread == "0.4500 to 0.5500"


def test_gate_title(write_run: Callable[..., Path], binary: Facts) -> None:
    """A gate is told in words, and the columns it compares by their own names."""
    found = record.read(write_run(binary, None))
    titles = [
        scores.gate_title(found, name)
        for name in ("roc_auc", "demographic_parity_ratio by marital_status", "latency_p95_ms")
    ]
    assert titles == ["ROC AUC", "Demographic parity ratio by marital_status", "Latency p95, ms"]


@pytest.mark.parametrize(
    ("value", "bounds", "expected"),
    [
        (0.5, (0.4, 0.6), "0.5000 (0.4000 to 0.6000): below four fifths"),
        (0.9, (0.85, 0.95), "0.9000 (0.8500 to 0.9500): above four fifths"),
        (
            0.78,
            (0.7, 0.9),
            "0.7800 (0.7000 to 0.9000): below four fifths, which the interval does not prove",
        ),
        (0.78, None, "0.7800: below four fifths"),
        (None, None, "not defined"),
    ],
)
def test_the_four_fifths_rule(value: float | None, bounds: tuple[float, float] | None, expected: str) -> None:
    """A parity ratio is said to be on one side of four fifths only where its interval is."""
    audit = {"demographic_parity_ratio": value, "intervals": {}}
    if bounds:
        audit["intervals"] = {"demographic_parity_ratio": {"low": bounds[0], "high": bounds[1]}}
    assert scores.measure_words(audit, "demographic_parity_ratio") == expected
    other = {"equalized_odds_ratio": value, "intervals": {}}
    assert "four fifths" not in scores.measure_words(other, "equalized_odds_ratio")
