"""A first recipe for a table that nobody has described: looked at, guessed, fitted once, written down.

The engine itself composes and checks the recipe and holds it against its data before it is published.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from engine.data.infer import Guess
from engine.data.objective import TaskName
from engine.data.quality.leaks import suspect_columns
from engine.data.schema import declare
from engine.data.source import read
from engine.data.table import Table
from engine.durable import write_text
from engine.editor import editor_line, write_schema
from engine.errors import DataError, EngineError, Message, RecipeError
from engine.names import TASKS
from engine.plan import load_checked, make_plan
from engine.recipe.spec import Spec
from engine.recipe.text import parse, show
from engine.runs.steps import Listener, Steps
from engine.starter.bounds import Measured, bound, measure
from engine.starter.choices import Choices, follow
from engine.starter.compose import Draft, write
from engine.starter.look import Opened, check_target, draft, look, open_table
from engine.tasks.task import Task
from engine.training.parts import Divided, divide

# A bound lies half way, so a model that is fitted quickly is near enough; whole fits are for `engine run`.
_OVERRIDES = ("evaluation.bootstrap=200", "compute.max_iterations=200")
# How far a part may be from its share before groups or times are too uneven to follow.
_LEAST, _MOST = 0.5, 1.5


@dataclass(frozen=True, slots=True)
class Started:
    """A recipe that was written, and what was found on the way."""

    path: Path
    draft: Draft
    measured: Measured


def start(
    data: str,
    *,
    target: str,
    task: TaskName | None,
    recipe: Path,
    force: bool,
    listener: Listener,
    named: str | None = None,
) -> Started:
    """Write a first recipe for a table to the file `recipe`; of a database, for the table that is `named`.

    Raises
    ------
    RecipeError
        If there is no such file or column, or `recipe` exists and `force` does not say to replace it.
    DataError
        If the file is no table that something can be learnt from.
    EngineError
        If the engine refuses the recipe that was made for it: a fault of ours, and nothing is written.
    """
    misplaced = _misplaced(recipe, force=force)
    steps = Steps(listener)
    with steps("look at the data"):
        opened = _open(data, target=target, table=named, misplaced=misplaced)
        looked = look(opened)
    drafted = draft(looked, target=target, task=task, recipe=recipe)
    with _our_fault():
        with steps("read and check"):
            drafted, spec, table, divided = _settle(drafted, recipe)
        schema, judge = table.schema, cast("Task", TASKS.load(spec.task.kind))
        with steps(f"fit {spec.model.family} and baselines"):
            found = suspect_columns(
                table.frame,
                schema=schema,
                rows=np.arange(table.n_rows),
                y=divided.whole.y,
                n_classes=len(divided.target.classes),
                seed=spec.seed,
            ).suspects
            measured = measure(
                divided,
                schema=schema,
                task=judge,
                spec=spec,
                progress=steps.listener.progressed,
                without={name for suspect in found for name in suspect.columns},
            )
        drafted = replace(drafted, suspects=found, bound=bound(measured))
        editor = editor_line(recipe, write_schema(recipe.parent))
        content, spec = _checked(drafted, recipe, editor=editor)
        make_plan(spec)
    write_text(recipe, content)
    return Started(recipe, drafted, measured)


def _open(data: str, *, target: str, table: str | None, misplaced: Sequence[Message]) -> Opened:
    """Open the table; what is wrong with it, or with the target, is said before where the recipe can't go."""
    try:
        opened = open_table(data, table=table)
        check_target(target, opened)
    except EngineError as error:
        raise type(error)([*error.messages, *misplaced]) from None
    if misplaced:
        raise RecipeError(misplaced)
    return opened


def _misplaced(recipe: Path, *, force: bool) -> list[Message]:
    """Return what is wrong with where the recipe is to be written."""
    what = ""
    try_ = ""
    if recipe.suffix not in {".yaml", ".yml"}:
        what, try_ = f"'{recipe}' is not named as a recipe is", f"-o {recipe}.yaml"
    elif not recipe.parent.is_dir():
        what = f"there is no folder '{recipe.parent}'"
    elif recipe.is_dir():
        what = f"'{recipe}' is a folder"
    elif recipe.exists() and not force:
        what, try_ = f"'{recipe}' is there already, and is not replaced unasked", "--force, or -o OTHER.yaml"
    return [Message(what, key="-o", file="command line", try_=try_)] if what else []


def _settle(drafted: Draft, recipe: Path) -> tuple[Draft, Spec, Table, Divided]:
    """Return the draft with the split that its data allows, and the data so divided."""
    n_rows = drafted.objective.n_rows - drafted.objective.n_missing
    following = follow(drafted.choices, drafted.guesses, n_rows=n_rows)
    if following is not None and following.follows is not None:
        name, _ = following.follows
        guesses = tuple(_followed(guess, name, following) for guess in drafted.guesses)
        attempt = replace(drafted, choices=following, guesses=guesses)
        try:
            spec, table, divided = _divided(attempt, recipe)
        except DataError:
            pass  # Too few times or groups for three parts: the rows are drawn, and the column is named.
        else:
            if _is_even(divided):
                return attempt, spec, table, divided
    return drafted, *_divided(drafted, recipe)


def _followed(guess: Guess, name: str, choices: Choices) -> Guess:
    if guess.name != name or choices.follows is None:
        return guess
    role = choices.follows[1]
    return replace(guess, role=role, min=None, max=None, values=None, look="", why=choices.why_split)


def _divided(drafted: Draft, recipe: Path) -> tuple[Spec, Table, Divided]:
    _, spec = _checked(drafted, recipe, editor="")
    table = read(spec.data, declare(spec))
    return spec, table, divide(table, task=cast("Task", TASKS.load(spec.task.kind)), spec=spec)


def _is_even(divided: Divided) -> bool:
    """Tell whether every part has every class, and nearly its share of the rows."""
    n_classes = len(divided.target.classes)
    parts = (divided.train, divided.validation, divided.test)
    whole = all(len(np.unique(part.y)) >= max(n_classes, 2) for part in parts)
    return whole and _LEAST * 0.2 <= divided.test.n_rows / divided.whole.n_rows <= _MOST * 0.2


def _checked(drafted: Draft, recipe: Path, *, editor: str) -> tuple[str, Spec]:
    """Return a draft's text, and the spec that the engine itself makes of it."""
    content, plain = write(drafted, shown=show(recipe), editor=editor)
    if parse(content, file=str(recipe)).value != plain:
        raise EngineError.of("the recipe that was written does not read back as it was meant")
    # Beside where it will lie, so that its data and its own conf/ are found as they will be.
    aside = recipe.with_name(f".{recipe.stem}.{secrets.token_hex(4)}.yaml")
    try:
        write_text(aside, content)
        spec = load_checked(aside, _OVERRIDES, roots=[drafted.root] if drafted.root else [])
    finally:
        aside.unlink(missing_ok=True)
    return content, spec


@contextmanager
def _our_fault() -> Iterator[None]:
    """Turn what the engine refuses of a recipe that was made for it into a fault of ours."""
    try:
        yield
    except (RecipeError, DataError) as error:
        messages = [replace(message, file="") for message in error.messages]
        first = replace(messages[0], what=f"init made a recipe that the engine refuses: {messages[0].what}")
        raise EngineError([first, *messages[1:]]) from error
