"""Fairness in the fit: models fitted on weights that fairlearn chooses, mixed until they keep to a bound."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.evaluation.fairness import (
    DEMOGRAPHIC_PARITY_RATIO,
    EQUALIZED_ODDS_DIFFERENCE,
    EQUALIZED_ODDS_RATIO,
)
from engine.models.family import Array, Family, Fitted, Problem, Progress, Rows
from engine.models.mixture import Constant, Mixture
from engine.recipe.spec_model import FairnessSpec

if TYPE_CHECKING:
    import pandas as pd

# A member that counts less would change no answer that anyone could see.
_LEAST_WEIGHT = 1e-3


def fit_reduced(
    family: Family, problem: Problem, *, how: FairnessSpec, threshold: float, progress: Progress | None
) -> Fitted:
    """Fit a mixture of one family's models whose decisions keep to a bound on training rows.

    Parameters
    ----------
    problem
        Of two classes, its training rows with groups. Validation rows say how many rounds a fit without any
        bound keeps; the members have as many.
    how
        With one bound on demographic parity or equalized odds.
    threshold
        The probability from which a member decides positive.

    Returns
    -------
    Fitted
        Its probability is the mean of its members', by their weights in the mixture: the same each time it
        is asked, where that of Agarwal et al. draws a member for each row. So the bound holds for it as
        nearly as its members agree, and is judged on test rows by a gate.

    Notes
    -----
    A. Agarwal et al., "A reductions approach to fair classification" (2018), by fairlearn's exponentiated
    gradient. That holds each group's rate against the rate of all, so that of a ratio its square root is
    asked for, and of a difference its half: the groups then are as near to each other as the bound says.
    """
    from fairlearn.reductions import ExponentiatedGradient  # type: ignore[import-untyped]

    plain = family.fit(problem, progress)
    bare = replace(problem, validation=None, max_iterations=plain.n_iterations or problem.max_iterations)
    found = ExponentiatedGradient(_Member(family, bare, threshold), _constraint(how))
    places = np.arange(len(problem.train.y))[:, None]
    found.fit(places, problem.train.y, sensitive_features=problem.train.groups)
    kept = found.weights_[found.weights_ >= _LEAST_WEIGHT]
    members = tuple(_fitted(found.predictors_[place]) for place in kept.index)
    return Mixture(members, tuple((kept / kept.sum()).tolist()))


@dataclass
class _Member:
    """One fit, as fairlearn asks for it: rows are told by their places; labels and weights are its own."""

    family: Family
    problem: Problem
    threshold: float
    fitted: Fitted | None = None
    _decided: Array = field(default_factory=lambda: np.empty(0, np.int64))

    def __sklearn_clone__(self) -> _Member:
        return _Member(self.family, self.problem, self.threshold)

    def fit(self, places: Array, y: pd.Series[int], sample_weight: pd.Series[float]) -> _Member:
        """Fit on all rows."""
        del places
        train = Rows(self.problem.train.x, y.to_numpy(np.int64), sample_weight.to_numpy(np.float64))
        self.fitted = self.family.fit(replace(self.problem, train=train))
        self._decided = (self.fitted.predict(train.x)[:, 1] >= self.threshold).astype(np.int64)
        return self

    def predict(self, places: Array) -> Array:
        """Return the decisions on some rows."""
        decided: Array = self._decided[np.asarray(places).ravel()]
        return decided


def _constraint(how: FairnessSpec) -> Any:
    from fairlearn.reductions import DemographicParity, EqualizedOdds

    assert how.bounds is not None
    ((name, limit),) = how.bounds.limits.items()
    of = EqualizedOdds if name in (EQUALIZED_ODDS_RATIO, EQUALIZED_ODDS_DIFFERENCE) else DemographicParity
    if name in (EQUALIZED_ODDS_RATIO, DEMOGRAPHIC_PARITY_RATIO):
        return of(ratio_bound=math.sqrt(limit))
    return of(difference_bound=limit / 2)


def _fitted(predictor: Any) -> Fitted:
    """Return a member's model; where all weights asked for one class, fairlearn's own says nothing else."""
    if isinstance(predictor, _Member):
        assert predictor.fitted is not None
        return predictor.fitted
    return Constant(np.eye(2)[int(predictor.constant)])
