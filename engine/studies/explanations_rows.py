"""Which test rows are explained, and what their columns add: exactly for a sum, else sampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.evaluation.contributions import Contributions, contributions
from engine.evaluation.margins import log_odds, of_decision, unit_of, unit_of_asked
from engine.models.adder import by_source
from engine.models.family import Additive
from engine.models.margin import Margin
from engine.studies.study import Subject
from engine.tasks.task import Array

# Nodes times rows that are taken apart at most, some three seconds; of a very large forest these few rows.
_MOST_NODES, _LEAST_ROWS = 20_000_000, 16
# Rows that a model is asked for, of which each explained row needs two a column and background row.
_MOST_ASKED, _BACKGROUND = 200_000, 32
_BINARY = 2


@dataclass(frozen=True, slots=True)
class ExplainedRows:
    """Test rows by their place, and what their columns add; `unit` says to what."""

    method: str
    unit: str
    rows: Array
    added: Contributions


def telling_rows(subject: Subject) -> dict[str, int]:
    """Return the places of the test rows that say most of the model, each once, by what they are."""
    scores, y, target = subject.judgement.test, subject.divided.test.y, subject.target
    values = scores.values
    if not target.classes:
        ranked = {
            "highest prediction": values,
            "lowest prediction": -values,
            "worst mistake": np.abs(values - y),
        }
    else:
        wrong = np.asarray(scores.decisions) != y
        missed = np.where(wrong, 1 - values[np.arange(len(y)), y], -1.0)
        last_two = np.sort(values, axis=1)[:, -_BINARY:]
        ranked = {"most certain": last_two[:, 1], "most doubtful": last_two[:, 0] - last_two[:, 1]}
        if len(target.classes) == _BINARY:
            positive = values[:, 1]
            edge = _edge(subject)
            ranked = {
                f"most certain {target.class_names[1]}": positive,
                f"most certain {target.class_names[0]}": -positive,
                "most doubtful": -np.abs(positive - edge),
            }
        if wrong.any():
            ranked["worst mistake"] = missed
    found: dict[str, int] = {}
    for which, how_much in ranked.items():
        place = int(np.argmax(how_much))
        if place not in found.values():
            found[which] = place
    return found


def _edge(subject: Subject) -> Array | float:
    if subject.model.groups is not None:
        return subject.model.groups.of(subject.divided.test.frame)
    return 0.5 if subject.model.threshold is None else subject.model.threshold


def explained_rows(subject: Subject, drawn: Array, *, telling: Sequence[int]) -> ExplainedRows:
    """Explain as many of the drawn rows as are not too costly, and the telling ones after them."""
    fitted = subject.model.candidate.fitted
    margin = fitted.margin() if isinstance(fitted, Additive) else None
    most = len(drawn)
    if margin is None:
        a_row = 2 * _BACKGROUND * (len(subject.features) + 1)
        most = max(_MOST_ASKED // a_row, _LEAST_ROWS)
    elif margin.n_nodes:
        most = max(_MOST_NODES // margin.n_nodes, _LEAST_ROWS)
    rows = np.concatenate([drawn[:most], np.array(telling, np.int64)])
    frame = subject.divided.test.frame[rows]
    decided = np.asarray(subject.judgement.test.decisions)[rows]
    if margin is None:
        return ExplainedRows("sampled", unit_of_asked(subject.target), rows, _asked(subject, frame, decided))
    return ExplainedRows(
        "exact", unit_of(margin, subject.target), rows, _taken_apart(subject, margin, frame, decided)
    )


def _taken_apart(subject: Subject, margin: Margin, frame: pl.DataFrame, decided: Array) -> Contributions:
    candidate = subject.model.candidate
    assert isinstance(candidate.fitted, Additive)
    preparation = candidate.preparation
    added = candidate.fitted.added(preparation.transform(frame))
    assert added is not None
    summed = by_source(added, sources=preparation.sources, columns=subject.features)
    return of_decision(summed, margin=margin, decided=decided, columns=subject.features)


def _asked(subject: Subject, frame: pl.DataFrame, decided: Array) -> Contributions:
    score, target, groups = subject.model.scorer.score, subject.target, subject.model.groups
    # Columns that are no features, by whose groups alone is decided, change no probability.
    others = frame.select(name for name in (groups.by if groups else ()) if name not in subject.features)

    def ask(rows: pl.DataFrame, *, place: int) -> Array:
        own = others[np.full(rows.height, place)] if others.width else others
        return log_odds(score(rows.hstack(own)), target=target, decided=decided[place])

    background = subject.divided.train.sample(_BACKGROUND, seed=subject.spec.seed).frame
    return contributions(
        frame, background=background, columns=subject.features, ask=ask, seed=subject.spec.seed
    )
