"""Two runs on the same test rows: which is better, as far as these rows prove it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from engine import durable
from engine.errors import EngineError
from engine.evaluation.paired import Difference, compare_models
from engine.recipe.spec_value import Value
from engine.report import outcomes, record, scores
from engine.report.record import Record, at, number, text
from engine.runs.folder import CHAMPIONS
from engine.runs.run import find_champion
from engine.tasks.task import Array, Scores
from engine.tasks.value import value_metrics

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
    if outcomes.is_weighted(one) or outcomes.is_weighted(other):
        return "the rows have weights, which predictions.parquet does not keep"
    value = scores.worth(other)
    mine, theirs = _answers(one, value), _answers(other, value)
    if mine is None or theirs is None or len(mine[0]) != len(theirs[0]):
        return "a run has not kept the predictions of all test rows"
    metrics = dict(scores.declared(other))
    if value is not None and any(answers[1].worth is None for answers in (mine, theirs)):
        for money in value_metrics(value):
            del metrics[money.name]
    confidence = number(other.recipe, "evaluation", "confidence")
    (found,) = compare_models(
        mine[0],
        theirs[1],
        [mine[1]],
        None,
        metrics=metrics,
        confidence=confidence or _CONFIDENCE,
        n_bootstrap=_RESAMPLES,
        seed=0,
    )
    return found


def write_champion(folder: Path, *, runs: Path) -> None:
    """Write to `champion.json` how a run stands to the champion of its name; nothing where there is none.

    Parameters
    ----------
    folder
        The run's, while it is staged.
    runs
        Where the runs of its name lie.
    """
    name = None
    try:
        name = find_champion(runs)
        if name is None:
            return
        found = compare_runs(runs / name, folder) if (runs / name).is_dir() else "its folder is gone"
    except (EngineError, pl.exceptions.PolarsError, OSError) as error:
        # A model that is good is not lost for a damaged record of another.
        what = error.messages[0].what if isinstance(error, EngineError) else str(error).splitlines()[0]
        name, found = name or CHAMPIONS, f"it can't be read: {what}"
    told: dict[str, object] = {"not_tested": found}
    if not isinstance(found, str):
        told = {"test": {metric: one.to_json() for metric, one in found.items()}}
    durable.write_json(folder / "champion.json", {"champion": name, **told})


def _answers(run: Record, value: Value | None) -> tuple[Array, Scores] | None:
    rows = outcomes.read(run)
    if isinstance(rows, outcomes.Classified):
        worth = rows.priced(value).worth if value is not None else None
        return rows.actual, Scores(rows.probabilities, rows.decided, worth)
    if isinstance(rows, outcomes.Measured):
        return rows.actual, Scores(rows.predicted, rows.predicted)
    return None
