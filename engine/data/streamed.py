"""Tables that are larger than memory: read once, part by part, checked, dealt to parts and laid aside.

What is kept in memory is a bounded number of rows of each part, those of the least hashes: a sample that the
seed draws. All training rows can be had again, in the order of their hashes, from the disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from engine.data.columns import NO_ROWS
from engine.data.crew import Crew
from engine.data.deal import DEALT_BY, Deal, Moments
from engine.data.held import MOST_HELD, PACKED_BYTES, PART_ROWS, n_held
from engine.data.kinds import PART_NAMES
from engine.data.missing_target import with_cure
from engine.data.opened import Opened, Part
from engine.data.overall import Overall
from engine.data.progress import Progress, Tell
from engine.data.rowhash import mixed, row_hashes
from engine.data.schema import Schema
from engine.data.shelf import Shelf, require_room
from engine.data.source import contract_of
from engine.data.sources import open_table
from engine.data.sources.limits import bounded, check_size
from engine.data.sources.parquet import ParquetFile
from engine.data.split import Parts
from engine.data.storage import Held, hold, is_open, kind_of
from engine.data.table import Source, Streamed, Table
from engine.data.tally import Tally, violations_of
from engine.data.violation import N_SHOWN, Violation, counted, to_error
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec, SplitSpec

# What decides how many drawers a shelf has.
_BYTES_A_CELL = 12
_SALT = np.uint64(0x0DE2)
_PART, _PLACE = "part", "place"


def read_streamed(
    data: DataSpec,
    schema: Schema,
    *,
    cut: SplitSpec,
    seed: int,
    folder: Path,
    tell: Tell | None = None,
    crew: Crew | None = None,
    most_held: int = MOST_HELD,
) -> Table:
    """Read a table and check it as `read` does, in bounded memory.

    Parameters
    ----------
    cut
        A kind of split that `DEALT_BY` has.
    seed
        Decides which part a row is of, the order of the rows, and which are kept in memory.
    folder
        On a disk with room for all rows; nothing in it has a name.
    tell
        As in `read`.
    crew
        Who reads and checks the parts of a Parquet file; of others, and without one, this process does.
    most_held
        The most rows of each part in memory, fewer where they are wide.

    Returns
    -------
    Table
        Its frame is of the rows in memory, in the order of the key, else of the file; `streamed` has all.

    Raises
    ------
    DataError
        As `read` and `split`; or if a category's values are not declared and only all of them together tell
        what they are.
    """
    opened = open_table(data)
    waiting = tuple(column.name for column in schema.columns if is_open(column, schema))
    tally = Tally(contract_of(opened, schema, need_target=True, waiting=waiting))
    check_size(opened.header(), data)
    progress = None if tell is None else Progress(tell, opened.header().n_rows)
    deal = Deal(cut, tally.schema, seed, _cuts(opened, tally.schema, cut, data))
    require_room(folder, opened.header().n_rows * len(tally.schema.columns) * PACKED_BYTES)
    aside = _Aside(tally.schema, deal, folder, n_rows=opened.header().n_rows, waiting=waiting)
    n_rows = 0
    if progress is not None:
        progress.begin()
    for frame, is_sound in regrouped(_judged(opened, tally, data, crew), PART_ROWS):
        # Of a broken table the rest is only looked through, for its report.
        if is_sound and not tally.violations:
            aside.take(frame, np.arange(n_rows, n_rows + frame.height, dtype=np.int64))
        n_rows += frame.height
        if progress is not None:
            progress.came(frame.height)
    tally.refuse(lambda violation: with_cure(violation, schema=schema))
    if not n_rows:
        raise DataError.of(NO_ROWS, file=opened.shown)
    aside.refuse_twice(shown=opened.shown)
    storages = {column.name: column.storage for column in tally.schema.columns}
    columns = tuple(
        replace(column, storage=storages.get(column.name, column.storage)) for column in schema.columns
    )
    return aside.table(replace(schema, columns=columns), opened.source(), n_rows=n_rows, most_held=most_held)


def _judged(
    opened: Opened, tally: Tally, data: DataSpec, crew: Crew | None
) -> Iterator[tuple[pl.DataFrame, bool]]:
    """Yield the rows in parts, and whether they keep the rules on rows; count what they break."""
    sound: set[int] = set()
    found = opened.parts(tally.schema.columns, n_rows=PART_ROWS)
    if crew is not None and isinstance(opened, ParquetFile):
        found = _parts_by(crew, opened, tally.schema, data, sound)
    for part in bounded(found, data, shown=opened.shown, is_kept=False):
        yield part.held.frame, part.first_row in sound or tally.judge(part)


def _parts_by(
    crew: Crew, opened: ParquetFile, schema: Schema, data: DataSpec, sound: set[int]
) -> Iterator[Part]:
    """Yield the parts that a crew reads; `sound` are the first rows of those that keep the contract."""
    firsts = range(0, opened.header().n_rows, PART_ROWS)
    slices = [Slice(data, schema, first) for first in firsts]
    found = opened.watched(crew.each(slices, read_slice, at_once=len(slices)))
    for first, frame in zip(firsts, found, strict=True):
        if frame is not None:
            sound.add(first)
            yield Part(Held(frame), opened.shown, first)
            continue
        # What is wrong is found, and told, here.
        rows = opened.rows_from(first, _names(schema), n_rows=PART_ROWS)
        yield Part(hold(rows, schema.columns, decimal=None), opened.shown, first)


@dataclass(frozen=True)
class Slice:
    """Some rows of a Parquet file, from a place on, and the contract that they are held against."""

    data: DataSpec
    schema: Schema
    first_row: int


def read_slice(which: Slice) -> pl.DataFrame | None:
    """Return the rows of a slice, held as the contract says; None where one of them breaks it."""
    opened = open_table(which.data)
    assert isinstance(opened, ParquetFile)
    rows = opened.rows_from(which.first_row, _names(which.schema), n_rows=PART_ROWS)
    held = hold(rows, which.schema.columns, decimal=None)
    return None if violations_of(held, schema=which.schema, first_row=which.first_row) else held.frame


def regrouped(
    judged: Iterable[tuple[pl.DataFrame, bool]], n_rows: int
) -> Iterator[tuple[pl.DataFrame, bool]]:
    """Cut and join sound frames to `n_rows` each, so that nothing depends on where a source cuts."""
    waiting: pl.DataFrame | None = None
    for frame, is_sound in judged:
        if not is_sound:
            yield frame, False
            continue
        waiting = frame if waiting is None else pl.concat([waiting, frame])
        while waiting.height >= n_rows:
            yield waiting.head(n_rows).rechunk(), True
            waiting = waiting.slice(n_rows)
    if waiting is not None and waiting.height:
        yield waiting.rechunk(), True


def _names(schema: Schema) -> list[str]:
    return [column.name for column in schema.columns]


def _cuts(opened: Opened, schema: Schema, cut: SplitSpec, data: DataSpec) -> list[tuple[int, int]]:
    """Look through the column of times first: where the parts begin."""
    if cut.kind != "time":
        return []
    column = schema.of_role("time")[0]
    moments = Moments()
    found = opened.parts((column, schema.target), n_rows=PART_ROWS)
    for part in bounded(found, data, shown=opened.shown, is_kept=False):
        frame = part.held.frame
        moments.take(frame[column.name].filter(frame[schema.target.name].is_not_null()).drop_nulls())
    return moments.cuts(cut.shares, name=column.name)


@dataclass
class _Aside:
    """Rows as they come, laid aside by part, and what must be known of all of them."""

    schema: Schema
    deal: Deal
    folder: Path
    n_rows: int
    waiting: tuple[str, ...]
    _shelves: dict[str, Shelf] = field(default_factory=dict)
    _sums: dict[str, _Identity] = field(default_factory=dict)
    _unique: dict[tuple[str, ...], Shelf] = field(default_factory=dict)
    _n_missing: int = 0
    _n_between: int = 0
    _overall: Overall = field(init=False)

    def __post_init__(self) -> None:
        self._overall = Overall(self.schema)
        n_bytes = self.n_rows * len(self.schema.columns) * _BYTES_A_CELL
        for name, share in zip(PART_NAMES, self.deal.cut.shares, strict=True):
            of = n_bytes if self.deal.cut.kind == "predefined" else int(n_bytes * share)
            self._shelves[name] = Shelf(self.folder, n_bytes=of, key=self.schema.key)
            self._sums[name] = _Identity(keyed=bool(self.schema.key))
        once = [(column.name,) for column in self.schema.columns if column.unique]
        for names in dict.fromkeys([*once, *([tuple(self.schema.key)] if self.schema.key else [])]):
            self._unique[names] = Shelf(self.folder, n_bytes=self.n_rows * 24)

    def take(self, frame: pl.DataFrame, places: np.ndarray) -> None:
        """Lay rows that keep the contract aside."""
        self._settle(frame)
        self._require_key(frame, places)
        for names, shelf in self._unique.items():
            present = frame.select(names).with_columns(pl.Series("place", places)).drop_nulls(list(names))
            at = present["place"].to_numpy()
            hashes = row_hashes(present, at, key=names, seed=0)
            shelf.put(pl.DataFrame({"hash": hashes}), order=hashes, places=at)
        target = self.schema.target.name
        if frame[target].null_count():
            there = frame[target].is_not_null()
            self._n_missing += frame.height - int(there.sum())
            frame, places = frame.filter(there), places[there.to_numpy()]
        hashes = self.deal.hashes_of(frame, places)
        part_of = self.deal.parts_of(frame, places, hashes)
        order = mixed(hashes ^ _SALT)
        for part, name in enumerate(PART_NAMES):
            mask: np.ndarray = np.equal(part_of, part)
            self._shelves[name].put(frame.filter(pl.Series(mask)), order=order[mask], places=places[mask])
            self._sums[name].take(places[mask], hashes[mask])
        self._n_between += int((part_of < 0).sum())
        self._overall.take(frame, part_of)

    def refuse_twice(self, *, shown: str) -> None:
        """Refuse what stands twice and may not: values of a unique column, or keys.

        Raises
        ------
        DataError
            With the first rows of each.

        Notes
        -----
        Told by a hash of 64 bits: of 100 million different texts two share one by a chance of 1 in 3,700. Of
        whole numbers none do.
        """
        wrong, by_name = [], {column.name: column for column in self.schema.columns}
        for names, shelf in self._unique.items():
            n_twice, first = _twice(shelf)
            shelf.close()
            if not n_twice:
                continue
            if names == self.schema.key:
                said = "', '".join(names)
                rows = ", ".join(str(row) for row in first)
                what = f"'{said}' names each row once: {counted(n_twice, 'row')} share theirs (rows {rows})"
                raise DataError.of(what, key="schema.key", file=shown)
            wrong.append(Violation(by_name[names[0]].name, "unique", n_twice, first, (), "true"))
        if wrong:
            raise to_error(wrong, file=shown)

    def table(self, schema: Schema, source: Source, *, n_rows: int, most_held: int) -> Table:
        """Return the rows that are kept in memory, and the way to the others."""
        most = n_held(len(schema.columns), most=most_held)
        kept = {name: next(shelf.frames(most), None) for name, shelf in self._shelves.items()}
        for name in ("train", "test"):
            if kept[name] is None:
                raise DataError.of(f"no row is of the part '{name}'", key="split")
        names = [column.name for column in self.schema.columns]
        marked = [_marked(*rows, part=name) for name, rows in kept.items() if rows is not None]
        by = [str(names.index(name)) for name in self.schema.key] or [_PLACE]
        whole = pl.concat(marked).sort(by)
        part_of, places = whole[_PART], whole[_PLACE].to_numpy()
        frame = whole.drop(_PART, _PLACE)
        frame.columns = names
        rows = {name: (part_of == name).arg_true().to_numpy().astype(np.int64) for name in PART_NAMES}
        streamed = Streamed(
            parts=Parts(rows["train"], rows["validation"], rows["test"]),
            shelves=self._shelves,
            n_rows=n_rows - self._n_missing,
            n_between=self._n_between,
            sha256={name: one.hexdigest() for name, one in self._sums.items()},
            overall=self._overall,
            dealt_by=DEALT_BY[self.deal.cut.kind],
        )
        return Table(frame, schema, source, kept=places, n_missing_target=self._n_missing, streamed=streamed)

    def _settle(self, frame: pl.DataFrame) -> None:
        """Take categories of no declared value for texts, once the first rows show that they are."""
        for name in self.waiting:
            if name in frame.columns and frame[name].dtype == pl.String:
                texts = frame[name].drop_nulls()
                if not len(texts) or kind_of(texts) != "string":
                    what = "its values are not declared, and only all of them together tell what they are"
                    raise DataError.of(
                        what,
                        key=f"schema.columns.{name}.values",
                        try_=f"schema.columns.{name}.values: […], as engine init writes them",
                    )
        self.waiting = ()

    def _require_key(self, frame: pl.DataFrame, places: np.ndarray) -> None:
        wrong = []
        for name in self.schema.key:
            nulls = frame[name].is_null().arg_true().to_numpy()
            if len(nulls):
                first = tuple(int(place) + 1 for place in places[nulls[:N_SHOWN]])
                wrong.append(Violation(name, "nullable", len(nulls), first, (), "false"))
        if wrong:
            raise to_error(wrong)


@dataclass
class _Identity:
    """A hash of which rows are of a part: of their places, as `Parts.sha256`, or of their keys."""

    keyed: bool
    _places: hashlib._Hash = field(default_factory=hashlib.sha256)
    _total: int = 0
    _parity: int = 0

    def take(self, places: np.ndarray, hashes: np.ndarray) -> None:
        if not self.keyed:
            self._places.update(places.astype("<i8").tobytes())
        elif len(hashes):
            with np.errstate(over="ignore"):
                self._total = (self._total + int(hashes.sum(dtype=np.uint64))) % 2**64
            self._parity ^= int(np.bitwise_xor.reduce(hashes))

    def hexdigest(self) -> str:
        if not self.keyed:
            return self._places.hexdigest()
        both = self._total.to_bytes(8, "little") + self._parity.to_bytes(8, "little")
        return hashlib.sha256(both).hexdigest()


def _marked(frame: pl.DataFrame, places: np.ndarray, *, part: str) -> pl.DataFrame:
    """Return rows with numbered columns, and beside them where they stand and which part they are of."""
    plain = pl.DataFrame([series.alias(str(at)) for at, series in enumerate(frame)])
    return plain.with_columns(pl.Series(_PLACE, places), pl.lit(part).alias(_PART))


def _twice(shelf: Shelf) -> tuple[int, tuple[int, ...]]:
    """Return how many rows share a hash with another, and the numbers of the first of them."""
    n_twice, first, last, last_shared = 0, np.empty(0, np.int64), (np.uint64(0), np.int64(-1)), False
    for frame, places in shelf.frames(PART_ROWS):
        # The row before goes along, so that no pair is cut apart.
        hashes = np.append(last[0], frame["hash"].to_numpy())
        at = np.append(last[1], places)
        same = hashes[1:] == hashes[:-1]
        same[0] &= last[1] >= 0
        shared = np.append(False, same) | np.append(same, False)
        n_twice += int(shared[1:].sum())
        # The last row of the frame before was not counted if only this frame's first is its like.
        n_twice += int(shared[0] and not last_shared) if last[1] >= 0 else 0
        first = np.unique(np.concatenate([first, at[shared]]))[:N_SHOWN]
        last, last_shared = (hashes[-1], at[-1]), bool(shared[-1])
    return n_twice, tuple(int(place) + 1 for place in first)
