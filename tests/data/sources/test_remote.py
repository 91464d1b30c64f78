"""S3-compatible stores: Parquet where it lies, other formats fetched; secrets stay in the environment."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from engine.cli import main
from engine.data.schema import Schema
from engine.data.source import read
from engine.data.sources import open_table
from engine.data.sources.remote import forget_fetched
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

DataOf = Callable[..., DataSpec]
SchemaOf = Callable[..., Schema]
Put = Callable[[str, bytes], None]
SECRET = "correct-horse-battery"  # noqa: S105 (of a server of the tests' own)


def parquet(frame: pl.DataFrame) -> bytes:
    """Return a frame as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def what(data: DataSpec, schema: Schema) -> list[tuple[str, str]]:
    """Return key and words of each message with which a table is refused."""
    with pytest.raises(DataError) as caught:
        read(data, schema)
    return [(message.key, message.what) for message in caught.value.messages]


@pytest.fixture
def frame() -> pl.DataFrame:
    """Give a small table."""
    return pl.DataFrame({"x": [1.5, None, 3.0], "secret": ["p", "q", "r"], "y": ["a", "b", "a"]})


def test_one_object(put: Put, frame: pl.DataFrame, data_of: DataOf, schema_of: SchemaOf) -> None:
    """A Parquet object and the fetched CSV of the same rows are the same table."""
    put("one/t.parquet", parquet(frame))
    put("one/t.csv", frame.write_csv().encode())
    put("one/t.ndjson", frame.write_ndjson().encode())
    schema = schema_of(x="number", y="category")
    found = [read(data_of(f"s3://tables/one/t.{kind}"), schema) for kind in ("parquet", "csv", "ndjson")]
    assert [one.frame.rows() for one in found] == [[(1.5, "a"), (None, "b"), (3.0, "a")]] * 3
    assert [one.source.format for one in found] == ["parquet", "csv", "ndjson"]
    assert found[0].source.n_bytes == len(parquet(frame))


def test_only_the_named_columns_are_asked_for(
    put: Put, data_of: DataOf, schema_of: SchemaOf, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a wide object less than a tenth is fetched for one column in twenty."""
    wide = pl.DataFrame(
        {f"c{at}": [float((row * 7919 * (at + 1)) % 100_003) for row in range(50_000)] for at in range(20)}
    )
    content = parquet(wide.with_columns(y=pl.Series(["a", "b"] * 25_000)))
    put("wide/t.parquet", content)
    with caplog.at_level(logging.INFO, logger="werkzeug"):
        assert (
            read(data_of("s3://tables/wide/t.parquet"), schema_of(c3="number", y="category")).n_rows == 50_000
        )
    # Ranges, and never the whole object.
    assert " 206 " in caplog.text
    assert '"GET /tables/wide/t.parquet HTTP/1.1" 200' not in caplog.text


def test_a_prefix_and_a_pattern(put: Put, frame: pl.DataFrame, data_of: DataOf, schema_of: SchemaOf) -> None:
    """Parts in the order of their keys, with what folders say; notes of other tools are passed over."""
    for year, part in ((2024, frame.head(2)), (2025, frame.tail(1))):
        put(f"parts/year={year}/p.parquet", parquet(part))
    put("parts/_SUCCESS", b"x")
    schema = schema_of(x="number", year="integer", y="category")
    expected = [(1.5, 2024, "a"), (None, 2024, "b"), (3.0, 2025, "a")]
    assert read(data_of("s3://tables/parts"), schema).frame.rows() == expected
    assert read(data_of("s3://tables/parts/"), schema).frame.rows() == expected
    found = read(data_of("s3://tables/parts/year=2025/*.parquet"), schema_of(x="number", y="category"))
    assert found.frame.rows() == [(3.0, "a")]
    assert read(data_of("s3://tables/parts/**/*.parquet"), schema).n_rows == 3


def test_what_is_wrong_is_told(put: Put, frame: pl.DataFrame, data_of: DataOf, schema_of: SchemaOf) -> None:
    """No object, an empty part, a broken one, parts of several formats."""
    schema = schema_of(x="number", y="category")
    assert what(data_of("s3://tables/none.parquet"), schema) == [
        ("data.path", "'s3://tables/none.parquet' leads to no table")
    ]
    put("empty/a.parquet", parquet(frame))
    put("empty/b.parquet", b"")
    assert what(data_of("s3://tables/empty"), schema) == [("", "the object is empty (0 bytes)")]
    put("broken/t.parquet", parquet(frame)[:-40])
    ((_, words),) = what(data_of("s3://tables/broken/t.parquet"), schema)
    assert words.startswith("not a whole Parquet file: ")
    put("mixed/a.parquet", parquet(frame))
    put("mixed/b.csv", frame.write_csv().encode())
    ((_, words),) = what(data_of("s3://tables/mixed"), schema)
    assert words.startswith("'s3://tables/mixed' leads to files of several formats: csv (")
    put("lite/t.db", b"SQLite format 3\0")
    assert what(data_of("s3://tables/lite/t.db"), schema) == [
        ("", "a table of format sql is read from this machine alone")
    ]


def test_without_an_account_nothing_is_asked(
    put: Put, data_of: DataOf, schema_of: SchemaOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment says who asks; no other place is looked into."""
    del put
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(DataError) as caught:
        read(data_of("s3://tables/t.parquet"), schema_of(x="number", y="category"))
    assert str(caught.value) == (
        "s3://tables/t.parquet\n"
        "  the environment does not say who asks the store\n"
        "  try: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true"
    )


def test_a_store_that_does_not_answer_is_told(
    s3: str, data_of: DataOf, schema_of: SchemaOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within seconds, with no secret in the words."""
    del s3
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    ((_, words),) = what(data_of("s3://tables/t.parquet"), schema_of(x="number", y="category"))
    assert words.startswith("the store says: ")
    assert SECRET not in words


def test_an_object_is_fetched_once_and_does_not_stay(
    put: Put,
    frame: pl.DataFrame,
    data_of: DataOf,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who opens it again has it; what has changed since is fetched anew; all of it goes with the process."""
    forget_fetched()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    put("gone/t.csv", frame.write_csv().encode())
    with caplog.at_level(logging.INFO, logger="werkzeug"):
        for _ in range(2):
            assert open_table(data_of("s3://tables/gone/t.csv")).header().columns == ("x", "secret", "y")
        assert caplog.text.count("GET /tables/gone/t.csv ") == 1
    assert len(list(tmp_path.iterdir())) == 1
    put("gone/t.csv", frame.select("x", "y").write_csv().encode())
    assert open_table(data_of("s3://tables/gone/t.csv")).header().columns == ("x", "y")
    forget_fetched()
    assert list(tmp_path.iterdir()) == []


def test_no_secret_is_in_a_run(
    put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """From `engine init` to `engine predict`: neither recipe nor run folder nor output has the key."""
    monkeypatch.chdir(tmp_path)
    xs = [((at * 37) % 1009) / 1009 for at in range(300)]
    table = pl.DataFrame({"x": xs, "z": xs[::-1], "y": ["a" if x > 0.4 else "b" for x in xs]})
    put("whole/t.csv", table.write_csv().encode())
    put("whole/t.parquet", parquet(table))
    options = ["compute=small", "evaluation.pictures=false"]
    assert main(["init", "s3://tables/whole/t.csv", "--target", "y", "-o", "t.yaml"]) == 0
    assert "s3://tables/whole/t.csv" in Path("t.yaml").read_text()
    assert main(["plan", "t.yaml"]) == 0
    assert main(["run", "t.yaml", *options]) in (0, 4)
    assert main(["run", "t.yaml", "data.path=s3://tables/whole/t.parquet", *options]) in (0, 4)
    assert main(["predict", "t@latest", "s3://tables/whole/t.parquet", "-o", "p.csv"]) == 0
    assert main(["verify", "t@latest", "--root", "s3://tables/whole"]) == 0
    said = capfd.readouterr()
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET not in said.out + said.err
    assert SECRET.encode() not in written
    assert Path("p.csv").read_text().count("\n") == 301
