"""Why a bundle answers a row as it does, and what would have had to differ: asked of the deployed graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import polars as pl

from engine.errors import DataError
from engine.evaluation.contributions import contributions
from engine.evaluation.counterfactual import Change, counterfactual
from engine.runs.bundle import Bundle
from engine.tasks.task import Array, Scores

# Probabilities are kept off 0 and 1 by the double's epsilon, as the metric log_loss keeps them.
_EPSILON = float(np.finfo(np.float64).eps)
# Of a decision that is another but by nothing.
_LEAST = float(np.finfo(np.float64).tiny)
SEED = 0


@dataclass(frozen=True, slots=True)
class Added:
    """One column of a row: its value, what that adds to the answer, and the standard error of it."""

    column: str
    value: object
    adds: float
    error: float


@dataclass(frozen=True, slots=True)
class Explained:
    """One row explained.

    Attributes
    ----------
    prediction, probabilities
        As the bundle gives them; no probabilities of a number.
    base, answer
        The mean answer of the rows compared with, and the row's own: with `base` what is added sums to it.
    added
        Every feature, the largest first.
    changes
        What would have had to differ for another decision; None where nothing was found, or nothing is
        decided.
    becomes
        The decision that the changes lead to.
    """

    prediction: object
    probabilities: Mapping[str, float]
    base: float
    answer: float
    added: tuple[Added, ...]
    changes: tuple[Change, ...] | None
    becomes: object

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON form."""
        changes = None
        if self.changes is not None:
            changed = {one.column: {"was": one.was, "becomes": one.becomes} for one in self.changes}
            changes = {"prediction": self.becomes, "changes": changed}
        return {
            "prediction": self.prediction,
            "probabilities": dict(self.probabilities) or None,
            "base": self.base,
            "answer": self.answer,
            "added": {
                one.column: {"value": one.value, "adds": one.adds, "error": one.error} for one in self.added
            },
            "counterfactual": changes,
        }


def unit(bundle: Bundle) -> str:
    """Return what is added up: log-odds of a class, or the target itself."""
    target = bundle.target
    if not target.classes:
        return target.name
    if target.kind == "binary":
        return f"log-odds of {target.class_names[-1]}"
    return "log-odds of the class decided for"


def explain(bundle: Bundle, frame: pl.DataFrame, *, rounds: int = 1) -> tuple[Explained, ...]:
    """Explain the answers for some rows, beside the golden rows of the bundle.

    Parameters
    ----------
    bundle
        Any verified bundle.
    frame
        Shape (n, …): checked rows that hold every feature in the dtype of its storage.
    rounds
        Orders of the columns for each golden row: more make what is added surer.

    Raises
    ------
    DataError
        If the bundle has no golden row, as of columns that are all personal.
    EngineError
        If the graph gives a value that is not finite.
    """
    if not bundle.golden.height:
        raise DataError.of("the bundle keeps no rows to compare with", file=str(bundle.folder))
    features = bundle.schema.features
    names = [column.name for column in features]
    wanted = frame.select(names)
    scores = bundle.score(wanted)
    decided = np.asarray(scores.decisions)

    def ask(rows: pl.DataFrame, *, place: int) -> Array:
        return _answer(bundle, bundle.score(rows), decided[place])

    found = contributions(
        wanted,
        background=bundle.golden.select(names),
        columns=names,
        ask=ask,
        seed=SEED,
        rounds=rounds,
    )
    said = bundle.to_frame(scores)
    explained = []
    for place in range(wanted.height):
        row = wanted[place]
        order = np.argsort(-np.abs(found.values[place]), kind="stable")
        changes, becomes = _otherwise(bundle, row, decided[place])
        explained.append(
            Explained(
                prediction=said["prediction"][place],
                probabilities={
                    name.removeprefix("probability_"): float(said[name][place]) for name in said.columns[1:]
                },
                base=float(found.base[place]),
                answer=float(found.answers[place]),
                added=tuple(
                    Added(
                        names[at],
                        row[names[at]][0],
                        float(found.values[place, at]),
                        float(found.errors[place, at]),
                    )
                    for at in order
                ),
                changes=changes,
                becomes=becomes,
            )
        )
    return tuple(explained)


def _answer(bundle: Bundle, scores: Scores, decided: float) -> Array:
    """Return what is explained of each row: a number, or the log-odds of a class."""
    if not bundle.target.classes:
        return scores.values
    place = 1 if bundle.target.kind == "binary" else int(decided)
    p = np.clip(scores.values[:, place], _EPSILON, 1 - _EPSILON)
    return cast("Array", np.log(p) - np.log1p(-p))


def _otherwise(bundle: Bundle, row: pl.DataFrame, decided: float) -> tuple[tuple[Change, ...] | None, object]:
    if not bundle.target.classes:
        return None, None
    own = int(decided)

    def gain(rows: pl.DataFrame) -> Array:
        scores = bundle.score(rows)
        if bundle.threshold is not None:
            apart = np.abs(scores.values[:, 1] - bundle.threshold)
        else:
            others = np.delete(scores.values, own, axis=1).max(axis=1)
            apart = np.abs(scores.values[:, own] - others)
        return np.where(scores.decisions != own, np.maximum(apart, _LEAST), -apart)

    profiles = cast("Mapping[str, Mapping[str, object]]", bundle.reference["columns"])
    changes = counterfactual(row, columns=bundle.schema.features, profiles=profiles, gain=gain)
    if changes is None:
        return None, None
    other = row.with_columns(
        pl.Series(one.column, [one.becomes], dtype=row[one.column].dtype) for one in changes
    )
    return changes, bundle.to_frame(bundle.score(other))["prediction"][0]
