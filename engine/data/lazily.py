"""A whole table as one polars query, where that reads it exactly as the slower way does.

A source offers it when expressions alone hold every column. What can't be told beforehand is a doubt: where
there is one in the end, the table is read again the slower way, which finds each value that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from engine.data.check import tests_of
from engine.data.datetimes import ISO, moments_of, reach_beyond
from engine.data.formats import format_of
from engine.data.progress import Progress
from engine.data.schema import Column, Storage
from engine.data.storage import dtypes

# What a source's rows have behind their own columns, to tell whether each record had all its fields.
LAST = "last"
# In so many turns a table is read of which columns can be had one by one: each turn opens the file anew.
_TURNS = 12


@dataclass(frozen=True, slots=True)
class Lazily:
    """A table as one query.

    Attributes
    ----------
    raw
        The rows as they stand: columns "r0", "r1", … in the order of `columns`, and `LAST` where
        `is_certain` is to know its nulls.
    held
        Over `raw`: the columns held as the schema says, named "0", "1", ….
    doubts
        Over `raw` and `held`: above zero where some value could not be held; by the column of `raw` asked.
    is_certain
        Given the number of rows and of nulls in `LAST`: whether what the query did not look at is in order.
    is_columnar
        Whether some columns can be read without the others.
    """

    columns: tuple[Column, ...]
    raw: pl.LazyFrame
    held: tuple[pl.Expr, ...]
    doubts: Mapping[str, pl.Expr]
    is_certain: Callable[[int, int], bool] | None = None
    is_columnar: bool = False

    @property
    def _asks_last(self) -> bool:
        return LAST in self.raw.collect_schema()

    def n_sound(self, progress: Progress | None = None) -> int | None:
        """Return the number of rows if all keep all rules, from one pass that keeps no column; else None.

        Where columns lie apart, as in Parquet, a few are read at a time: each still once, in less memory.
        """
        places = range(len(self.columns))
        step = max(-(-len(places) // _TURNS) if self.is_columnar else len(places), 1)
        n_rows = n_short = 0
        if progress is not None:
            progress.begin(max(-(-len(places) // step), 1))
        for first in range(0, max(len(places), 1), step):
            try:
                n_rows, n_short, *counts = self._counted(places[first : first + step], progress)
            except pl.exceptions.PolarsError:
                return None
            if any(counts):
                return None
        return n_rows if self.is_certain is None or self.is_certain(n_rows, n_short) else None

    def _counted(self, places: range, progress: Progress | None) -> tuple[int, ...]:
        """Return the number of rows, that of nulls in `LAST`, and what some columns have of broken rules."""
        tests = tests_of({str(at): self.columns[at] for at in places})
        doubts = [doubt for name, doubt in self.doubts.items() if int(name[1:]) in places]
        last = pl.col(LAST).null_count() if self._asks_last else pl.lit(0)
        counts = (count.alias(f"c{at}") for at, count in enumerate([*doubts, *tests]))
        held = (self.held[at] for at in places)
        query = self._watched(places, progress).with_columns(held)
        found = _collected(query.select(pl.len().alias("n"), last.alias("l"), *counts), progress)
        return tuple(map(int, found.row(0)))

    def _watched(self, places: range, progress: Progress | None) -> pl.LazyFrame:
        """Return the raw columns at some places, the rows counted as they come."""
        if progress is None or not places:
            return self.raw
        last = [LAST] if self._asks_last else []
        return self.raw.select(*(f"r{at}" for at in places), *last).map_batches(
            progress.passed, streamable=True, validate_output_schema=False
        )

    def frame(self, progress: Progress | None = None) -> pl.DataFrame | None:
        """Return the rows held, the columns by name; None where there is a doubt."""
        further = [*self.doubts, *([LAST] if self._asks_last else [])]
        if progress is not None:
            progress.begin()
        watched = self._watched(range(len(self.columns)), progress)
        query = watched.select(*self.held, *(pl.col(name) for name in further))
        try:
            found = _collected(query, progress)
        except pl.exceptions.PolarsError:
            return None
        if self.doubts and any(found.select(doubt.alias(name) for name, doubt in self.doubts.items()).row(0)):
            return None
        if self.is_certain is not None and not self.is_certain(
            found.height, found[LAST].null_count() if self._asks_last else 0
        ):
            return None
        found = found.drop(further)
        found.columns = [column.name for column in self.columns]
        return found


def _collected(query: pl.LazyFrame, progress: Progress | None) -> pl.DataFrame:
    def collect() -> pl.DataFrame:
        return query.collect(engine="streaming")

    return collect() if progress is None else progress.during(collect)


def lazily(
    columns: tuple[Column, ...],
    raw: pl.LazyFrame,
    *,
    styles: Mapping[str, str],
    is_certain: Callable[[int, int], bool] | None = None,
    is_columnar: bool = False,
) -> Lazily | None:
    """Return a table as one query, or None where a column can't be held so.

    Parameters
    ----------
    raw
        See `Lazily`.
    styles
        Of columns of datetimes that are text, by name: the first value.
    """
    schema = raw.collect_schema()
    held, doubts = [], {}
    for at, column in enumerate(columns):
        name = f"r{at}"
        cells = pl.col(name)
        if column.format is not None and schema[name] == pl.String:
            expression = format_of(column.format).moments_of(cells)
            doubts[name] = (cells.is_not_null() & pl.col(str(at)).is_null()).sum()
        elif column.storage == "datetime" and schema[name] == pl.String:
            first = styles.get(column.name)
            if first is None:
                return None
            expression = moments_of(cells, like=first)
            is_none = pl.col(str(at)).is_null() | ~cells.str.contains(f"^{ISO}$")
            doubts[name] = (cells.is_not_null() & is_none).sum()
        else:
            found = _typed(cells, schema[name], column.storage)
            if found is None:
                return None
            expression = found
            if column.storage == "datetime":
                doubts[name] = reach_beyond(cells, schema[name])
        held.append(expression.alias(str(at)))
    return Lazily(columns, raw, tuple(held), doubts, is_certain, is_columnar)


def _typed(cells: pl.Expr, dtype: pl.DataType, storage: Storage) -> pl.Expr | None:
    """Return how a typed column is held without loss, whatever its values; None where they decide."""
    wanted = dtypes()[storage]
    if storage == "float64" and (dtype.is_float() or dtype.is_integer()):
        return (cells if dtype == wanted else cells.cast(wanted)).fill_nan(None)
    if storage == "int64" and dtype.is_signed_integer() and dtype not in (pl.Int64, pl.Int128):
        return cells.cast(wanted)
    if storage == "int64" and dtype in (pl.UInt8, pl.UInt16, pl.UInt32):
        return cells.cast(wanted)
    if storage == "string" and dtype in (pl.Categorical, pl.Enum):
        return cells.cast(wanted)
    return cells if dtype == wanted else None
