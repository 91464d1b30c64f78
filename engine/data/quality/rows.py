"""Rows that stand twice: within the table, in two parts, nearly, or with two answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from engine.data.quality.codes import pick
from engine.data.quality.finding import (
    ACROSS,
    CONFLICTS,
    DUPLICATES,
    NEAR,
    NEAR_ACROSS,
    Evidence,
    Finding,
    Found,
    Severity,
)
from engine.data.schema import Schema
from engine.data.split import Parts

_SEED = 0
# From here on a share of test rows that were learnt is more than chance among few columns.
_MANY_ACROSS, _SERIOUS_ACROSS = 0.01, 0.2
_MANY_CONFLICTS = 0.05
# Of near rows a few are chance among few columns.
_FEW_NEAR, _MANY_NEAR = 0.01, 0.05
_N_NAMED = 10
# Near: numbers with a fraction that agree in three digits, from 100 on in the whole number; texts but for
# case and blanks.
_DIGITS, _WHOLE = 3, 100.0
_SLICE_ROWS = 200_000
_NEARLY = "but for rounding, case or blanks"


def check_rows(
    frame: pl.DataFrame,
    schema: Schema,
    parts: Parts,
    *,
    n_repeated: int,
    kept: np.ndarray | None = None,
) -> Found:
    """Compare rows by their hashes, of 64 bits each.

    Parameters
    ----------
    n_repeated
        Rows that repeat an earlier one in every column that is read but ids.
    kept
        The places, from 0, that the rows have in the file; None: their own order.
    """
    features = [column.name for column in schema.features if column.name in frame.columns]
    if not features or not frame.height:
        return Found()
    alike = _hashes(pick(frame, features))
    learnt = _hashes(pl.DataFrame([pl.Series(alike), frame[schema.target.name].alias("y")]))
    findings = []
    if n_repeated:
        share = round(n_repeated / frame.height, 6)
        what = f"{_of(n_repeated, frame.height)} repeat an earlier row in every column{_but(schema)}"
        advice = "if one thing was written down twice, remove it before; if things are alike, leave them"
        findings.append(
            Finding(DUPLICATES, "warning", (), what, {"n_rows": n_repeated, "share": share}, advice)
        )
    near = _near_hashes(pick(frame, [*features, schema.target.name]))
    across, findings_across = _across(learnt, parts)
    conflicting, findings_conflicting = _conflicts(alike, learnt)
    again, findings_again = _near(learnt, near, np.arange(frame.height) if kept is None else kept)
    near_across, findings_near = _near_across(learnt, near, parts)
    return Found(
        [*findings, *findings_across, *findings_conflicting, *findings_again, *findings_near],
        {
            DUPLICATES: n_repeated / frame.height,
            ACROSS: across,
            CONFLICTS: conflicting,
            NEAR: again,
            NEAR_ACROSS: near_across,
        },
    )


def _hashes(frame: pl.DataFrame) -> np.ndarray:
    # Numbered names: the same values hash alike whatever the columns are called.
    frame.columns = [str(at) for at in range(frame.width)]
    return frame.hash_rows(seed=_SEED).to_numpy()


def _near_hashes(frame: pl.DataFrame) -> np.ndarray:
    """Return hashes that rows share which are equal but for rounding, case or blanks; some rows at a time."""
    is_whole = [series.dtype.is_float() and bool((series == series.round()).all()) for series in frame]
    found = [
        _hashes(_blurred(frame.slice(first, _SLICE_ROWS), is_whole))
        for first in range(0, frame.height, _SLICE_ROWS)
    ]
    return np.concatenate(found)


def _across(hashes: np.ndarray, parts: Parts) -> tuple[float, list[Finding]]:
    held_out = np.concatenate([parts.validation, parts.test])
    if not len(held_out):
        return 0.0, []
    exact = _among(hashes, held_out, parts.train)
    share = float(exact.mean())
    findings = []
    if share:
        n_test = int(exact[len(parts.validation) :].sum())
        what = (
            f"{_of(int(exact.sum()), len(held_out))} of validation and test stand among the training rows "
            "too, target and features alike"
        )
        many: Severity = "serious" if share >= _SERIOUS_ACROSS else "warning"
        evidence = {"n_rows": int(exact.sum()), "share": round(share, 6), "n_test_rows": n_test}
        advice = "remove doubles, or keep them in one part: split.kind: group, by what they have in common"
        findings.append(
            Finding(ACROSS, many if share >= _MANY_ACROSS else "note", (), what, evidence, advice)
        )
    return share, findings


def _near(learnt: np.ndarray, near: np.ndarray, places: np.ndarray) -> tuple[float, list[Finding]]:
    """Count the rows that stand once more in nearly the same words; equal rows count once."""
    n = int(pl.Series(learnt).n_unique()) - int(pl.Series(near).n_unique())
    share = n / len(learnt)
    if share < _FEW_NEAR:
        return share, []
    pairs = pl.DataFrame({"learnt": learnt, "near": near}).with_row_index("row")
    first = pairs.unique("learnt", keep="first", maintain_order=True)
    again = first.filter(~pl.col("near").is_first_distinct())["row"].head(_N_NAMED).to_numpy()
    evidence: dict[str, Evidence] = {
        "n_rows": n,
        "share": round(share, 6),
        "first_rows": ", ".join(str(row + 1) for row in places[again]),
    }
    what = f"{_of(n, len(learnt))} equal an earlier row {_NEARLY}"
    advice = "if one thing was written down twice, in two ways, keep one of them"
    severity: Severity = "warning" if share >= _MANY_NEAR else "note"
    return share, [Finding(NEAR, severity, (), what, evidence, advice)]


def _near_across(learnt: np.ndarray, near: np.ndarray, parts: Parts) -> tuple[float, list[Finding]]:
    """Count the rows to be judged that nearly equal a training row, and no training row exactly."""
    held_out = np.concatenate([parts.validation, parts.test])
    if not len(held_out):
        return 0.0, []
    also = _among(near, held_out, parts.train) & ~_among(learnt, held_out, parts.train)
    share = float(also.mean())
    if share < _FEW_NEAR:
        return share, []
    what = f"{_of(int(also.sum()), len(held_out))} to be judged equal a training row {_NEARLY}"
    evidence = {"n_rows": int(also.sum()), "share": round(share, 6)}
    advice = "if they tell of one thing, such as one person's visits, split.kind: group keeps them together"
    severity: Severity = "warning" if share >= _MANY_NEAR else "note"
    return share, [Finding(NEAR_ACROSS, severity, (), what, evidence, advice)]


def _among(hashes: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Tell of each of some rows whether its hash is one of the others'."""
    return pl.Series(hashes[rows]).is_in(pl.Series(hashes[others]).unique().implode()).to_numpy()


def _blurred(frame: pl.DataFrame, is_whole: Sequence[bool]) -> pl.DataFrame:
    """Return rows whose numbers are rounded and whose texts are in one form.

    A number of whole numbers alone, such as a year, stays as it is.
    """
    columns = []
    for series, whole in zip(frame, is_whole, strict=True):
        if series.dtype.is_float() and not whole:
            small = series.abs() < _WHOLE
            columns.append(
                series.round_sig_figs(_DIGITS).zip_with(small.fill_null(value=True), series.round())
            )
        elif series.dtype == pl.String:
            columns.append(series.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars())
        else:
            columns.append(series)
    return pl.DataFrame(columns)


def _conflicts(features: np.ndarray, learnt: np.ndarray) -> tuple[float, list[Finding]]:
    """Find rows that are equal in every feature and differ in the target: no model can have both right."""
    pairs = pl.DataFrame({"features": features, "learnt": learnt})
    several = pairs.group_by("features").agg(pl.len(), pl.col("learnt").n_unique().alias("answers"))
    n = int(several.filter(pl.col("answers") > 1)["len"].sum())
    share = n / len(features)
    if not n:
        return 0.0, []
    what = f"{_of(n, len(features))} equal another in every feature, and have another target"
    advice = "no model can have all of them right: look whether a column is missing that tells them apart"
    severity: Severity = "warning" if share >= _MANY_CONFLICTS else "note"
    return share, [Finding(CONFLICTS, severity, (), what, {"n_rows": n, "share": round(share, 6)}, advice)]


def _of(n: int, n_all: int) -> str:
    return f"{n:,} of {n_all:,} rows ({n / n_all:.2%})"


def _but(schema: Schema) -> str:
    """Return which columns do not count when rows are compared."""
    named = [("ids", schema.ids), ("ignored ones", schema.of_role("ignore"))]
    apart = [words for words, columns in named if columns]
    return f" but {' and '.join(apart)}" if apart else ""
