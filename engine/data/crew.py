"""Who does pieces of work elsewhere, and hands back what came of them in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")


class Crew(Protocol):
    """Processes, on this machine or others, that see the files which this one sees."""

    def each(self, items: Iterable[Item], work: Callable[[Item], Done], *, at_once: int) -> Iterator[Done]:
        """Do some work on each item; yield what came of it, in the order of the items.

        Parameters
        ----------
        items
            Taken as they are needed; these and what is done with them can be pickled.
        at_once
            How many of them are under way, or wait, at a time.

        Raises
        ------
        EngineError
            What the work raised; or if nobody is there to do it.
        """
