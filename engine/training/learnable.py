"""What must hold of a divided table before anything is fitted, so that it is said before and not after."""

from __future__ import annotations

import numpy as np

from engine.data.violation import show
from engine.errors import DataError, Message, RecipeError
from engine.evaluation.evaluate import metrics_for
from engine.models.tree_family import trained_classes
from engine.recipe.spec import Spec
from engine.tasks.task import Target, Task


def check_learnable(
    target: Target, y: np.ndarray, *, weights: np.ndarray | None = None, spec: Spec, task: Task
) -> None:
    """Check that training rows can be learnt from, and that the recipe's metrics fit the target.

    Parameters
    ----------
    y
        The training rows' targets as the task encodes them, shape (n_train,).
    weights
        What each of them weighs, shape (n_train,).

    Raises
    ------
    DataError
        If all training rows are of one class, or all of some class weigh nothing.
    RecipeError
        If the data's number of classes rules out the goal's metric, its value, a gate, or what is asked for
        so that groups are decided for alike; at its place.
    """
    trained_classes(y, kind=target.kind)
    if weights is not None and target.kind != "continuous":
        _refuse_weightless(np.setdiff1d(y, y[weights > 0]), target, spec)
    how = spec.model.fairness
    if how is not None and how.bounds is not None and target.kind != "binary":
        what = f"{how.kind} are for two classes, and '{target.name}' has {len(target.classes)}"
        raise RecipeError([spec.places.locate(Message(what, "model.fairness.kind"))])
    try:
        metrics_for(spec, task=task, target=target)
    except RecipeError as error:
        raise RecipeError([spec.places.locate(message) for message in error.messages]) from None


def _refuse_weightless(classes: np.ndarray, target: Target, spec: Spec) -> None:
    """Refuse classes of which no training row counts: no model would learn that there are such."""
    if not len(classes):
        return
    declared = spec.schema_.columns[target.name]
    is_hidden = declared.sensitive or declared.pii
    which = "" if is_hidden else ": " + ", ".join(f"'{show(target.classes[int(k)])}'" for k in classes[:3])
    what = f"the training rows of {len(classes)} of {len(target.classes)} classes weigh 0{which}"
    raise DataError.of(what, key="schema.target", try_="the rows left out of the table, or weights above 0")
