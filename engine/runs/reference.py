"""The reference profile: what the training rows looked like, for watching drift later.

Only shares and quantiles leave the run, and of columns marked `pii` or holding free text nothing that could
be read back.
"""

from __future__ import annotations

import polars as pl

from engine.data.schema import Column, Schema

MAX_LEVELS = 100
# Every twentieth: enough for a population stability index of 10 or 20 bins (Siddiqi 2006, ch. 6).
PROBABILITIES = tuple(step / 20 for step in range(21))


def reference(frame: pl.DataFrame, schema: Schema) -> dict[str, object]:
    """Return the profile of the feature columns of `frame`, as plain JSON values.

    Parameters
    ----------
    frame
        Shape (n_rows, n_columns); needs every feature of `schema`. 0 rows are a normal case.

    Returns
    -------
    dict
        `n_rows`, and `columns`: a column name to its `type`, its `null_share`, and, unless the column is
        `pii`, `quantiles` at `probabilities` (numbers, dates as ISO 8601, lengths of texts) or `levels`, the
        shares of the most frequent values among those present, with `other_share` for the rest.
    """
    columns = {column.name: _column(frame[column.name], column) for column in schema.features}
    return {"n_rows": frame.height, "probabilities": list(PROBABILITIES), "columns": columns}


def _column(values: pl.Series, column: Column) -> dict[str, object]:
    present = values.drop_nulls()
    if column.storage == "float64":
        present = present.filter(present.is_finite())
    profile: dict[str, object] = {
        "type": column.type,
        "null_share": 1 - len(present) / len(values) if len(values) else 0.0,
    }
    if column.pii:
        return profile
    if column.type in ("category", "boolean"):
        return profile | _levels(present)
    if column.storage == "string":
        present = present.str.len_chars()
    return profile | {"quantiles": _quantiles(present)}


def _levels(present: pl.Series) -> dict[str, object]:
    counts = present.alias("value").value_counts(name="n").sort("n", "value", descending=[True, False])
    kept = counts.head(MAX_LEVELS)
    n = max(len(present), 1)
    levels = [{"value": value, "share": count / n} for value, count in kept.iter_rows()]
    return {"levels": levels, "other_share": (len(present) - int(kept["n"].sum())) / n}


def _quantiles(present: pl.Series) -> list[float | str]:
    """Return values that occur: the nearest rank needs no interpolation between dates or counts."""
    if present.is_empty():
        return []
    ordered = present.sort()
    ranks = [round(probability * (len(ordered) - 1)) for probability in PROBABILITIES]
    found = [ordered[rank] for rank in ranks]
    if present.dtype.is_temporal():
        return [value.isoformat() for value in found]
    return found
