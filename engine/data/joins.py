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
        for part, said in (("on", join.on), ("columns", join.columns or ())):
            names = list(said.values()) if isinstance(said, dict) else list(said)
            twice = sorted({name for name in names if names.count(name) > 1})
            # A column can be added under two names, but not be matched with two.
            if twice and (part == "on" or not isinstance(said, dict)):
                yield Message(f"'{twice[0]}' stands twice", f"{key}.{part}")
        for here, there in (join.added or {}).items():
            keeps = join.time is not None and there == join.time.right and here != there
            if keeps or there in join.keys.values():
                yield Message(f"'{there}' is joined by, and keeps its name", f"{key}.columns")
        if join.time is not None and (join.time.left in join.keys or join.time.right in join.keys.values()):
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
