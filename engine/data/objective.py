"""What is to be predicted: the task that a target's values call for, and which of two classes is positive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.data import hints
from engine.data.infer import Guess, as_categories, leads_to_a_person, span
from engine.data.reading import Seen
from engine.data.violation import counted, show
from engine.errors import DataError, RecipeError, nearest
from engine.recipe.strict import Scalar

TaskName = Literal["classification", "regression"]
TASK_NAMES: tuple[TaskName, ...] = ("classification", "regression")
# Whole numbers of no more distinct values are taken for classes.
_MAX_NUMBER_CLASSES = 10
_MAX_CLASSES = 1000
_BINARY = 2
_MOST_OWN = 0.5
_YES = frozenset({"yes", "y", "true", "t", "1", "positive", "pos", "+", "ja", "oui", "si", "on"})
_NO = frozenset({"no", "n", "false", "f", "0", "-1", "negative", "neg", "-", "nein", "non", "off"})
_NOT = ("not ", "not_", "not-", "non ", "non-", "non_", "no ", "un")


@dataclass(frozen=True, slots=True)
class Objective:
    """What is to be predicted.

    Attributes
    ----------
    classes
        Of classification, each class with its rows, sorted by class; else empty.
    positive
        Of two classes, the one that counts as positive.
    n_missing
        Rows without a target, which teach nothing.
    """

    guess: Guess
    task: TaskName
    why_task: str
    classes: tuple[tuple[Scalar, int], ...] = ()
    positive: Scalar | None = None
    why_positive: str = ""
    n_rows: int = 0
    n_missing: int = 0

    @property
    def rarest(self) -> tuple[Scalar, int]:
        """The class of the fewest rows."""
        return min(self.classes, key=lambda pair: pair[1])


def task_named(task: str | None) -> TaskName | None:
    """Return the task that the command line asks for.

    Raises
    ------
    RecipeError
        If there is no such task.
    """
    for name in TASK_NAMES:
        if task == name:
            return name
    if task is None:
        return None
    raise RecipeError.of(
        f"'{task}' is not a task",
        key="--task",
        file="command line",
        suggestion=nearest(task, TASK_NAMES),
        allowed=TASK_NAMES,
    )


def find_objective(column: Seen, *, task: TaskName | None, shown: str) -> Objective:
    """Decide how a target is predicted; `task` decides it where it is given.

    Raises
    ------
    DataError
        If the target can't be learnt: no values, one value, or nearly as many classes as rows.
    RecipeError
        If `task` is one that such values can't have.
    """
    _refuse_hopeless(column, shown=shown)
    numeric = column.sense in {"integer", "number"}
    n_values = column.n_distinct
    few = numeric and column.is_whole and n_values <= _MAX_NUMBER_CLASSES
    if task is None:
        task = "regression" if numeric and not few else "classification"
        why = _why(column, few=few)
    else:
        why = "asked for by --task"
    if task == "regression":
        if not numeric:
            what = f"'{column.name}' holds {_kind(column)}, and regression predicts numbers"
            raise RecipeError.of(what, key="--task", file="command line", suggestion="classification")
        return _regression(column, why)
    return _classification(column, why, shown=shown)


def _refuse_hopeless(column: Seen, *, shown: str) -> None:
    what = ""
    if column.sense == "empty":
        what = "the target has no value in any row"
    elif column.sense == "other":
        infinite = column.facts.n_infinite
        kind = f"{counted(infinite, 'infinite value')}" if infinite else f"the type {column.facts.dtype}"
        what = f"the target has {kind}, which can't be predicted"
    elif column.n_distinct == 1:
        only = f" ('{value}')" if (value := _example(column)) else ""
        what = f"the target has one value{only} in all {counted(column.n_present, 'row')}: nothing to learn"
    elif column.sense == "datetime":
        what = "the target holds dates, and a prediction is a class or a number; write days instead"
    if what:
        raise DataError.of(what, key=column.name, file=shown)


def _example(column: Seen) -> str:
    """Return the most frequent value, or nothing of a column whose values look personal."""
    return "" if leads_to_a_person(column) or not column.values else show(column.values[0][0])


def _why(column: Seen, *, few: bool) -> str:
    n_values = column.n_distinct
    if few:
        return f"{n_values} whole numbers are taken for classes; --task regression takes them as numbers"
    if column.sense in {"integer", "number"}:
        return "its values are numbers, and many: " + counted(n_values, "distinct value")
    return f"its {n_values} values are {_kind(column)}"


def _kind(column: Seen) -> str:
    return {"boolean": "true and false", "integer": "numbers", "number": "numbers"}.get(column.sense, "text")


def _regression(column: Seen, why: str) -> Objective:
    assert column.range is not None
    low, high = column.range
    guess = Guess(
        column.name,
        "integer" if column.sense == "integer" else "number",
        "the target: a number",
        span(low, high),
        min=0 if low >= 0 and hints.is_amount(column.name) else None,
    )
    return Objective(guess, "regression", why, n_rows=column.facts.n_rows, n_missing=column.n_missing)


def _classification(column: Seen, why: str, *, shown: str) -> Objective:
    n_classes = column.n_distinct
    numeric = column.sense in {"integer", "number"}
    if numeric and not column.is_whole:
        what = f"'{column.name}' holds numbers with fractions, which are no classes"
        raise RecipeError.of(what, key="--task", file="command line", suggestion="regression")
    too_many = n_classes > _MAX_CLASSES or not column.values
    if too_many or (n_classes > _MAX_NUMBER_CLASSES and n_classes > _MOST_OWN * column.n_present):
        example = _example(column)
        what = f"the target has {n_classes} different values in {counted(column.n_present, 'row')}"
        more = f", such as '{example}'" if example else ""
        raise DataError.of(f"{what}{more}: neither classes nor numbers", key=column.name, file=shown)
    values = as_categories(column)
    counts = _rows_by_class(column)
    classes = tuple((value, counts[value]) for value in values)
    _refuse_lonely(column, classes, shown=shown)
    positive, why_positive = _positive(classes) if n_classes == _BINARY else (None, "")
    is_boolean = column.sense == "boolean"
    seen = ", ".join(f"{show(value)} {n}" for value, n in classes[:_MAX_NUMBER_CLASSES])
    guess = Guess(
        column.name,
        "boolean" if is_boolean else "category",
        f"the target: {counted(n_classes, 'class')}".replace("classs", "classes"),
        seen + (", …" if n_classes > _MAX_NUMBER_CLASSES else ""),
        values=None if is_boolean else values,
    )
    return Objective(
        guess,
        "classification",
        why,
        classes=classes,
        positive=positive,
        why_positive=why_positive,
        n_rows=column.facts.n_rows,
        n_missing=column.n_missing,
    )


def _refuse_lonely(column: Seen, classes: tuple[tuple[Scalar, int], ...], *, shown: str) -> None:
    rare = [f"'{show(value)}'" for value, n in classes if n == 1]
    if rare:
        more = f" and {len(rare) - 3} more" if len(rare) > 3 else ""  # noqa: PLR2004 (three shown)
        named = "" if leads_to_a_person(column) else f" ({', '.join(rare[:3])}{more})"
        what = (
            f"{counted(len(rare), 'class')} of one row{named}: one row can't be in "
            "training and in the test; join such classes in the data, or leave their rows out"
        ).replace("classs", "classes")
        try_ = "--task regression, if they count something" if column.sense in {"integer", "number"} else ""
        raise DataError.of(what, key=column.name, file=shown, try_=try_)


def _rows_by_class(column: Seen) -> dict[Scalar, int]:
    counts: dict[Scalar, int] = {}
    for value, n in column.values:
        text = str(value).strip() if column.sense != "text" else str(value)
        key: Scalar = text
        if column.sense == "boolean":
            key = text.lower() == "true"
        elif column.sense in {"integer", "number"}:
            key = int(float(text.replace(column.decimal, ".")))
        counts[key] = counts.get(key, 0) + n
    return counts


def _positive(classes: tuple[tuple[Scalar, int], ...]) -> tuple[Scalar, str]:
    """Return which of two classes counts as positive, and why."""
    for (value, _), (other, _) in (classes, classes[::-1]):
        word, against = str(value).strip().lower(), str(other).strip().lower()
        if word in _YES and against in _NO:
            return value, "it says yes"
        if any(against == f"{no}{word}" for no in _NOT):
            return value, f"'{show(other)}' says not"
    (first, n_first), (second, n_second) = classes
    if n_first == n_second:
        return second, "both are as frequent; the last in order"
    rarer = first if n_first < n_second else second
    return rarer, f"the rarer one ({min(n_first, n_second)} of {n_first + n_second} rows)"
