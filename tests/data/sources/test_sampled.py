"""A sample: the same rows each time, by key whatever their order, and said to be one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.data.header import read_header
from engine.data.schema import Schema
from engine.data.source import read
from engine.errors import DataError
from engine.lifecycle import run
from engine.plan import load_checked
from engine.recipe.spec_table import DataSpec

DataOf = Callable[..., DataSpec]
SchemaOf = Callable[..., Schema]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a table of 20,000 rows with a key of two columns."""
    path = tmp_path_factory.mktemp("sample") / "t.parquet"
    n = 20_000
    pl.DataFrame(
        {"k": range(n), "s": [f"s{at % 7}" for at in range(n)], "y": ["a", "b"] * (n // 2)}
    ).write_parquet(path)
    return path


def seeded(data: DataSpec, seed: int) -> DataSpec:
    """Return the same, drawn by a seed."""
    copy = data.model_copy()
    copy._seed = seed
    return copy


def test_a_fraction_is_about_as_many_rows(table: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """Each row is taken by its own chance, so the count lies within four deviations of the fraction's."""
    found = read(data_of(table, sample=0.1), schema_of(k="integer", y="category"))
    assert abs(found.n_rows - 2000) < 4 * np.sqrt(20_000 * 0.1 * 0.9)
    assert found.n_rows_read == 20_000
    assert found.sampled == f"a sample: {found.n_rows} of 20000 rows (data.sample)"
    assert found.frame["k"].to_list() == found.places(np.arange(found.n_rows)).tolist()


def test_a_number_is_as_many_rows(table: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """Exactly, in the order of the table; of fewer rows all are taken."""
    schema = schema_of(k="integer", y="category")
    found = read(data_of(table, sample=500), schema)
    assert found.n_rows == 500
    assert found.frame["k"].is_sorted()
    assert read(data_of(table, sample=50_000), schema).n_rows == 20_000


def test_the_smaller_number_is_of_the_larger(table: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """And the rows are spread over the table, not its first ones."""
    schema = schema_of(k="integer", y="category")
    some, more = (set(read(data_of(table, sample=n), schema).frame["k"]) for n in (100, 1000))
    assert some < more
    assert max(some) > 15_000


def test_the_seed_decides(table: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """The same seed gives the same rows, another seed others."""
    schema = schema_of(k="integer", y="category")
    first, again, other = (
        read(seeded(data_of(table, sample=0.05), seed), schema).frame["k"].to_list() for seed in (1, 1, 2)
    )
    assert first == again
    assert len(set(first) & set(other)) < len(first) // 2


@pytest.mark.parametrize("size", [0.05, 300])
def test_with_a_key_the_order_changes_nothing(
    size: float, table: Path, tmp_path: Path, data_of: DataOf, schema_of: SchemaOf
) -> None:
    """A shuffled copy, in another format, gives the same sample."""
    pl.read_parquet(table).sample(fraction=1, shuffle=True, seed=3).write_csv(tmp_path / "t.csv")
    schema = schema_of(key=("s", "k"), k="integer", s="text", y="category")
    one = read(data_of(table, sample=size), schema).frame
    other = read(data_of(tmp_path / "t.csv", sample=size), schema).frame
    assert one.rows() == other.rows()
    assert one.height > 250


def test_all_rows_are_checked(tmp_path: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """What is wrong with a row that is not of the sample is told all the same, with its number."""
    rows = "".join(f"{at},a\n" for at in range(1000))
    (tmp_path / "t.csv").write_text(f"k,y\n{rows}x,b\n")
    with pytest.raises(DataError, match=r"row 1001"):
        read(data_of(tmp_path / "t.csv", sample=10), schema_of(k="integer", y="category"))


def test_no_row_is_told(tmp_path: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """A fraction of few rows may be none."""
    (tmp_path / "t.csv").write_text("k,y\n1,a\n")
    with pytest.raises(DataError) as caught:
        read(data_of(tmp_path / "t.csv", sample=0.000001), schema_of(k="integer", y="category"))
    assert caught.value.messages[0].what == "no row is of the sample: data.sample asks for too few"


def test_a_plan_counts_the_sample(table: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """What it takes is estimated for the rows that are drawn."""
    schema = schema_of(k="integer", y="category")
    headers = [read_header(data_of(table, sample=size), schema) for size in (0.1, 500, 50_000)]
    assert [(header.n_rows, header.is_exact) for header in headers] == [
        (2000, False),
        (500, True),
        (20_000, True),
    ]


def test_a_run_says_that_it_saw_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In data.json, card and report."""
    monkeypatch.chdir(tmp_path)
    xs = [((at * 37) % 1009) / 1009 for at in range(2000)]
    pl.DataFrame({"x": xs, "y": ["a" if x > 0.4 else "b" for x in xs]}).write_csv("t.csv")
    Path("t.yaml").write_text(
        "defaults: [base, task: classification, model: logistic, compute: small, _self_]\n"
        "name: t\ndata: {path: t.csv, sample: 400}\n"
        "schema: {target: y, columns: {x: {type: number}, y: {type: category}}}\n"
        "evaluation: {bootstrap: 0, baselines: false, pictures: false}\n"
    )
    made = run(load_checked("t.yaml"))
    data = json.loads((made.path / "data.json").read_text())
    assert data["sample"] == {"asked": 400, "n_rows": 400, "n_rows_read": 2000}
    words = "a sample: 400 of 2000 rows (data.sample)"
    assert words in (made.path / "card.md").read_text().replace("\\", "")
    assert words in (made.path / "report.html").read_text()
