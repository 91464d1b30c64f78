"""What a first recipe chooses beside the columns: metric, model, split, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engine.data.infer import Guess
from engine.data.objective import Objective
from engine.recipe.spec_table import Role, SplitKind

# Below, boosted trees have too few rows to stop early on and overfit what they see.
_FEW_ROWS = 500
# Boosting grows a tree a class and round.
_MANY_CLASSES = 30
_BINARY = 2
# Training, validation and test each need a row of every class.
_N_PARTS = 3
# A column must order, or group, this many rows before the split is made to follow it unasked.
_ENOUGH_ROWS = 100
TEST, VALIDATION = 0.2, 0.1
_FOLLOWED: tuple[Literal["time", "group"], ...] = ("time", "group")


@dataclass(frozen=True, slots=True)
class Choices:
    """The options of a recipe, with the reason for each.

    Attributes
    ----------
    follows
        The column that the split respects, with its role; None where rows are drawn.
    """

    metric: str
    model: str
    why_model: str
    split: SplitKind
    why_split: str
    validation: float = VALIDATION
    follows: tuple[str, Role] | None = None


def choose(objective: Objective, *, has_text: bool = False) -> Choices:
    """Choose for rows that are drawn; `has_text` says whether words are among the features."""
    n_rows = objective.n_rows - objective.n_missing
    n_classes = len(objective.classes)
    validation = VALIDATION
    why_split = "drawn within each class" if n_classes else "drawn within each tenth of the target"
    if n_classes and objective.rarest[1] < _N_PARTS:
        validation = 0.0
        why_split = (
            f"the class '{objective.rarest[0]}' has {objective.rarest[1]} rows, one for training and one for "
            "the test, and none is left for validation"
        )
    model, why_model = _model(n_rows, n_classes, stops_early=validation > 0, has_text=has_text)
    return Choices(_metric(n_classes), model, why_model, "stratified", why_split, validation)


def follow(choices: Choices, guesses: Sequence[Guess], *, n_rows: int) -> Choices | None:
    """Return the choices with a split that follows time or groups, where a column calls for it strongly.

    Time comes first: whoever tests on the past tests on what is over.
    """
    if n_rows < _ENOUGH_ROWS or not choices.validation:
        return None
    for role in _FOLLOWED:
        found = [guess for guess in guesses if guess.candidate == role and guess.strong]
        others = [guess for guess in guesses if guess.is_feature and guess not in found]
        if len(found) == 1 and others:
            name = found[0].name
            why = {
                "time": f"the rows are in the order of '{name}': the past trains, the future tests",
                "group": f"rows belong to '{name}', which has several: all of one are in one part",
            }[role]
            return replace(choices, split=role, why_split=why, follows=(name, role))
    return None


def _metric(n_classes: int) -> str:
    if not n_classes:
        return "rmse"
    return "roc_auc" if n_classes == _BINARY else "log_loss"


def _model(n_rows: int, n_classes: int, *, stops_early: bool, has_text: bool) -> tuple[str, str]:
    linear = "logistic" if n_classes else "ridge"
    if has_text:
        return linear, "words are many and each is rare, which a linear model takes best"
    if n_rows < _FEW_ROWS:
        return linear, f"{n_rows} rows are few, and a linear model errs least on little data"
    if n_classes > _MANY_CLASSES:
        return linear, f"{n_classes} classes: boosted trees would grow one tree a class and round"
    if not stops_early:
        return "random_forest", "without validation rows boosted trees don't know when to stop"
    return "lightgbm", "boosted trees are the strongest first model of a table"
