"""Two runs on the same test rows: which is better, as far as these rows prove it."""

from __future__ import annotations

from pathlib import Path

from engine.evaluation.paired import Difference, compare_models
from engine.report import outcomes, record, scores
from engine.report.record import Record, at, elements, number, text
from engine.tasks.task import Array, Scores

# As evaluation=standard has it: a run with fewer resamples, or none, is compared all the same.
_RESAMPLES = 200
_CONFIDENCE = 0.95


def compare_runs(first: Path, second: Path) -> dict[str, Difference] | str:
    """Hold the second run's test scores against the first's, row by row.

    Parameters
    ----------
    first, second
        Folders of finished runs.

    Returns
    -------
    dict or str
        By metric the second's value less the first's, with its interval and verdict, a paired bootstrap of
        the test rows; or in a sentence why they can't be compared so.
    """
    one, other = record.read(first), record.read(second)
    for path in (("data_sha256",), ("target",)):
        if at(one.facts, *path) != at(other.facts, *path):
            return "the two runs are not of the same data and target"
    test = ("split", "sha256", "test")
    if text(one.data, *test) is None or text(one.data, *test) != text(other.data, *test):
        return "the two runs have other test rows"
    if any(text(column, "role") == "weight" for column in elements(one.data, "columns")):
        return "the rows have weights, which predictions.parquet does not keep"
    mine, theirs = _answers(one), _answers(other)
    if mine is None or theirs is None or len(mine[0]) != len(theirs[0]):
        return "a run has not kept the predictions of all test rows"
    confidence = number(other.recipe, "evaluation", "confidence")
    (found,) = compare_models(
        mine[0],
        theirs[1],
        [mine[1]],
        None,
        metrics=scores.declared(other),
        confidence=confidence or _CONFIDENCE,
        n_bootstrap=_RESAMPLES,
        seed=0,
    )
    return found


def _answers(run: Record) -> tuple[Array, Scores] | None:
    rows = outcomes.read(run)
    if isinstance(rows, outcomes.Classified):
        return rows.actual, Scores(rows.probabilities, rows.decided)
    if isinstance(rows, outcomes.Measured):
        return rows.actual, Scores(rows.predicted, rows.predicted)
    return None
