"""Starts early: puts off what is named everywhere and may never be used.

`engine plan` imports rooms that compute with numpy and polars only to ask them for their checks, and the two
take as long to load as all else. While they are put off a stand-in takes a library's place in `sys.modules`,
and the first use of anything in it loads the library itself.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_PUT_OFF = ("numpy", "polars")
# Start-up makes many objects and leaves no cycles worth looking for: to look once takes 40 ms.
_RARELY = 10_000_000


class _StandIn(ModuleType):
    """A library that is loaded when something of it is used for the first time."""

    def __getattr__(self, name: str) -> object:
        """Load the library; from then on whoever holds the stand-in finds everything in it."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        library = importlib.import_module(self.__name__)
        self.__dict__.update(vars(library))
        return getattr(library, name)


@contextmanager
def quickly() -> Iterator[None]:
    """Start quickly: inside, garbage is rarely looked for, and pydantic's plugins never."""
    before = gc.get_threshold()
    gc.set_threshold(_RARELY, *before[1:])
    # Pydantic would look through every installed package for plugins; none has a part in reading a recipe.
    from pydantic.plugin import _loader

    _loader._plugins = {}  # noqa: SLF001 (its one switch beside is a variable of the environment)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def lightly() -> Iterator[None]:
    """Start quickly, and load the libraries that compute when they are used."""
    with quickly():
        for name in _PUT_OFF:
            found = None if name in sys.modules else importlib.util.find_spec(name)
            if found is not None:
                stand_in = _StandIn(name)
                stand_in.__spec__ = found
                sys.modules[name] = stand_in
        yield
