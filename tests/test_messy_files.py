"""Whole runs on files as people have them: other marks, other encodings, rows without a target."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

import engine
from engine import again
from engine.cli import main
from engine.deploy.batch import predict
from engine.plan import make_plan
from engine.runs.folder import PARTIAL
from engine.runs.run import Run

DROP = "schema.missing_target=drop"


@pytest.fixture(autouse=True)
def _work_in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(recipe: Path, *overrides: str) -> Run:
    """Load and run a recipe."""
    return engine.run(engine.load(recipe, overrides))


def save(table: pl.DataFrame) -> None:
    """Write the table where the recipe of the tests looks for it."""
    table.write_csv("mixed.csv", datetime_format="%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize(
    ("encoding", "delimiter", "decimal"),
    [("cp1252", ";", ","), ("utf-16", "\t", ","), ("latin-1", ",", ","), ("utf-8", "|", ".")],
)
def test_how_a_file_is_written_changes_no_bit_of_the_model(
    encoding: str, delimiter: str, decimal: str, tmp_path: Path, mixed: ModuleType
) -> None:
    """Delimiter, decimal and encoding are the file's: the run, the plan and batch scoring are the same."""
    table = mixed.frame("binary").with_columns(pl.col("city").str.replace("city", "Süßstadt"))
    recipe = mixed.write(tmp_path, "binary")
    save(table)
    plain = run(recipe)
    text = table.write_csv(
        separator=delimiter, decimal_comma=decimal == ",", datetime_format="%Y-%m-%dT%H:%M:%S"
    )
    (tmp_path / "mixed.csv").write_bytes(text.encode(encoding))
    # In Hydra's grammar a delimiter needs quotes.
    keys = f'data.delimiter="{delimiter}"', f'data.decimal="{decimal}"', f"data.encoding={encoding}"
    assert make_plan(engine.load(recipe, keys)).header.columns == tuple(table.columns)
    other = run(recipe, *keys)
    for file in ("metrics.json", "predictions.parquet", "bundle/model.onnx"):
        assert (plain.path / file).read_bytes() == (other.path / file).read_bytes(), file
    assert plain.facts["data_sha256"] != other.facts["data_sha256"]
    assert all(again.verify(other).values())
    predict(other.bundle(), tmp_path / "mixed.csv", tmp_path / "out.parquet")
    scored = pl.read_parquet(tmp_path / "out.parquet")
    stored = pl.read_parquet(other.path / "predictions.parquet")
    assert scored[stored["row"].to_list()]["prediction"].to_list() == stored["prediction"].to_list()


def test_rows_without_a_target_are_left_out_of_the_whole_run(
    tmp_path: Path, mixed: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model is that of the file without these rows; every row keeps its number, and the count is said."""
    recipe = mixed.write(tmp_path, "binary")
    is_missing = pl.Series(np.arange(600) % 7 == 3)
    table = mixed.frame("binary").with_columns(
        pl.when(is_missing).then(None).otherwise(pl.col("outcome")).alias("outcome")
    )
    save(table.filter(~is_missing))
    without = run(recipe)
    save(table)
    assert main(["run", str(recipe), DROP, "--json"]) == 0
    captured = capsys.readouterr()
    said = "left out: 86 of 600 rows, the target 'outcome' missing (schema.missing_target: drop)"
    assert f"note: {said}\n" in captured.err
    done = Run(Path(json.loads(captured.out)["path"]))

    for file in ("metrics.json", "bundle/model.onnx"):
        assert (without.path / file).read_bytes() == (done.path / file).read_bytes(), file
    data = done.read("data.json")
    assert (data["n_rows"], data["n_rows_read"]) == (514, 600)
    assert data["n_rows_dropped"] == {"missing_target": 86}
    assert without.read("data.json")["n_rows_dropped"] == {"missing_target": 0}

    stored = pl.read_parquet(done.path / "predictions.parquet")
    raw = table.with_row_index("row")[stored["row"].to_list()]
    assert raw["id"].to_list() == stored["id"].to_list()
    assert raw["outcome"].to_list() == stored["outcome"].to_list()
    hashed = hashlib.sha256(stored["row"].to_numpy().astype("<i8").tobytes()).hexdigest()
    assert data["split"]["sha256"]["test"] == hashed  # type: ignore[index]

    assert done.facts["notes"] == [said]
    for file in ("report.html", "card.md"):
        words = (done.path / file).read_text()
        assert "Rows left out, their target missing" in words
        assert "86 of 600 rows" in words
        assert "Rows left out" not in (without.path / file).read_text()
    assert all(again.verify(done).values())
    predict(done.bundle(), tmp_path / "mixed.csv", tmp_path / "out.parquet")
    assert pl.read_parquet(tmp_path / "out.parquet").height == 600


def test_a_run_with_rows_left_out_is_resumed_and_compared(
    tmp_path: Path, mixed: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is left out is a matter of recipe and data alone: resumed, a run is what it would have been."""
    recipe = mixed.write(tmp_path, "binary")
    save(mixed.frame("binary"))
    whole = run(recipe)
    is_first = pl.Series(np.arange(600) < 50)
    save(
        mixed.frame("binary").with_columns(outcome=pl.when(is_first).then(None).otherwise(pl.col("outcome")))
    )
    first = run(recipe, DROP)
    folder = first.path.with_name(f"20200101-000000-{first.id[-8:]}{PARTIAL}")
    folder.mkdir()
    shutil.copy(first.path / "recipe.yaml", folder)
    resumed = again.resume(folder)
    assert resumed.id == folder.name.removesuffix(PARTIAL)
    for file in ("metrics.json", "predictions.parquet"):
        assert (resumed.path / file).read_bytes() == (first.path / file).read_bytes()
    for key in ("n_rows", "n_rows_dropped", "split"):
        assert resumed.read("data.json")[key] == first.read("data.json")[key]
    capsys.readouterr()
    assert main(["diff", str(whole.path), str(first.path), "--json"]) == 0
    told = capsys.readouterr().out
    assert '"n_rows"' in told
    assert '"schema.missing_target"' in told


def test_no_row_with_a_target_ends_in_an_error(
    tmp_path: Path, mixed: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is left to learn from: exit 3, and nothing is written."""
    recipe = mixed.write(tmp_path, "binary")
    save(mixed.frame("binary").with_columns(outcome=pl.lit("")))
    assert main(["run", str(recipe), DROP, "--quiet"]) == 3
    assert capsys.readouterr().err == (
        "mixed.csv: outcome\n  the target is missing in every row (600): none is left to learn from\n"
    )
    assert not (tmp_path / "runs").exists()


def test_what_is_wrong_with_the_rest_is_said_with_what_was_left_out(
    tmp_path: Path, mixed: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """A target of one class may be of the rows that were left out, and rows are counted without them."""
    recipe = mixed.write(tmp_path, "binary")
    save(mixed.frame("binary").with_columns(pl.col("outcome").replace("no", None)))
    assert main(["run", str(recipe), DROP, "--quiet"]) == 3
    n_yes = int((mixed.frame("binary")["outcome"] == "yes").sum())
    assert capsys.readouterr().err == (
        f"mixed.csv: outcome\n  the target has one class ('yes') in all {n_yes} rows: nothing to learn; "
        f"rows are counted after those that were left out: {600 - n_yes} of 600 rows, "
        "the target 'outcome' missing (schema.missing_target: drop)\n"
    )


def test_a_model_of_parquet_takes_an_empty_text_for_a_text(tmp_path: Path, mixed: ModuleType) -> None:
    """The bundle knows which format was read: Parquet has nulls itself, so an empty text is a category."""
    recipe = mixed.write(tmp_path, "binary")
    table = mixed.frame("binary").with_columns(pl.col("city").fill_null(""))
    recipe.write_text(
        recipe.read_text().replace("city: {type: category, nullable: true}", "city: {type: category}")
    )
    table.write_parquet(tmp_path / "mixed.parquet")
    done = run(recipe, "data.path=mixed.parquet")
    bundle = done.bundle()
    assert bundle.data.format == "parquet"
    golden = bundle.golden.filter(pl.col("city") == "")
    record = golden.select(column.name for column in bundle.schema.features).to_dicts()[0]
    record["since"] = record["since"] and record["since"].isoformat()
    assert bundle.predict_records([record])["prediction"].to_list() == golden["prediction"].to_list()[:1]
    save(table)
    assert (
        run(recipe.with_name("mixed.yaml"), "schema.columns.city.nullable=true").bundle().data.format == "csv"
    )


def test_dates_as_people_write_them_give_the_same_run(tmp_path: Path, mixed: ModuleType) -> None:
    """A declared format changes neither the model nor a score, in the run or after it; `init` finds it."""
    recipe = mixed.write(tmp_path, "binary")
    table = mixed.frame("binary")
    save(table)
    plain = run(recipe)
    style = "%d/%m/%Y %H:%M:%S"
    table.write_csv("mixed.csv", datetime_format=style)
    other = run(recipe, f"schema.columns.since.format='{style}'")
    for file in ("metrics.json", "predictions.parquet", "bundle/model.onnx"):
        assert (plain.path / file).read_bytes() == (other.path / file).read_bytes(), file
    predict(other.bundle(), tmp_path / "mixed.csv", tmp_path / "out.parquet")
    scored = pl.read_parquet(tmp_path / "out.parquet")
    stored = pl.read_parquet(other.path / "predictions.parquet")
    assert scored[stored["row"].to_list()]["prediction"].to_list() == stored["prediction"].to_list()
    assert main(["init", "mixed.csv", "--target", "outcome", "-o", "found.yaml", "--quiet"]) == 0
    assert engine.load(Path("found.yaml")).schema_.columns["since"].format == style
