"""Columns from the future of their row: moments after it, and the target of a later row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from engine.data.quality.finding import FUTURE, Finding, Found
from engine.data.schema import Column, Schema

if TYPE_CHECKING:
    Array = np.ndarray
_LATER_SHARE = 0.01
# How many rows ahead a column may hold the target of.
_AHEAD = (1, 2, 3)
_EQUAL = 0.95
# Where the target itself stays the same from row to row, to equal the next one is to equal this one.
_STILL = 0.5
_MIN_ROWS = 40


def check_future(frame: pl.DataFrame, schema: Schema, y: Array) -> Found:
    """Find what can't have been known at the time of a row, where a column says that time.

    Parameters
    ----------
    y
        Class codes, or values; shape (n_rows,).
    """
    times = schema.of_role("time")
    if not times:
        return Found(measures={FUTURE: 0})
    findings = []
    if times[0].storage == "datetime":
        findings += list(_later(frame, schema, times[0]))
    if frame.height >= _MIN_ROWS and not schema.of_role("group"):
        findings += list(_ahead(frame, schema, times[0], y))
    return Found(findings, {FUTURE: len({name for finding in findings for name in finding.columns})})


def _later(frame: pl.DataFrame, schema: Schema, time: Column) -> Iterator[Finding]:
    now = frame[time.name]
    for column in schema.features:
        if column.storage != "datetime":
            continue
        n = int((frame[column.name] > now).fill_null(value=False).sum())
        n_known = frame.height - frame[column.name].null_count()
        if n_known and n >= max(_LATER_SHARE * n_known, 1):
            what = f"'{column.name}' lies after '{time.name}' in {n:,} of {n_known:,} rows"
            advice = (
                "if it is written down only then, set its role to ignore; a date that is planned may stay"
            )
            evidence = {"n_rows": n, "n_known": n_known}
            yield Finding(FUTURE, "serious", (column.name,), what, evidence, advice)


def _ahead(frame: pl.DataFrame, schema: Schema, time: Column, y: Array) -> Iterator[Finding]:
    """Find numbers that are the target of a row to come, such as a moving window that looks forward."""
    order = frame[time.name].arg_sort().to_numpy()
    ordered = y[order].astype(np.float64)
    for column in schema.features:
        if column.storage not in {"int64", "float64"}:
            continue
        values = frame[column.name].cast(pl.Float64).fill_null(float("nan")).to_numpy()[order]
        for step in _AHEAD:
            if np.isclose(ordered[:-step], ordered[step:]).mean() > _STILL:
                continue
            share = float(np.isclose(values[:-step], ordered[step:], rtol=1e-9, atol=1e-9).mean())
            if share >= _EQUAL:
                later = "one row" if step == 1 else f"{step} rows"
                what = f"'{column.name}' is the target of {later} later, in {share:.1%} of the rows"
                advice = "it looks forward: let it look back, or set its role to ignore"
                evidence = {"share": round(share, 6), "n_rows_ahead": step}
                yield Finding(FUTURE, "serious", (column.name,), what, evidence, advice)
                break
