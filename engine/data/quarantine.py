"""Rows that break the contract, set aside with their reasons, so that the others can be scored."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from engine.data.opened import Part
from engine.data.rules import rules_of
from engine.data.schema import Schema
from engine.data.storage import Held, expected_type
from engine.data.violation import headline

SCHEMA = {"file": pl.String(), "row": pl.Int64(), "reasons": pl.String()}
# Takes the rows that were set aside: their file, their place in it, counted from 1, and why.
Set = Callable[[pl.DataFrame], None]


def sound_rows(part: Part, *, schema: Schema, set_aside: Set) -> pl.DataFrame:
    """Return the rows of a part that keep every rule that a row can break; the others are set aside.

    No value is among the reasons: it may be anyone's.

    Parameters
    ----------
    set_aside
        Is called with columns as `SCHEMA` says, where there are such rows.
    """
    held = part.held
    broken = [(words, mask) for words, mask in _broken(held, schema) if mask.any()]
    if not broken:
        return held.frame
    reasons = pl.DataFrame(
        [
            pl.select(pl.when(mask).then(pl.lit(words))).to_series().alias(str(place))
            for place, (words, mask) in enumerate(broken)
        ]
    ).select(pl.concat_str(pl.all(), separator="; ", ignore_nulls=True))
    is_wrong = pl.fold(
        pl.lit(value=False), lambda one, other: one | other, [pl.lit(mask) for _, mask in broken]
    )
    mask = pl.select(is_wrong).to_series()
    places = mask.arg_true().cast(pl.Int64)
    set_aside(
        pl.DataFrame(
            {
                "file": pl.repeat(part.file, len(places), dtype=pl.String, eager=True),
                "row": places + part.first_row + 1,
                "reasons": reasons.to_series().filter(mask),
            },
            schema=SCHEMA,
        )
    )
    return held.frame.filter(~mask)


def _broken(held: Held, schema: Schema) -> list[tuple[str, pl.Series]]:
    """Return what each rule of each column says, and which rows break it."""
    found = []
    for column in schema.columns:
        if column.name not in held.frame.columns:
            continue
        cells = held.frame[column.name].alias("cell")
        refused = held.refused[column.name].mask if column.name in held.refused else None
        if refused is not None:
            found.append((f"{column.name}: {headline('type', expected_type(column))}", refused))
        for rule in rules_of(column):
            if not rule.whole:
                mask = cells.to_frame().select(rule.fails(pl.col("cell")).fill_null(value=False)).to_series()
                said = f"{column.name}: {headline(rule.name, rule.expected)}"
                found.append((said, mask if refused is None else mask & ~refused))
    return found
