"""Fits the features of one column on the training rows: what the family needs, and what the recipe asks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from engine.data.schema import Column
from engine.features.categories import fit_levels
from engine.features.cycles import ROUNDS, fit_cyclic
from engine.features.datetimes import PARTS, part_of
from engine.features.feature import Feature, Indicator, Number
from engine.features.feed import as_input, is_text
from engine.features.needs import Needs
from engine.features.numbers import fit_flag, fit_number
from engine.features.shapes import fit_shaped
from engine.features.targets import Outcome, fit_targets
from engine.features.terms import fit_terms


def fit_features(
    frame: pl.DataFrame, column: Column, *, needs: Needs, outcome: Outcome | None
) -> list[Feature]:
    """Fit what becomes of a column.

    Parameters
    ----------
    frame
        The training rows, shape (n_train, any).
    needs
        What the family wants of every column; what the column's own keys say wins.
    outcome
        The target of these rows, for columns that are encoded by it.
    """
    if column.encode == "target":
        assert outcome is not None
        return [fit_targets(frame, column, needs=needs, outcome=outcome)]
    needs = needs_of(column, needs)
    if column.type == "text":
        return [fit_terms(frame, column)]
    if is_text(column):
        return [fit_levels(frame, column, needs=needs)]
    if column.storage == "datetime":
        return _fit_datetime(frame, column, needs=needs)
    values = frame.select(as_input(column)).to_series().to_numpy()
    if column.scale in {"log", "quantile"}:
        return [fit_shaped(values, column, needs=needs)]
    if column.storage == "boolean":
        filling = fit_flag(values, needs=needs)
    else:
        filling = fit_number(values, needs=needs, impute=column.impute, scale=column.scale)
    return [Number(column, None, filling), *_marks(values, column, needs)]


def needs_of(column: Column, needs: Needs) -> Needs:
    """Return what a family needs of one column: what the column's own keys say wins."""
    if column.encode in {"codes", "onehot"}:
        needs = replace(needs, categories=column.encode)
    return needs if column.impute is None else replace(needs, missing="impute")


def _fit_datetime(frame: pl.DataFrame, column: Column, *, needs: Needs) -> list[Feature]:
    parts = {part: frame.select(part_of(column, part)).to_series().to_numpy() for part in PARTS}
    features: list[Feature] = []
    for part, array in parts.items():
        if part != "days" and not _varies(array):
            continue
        if column.encode == "cyclic" and part in ROUNDS:
            features.append(fit_cyclic(column, part, needs=needs))
        else:
            features.append(Number(column, part, fit_number(array, needs=needs)))
    return [*features, *_marks(parts["days"], column, needs)]


def _marks(values: np.ndarray, column: Column, needs: Needs) -> list[Feature]:
    """Return an indicator where missing values are filled in; it stands right behind its number."""
    return [Indicator(column)] if needs.missing == "impute" and np.isnan(values).any() else []


def _varies(values: np.ndarray) -> bool:
    present = values[~np.isnan(values)]
    return present.size > 0 and bool((present != present[0]).any())
