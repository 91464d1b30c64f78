"""What each column is taken for."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.infer import Guess, infer
from engine.data.reading import Reading, read_together, see
from engine.data.survey import survey

_DRAWN = random.Random(0)  # noqa: S311 (test data)
_DAY = date(2020, 1, 1)


def guessed(name: str, values: Sequence[object], *, delimiter: str = ",") -> Guess:
    """Return what a column of a CSV file is taken for."""
    texts = [None if value is None else str(value) for value in values]
    facts = survey([name], [pl.DataFrame({name: texts}, schema={name: pl.String})], from_text=True)
    return infer(see(facts[0], read_together(facts, delimiter=delimiter)))


def drawn(*values: object, n: int = 120) -> list[object]:
    """Return n of some values, each of them at least once."""
    return [*values, *(_DRAWN.choice(values) for _ in range(n - len(values)))]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        # numbers, and the bounds that their meaning gives
        ("age", drawn(17, 30, 90), {"type": "integer", "min": 0, "max": None}),
        ("temp", drawn(0, 3, 20), {"type": "integer", "min": None}),
        ("price", drawn(0.5, 3.25), {"type": "number", "min": 0}),
        ("price", drawn(-1, 3.25), {"type": "number", "min": None}),
        ("delay_minutes", drawn(0, 3), {"type": "integer", "min": None}),
        ("hour", drawn(0, 5, 23), {"type": "integer", "min": 0, "max": 23}),
        ("hour", drawn(0, 5, 48), {"type": "integer", "min": None, "max": None}),
        ("latitude", drawn(-33.5, 48.25), {"type": "number", "min": -90, "max": 90}),
        ("has_car", drawn(0, 1), {"type": "integer", "min": 0, "max": 1}),
        ("has_car", drawn("0.0", "1.0"), {"type": "integer", "min": 0, "max": 1}),
        ("x", drawn(1, 2, None), {"type": "integer", "nullable": True}),
        ("x", drawn(1, 2, "?"), {"type": "integer", "nullable": True}),
        # labels
        ("zip", drawn("01067", "80331"), {"type": "category", "role": None}),
        ("zip", drawn(10115, 80331, 50667, 20095), {"type": "category", "values": None}),
        ("active", drawn("True", "False"), {"type": "boolean"}),
        ("vip", drawn("Yes", "No"), {"type": "category", "values": ("No", "Yes")}),
        ("vip", ["Yes", "No"] * 4, {"type": "category", "values": None}),
        ("city", drawn("a", "b", "c", "d"), {"type": "category", "values": None}),
        ("store_id", drawn(*range(9)), {"type": "category", "role": None, "candidate": None}),
        # who
        ("sex", drawn("f", "m"), {"sensitive": True, "values": ("f", "m")}),
        ("female", drawn(0, 1), {"sensitive": True, "type": "integer"}),
        ("Age", drawn(20, 30), {"sensitive": False}),
        ("contact", [f"p{i}@example.org" for i in range(60)], {"pii": True, "role": "ignore"}),
        ("last name", [f"Name{i}" for i in range(60)], {"pii": True, "role": "ignore"}),
        ("phone", [f"+49 30 {100000 + i}" for i in range(60)], {"pii": True, "role": "ignore"}),
        # names of rows
        ("Unnamed: 0", range(60), {"type": "integer", "role": "id"}),
        ("nr", [f"{i:05d}" for i in range(60)], {"type": "category", "role": "id"}),
        ("orderId", _DRAWN.sample(range(10**6), 60), {"type": "integer", "role": "id"}),
        ("token", [f"a{i:x}9" for i in range(60)], {"type": "category", "role": "id"}),
        ("rownames", _DRAWN.sample(range(10**6), 60), {"type": "integer", "role": "id"}),
        ("row.names", [f"Mazda {i} x" for i in range(60)], {"type": "category", "role": "id"}),
        ("townid", drawn(*range(9)), {"type": "category", "role": None}),
        ("number", drawn(*range(2, 9)), {"type": "integer", "role": None}),
        ("pay", _DRAWN.sample(range(10**6), 60), {"type": "integer", "role": None}),
        ("year", range(1950, 2020), {"type": "integer", "role": None, "candidate": "time"}),
        # nothing to learn from
        ("same", ["x"] * 60, {"role": "ignore"}),
        ("none", [None] * 60, {"role": "ignore"}),
        ("note", [f"so many words that this is text {i}" for i in range(60)], {"role": None, "type": "text", "encode": "tfidf"}),
        ("tag", [f"t {i}" for i in range(60)], {"role": "ignore"}),
        ("many", [f"v {i % 100}" for i in range(300)], {"role": "ignore", "type": "category"}),
        # nearly something
        ("born", [(_DAY + timedelta(i)).strftime("%d.%m.%Y") for i in range(60)], {"type": "datetime", "format": "%d.%m.%Y", "strong": True}),
        ("born", [(_DAY - timedelta(i)).strftime("%b %d %y") for i in range(60)], {"format": "%b %d %y", "strong": False}),
        ("at", [f"{i % 12 + 1}/13/20 9:{i % 60:02d}" for i in range(60)], {"type": "datetime", "format": "%m/%d/%y %H:%M"}),
        ("at", [f"{i % 12 + 1}/{i // 12 + 1}/20" for i in range(60)], {"role": "ignore"}),
        ("rate", [f"{i}.5%" for i in range(60)], {"role": "ignore"}),
        ("size", [*map(str, range(80)), "12a"], {"role": "ignore"}),
        ("family", [f"{i // 5:03d}{'A' * (i > 294)}" for i in range(300)], {"role": None, "type": "category", "look": ""}),
        # time and groups
        ("day", [_DAY + timedelta(i) for i in range(60)], {"type": "datetime", "candidate": "time", "strong": True}),
        ("day", [_DAY - timedelta(i) for i in range(60)], {"candidate": "time", "strong": False}),
        ("time", [f"{1949 + i / 12:.3f}" for i in range(60)], {"type": "number", "candidate": "time", "strong": True}),
        ("date", [(_DAY + timedelta(i)).strftime("%Y%m%d") for i in range(60)], {"candidate": "time", "strong": True}),
        ("year", [1950 + i // 4 for i in range(120)], {"type": "integer", "candidate": "time", "strong": False}),
        ("time", drawn(*range(40)), {"type": "integer", "candidate": None}),
        ("width", [i / 2 for i in range(60)], {"type": "number", "candidate": None}),
        ("user_id", drawn(*range(1, 90, 7)), {"type": "category", "candidate": "group", "strong": True}),
        ("ID", [*range(60), *range(60)], {"role": "ignore", "candidate": "group", "strong": True}),
        ("Subject", drawn(*range(308, 320)), {"type": "category", "candidate": "group", "strong": True}),
        ("subject", drawn(*(f"s{i}" for i in range(12))), {"type": "category", "candidate": "group"}),
        ("subject", drawn("a b", "c d", *map(chr, range(65, 77))), {"type": "category", "candidate": None}),
        ("shop_id", drawn(*range(1, 90, 7)), {"type": "category", "candidate": None}),
    ],
)  # fmt: skip
def test_what_a_column_is_taken_for(
    name: str, values: Sequence[object], expected: Mapping[str, object]
) -> None:
    """Type, role and rules follow from the values, and from the name where the values bear it out."""
    guess = guessed(name, values)
    assert {key: getattr(guess, key) for key in expected} == expected
    assert guess.why


def test_what_must_be_mended_is_named() -> None:
    """A column that is nearly numbers or dates says what stands in the way."""
    days = [(_DAY + timedelta(i)) for i in range(60)]
    assert guessed("at", [f"{i % 12 + 1}/{i // 12 + 1}/20" for i in range(60)]).look == (
        'dates as \'1/1/20\'; type: datetime with format: "%d/%m/%y" or "%m/%d/%y" reads them, as days or months '
        "stand first"
    )
    assert guessed("at", [*(day.strftime("%d.%m.%Y") for day in days), "2021-01-01"]).look == (
        "dates as '01.01.2020'; type: datetime with format: \"%d.%m.%Y\" reads them"
    )
    assert guessed("at", [*(day.strftime("%d.%m.%Y") for day in days), "1/2/21"]).look == (
        "dates as '01.01.2020'; dates are read as 2020-01-31, or as one format says: mend those that are written "
        "otherwise"
    )
    assert guessed("size", [*map(str, range(80)), "12a"]).look == (
        "numbers, but 1 row such as '12a'; mend them, to use it"
    )
    assert guessed("size", [*map(str, range(80)), "k.A."]).look == (
        "numbers, but 1 row such as 'k.A.'; mend them, or name them in data.null_values if they mean a missing "
        "value, to use it"
    )


@pytest.mark.parametrize(
    ("name", "values", "look"),
    [
        (
            "Umsatz", [*(f"{i},50" for i in range(70)), "1.234,50"],
            "numbers with a thousands separator, as '1.234,50', are not read yet; "
            'in polars: pl.col("Umsatz").str.replace_all(".", "", literal=True)',
        ),
        (
            'pay "net"', [*(f"{i}.50" for i in range(70)), "1,234.50"],
            "numbers with a thousands separator, as '1,234.50', are not read yet; "
            'in polars: pl.col("pay \\"net\\"").str.replace_all(",", "", literal=True)',
        ),
    ],
)  # fmt: skip
def test_what_is_not_read_yet_comes_with_the_line_that_rewrites_it(
    name: str, values: Sequence[str], look: str
) -> None:
    """Numbers as people write them are said to be unread, and the line given makes them read."""
    assert guessed(name, values).look == look
    line = look.rpartition("in polars: ")[2]
    frame = pl.DataFrame({name: values}).select(eval(line, {"pl": pl}))  # noqa: S307 (our own words)
    assert guessed(name, frame[name].to_list(), delimiter=";").type == "number"


def test_no_value_of_a_person_is_shown() -> None:
    """What leads to a person, or to a protected group, is described without a value."""
    assert "example" not in guessed("contact", [f"p{i % 30}@example.org" for i in range(90)]).seen
    assert "Name" not in guessed("last name", [f"Name{i % 50}" for i in range(90)]).seen
    assert guessed("sex", drawn("f", "m")).seen == "2 values"
    assert guessed("street", drawn("Elm", "Oak", "Ash")).seen == "3 values"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pl.Series([1.0, 0.0] * 60), {"type": "integer", "min": 0, "max": 1}),
        (pl.Series([1.5, 0.0, None] * 40), {"type": "number", "nullable": True}),
        (pl.Series([1.5, float("inf")] * 60), {"role": "ignore"}),
        (pl.Series([2**64 - 1, 5, 6] * 40, dtype=pl.UInt64), {"role": "ignore"}),
        (pl.Series(["?", "x", ""] * 40), {"type": "category", "nullable": False, "values": ("", "?", "x")}),
        (pl.Series([str(i) for i in range(100)]), {"role": "ignore"}),
        (pl.Series(["2020-01-01T10:00:00Z", "2020-01-02T10:00:00Z"] * 60), {"type": "datetime"}),
        (pl.Series([_DAY, _DAY + timedelta(3)] * 60), {"type": "datetime"}),
        (pl.Series([True, False, None] * 40), {"type": "boolean", "nullable": True}),
        (pl.Series([[1], [2]] * 60), {"role": "ignore"}),
        (pl.Series(["a", "b"] * 60, dtype=pl.Categorical), {"type": "category", "values": ("a", "b")}),
        (pl.Series(["1.25", "2.50", "3.75"] * 40).cast(pl.Decimal(8, 2)), {"type": "number"}),
    ],
)
def test_what_a_typed_column_is_taken_for(values: pl.Series, expected: Mapping[str, object]) -> None:
    """Of Parquet, types are the file's, and so are its nulls."""
    facts = survey(["c"], [values.to_frame("c")], from_text=False)
    guess = infer(see(facts[0], Reading()))
    assert {key: getattr(guess, key) for key in expected} == expected


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=8), st.lists(st.text(max_size=6) | st.integers().map(str) | st.none(), min_size=1))
def test_any_column_is_taken_for_something(name: str, values: list[str | None]) -> None:
    """No name and no values stop the inference, and an ignored column is never also checked."""
    guess = guessed(name, values)
    assert guess.name == name
    if guess.role == "ignore":
        assert (guess.nullable, guess.min, guess.max, guess.values) == (False, None, None, None)
