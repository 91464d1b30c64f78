"""Disturbed rows: within their contract, as much as is said, and against the model where that is meant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from engine.data.check import check
from engine.data.schema import Column, Schema
from engine.evaluation.robustness import (
    FALLS,
    Disturbed,
    attack,
    disturb,
    follow,
    measurable,
    numbers,
    worst_falls,
)
from engine.tasks.task import Array

COLUMNS = (
    Column("age", "integer", "feature", "int64", min=17, max=90),
    Column("hours", "number", "feature", "float64", nullable=True, min=0.0),
    Column("fixed", "number", "feature", "float64"),
    Column("grade", "integer", "feature", "int64", values=(1, 2, 3)),
    Column("job", "category", "feature", "string", nullable=True),
    Column("code", "category", "feature", "int64"),
    Column("sex", "category", "feature", "string", values=("f", "m")),
    Column("strict", "category", "feature", "string", unseen="error"),
    Column("old", "boolean", "feature", "boolean"),
)
SCHEMA = Schema(COLUMNS, None, "error", "error")


def rows(n: int = 400) -> pl.DataFrame:
    """Draw rows that keep to the contract, some at its bounds."""
    rng = np.random.default_rng(0)
    hours = pl.Series(rng.exponential(20, n)).set(pl.Series(rng.random(n) < 0.1), None)
    return pl.DataFrame(
        {
            "age": rng.integers(17, 91, n),
            "hours": hours,
            "fixed": np.full(n, 3.0),
            "grade": rng.integers(1, 4, n),
            "job": pl.Series(rng.choice(["~", "nurse", ""], n)),
            "code": rng.integers(0, 9, n),
            "sex": rng.choice(["f", "m"], n),
            "strict": rng.choice(["a", "b"], n),
            "old": rng.random(n) < 0.5,
        },
        schema_overrides={"age": pl.Int64, "grade": pl.Int64, "code": pl.Int64},
    )


def wrong(frame: pl.DataFrame) -> Array:
    """Return what the model y = age - 2 hours is wrong by: the higher, the higher the answer."""
    return (frame["age"] - 2 * frame["hours"].fill_null(0)).to_numpy()


def test_rows_stay_within_their_contract() -> None:
    """Bounds, whole numbers, declared values, and what may not be missing or unseen hold in every disturbance."""
    frame = rows()
    found = [*disturb(frame, columns=COLUMNS, seed=0)]
    hostile = attack(frame, columns=COLUMNS, wrong=wrong)
    assert hostile is not None
    for one in [*found, hostile]:
        assert check(one.frame, schema=SCHEMA) == (), one.kind
        assert one.frame.schema == frame.schema
        untouched = [name for name in frame.columns if name not in one.columns]
        assert one.frame.select(untouched).equals(frame.select(untouched))
    columns = {one.kind: one.columns for one in found if one.kind != "shift"}
    assert columns == {"noise": ("age", "hours"), "missing": ("hours", "job"), "unseen": ("job", "code")}
    assert [(one.level, *one.columns) for one in found if one.kind == "shift"] == [
        (-0.5, "age"), (0.5, "age"), (-0.5, "hours"), (0.5, "hours"),
    ]  # fmt: skip


def test_each_disturbance_is_as_large_as_is_said() -> None:
    """A tenth of the cells are gone or new, noise has a tenth of the spread, a shift half of it; seeds decide."""
    frame = rows(20_000).with_columns(
        pl.lit(50.0).alias("hours") + pl.Series(np.random.default_rng(1).normal(size=20_000))
    )
    found = {
        (one.kind, one.level, one.columns[0]): one.frame for one in disturb(frame, columns=COLUMNS, seed=0)
    }
    spread = float(frame["hours"].std())  # type: ignore[arg-type]
    noise = (found["noise", 0.1, "age"]["hours"] - frame["hours"]).to_numpy()
    assert noise.std() == pytest.approx(0.1 * spread, rel=0.05)
    assert found["missing", 0.1, "hours"]["hours"].null_count() == pytest.approx(2000, rel=0.1)
    unseen = found["unseen", 0.3, "job"]
    assert set(unseen["job"].unique()) - set(frame["job"].unique()) == {"~1"}
    assert set(unseen["code"].unique()) - set(frame["code"].unique()) == {9}
    assert (unseen["code"] == 9).mean() == pytest.approx(0.3, abs=0.02)
    moved = found["shift", 0.5, "hours"]["hours"] - frame["hours"]
    assert moved.to_numpy() == pytest.approx(0.5 * spread)
    again, other = ([one.frame for one in disturb(frame, columns=COLUMNS, seed=seed)] for seed in (0, 1))
    assert all(this.equals(that) for this, that in zip(again, found.values(), strict=True))
    assert not again[0].equals(other[0])


def test_what_is_unseen_is_no_code_that_other_rows_have() -> None:
    """Codes that training knows are not new, and beyond the largest integer there is none: it steps down."""
    (code,) = (column for column in COLUMNS if column.name == "code")
    frame, last = rows(), 2**63 - 1
    for others, expected in (([9, 10], 11), ([last], last - 1), ([last, last - 1], last - 2)):
        known = pl.DataFrame({"code": others})
        found = [*disturb(frame, columns=[code], seed=0, known=[known])]
        assert [one.kind for one in found] == ["unseen", "unseen"]
        assert all(set(one.frame["code"]) - set(frame["code"]) == {expected} for one in found)


def test_an_attack_finds_what_hurts_a_linear_model_most() -> None:
    """Of y = age - 2 hours each row's worst corner is known: ages up, hours down, to their bounds."""
    frame = rows()
    found = attack(frame, columns=COLUMNS, wrong=wrong)
    slopes = {"age": np.ones(frame.height), "hours": np.full(frame.height, -2.0)}
    followed = follow(frame, columns=COLUMNS, wrong=wrong, slopes=lambda _: slopes)
    free = numbers(COLUMNS, frame)
    age = (frame["age"] + 0.1 * free["age"][1]).round().clip(17, 90)
    hours = (frame["hours"] - 0.1 * free["hours"][1]).clip(0, None)
    for one in (found, followed):
        assert one is not None
        assert one.frame["age"].to_list() == age.to_list()
        expected = hours.to_numpy()
        assert one.frame["hours"].to_numpy() == pytest.approx(expected, nan_ok=True)


def test_a_step_that_helps_is_not_taken() -> None:
    """Where slopes lie, the row stays as it was: an attack never makes a model look better."""
    frame = rows()
    lies = {"age": -np.ones(frame.height)}
    found = follow(frame, columns=COLUMNS, wrong=wrong, slopes=lambda _: lies)
    assert found is not None
    assert found.frame.equals(frame)


def test_the_worst_of_each_kind_is_what_a_gate_bounds() -> None:
    """Noise at a tenth alone, of shifts the costliest, of attacks the stronger; what was not done is not there."""
    frame = rows(1)
    made: Mapping[str, list[tuple[float, float]]] = {
        "noise": [(0.1, 0.01), (0.3, 0.5)],
        "shift": [(-0.5, 0.2), (0.5, -0.1)],
        "attack": [(0.1, 0.3)],
        "gradient": [(0.1, 0.4)],
    }
    tests = [
        (Disturbed(kind, level, ("age",), frame), fall)  # type: ignore[arg-type]
        for kind, found in made.items()
        for level, fall in found
    ]
    falls = {"robustness_noise_fall": 0.01, "robustness_shift_fall": 0.2, "robustness_attack_fall": 0.4}
    assert worst_falls(tests) == falls
    assert math.isnan(worst_falls([(tests[0][0], math.nan)])["robustness_noise_fall"])


def test_columns_that_allow_nothing_are_not_disturbed() -> None:
    """Without numbers, nullable columns and open categories there is nothing to do, and no gate can be held."""
    closed = tuple(
        replace(column, nullable=False) for column in COLUMNS if column.name in ("sex", "strict", "old")
    )
    frame = rows()
    assert [*disturb(frame, columns=closed, seed=0)] == []
    assert attack(frame, columns=closed, wrong=wrong) is None
    assert [name for name in FALLS if measurable(name, closed)] == []
    assert [name for name in FALLS if measurable(name, COLUMNS)] == list(FALLS)
    assert [*disturb(frame[:0], columns=COLUMNS, seed=0)] == []


def test_whole_numbers_that_stay_as_they_are_are_not_disturbed() -> None:
    """A tenth of a flag's spread, or half of it, moves no flag: no fall of 0, by which a gate would be met."""
    column = Column("flag", "integer", "feature", "int64", min=0, max=1)
    frame = pl.DataFrame({"flag": np.arange(200) % 2})

    def up(rows: pl.DataFrame) -> Array:
        return rows["flag"].to_numpy()

    found = [(one.kind, one.level) for one in disturb(frame, columns=[column], seed=0)]
    assert found == [("noise", 0.3), ("noise", 1.0)]
    assert attack(frame, columns=[column], wrong=up) is None
    slopes = {"flag": np.ones(200)}
    assert follow(frame, columns=[column], wrong=up, slopes=lambda _: slopes) is None
    wide = pl.DataFrame({"flag": [0, 20] * 100})
    free = replace(column, min=None, max=None)
    moved = attack(wide, columns=[free], wrong=up)
    assert moved is not None
    assert moved.frame["flag"].to_list() == [1, 21] * 100
