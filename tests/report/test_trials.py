"""The trials of a search are read as they were written, each param along the axis that the recipe says."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.recipe.space import Choices, Span
from engine.report import record
from engine.report.trials import Axis, Trials, axes, read
from engine.tuning.trial import Outcome, Trial

Facts = dict[str, dict]
Write = Callable[..., Path]
Drawn = Callable[..., Iterator[tuple[Trial, Outcome]]]


def trials(folder: Path) -> Trials:
    """Read trials that are there."""
    found = read(record.read(folder))
    assert isinstance(found, Trials)
    return found


def test_axes_are_those_of_the_recipe(write_search: Write, binary: Facts, trials_of: Drawn) -> None:
    """An axis has the recipe's ends, order and logarithm, not those of the values that were drawn."""
    folder = write_search(binary, list(trials_of(5)))
    assert axes(record.read(folder), trials(folder), "ridge") == (
        Axis("rate", Span(0.001, 1.0, is_log=True), "0.001 to 1, log"),
        Axis("leaves", Span(2, 64, is_log=False), "2 to 64, whole"),
        Axis("shape", Choices(("flat", "deep")), "flat, deep"),
    )


def test_axes_without_a_recipe_show_what_was_drawn(
    write_search: Write, binary: Facts, trials_of: Drawn
) -> None:
    """A param whose space nobody recorded, or that can't be read, reaches over the values of its trials."""
    folder = write_search(binary, list(trials_of(40)), space={"leaves": "no space("})
    found = {axis.param: axis.space for axis in axes(record.read(folder), trials(folder), "ridge")}
    values = pl.read_parquet(folder / "trials.parquet")["params.leaves"]
    assert found["leaves"] == Span(values.min(), values.max(), is_log=False)
    assert found["shape"] == Choices(("deep", "flat"))


@pytest.mark.parametrize(
    ("space", "values", "expected"),
    [
        (Span(1.0, 100.0, is_log=True), [1.0, 10.0, None], [0.0, np.log(10.0), np.nan]),
        (Choices(("a", None)), ["a", None, "z"], [0.0, 1.0, np.nan]),
        (Choices(([64], [64, 32])), ["[64, 32]", "[64]"], [1.0, 0.0]),
        (Choices((1, 2.5)), [2.5, 1.0], [1.0, 0.0]),
        (Choices((True, 1)), ["1", "true"], [1.0, 0.0]),
        (Choices((15, 31)), [31, 15], [1.0, 0.0]),
    ],
)
def test_codes_by_hand(space: Span | Choices, values: list, expected: list[float]) -> None:
    """Each value has its place on its axis: a number, or the place in the list, as the table holds it."""
    assert Axis("p", space, "").codes(pl.Series(values)).tolist() == pytest.approx(expected, nan_ok=True)


def test_long_lists_of_numbers_are_a_range(write_search: Write, binary: Facts) -> None:
    """Listed numbers too many to name stand on one axis from the least to the largest."""
    pairs = [(Trial(k, "ridge", {"n": 10 * k}, 0), Outcome(k, "done", 0.5)) for k in range(12)]
    folder = write_search(binary, pairs, space={"n": "range(0, 120, 10)"})
    (axis,) = axes(record.read(folder), trials(folder), "ridge")
    assert axis == Axis("n", Span(0, 110, is_log=False), "0, 10, 20, 30, 40, 50, 60, 70 … 110 (12 values)")


def test_ranked_as_the_search_ranks(write_search: Write, binary: Facts) -> None:
    """What meets the gates comes first, then what misses them least, then the better score, then the older."""
    outcomes = [
        Outcome(0, "done", 0.9, missed={"f1": 0.5}),
        Outcome(1, "done", 0.7),
        Outcome(2, "failed", error="diverged"),
        Outcome(3, "done", 0.8),
        Outcome(4, "done", 0.8),
        Outcome(5, "done", 0.6, missed={"f1": 0.1}),
    ]
    pairs = [(Trial(one.index, "ridge", {"rate": 0.1}, 0), one) for one in outcomes]
    assert trials(write_search(binary, pairs)).ranked.tolist() == [3, 4, 1, 5, 0]


@pytest.mark.parametrize(("strategy", "expected"), [("random", [0, 2]), ("grid", [])])
def test_params_as_they_stand(write_search: Write, binary: Facts, strategy: str, expected: list[int]) -> None:
    """The first trial of each model, with nothing drawn, is of the recipe's own params; a grid has none."""
    params: list[tuple[str, dict]] = [("ridge", {}), ("ridge", {"a": None}), ("tree", {}), ("tree", {"b": 1})]
    pairs = [(Trial(k, m, p, 0), Outcome(k, "done", 0.5)) for k, (m, p) in enumerate(params)]
    found = trials(write_search(binary, pairs, strategy=strategy))
    assert np.flatnonzero(found.as_it_stands).tolist() == expected


def test_what_is_not_there_is_said(write_search: Write, binary: Facts, trials_of: Drawn) -> None:
    """No file, a file of something else, and a metric that nobody knows are reasons, not tracebacks."""
    folder = write_search(binary, list(trials_of(3)))
    pl.DataFrame({"trial": [0]}).write_parquet(folder / "trials.parquet")
    found = read(record.read(folder))
    assert found == (
        "trials.parquet has no column model, state, score, is_feasible, repeats, seconds, error."
    )
    (folder / "trials.parquet").unlink()
    assert read(record.read(folder)) == "the run kept no trials.parquet."
    binary["recipe"]["goal"]["metric"] = "riches"
    folder = write_search(binary, list(trials_of(3)), folder="unknown")
    assert read(record.read(folder)) == "nobody says whether a high or a low score is better."
