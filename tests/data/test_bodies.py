"""Tables that strangers send: what is read, and what is refused before it is unpacked."""

from __future__ import annotations

import io
import random
import struct
import time
from collections.abc import Callable

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal
from pyarrow import parquet

from engine.data.bodies import TableKind, read_table
from engine.errors import DataError

FRAME = pl.DataFrame({"a": [1, 2, None], "s": ["x", None, "zz"], "f": [1.5, 2, 3], "b": [True, None, False]})
KINDS = pl.DataFrame(
    {
        "s": [f"{i % 300} {'y' * 60}" for i in range(900)],
        "c": pl.Series(["red", None, "blue"] * 300, dtype=pl.Categorical),
    }
)
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


def packed(frame: pl.DataFrame | pa.Table, **options: object) -> bytes:
    """Return a frame as Parquet."""
    written = io.BytesIO()
    table = frame.to_arrow() if isinstance(frame, pl.DataFrame) else frame
    parquet.write_table(table, written, **options)
    return written.getvalue()


def packed_by_polars(frame: pl.DataFrame) -> bytes:
    """Return a frame as the Parquet that polars writes."""
    written = io.BytesIO()
    frame.write_parquet(written)
    return written.getvalue()


def varint(number: int) -> bytes:
    """Return a number as Thrift's compact protocol writes it."""
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7) if number > 0x7F else bytes([number])


def thrift(fields: dict[int, object]) -> bytes:
    """Return a struct of Thrift's compact protocol, of whole numbers, structs and lists of structs."""
    written, before = b"", 0
    for field, value in fields.items():
        kind, content = 6, b""
        if isinstance(value, dict):
            kind, content = 12, thrift(value)
        elif isinstance(value, list):
            kind, content = 9, b"\xfc" + varint(len(value)) + b"".join(map(thrift, value))
        elif isinstance(value, int):
            content = varint(2 * value)
        written += bytes([(field - before) << 4 | kind]) + content
        before = field
    return written + b"\x00"


def overlapping(n_chunks: int, n_pages: int) -> bytes:
    """Return a Parquet file all of whose chunks are the same pages."""
    pages = thrift({1: 0, 2: 0, 3: 0, 5: {1: 0, 2: 0}}) * n_pages
    group = {1: [{3: {1: 2, 5: 0, 7: len(pages), 9: 4}}], 3: 0}
    footer = thrift({2: [{5: 1}, {1: 2}], 3: 0, 4: [group] * n_chunks})
    return b"PAR1" + pages + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def leading_back() -> bytes:
    """Return an Arrow stream whose only message says that the next one is itself."""
    table = struct.pack("<6Hi4xq", 12, 16, 0, 0, 0, 8, 12, 8)
    return (struct.pack("<iiI", -1, -16, 16) + table).ljust(96, b"\0")


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
        (packed(FRAME, use_dictionary=False, column_encoding={"s": "DELTA_LENGTH_BYTE_ARRAY"}), "parquet"),
        (packed(FRAME, dictionary_pagesize_limit=1, data_page_size=1, write_batch_size=1), "parquet"),
        (packed_by_polars(FRAME), "parquet"),
    ],
    ids=str,
)
def test_tables_are_read(body: bytes, kind: TableKind) -> None:
    """What polars and Arrow write is read with its values and its nulls."""
    assert_frame_equal(read(body, kind), FRAME)


@pytest.mark.parametrize(
    ("body", "kind"),
    [(arrow(KINDS), "arrow"), (arrow_by(KINDS.to_arrow()), "arrow"), (packed(KINDS), "parquet")],
)
def test_short_texts_that_repeat_are_read(body: bytes, kind: TableKind) -> None:
    """A dictionary counts by the texts that are used, as often as they are, not by its size times the rows."""
    assert_frame_equal(read(body, kind), KINDS, categorical_as_str=True)


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
        (
            arrow_by(pa.table({"w": pa.array([0], pa.timestamp("us", "+05:30"))})),
            "arrow",
            "the column is in the time zone '+05:30', which is not known; write its times in UTC",
        ),
        (
            packed(pa.table({"s": pa.array(["{}", "{}"], pa.json_())})),
            "parquet",
            "texts of an Arrow extension type are not read from a dictionary: write them as texts",
        ),
        (leading_back(), "arrow", "the body is no stream of Arrow's IPC format, or is damaged"),
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


def test_pages_are_walked_once() -> None:
    """Chunks that overlap are refused before the same pages are walked for each of them."""
    began = time.process_time()
    with pytest.raises(DataError, match="is no Parquet file, or is damaged"):
        read(overlapping(1000, 2000), "parquet")
    assert time.process_time() - began < 2


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_a_repeated_text_is_refused_before_it_is_written_out(kind: TableKind) -> None:
    """One long text in each of 300 rows is 143 MiB, and takes no more than its dictionary."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 300), ["x" * 500_000])
    if kind == "arrow":
        body = arrow_by(pa.table({"s": texts}))
    else:
        body = packed(pl.DataFrame({"s": ["x" * 500_000] * 300}))
    pool = pa.proxy_memory_pool(pa.default_memory_pool())
    usual = pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        with pytest.raises(DataError, match="unpacked, the table has more than 1 MiB"):
            read(body, kind)
    finally:
        pa.set_memory_pool(usual)
    assert pool.max_memory() < 16 * 2**20


@pytest.mark.parametrize("n_columns", [1, 200])
def test_numbers_that_repeat_are_counted(n_columns: int) -> None:
    """A page of one number a thousand times is a few bytes, and a thousand numbers."""
    body = packed(pl.DataFrame({f"a{i}": [7] * 1000 for i in range(n_columns)}))
    if n_columns == 1:
        assert read(body, "parquet").height == 1000
        return
    with pytest.raises(DataError, match="unpacked, the table has more than 1 MiB"):
        read(body, "parquet")


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
