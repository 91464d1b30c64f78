"""The drift counters tell of rows that are not as the training rows were."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from engine.data.quality.shift import psi
from engine.data.schema import Column, Schema
from engine.operate.drift import MIN_ROWS, Drift
from engine.operate.meters import meters
from engine.runs.reference import reference

RNG = np.random.default_rng(0)
COLUMNS = (
    Column("size", "number", "feature", "float64", nullable=True),
    Column("kind", "category", "feature", "string", nullable=True),
    Column("is_new", "boolean", "feature", "boolean"),
    Column("when", "datetime", "feature", "datetime"),
    Column("text", "text", "feature", "string"),
    Column("who", "category", "feature", "string", pii=True),
)
SCHEMA = Schema(COLUMNS, positive=None, extra="error", missing_target="error")


def table(n_rows: int, *, shift: float = 0.0, kinds: str = "aabc", missing: float = 0.1) -> pl.DataFrame:
    """Return rows, some values missing."""
    sizes = pl.Series(RNG.normal(shift, 1, n_rows)).set(pl.Series(RNG.random(n_rows) < missing), None)
    return pl.DataFrame(
        {
            "size": sizes,
            "kind": RNG.choice(list(kinds), n_rows),
            "is_new": RNG.random(n_rows) < 0.5,
            "when": pl.Series(RNG.integers(0, 10**15, n_rows)).cast(pl.Datetime("us")),
            "text": ["x" * n for n in RNG.integers(0, 40, n_rows)],
            "who": RNG.choice(list("xyz"), n_rows),
        }
    )


def drift_of(*parts: pl.DataFrame) -> Drift:
    """Return what is counted of rows against others that were trained with."""
    drift = Drift(reference(table(20_000), SCHEMA))
    for part in parts:
        drift.count(part)
    return drift


def test_rows_as_in_training_do_not_drift() -> None:
    """Of rows that are drawn alike every index is near nothing, and nothing is unseen."""
    shifts = drift_of(table(5_000)).shifts()
    # Personal data has no profile to be held against.
    assert set(shifts) == {"size", "kind", "is_new", "when", "text"}
    assert max(shift.psi for shift in shifts.values()) < 0.03
    assert shifts["size"].missing == pytest.approx(0.1, abs=0.02)
    assert max(shift.unseen for shift in shifts.values()) < 0.001


def test_what_drifts_is_told_by_its_column() -> None:
    """A mean that moves, a new level, and values that go missing are each seen, the others stay."""
    moved = drift_of(table(5_000, shift=1.0)).shifts()
    assert moved["size"].psi > 0.5
    assert max(shift.psi for name, shift in moved.items() if name != "size") < 0.03
    new = drift_of(table(5_000, kinds="aabd")).shifts()["kind"]
    assert new.unseen == pytest.approx(0.25, abs=0.03)
    assert drift_of(table(5_000, missing=0.6)).shifts()["size"].missing == pytest.approx(0.6, abs=0.03)
    assert drift_of(table(5_000, shift=100.0)).shifts()["size"].unseen == pytest.approx(0.9, abs=0.03)


def test_the_index_by_hand() -> None:
    """Of levels the index is that of `psi` on the shares, the empty bins of others and of nulls among them."""
    levels = [{"value": "a", "share": 0.8}, {"value": "b", "share": 0.2}]
    profile = {"type": "category", "null_share": 0.5, "levels": levels, "other_share": 0.0}
    drift = Drift({"probabilities": [], "columns": {"x": profile}})
    drift.count(pl.DataFrame({"x": ["a"] * 300 + ["c"] * 100 + [None] * 600}))
    by_hand = psi(np.array([0.4, 0.1, 0.0, 0.5]), np.array([0.3, 0.0, 0.1, 0.6]))
    assert drift.shifts()["x"].psi == pytest.approx(by_hand, abs=1e-12)


def test_few_rows_say_nothing() -> None:
    """Before there are enough rows there is no number, on which an alarm would ring by chance."""
    drift = drift_of(table(MIN_ROWS - 1))
    assert drift.shifts() == {}
    drift.count(table(1))
    assert drift.shifts() != {}


def test_what_was_is_forgotten() -> None:
    """Rows of late weigh more: a drift that is over is gone from the index after some ten thousands of rows."""
    drift = drift_of(table(20_000, shift=1.0))
    before = drift.shifts()["size"].psi
    for _ in range(12):
        drift.count(table(10_000))
    assert before > 0.5
    assert drift.shifts()["size"].psi < 0.02


def test_a_model_without_a_profile() -> None:
    """A reference without columns, as of a bundle that was made by hand, counts nothing and fails nowhere."""
    drift = Drift({})
    drift.count(table(1_000))
    assert drift.shifts() == {}


def test_the_gauges() -> None:
    """A column's gauges have its numbers; a column that is no more has none."""
    from prometheus_client import REGISTRY

    drift = drift_of(table(1_000))
    meters().drifted(drift.n_rows, drift.shifts(), drift.columns)
    shown = REGISTRY.get_sample_value("engine_drift_psi", {"column": "size"})
    assert shown == drift.shifts()["size"].psi
    assert REGISTRY.get_sample_value("engine_drift_rows") == 1_000
    meters().drifted(0, {}, ["size"])
    assert math.isnan(REGISTRY.get_sample_value("engine_drift_psi", {"column": "size"}) or 0.0)
