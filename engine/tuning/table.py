"""A search as a table and as a record: what `trials.parquet` and `facts.json` hold of it."""

from __future__ import annotations

import json
from collections.abc import Iterable

import polars as pl

from engine.recipe.text import Plain
from engine.tuning.trial import Outcome, Trial


def trials_frame(pairs: Iterable[tuple[Trial, Outcome]]) -> pl.DataFrame:
    """Return one row a trial, in order.

    Returns
    -------
    pl.DataFrame
        `trial model state score is_feasible seed repeats start n_iterations seconds error`, then
        `params.NAME` of every param that any trial set, `measured.NAME` of what was measured and
        `missed.GATE`, null where a trial has none. A param of numbers is a column of numbers; of anything
        else of JSON texts.
    """
    rows = list(pairs)
    columns = [
        pl.Series("trial", [trial.index for trial, _ in rows], dtype=pl.Int64),
        pl.Series("model", [trial.model for trial, _ in rows], dtype=pl.String),
        pl.Series("state", [outcome.state for _, outcome in rows], dtype=pl.String),
        pl.Series("score", [outcome.score for _, outcome in rows], dtype=pl.Float64),
        pl.Series("is_feasible", [outcome.is_feasible for _, outcome in rows], dtype=pl.Boolean),
        pl.Series("seed", [trial.seed for trial, _ in rows], dtype=pl.Int64),
        pl.Series("repeats", [trial.repeats for trial, _ in rows], dtype=pl.Int64),
        pl.Series("start", [trial.start for trial, _ in rows], dtype=pl.Int64),
        pl.Series("n_iterations", [outcome.n_iterations for _, outcome in rows], dtype=pl.Int64),
        pl.Series("seconds", [outcome.seconds for _, outcome in rows], dtype=pl.Float64),
        pl.Series("error", [outcome.error for _, outcome in rows], dtype=pl.String),
    ]
    columns += [
        _param(f"params.{name}", [trial.params.get(name) for trial, _ in rows])
        for name in _names(trial.params for trial, _ in rows)
    ]
    for name in _names(outcome.measured for _, outcome in rows):
        values = [outcome.measured.get(name) for _, outcome in rows]
        columns.append(pl.Series(f"measured.{name}", values, dtype=pl.Float64))
    for name in _names(outcome.missed for _, outcome in rows):
        values = [outcome.missed.get(name) for _, outcome in rows]
        columns.append(pl.Series(f"missed.{name}", values, dtype=pl.Float64))
    return pl.DataFrame(columns)


def _names(mappings: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def _param(name: str, values: list[Plain]) -> pl.Series:
    given = [value for value in values if value is not None]
    if all(isinstance(value, int) and not isinstance(value, bool) for value in given):
        return pl.Series(name, values, dtype=pl.Int64)
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        numbers = [None if value is None else float(value) for value in values]  # type: ignore[arg-type]
        return pl.Series(name, numbers, dtype=pl.Float64)
    texts = [value if isinstance(value, str | None) else json.dumps(value) for value in values]
    return pl.Series(name, texts, dtype=pl.String)
