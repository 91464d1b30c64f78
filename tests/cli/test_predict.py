"""`engine predict` on files that are written otherwise than the training data, and hold other columns."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from engine.cli import main


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, mixed: ModuleType) -> Path:
    """Train on the mixed table, once for all tests."""
    folder = tmp_path_factory.mktemp("mixed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["run", str(mixed.write(folder)), "--quiet"]) == 0
    (found,) = (folder / "runs" / "mixed").iterdir()
    return found


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def frame(mixed: ModuleType) -> pl.DataFrame:
    """Give rows to score."""
    made: pl.DataFrame = mixed.frame("binary", seed=5, n_rows=80).drop("outcome")
    return made


def write(frame: pl.DataFrame, file: str, separator: str = ",", *, comma: bool = False) -> None:
    """Write a CSV file as a dialect has it."""
    frame.write_csv(file, separator=separator, datetime_format="%Y-%m-%dT%H:%M:%S", decimal_comma=comma)


def test_another_dialect_is_named_and_then_read(
    run: Path, frame: pl.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message gives the override to type, and with it the rows score as they do in the first dialect."""
    write(frame, "plain.csv")
    write(frame, "semi.csv", ";", comma=True)
    write(frame, "tab.csv", "\t")
    assert main(["predict", str(run), "plain.csv", "-o", "plain.parquet", "--quiet"]) == 0
    assert main(["predict", str(run), "semi.csv", "-o", "semi.parquet", "--quiet"]) == 3
    assert capsys.readouterr().err == (
        "semi.csv:1: data.delimiter\n  this does not delimit the header\n  did you mean ';'?\n"
        "  try: engine predict RUN DATA 'data.delimiter=\";\"'\n"
    )
    given = ['data.delimiter=";"', 'data.decimal=","']
    assert main(["predict", str(run), "semi.csv", given[0], "-o", "semi.parquet", "--quiet"]) == 3
    assert "  try: engine predict RUN DATA 'data.decimal=\",\"'\n" in capsys.readouterr().err
    assert main(["predict", str(run), "semi.csv", "-o", "semi.parquet", *given, "--quiet"]) == 0
    assert pl.read_parquet("semi.parquet").equals(pl.read_parquet("plain.parquet"))
    assert main(["predict", str(run), "tab.csv", "-o", "tab.csv.parquet", "--quiet"]) == 3
    assert "  try: engine predict RUN DATA $'data.delimiter=\"\\t\"'\n" in capsys.readouterr().err
    assert main(["predict", str(run), "tab.csv", 'data.delimiter="\t"', "-o", "t.parquet", "--quiet"]) == 0


def test_columns_that_the_schema_does_not_name(
    run: Path, frame: pl.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are refused with the override that leaves them out of this scoring, and counted where it is given."""
    write(frame.with_columns(zone=pl.lit(1), segment=pl.lit("a")), "more.csv")
    assert main(["predict", str(run), "more.csv", "-o", "out.csv", "--quiet"]) == 3
    what = (
        "the schema does not name this column (a finished run can't be changed; schema.extra=ignore leaves such "
        "columns out of this scoring)"
    )
    assert capsys.readouterr().err == f"more.csv: zone\n  {what}\n\nmore.csv: segment\n  {what}\n"
    left_out = ["predict", str(run), "more.csv", "schema.extra=ignore", "-o", "out.csv", "--quiet", "--json"]
    assert main(left_out) == 0
    out, err = capsys.readouterr()
    assert err == "left out: 2 columns that the schema does not name (schema.extra=ignore)\n"
    assert json.loads(out)["columns_left_out"] == 2
    assert pl.read_csv("out.csv").height == 80


def test_a_missing_column_names_the_near_ones(
    run: Path, frame: pl.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where several columns may be the missing one all of these are named, and no other."""
    write(frame.rename({"member": "members"}).with_columns(membr=pl.lit(1)).drop("code"), "less.csv")
    assert main(["predict", str(run), "less.csv", "schema.extra=ignore", "-o", "out.csv", "--quiet"]) == 3
    assert capsys.readouterr().err == (
        "less.csv: member\n  the column is missing\n  did you mean 'members'?\n  allowed: members, membr\n\n"
        "less.csv: code\n  the column is missing\n"
    )


def test_a_finished_run_takes_no_other_key(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What would need a new training is refused before the file is opened."""
    assert main(["predict", str(run), "none.csv", "seed=1", "-o", "out.csv", "--quiet"]) == 2
    assert capsys.readouterr().err == (
        "command line: seed\n  'seed' can't be changed after training: only how the rows are read and where they are scored can\n"
        "  allowed: data.format, data.delimiter, data.decimal, data.encoding, data.null_values, data.table, data.version, data.max_rows, data.max_columns, data.max_mib and 4 more\n"
    )


def test_a_place_that_refuses_is_the_users_mistake(
    run: Path, frame: pl.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    """What lies beside an output may be refused where the output is not; it is still the place that was given."""
    write(frame, "plain.csv")
    output = "n" * 250 + ".csv"
    assert main(["predict", str(run), "plain.csv", "-o", output, "--quiet"]) == 2
    assert capsys.readouterr().err.endswith("…: File name too long\n")
