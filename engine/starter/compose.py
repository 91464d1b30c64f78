"""Puts a first recipe into words: keys and values, and beside them what was seen and why they were chosen."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.data import hints
from engine.data.find import is_glob
from engine.data.infer import Guess
from engine.data.objective import Objective
from engine.data.quality.leaks import Suspect
from engine.data.reading import Reading
from engine.data.sniff import Dialect
from engine.data.violation import counted, show
from engine.recipe.find import shipped
from engine.recipe.text import KeyPath, Plain, read
from engine.starter.bounds import Bound
from engine.starter.choices import TEST, Choices
from engine.starter.words import comment, render

_OPENED: tuple[KeyPath, ...] = (
    ("goal",),
    ("goal", "gates"),
    ("data",),
    ("schema",),
    ("schema", "columns"),
)
_COLUMNS: KeyPath = ("schema", "columns")
_OTHER_MODEL = {
    "lightgbm": "random_forest",
    "random_forest": "logistic",
    "logistic": "random_forest",
    "ridge": "lightgbm",
}
_EXACT = 2.0**53
_MANY_MISSING = 0.25
_ASKED_FOR = "???"
_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Draft:
    """All that a first recipe says.

    Attributes
    ----------
    path
        Of the data, as the recipe writes it.
    dialect
        How the text is written; None of Parquet.
    guesses
        Of every column but the target, in the file's order.
    n_before
        How many of them stand before the target.
    root
        The folder that a run must be allowed to read; empty where it may read the data anyhow.
    table
        Of a database; None where the user named none.
    bound
        None while nothing has been measured.
    """

    name: str
    path: str
    data_name: str
    format: str
    dialect: Dialect | None
    reading: Reading
    objective: Objective
    guesses: tuple[Guess, ...]
    n_before: int
    choices: Choices
    root: str = ""
    table: str | None = None
    suspects: tuple[Suspect, ...] = ()
    bound: Bound | None = None

    @property
    def columns(self) -> tuple[Guess, ...]:
        """All columns, in the file's order."""
        return (*self.guesses[: self.n_before], self.objective.guess, *self.guesses[self.n_before :])


def name_of(stem: str) -> str:
    """Return a recipe's name, made of a file's.

    Examples
    --------
    >>> name_of("Umsätze 2024 (final)"), name_of("_x"), name_of("größe")
    ('Ums-tze-2024-final', 'x', 'gr-e')
    """
    return _NAME.sub("-", stem).strip("._-")[:100].rstrip("._-") or "table"


def name_of_table(path: Path) -> str:
    """Return a recipe's name for a table; of a pattern of paths, that of the last folder without a mark.

    Examples
    --------
    >>> name_of_table(Path("sales/year=*/*.csv")), name_of_table(Path("sales.2024.csv"))
    ('sales', 'sales')
    """
    while is_glob(str(path)) and path.parent != path:
        path = path.parent
    return name_of(path.name.partition(".")[0] or path.stem)


def write(draft: Draft, *, shown: str, editor: str) -> tuple[str, dict[str, Plain]]:
    """Return a recipe's text, and the values that it must read back as.

    Parameters
    ----------
    shown
        The recipe's path as a person types it.
    editor
        The first line, which tells an editor where the schema of recipes lies.
    """
    plain = _plain(draft)
    body = render(plain, opened=_OPENED, beside=dict(_beside(draft)), above=dict(_above(draft)))
    opening = [
        *([editor] if editor else []),
        f"# {_title(draft)}",
        "# Written by engine init from what stands in the data: a first guess, to be read and changed.",
        f"# run: {command('run', shown, draft)}",
        f"# try: {command('run', shown, draft)} model={_OTHER_MODEL[draft.choices.model]}",
    ]
    return "".join(f"{line}\n" for line in opening) + body, plain


def command(verb: str, shown: str, draft: Draft) -> str:
    """Return the command line of a verb on the recipe, on one line."""
    words = ["engine", verb, shown, *(["--root", draft.root] if draft.root else [])]
    return comment(shlex.join(words))


def _title(draft: Draft) -> str:
    target, classes = draft.objective.guess.name, draft.objective.classes
    n_features = sum(guess.is_feature for guess in draft.guesses)
    what = f"one of {len(classes)} classes" if classes else "a number"
    return comment(f"What '{target}' is, {what}, from {counted(n_features, 'column')} of {draft.data_name}.")


def _plain(draft: Draft) -> dict[str, Plain]:
    """Return the recipe's values; a text never begins an interpolation."""
    choices, objective = draft.choices, draft.objective
    bound = draft.bound
    gates: Plain = None
    if bound is not None and (bound.min is not None or bound.max is not None):
        sides = {"min": bound.min, "max": bound.max}
        gates = {choices.metric: {side: _short(limit) for side, limit in sides.items() if limit is not None}}
    schema: dict[str, Plain] = {"target": literal(objective.guess.name)}
    if objective.positive is not None and objective.positive != _ASKED_FOR:
        schema["positive"] = literal(objective.positive)
    if objective.n_missing:
        schema["missing_target"] = "drop"
    if (key := _key(draft)) is not None:
        schema["key"] = literal(key)
    schema["columns"] = {guess.name: _column(guess) for guess in draft.columns}
    return {
        "defaults": [
            "base",
            {"task": objective.task},
            {"model": choices.model},
            {"split": choices.split},
            "_self_",
        ],
        "recipe_version": 1,
        "name": draft.name,
        "goal": {
            "statement": literal(f"Predict {objective.guess.name}"),
            "metric": choices.metric,
            "gates": gates,
        },
        "data": _data(draft),
        "schema": schema,
        "split": {"test": TEST, "validation": choices.validation},
        "seed": 0,
    }


def _key(draft: Draft) -> str | None:
    """Return the column that names each row: the only id that its name says to be one."""
    ids = [guess.name for guess in draft.guesses if guess.role == "id" and not guess.nullable]
    named = [name for name in ids if hints.is_id(name)]
    return named[0] if len(named) == 1 else None


def literal(value: Plain) -> Plain:
    r"""Return a value that stays as it is when interpolations are resolved.

    Examples
    --------
    >>> print(literal("${home}"))
    \${home}
    """
    if not isinstance(value, str) or "${" not in value:
        return value
    return re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + r"\${", value)


def _data(draft: Draft) -> dict[str, Plain]:
    data: dict[str, Plain] = {"path": literal(draft.path)}
    if draft.format != "auto":
        data["format"] = draft.format
    if draft.table is not None:
        data["table"] = literal(draft.table)
    if len(draft.columns) > _most_columns():
        data["max_columns"] = len(draft.columns)
    if draft.dialect is None:
        return data
    if draft.dialect.delimiter != ",":
        data["delimiter"] = draft.dialect.delimiter
    if draft.reading.decimal != ".":
        data["decimal"] = draft.reading.decimal
    if draft.dialect.encoding != "utf-8":
        data["encoding"] = draft.dialect.encoding
    if draft.reading.null_values:
        data["null_values"] = [literal(text) for text in draft.reading.null_values]
    return data


def _most_columns() -> int:
    """Return how many columns a table has that says nothing of it."""
    return int(str(read(shipped("conf") / "data" / "table.yaml").mapping()["max_columns"]))


def _column(guess: Guess) -> dict[str, Plain]:
    column: dict[str, Plain] = {"type": guess.type}
    if guess.role is not None:
        column["role"] = guess.role
    if guess.nullable:
        column["nullable"] = True
    for side, limit in (("min", guess.min), ("max", guess.max)):
        if limit is not None:
            column[side] = _short(limit)
    if guess.values is not None and _ASKED_FOR not in guess.values:
        column["values"] = [literal(value) for value in guess.values]
    if guess.format is not None:
        column["format"] = literal(guess.format)
    if guess.encode is not None:
        column["encode"] = guess.encode
    for mark in ("sensitive", "pii"):
        if getattr(guess, mark):
            column[mark] = True
    return column


def _short(limit: float) -> int | float:
    """Return a number as a person writes it: a whole one without a fraction."""
    return int(limit) if limit == int(limit) and abs(limit) < _EXACT else limit


def _beside(draft: Draft) -> Iterator[tuple[KeyPath, str]]:
    choices, objective = draft.choices, draft.objective
    yield ("defaults",), f"{draft.choices.model}: {choices.why_model}"
    if draft.bound is not None and draft.bound.why:
        has_gates = draft.bound.min is not None or draft.bound.max is not None
        key = ("goal", "gates", choices.metric) if has_gates else ("goal", "gates")
        yield key, draft.bound.why
    yield from _beside_data(draft)
    yield ("schema", "target"), f"{objective.task}: {objective.why_task}"
    if objective.positive is not None:
        yield ("schema", "positive"), objective.why_positive
    if objective.n_missing:
        yield ("schema", "missing_target"), f"{without_target(objective)}; they are left out and counted"
    if (named := _key(draft)) is not None:
        words = f"no value of '{named}' stands twice: rows are taken in its order, whatever the file's is"
        yield ("schema", "key"), comment(words)
    for guess in draft.columns:
        why = guess.why if _told(guess, objective) else ""
        words = "; ".join(filter(None, (why, guess.seen)))
        if words:
            yield (*_COLUMNS, guess.name), words
    yield ("split",), f"fractions of the rows; {choices.why_split}"
    yield ("seed",), "decides every random choice"


def _told(guess: Guess, objective: Objective) -> bool:
    """Tell whether a column's reason stands beside it: where it is more than its type, and not above it."""
    above = guess.look.startswith(guess.why)
    return ((guess.role is not None or guess.told) and not above) or guess.name == objective.guess.name


def _beside_data(draft: Draft) -> Iterator[tuple[KeyPath, str]]:
    dialect, reading = draft.dialect, draft.reading
    if dialect is None:
        return
    yield ("data", "delimiter"), dialect.why_delimiter
    yield ("data", "decimal"), reading.why_decimal
    foreign = f"; '{dialect.foreign}' shows whether it was guessed right" if dialect.foreign else ""
    yield ("data", "encoding"), dialect.why_encoding + foreign
    found = [f"'{text}' {where}" for text, where in list(reading.why_null.items())[:3]]
    more = f", and {len(reading.why_null) - 3} more" if len(reading.why_null) > 3 else ""  # noqa: PLR2004 (three shown)
    yield ("data", "null_values"), f"missing values: {', '.join(found)}{more}"


def _above(draft: Draft) -> Iterator[tuple[KeyPath, tuple[str, ...]]]:
    said: dict[str, list[str]] = {}
    for suspect in draft.suspects:
        words = f"LOOK: {suspect.what}: if it is known only after the outcome, role: ignore"
        for name in suspect.columns:
            said.setdefault(name, []).append(words)
    for guess in draft.guesses:
        if guess.look:
            said.setdefault(guess.name, []).append(f"look: {guess.look}")
        if guess.candidate and not (draft.choices.follows and draft.choices.follows[0] == guess.name):
            said.setdefault(guess.name, []).append(candidate_words(guess))
    for name, lines in said.items():
        yield (*_COLUMNS, name), tuple(lines)
    if mostly_without_target(draft.objective):
        words = f"LOOK: {without_target(draft.objective)}: is the rest like the rows to come?"
        yield ("schema", "missing_target"), (words,)
    yield (
        _COLUMNS,
        ("what was seen stands behind the #; a rule holds for every row to come, also in the service",),
    )


def without_target(objective: Objective) -> str:
    """Say how many rows have no target, and which share of all rows that is."""
    share = objective.n_missing / objective.n_rows
    return f"{objective.n_missing} of {counted(objective.n_rows, 'row')} ({share:.0%}) have no target"


def mostly_without_target(objective: Objective) -> bool:
    """Tell whether so many rows have no target that a person should know why before trusting the rest."""
    return objective.n_missing > _MANY_MISSING * objective.n_rows


def candidate_words(guess: Guess) -> str:
    """Return how the split is made to respect a column."""
    why = {
        "time": "to test on later rows than are trained on",
        "group": "to keep rows that belong together in one part",
    }
    role = str(guess.candidate)
    return f"candidate: {why[role]}, write role: {role} here and split: {role} in defaults"


def shown_positive(objective: Objective) -> str:
    """Return the positive class as a person reads it."""
    return "" if objective.positive is None else show(objective.positive)
