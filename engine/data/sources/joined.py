"""A table with the columns of others: each of its rows stays once, and takes what one row of a second says.

Second tables are held in memory, in the columns that are asked for; the first streams through.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import polars as pl

from engine.data.kinds import seconds_of
from engine.data.opened import Header, Opened, Part, Remembering
from engine.data.schema import Column, Schema, Storage
from engine.data.sources.limits import bounded, check_size
from engine.data.storage import Held, type_violations
from engine.data.table import JoinedSource, Source
from engine.data.tally import Tally
from engine.data.violation import counted
from engine.errors import DataError, Message, nearest
from engine.recipe.spec_table import DataSpec, JoinSpec

_ROWS = 500_000
# Names that no column has: polars' own work is done under them.
_PLACE, _FOUND = "\0place", "\0found"


@dataclass
class _Second:
    """A table that is joined, and how many rows found none in it."""

    spec: JoinSpec
    opened: Opened
    header: Header
    n_rows: int = 0
    n_unmatched: int = 0

    @property
    def added(self) -> dict[str, str]:
        """The columns that it adds: the name that they get, and the one that they have."""
        if self.spec.added is not None:
            return self.spec.added
        time = self.spec.time
        same_time = {time.right} if time is not None and time.left == time.right else set()
        shared = {*self.spec.keys.values(), *same_time}
        return {name: name for name in self.header.columns if name not in shared}


@dataclass
class Joined(Remembering):
    """A table with the columns of others beside its own."""

    data: DataSpec
    first: Opened
    seconds: tuple[_Second, ...]

    @property
    def shown(self) -> str:
        """How messages call it: as the first."""
        return self.first.shown

    @property
    def format(self) -> str:
        """The format of the first."""
        return self.first.format

    def header(self) -> Header:
        """Return the columns of all tables, and the rows of the first."""
        first = self.first.header()
        columns, dtypes = list(first.columns), list(first.dtypes or [""] * len(first.columns))
        for second in self.seconds:
            said = dict(zip(second.header.columns, second.header.dtypes, strict=False))
            columns += second.added
            dtypes += [said.get(there, "") for there in second.added.values()]
        return replace(first, columns=tuple(columns), dtypes=tuple(dtypes) if any(dtypes) else ())

    def category_storage(self, name: str) -> Storage | None:
        """Return what a table says that has the column; of a key, what any of them says."""
        tables = [(self.first, name)]
        tables += [
            (second.opened, there)
            for second in self.seconds
            if (there := {**second.added, **second.spec.keys}.get(name)) is not None
        ]
        for table, there in tables:
            if there in table.header().columns and (storage := table.category_storage(there)) is not None:
                return storage
        return None

    def parts(self, columns: tuple[Column, ...], *, n_rows: int) -> Iterator[Part]:
        """Yield the rows of the first table, joined."""
        declared = {column.name: column for column in columns}
        own = set(self.first.header().columns)
        needed = dict.fromkeys(
            [column.name for column in columns if column.name in own]
            + [name for second in self.seconds for name in self._keys(second)]
        )
        asked = tuple(declared.get(name) or self._hidden(name) for name in needed)
        tables = [self._load(second, declared) for second in self.seconds]
        for part in self.first.parts(asked, n_rows=n_rows):
            _refuse_hidden(part.held, [c for c in asked if c.name not in declared], part, self.shown)
            frame = part.held.frame
            for second, table in zip(self.seconds, tables, strict=True):
                frame = _matched(frame, table, second)
            held = Held(
                frame.select(pl.nth([frame.columns.index(c.name) for c in columns])), part.held.refused
            )
            yield replace(part, held=held)
        self._read = self._source()

    def lazily(self, columns: tuple[Column, ...], *, hashed: bool = True) -> None:
        """Return None: tables are joined part by part."""

    def _keys(self, second: _Second) -> tuple[str, ...]:
        time = second.spec.time
        return (*second.spec.keys, *(() if time is None else (time.left,)))

    def _hidden(self, name: str) -> Column:
        """Return how a key is held that the schema does not declare, or leaves out: as the tables have it."""
        is_time = any(second.spec.time and name == second.spec.time.left for second in self.seconds)
        storage: Storage = "datetime" if is_time else self.category_storage(name) or "string"
        return Column(name=name, type="datetime" if is_time else "category", role="ignore", storage=storage)

    def _load(self, second: _Second, declared: Mapping[str, Column]) -> pl.DataFrame:
        """Return a second table: keys named and held as the first has them, and what is asked for of it."""
        asked = self._asked(second, declared)
        columns = list({there: replace(column, name=there) for column, there in asked}.values())
        tally = Tally(_schema(columns))
        second.n_rows = 0
        frames = []
        parts = second.opened.parts(tuple(columns), n_rows=_ROWS)
        for part in bounded(parts, self.data, shown=second.opened.shown, is_kept=True):
            found = type_violations(part.held.refused, schema=tally.schema, first_row=part.first_row)
            tally.add(found, file=part.file)
            second.n_rows += part.held.frame.height
            frames.append(part.held.frame)
        tally.refuse()
        frame = pl.concat(frames) if frames else _no_rows(columns)
        named = [frame[there].alias(column.name) for column, there in asked]
        return _keyed(pl.DataFrame(named), second)

    def _asked(self, second: _Second, declared: Mapping[str, Column]) -> list[tuple[Column, str]]:
        """Return what is read of a second table: each column as it is called here, and its name there."""
        time = second.spec.time
        asked = [
            (declared.get(name) or self._hidden(name), there) for name, there in second.spec.keys.items()
        ]
        if time is not None:
            right = declared.get(time.right) or self._hidden(time.left)
            asked.append((replace(right, name=time.right, type="datetime", storage="datetime"), time.right))
        known = {column.name for column, _ in asked}
        added = second.added.items()
        return asked + [(declared[here], there) for here, there in added if here in declared.keys() - known]

    def _source(self) -> Source:
        first = self.first.source()
        joined = []
        digest = hashlib.sha256(first.sha256.encode())
        for second in self.seconds:
            source = second.opened.source()
            digest.update(f"\n{source.sha256}".encode())
            counts = {"n_rows": second.n_rows, "n_unmatched": second.n_unmatched}
            joined.append(
                JoinedSource(
                    second.opened.shown,
                    source.format,
                    source.n_bytes,
                    source.sha256,
                    source.version,
                    **counts,
                )
            )
        return replace(first, sha256=digest.hexdigest(), joined=tuple(joined))


def join_tables(first: Opened, data: DataSpec, seconds: Sequence[Opened]) -> Joined:
    """Join tables to a first one, each by its own key.

    Raises
    ------
    DataError
        If a table lacks a column that it is joined by, or two tables have columns of one name.
    """
    header = first.header()
    messages: list[Message] = []
    taken = dict.fromkeys(header.columns, first.shown)
    made = []
    for at, (spec, opened) in enumerate(zip(data.join or (), seconds, strict=True)):
        key = f"data.join.{at}"
        second = _Second(spec, opened, opened.header())
        check_size(second.header, data)
        there = second.header.columns
        left = (*spec.keys, *((spec.time.left,) if spec.time else ()))
        right = (*spec.keys.values(), *((spec.time.right,) if spec.time else ()))
        for table, columns, names, use in (
            (first.shown, header.columns, left, "join by"),
            (opened.shown, there, right, "join by"),
            (opened.shown, there, tuple((spec.added or {}).values()), "add"),
        ):
            for name in dict.fromkeys(names):
                if name not in columns:
                    what = f"'{table}' has no column '{name}' to {use}"
                    messages.append(Message(what, key, suggestion=nearest(name, columns)))
        clashing = [name for name in second.added if name in taken]
        # Where a key is misspelt, it clashes with itself.
        if clashing and not messages:
            both = f"'{taken[clashing[0]]}' and '{opened.shown}'"
            what = f"{both} have columns of one name: {', '.join(clashing)}"
            cure = (
                "columns: [NAME, …], those to add of the joined table, or {NEW_NAME: NAME} for another name"
            )
            messages.append(Message(what, f"{key}.columns", try_=cure))
        taken |= dict.fromkeys(second.added, opened.shown)
        made.append(second)
    if messages:
        raise DataError(messages)
    return Joined(data, first, tuple(made))


def _schema(columns: Sequence[Column]) -> Schema:
    return Schema(tuple(columns), None, "ignore", "error")


def _no_rows(columns: Sequence[Column]) -> pl.DataFrame:
    from engine.data.storage import dtypes

    return pl.DataFrame(schema={column.name: dtypes()[column.storage] for column in columns})


def _refuse_hidden(held: Held, hidden: Sequence[Column], part: Part, shown: str) -> None:
    """Refuse keys that can't be held, and that no rule of the schema will be told of."""
    tally = Tally(_schema(hidden))
    found = type_violations(held.refused, schema=tally.schema, first_row=part.first_row)
    tally.add(found, file=part.file or shown)
    tally.refuse()


def _keyed(frame: pl.DataFrame, second: _Second) -> pl.DataFrame:
    """Return a second table's rows that have a key, each key once, in the order of time where one counts.

    Raises
    ------
    DataError
        If a key, or a key at a moment, names several rows.
    """
    time = second.spec.time
    names = [*second.spec.keys, *((time.right,) if time else ())]
    places = [frame.columns.index(name) for name in names]
    # By place and number, because polars reads `*` and `^…$` in a name as patterns.
    keys = frame.select(pl.nth(places))
    whole = frame.filter(~keys.select(pl.any_horizontal(pl.all().is_null())).to_series())
    twice = whole.select(pl.nth(places)).is_duplicated()
    if twice.any():
        key = "', '".join([*second.spec.keys.values(), *((time.right,) if time else ())])
        n_keys = whole.filter(twice).select(pl.nth(places)).n_unique()
        rows = counted(int(twice.sum()), "row")
        what = f"'{key}' names each row of a joined table once: {rows} share {counted(n_keys, 'key')}"
        raise DataError.of(what, key="data.join", file=second.opened.shown)
    return whole.sort(time.right, maintain_order=True) if time else whole


def _matched(frame: pl.DataFrame, table: pl.DataFrame, second: _Second) -> pl.DataFrame:
    """Return the rows, in their order, with the columns of their match; count those that have none."""
    spec = second.spec
    marked = table.with_columns(pl.lit(value=True).alias(_FOUND))
    if spec.time is None:
        joined = frame.join(marked, on=list(spec.keys), how="left", maintain_order="left", nulls_equal=False)
    else:
        joined = _as_of(frame, marked, spec)
    second.n_unmatched += joined[_FOUND].null_count()
    return joined.drop(_FOUND)


def _as_of(frame: pl.DataFrame, table: pl.DataFrame, spec: JoinSpec) -> pl.DataFrame:
    """Give each row the latest row of its key that is not later than its own moment."""
    assert spec.time is not None
    left, right = spec.time.left, spec.time.right
    placed = frame.with_row_index(_PLACE)
    known = placed.filter(pl.col(left).is_not_null()).sort(left, maintain_order=True)
    if right in placed.columns:
        table = table.rename({right: "\0time"})
        right = "\0time"
    seconds = None if spec.tolerance is None else cast("int", seconds_of(spec.tolerance))
    joined = known.join_asof(
        table,
        left_on=left,
        right_on=right,
        by=list(spec.keys),
        strategy="backward",
        tolerance=None if seconds is None else f"{seconds}s",
        coalesce=False,
        check_sortedness=False,
    )
    rest = placed.filter(pl.col(left).is_null())
    whole = pl.concat([joined, rest], how="diagonal") if rest.height else joined
    dropped = [_PLACE, *(["\0time"] if right == "\0time" else [])]
    return whole.sort(_PLACE).drop(dropped)
