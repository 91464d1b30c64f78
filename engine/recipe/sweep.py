"""The product of a multirun: each override that lists values is an axis, each combination of them one run."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from engine.errors import Message, RecipeError
from engine.recipe.overrides import Line, is_group, parse
from engine.recipe.places import COMMAND_LINE

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.override_parser.types import RangeSweep

# Each combination is composed and checked before the first is run.
MAX_RUNS = 1000


def expand(given: Sequence[str], loader: ConfigLoader) -> tuple[tuple[str, ...], ...]:
    """Multiply a multirun out: one tuple of overrides for each run, in the order Hydra would take.

    Differs from Hydra's basic sweeper in that a range's fractions are decimal: `range(0.1,0.4,0.1)` is 0.1,
    0.2 and 0.3, where sums of binary fractions give 0.30000000000000004 and 0.4.

    Raises
    ------
    RecipeError
        If an override is not in Hydra's grammar, or its values can't be listed: a continuous range, which
        only a search can take, no value at all, more than `MAX_RUNS` runs.
    """
    axes: list[tuple[str, ...]] = []
    mistakes: list[Message] = []
    lines = parse(given, loader)
    times = Counter(line.dotted() for line in lines)
    for line in lines:
        wrong = _mistake(line, loader) or _repeated(line, times[line.dotted()])
        if wrong is not None:
            mistakes.append(wrong)
        elif line.override.is_sweep_override():
            axes.append(tuple(itertools.islice(_settings(line, loader), MAX_RUNS + 1)))
        else:
            axes.append((line.given,))
    if mistakes:
        raise RecipeError(mistakes)
    n_runs = math.prod(len(axis) for axis in axes)
    if n_runs > MAX_RUNS:
        what = f"more than {MAX_RUNS} combinations, and each would be a run"
        raise RecipeError.of(what, file=COMMAND_LINE, try_="fewer values, or a larger step")
    return tuple(itertools.product(*axes))


def _repeated(line: Line, times: int) -> Message | None:
    """Refuse a key that lists values and is given once more: the last one alone would count."""
    if times == 1 or not line.override.is_sweep_override():
        return None
    what = f"'{line.dotted()}' is given {times} times, and '{line.given}' lists values of it"
    return Message(what, line.dotted(), COMMAND_LINE, try_=f"one {line.key}=… with every value")


def _mistake(line: Line, loader: ConfigLoader) -> Message | None:
    """Say why an override's values can't be listed, or nothing where they can or where it has only one."""
    from hydra.core.override_parser.types import ChoiceSweep, Glob, RangeSweep, Sweep

    override, key = line.override, line.dotted()
    if not override.is_sweep_override():
        return None
    choice = f"{line.key}=choice(…)"
    sweep = override.value()
    what, try_, options = "", choice, ()
    if not override.is_discrete_sweep():
        what = f"'{line.given}' is a continuous range, and a multirun needs a list of values"
        try_ = f"{choice} or {line.key}=range(start,stop,step)"
    elif isinstance(sweep, Glob) and not is_group(key, loader):
        what = f"'{line.given}': a glob chooses among the options of a group, and '{key}' is not a group"
    elif isinstance(sweep, ChoiceSweep) and any(isinstance(value, Sweep | Glob) for value in sweep.list):
        what = f"'{line.given}' lists values inside of a list of values"
    elif isinstance(sweep, RangeSweep) and not _is_sound(sweep):
        what = f"'{line.given}' is not a range: it needs finite numbers and a step that is not 0"
        try_ = f"{line.key}=range(start,stop,step)"
    elif getattr(sweep, "shuffle", False):
        what = f"'{line.given}' has another order each time, and the same command must do the same"
    elif next(_settings(line, loader), None) is None and isinstance(sweep, Glob):
        what, try_ = f"'{line.given}' matches no option of {key}", f"engine options {key}"
        options = tuple(sorted(loader.get_group_options(key)))
    elif next(_settings(line, loader), None) is None:
        what = f"'{line.given}' has no value: its step leads away from its stop, or it stops where it starts"
        try_ = f"{line.key}=range(start,stop,step)"
    return Message(what, key, COMMAND_LINE, allowed=options, try_=try_) if what else None


def _settings(line: Line, loader: ConfigLoader) -> Iterator[str]:
    """Write one override for each value of a sweep."""
    from hydra.core.override_parser.types import Glob, RangeSweep

    override, sweep = line.override, line.override.value()
    if isinstance(sweep, RangeSweep):
        values: Iterator[str] = _numbers(sweep)
    elif isinstance(sweep, Glob):
        override.config_loader = loader
        values = iter(sorted(override.sweep_string_iterator()))
    else:
        values = override.sweep_string_iterator()
    return (f"{line.key}={value}" for value in values)


def _is_sound(sweep: RangeSweep) -> bool:
    ends = (sweep.start, sweep.stop, sweep.step)
    return all(end is not None and math.isfinite(end) for end in ends) and sweep.step != 0


def _numbers(sweep: RangeSweep) -> Iterator[str]:
    """Write a range's numbers, whole ones as whole where all three of its numbers are."""
    start, stop, step = (cast("int | float", end) for end in (sweep.start, sweep.stop, sweep.step))
    if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int):
        return map(str, range(start, stop, step))
    first, last, by = Decimal(repr(start)), Decimal(repr(stop)), Decimal(repr(step))
    values = (first + index * by for index in itertools.count())
    return (str(float(value)) for value in itertools.takewhile(lambda value: (last - value) * by > 0, values))
