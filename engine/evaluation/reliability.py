"""How often what was said came true: the numbers of a reliability diagram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.tasks.task import Array


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often what was said came true, a bin of said probability; empty bins are left out.

    All of shape (n_bins,): the mean probability, the observed share, its interval, and the number of rows.
    """

    said: Array
    seen: Array
    low: Array
    high: Array
    counts: Array

    def to_json(self) -> list[dict[str, float]]:
        """Return an entry a bin."""
        names = ("said", "seen", "low", "high", "n")
        columns = (self.said, self.seen, self.low, self.high, self.counts)
        return [
            dict(zip(names, values, strict=True))
            for values in zip(*(column.tolist() for column in columns), strict=True)
        ]


def reliability(positive: Array, scores: Array, *, n_bins: int = 10) -> Reliability:
    """Compare probabilities of shape (n,) with outcomes in bins of equal width.

    Notes
    -----
    Bins as in Niculescu-Mizil and Caruana, "Predicting good probabilities" (2005); 95% intervals after
    Wilson (1927).
    """
    index = np.clip((scores * n_bins).astype(np.int64), 0, n_bins - 1)
    counts = np.bincount(index, minlength=n_bins)
    kept = counts > 0
    total = counts[kept].astype(np.float64)
    said = np.bincount(index, weights=scores, minlength=n_bins)[kept] / total
    seen = np.bincount(index, weights=positive, minlength=n_bins)[kept] / total
    z = 1.959963984540054
    middle = (seen + z * z / (2 * total)) / (1 + z * z / total)
    reach = z / (1 + z * z / total) * np.sqrt(seen * (1 - seen) / total + z * z / (4 * total**2))
    return Reliability(said=said, seen=seen, low=middle - reach, high=middle + reach, counts=counts[kept])
