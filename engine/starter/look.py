"""Looks a table through and drafts its recipe: nothing is fitted here, nothing written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import polars as pl

from engine.data import sources
from engine.data.delimited import open_text
from engine.data.infer import Guess, infer
from engine.data.objective import Objective, TaskName, find_objective
from engine.data.reading import Reading, read_together, see
from engine.data.sniff import Dialect, sniff
from engine.data.sources.csv import CsvFile
from engine.data.sources.several import Several
from engine.data.sources.sql import Database
from engine.data.sources.typed import Typed
from engine.data.survey import Facts, survey
from engine.errors import DataError, RecipeError, nearest
from engine.recipe.find import shipped
from engine.recipe.grants import grant
from engine.recipe.links import is_below
from engine.recipe.roots import find_roots
from engine.recipe.spec_table import DataSpec
from engine.recipe.urls import is_remote, password_in, without_password
from engine.starter.choices import choose
from engine.starter.compose import Draft, name_of_table

_BLOCK_ROWS = 50_000
_MERGE = "<<"
_TAKEN, _TAKEN_PREFIX = "prediction", "probability_"


@dataclass(frozen=True, slots=True)
class Opened:
    """A table of which only the names of the columns are read; `blocks` gives its rows, once."""

    path: Path
    shown: str
    table: str | None
    format: str
    dialect: Dialect | None
    names: tuple[str, ...]
    blocks: Iterator[pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Looked:
    """What a file is: path, format, how its text is written (None where columns are typed), each column."""

    path: Path
    shown: str
    table: str | None
    format: str
    dialect: Dialect | None
    facts: tuple[Facts, ...]


def open_table(data: str, *, table: str | None = None) -> Opened:
    """Find a file and tell how it is written and what its columns are called.

    Raises
    ------
    DataError
        If it is no table of at least two columns.
    RecipeError
        If there is no such file.
    """
    if is_remote(data) and password_in(data):
        what = "a recipe holds no password: PGPASSWORD, or a variable that the recipe names, has it"
        raise RecipeError.of(what, file="command line", key="DATA", suggestion=without_password(data))
    anyhow = DataSpec(
        path=data, format="auto", delimiter=",", decimal=".", encoding="utf-8", null_values=(), table=table
    )
    try:
        found = sources.open_table(anyhow)
        header = found.header() if isinstance(found, Database) else None
    except DataError as error:
        if any(message.file for message in error.messages):
            raise
        # Here the path stands on the command line and in no recipe.
        told = [
            replace(message, key="--table" if message.key == "data.table" else "", file="command line")
            for message in error.messages
        ]
        raise RecipeError(told) from None
    path, shown = Path(data), found.shown
    dialect = None
    blocks: Iterator[pl.DataFrame]
    first = found.files[0].opened if isinstance(found, Several) else found
    if isinstance(first, CsvFile):
        # Of one that was fetched, where it is now.
        dialect = sniff(Path(first.data.path), shown=first.shown)
        written = _written(found, dialect)
        names = list(written.header().columns)
        blocks = _texts(written, names)
    else:
        typed = cast("Typed | Several", found)
        names = list((header or typed.header()).columns)
        blocks = (rows.frame for rows in typed.rows(names, n_rows=_BLOCK_ROWS))
    if len(names) < 2:  # noqa: PLR2004 (the target and one to learn from)
        raise DataError.of("the table has one column, and a model needs another to learn from", file=shown)
    return Opened(path, shown, table, found.format, dialect, tuple(names), blocks)


def check_target(target: str, opened: Opened) -> None:
    """Refuse a target that is no column, before any row is read for it.

    Raises
    ------
    RecipeError
        If there is no such column.
    """
    names = opened.names
    if target in names:
        return
    what = f"'{opened.shown}' has no column '{target}'"
    if any(name.replace(".", "", 1).isdigit() for name in names):
        what += " (its first line is taken for the names of the columns; here it looks like data)"
    near = nearest(target, names)
    raise RecipeError.of(what, key="--target", file="command line", suggestion=near, allowed=names)


def look(opened: Opened) -> Looked:
    """Read a table through once, in bounded memory.

    Raises
    ------
    DataError
        If it has no rows, or a row is malformed or of a date beyond Python's years.
    """
    try:
        facts = survey(opened.names, opened.blocks, from_text=opened.dialect is not None)
    except DataError as error:
        raise error.at(opened.shown) from None
    if not facts[0].n_rows:
        raise DataError.of("the file has a header and no rows", file=opened.shown)
    return Looked(opened.path, opened.shown, opened.table, opened.format, opened.dialect, facts)


def draft(looked: Looked, *, target: str, task: TaskName | None, recipe: Path) -> Draft:
    """Draft a recipe for a target, which is a column of the table.

    Parameters
    ----------
    recipe
        Where the recipe will lie: the data's path in it is relative to its folder.

    Raises
    ------
    RecipeError
        If the target can't have the task.
    DataError
        If the target can't be learnt, or no column is left to learn from.
    """
    names = [fact.name for fact in looked.facts]
    if _MERGE in names:
        what = f"a column named '{_MERGE}' can't be written in YAML; give it another name"
        raise DataError.of(what, file=looked.shown)
    reading = Reading()
    if looked.dialect is not None:
        reading = read_together(looked.facts, delimiter=looked.dialect.delimiter)
    place = names.index(target)
    columns = [see(fact, reading) for fact in looked.facts]
    objective = find_objective(columns.pop(place), task=task, shown=looked.shown)
    _refuse_target_name(objective, shown=looked.shown)
    guesses = tuple(_nameable(infer(column), objective) for column in columns)
    _require_feature(guesses, shown=looked.shown)
    return Draft(
        name=name_of_table(looked.path),
        path=looked.shown if is_remote(looked.shown) else _relative(looked.path, recipe),
        root=_root(looked, recipe),
        table=looked.table,
        data_name=looked.path.name,
        format=looked.format if _is_bare(looked) else "auto",
        dialect=looked.dialect,
        reading=reading,
        objective=objective,
        guesses=guesses,
        n_before=place,
        choices=choose(objective, has_text=any(guess.encode is not None for guess in guesses)),
    )


def _written(found: object, dialect: Dialect) -> CsvFile | Several:
    """Return text files, all of them read as the first is written."""
    dialled = {"delimiter": dialect.delimiter, "encoding": dialect.encoding}

    def read_so(table: CsvFile) -> CsvFile:
        return replace(table, data=table.data.model_copy(update=dialled))

    if isinstance(found, CsvFile):
        return read_so(found)
    several = cast("Several", found)
    return replace(
        several,
        files=tuple(replace(file, opened=read_so(cast("CsvFile", file.opened))) for file in several.files),
    )


def _texts(table: CsvFile | Several, names: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Yield the rows of text files in blocks, every column as text, as is what folders say."""
    files = (
        [(cast("CsvFile", file.opened), file.keys) for file in table.files]
        if isinstance(table, Several)
        else [(table, {})]
    )
    for one, keys in files:
        with Path(one.data.path).open("rb") as file:
            delimited = open_text(file, one.data, shown=one.shown)
            # Numbered names, because polars reads `*` and `^…$` in a name as patterns.
            types = {str(at): pl.String() for at in range(len(delimited.columns))}
            columns = [
                pl.col(str(delimited.columns.index(name))).alias(f"c{at}")
                if name in delimited.columns
                else pl.lit(keys[name], dtype=pl.String).alias(f"c{at}")
                for at, name in enumerate(names)
            ]
            for block in delimited.blocks():
                scan = pl.scan_csv(
                    block.content, has_header=False, schema=types, separator=one.data.delimiter
                )
                yield scan.select(columns).collect()


def _is_bare(looked: Looked) -> bool:
    """Tell whether a path says nothing of its format: one file without a suffix."""
    return looked.path.is_file() and not looked.path.suffix


def _refuse_target_name(objective: Objective, *, shown: str) -> None:
    name = objective.guess.name
    if _is_taken(name, objective):
        what = "the target's name is one that predictions take; give the column another name"
        raise DataError.of(what, key=name, file=shown)


def _nameable(guess: Guess, objective: Objective) -> Guess:
    """Leave a column out whose name the engine can't take for a feature."""
    if guess.role == "ignore" or not _is_taken(guess.name, objective):
        return guess
    what = "its name is one that predictions take, or reads as a pattern"
    return replace(
        guess,
        role="ignore",
        nullable=False,
        values=None,
        sensitive=False,
        why=what,
        look=f"{what}; rename it in the data to use it",
    )


def _is_taken(name: str, objective: Objective) -> bool:
    classes = bool(objective.classes)
    is_pattern = name == "*" or (name.startswith("^") and name.endswith("$"))
    return name == _TAKEN or (classes and name.startswith(_TAKEN_PREFIX)) or is_pattern


def _require_feature(guesses: tuple[Guess, ...], *, shown: str) -> None:
    if any(guess.is_feature for guess in guesses):
        return
    reasons = "; ".join(f"'{guess.name}': {guess.why}" for guess in guesses[:5])
    more = f"; and {len(guesses) - 5} more" if len(guesses) > 5 else ""  # noqa: PLR2004 (five told)
    raise DataError.of(f"no column is left for a model to learn from ({reasons}{more})", file=shown)


def _root(looked: Looked, recipe: Path) -> str:
    """Have a recipe read the data that the user has named; return the folder to name again, or nothing."""
    real, at = Path(os.path.realpath(looked.path)), Path(os.path.realpath(recipe))
    if is_remote(looked.shown):
        return "" if grant(looked.shown, {at.parent, Path.cwd()}) else looked.shown
    if is_below(real, (*find_roots(at), shipped("recipes"))) or grant(real, {at.parent, Path.cwd()}):
        return ""
    return str(real.parent)


def _relative(data: Path, recipe: Path) -> str:
    """Return the data's path as the recipe writes it: relative to its own folder."""
    relative = os.path.relpath(data.absolute(), recipe.absolute().parent)
    return f".{os.sep}{relative}" if relative.startswith("~") else relative
