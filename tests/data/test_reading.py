"""How the text of a file is read: its decimal sign, and what means a missing value in it."""

from __future__ import annotations

import polars as pl
import pytest

from engine.data.reading import Reading, read_together, see
from engine.data.survey import Facts, survey


def columns_of(**columns: list[str]) -> tuple[Facts, ...]:
    """Return the facts of columns of text."""
    return survey(columns, [pl.DataFrame(columns)], from_text=True)


@pytest.mark.parametrize(
    ("columns", "delimiter", "decimal"),
    [
        ({"a": ["1.5", "2"]}, ",", "."),
        ({"a": ["1,5", "2"]}, ";", ","),
        ({"a": ["1,5", "2"]}, ",", ","),
        ({"a": ["1,5", "2"], "b": ["1.5", "2"]}, ";", "."),
        ({"a": ["1,5"], "b": ["2,5"], "c": ["3.5"]}, ";", ","),
        ({"a": ["1,234", "2,000"]}, ",", "."),
        ({"a": ["1,234", "2,000"]}, ";", ","),
        ({"a": ["x,5", "2,5"]}, ";", "."),
        ({"a": ["1", "2"]}, ";", "."),
    ],
)
def test_the_decimal_sign(columns: dict[str, list[str]], delimiter: str, decimal: str) -> None:
    """More columns decide; 1,234 alone is a thousand where a comma delimits."""
    assert read_together(columns_of(**columns), delimiter=delimiter).decimal == decimal


@pytest.mark.parametrize(
    ("columns", "null_values"),
    [
        ({"a": ["1", "?"]}, ("?",)),
        ({"a": ["1", "-"], "b": ["x", "-"]}, ("-",)),
        ({"a": ["x", "-"]}, ()),
        ({"a": ["x", "none"]}, ()),
        ({"a": ["2020-01-01", "unknown"]}, ("unknown",)),
        ({"a": ["x", "NA", "n/a", "null", "?"]}, ("?", "n/a", "NA", "null")),
        ({"a": ["DE", "NA", "US"]}, ()),
        ({"a": ["NA", "NA"]}, ("NA",)),
        ({"a": ["1", " "]}, (" ",)),
        ({"a": ["1", " ?"]}, (" ?",)),
        ({"a": ["1", "inf"]}, ("inf",)),
        ({"a": ["1", "nowhere"]}, ()),
        ({"a": ["007", "-"]}, ("-",)),
    ],
)
def test_what_means_a_missing_value(columns: dict[str, list[str]], null_values: tuple[str, ...]) -> None:
    """A word is null beside numbers and dates; beside text only where it can be nothing else."""
    assert read_together(columns_of(**columns), delimiter=",").null_values == null_values


def test_what_is_null_somewhere_is_null_everywhere() -> None:
    """Null values hold for the whole file, so a category's level of that text is counted as missing."""
    facts = columns_of(a=["1", "-", "2"], b=["x", "-", "-"])
    reading = read_together(facts, delimiter=",")
    number, category = (see(fact, reading) for fact in facts)
    assert (number.sense, number.n_missing, number.range) == ("integer", 1, (1.0, 2.0))
    assert (category.sense, category.n_missing, category.values) == ("text", 2, (("x", 1),))
    assert reading.why_null == {"-": "in 'a' (1 row), among numbers"}


@pytest.mark.parametrize(
    ("values", "decimal", "sense"),
    [
        (["1", "-2", "+3"], ".", "integer"),
        (["1", "2.5"], ".", "number"),
        (["1", "2,5"], ",", "number"),
        (["1", "2.5"], ",", "text"),
        (["001", "2"], ".", "code"),
        (["10000000000000000000", "2"], ".", "code"),
        (["1e5", "2"], ".", "number"),
        (["True", "false"], ".", "boolean"),
        (["yes", "no"], ".", "text"),
        (["2020-01-31", "2020-02-29 10:00"], ".", "datetime"),
        (["2020-01-31", "2020-02-30"], ".", "text"),
        (["2020-01", "2020-02"], ".", "datetime"),
        (["31.01.2020", "30.01.2020"], ".", "datetime"),
        (["1/2/2020", "2/1/2020"], ".", "text"),
        (["31.01.2020", "2020-01-30"], ".", "text"),
        (["1", "x"], ".", "text"),
        (["NA", "none"], ".", "text"),
    ],
)
def test_what_a_column_reads_as(values: list[str], decimal: str, sense: str) -> None:
    """A column is what every one of its values is."""
    (fact,) = columns_of(a=values)
    assert see(fact, Reading(decimal)).sense == sense  # type: ignore[arg-type]
