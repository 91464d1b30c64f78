"""What a search may try for a parameter, read from the sweeps of Hydra's grammar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

from engine.errors import nearest
from engine.recipe.text import Plain

if TYPE_CHECKING:
    from hydra.core.override_parser.overrides_parser import OverridesParser

FORMS = "int(interval(4, 64)) or choice(15, 31)"
_LOG = "log"


@dataclass(frozen=True, slots=True)
class Span:
    """All numbers from `low` to `high`, both of them included; whole ones where both are."""

    low: int | float
    high: int | float
    is_log: bool

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True, slots=True)
class Choices:
    """Some values, in the order of the recipe."""

    values: tuple[Plain, ...]


class NotASpaceError(ValueError):
    """A text that says no space; its words say why."""


def read_space(text: str) -> Span | Choices:
    """Read a space.

    Raises
    ------
    NotASpaceError
        If the text is no sweep, or one that names no value, or whose logarithm is not defined.

    Examples
    --------
    >>> read_space("tag(log, int(interval(8, 256)))")
    Span(low=8, high=256, is_log=True)
    >>> read_space("choice([128], [128, 64])")
    Choices(values=([128], [128, 64]))
    """
    from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, RangeSweep
    from hydra.errors import HydraException

    try:
        sweep = _parser().parse_override(f"space={text}").value()
    except HydraException as error:
        from engine.recipe.unreadable import unclosed

        why = unclosed(text) or str(error).splitlines()[0][:200]
        raise NotASpaceError(f"'{text}' can't be read: {why}") from None
    unknown = set(getattr(sweep, "tags", ())) - {_LOG}
    if unknown:
        word = min(unknown)
        near = f"; did you mean '{_LOG}'?" if nearest(word, [_LOG]) else ""
        raise NotASpaceError(f"'{word}' is not a tag of a space, which may be log{near}")
    if isinstance(sweep, ChoiceSweep):
        return Choices(tuple(cast("list[Plain]", sweep.list)))
    if isinstance(sweep, RangeSweep):
        return Choices(_steps(sweep.start, sweep.stop, sweep.step, text))
    if not isinstance(sweep, IntervalSweep):
        raise NotASpaceError(f"'{text}' is one value, and a space holds several, as {FORMS} do")
    return _span(Span(sweep.start, sweep.end, _LOG in sweep.tags), text)


def _span(span: Span, text: str) -> Span:
    if not (math.isfinite(span.low) and math.isfinite(span.high) and span.low < span.high):
        raise NotASpaceError(f"'{text}' holds no number: {span.low:g} is not below {span.high:g}")
    if span.is_log and span.low <= 0:
        raise NotASpaceError(f"'{text}' has no logarithm at {span.low:g}: log is of numbers above 0")
    return span


def _steps(start: float, stop: float, step: float, text: str) -> tuple[int | float, ...]:
    is_sound = all(map(math.isfinite, (start, stop, step))) and step != 0
    n_steps = math.ceil((stop - start) / step) if is_sound else 0
    if not 0 < n_steps <= _MAX_STEPS:
        raise NotASpaceError(f"'{text}' has no values, or more than {_MAX_STEPS}")
    return tuple(start + index * step for index in range(n_steps))


_MAX_STEPS = 10_000


@cache
def _parser() -> OverridesParser:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create()
