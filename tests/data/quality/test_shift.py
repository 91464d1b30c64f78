"""The population stability index, and what is called a shift."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from scipy import stats

from engine.data.quality.shift import by_chance, check_population, check_shift, psi
from engine.data.schema import Column, Schema
from engine.data.split import Parts

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]
HALVES = Parts(np.arange(1000), np.array([], np.int64), np.arange(1000, 2000))


def test_the_index_is_hand_worked() -> None:
    """(.25 - .5) ln(.25 / .5) + (.75 - .5) ln(.75 / .5)."""
    expected = -0.25 * np.log(0.5) + 0.25 * np.log(1.5)
    assert psi(np.array([0.5, 0.5]), np.array([0.25, 0.75])) == pytest.approx(expected)
    assert psi(np.array([0.3, 0.7]), np.array([0.3, 0.7])) == 0


def test_what_chance_exceeds_is_a_chi_square() -> None:
    """The bound is scipy's quantile within 2 %, and one column in a thousand of equal ones is above it."""
    for n_bins in (5, 10, 20):
        exact = stats.chi2.ppf(0.999, n_bins - 1) * (1 / 300 + 1 / 700)
        assert by_chance(n_bins, 300, 700) == pytest.approx(exact, rel=0.02)


def test_a_shift_is_named_and_chance_is_not(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """Of four columns the one that moved, and the one that began to be missing, are named."""
    rng = np.random.default_rng(0)
    late = np.arange(2000) >= 1000
    frame = pl.DataFrame(
        {
            "still": rng.normal(0, 1, 2000),
            "moved": rng.normal(0, 1, 2000) + late,
            "lost": np.where(late & (rng.random(2000) < 0.3), None, rng.random(2000)).tolist(),
            "kind": rng.choice(["a", "b", "c"], 2000).tolist(),
        },
        schema_overrides={"lost": pl.Float64},
    )
    schema = schema_of(
        *(column_of(name, "category" if name == "kind" else "number") for name in frame.columns)
    )
    found = check_shift(frame, schema, HALVES, in_time=False, seed=0)
    assert [(one.severity, one.columns) for one in found.findings] == [
        ("warning", ("moved",)),
        ("warning", ("lost",)),
    ]
    assert found.measures["shift_between_parts"] == max(found.figures["shift_test"].values())
    assert found.figures["shift_test"]["still"] < 0.05


def test_small_parts_differ_by_chance(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """Of sixty rows hardly any spread is beyond chance: nothing is named."""
    frame = pl.DataFrame({str(at): np.random.default_rng(at).normal(0, 1, 60) for at in range(40)})
    schema = schema_of(*(column_of(name, "number") for name in frame.columns))
    parts = Parts(np.arange(30), np.array([], np.int64), np.arange(30, 60))
    found = check_shift(frame, schema, parts, in_time=False, seed=0)
    assert found.findings == []
    assert found.measures["shift_between_parts"] > 0.25


def test_the_population_is_held_against_training_rows() -> None:
    """Shares that the recipe declares, and what is left of 1 for all other values."""
    frame = pl.DataFrame({"sex": ["f"] * 300 + ["m"] * 700 + ["f"] * 1000})
    near = check_population(frame, HALVES, {"sex": {"f": 0.3, "m": 0.7}})
    assert (near.findings, near.measures) == ([], {"shift_from_population": 0.0})
    (only,) = check_population(frame, HALVES, {"sex": {"f": 0.6}}).findings
    assert only.what == "'sex' is spread otherwise than data.population says (PSI 0.38)"
    assert only.severity == "serious"
    assert only.evidence == {
        "psi": 0.375829,
        "furthest": "f",
        "its_share": 0.3,
        "its_share_in_population": 0.6,
    }
    nobody = check_population(frame, HALVES, None)
    assert np.isnan(nobody.measures["shift_from_population"])


def test_ranges_of_numbers_are_held_against_the_population() -> None:
    """Half of the people below 40 where there should be a fifth; a bound belongs to the range above it."""
    ages = [20, 39, 40, 60] * 250
    frame = pl.DataFrame({"age": [*ages, *ages]})
    near = check_population(frame, HALVES, {"age": {"..40": 0.5, "40..": 0.5}})
    assert (near.findings, near.measures) == ([], {"shift_from_population": 0.0})
    (only,) = check_population(frame, HALVES, {"age": {"..40": 0.2, "40..50": 0.4, "50..": 0.4}}).findings
    # (0.5 - 0.2) ln(0.5 / 0.2) + 2 (0.25 - 0.4) ln(0.25 / 0.4)
    assert only.evidence["psi"] == pytest.approx(0.415888, abs=1e-6)
    assert (only.severity, only.evidence["furthest"], only.evidence["its_share"]) == ("serious", "..40", 0.5)
