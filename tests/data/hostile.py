"""Files as they come, each made by a few lines; `hostile.txt` beside says what is to be said of each."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import sqlite3
import struct
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

RECIPE = """\
defaults: [base, task: classification, model: logistic, compute: small, evaluation: quick, _self_]
name: hostile
data: {path: FILE}
schema:
  target: y
  columns:
    a: {type: integer, min: 0}
    b: {type: number, nullable: true}
    c: {type: category, nullable: true}
    y: {type: category, values: ["n", "p"]}
"""
HEADER = "a,b,c,y"
ROWS = tuple(f"{at},{at / 4},c{at % 3},{'np'[at % 2]}" for at in range(60))


@dataclass(frozen=True)
class Hostile:
    """One file.

    Attributes
    ----------
    write
        Makes the file, or folder, at a path.
    suffix
        What its name ends with.
    overrides
        What the command line adds.
    declared
        What the recipe calls the third column.
    reads
        Cells that must be found, as `column: (row from 0, value)`; None where it is to be refused.
    """

    name: str
    write: Callable[[Path], object]
    suffix: str = ".csv"
    overrides: tuple[str, ...] = ()
    reads: Mapping[str, tuple[int, object]] | None = None
    declared: str = "c"


def text(
    *,
    header: str = HEADER,
    change: Mapping[int, str] | None = None,
    end: str = "\n",
    line_end: str = "\n",
    encoding: str = "utf-8",
    before: bytes = b"",
) -> Callable[[Path], object]:
    """Write a CSV with some of its rows, numbered from 0, changed."""

    def write(path: Path) -> None:
        rows = [(change or {}).get(at, row) for at, row in enumerate(ROWS)]
        path.write_bytes(before + (line_end.join([header, *rows]) + end).encode(encoding))

    return write


def raw(content: bytes) -> Callable[[Path], object]:
    """Write these bytes."""
    return lambda path: path.write_bytes(content)


def good() -> pl.DataFrame:
    """Return the table as it should be."""
    cells = [row.split(",") for row in ROWS]
    return pl.DataFrame(
        {
            "a": [int(row[0]) for row in cells],
            "b": [float(row[1]) for row in cells],
            "c": [row[2] for row in cells],
            "y": [row[3] for row in cells],
        }
    )


def frame(**columns: pl.Expr) -> Callable[[Path], object]:
    """Write the table, some of its columns others, in the format that the path's suffix names."""

    def write(path: Path) -> None:
        table = good().with_columns(**columns)
        writers = {".parquet": table.write_parquet, ".arrow": table.write_ipc, ".ndjson": table.write_ndjson}
        writers[path.suffix](path)  # type: ignore[operator]

    return write


def cut(writer: Callable[[Path], object], keep: float) -> Callable[[Path], object]:
    """Write a file and cut its end off."""

    def write(path: Path) -> None:
        writer(path)
        os.truncate(path, int(path.stat().st_size * keep))

    return write


def spoilt(writer: Callable[[Path], object]) -> Callable[[Path], object]:
    """Write a file and turn over some bits in its first pages."""

    def write(path: Path) -> None:
        writer(path)
        content = bytearray(path.read_bytes())
        for at in range(10, 60):
            content[at] ^= 0xFF
        path.write_bytes(content)

    return write


def parts(*tables: pl.DataFrame | bytes) -> Callable[[Path], object]:
    """Write a folder of Parquet parts."""

    def write(path: Path) -> None:
        path.mkdir()
        for at, table in enumerate(tables):
            part = path / f"part-{at}.parquet"
            if isinstance(table, bytes):
                part.write_bytes(table)
            else:
                table.write_parquet(part)

    return write


def twice_named(path: Path) -> None:
    """Write a Parquet with two columns of one name."""
    columns = good()
    arrays = [columns[name].to_arrow() for name in ("a", "b", "c", "y", "a")]
    pq.write_table(pa.Table.from_arrays(arrays, names=["a", "b", "c", "y", "a"]), path)


def bomb(path: Path) -> None:
    """Write forty million rows of one value in some kilobytes."""
    n_rows, n_groups = 5_000_000, 8
    schema = pa.schema([("a", pa.int64()), ("b", pa.float64()), ("c", pa.string()), ("y", pa.string())])
    zeros = pa.repeat(0, n_rows)
    columns = [
        zeros,
        pa.repeat(0.5, n_rows),
        pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), n_rows), ["c"]).cast(pa.string()),
        pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), n_rows), ["n"]).cast(pa.string()),
    ]
    table = pa.Table.from_arrays(columns, schema=schema)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for _ in range(n_groups):
            writer.write_table(table)


def late(path: Path) -> None:
    """Write a column of numbers in which a text stands after a million rows."""
    with path.open("w") as file:
        file.write(HEADER + "\n")
        file.write("1,0.5,c,n\n" * 1_000_000)
        file.write("1,half,c,p\n")


def wide(path: Path) -> None:
    """Write a header of a million columns."""
    path.write_text(",".join(f"x{at}" for at in range(1_000_000)) + "\n" + ",".join("1" * 1_000_000) + "\n")


def footer_lies(path: Path) -> None:
    """Write a Parquet that says its footer is of two gigabytes."""
    good().write_parquet(path)
    content = bytearray(path.read_bytes())
    content[-8:-4] = struct.pack("<I", 2**31 - 1)
    path.write_bytes(content)


def mixed(path: Path) -> None:
    """Write a folder of two formats."""
    path.mkdir()
    good()[:30].write_parquet(path / "a.parquet")
    good()[30:].write_csv(path / "b.csv")


def led_out(path: Path) -> None:
    """Write a folder in which a link leads to a file beside it."""
    path.mkdir()
    good()[:30].write_parquet(path / "a.parquet")
    (path / "b.parquet").symlink_to(path.parent / "recipe.yaml")


def no_file(path: Path) -> None:
    """Write a folder in which something named as a part is no regular file."""
    path.mkdir()
    good()[:30].write_parquet(path / "a.parquet")
    os.mkfifo(path / "b.parquet")


def unlike_folders(path: Path) -> None:
    """Write parts of which the folders name other columns."""
    for at, folder in enumerate(("c=1", "d=2")):
        (path / folder).mkdir(parents=True)
        good()[30 * at : 30 * at + 30].drop("c").write_parquet(path / folder / "part.parquet")


def database(rows: int, third: str = "'c'", *, table: bool = True) -> Callable[[Path], object]:
    """Write an SQLite file."""

    def write(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE t (a integer, b real, c text, y text)")
            for at in range(rows):
                db.execute(f"INSERT INTO t VALUES ({at}, {at / 4}, {third}, '{'np'[at % 2]}')")  # noqa: S608
            db.execute("SELECT 1" if table else "DROP TABLE t")
            db.commit()

    return write


def lines(*more: bytes, before: bytes = b"") -> Callable[[Path], object]:
    """Write NDJSON with some lines more at its end."""
    rows = [row.split(",") for row in ROWS]
    said = (f'{{"a": {a}, "b": {b}, "c": "{c}", "y": "{y}"}}\n'.encode() for a, b, c, y in rows)
    return raw(before + b"".join([*said, *more]))


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4" * 64 + b"\nsize 12345\n"
NFC, NFD = unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")
READ_EXACTLY = (
    Hostile("bom", text(before=b"\xef\xbb\xbf"), reads={"a": (0, 0)}),
    Hostile("crlf", text(line_end="\r\n", end="\r\n"), reads={"y": (59, "p")}),
    Hostile("no line end at the end", text(end=""), reads={"y": (59, "p")}),
    Hostile("blank lines at the end", text(end="\n\n\n"), reads={"y": (59, "p")}),
    Hostile("utf-16", text(encoding="utf-16"), overrides=("data.encoding=utf-16",), reads={"c": (2, "c2")}),
    Hostile("latin-1", text(change={3: "3,0.75,café,p"}, encoding="latin-1"), overrides=("data.encoding=latin-1",), reads={"c": (3, "café")}),
    Hostile("leading zeros in a text", text(change={3: "3,0.75,00123,p"}), reads={"c": (3, "00123")}),
    Hostile("a line end in quotes", text(change={3: '3,0.75,"c\n1",p'}), reads={"c": (3, "c\n1")}),
    Hostile("a doubled quote", text(change={3: '3,0.75,"c""1",p'}), reads={"c": (3, 'c"1')}),
    Hostile("a formula", text(change={3: "3,0.75,=1+1|cmd,p"}), reads={"c": (3, "=1+1|cmd")}),
    Hostile("NFC and NFD values", text(change={3: f"3,0.75,{NFC},p", 4: f"4,1,{NFD},n"}), reads={"c": (4, NFD)}),
    Hostile("columns in another order", text(header="y,c,b,a", change={at: ",".join(row.split(",")[::-1]) for at, row in enumerate(ROWS)}), reads={"a": (59, 59)}),
    Hostile("a whole number as 3.0", text(change={3: "3.0,0.75,c0,p"}), reads={"a": (3, 3)}),
    Hostile("a Parquet named csv", lambda path: good().write_parquet(path), reads={"a": (59, 59)}),
    Hostile("a NaN where null may be", frame(b=pl.lit(float("nan"))), suffix=".parquet", reads={"b": (0, None)}),
    Hostile("narrow types", frame(a=pl.col("a").cast(pl.UInt8), b=pl.col("b").cast(pl.Float32)), suffix=".parquet", reads={"a": (59, 59)}),
    Hostile("NDJSON without a key", frame(c=pl.lit(None, pl.String)), suffix=".ndjson", reads={"c": (0, None)}),
    Hostile("NDJSON with a bom", lines(before=b"\xef\xbb\xbf"), suffix=".ndjson", reads={"a": (0, 0)}),
    Hostile("NDJSON with a colon in a text", frame(c=pl.when(pl.col("a") == 3).then(pl.lit('":')).otherwise("c")), suffix=".ndjson", reads={"c": (3, '":')}),
    Hostile("everything in quotes", text(header='"a","b","c","y"', change={at: ",".join(f'"{cell}"' for cell in row.split(",")) for at, row in enumerate(ROWS)}), reads={"a": (59, 59)}),
    Hostile("a plus sign", text(change={3: "+3,+0.75,c0,p"}), reads={"a": (3, 3)}),
    Hostile("decimals", frame(b=pl.col("b").cast(pl.Decimal(10, 2))), suffix=".parquet", reads={"a": (59, 59)}),
    Hostile("a row group a row", lambda path: pq.write_table(good().to_arrow(), path, row_group_size=1), suffix=".parquet", reads={"a": (59, 59)}),
    Hostile("parts in a folder", parts(good()[:30], good()[30:]), suffix="", reads={"a": (59, 59)}),
)  # fmt: skip
REFUSED = (
    Hostile("empty", raw(b"")),
    Hostile("a bom alone", raw(b"\xef\xbb\xbf")),
    Hostile("a header alone", raw(b"a,b,c,y\n")),
    Hostile("a blank first line", text(before=b"\n")),
    Hostile("utf-16 not declared", text(encoding="utf-16")),
    Hostile("utf-16 without a mark", text(encoding="utf-16-le")),
    Hostile("utf-32", text(encoding="utf-32")),
    Hostile("latin-1 not declared", text(change={3: "3,0.75,café,p"}, encoding="latin-1")),
    Hostile("declared utf-16 and is not", text(), overrides=("data.encoding=utf-16",)),
    Hostile("carriage returns alone", text(line_end="\r", end="\r")),
    Hostile("one carriage return", text(change={3: "3,0.75,c\r1,p"})),
    Hostile("a NUL", text(change={3: "3,0.75,c\0,p"})),
    Hostile("a name twice", text(header="a,b,b,y")),
    Hostile("a column without a name", text(header="a,b,,y")),
    Hostile("NFC and NFD names", text(header=f"a,b,{NFC},{NFD}")),
    Hostile("a name in NFD", text(header=f"a,b,{NFD},y"), declared=NFC),
    Hostile("too many fields", text(change={3: "3,0.75,c0,p,9"})),
    Hostile("too few fields", text(change={3: "3,0.75,c0"})),
    Hostile("one too many and one too few", text(change={3: "3,0.75,c0,p,9", 7: "7,1.75,c1"})),
    Hostile("a blank line", text(change={3: ""})),
    Hostile("an unclosed quote", text(change={3: '3,0.75,"c0,p'})),
    Hostile("a quote within a field", text(change={3: '3,0.75,c"0,p'})),
    Hostile("cut within a record", cut(text(), 0.9)),
    Hostile("cut within a quote", cut(text(change={57: '57,1.5,"' + "c" * 99 + '",p'}), 0.9)),
    Hostile("another delimiter", text(header="a;b;c;y", change={at: row.replace(",", ";") for at, row in enumerate(ROWS)})),
    Hostile("decimal commas", text(header="a;b;c;y", change={at: row.replace(",", ";").replace(".", ",") for at, row in enumerate(ROWS)}), overrides=("data.delimiter=';'",)),
    Hostile("1.9 for a whole number", text(change={3: "1.9,0.75,c0,p"})),
    Hostile("beyond 64 bits", text(change={3: "9223372036854775808,0.75,c0,p"})),
    Hostile("far beyond 64 bits", text(change={3: "1" * 400 + ",0.75,c0,p"})),
    Hostile("infinity", text(change={3: "3,inf,c0,p", 4: "4,-1e999,c0,n"})),
    Hostile("a text among numbers", text(change={3: "3,half,c0,p"})),
    Hostile("a text after a million numbers", late),
    Hostile("question marks", text(change={3: "?,?,c0,p"})),
    Hostile("below its bound", text(change={3: "-3,0.75,c0,p", 5: "-1,1.25,c0,p"})),
    Hostile("a missing target", text(change={3: "3,0.75,c0,"})),
    Hostile("another value of the target", text(change={3: "3,0.75,c0,q"})),
    Hostile("a column more", text(header="a,b,c,y,z", change={at: f"{row},1" for at, row in enumerate(ROWS)})),
    Hostile("a column less", text(header="a,b,y", change={at: row.replace(f",c{at % 3}", "") for at, row in enumerate(ROWS)})),
    Hostile("a million columns", wide),
    Hostile("gzip", lambda path: path.write_bytes(gzip.compress(("\n".join([HEADER, *ROWS])).encode()))),
    Hostile("zip", raw(b"PK\x03\x04" + b"\0" * 60)),
    Hostile("a web page", raw(b"<!DOCTYPE html><html></html>")),
    Hostile("JSON named csv", raw(b'[{"a": 1}]')),
    Hostile("a field without an end", raw(b"a,b,c,y\n1,1,c,n\n" + b'2,1,"' + b"x" * (65 * 2**20))),
    Hostile("a named pipe", os.mkfifo),
    Hostile("a link to itself", lambda path: path.symlink_to(path)),
    Hostile("a folder without a table", lambda path: path.mkdir(), suffix=""),
    Hostile("an empty Parquet", raw(b""), suffix=".parquet"),
    Hostile("a Parquet cut short", cut(frame(), 0.7), suffix=".parquet"),
    Hostile("a Parquet with spoilt pages", spoilt(frame()), suffix=".parquet"),
    Hostile("text named Parquet", text(), suffix=".parquet"),
    Hostile("a Parquet that names a column twice", twice_named, suffix=".parquet"),
    Hostile("a Parquet without rows", good()[:0].write_parquet, suffix=".parquet"),
    Hostile("texts where numbers are declared", frame(a=pl.col("a").cast(pl.String)), suffix=".parquet"),
    Hostile("fractions where whole numbers are declared", frame(a=pl.col("a") + 0.5), suffix=".parquet"),
    Hostile("whole numbers beyond 64 bits", frame(a=pl.col("a").cast(pl.UInt64) + 2**63), suffix=".parquet"),
    Hostile("lists", frame(c=pl.concat_list("c")), suffix=".parquet"),
    Hostile("an infinity", frame(b=pl.lit(float("-inf"))), suffix=".parquet"),
    Hostile("an empty part", parts(good()[:30], b""), suffix=""),
    Hostile("a part of another type", parts(good()[:30], good()[30:].with_columns(pl.col("b").cast(pl.String))), suffix=""),
    Hostile("a part without a column", parts(good()[:30], good()[30:].drop("c")), suffix=""),
    Hostile("a part with a bad value", parts(good()[:30], good()[30:].with_columns(a=-pl.col("a"))), suffix=""),
    Hostile("a compression bomb", bomb, suffix=".parquet", overrides=("data.max_mib=1000",)),
    Hostile("an Arrow file cut short", cut(frame(), 0.7), suffix=".arrow"),
    Hostile("text named Arrow", text(), suffix=".arrow"),
    Hostile("NDJSON cut short", cut(frame(), 0.9), suffix=".ndjson"),
    Hostile("NDJSON of lists", raw(b"[1]\n[2]\n"), suffix=".ndjson"),
    Hostile("NDJSON of two types", raw(b'{"a": 1, "b": 1, "c": "c", "y": "n"}\n{"a": "x", "b": 1, "c": "c", "y": "p"}\n'), suffix=".ndjson"),
    Hostile("bzip2", lambda path: path.write_bytes(bz2.compress(HEADER.encode()))),
    Hostile("xz", lambda path: path.write_bytes(lzma.compress(HEADER.encode()))),
    Hostile("Avro", raw(b"Obj\1" + b"\0" * 60)),
    Hostile("ORC", raw(b"ORC\3" + b"\0" * 60)),
    Hostile("a pointer of Git LFS", raw(POINTER)),
    Hostile("a pointer of Git LFS named Parquet", raw(POINTER), suffix=".parquet"),
    Hostile("a header within", text(change={30: HEADER})),
    Hostile("a sum at the end", text(change={59: "TOTAL,,,"})),
    Hostile("a delimiter at the end of rows", text(change={at: f"{row}," for at, row in enumerate(ROWS)})),
    Hostile("single quotes", text(change={3: "3,0.75,'c,0',p"})),
    Hostile("an escaped quote", text(change={3: '3,0.75,"c\\"0",p'})),
    Hostile("Arabic digits", text(change={3: "٣,0.75,c0,p"})),
    Hostile("a blank that does not break", text(change={3: "3\u00a0000,0.75,c0,p"})),
    Hostile("a name with a blank of no width", text(header="\u200ba,b,c,y")),
    Hostile("UTF-8 that is too long", raw(b"a,b,c,y\n1,1,\xc0\xaf,n\n")),
    Hostile("a Parquet whose footer lies", footer_lies, suffix=".parquet"),
    Hostile("dates where whole numbers are declared", frame(a=pl.lit(date(2020, 1, 1))), suffix=".parquet"),
    Hostile("two formats in a folder", mixed, suffix=""),
    Hostile("a link that leads out of its folder", led_out, suffix=""),
    Hostile("a pipe in a folder", no_file, suffix=""),
    Hostile("folders that name other columns", unlike_folders, suffix=""),
    Hostile("an SQLite file cut short", cut(database(600, f"'{'c' * 300}'"), 0.5), suffix=".db"),
    Hostile("an SQLite file without a table", database(0, table=False), suffix=".db"),
    Hostile("a text of SQLite that is none", database(9, "cast(x'ff' AS text)"), suffix=".db"),
    Hostile("a key that comes late", lines(b'{"a": 1, "b": 1, "c": "c", "y": "n", "z": 3}\n'), suffix=".ndjson"),
    Hostile("a key twice", lines(b'{"a": 1, "a": 2, "c": "c", "y": "n"}\n'), suffix=".ndjson"),
    Hostile("a key twice, once far from its colon",
            lines(b'{"a" : 1, "a": 2, "c": "c", "y": "n"}\n'), suffix=".ndjson"),
    Hostile("NaN in NDJSON", lines(b'{"a": 1, "b": NaN, "c": "c", "y": "n"}\n'), suffix=".ndjson"),
    Hostile("one JSON list", raw(b'[{"a": 1, "b": 1, "c": "c", "y": "n"}]'), suffix=".ndjson"),
    Hostile("half a character in NDJSON", lines(b'{"a": 1, "b": 1, "c": "\\ud800", "y": "n"}\n'), suffix=".ndjson"),
    Hostile("nested NDJSON", raw(b'{"a": 1, "b": {"d": 1}, "c": "c", "y": "n"}\n'), suffix=".ndjson"),
)  # fmt: skip


def make(hostile: Hostile, folder: Path) -> Path:
    """Write the file and a recipe beside it; return the recipe's path."""
    file = folder / f"table{hostile.suffix}"
    hostile.write(file)
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE.replace("FILE", file.name).replace("c:", f"{hostile.declared}:", 1))
    return recipe
