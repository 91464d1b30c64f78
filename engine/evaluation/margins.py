"""What columns add to a model's margin, row by row, told of the sum that speaks of the decision."""

from __future__ import annotations

import numpy as np

from engine.evaluation.contributions import Contributions
from engine.models.margin import Margin
from engine.models.treeshap import Added
from engine.tasks.task import Array, Scores, Target

# Probabilities are kept off 0 and 1 by the double's epsilon, as the metric log_loss keeps them.
_EPSILON = float(np.finfo(np.float64).eps)


def of_decision(added: Added, *, margin: Margin, decided: Array, columns: tuple[str, ...]) -> Contributions:
    """Choose of each row the sum that is explained: of many classes that of the class decided for.

    Parameters
    ----------
    added
        Of n rows and the d columns.
    margin
        The sums.
    decided
        Shape (n,): the class decided for, by its place among the target's.
    """
    n_rows = len(added.values)
    places = np.zeros(n_rows, np.int64)
    if len(margin.classes) > 1:
        places = np.searchsorted(np.array(margin.classes), decided)
    rows = np.arange(n_rows)
    values, base = added.values[rows, :, places], added.base[places]
    return Contributions(columns, base, values, np.zeros_like(values), base + values.sum(axis=1))


def log_odds(scores: Scores, *, target: Target, decided: float) -> Array:
    """Return what is explained of a model that is only asked: a number, or the log-odds of a class, (n,).

    Parameters
    ----------
    decided
        The class that the explained row is decided for, where there are more than two.
    """
    if not target.classes:
        return scores.values
    place = 1 if target.kind == "binary" else int(decided)
    p = np.clip(scores.values[:, place], _EPSILON, 1 - _EPSILON)
    odds: Array = np.log(p) - np.log1p(-p)
    return odds


def unit_of_asked(target: Target) -> str:
    """Return what `log_odds` gives, in words."""
    if not target.classes:
        return target.name
    return f"log-odds of {target.class_names[-1] if target.kind == 'binary' else 'the class decided for'}"


def unit_of(margin: Margin, target: Target) -> str:
    """Return what the sums are counted in, in words."""
    if not margin.classes:
        words = {"log": "log of ", "root": "signed root of ", "logit": "log-odds of "}
        return words.get(margin.link, "") + target.name
    what = "the class decided for" if len(margin.classes) > 1 else target.class_names[margin.classes[0]]
    how = {"logit": "log-odds", "scores": "score", "probability": "probability"}[margin.link]
    return f"{how} of {what}" + (", before calibration" if margin.is_corrected else "")
