"""A multirun over seeds, told by combination: one run may owe its score to its seed, a mean less so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.cli.comparison import (
    PARTS,
    Outcome,
    common,
    goal_metrics,
    is_better_greater,
    metric_of,
    ranking_part,
    value_of,
)
from engine.cli.output import print_prose, print_table
from engine.cli.summary import number

_TITLE = "over the seeds: mean (lowest to highest), best mean first"
_SPLIT = "each seed also splits the rows in another way: a single run may owe its place to its seed"


@dataclass(frozen=True, slots=True)
class Spread:
    """The goal metric of several runs on one part of the rows."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        """Say it for people."""
        return f"{number(self.mean)} ({number(self.low)} to {number(self.high)})"


@dataclass(frozen=True, slots=True)
class OverSeeds:
    """The runs that differ in their seed only.

    Attributes
    ----------
    overrides
        Those of the combination, without the seed.
    parts
        By part of the rows; None where no run was scored on it.
    """

    overrides: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    parts: dict[str, Spread | None]

    @property
    def done(self) -> list[Outcome]:
        """Those that came to a run."""
        return [outcome for outcome in self.outcomes if outcome.run is not None]

    @property
    def n_passed(self) -> int:
        """Number of runs that met their gates."""
        return sum(outcome.exit_code == 0 for outcome in self.outcomes)

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON form: `overrides n_runs n_failed n_passed validation test`.

        The last two are each `mean low high` of the goal's metric, or null.
        """
        spreads = {
            part: None if found is None else {"mean": found.mean, "low": found.low, "high": found.high}
            for part, found in self.parts.items()
        }
        n_failed = len(self.outcomes) - len(self.done)
        counts = {"n_runs": len(self.outcomes), "n_failed": n_failed, "n_passed": self.n_passed}
        return {"overrides": list(self.overrides), **counts, **spreads}


def over_seeds(outcomes: Sequence[Outcome]) -> list[dict[str, object]]:
    """Return for each outcome what is said of all seeds of its combination, as `over_seeds`.

    Empty where no more than one seed was asked for.
    """
    together = {group.overrides: group for group in _groups(outcomes)}
    if not together:
        return [{} for _ in outcomes]
    return [{"over_seeds": together[_without_seed(outcome)].to_json()} for outcome in outcomes]


def print_over_seeds(outcomes: Sequence[Outcome]) -> None:
    """Print a row for each combination of the other axes, the best mean first; nothing without seeds."""
    groups = [group for group in _groups(outcomes) if group.done]
    if not groups:
        return
    metrics, part = goal_metrics(outcomes), ranking_part(outcomes)
    many, shared = len(metrics) > 1, set(common(outcomes))

    def rank(group: OverSeeds) -> tuple[int, bool, float]:
        first, found = group.done[0], group.parts[part]
        mean = 0.0 if found is None else found.mean
        return metrics.index(metric_of(first)), found is None, -mean if is_better_greater(first) else mean

    rows = [
        [
            " ".join(word for word in group.overrides if word not in shared) or "as it is",
            *([metric_of(group.done[0])] if many else []),
            *("" if found is None else str(found) for found in group.parts.values()),
            _verdict(group),
        ]
        for group in sorted(groups, key=rank)
    ]
    scores = ["metric", *PARTS] if many else [f"{part} {metrics[0]}" for part in PARTS]
    print_table(_TITLE, ["run", *scores, "passed"], rows)
    # Rows that are cut by their time are cut in one place, whatever the seed.
    if any(one.combination.spec and one.combination.spec.split.kind != "time" for one in outcomes):
        print_prose(_SPLIT)


def _groups(outcomes: Sequence[Outcome]) -> list[OverSeeds]:
    """Put together what differs in its seed only; nothing where all have one seed."""
    seeds = {word for outcome in outcomes for word in outcome.combination.overrides if _is_seed(word)}
    if len(seeds) < 2:  # noqa: PLR2004 (one seed is no axis)
        return []
    found: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault(_without_seed(outcome), []).append(outcome)
    return [
        OverSeeds(overrides, tuple(having), {part: _spread(having, part) for part in PARTS})
        for overrides, having in found.items()
    ]


def _spread(outcomes: Sequence[Outcome], part: str) -> Spread | None:
    values = [value_of(outcome, part) for outcome in outcomes if outcome.run is not None]
    known = [value for value in values if value is not None]
    return Spread(math.fsum(known) / len(known), min(known), max(known)) if known else None


def _verdict(group: OverSeeds) -> str:
    n_failed = len(group.outcomes) - len(group.done)
    return f"{group.n_passed} of {len(group.outcomes)}" + (f", {n_failed} failed" if n_failed else "")


def _without_seed(outcome: Outcome) -> tuple[str, ...]:
    return tuple(word for word in outcome.combination.overrides if not _is_seed(word))


def _is_seed(override: str) -> bool:
    return override.lstrip("+").partition("=")[0] == "seed"
