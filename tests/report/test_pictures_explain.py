"""The numbers behind the pictures of explanations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.report import figures, record

Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1, 0, 2], [("0", "2", "2.0000"), ("1", "1", "2.0000"), ("2", "1", "4.0000")]),
        (
            list(range(20)),
            [(f"{low:.3g} to {low + 3.8:.3g}", "4", f"{mean:.4f}") for low, mean in ((0, 2.5), (3.8, 6.5))],
        ),
    ],
)
def test_few_values_are_told_one_by_one(
    write_run: Write, binary: dict, values: list[int], expected: list[tuple[str, ...]]
) -> None:
    """A flag has a line for each of its values, a number of many values one for each fifth."""
    adds = [float(at + 1) for at in range(len(values))]
    points = {"flag": {"adds": adds, "values": values, "ranks": None}}
    binary["metrics"]["explanations"] = {
        "method": "exact",
        "unit": "log-odds",
        "points": points,
        "columns": {},
    }
    gallery = figures.draw(record.read(write_run(binary, None)))
    (drawn,) = (figure for figure in gallery.explanations if figure.name == "adds_1")
    assert drawn.header == ("flag", "Rows", "Mean of what it adds")
    assert list(drawn.rows)[: len(expected)] == expected
