"""Columns that give the target away."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from engine.data.schema import Column, Schema, Storage
from engine.starter.leaks import suspects


def found(frame: pl.DataFrame, *, numeric: bool) -> list[tuple[str, ...]]:
    """Return the columns that are suspected of a frame whose target is `y`."""
    storages: dict[pl.DataType, Storage] = {
        pl.String(): "string",
        pl.Int64(): "int64",
        pl.Float64(): "float64",
    }
    columns = tuple(
        Column(
            series.name,
            "category" if series.dtype == pl.String else "number",
            "target" if series.name == "y" else "feature",
            storages[series.dtype],
        )
        for series in frame
    )
    schema = Schema(columns=columns, positive=None, extra="error", missing_target="error")
    return [suspect.columns for suspect in suspects(frame, schema=schema, numeric=numeric)]


@pytest.fixture
def rng() -> np.random.Generator:
    """Give drawn numbers, the same each time."""
    return np.random.default_rng(0)


def test_what_is_known_only_of_one_class(rng: np.random.Generator) -> None:
    """A column that has values of one class alone, such as a lifeboat's number, is suspected."""
    y = rng.choice(["dead", "saved"], 400, p=[0.6, 0.4])
    boat = np.where(y == "saved", rng.choice(["1", "2", "3"], 400), None)
    frame = pl.DataFrame({"y": y, "boat": pl.Series(boat.tolist(), dtype=pl.String), "fare": rng.random(400)})
    assert found(frame, numeric=False) == [("boat",)]


def test_what_is_filled_for_one_class_alone(rng: np.random.Generator) -> None:
    """A number known of few rows, all of one class, is suspected; one that is missing by chance is not."""
    y = rng.choice(["dead", "saved"], 1000, p=[0.6, 0.4])
    body = [i if answer == "dead" and i % 5 == 0 else None for i, answer in enumerate(y)]
    age = [i if i % 5 == 0 else None for i in range(1000)]
    frame = pl.DataFrame({"y": y, "body": body, "age": age})
    assert found(frame, numeric=False) == [("body",)]
    # Of eight rows of no other class nothing can be concluded.
    few = pl.DataFrame({"y": y, "body": [n if n is not None and n < 60 else None for n in body]})
    assert few["body"].count() > 5
    assert found(few, numeric=False) == []


def test_a_code_of_the_target(rng: np.random.Generator) -> None:
    """A number that stands for the class, with a little noise, is suspected; a good feature is not."""
    y = rng.integers(0, 3, 600)
    frame = pl.DataFrame(
        {"y": y.astype(str), "code": y * 10.0 + rng.random(600), "good": y + rng.normal(0, 1, 600)}
    )
    assert found(frame, numeric=False) == [("code",)]


def test_many_names_are_no_leak(rng: np.random.Generator) -> None:
    """A column with a value of its own in each row predicts nothing of the next row, and is not suspected."""
    frame = pl.DataFrame({"y": rng.choice(["a", "b"], 300), "name": [f"n{i}" for i in range(300)]})
    assert found(frame, numeric=False) == []


def test_summands_of_the_target(rng: np.random.Generator) -> None:
    """Two columns that add up to the target, or whose difference it is, are suspected together."""
    casual, registered = rng.integers(0, 50, 300), rng.integers(0, 50, 300)
    total = pl.DataFrame({"casual": casual, "registered": registered, "y": casual + registered})
    assert found(total, numeric=True) == [("casual", "registered")]
    spent = pl.DataFrame({"start": registered, "end": registered + casual, "y": casual})
    assert found(spent, numeric=True) == [("end", "start")]


def test_a_copy_of_a_number(rng: np.random.Generator) -> None:
    """A column that orders the rows as the target does is suspected, whatever its scale."""
    y = rng.random(300)
    frame = pl.DataFrame({"y": y, "copy": np.exp(5 * y), "good": y + rng.normal(0, 0.1, 300)})
    assert found(frame, numeric=True) == [("copy",)]
