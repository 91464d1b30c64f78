"""Counts, in one pass over a frame, the rows that break each rule of the contract.

Only where a count is above zero does a second pass fetch the first rows. The counts equal pandera's eager
ones (a property test holds them together), at the cost of one polars aggregate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import polars as pl

from engine.data.rules import Rule, rules_of
from engine.data.schema import Column, Schema
from engine.data.storage import Refused
from engine.data.violation import N_SHOWN, Violation, show, to_error

Scope = Literal["all", "rows", "table"]

__all__ = ["Violation", "check", "to_error"]


def check(
    frame: pl.DataFrame,
    *,
    schema: Schema,
    first_row: int = 0,
    refused: Mapping[str, Refused] | None = None,
    scope: Scope = "all",
) -> tuple[Violation, ...]:
    """Return every rule that some row breaks, in the order of the schema.

    Parameters
    ----------
    frame
        Shape (n_rows, n_columns), held as `schema` says; columns of the schema that it lacks are not checked.
    first_row
        Number of rows of the table that stand before this frame; violations number rows of the table, from 1.
    refused
        Cells that could not be held and are null for that reason: they are not also counted as null.
    scope
        `rows`: the rules that a single row can break. `table`: those on a table as a whole, such as `unique`,
        which a part of one can neither keep nor break. `all`: both.

    Notes
    -----
    O(n_rows) but for `unique`, which hashes its column. A NaN counts as null.
    """
    # Of many columns their names are asked for once: polars makes the list anew each time.
    present = frozenset(frame.columns)
    columns = [column for column in schema.columns if column.name in present]
    # Numbered names, because polars reads `*` and `^…$` in a name as patterns.
    numbered = {str(at): frame[column.name] for at, column in enumerate(columns)}
    for at, column in enumerate(columns):
        if refused and column.name in refused:
            numbered[_refused_name(at)] = refused[column.name].mask
    plain = pl.DataFrame([series.alias(name) for name, series in numbered.items()])
    held = frozenset(plain.columns)
    tests = [
        (at, rule, _test(rule, at, held))
        for at, column in enumerate(columns)
        for rule in rules_of(column)
        if scope == "all" or rule.whole == (scope == "table")
    ]
    counts = plain.lazy().select(
        _screen(rule, test, str(at)).alias(f"n{place}") for place, (at, rule, test) in enumerate(tests)
    )
    found = counts.collect().row(0) if tests else ()
    violations = []
    for (at, rule, test), n_found in zip(tests, found, strict=True):
        if n_found:
            failing = plain.select(test.fill_null(value=False)).to_series()
            if failing.any():
                violations.append(_violation(columns[at], rule, plain[str(at)], failing, first_row=first_row))
    return tuple(violations)


def tests_of(columns: Mapping[str, Column]) -> list[pl.Expr]:
    """Return an aggregate for each rule of each column, by the column's name; zero where no row breaks it."""
    return [
        _screen(rule, rule.fails(pl.col(name)), name)
        for name, column in columns.items()
        for rule in rules_of(column)
    ]


def _screen(rule: Rule, test: pl.Expr, name: str) -> pl.Expr:
    """Return what is zero where no row fails; for `unique` that is cheaper than to mark the duplicates."""
    return pl.len() - pl.col(name).n_unique() if rule.name == "unique" else test.sum()


def _test(rule: Rule, at: int, held: frozenset[str]) -> pl.Expr:
    test = rule.fails(pl.col(str(at)))
    return test & ~pl.col(_refused_name(at)) if _refused_name(at) in held else test


def _refused_name(at: int) -> str:
    return f"refused {at}"


def _violation(
    column: Column, rule: Rule, cells: pl.Series, failing: pl.Series, *, first_row: int
) -> Violation:
    rows = failing.arg_true().head(N_SHOWN)
    hidden = column.sensitive or column.pii or rule.name == "nullable"
    return Violation(
        column=column.name,
        rule=rule.name,
        n_rows=int(failing.sum()),
        first_rows=tuple(first_row + row + 1 for row in rows),
        examples=() if hidden else tuple(map(show, cells.gather(rows).to_list())),
        expected=rule.expected,
        allowed=rule.allowed,
    )
