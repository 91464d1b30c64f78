"""How far a score falls when rows are disturbed: by chance, by a drift, or by someone who means harm.

What is disturbed stays within the contract: bounds hold, and only what may be missing is. Rows are asked of
any model; where one tells the slope of its loss, an attack can follow that too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal, TypeAlias

import numpy as np
import polars as pl

from engine.data.schema import Column
from engine.tasks.task import Array

Kind = Literal["noise", "missing", "unseen", "shift", "attack", "gradient"]
FALLS: Mapping[str, str] = {
    "robustness_noise_fall": "what the goal's metric loses where numbers are off by a tenth of their spread",
    "robustness_missing_fall": "what it loses where a tenth of the values are missing that may be",
    "robustness_unseen_fall": "what it loses where a tenth of the categories are none that anyone has seen",
    "robustness_shift_fall": "what it loses where that column moves by half its spread that costs most",
    "robustness_attack_fall": "what it loses where numbers move against each row, by a tenth of their spread",
}
# Which kinds are bounded by which, and at which level.
_BOUNDED: Mapping[str, tuple[tuple[Kind, ...], float]] = {
    "robustness_noise_fall": (("noise",), 0.1),
    "robustness_missing_fall": (("missing",), 0.1),
    "robustness_unseen_fall": (("unseen",), 0.1),
    "robustness_shift_fall": (("shift",), 0.5),
    "robustness_attack_fall": (("attack", "gradient"), 0.1),
}
_NOISES, _SHARES, _SHIFT, _REACH = (0.1, 0.3, 1.0), (0.1, 0.3), 0.5, 0.1
_PASSES, _STEPS = 2, 5
_LAST = 2**63 - 1
_GONE: tuple[Kind, ...] = ("missing", "unseen")

# Of rows, how wrong the model is on each, shape (n,).
Wrong: TypeAlias = "Callable[[pl.DataFrame], Array]"
# Of rows, by column how its loss grows with the values, shape (n,) each.
Slopes: TypeAlias = "Callable[[pl.DataFrame], Mapping[str, Array]]"


@dataclass(frozen=True, slots=True)
class Disturbed:
    """Rows as they come when disturbed.

    Attributes
    ----------
    level
        Of noise, a shift or an attack, the share of a number's spread; else the share of values.
    columns
        Those that are disturbed.
    """

    kind: Kind
    level: float
    columns: tuple[str, ...]
    frame: pl.DataFrame


def can_be(kind: Kind, column: Column) -> bool:
    """Tell whether a column's contract lets it be disturbed in some way."""
    if kind == "missing":
        return column.nullable
    if column.values is not None:
        return False
    if kind == "unseen":
        is_open = column.pattern is None and column.max_length is None and column.unseen != "error"
        return column.type == "category" and column.storage != "boolean" and is_open
    return column.type in ("integer", "number")


def measurable(measure: str, columns: Sequence[Column]) -> bool:
    """Tell whether any of the features can be disturbed as one of `FALLS` asks for."""
    (kind, *_), _ = _BOUNDED[measure]
    return any(can_be(kind, column) for column in columns)


def numbers(columns: Sequence[Column], frame: pl.DataFrame) -> dict[str, tuple[Column, float]]:
    """Return the columns of free numbers and the standard deviation of each, those that vary."""
    found = {}
    for column in columns:
        if can_be("noise", column):
            spread = frame[column.name].cast(pl.Float64).std()
            if isinstance(spread, float) and np.isfinite(spread) and spread > 0:
                found[column.name] = (column, spread)
    return found


def disturb(
    frame: pl.DataFrame, *, columns: Sequence[Column], seed: int, known: Sequence[pl.DataFrame] = ()
) -> Iterator[Disturbed]:
    """Return rows as chance and drift disturb them, one way after the other.

    Parameters
    ----------
    frame
        Shape (n, …): checked rows.
    columns
        The features.
    seed
        Decides the noise, and which values are gone or another.
    known
        More rows, those that the model learnt from among them: none of their categories is an unseen one.

    Notes
    -----
    What leaves every value as it was, such as little noise on whole numbers, is no disturbance.
    """
    made = _disturbances(frame, columns=columns, seed=seed, known=known)
    return (one for one in made if not one.frame.equals(frame))


def _disturbances(
    frame: pl.DataFrame, *, columns: Sequence[Column], seed: int, known: Sequence[pl.DataFrame]
) -> Iterator[Disturbed]:
    rng = np.random.default_rng(seed)
    free = numbers(columns, frame)
    for level in _NOISES if free else ():
        drawn = {name: level * rng.normal(size=frame.height) for name in free}
        yield Disturbed("noise", level, tuple(free), _moved(frame, free, drawn))
    for kind in _GONE:
        open_to = [column for column in columns if can_be(kind, column)]
        fresh = {column.name: _unseen([frame, *known], column) for column in open_to if kind == "unseen"}
        for level in _SHARES if open_to else ():
            others = []
            for column in open_to:
                own, hit = frame[column.name], pl.Series(rng.random(frame.height) < level)
                others.append(own.set(hit, None if kind == "missing" else fresh[column.name]))
            names = tuple(column.name for column in open_to)
            yield Disturbed(kind, level, names, frame.with_columns(others))
    for name in free:
        for level in (-_SHIFT, _SHIFT):
            shifted = {name: np.full(frame.height, level)}
            yield Disturbed("shift", level, (name,), _moved(frame, free, shifted))


def attack(frame: pl.DataFrame, *, columns: Sequence[Column], wrong: Wrong) -> Disturbed | None:
    """Move each row's numbers against it, asking the model alone; None where none can move.

    Notes
    -----
    Greedy: column by column, twice over, that end of its reach is kept at which the row is worse off. A lower
    bound of what an adversary of that reach can do.
    """
    free = _in_reach(frame, columns)
    if not free:
        return None
    found, worst = frame, wrong(frame)
    for name in [*free] * _PASSES:
        for side in (-_REACH, _REACH):
            tried = _moved(frame, free, {name: np.full(frame.height, side)})[name]
            reached = wrong(found.with_columns(tried))
            hit = reached > worst
            found = found.with_columns(_either(hit, tried, found[name]))
            worst = np.where(hit, reached, worst)
    return Disturbed("attack", _REACH, tuple(free), found)


def follow(
    frame: pl.DataFrame, *, columns: Sequence[Column], wrong: Wrong, slopes: Slopes
) -> Disturbed | None:
    """Move each row's numbers the way in which the model's loss grows; None where none can move.

    Notes
    -----
    Five steps by the signs of the slopes, projected onto the reach: A. Madry et al., "Towards deep learning
    models resistant to adversarial attacks" (2018). A row that is no worse off stays.
    """
    free = _in_reach(frame, columns)
    if not free:
        return None
    offsets = {name: np.zeros(frame.height) for name in free}
    found = frame
    for _ in range(_STEPS):
        slope = slopes(found)
        for name in free:
            step = 2 * _REACH / _STEPS * np.sign(slope.get(name, 0.0))
            offsets[name] = np.clip(offsets[name] + step, -_REACH, _REACH)
        found = _moved(frame, free, offsets)
    hit = wrong(found) > wrong(frame)
    kept = [_either(hit, found[name], frame[name]) for name in free]
    return Disturbed("gradient", _REACH, tuple(free), frame.with_columns(kept))


def worst_falls(tests: Sequence[tuple[Disturbed, float]]) -> dict[str, float]:
    """Return by measure the largest fall at its level; of what could not be disturbed there is none."""
    found: dict[str, float] = {}
    for name, (kinds, level) in _BOUNDED.items():
        falls = [fall for one, fall in tests if one.kind in kinds and abs(one.level) == level]
        if falls:
            found[name] = float(np.max(falls))
    return found


def _in_reach(frame: pl.DataFrame, columns: Sequence[Column]) -> dict[str, tuple[Column, float]]:
    """Return the columns of numbers that an attack can move: a tenth of whole ones may be less than one."""
    free = numbers(columns, frame)

    def moves(name: str, side: float) -> bool:
        return not _moved(frame, free, {name: np.full(frame.height, side)})[name].equals(frame[name])

    return {name: own for name, own in free.items() if any(moves(name, side) for side in (-_REACH, _REACH))}


def _moved(
    frame: pl.DataFrame, free: Mapping[str, tuple[Column, float]], offsets: Mapping[str, Array]
) -> pl.DataFrame:
    """Return rows with numbers off by so many spreads, within their bounds, whole where they are."""
    columns = []
    for name, offset in offsets.items():
        column, spread = free[name]
        own = frame[name]
        moved = own.cast(pl.Float64) + pl.Series(offset * spread)
        if own.dtype.is_integer():
            moved = moved.round()
        moved = moved.clip(_bound(column.min), _bound(column.max))
        columns.append(moved.cast(own.dtype).rename(name))
    return frame.with_columns(columns)


def _bound(limit: float | str | None) -> float | None:
    return None if limit is None else float(limit)


def _either(hit: Array, this: pl.Series, that: pl.Series) -> pl.Series:
    return this.zip_with(pl.Series(hit), that)


def _unseen(frames: Sequence[pl.DataFrame], column: Column) -> object:
    """Return a value that no frame has in a column: the next number, as short a text as can be."""
    known = {value for frame in frames for value in frame[column.name].unique().to_list()} - {None}
    if column.storage == "int64":
        first = min(max(known, default=-1) + 1, _LAST)
        return next(number for number in count(first, -1) if number not in known)
    return next(text for text in (f"~{n}" if n else "~" for n in count()) if text not in known)
