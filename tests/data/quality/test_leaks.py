"""Columns that give the target away, in made tables and in real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.data.quality.leaks import find_leaks
from engine.data.schema import Column, Storage

DATA = Path(__file__).resolve().parents[3] / "recipes" / "data"
Array = np.ndarray
Real = tuple[pl.DataFrame, Array, int]


def column_for(series: pl.Series) -> Column:
    """Return a feature that holds a series."""
    storages: dict[pl.DataType, Storage] = {pl.String(): "string", pl.Boolean(): "boolean"}
    number: Storage = "int64" if series.dtype.is_integer() else "float64"
    kind = "category" if series.dtype == pl.String else "number"
    return Column(series.name, kind, "feature", storages.get(series.dtype, number))


def found(frame: pl.DataFrame, y: Array, *, n_classes: int) -> list[tuple[str, ...]]:
    """Return the columns that are suspected."""
    suspects, _ = find_leaks(frame, [column_for(series) for series in frame], y, n_classes=n_classes)
    return [suspect.columns for suspect in suspects]


@pytest.fixture
def rng() -> np.random.Generator:
    """Give drawn numbers, the same each time."""
    return np.random.default_rng(0)


def test_what_is_known_only_of_one_class(rng: np.random.Generator) -> None:
    """A column that has values of one class alone, such as a lifeboat's number, is suspected."""
    y = rng.integers(0, 2, 400)
    boat = np.where(y == 1, rng.choice(["1", "2", "3"], 400), None)
    frame = pl.DataFrame({"boat": pl.Series(boat.tolist(), dtype=pl.String), "fare": rng.random(400)})
    assert found(frame, y, n_classes=2) == [("boat",)]


def test_what_is_filled_for_one_class_alone(rng: np.random.Generator) -> None:
    """A number known of few rows, all of one class, is suspected; one that is missing by chance is not."""
    y = rng.choice([0, 1], 1000, p=[0.6, 0.4])
    body = [i if answer == 0 and i % 5 == 0 else None for i, answer in enumerate(y)]
    age = [i if i % 5 == 0 else None for i in range(1000)]
    assert found(pl.DataFrame({"body": body, "age": age}), y, n_classes=2) == [("body",)]
    # Of eight rows of no other class nothing can be concluded.
    few = pl.DataFrame({"body": [n if n is not None and n < 60 else None for n in body]})
    assert few["body"].count() > 5
    assert found(few, y, n_classes=2) == []


def test_a_code_of_the_target(rng: np.random.Generator) -> None:
    """A number that stands for the class, with a little noise, is suspected; a good feature is not."""
    y = rng.integers(0, 3, 600)
    frame = pl.DataFrame({"code": y * 10.0 + rng.random(600), "good": y + rng.normal(0, 1, 600)})
    assert found(frame, y, n_classes=3) == [("code",)]


def test_many_names_are_no_leak(rng: np.random.Generator) -> None:
    """A column with a value of its own in each row predicts nothing of the next row, and is not suspected."""
    frame = pl.DataFrame({"name": [f"n{i}" for i in range(300)]})
    assert found(frame, rng.integers(0, 2, 300), n_classes=2) == []


def test_a_gradual_column_is_honest(rng: np.random.Generator) -> None:
    """A column that is right in 19 of 20 rows, and passes through values that say nothing, is no suspect."""
    y = rng.integers(0, 2, 4000)
    size = 2.3 * y + rng.normal(0, 0.7, 4000)
    assert np.mean((size > 1.15) == y) > 0.94
    assert found(pl.DataFrame({"size": size}), y, n_classes=2) == []
    # One that is as often wrong, but by chance, is a noisy copy.
    wrong = rng.random(4000) < 0.05
    assert found(pl.DataFrame({"copy": np.where(wrong, 1 - y, y)}), y, n_classes=2) == [("copy",)]


def test_summands_of_the_target(rng: np.random.Generator) -> None:
    """Columns that add up to the target, or whose difference it is, are suspected together."""
    casual, registered = rng.integers(0, 50, 300), rng.integers(0, 50, 300)
    both = pl.DataFrame({"casual": casual, "registered": registered, "hour": rng.integers(0, 24, 300)})
    assert found(both, casual + registered, n_classes=0) == [("casual", "registered")]
    spent = pl.DataFrame({"start": registered, "end": registered + casual})
    assert found(spent, casual, n_classes=0) == [("start", "end")]
    three = pl.DataFrame({"a": casual, "b": registered, "c": rng.random(300), "d": rng.random(300)})
    total = casual + registered + 40 * np.asarray(three["c"])
    assert found(three, total, n_classes=0) == [("a", "b", "c")]
    # A row in twenty that does not add up hides nothing.
    assert found(both, np.where(np.arange(300) % 20 == 0, 7, casual + registered), n_classes=0) != []


def test_what_a_sum_is_made_of_is_said(rng: np.random.Generator) -> None:
    """The sum is written with its signs and weights."""
    frame = pl.DataFrame({"gross": rng.random(200), "tax": rng.random(200)})
    y = frame["gross"].to_numpy() - 2.5 * frame["tax"].to_numpy()
    suspects, _ = find_leaks(frame, [column_for(series) for series in frame], y, n_classes=0)
    assert [suspect.what for suspect in suspects] == [
        "the target is 'gross' - 2.5 * 'tax', on nearly every row"
    ]


def test_a_copy_of_a_number(rng: np.random.Generator) -> None:
    """A column that orders the rows as the target does is suspected, whatever its scale."""
    y = rng.random(300)
    frame = pl.DataFrame({"copy": np.exp(5 * y), "good": y + rng.normal(0, 0.1, 300)})
    assert found(frame, y, n_classes=0) == [("copy",)]


def test_too_few_rows_say_nothing() -> None:
    """Of fewer than 40 rows nobody is suspected."""
    y = np.arange(39) % 2
    assert found(pl.DataFrame({"copy": y}), y, n_classes=2) == []


def real(name: str) -> Real:
    """Return a real table that the recipes come with: features in random order, target, number of classes."""
    if name == "diamonds":
        frame = pl.read_parquet(DATA / "diamonds.parquet").sample(8000, shuffle=True, seed=0)
        frame = frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
        return frame.drop("price"), frame["price"].cast(pl.Float64).to_numpy(), 0
    target = {"adult": "income-per-year", "penguins": "species"}[name]
    frame = pl.read_csv(DATA / f"{name}.csv", null_values=["?", "NA"]).sample(
        fraction=1, shuffle=True, seed=0
    )
    codes = frame[target].rank("dense").to_numpy().astype(np.int64) - 1
    return frame.drop(target), codes, int(codes.max()) + 1


Leak = Callable[[Array, int, np.random.Generator], pl.Series]


def shuffled(y: Array, n_classes: int, rng: np.random.Generator, share: float) -> Array:
    """Return a target of which some rows are another row's."""
    other = rng.integers(0, n_classes, len(y)) if n_classes else rng.permutation(y)
    return np.where(rng.random(len(y)) < share, other, y)


def places(y: Array) -> Array:
    """Return numbers that count the rows sorted by target."""
    found_ = np.empty(len(y), np.int64)
    found_[np.lexsort((np.random.default_rng(1).random(len(y)), y))] = np.arange(len(y))
    return found_


PLANTED: dict[str, Leak] = {
    "copy": lambda y, _n, _rng: pl.Series(y),
    "copy, 1 % wrong": lambda y, n, rng: pl.Series(shuffled(y, n, rng, 0.01)),
    "copy, 5 % wrong": lambda y, n, rng: pl.Series(shuffled(y, n, rng, 0.05)),
    "with 1 % noise": lambda y, _n, rng: pl.Series(y + rng.normal(0, 0.01 * y.std(), len(y))),
    "with 5 % noise": lambda y, _n, rng: pl.Series(y + rng.normal(0, 0.05 * y.std(), len(y))),
    "shifted and scaled": lambda y, _n, _rng: pl.Series(12 - 3.7 * y),
    "a code in a text": lambda y, n, rng: pl.Series([f"c{int(v):05d}" for v in shuffled(y, n, rng, 0.02)]),
    "an id sorted by target": lambda y, _n, _rng: pl.Series(places(y)),
    "a text id sorted by target": lambda y, _n, _rng: pl.Series([f"ID-{at:06d}" for at in places(y)]),
    "missing for one class": lambda y, _n, rng: pl.Series(
        np.where(y == y.max(), None, rng.random(len(y))).tolist(), dtype=pl.Float64
    ),
}


@pytest.mark.parametrize("leak", [name for name in PLANTED if not name.startswith("missing")])
@pytest.mark.parametrize("name", ["adult", "diamonds", "penguins"])
def test_a_planted_leak_is_found(name: str, leak: str, rng: np.random.Generator) -> None:
    """In real tables each kind of leak is suspected, and nothing else is."""
    frame, y, n_classes = real(name)
    planted = PLANTED[leak](y, n_classes, rng).alias("planted")
    named = {
        column for columns in found(frame.with_columns(planted), y, n_classes=n_classes) for column in columns
    }
    assert named == {"planted"}


@pytest.mark.parametrize("name", ["adult", "penguins"])
def test_a_column_missing_for_one_class_is_found(name: str, rng: np.random.Generator) -> None:
    """That a value is missing is as much a leak as a value."""
    frame, y, n_classes = real(name)
    planted = PLANTED["missing for one class"](y, n_classes, rng).alias("planted")
    assert found(frame.with_columns(planted), y, n_classes=n_classes) == [("planted",)]


@pytest.mark.parametrize("name", ["adult", "diamonds", "penguins"])
def test_a_clean_table_has_no_suspect(name: str) -> None:
    """Honest columns, however strong, such as the weight of a diamond, are not suspected."""
    frame, y, n_classes = real(name)
    assert found(frame, y, n_classes=n_classes) == []
