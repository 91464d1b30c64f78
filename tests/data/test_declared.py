"""What a recipe may not declare: each mistake with its whole message."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.data.declared import check_schema
from engine.recipe.spec import Spec

_GOOD = {"x": {"type": "number"}, "y": {"type": "number"}}
_MEND = "role: ignore, or another name in the data, mends it"
_AS_TEXT = "max_length is a rule on text, and the values of this category are not"


@pytest.mark.parametrize(
    ("columns", "key", "what"),
    [
        (
            {**_GOOD, "y": {"type": "number", "nullable": True}},
            "schema.columns.y.nullable",
            "a target can't be nullable: a row without it teaches nothing; "
            "schema.missing_target: drop leaves such rows out",
        ),
        (
            {**_GOOD, "y": {"type": "number", "role": "id"}},
            "schema.columns.y.role",
            "'y' is the target and can't also have the role id",
        ),
        (
            {**_GOOD, "z": {"type": "number", "role": "target"}},
            "schema.columns.z.role",
            "the target is 'y', by schema.target; there is one",
        ),
        (
            {**_GOOD, "z": {"type": "text", "role": "time"}},
            "schema.columns.z.type",
            "a column of role time can't be of type text\n  allowed: datetime, integer, number",
        ),
        (
            {**_GOOD, "a": {"type": "text", "role": "group"}, "b": {"type": "text", "role": "group"}},
            "schema.columns.b.role",
            "'a' has the role group already; one column can have it",
        ),
        (
            {"y": {"type": "number"}, "z": {"type": "text", "role": "id"}},
            "schema.columns",
            "no column is left for a model to learn from (role: feature)",
        ),
        (
            {**_GOOD, "x": {"type": "boolean", "max": 1.0}},
            "schema.columns.x.max",
            "max is no rule of the type boolean\n  allowed: datetime, integer, number",
        ),
        (
            {**_GOOD, "x": {"type": "number", "min": "a"}},
            "schema.columns.x.min",
            "'a' is not a number",
        ),
        (
            {**_GOOD, "x": {"type": "datetime", "min": "1.2.2020"}},
            "schema.columns.x.min",
            "'1.2.2020' is not an ISO 8601 date or time, such as '2020-01-31'",
        ),
        (
            {**_GOOD, "x": {"type": "datetime", "min": "2020-02-01", "max": "2020-01-01"}},
            "schema.columns.x.min",
            "min 2020-02-01 is above max 2020-01-01",
        ),
        (
            {**_GOOD, "x": {"type": "number", "min": 2.0, "max": 1.0}},
            "schema.columns.x.min",
            "min 2 is above max 1",
        ),
        (
            {**_GOOD, "x": {"type": "category", "values": ()}},
            "schema.columns.x.values",
            "the list is empty, so that no value is allowed: name at least one",
        ),
        (
            {**_GOOD, "x": {"type": "integer", "values": (1, "b")}},
            "schema.columns.x.values",
            "'b' is not a whole number, which the type integer asks for",
        ),
        (
            {**_GOOD, "x": {"type": "category", "values": (1, "b")}},
            "schema.columns.x.values",
            "the values are of more than one kind; write all as text, all as integers or all as booleans",
        ),
        (
            {**_GOOD, "x": {"type": "category", "values": ("b", "b")}},
            "schema.columns.x.values",
            "'b' stands twice",
        ),
        (
            {**_GOOD, "x": {"type": "text", "pattern": "["}},
            "schema.columns.x.pattern",
            "not a regular expression that Python and Rust both read: unterminated character set at position 0",
        ),
        (
            {**_GOOD, "x": {"type": "text", "pattern": "(?=a)b"}},
            "schema.columns.x.pattern",
            "not a regular expression that Python and Rust both read: "
            "look-around, including look-ahead and look-behind, is not supported",
        ),
        (
            {**_GOOD, "x": {"type": "text", "max_length": 0}},
            "schema.columns.x.max_length",
            "max_length 0 allows no text",
        ),
        (
            {**_GOOD, "x": {"type": "category", "max_length": 1, "values": (1, 2)}},
            "schema.columns.x.max_length",
            _AS_TEXT,
        ),
        (
            {**_GOOD, "x": {"type": "category", "pattern": "a", "values": (1, 2)}},
            "schema.columns.x.pattern",
            "pattern is a rule on text, and the values of this category are not",
        ),
        (
            {**_GOOD, "w": {"type": "number", "role": "weight", "nullable": True}},
            "schema.columns.w.nullable",
            "a weight can't be nullable: a row counts for something",
        ),
        (
            {**_GOOD, "prediction": {"type": "number"}},
            "schema.columns.prediction",
            f"the name 'prediction' is taken by the predictions; {_MEND}",
        ),
        *(
            (
                {**_GOOD, name: {"type": "text", "role": "id"}},
                f"schema.columns.{name}",
                f"the name '{name}' reads as a pattern of names; {_MEND}",
            )
            for name in ("*", "^x$", "^.*$")
        ),
    ],
)
def test_each_mistake_has_its_message(
    spec_of: Callable[..., Spec], columns: dict[str, object], key: str, what: str
) -> None:
    """One mistake gives one message, at its key."""
    assert [str(message) for message in check_schema(spec_of(columns))] == [f"{key}\n  {what}"]


def test_a_misspelt_target_gets_the_nearest_column(spec_of: Callable[..., Spec]) -> None:
    """The target must be a column; the nearest is suggested."""
    columns = {"x": {"type": "number"}, "income": {"type": "number"}}
    (message,) = check_schema(spec_of(columns, target="incme"))
    assert str(message) == (
        "schema.target\n  the target 'incme' is not among the columns\n"
        "  did you mean 'income'?\n  allowed: x, income"
    )


@pytest.mark.parametrize("role", ["id", "feature", "group", "time", "weight"])
def test_names_of_probabilities_are_taken_where_there_are_classes(
    spec_of: Callable[..., Spec], role: str
) -> None:
    """Of a classification no column that is kept may be named as a probability is."""
    spec = spec_of({**_GOOD, "probability_a": {"type": "integer", "role": role}})
    assert check_schema(spec) == []
    classes = spec.model_copy(update={"task": spec.task.model_copy(update={"kind": "classification"})})
    assert [str(message) for message in check_schema(classes)] == [
        f"schema.columns.probability_a\n  the name 'probability_a' is taken by the predictions; {_MEND}"
    ]


def test_ignored_columns_may_have_any_name(spec_of: Callable[..., Spec]) -> None:
    """What is not read can't be mistaken for anything."""
    names = ("prediction", "probability_yes", "*", "^x$")
    assert (
        check_schema(spec_of({**_GOOD, **{name: {"type": "text", "role": "ignore"} for name in names}})) == []
    )


def test_a_right_schema_has_no_mistake(spec_of: Callable[..., Spec]) -> None:
    """Every rule where it belongs is accepted."""
    columns = {
        "a": {"type": "integer", "min": 1.0, "max": 2.0, "values": (1, 2)},
        "b": {"type": "datetime", "min": "2020-01-01", "role": "time"},
        "c": {"type": "text", "pattern": "[a-z]+", "max_length": 3, "unique": True},
        "d": {"type": "number", "values": (1, 2.5)},
        "w": {"type": "number", "role": "weight"},
        "y": {"type": "category", "values": (True, False)},
    }
    assert check_schema(spec_of(columns, positive=True)) == []
