"""Why a bundle answers a row as it does, and what would have had to differ: asked of the deployed graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import polars as pl

from engine.errors import DataError
from engine.evaluation.contributions import Contributions, contributions
from engine.evaluation.counterfactual import Change, counterfactual
from engine.evaluation.local import Surrogate, local_surrogate
from engine.evaluation.margins import log_odds, of_decision, unit_of, unit_of_asked
from engine.runs.bundle import Bundle
from engine.runs.margins import has_margin, open_margin
from engine.tasks.task import Array, Scores

# Of a decision that is another but by nothing.
_LEAST = float(np.finfo(np.float64).tiny)
SEED = 0
Method = Literal["exact", "sampled", "lime"]


@dataclass(frozen=True, slots=True)
class Adds:
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
        What is said where no column is known, and of the row: with `base` what is added sums to it, but by
        the method `lime`, which comes as near as `fidelity` says.
    added
        Every feature, the largest first.
    changes
        What would have had to differ for another decision; None where nothing was found, or nothing is
        decided.
    becomes
        The decision that the changes lead to.
    fidelity
        R² of the linear model of `lime` around the row; None by the other methods.
    """

    prediction: object
    probabilities: Mapping[str, float]
    base: float
    answer: float
    added: tuple[Adds, ...]
    changes: tuple[Change, ...] | None
    becomes: object
    fidelity: float | None = None

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON form."""
        changes = None
        if self.changes is not None:
            changed = {one.column: {"was": one.was, "becomes": one.becomes} for one in self.changes}
            changes = {"prediction": self.becomes, "changes": changed}
        told = {
            "prediction": self.prediction,
            "probabilities": dict(self.probabilities) or None,
            "base": self.base,
            "answer": self.answer,
            "added": {
                one.column: {"value": one.value, "adds": one.adds, "error": one.error} for one in self.added
            },
            "counterfactual": changes,
        }
        return told if self.fidelity is None else {**told, "fidelity": self.fidelity}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Some rows explained by one method; `unit` says what is added up, `n_beside` the rows compared with."""

    method: Method
    unit: str
    n_beside: int
    rows: tuple[Explained, ...]


def explain(
    bundle: Bundle, frame: pl.DataFrame, *, method: Method | None = None, rounds: int = 1
) -> Explanation:
    """Explain the answers for some rows.

    Parameters
    ----------
    bundle
        Any verified bundle.
    frame
        Shape (n, …): checked rows that hold every feature in the dtype of its storage.
    method
        `exact` takes the model's own sums apart, of a bundle that keeps them; `sampled` and `lime` ask it for
        rows between these and the golden ones; None is `exact` where it can be, else `sampled`.
    rounds
        Orders of the columns for each golden row: more make what is sampled surer.

    Raises
    ------
    DataError
        If golden rows are needed and the bundle has none, as of columns that are all personal.
    EngineError
        If the graph gives a value that is not finite.
    """
    chosen = method or ("exact" if has_margin(bundle) else "sampled")
    names = [column.name for column in bundle.schema.features]
    wanted = frame.select(names)
    scores = bundle.score(wanted)
    decided = np.asarray(scores.decisions)
    if chosen == "exact":
        unit, parts = exact(bundle, wanted, decided)
        return Explanation(chosen, unit, 0, _told(bundle, wanted, scores, parts))
    if not bundle.golden.height:
        raise DataError.of("the bundle keeps no rows to compare with", file=str(bundle.folder))

    def ask(rows: pl.DataFrame, *, place: int) -> Array:
        return log_odds(bundle.score(rows), target=bundle.target, decided=decided[place])

    beside = bundle.golden.select(names)
    by_method: Contributions | Surrogate
    if chosen == "lime":
        by_method = local_surrogate(wanted, background=beside, columns=names, ask=ask, seed=SEED)
    else:
        by_method = contributions(wanted, background=beside, columns=names, ask=ask, seed=SEED, rounds=rounds)
    return Explanation(
        chosen, unit_of_asked(bundle.target), beside.height, _told(bundle, wanted, scores, by_method)
    )


def exact(bundle: Bundle, rows: pl.DataFrame, decided: Array) -> tuple[str, Contributions]:
    """Return in which unit, and what, the columns of checked rows add, of a bundle that keeps sums."""
    adder = open_margin(bundle)
    found = of_decision(adder.added(rows), margin=adder.margin, decided=decided, columns=adder.columns)
    return unit_of(adder.margin, bundle.target), found


def _told(
    bundle: Bundle, rows: pl.DataFrame, scores: Scores, found: Contributions | Surrogate
) -> tuple[Explained, ...]:
    said = bundle.to_frame(scores)
    decided = np.asarray(scores.decisions)
    errors = found.errors if isinstance(found, Contributions) else np.zeros_like(found.values)
    explained = []
    for place in range(rows.height):
        row, order = rows[place], np.argsort(-np.abs(found.values[place]), kind="stable")
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
                    Adds(
                        found.columns[at],
                        row[found.columns[at]][0],
                        float(found.values[place, at]),
                        float(errors[place, at]),
                    )
                    for at in order
                ),
                changes=changes,
                becomes=becomes,
                fidelity=_fidelity(found, place),
            )
        )
    return tuple(explained)


def _fidelity(found: Contributions | Surrogate, place: int) -> float | None:
    """Return how well a linear model fits around a row, if there is one and answers vary there."""
    value = float(found.fidelity[place]) if isinstance(found, Surrogate) else np.nan
    return value if np.isfinite(value) else None


def _otherwise(bundle: Bundle, row: pl.DataFrame, decided: float) -> tuple[tuple[Change, ...] | None, object]:
    if not bundle.target.classes:
        return None, None
    own = int(decided)

    def gain(rows: pl.DataFrame) -> Array:
        scores = bundle.score(rows)
        edges = bundle.edges(rows)
        if edges is not None:
            apart = np.abs(scores.values[:, 1] - edges)
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
