"""How the data of two runs differ: columns, and how the training rows are spread in each.

Read from what the runs recorded (`data.json`, `bundle/reference.json`): no table is read again. The measure
is the population stability index of `engine.data.quality.shift` (Siddiqi 2006, ch. 6).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, cast

import numpy as np

from engine.data.quality.shift import MUCH, SOME, by_chance, psi
from engine.runs.run import Json, Run

if TYPE_CHECKING:
    Array = np.ndarray
Profile = Mapping[str, object]
# Tenths of the first run's rows, as is usual.
_TENTHS = tuple(at / 10 for at in range(1, 10))
# Of a number 21 quantiles are recorded: what they say of its spread is this much uncertain.
_UNCERTAIN = 0.05


@dataclass(frozen=True, slots=True)
class Drift:
    """One feature in two runs: how far apart, and each in a few words.

    Attributes
    ----------
    psi
        Population stability index of the second run's training rows against the first's.
    """

    column: str
    psi: float
    first: str
    second: str

    @property
    def size(self) -> str:
        """What the index is called."""
        return "large" if self.psi > MUCH else "some" if self.psi > SOME else "little"


def drifts(first: Run, second: Run) -> list[Drift]:
    """Return the features that both runs know and that chance does not explain, the furthest apart first."""
    one, other = _reference(first), _reference(second)
    shared = cast("dict[str, Profile]", one.get("columns") or {})
    others = cast("dict[str, Profile]", other.get("columns") or {})
    steps = np.array(cast("Sequence[float]", one.get("probabilities") or ()))
    sizes = [cast("int", side.get("n_rows") or 0) for side in (one, other)]
    found = []
    for name, profile in shared.items():
        if name not in others or profile == others[name] or profile.get("type") != others[name].get("type"):
            continue
        shares = _shares(profile, others[name], steps)
        index = psi(*shares)
        least = _UNCERTAIN if profile.get("quantiles") else 0.0
        if index > max(by_chance(len(shares[0]), *sizes), least):
            found.append(Drift(name, round(index, 4), _told(profile), _told(others[name])))
    return sorted(found, key=lambda drift: (-drift.psi, drift.column))


def columns_of(run: Run) -> Json:
    """Return the type and role of each column that a run read, for comparison."""
    columns = cast("list[dict[str, object]]", run.read("data.json").get("columns") or [])
    return {str(column["name"]): f"{column['type']} ({column['role']})" for column in columns}


def _reference(run: Run) -> Json:
    """Return the profile of a run's training rows; one that can't be read has no columns."""
    try:
        content = json.loads((run.path / "bundle" / "reference.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _shares(one: Profile, other: Profile, steps: Array) -> tuple[Array, Array]:
    """Return the shares of each run's rows in the bins of the first; the last bin is what is missing."""
    nulls = np.array([cast("float", side.get("null_share") or 0.0) for side in (one, other)])
    if "levels" in one and "levels" in other:
        present = _levels(one, other)
    elif one.get("quantiles") and other.get("quantiles"):
        present = _quantiles(_numbers(one), _numbers(other), steps)
    else:  # personal data, or nothing but missing values on a side
        present = (np.ones(1), np.ones(1))
    first, second = (
        np.append(shares * (1 - null), null) for shares, null in zip(present, nulls, strict=True)
    )
    return first, second


def _levels(one: Profile, other: Profile) -> tuple[Array, Array]:
    sides = [
        {str(level["value"]): level["share"] for level in cast("list[dict[str, float]]", side["levels"])}
        for side in (one, other)
    ]
    names = sorted({*sides[0], *sides[1]})
    rest = [cast("float", side.get("other_share") or 0.0) for side in (one, other)]
    first, second = (
        np.array([*(side.get(name, 0.0) for name in names), left])
        for side, left in zip(sides, rest, strict=True)
    )
    return first, second


def _numbers(profile: Profile) -> Array:
    values = cast("list[float | str]", profile["quantiles"])
    return np.array([_number(value) for value in values])


def _number(value: float | str) -> float:
    """Return a quantile as a number: a moment in days, counted without regard to zones."""
    if not isinstance(value, str):
        return float(value)
    moment = datetime.fromisoformat(value)
    return moment.toordinal() + (moment.hour * 3600 + moment.minute * 60 + moment.second) / 86400


def _quantiles(one: Array, other: Array, steps: Array) -> tuple[Array, Array]:
    """Return what share of each lies between the tenths of the first."""
    edges = tenths(one, steps)
    first, second = (
        np.diff(np.concatenate([[0.0], below(quantiles, steps, edges), [1.0]])) for quantiles in (one, other)
    )
    return first, second


def tenths(quantiles: Array, steps: Array) -> Array:
    """Return where the tenths of some rows end, from quantiles at `steps`; equal ones once."""
    return np.unique(np.interp(_TENTHS, steps, quantiles))


def below(quantiles: Array, steps: Array, edges: Array) -> Array:
    """Return the share of values that are at most each edge, from quantiles: straight lines between them."""
    values, at = np.unique(quantiles, return_index=True)
    # Of equal quantiles the last says how many values are at most that.
    last = np.append(at[1:], len(quantiles)) - 1
    shares: Array = np.interp(edges, values, steps[last], left=0.0, right=1.0)
    return shares


def _told(profile: Profile) -> str:
    parts = []
    levels = cast("list[dict[str, object]]", profile.get("levels") or [])
    quantiles = cast("list[float | str]", profile.get("quantiles") or [])
    if levels:
        parts += [f"{level['value']} {cast('float', level['share']):.1%}" for level in levels[:2]]
    elif quantiles:
        middle = quantiles[len(quantiles) // 2]
        length = "length " if profile.get("type") == "text" else ""
        parts.append(f"{length}median {middle if isinstance(middle, str) else f'{middle:.4g}'}")
    nulls = cast("float", profile.get("null_share") or 0.0)
    if nulls:
        parts.append(f"{nulls:.1%} missing")
    return ", ".join(parts) or "none missing"
