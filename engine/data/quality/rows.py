"""Rows that stand twice: within the table, in two parts, nearly, or with two answers."""

from __future__ import annotations

import numpy as np
import polars as pl

from engine.data.quality.codes import pick
from engine.data.quality.finding import ACROSS, CONFLICTS, DUPLICATES, Finding, Found, Severity
from engine.data.schema import Schema
from engine.data.split import Parts

_SEED = 0
# From here on a share of test rows that were learnt is more than chance among few columns.
_MANY_ACROSS, _SERIOUS_ACROSS = 0.01, 0.2
_MANY_CONFLICTS = 0.05
# Near: numbers that agree in three digits, texts but for case and blanks.
_DIGITS = 3
# Beyond so many rows only equal ones are looked for.
MAX_BLURRED = 300_000
_NEAR = "near_duplicates_across_parts"


def check_rows(frame: pl.DataFrame, schema: Schema, parts: Parts, *, n_repeated: int) -> Found:
    """Compare rows by their hashes, of 64 bits each.

    Parameters
    ----------
    n_repeated
        Rows that repeat an earlier one in every column that is read but ids.
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
    near = None
    if frame.height <= MAX_BLURRED:
        near = _hashes(_blurred(pick(frame, [*features, schema.target.name])))
    across, findings_across = _across(learnt, near, parts)
    conflicting, findings_conflicting = _conflicts(alike, learnt)
    return Found(
        [*findings, *findings_across, *findings_conflicting],
        {DUPLICATES: n_repeated / frame.height, ACROSS: across, CONFLICTS: conflicting},
    )


def _hashes(frame: pl.DataFrame) -> np.ndarray:
    # Numbered names: the same values hash alike whatever the columns are called.
    frame.columns = [str(at) for at in range(frame.width)]
    return frame.hash_rows(seed=_SEED).to_numpy()


def _across(hashes: np.ndarray, near: np.ndarray | None, parts: Parts) -> tuple[float, list[Finding]]:
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
    also = np.zeros(len(held_out), bool) if near is None else _among(near, held_out, parts.train) & ~exact
    if also.mean() >= _MANY_ACROSS:
        what = (
            f"{_of(int(also.sum()), len(held_out))} to be judged are nearly equal to a training row, "
            "in three digits of each number, and in each text but for case and blanks"
        )
        evidence = {"n_rows": int(also.sum()), "share": round(float(also.mean()), 6)}
        advice = (
            "if they tell of one thing, such as one person's visits, split.kind: group keeps them together"
        )
        findings.append(Finding(_NEAR, "note", (), what, evidence, advice))
    return share, findings


def _among(hashes: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Tell of each of some rows whether its hash is one of the others'."""
    return pl.Series(hashes[rows]).is_in(pl.Series(hashes[others]).unique().implode()).to_numpy()


def _blurred(frame: pl.DataFrame) -> pl.DataFrame:
    columns = []
    for series in frame:
        if series.dtype.is_float():
            columns.append(series.round_sig_figs(_DIGITS))
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
