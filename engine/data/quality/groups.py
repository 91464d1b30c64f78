"""Classes and groups of too few rows to be learnt, or to be judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from engine.data.quality.finding import RAREST, SENSITIVE, SENSITIVE_TYPES, Finding, Found, Severity
from engine.data.schema import Column, Schema
from engine.data.split import Parts
from engine.data.violation import counted, show

if TYPE_CHECKING:
    Array = np.ndarray
RARE_CLASS = 0.01
_FEW_TO_LEARN = 50
# Of fewer rows a rate says little: its 95 % interval is wider than 0.35 (Wilson 1927, at a rate of one half).
FEW_TO_JUDGE = 30
_MAX_GROUPS = 200
_FEW_ROWS = 10
_MAX_NAMED = 5


def check_classes(y: Array, parts: Parts, names: Sequence[str], target: Column) -> Found:
    """Find classes that are rare, or absent from a part."""
    counts = np.bincount(y, minlength=len(names))
    order = np.lexsort((np.arange(len(names)), counts))
    shares = {name: float(count / len(y)) for name, count in zip(names, counts, strict=True)}
    hidden = target.sensitive or target.pii
    findings = []
    for at in order:
        share = counts[at] / len(y)
        n_train = int((y[parts.train] == at).sum())
        if share >= RARE_CLASS and n_train >= _FEW_TO_LEARN:
            continue
        which = "a class" if hidden else f"the class '{names[at]}'"
        what = f"{which} of '{target.name}' has {counted(int(counts[at]), 'row')}, {share:.2%} of all"
        evidence = {"n_rows": int(counts[at]), "n_train_rows": n_train}
        advice = (
            "collect more of it, or judge by average_precision and balanced_accuracy rather than accuracy"
        )
        severity: Severity = "warning" if share < RARE_CLASS or n_train < _FEW_ROWS else "note"
        findings.append(Finding(RAREST, severity, (target.name,), what, evidence, advice))
    findings += _absent(y, parts, names, target, hidden=hidden)
    figures = {} if hidden else {"classes": shares}
    return Found(findings, {RAREST: float(counts.min() / len(y))}, figures)


def _absent(
    y: Array, parts: Parts, names: Sequence[str], target: Column, *, hidden: bool
) -> Iterator[Finding]:
    for part, rows in (("train", parts.train), ("validation", parts.validation), ("test", parts.test)):
        absent = [name for at, name in enumerate(names) if len(rows) and not (y[rows] == at).any()]
        if not absent:
            continue
        which = counted(len(absent), "class") if hidden else f"the class {', '.join(map(repr, absent))}"
        what = f"no {part} row has {which}"
        evidence = {"n_classes": len(absent)}
        advice = "split.kind: stratified gives each part the same mix, where there are rows enough"
        yield Finding("absent_class", "warning", (target.name,), what, evidence, advice)


def check_groups(frame: pl.DataFrame, schema: Schema, parts: Parts) -> Found:
    """Find groups of people too small to be judged fairly, and levels too rare to be learnt."""
    findings: list[Finding] = []
    smallest = float("nan")
    for column in schema.columns:
        if column.name not in frame.columns or column.type not in SENSITIVE_TYPES:
            continue
        if column.sensitive and column.role != "target":
            found, fewest = _coverage(frame[column.name], column, parts)
            findings += found
            smallest = min(fewest, smallest) if smallest == smallest else fewest  # noqa: PLR0124 (NaN)
    findings += _rare_values(frame, [c for c in schema.features if c.type == "category"], parts)
    findings += _crossed(frame, schema, parts)
    return Found(findings, {SENSITIVE: smallest})


def _coverage(values: pl.Series, column: Column, parts: Parts) -> tuple[list[Finding], float]:
    """Return what is said of a sensitive column's groups, and the test rows of the smallest."""
    groups = values.drop_nulls().unique().sort()
    if not 1 < len(groups) <= _MAX_GROUPS:
        return [], float("nan")
    test = _sizes(values[parts.test], groups)
    train = _sizes(values[parts.train], groups)
    at = int(test.argmin())
    fewest = int(test[at])
    n_small = int((test < FEW_TO_JUDGE).sum())
    if not n_small:
        return [], fewest
    what = (
        f"{n_small} of {len(groups)} groups of '{column.name}' have fewer than {FEW_TO_JUDGE} test rows, "
        f"the smallest {fewest}: what is said of them is chance"
    )
    evidence: dict[str, float | int | str] = {
        "n_groups": n_small, "smallest_test": fewest, "its_train_rows": int(train[at])
    }  # fmt: skip
    if not column.pii:
        evidence["group"] = show(groups[at])
    advice = "collect more rows of these groups, or join them before they are compared"
    return [Finding(SENSITIVE, "warning", (column.name,), what, evidence, advice)], fewest


def _sizes(values: pl.Series, groups: pl.Series) -> Array:
    counted_ = dict(values.drop_nulls().alias("value").value_counts(name="n").iter_rows())
    return np.array([counted_.get(group, 0) for group in groups.to_list()])


def _rare_values(frame: pl.DataFrame, columns: Sequence[Column], parts: Parts) -> Iterator[Finding]:
    """Find values of few training rows, and rows elsewhere with a value that training has not."""
    held_out = np.concatenate([parts.validation, parts.test])
    n_values: dict[str, int] = {}
    n_rows = n_unseen = 0
    for column in columns:
        train = frame[column.name][parts.train].drop_nulls()
        others = frame[column.name][held_out].drop_nulls()
        counts = train.alias("value").value_counts(name="n")
        rare = counts.filter(pl.col("n") < _FEW_ROWS)
        unseen = others.len() - int(others.is_in(train.unique().implode()).sum())
        if rare.height or unseen:
            n_values[column.name] = rare.height
            n_rows += int(rare["n"].sum())
            n_unseen += unseen
    if n_values:
        named = ", ".join(f"'{name}' ({n})" for name, n in list(n_values.items())[:_MAX_NAMED])
        rest = f" and {len(n_values) - _MAX_NAMED} more columns" if len(n_values) > _MAX_NAMED else ""
        what = f"values of fewer than {_FEW_ROWS} training rows: of {named}{rest}"
        evidence = {"n_values": sum(n_values.values()), "n_train_rows": n_rows, "n_rows_of_unseen": n_unseen}
        advice = "join rare values into one before, where they mean the same"
        yield Finding("rare_values", "note", tuple(n_values), what, evidence, advice)


def _crossed(frame: pl.DataFrame, schema: Schema, parts: Parts) -> Iterator[Finding]:
    """Find combinations of sensitive columns, such as old women, with few test rows."""
    by = [
        column.name
        for column in schema.columns
        if column.sensitive
        and column.type in SENSITIVE_TYPES
        and column.role != "target"
        and column.name in frame.columns
    ]
    if len(by) < 2:  # noqa: PLR2004 (one column makes no combinations)
        return
    # Numbered names, for polars reads some as patterns.
    crossed = pl.DataFrame([frame[name].alias(str(at)) for at, name in enumerate(by)])[parts.test]
    cells = crossed.drop_nulls().group_by(crossed.columns).len()
    small = cells.filter(pl.col("len") < FEW_TO_JUDGE)
    if small.height:
        what = (
            f"{small.height} of {cells.height} combinations of {', '.join(map(repr, by))} "
            f"have fewer than {FEW_TO_JUDGE} test rows"
        )
        evidence = {"n_groups": small.height, "n_rows": int(small["len"].sum())}
        advice = "no audit by these columns together can judge them"
        yield Finding("small_subgroups", "note", tuple(by), what, evidence, advice)
