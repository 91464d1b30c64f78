"""Joins: each row of the first table once, what was known at its own time, and nothing in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from engine.data.schema import Schema
from engine.data.source import read
from engine.errors import DataError
from engine.lifecycle import run
from engine.plan import load_checked
from engine.recipe.spec_table import DataSpec

DataOf = Callable[..., DataSpec]
SchemaOf = Callable[..., Schema]
LOANS = "loan,customer,at,y\n1,001,2024-03-01,a\n2,002,2024-03-01,b\n3,001,2024-01-01,a\n4,,2024-03-01,b\n5,009,,a\n"
CUSTOMERS = "customer,city\n001,Oslo\n002,Rome\n003,Bonn\n"
RATINGS = """customer,since,rating
001,2024-02-01,B
001,2024-01-15,A
001,2024-03-02,D
002,2023-01-01,C
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with loans, customers and their ratings."""
    (tmp_path / "loans.csv").write_text(LOANS)
    (tmp_path / "customers.csv").write_text(CUSTOMERS)
    (tmp_path / "ratings.csv").write_text(RATINGS)
    return tmp_path


def joined(folder: Path, data_of: DataOf, *joins: dict[str, object]) -> DataSpec:
    """Return how the loans are read with some joins, whose paths are relative to the folder."""
    placed = [{**join, "path": str(folder / str(join["path"]))} for join in joins]
    return data_of(folder / "loans.csv", join=placed)


def whats(data: DataSpec, schema: Schema) -> list[tuple[str, str]]:
    """Return key and words of each message with which a table is refused."""
    with pytest.raises(DataError) as caught:
        read(data, schema)
    return [(message.key, message.what) for message in caught.value.messages]


def test_a_key_brings_the_columns_of_its_row(folder: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """A left join by hand: every loan once and in order, nulls where no customer is, and these counted."""
    data = joined(folder, data_of, {"path": "customers.csv", "on": ["customer"]})
    table = read(data, schema_of(loan="integer", city="category", y="category"))
    assert table.frame.rows() == [
        (1, "Oslo", "a"), (2, "Rome", "b"), (3, "Oslo", "a"), (4, None, "b"), (5, None, "a"),
    ]  # fmt: skip
    (second,) = table.source.joined
    assert (second.n_rows, second.n_unmatched, second.format) == (3, 2, "csv")


def test_in_time_a_row_takes_what_was_known_then(folder: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """The latest rating that is not later than the loan: none of the future, and none before the first."""
    time = {"left": "at", "right": "since"}
    data = joined(folder, data_of, {"path": "ratings.csv", "on": ["customer"], "time": time})
    table = read(data, schema_of(loan="integer", rating="category", since="datetime", y="category"))
    assert table.frame["rating"].to_list() == ["B", "C", None, None, None]
    assert table.frame["since"].dt.strftime("%F").to_list() == ["2024-02-01", "2023-01-01", None, None, None]
    assert table.source.joined[0].n_unmatched == 3


def test_a_rating_of_the_same_moment_counts(folder: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """Not later is what is asked, and the same moment is not later."""
    (folder / "ratings.csv").write_text("customer,since,rating\n001,2024-03-01,E\n001,2024-02-01,B\n")
    time = {"left": "at", "right": "since"}
    data = joined(folder, data_of, {"path": "ratings.csv", "on": ["customer"], "time": time})
    assert read(data, schema_of(rating="category", y="category")).frame["rating"][0] == "E"


def test_a_tolerance_leaves_old_rows_out(folder: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """29 days before the loan is within 30, a year is not."""
    time = {"left": "at", "right": "since"}
    join = {"path": "ratings.csv", "on": ["customer"], "time": time, "tolerance": "30d"}
    table = read(joined(folder, data_of, join), schema_of(rating="category", y="category"))
    assert table.frame["rating"].to_list() == ["B", None, None, None, None]


def test_several_tables_and_formats(folder: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """Each by its own key; whole numbers in Parquet and their texts in CSV are one key."""
    pl.DataFrame({"loan": [1, 2], "amount": [10.5, 20.0]}).write_parquet(folder / "amounts.parquet")
    data = joined(
        folder,
        data_of,
        {"path": "customers.csv", "on": ["customer"]},
        {"path": "amounts.parquet", "on": ["loan"]},
    )
    table = read(data, schema_of(city="category", amount="number", y="category"))
    assert table.frame.rows()[:3] == [("Oslo", 10.5, "a"), ("Rome", 20.0, "b"), ("Oslo", None, "a")]
    assert [second.n_unmatched for second in table.source.joined] == [2, 3]


def test_a_key_that_is_there_twice_is_refused(folder: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """With how many rows share how many keys: which of them counts is not for us to guess."""
    with (folder / "customers.csv").open("a") as file:
        file.write("001,Lyon\n001,Bern\n003,Kiel\n")
    data = joined(folder, data_of, {"path": "customers.csv", "on": ["customer"]})
    assert whats(data, schema_of(city="category", y="category")) == [
        ("data.join", "'customer' names each row of a joined table once: 5 rows share 2 keys")
    ]


def test_names_that_clash_are_refused(folder: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """No column replaces another, and a key must be in both tables."""
    (folder / "customers.csv").write_text("customer,at\n001,2024-01-01\n")
    data = joined(folder, data_of, {"path": "customers.csv", "on": ["customer"]})
    both = f"'{folder}/loans.csv' and '{folder}/customers.csv'"
    assert whats(data, schema_of(y="category")) == [
        ("data.join.0.columns", f"{both} have columns of one name: at")
    ]
    data = joined(folder, data_of, {"path": "ratings.csv", "on": ["custmer"]})
    assert whats(data, schema_of(y="category")) == [
        ("data.join.0", f"'{folder}/loans.csv' has no column 'custmer' to join by"),
        ("data.join.0", f"'{folder}/ratings.csv' has no column 'custmer' to join by"),
    ]


def test_columns_are_chosen_and_renamed(folder: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """Keys may be called otherwise there; what is not chosen neither comes along nor clashes."""
    (folder / "customers.csv").write_text("id,at,y,city\n001,2020-05-01,k,Oslo\n002,2021-05-01,k,Rome\n")
    one = {"path": "customers.csv", "on": {"customer": "id"}}
    data = joined(folder, data_of, {**one, "columns": {"joined_at": "at", "town": "city"}})
    table = read(data, schema_of(joined_at="datetime", town="category", y="category"))
    assert table.frame["town"].to_list() == ["Oslo", "Rome", "Oslo", None, None]
    assert table.frame["joined_at"].dt.year().to_list() == [2020, 2021, 2020, None, None]
    assert table.frame["y"].to_list() == ["a", "b", "a", "b", "a"]

    data = joined(folder, data_of, {**one, "columns": ["citty"]})
    assert whats(data, schema_of(y="category")) == [
        ("data.join.0", f"'{folder}/customers.csv' has no column 'citty' to add")
    ]


def test_a_key_called_otherwise_with_a_time(folder: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """In time as well: a row takes what was known of its own key, by that key's other name."""
    (folder / "ratings.csv").write_text(
        "who,at,rating\n001,2024-02-01,B\n001,2024-03-02,D\n002,2023-01-01,C\n"
    )
    one = {"path": "ratings.csv", "on": {"customer": "who"}, "time": {"left": "at", "right": "at"}}
    data = joined(folder, data_of, {**one, "columns": ["rating"]})
    table = read(data, schema_of(rating="category", at="datetime", y="category"))
    assert table.frame["rating"].to_list() == ["B", "C", None, None, None]


def test_a_value_of_the_second_table_that_breaks_its_type(
    folder: Path, data_of: DataOf, schema_of: SchemaOf
) -> None:
    """Is told with that table's own file and row."""
    (folder / "customers.csv").write_text("customer,score\n001,1.5\n002,good\n")
    data = joined(folder, data_of, {"path": "customers.csv", "on": ["customer"]})
    with pytest.raises(DataError) as caught:
        read(data, schema_of(score="number", y="category"))
    assert str(caught.value).startswith(f"{folder}/customers.csv: score\n")
    assert "(row 2: good)" in str(caught.value)


def test_the_hash_knows_every_table(folder: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """Another second table is other data."""
    data = joined(folder, data_of, {"path": "customers.csv", "on": ["customer"]})
    schema = schema_of(city="category", y="category")
    before = read(data, schema).source.sha256
    (folder / "customers.csv").write_text(CUSTOMERS.replace("Bonn", "Graz"))
    assert read(data, schema).source.sha256 != before


def test_the_rows_stay_as_they_were_in_any_order(folder: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """A join in time over many rows against a loop over them."""
    n = 2000
    loans = pl.DataFrame(
        {
            "loan": range(n),
            "customer": [f"{(at * 7919) % 50:03}" for at in range(n)],
            "at": pl.Series([(at * 104729) % 10_000 for at in range(n)]).cast(pl.Datetime("us")),
            "y": ["a", "b"] * (n // 2),
        }
    )
    ratings = pl.DataFrame(
        {
            "customer": [f"{(at * 31) % 40:03}" for at in range(1000)],
            "since": pl.Series([(at * 7907) % 10_000 for at in range(1000)]).cast(pl.Datetime("us")),
            "rating": [f"r{at}" for at in range(1000)],
        }
    ).unique(["customer", "since"], keep="first", maintain_order=True)
    loans.write_parquet(folder / "loans.parquet")
    ratings.write_parquet(folder / "ratings.parquet")
    join = {
        "path": str(folder / "ratings.parquet"),
        "on": ["customer"],
        "time": {"left": "at", "right": "since"},
    }
    table = read(
        data_of(folder / "loans.parquet", join=[join]), schema_of(loan="integer", rating="text", y="category")
    )
    known = ratings.rows()
    expected = []
    for loan, customer, at, y in loans.rows():
        earlier = [(since, rating) for who, since, rating in known if who == customer and since <= at]
        expected.append((loan, max(earlier)[1] if earlier else None, y))
    assert table.frame.rows() == expected


def test_a_whole_run_with_a_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The joined columns are features as any others, and data.json has the second table's hash and counts."""
    monkeypatch.chdir(tmp_path)
    xs = [((at * 37) % 101) / 101 for at in range(300)]
    pl.DataFrame({"k": range(300), "y": ["a" if x > 0.4 else "b" for x in xs]}).write_csv("first.csv")
    pl.DataFrame({"k": range(290), "x": xs[:290]}).write_csv("second.csv")
    Path("t.yaml").write_text(
        "defaults: [base, task: classification, model: logistic, compute: small, _self_]\n"
        "name: t\ndata: {path: first.csv, join: [{path: second.csv, on: k}]}\n"
        "schema: {target: y, columns: {k: {type: integer, role: id}, x: {type: number, nullable: true}, y: {type: category}}}\n"
        "evaluation: {bootstrap: 0, baselines: false, pictures: false}\n"
    )
    made = run(load_checked("t.yaml"))
    (second,) = json.loads((made.path / "data.json").read_text())["source"]["joined"]
    assert (second["n_rows"], second["n_unmatched"], len(second["sha256"])) == (290, 10, 64)
    again = load_checked(made.path / "recipe.yaml")
    assert again.data.join is not None
    assert again.data.join[0].path == str(tmp_path / "second.csv")
    answers = made.predict(pl.DataFrame({"k": [1], "x": [0.9]}))
    assert answers["prediction"].to_list() == ["a"]
