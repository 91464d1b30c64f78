"""Rows whose target is missing, as `schema.missing_target` says: an error with its cure, or left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from engine.data.check import check
from engine.data.schema import Schema
from engine.data.violation import Violation, to_error
from engine.errors import DataError

_CURE = "schema.missing_target: drop leaves such rows out, and counts them"


def with_targets(frame: pl.DataFrame, *, schema: Schema, shown: str) -> tuple[pl.DataFrame, np.ndarray]:
    """Return the rows of a checked frame whose target is there, and their places in it.

    Parameters
    ----------
    frame
        Shape (n_rows, n_columns), with the target's column.
    shown
        The file's name in messages.

    Returns
    -------
    tuple
        A frame of shape (n_kept, n_columns), and int64 indices of shape (n_kept,), rising from 0.

    Raises
    ------
    DataError
        If no row is left, or what their weights sum to breaks the rule of weights.
    """
    present = frame[schema.target.name].is_not_null()
    places = present.arg_true().to_numpy().astype(np.int64)
    if not len(places):
        what = f"the target is missing in every row ({frame.height}): none is left to learn from"
        raise DataError.of(what, key=schema.target.name, file=shown)
    kept = frame.filter(present)
    # What single rows must hold they still do; the sum of the weights is another.
    violations = [
        replace(violation, first_rows=tuple(int(places[row - 1]) + 1 for row in violation.first_rows))
        for violation in check(kept, schema=schema.only(["weight"]))
    ]
    if violations:
        raise to_error(violations, file=shown)
    return kept, places


def targets_may_miss(schema: Schema) -> Schema:
    """Return the same contract, but that the target may be null."""
    columns = tuple(
        replace(column, nullable=True) if column.role == "target" else column for column in schema.columns
    )
    return replace(schema, columns=columns)


def with_cure(violation: Violation, *, schema: Schema) -> Violation:
    """Return the violation; where it is of missing targets, with what a recipe can say to leave them out."""
    is_target = any(column.name == violation.column for column in schema.of_role("target"))
    return replace(violation, note=_CURE) if is_target and violation.rule == "nullable" else violation
