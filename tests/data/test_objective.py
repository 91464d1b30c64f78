"""What is to be predicted, told from the target's values."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest

from engine.data.objective import Objective, find_objective, task_named
from engine.data.reading import read_together, see
from engine.data.survey import survey
from engine.errors import DataError, EngineError, RecipeError


def found(values: Sequence[object], task: str | None = None) -> Objective:
    """Return what is predicted of a column `y` of a CSV file."""
    texts = [None if value is None else str(value) for value in values]
    facts = survey(["y"], [pl.DataFrame({"y": texts}, schema={"y": pl.String})], from_text=True)
    column = see(facts[0], read_together(facts, delimiter=","))
    return find_objective(column, task=task_named(task), shown="t.csv")


@pytest.mark.parametrize(
    ("values", "task", "kind", "classes"),
    [
        (["a", "b"] * 9, "classification", "category", (("a", 9), ("b", 9))),
        ([0, 1] * 9, "classification", "category", ((0, 9), (1, 9))),
        (["1.0", "0.0"] * 9, "classification", "category", ((0, 9), (1, 9))),
        (["True", "False", "true"] * 9, "classification", "boolean", ((False, 9), (True, 18))),
        (["01", "02", "10"] * 9, "classification", "category", (("01", 9), ("02", 9), ("10", 9))),
        ([3, 4, 5] * 9, "classification", "category", ((3, 9), (4, 9), (5, 9))),
        (range(30), "regression", "integer", ()),
        ([1.5, 2.5] * 9, "regression", "number", ()),
    ],
)
def test_the_task_follows_from_the_values(
    values: Sequence[object], task: str, kind: str, classes: tuple[object, ...]
) -> None:
    """Texts, booleans and few whole numbers are classes; other numbers are numbers."""
    objective = found(values)
    assert (objective.task, objective.guess.type, objective.classes) == (task, kind, classes)


def test_the_command_line_decides_the_task() -> None:
    """`--task` comes before what the values suggest."""
    assert found([3, 4, 5] * 9, "regression").task == "regression"
    assert len(found([*range(30), *range(30)], "classification").classes) == 30


@pytest.mark.parametrize(
    ("values", "positive", "why"),
    [
        (["Yes", "No", "Yes"] * 9, "Yes", "it says yes"),
        (["ja", "nein", "ja"] * 9, "ja", "it says yes"),
        ([1, 0, 1] * 9, 1, "it says yes"),
        ([1, -1, 1] * 9, 1, "it says yes"),
        (["True", "False", "True"] * 9, True, "it says yes"),
        (["churned", "not churned", "churned"] * 9, "churned", "'not churned' says not"),
        (["good", "bad", "good"] * 9, "bad", "the rarer one (9 of 27 rows)"),
        ([1, 2] * 9, 2, "both are as frequent; the last in order"),
        (["a", "b", "c"] * 9, None, ""),
    ],
)
def test_the_positive_class(values: Sequence[object], positive: object, why: str) -> None:
    """Of two classes the one that says yes is positive, else the rarer one; the reason is told."""
    objective = found(values)
    assert objective.positive == positive
    assert type(objective.positive) is type(positive)
    assert objective.why_positive == why


def test_rows_without_a_target_are_counted() -> None:
    """A missing target is counted, by whatever word it is missing."""
    objective = found([1.5, None, "NA", 2.5, 3.5])
    assert (objective.n_rows, objective.n_missing, objective.task) == (5, 2, "regression")


@pytest.mark.parametrize(
    ("values", "task", "error", "message"),
    [
        (
            [1.5, 2.5], "clasification", RecipeError,
            "command line: --task\n  'clasification' is not a task\n  did you mean 'classification'?\n"
            "  allowed: classification, regression",
        ),
        (
            ["a", "b"] * 9, "regression", RecipeError,
            "command line: --task\n  'y' holds text, and regression predicts numbers\n"
            "  did you mean 'classification'?",
        ),
        (
            [1.5, 2.5] * 9, "classification", RecipeError,
            "command line: --task\n  'y' holds numbers with fractions, which are no classes\n"
            "  did you mean 'regression'?",
        ),
        ([None, "NA"], None, DataError, "t.csv: y\n  the target has no value in any row"),
        (["x", "x", None], None, DataError, "t.csv: y\n  the target has one value ('x') in all 2 rows: nothing to learn"),
        (
            ["2020-01-01", "2020-01-02"], None, DataError,
            "t.csv: y\n  the target holds dates, and a prediction is a class or a number; write days instead",
        ),
        (
            ["a", "b", "a", "b", "c"], None, DataError,
            "t.csv: y\n  1 class of one row ('c'): one row can't be in training and in the test; "
            "join such classes in the data, or leave their rows out",
        ),
        (
            [0, 0, 1, 1, 8], None, DataError,
            "t.csv: y\n  1 class of one row ('8'): one row can't be in training and in the test; "
            "join such classes in the data, or leave their rows out\n"
            "  try: --task regression, if they count something",
        ),
        (
            [f"${i}.50" for i in range(40)], None, DataError,
            "t.csv: y\n  the target has 40 different values in 40 rows, such as '$0.50': neither classes nor numbers",
        ),
    ],
)  # fmt: skip
def test_what_can_not_be_predicted(
    values: Sequence[object], task: str | None, error: type[EngineError], message: str
) -> None:
    """A target that teaches nothing is the data's fault, an impossible task the command line's."""
    with pytest.raises(error) as caught:
        found(values, task)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([f"Smith, Mr. {i}" for i in range(30)], "the target has 30 different values in 30 rows: neither classes nor numbers"),
        (["Smith"] * 30, "the target has one value in all 30 rows: nothing to learn"),
        (
            [*["Smith", "Jones"] * 9, "Mayer"],
            "1 class of one row: one row can't be in training and in the test; join such classes in the data, or leave "
            "their rows out",
        ),
    ],
)  # fmt: skip
def test_no_name_of_a_person_is_shown(values: Sequence[str], what: str) -> None:
    """What is wrong with a target whose name says that it names persons is said without any of them."""
    facts = survey(["name"], [pl.DataFrame({"name": values})], from_text=True)
    column = see(facts[0], read_together(facts, delimiter=","))
    with pytest.raises(DataError) as caught:
        find_objective(column, task=None, shown="t.csv")
    assert str(caught.value) == f"t.csv: name\n  {what}"
