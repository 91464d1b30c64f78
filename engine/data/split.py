"""Which rows train, validate and test: sorted disjoint index arrays, the same for the same seed.

A split respects what the recipe declares: rows of one group stay together, the future never trains. Knows
rows and declared columns, and nothing of models.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl

from engine.data.assign import by_class, by_group, by_time, codes_of, near_shares
from engine.data.schema import Column, Schema
from engine.data.source import Table
from engine.data.violation import N_SHOWN, Violation, counted, show, to_error
from engine.errors import DataError, Message
from engine.recipe.spec import ColumnSpec, Role, Spec, SplitSpec

Array: TypeAlias = "np.ndarray"
# Deciles, as is usual for stratifying a continuous target; fewer where there are few rows.
_N_BINS = 10
_TEST = 2  # the place of test rows among the shares of train, validation, test
_MIN_BIN_ROWS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Row indices of one fold, int64, sorted, disjoint: none of them a test row.

    Attributes
    ----------
    train
        The rows to fit on.
    validation
        The rows that may stop the fit early; none where `split.validation` is 0.
    judged
        The rows that are scored, which nothing of the fit may see.
    """

    train: Array
    validation: Array
    judged: Array


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Row indices of each part: int64, sorted, disjoint, together all rows.

    Attributes
    ----------
    folds
        Of a `kfold` split, else empty. `validation` is what the first fold judges, `train` the rest.
    """

    train: Array
    validation: Array
    test: Array
    folds: tuple[Fold, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Number of rows of each part."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}

    def sha256(self, *, places: Array | None = None) -> dict[str, str]:
        """Return the SHA-256 (hex) of each part's indices as little-endian int64.

        `places`: where each row of the table stands in its file, as `Table.kept` says, to hash those instead.
        """
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        found = parts if places is None else {name: places[rows] for name, rows in parts.items()}
        return {
            name: hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest() for name, rows in found.items()
        }


def split(table: Table, *, spec: SplitSpec, seed: int) -> Parts:
    """Cut a table into parts as the recipe says.

    `random` draws rows; `stratified` draws within each class of the target, or within its deciles where the
    target is a number; `group` keeps the rows of a group together; `time` trains on the past and tests on the
    future, equal times together; `kfold` holds the test part out first (by the group or time column where
    there is one, else stratified where the target has classes, else at random) and cuts the rest into folds
    the same way. Folds over time are forward-chaining, the latest first, so that the first fold covers all
    rows that are not test rows.

    Parameters
    ----------
    seed
        Decides every draw, and ties between groups; a split by time draws nothing.

    Raises
    ------
    DataError
        If there are fewer rows, groups, times, or rows of a class than parts; or a group or time is null.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    shares = (1.0 - spec.validation - spec.test, spec.validation, spec.test)
    if spec.kind == "kfold":
        return _kfold(table, spec=spec, rng=rng)
    rows = np.arange(table.n_rows)
    _require_rows(table.n_rows, sum(share > 0 for share in shares), what="parts", key="split")
    part_of = _assign(table, rows, kind=spec.kind, shares=shares, rng=rng)
    train, validation, test = (rows[part_of == part] for part in range(3))
    return Parts(train, validation, test)


def check_split(spec: Spec) -> list[Message]:
    """Return what is wrong with the recipe's `split`."""
    return list(_mistakes(spec))


def _mistakes(spec: Spec) -> Iterator[Message]:
    cut = spec.split
    if cut.test == 0:
        yield Message("test is 0: without test rows nothing can be judged", "split.test")
    if cut.kind != "kfold" and cut.test + cut.validation >= 1:
        total = f"{cut.test:g} + {cut.validation:g}"
        yield Message(f"test and validation take all rows ({total}); none are left to train on", "split.test")
    if cut.kind == "kfold" and cut.folds is None:
        what = "kfold needs a number of folds; the option kfold has one, and kind alone has none"
        yield Message(what, "split.kind", try_="split: kfold in defaults, or split.folds: 5")
    if cut.kind != "kfold" and cut.folds is not None:
        what = f"folds are for kfold, and a {cut.kind} split has none"
        yield Message(what, "split.folds", try_="split: kfold in defaults, or split.folds: null")
    yield from _structure_mistakes(spec)


def _structure_mistakes(spec: Spec) -> Iterator[Message]:
    """Say what does not fit the columns that have the role time or group."""
    cut = spec.split
    declared = {
        role: name
        for role in ("time", "group")
        for name, column in spec.schema_.columns.items()
        if column.role == role
    }
    for role in ("time", "group"):
        if cut.kind == role and role not in declared:
            what = f"a {role} split needs a column with role: {role}, and none is declared"
            allowed = _candidates(spec.schema_.columns, role)
            column = next((name for name in allowed if name != spec.schema_.target), "NAME")
            cure = f"schema.columns.{column}.role: {role}, or another split in defaults"
            yield Message(what, "split.kind", allowed=allowed, try_=cure)
    if cut.ignore_structure:
        return
    if cut.kind in {"random", "stratified"}:
        for role, name in declared.items():
            what = f"'{name}' has the role {role}, and a {cut.kind} split would put {_LEAKS[role]}"
            meant = f"split: {role} in defaults; split.ignore_structure: true says that this is meant"
            yield Message(what, f"schema.columns.{name}.role", try_=meant)
    if cut.kind == "kfold" and len(declared) > 1:
        what = f"kfold can respect '{declared['time']}' (time) or '{declared['group']}' (group), not both"
        yield Message(what, "split.kind", suggestion="time")


_LEAKS = {"time": "the future into training", "group": "rows of one group into several parts"}


def _candidates(columns: dict[str, ColumnSpec], role: str) -> tuple[str, ...]:
    types = {"time": {"datetime"}, "group": {"category", "text", "integer"}}[role]
    return tuple(name for name, column in columns.items() if column.type in types)


def _kfold(table: Table, *, spec: SplitSpec, rng: np.random.Generator) -> Parts:
    n_folds = spec.folds
    if n_folds is None:
        raise DataError.of("kfold needs a number of folds", key="split.folds")
    _require_rows(table.n_rows, n_folds + 1, what="folds and the test part", key="split.folds")
    kind = _structure(table.schema, ignore=spec.ignore_structure)
    rows = np.arange(table.n_rows)
    is_test = _assign(table, rows, kind=kind, shares=(1.0 - spec.test, 0.0, spec.test), rng=rng) == _TEST
    test, rest = rows[is_test], rows[~is_test]
    _require_rows(len(rest), n_folds, what="folds", key="split.folds")
    n_blocks = n_folds + 1 if kind == "time" else n_folds
    fold_of = _assign(table, rest, kind=kind, shares=(1 / n_blocks,) * n_blocks, rng=rng)
    if kind == "time":
        cuts = [(rest[fold_of < fold], rest[fold_of == fold]) for fold in range(n_folds, 0, -1)]
    else:
        cuts = [(rest[fold_of != fold], rest[fold_of == fold]) for fold in range(n_folds)]
    folds = tuple(
        Fold(*_hold_out(table, train, kind=kind, share=spec.validation, rng=rng), judged)
        for train, judged in cuts
    )
    return Parts(*cuts[0], test, folds)


def _hold_out(
    table: Table, rows: Array, *, kind: str, share: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Cut the rows that may stop a fit early from a fold's training rows; none where the share is 0."""
    if not share:
        return rows, rows[:0]
    part_of = _assign(table, rows, kind=kind, shares=(1.0 - share, share), rng=rng)
    return rows[part_of == 0], rows[part_of == 1]


def _structure(schema: Schema, *, ignore: bool) -> str:
    """Return the kind of split that respects what the schema declares."""
    if not ignore:
        for role in _STRUCTURES:
            if schema.of_role(role):
                return role
    return "stratified" if _has_classes(schema.target) else "random"


_STRUCTURES: tuple[Role, ...] = ("time", "group")


def _assign(
    table: Table, rows: Array, *, kind: str, shares: Sequence[float], rng: np.random.Generator
) -> Array:
    """Return the part of each of some rows, shape (len(rows),)."""
    if kind == "random":
        return near_shares(len(rows), shares=shares, rng=rng)
    if kind == "stratified":
        return _assign_stratified(table, rows, shares=shares, rng=rng)
    if kind == "group":
        column = _structural(table, "group")
        groups = codes_of(column[rows])
        _require_values(groups, column.name, "group", shares)
        return by_group(groups, shares=shares, rng=rng)
    column = _structural(table, "time")
    times = codes_of(column[rows])
    _require_values(times, column.name, "time", shares)
    return by_time(times, shares=shares)


def _assign_stratified(
    table: Table, rows: Array, *, shares: Sequence[float], rng: np.random.Generator
) -> Array:
    target = table.schema.target
    column = table.frame[target.name][rows]
    n_parts = sum(share > 0 for share in shares)
    if not _has_classes(target):
        n_bins = max(1, min(_N_BINS, len(rows) // (_MIN_BIN_ROWS * n_parts)))
        ranks = column.rank("ordinal").to_numpy().astype(np.int64)
        return by_class((ranks - 1) * n_bins // len(rows), shares=shares, rng=rng)
    codes = codes_of(column)
    counts = np.bincount(codes)
    scarce = np.flatnonzero(counts < n_parts)
    if len(scarce):
        rarest = scarce[np.argmin(counts[scarce])]
        count = int(counts[rarest])
        value = column[int(np.argmax(codes == rarest))]
        shown = "a class" if target.sensitive or target.pii else f"the class '{show(value)}'"
        more = f" (the rarest of {len(scarce)} such classes)" if len(scarce) > 1 else ""
        raise DataError.of(
            f"{shown} has {counted(count, 'row')}, fewer than the {n_parts} parts of the split{more}",
            key=target.name,
        )
    return by_class(codes, shares=shares, rng=rng)


def _has_classes(target: Column) -> bool:
    return target.type in {"category", "boolean", "text"}


def _structural(table: Table, role: Role) -> pl.Series:
    """Return the column of a role, which must be there and have no nulls."""
    columns = table.schema.of_role(role)
    if not columns:
        raise DataError.of(f"the split needs a column with role: {role}", key="split.kind")
    column = table.frame[columns[0].name]
    nulls = column.is_null().arg_true()
    if len(nulls):
        first = tuple(row + 1 for row in nulls.head(N_SHOWN))
        raise to_error([Violation(column.name, "nullable", len(nulls), first, (), "false")])
    return column


def _require_values(codes: Array, name: str, role: str, shares: Sequence[float]) -> None:
    n_found, n_parts = int(codes.max(initial=-1)) + 1, sum(share > 0 for share in shares)
    if n_found < n_parts:
        raise DataError.of(
            f"{counted(n_found, f'distinct {role}')}, fewer than the {n_parts} parts of the split", key=name
        )


def _require_rows(n_rows: int, n_parts: int, *, what: str, key: str) -> None:
    if n_rows < n_parts:
        raise DataError.of(f"{counted(n_rows, 'row')}, too few for {n_parts} {what}", key=key)
