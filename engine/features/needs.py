"""What a model family needs of its input; `engine.features.prepare` meets it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Columns that a text becomes where the recipe does not say how many.
USUAL_TERMS = 256


@dataclass(frozen=True, slots=True)
class Needs:
    """How a family wants categories, missing values and scale.

    Attributes
    ----------
    categories
        `onehot`: one 0/1 column a level. `codes`: one column of level indices as ordinary numbers.
        `native`: the same codes, and the family is told which columns are categorical.
    missing
        `ok`: missing values stay NaN. `impute`: numbers get the training median and a 0/1 indicator column
        where training had nulls; a missing or unseen category gets a level of its own.
    scale
        Whether numbers are standardised by the training mean and standard deviation.
    max_categories
        Levels kept a column, most frequent first; the others count as unseen. None keeps all.
    """

    categories: Literal["codes", "onehot", "native"]
    missing: Literal["ok", "impute"]
    scale: bool
    max_categories: int | None
