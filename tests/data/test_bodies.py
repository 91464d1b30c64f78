"""Tables that strangers send: what is read, and what is refused before it is unpacked."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal
from pyarrow import parquet

from engine.data.bodies import TableKind, read_table
from engine.errors import DataError

FRAME = pl.DataFrame({"a": [1, 2, None], "s": ["x", None, "zz"], "f": [1.5, 2, 3], "b": [True, None, False]})
LONG = pl.DataFrame({"s": ["x" * 100_000] * 90})


def arrow(frame: pl.DataFrame, compression: str = "uncompressed") -> bytes:
    """Return a frame as an Arrow stream."""
    written = io.BytesIO()
    frame.write_ipc_stream(written, compression=compression)  # type: ignore[arg-type]
    return written.getvalue()


def arrow_by(table: pa.Table) -> bytes:
    """Return a table as the Arrow stream that Arrow's own library writes."""
    written = io.BytesIO()
    with pa.ipc.new_stream(written, table.schema) as stream:
        stream.write_table(table)
    return written.getvalue()


def packed(frame: pl.DataFrame, **options: object) -> bytes:
    """Return a frame as Parquet."""
    written = io.BytesIO()
    parquet.write_table(frame.to_arrow(), written, **options)
    return written.getvalue()


def read(body: bytes, kind: TableKind, *, max_rows: int = 1000) -> pl.DataFrame:
    """Read with a limit of one MiB."""
    return read_table(body, kind, max_rows=max_rows, max_bytes=2**20)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (arrow(FRAME), "arrow"),
        (arrow_by(FRAME.to_arrow()), "arrow"),
        (arrow_by(FRAME.to_arrow(compat_level=pl.CompatLevel.oldest())), "arrow"),
        (packed(FRAME), "parquet"),
        (packed(FRAME, compression="zstd", data_page_version="2.0"), "parquet"),
        (packed(FRAME, use_dictionary=False, row_group_size=1), "parquet"),
    ],
    ids=str,
)
def test_tables_are_read(body: bytes, kind: TableKind) -> None:
    """What polars and Arrow write is read with its values and its nulls."""
    assert_frame_equal(read(body, kind), FRAME)


@pytest.mark.parametrize("write", [arrow, packed])
def test_no_rows_are_a_table(write: Callable[[pl.DataFrame], bytes]) -> None:
    """A table without rows has its columns."""
    kind: TableKind = "arrow" if write is arrow else "parquet"
    assert read(write(FRAME.clear()), kind).columns == FRAME.columns


@pytest.mark.parametrize(
    ("body", "kind", "what"),
    [
        (arrow(FRAME, "zstd"), "arrow", "a compressed Arrow stream is not read: write it uncompressed"),
        (arrow(FRAME, "lz4"), "arrow", "a compressed Arrow stream is not read: write it uncompressed"),
        (arrow(LONG), "arrow", "unpacked, the table has more than 1 MiB"),
        (packed(LONG), "parquet", "unpacked, the table has more than 1 MiB"),
        (packed(LONG, compression="zstd", use_dictionary=False), "parquet", "unpacked, the table has more than 1 MiB"),
        (
            arrow_by(pa.table({"s": pa.array(["x" * 100_000] * 90).dictionary_encode()})),
            "arrow",
            "unpacked, the table has more than 1 MiB",
        ),
        (
            packed(LONG, use_dictionary=False, column_encoding={"s": "DELTA_BYTE_ARRAY"}),
            "parquet",
            "texts in Parquet's DELTA_BYTE_ARRAY are not read: write them plain",
        ),
        (arrow(pl.DataFrame({"a": range(1001)})), "arrow", "1001 records are more than 1000, the most in one request"),
        (packed(pl.DataFrame({"a": [0] * 1001})), "parquet", "1001 records are more than 1000, the most in one request"),
        (arrow(pl.DataFrame({"a": [[1]]})), "arrow", "a column of lists or structs is no column of this table"),
        (b"", "arrow", "the body is no stream of Arrow's IPC format, or is damaged"),
        (b"PAR1" * 5, "parquet", "the body is no Parquet file, or is damaged"),
        (packed(FRAME), "arrow", "the body is no stream of Arrow's IPC format, or is damaged"),
    ],
)  # fmt: skip
def test_what_is_too_large_or_hidden_is_refused(body: bytes, kind: TableKind, what: str) -> None:
    """A table is refused by what it unpacks to, whatever its own bytes are."""
    with pytest.raises(DataError) as caught:
        read(body, kind)
    assert caught.value.messages[0].what == what


@pytest.mark.parametrize(("body", "kind"), [(arrow(FRAME), "arrow"), (packed(FRAME), "parquet")])
def test_damaged_tables_end_in_words(body: bytes, kind: TableKind, capfd: pytest.CaptureFixture[str]) -> None:
    """Changed and cut at 400 places each, a table is read or refused, and nothing else happens."""
    rng = random.Random(0)  # noqa: S311 (places of damage)
    n_refused = 0
    for cut in range(400):
        damaged = bytearray(body[: len(body) - cut] if cut % 4 == 0 else body)
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            read(bytes(damaged), kind)
        except DataError:
            n_refused += 1
    assert n_refused > 100
    # What the readers themselves say of it is no word of ours.
    capfd.readouterr()
