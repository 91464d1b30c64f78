"""Two runs held against each other on the test rows that they share."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.report.rivals import compare_runs

Facts = dict[str, dict]
Write = Callable[..., Path]


def _blurred(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the same rows with probabilities from which half of what they told is gone."""
    rng = np.random.default_rng(1)
    yes = 0.3 * rows["probability_yes"].to_numpy() + 0.7 * rng.random(rows.height)
    return rows.with_columns(
        probability_yes=pl.Series(yes),
        probability_no=pl.Series(1 - yes),
        prediction=pl.Series(np.where(yes >= 0.4, "yes", "no")),
    )


def test_the_second_is_judged_on_the_firsts_rows(
    write_run: Write, binary: Facts, binary_rows: pl.DataFrame
) -> None:
    """A blurred model is worse and its rival better by as much; a run is the same as itself."""
    sharp = write_run(binary, binary_rows, folder="sharp")
    blurred = write_run(binary, _blurred(binary_rows), folder="blurred")
    worse, better, same = (
        compare_runs(sharp, blurred),
        compare_runs(blurred, sharp),
        compare_runs(sharp, sharp),
    )
    assert isinstance(worse, dict)
    assert isinstance(better, dict)
    assert isinstance(same, dict)
    assert (worse["roc_auc"].verdict, better["roc_auc"].verdict) == ("worse", "better")
    assert worse["roc_auc"].interval.value == pytest.approx(-better["roc_auc"].interval.value)
    assert {one.verdict for one in same.values()} == {"the same"}


def test_numbers_are_compared_too(write_run: Write, continuous: Facts, continuous_rows: pl.DataFrame) -> None:
    """Of a regression the errors are compared."""
    first = write_run(continuous, continuous_rows, folder="first")
    noise = pl.Series(np.random.default_rng(2).normal(0, 9, continuous_rows.height))
    second = write_run(
        continuous, continuous_rows.with_columns(pl.col("prediction") + noise), folder="second"
    )
    found = compare_runs(first, second)
    assert isinstance(found, dict)
    assert found["rmse"].verdict == "worse"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda f: f["facts"].update(data_sha256="x"), "the two runs are not of the same data and target"),
        (lambda f: f["data"]["split"]["sha256"].update(test="x"), "the two runs have other test rows"),
        (
            lambda f: f["data"]["columns"][0].update(role="weight"),
            "the rows have weights, which predictions.parquet does not keep",
        ),
    ],
)
def test_what_can_not_be_compared_is_said(
    change: Callable, expected: str, write_run: Write, binary: Facts, binary_rows: pl.DataFrame
) -> None:
    """Other data, other rows, weighed rows: a reason, and no numbers."""
    other = deepcopy(binary)
    change(other)
    first = write_run(other, binary_rows, folder="first")
    second = write_run(binary, binary_rows, folder="second")
    assert compare_runs(first, second) == compare_runs(second, first) == expected


def test_a_run_without_predictions(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """What was not kept can't be compared."""
    first = write_run(binary, None, folder="first")
    found = compare_runs(first, write_run(binary, binary_rows, folder="second"))
    assert found == "a run has not kept the predictions of all test rows"
