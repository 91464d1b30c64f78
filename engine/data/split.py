"""Which rows train, validate and test: sorted disjoint index arrays, the same for the same seed.

A split respects what the recipe declares: rows of one group stay together, the future never trains. Knows
rows and declared columns, and nothing of models.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import polars as pl

from engine.data.assign import by_class, by_group, by_mixed_group, by_time, codes_of, near_shares
from engine.data.kinds import KINDS, PART_NAMES
from engine.data.schema import Column, Schema
from engine.data.table import Table
from engine.data.times import embargoed, kept_off, length_in
from engine.data.violation import N_SHOWN, Violation, counted, show, to_error
from engine.errors import DataError
from engine.recipe.spec_table import Role, SplitSpec

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
    """Row indices of each part: int64, sorted, disjoint, together all rows but those of a gap in time.

    Attributes
    ----------
    folds
        Of a split into folds, else empty. `validation` is what the first fold judges, `train` the rest.
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
    target is a number; `group` keeps the rows of a group together, `stratified_group` with the mix of classes
    too; `time` trains on the past and tests on the future, equal times together; `predefined` follows the
    column with role part. With folds the test part is held out first, and the rest is cut into folds the same
    way: `kfold` by the group or time column where there is one, else stratified where the target has classes,
    else at random. Folds over time are forward-chaining, the latest first, so that the first fold covers all
    rows that are not test rows; those of `purged` train on what comes after them too.

    Parameters
    ----------
    table
        Rows in the order of their key, where one is declared: the split is then a function of the key.
    seed
        Decides every draw, and ties between groups; a split by time draws nothing.

    Raises
    ------
    DataError
        If there are fewer rows, groups, times, or rows of a class than parts; if a group, time or part is
        null, or no part; or if a gap leaves a part without rows.

    Notes
    -----
    Forward-chaining folds with a gap are those of scikit-learn's TimeSeriesSplit, the gap being a length of
    time and not a number of rows. Folds that train on both sides, with a gap before what is judged and an
    embargo after it: M. Lopez de Prado, "Advances in Financial Machine Learning" (2018), chapter 7.
    """
    if spec.kind == "predefined":
        return _predefined(table)
    rng = np.random.Generator(np.random.PCG64(seed))
    if spec.folds is not None:
        return _folds(table, spec=spec, n_folds=spec.folds, rng=rng)
    if KINDS[spec.kind].folds == "must":
        raise DataError.of(f"{spec.kind} needs a number of folds", key="split.folds")
    shares = spec.shares
    rows = np.arange(table.n_rows)
    _require_rows(table.n_rows, sum(share > 0 for share in shares), what="parts", key="split")
    part_of = _ASSIGN[spec.kind](table, rows, shares, rng)
    train, validation, test = (rows[part_of == part] for part in range(3))
    gap = _Gap.of(table, spec)
    first = validation if spec.validation else test
    return Parts(gap.before(train, first), gap.before(validation, test), test)


@dataclass(frozen=True, slots=True)
class _Gap:
    """What is left out between parts that follow in time; nothing where no gap is declared."""

    times: Array | None
    gap: float
    embargo: float

    @classmethod
    def of(cls, table: Table, spec: SplitSpec) -> _Gap:
        if spec.gap == 0 and spec.embargo == 0:
            return cls(None, 0, 0)
        column = _structural(table, "time")
        storage = table.schema.of_role("time")[0].storage
        times = column.to_physical().to_numpy()
        return cls(times, length_in(spec.gap, storage), length_in(spec.embargo, storage))

    def before(self, rows: Array, later: Array) -> Array:
        """Return rows of a part, without those that are too near to a later part's first."""
        if self.times is None or not len(later):
            return rows
        kept = kept_off(rows, later, times=self.times, gap=self.gap)
        if len(rows) and not len(kept):
            raise DataError.of("the gap leaves no row of the part before it", key="split.gap")
        return kept

    def around(self, rows: Array, judged: Array) -> Array:
        """Return rows on both sides of those that are judged, without gap and embargo."""
        if self.times is None:
            return rows
        kept = embargoed(rows, judged, times=self.times, gap=self.gap, embargo=self.embargo)
        if not len(kept):
            raise DataError.of("gap and embargo leave a fold no row to train on", key="split.embargo")
        return kept


def _folds(table: Table, *, spec: SplitSpec, n_folds: int, rng: np.random.Generator) -> Parts:
    """Hold the test part out, and cut the rest into folds, once for each repeat."""
    _require_rows(table.n_rows, n_folds + 1, what="folds and the test part", key="split.folds")
    kind = _kind_of_folds(table.schema, spec)
    assign, gap = _ASSIGN[kind], _Gap.of(table, spec)
    rows = np.arange(table.n_rows)
    is_test = assign(table, rows, (1.0 - spec.test, 0.0, spec.test), rng) == _TEST
    held = rows[is_test]
    rest = gap.before(rows[~is_test], held)
    _require_rows(len(rest), n_folds, what="folds", key="split.folds")
    is_chained = kind == "time" and spec.kind != "purged"
    n_blocks = n_folds + 1 if is_chained else n_folds
    folds: list[Fold] = []
    cuts: list[tuple[Array, Array]] = []
    for _ in range(spec.repeats):
        fold_of = assign(table, rest, (1 / n_blocks,) * n_blocks, rng)
        if is_chained:
            blocks = [(rest[fold_of < fold], rest[fold_of == fold]) for fold in range(n_folds, 0, -1)]
            blocks = [(gap.before(train, judged), judged) for train, judged in blocks]
        else:
            # In time, the latest fold comes first.
            order = range(n_folds - 1, -1, -1) if kind == "time" else range(n_folds)
            blocks = [(rest[fold_of != fold], rest[fold_of == fold]) for fold in order]
            blocks = [(gap.around(train, judged), judged) for train, judged in blocks]
        for train, judged in blocks:
            fitted, stopping = _hold_out(table, train, kind=kind, share=spec.validation, gap=gap, rng=rng)
            folds.append(Fold(fitted, stopping, judged))
        cuts += blocks
    return Parts(*cuts[0], held, tuple(folds))


def _hold_out(
    table: Table, rows: Array, *, kind: str, share: float, gap: _Gap, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Cut the rows that may stop a fit early from a fold's training rows; none where the share is 0."""
    if not share:
        return rows, rows[:0]
    part_of = _ASSIGN[kind](table, rows, (1.0 - share, share), rng)
    stopping = rows[part_of == 1]
    return gap.before(rows[part_of == 0], stopping), stopping


def _kind_of_folds(schema: Schema, spec: SplitSpec) -> str:
    """Return the kind of split by which folds are cut: for kfold, what the schema declares."""
    if spec.kind != "kfold":
        return "time" if spec.kind == "purged" else spec.kind
    if not spec.ignore_structure:
        for role in _STRUCTURES:
            if schema.of_role(role):
                return role
    return "stratified" if _has_classes(schema.target) else "random"


_STRUCTURES: tuple[Role, ...] = ("time", "group")


def _predefined(table: Table) -> Parts:
    column = _structural(table, "part").cast(pl.String)
    wrong = (~column.is_in(PART_NAMES)).arg_true().to_numpy()
    if len(wrong):
        first = wrong[:N_SHOWN]
        shown = tuple(show(column[int(row)]) for row in first)
        numbers = tuple(int(row) + 1 for row in table.places(first))
        one_of = f"[{', '.join(PART_NAMES)}]"
        raise to_error([Violation(column.name, "values", len(wrong), numbers, shown, one_of, PART_NAMES)])
    train, validation, test = ((column == name).arg_true().to_numpy().astype(np.int64) for name in PART_NAMES)
    for name, rows in (("train", train), ("test", test)):
        if not len(rows):
            raise DataError.of(f"no row is of the part '{name}'", key=column.name)
    return Parts(train, validation, test)


def _assign_random(table: Table, rows: Array, shares: Sequence[float], rng: np.random.Generator) -> Array:
    del table
    return near_shares(len(rows), shares=shares, rng=rng)


def _assign_groups(table: Table, rows: Array, shares: Sequence[float], rng: np.random.Generator) -> Array:
    return by_group(_values(table, rows, "group", shares), shares=shares, rng=rng)


def _assign_mixed(table: Table, rows: Array, shares: Sequence[float], rng: np.random.Generator) -> Array:
    groups = _values(table, rows, "group", shares)
    return by_mixed_group(groups, _strata(table, rows, shares), shares=shares, rng=rng)


def _assign_times(table: Table, rows: Array, shares: Sequence[float], rng: np.random.Generator) -> Array:
    del rng
    return by_time(_values(table, rows, "time", shares), shares=shares)


def _assign_strata(table: Table, rows: Array, shares: Sequence[float], rng: np.random.Generator) -> Array:
    target = table.schema.target
    codes = _strata(table, rows, shares)
    n_parts = sum(share > 0 for share in shares)
    counts = np.bincount(codes)
    scarce = np.flatnonzero(counts < n_parts)
    if len(scarce) and _has_classes(target):
        rarest = scarce[np.argmin(counts[scarce])]
        count = int(counts[rarest])
        value = table.frame[target.name][int(rows[np.argmax(codes == rarest)])]
        shown = "a class" if target.sensitive or target.pii else f"the class '{show(value)}'"
        more = f" (the rarest of {len(scarce)} such classes)" if len(scarce) > 1 else ""
        raise DataError.of(
            f"{shown} has {counted(count, 'row')}, fewer than the {n_parts} parts of the split{more}",
            key=target.name,
            try_="fewer parts, or join such classes in the data",
        )
    return by_class(codes, shares=shares, rng=rng)


def _strata(table: Table, rows: Array, shares: Sequence[float]) -> Array:
    """Return the class of the target of some rows, or its decile, as codes from 0, shape (len(rows),)."""
    column = table.frame[table.schema.target.name][rows]
    if _has_classes(table.schema.target):
        return codes_of(column)
    n_parts = sum(share > 0 for share in shares)
    n_bins = max(1, min(_N_BINS, len(rows) // (_MIN_BIN_ROWS * n_parts)))
    ranks = column.rank("ordinal").to_numpy().astype(np.int64)
    bins: Array = (ranks - 1) * n_bins // len(rows)
    return bins


_ASSIGN: Mapping[str, Callable[[Table, Array, Sequence[float], np.random.Generator], Array]] = (
    MappingProxyType(
        {
            "random": _assign_random,
            "stratified": _assign_strata,
            "group": _assign_groups,
            "stratified_group": _assign_mixed,
            "time": _assign_times,
        }
    )
)


def _has_classes(target: Column) -> bool:
    return target.type in {"category", "boolean", "text"}


def _values(table: Table, rows: Array, role: Role, shares: Sequence[float]) -> Array:
    """Return the groups or times of some rows as codes from 0; at least as many as there are parts."""
    column = _structural(table, role)
    codes = codes_of(column[rows])
    n_found, n_parts = int(codes.max(initial=-1)) + 1, sum(share > 0 for share in shares)
    if n_found < n_parts:
        raise DataError.of(
            f"{counted(n_found, f'distinct {role}')}, fewer than the {n_parts} parts of the split",
            key=column.name,
        )
    return codes


def _structural(table: Table, role: Role) -> pl.Series:
    """Return the column of a role, which must be there and have no nulls."""
    columns = table.schema.of_role(role)
    if not columns:
        raise DataError.of(f"the split needs a column with role: {role}", key="split.kind")
    column = table.frame[columns[0].name]
    nulls = column.is_null().arg_true().to_numpy()
    if len(nulls):
        first = tuple(int(row) + 1 for row in table.places(nulls[:N_SHOWN]))
        raise to_error([Violation(column.name, "nullable", len(nulls), first, (), "false")])
    return column


def _require_rows(n_rows: int, n_parts: int, *, what: str, key: str) -> None:
    if n_rows < n_parts:
        raise DataError.of(f"{counted(n_rows, 'row')}, too few for {n_parts} {what}", key=key)
