"""Divides a table: the target is read from all rows, the parts are cut, each part is encoded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from engine.data.levels import check_levels
from engine.data.parts import PartData
from engine.data.split import Parts, split
from engine.data.table import Streamed, Table
from engine.errors import DataError
from engine.recipe.spec import Spec
from engine.recipe.text import show
from engine.tasks.task import Target, Task
from engine.tasks.value import row_worth
from engine.training.learnable import check_learnable


@dataclass(frozen=True)
class Divided:
    """A table cut into parts, with the target that all parts share.

    Attributes
    ----------
    streamed
        All rows, of which these are some, where the table is larger than memory.
    """

    target: Target
    parts: Parts
    whole: PartData
    streamed: Streamed | None = None

    @property
    def train(self) -> PartData:
        """The rows a model is fitted on."""
        return self.whole.take(self.parts.train)

    @property
    def validation(self) -> PartData:
        """The rows that stop a fit early and choose the threshold."""
        return self.whole.take(self.parts.validation)

    @property
    def test(self) -> PartData:
        """The rows that judge, and nothing else."""
        return self.whole.take(self.parts.test)


def divide(table: Table, *, task: Task, spec: Spec) -> Divided:
    """Cut a table into parts.

    Raises
    ------
    DataError
        If the target can't be learnt from, the rows do not suffice for the split, or those of a part weigh 0.
    RecipeError
        As `check_learnable`.
    """
    column = table.frame[table.schema.target.name]
    try:
        target = task.target(_values(table), table.schema)
        streamed = table.streamed
        parts = split(table, spec=spec.split, seed=spec.seed) if streamed is None else streamed.parts
        check_levels(table, parts)
        _check_judged(parts, spec=spec)
        y = task.encode(column, target)
        weights = _weights(table)
        _check_weights(parts, weights, table)
        heavy = None if weights is None else weights[parts.train]
        check_learnable(target, y[parts.train], weights=heavy, spec=spec, task=task)
    except DataError as error:
        raise _after_drop(error, table).at(show(Path(table.source.path))) from None
    value = spec.goal.value
    worth = None if value is None or not value.columns else row_worth(value, table.frame, y)
    return Divided(target, parts, PartData(table.frame, y, weights, worth), streamed)


def _weights(table: Table) -> np.ndarray | None:
    columns = table.schema.of_role("weight")
    return table.frame[columns[0].name].to_numpy().astype(np.float64) if columns else None


def _check_weights(parts: Parts, weights: np.ndarray | None, table: Table) -> None:
    """Refuse a part of which no row counts: nothing can be learnt, chosen or judged by it."""
    for name, rows in {"training": parts.train, "validation": parts.validation, "test": parts.test}.items():
        if weights is not None and len(rows) and not weights[rows].any():
            what = f"no {name} row of {len(rows)} weighs more than 0"
            raise DataError.of(what, key=f"schema.columns.{table.schema.of_role('weight')[0].name}")


def _values(table: Table) -> pl.Series:
    """Return the target; of one of classes whose rows lie on disk, each class twice that has several rows."""
    name = table.schema.target.name
    counts = None if table.streamed is None else table.streamed.overall.targets
    if counts is None:
        return table.frame[name]
    return pl.concat([counts["value"], counts.filter(pl.col("n") > 1)["value"]]).alias(name)


def _check_judged(parts: Parts, *, spec: Spec) -> None:
    """Refuse a search without the rows that its trials are scored on; only the data can lack them unsaid."""
    if spec.tune.kind == "none" or spec.tune.objective != "validation" or len(parts.validation):
        return
    what = "trials are scored on validation rows, and no row is of that part"
    raise DataError.of(what, key="split.kind", try_="tune=none, or such rows in the column with role: part")


def _after_drop(error: DataError, table: Table) -> DataError:
    """Say that rows were left out before: what is wrong may be of that, and it shifts the rows' numbers."""
    if not table.left_out:
        return error
    first, *others = error.messages
    what = f"{first.what}; rows are counted after those that were {table.left_out}"
    return DataError([replace(first, what=what), *others])
