"""Why a metric has no value is said, in the metric's own words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.report import record
from engine.report.section_results import metrics
from engine.report.undefined import undefined

Facts = dict[str, dict]
LINEAR = ": no value for the linear baseline."
POISSON = "Mean Poisson deviance is not defined unless every value of the target is 0 or more and every prediction above 0."


@pytest.mark.parametrize(
    ("place", "expected"),
    [((), ()), (("test",), (POISSON,)), (("baselines", "linear", "test"), (POISSON[:-1] + LINEAR,))],
)
def test_a_metric_without_a_value_says_what_it_needs(
    place: tuple[str, ...], expected: tuple[str, ...], write_run: Callable[..., Path], continuous: Facts
) -> None:
    """On whatever part the value is not there, the reason stands once below the page's table."""
    found = continuous["metrics"]
    parts = [found["test"], *(found["baselines"][kind]["test"] for kind in ("constant", "linear"))]
    for scores in parts:
        scores["poisson_deviance"] = {"value": 0.5, "low": None, "high": None}
    for key in place:
        found = found[key]
    if place:
        found["poisson_deviance"] = {"value": None, "low": None, "high": None}
    read = record.read(write_run(continuous, None))
    assert undefined(read) == expected
    assert str(metrics(read)).count("is not defined unless") == len(expected)


def test_a_metric_that_nobody_knows_has_no_reason(write_run: Callable[..., Path], binary: Facts) -> None:
    """A metric of another version is left without one."""
    binary["metrics"]["test"]["house_blend"] = {"value": None, "low": None, "high": None}
    assert undefined(record.read(write_run(binary, None))) == ()
