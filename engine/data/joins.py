"""What is wrong with the joins of a recipe, told before any table is opened."""

from __future__ import annotations

from collections.abc import Iterator

from engine.data.kinds import seconds_of
from engine.errors import Message
from engine.recipe.spec_table import DataSpec


def check_joins(data: DataSpec) -> Iterator[Message]:
    """Say what is wrong with `data.join`."""
    for at, join in enumerate(data.join or ()):
        key = f"data.join.{at}"
        twice = sorted({name for name in join.on if join.on.count(name) > 1})
        if twice:
            yield Message(f"'{twice[0]}' stands twice", f"{key}.on")
        if join.time is not None and {join.time.left, join.time.right} & set(join.on):
            what = "a time is no part of the key: of each key the latest row counts that is not later"
            yield Message(what, f"{key}.on")
        if join.tolerance is None:
            continue
        if join.time is None:
            what = "a tolerance is how old a row may be, and without a time none has an age"
            yield Message(what, f"{key}.tolerance", try_="time: {left: COLUMN, right: COLUMN}")
        elif seconds_of(join.tolerance) is None:
            what = f"'{join.tolerance}' is no length of time: whole numbers of w, d, h, m or s"
            yield Message(what, f"{key}.tolerance", try_="tolerance: 30d")
