"""How large a table may be: said by the recipe, else by the memory of this machine; held while it is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from engine.data.opened import Header, Part
from engine.data.schema import Column
from engine.errors import DataError
from engine.machine import memory_mib
from engine.recipe.spec_table import DataSpec

# In bytes a value; a text is a view of 16 bytes beside its characters.
_LEAST_BYTES: Mapping[str, int] = {"float64": 8, "int64": 8, "datetime": 8, "string": 16}
_SAMPLE = "data.sample: 0.1"


def check_size(header: Header, data: DataSpec) -> None:
    """Refuse a table that says itself that it is larger than it may be, before any row is read.

    Raises
    ------
    DataError
        If it has more columns or, where it counts them, rows.
    """
    n_columns = len(header.columns)
    if data.max_columns is not None and n_columns > data.max_columns:
        what = f"'{header.path}' has {n_columns} columns, and {data.max_columns} are allowed"
        raise DataError.of(what, key="data.max_columns")
    if data.max_rows is not None and header.is_exact and header.n_rows > data.max_rows:
        what = f"'{header.path}' has {header.n_rows} rows, and {data.max_rows} are allowed"
        raise DataError.of(what, key="data.max_rows")


def check_room(header: Header, data: DataSpec, columns: Sequence[Column]) -> None:
    """Refuse a table that counts its rows where they can find no room, before any is read.

    Raises
    ------
    DataError
        If the least that its numbers take is more than there may be.
    """
    if not header.is_exact or data.sample is not None:
        return
    n_bytes = header.n_rows * sum(_LEAST_BYTES.get(column.storage, 0) for column in columns)
    mib, machine = n_bytes / 2**20, memory_mib()
    if mib > (data.max_mib or machine):
        what = f"the {header.n_rows} rows of '{header.path}' take at least {mib:.0f} MiB"
        bound = f"and {data.max_mib:g} are allowed" if data.max_mib else f"and this machine has {machine}"
        raise DataError.of(f"{what}, {bound}", key="data.max_mib", try_=_SAMPLE)


def is_limited(data: DataSpec) -> bool:
    """Tell whether rows must be counted or measured while they come."""
    return data.max_rows is not None or data.max_mib is not None


def bounded(parts: Iterable[Part], data: DataSpec, *, shown: str, is_kept: bool) -> Iterator[Part]:
    """Yield the parts until they are more than there may be.

    Parameters
    ----------
    is_kept
        Whether the rows are all kept, so that without `data.max_mib` they must find room in memory.

    Raises
    ------
    DataError
        If they are more.
    """
    n_rows = n_bytes = 0
    machine = memory_mib()
    for part in parts:
        n_rows += part.held.frame.height
        n_bytes += int(part.held.frame.estimated_size())
        mib = n_bytes / 2**20
        if data.max_rows is not None and n_rows > data.max_rows:
            what = f"'{shown}' has more than {data.max_rows} rows, and no more are allowed"
            raise DataError.of(what, key="data.max_rows")
        if data.max_mib is not None and mib > data.max_mib:
            what = (
                f"the first {n_rows} rows of '{shown}' take {mib:.1f} MiB, and {data.max_mib:g} are allowed"
            )
            raise DataError.of(what, key="data.max_mib")
        if data.max_mib is None and is_kept and mib > machine:
            what = (
                f"the first {n_rows} rows take {mib:.0f} MiB, more than this machine's memory ({machine} MiB)"
            )
            raise DataError.of(what, key="data.max_mib", try_=_SAMPLE)
        yield part
