"""Test rows become arrays, or a sentence that says why not."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from engine.report import outcomes, record

Facts = dict[str, dict]


@pytest.mark.parametrize(
    "classes", [["no", "yes"], [False, True], [3, 11]], ids=["strings", "booleans", "integers"]
)
def test_classes_of_any_type(write_run: Callable[..., Path], binary: Facts, classes: list) -> None:
    """Classes are found by their own names, whatever type the data holds them in; the positive one is last."""
    names = [str(name).lower() for name in classes]
    rows = pl.DataFrame(
        {
            "rich": [classes[1], classes[0], classes[1]],
            "prediction": [classes[0], classes[0], classes[1]],
            f"probability_{names[0]}": [0.9, 0.8, 0.3],
            f"probability_{names[1]}": [0.1, 0.2, 0.7],
        }
    )
    binary["facts"]["target"]["classes"] = classes
    found = outcomes.read(record.read(write_run(binary, rows)))
    assert isinstance(found, outcomes.Classified)
    assert found.classes == tuple(names)
    assert found.actual.tolist() == [1, 0, 1]
    assert found.decided.tolist() == [0, 0, 1]
    assert found.scores.tolist() == [0.1, 0.2, 0.7]
    assert found.threshold == 0.4


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"drop": "rich"}, "predictions.parquet has no column 'rich'."),
        ({"drop": "prediction"}, "predictions.parquet has no column 'prediction'."),
        ({"drop": "probability_yes"}, "predictions.parquet has no probability of every class."),
        ({"rows": 0}, "There are no test rows."),
        ({"file": None}, "The run kept no predictions.parquet."),
        ({"kind": None}, "facts.json does not say what the target is."),
    ],
)
def test_why_there_is_nothing(
    write_run: Callable[..., Path], binary: Facts, binary_rows: pl.DataFrame, change: dict, expected: str
) -> None:
    """What can't be read is told in a sentence."""
    if "kind" in change:
        del binary["facts"]["target"]
    rows = binary_rows.drop(change["drop"]) if "drop" in change else binary_rows.head(change.get("rows", 200))
    folder = write_run(binary, None if "file" in change else rows)
    assert outcomes.read(record.read(folder)) == expected


def test_rows_that_are_not_whole_are_left_out(write_run: Callable[..., Path], continuous: Facts) -> None:
    """A row without truth or without a finite prediction is not drawn."""
    rows = pl.DataFrame({"price": [1, None, 3], "prediction": [1.5, 2.0, float("nan")]})
    found = outcomes.read(record.read(write_run(continuous, rows)))
    assert isinstance(found, outcomes.Measured)
    assert (found.actual.tolist(), found.predicted.tolist()) == ([1.0], [1.5])
