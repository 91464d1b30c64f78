"""The section that says what correcting the probabilities did."""

from __future__ import annotations

from engine.report import scores
from engine.report.markup import Html, paragraph, section, table, words
from engine.report.record import Record, members, number, text
from engine.report.words import counted, metric

_HEADER = ("Measure", "Before", "After", "Difference")
# Fewer rows than this bend an isotonic curve by their chance: Niculescu-Mizil and Caruana (2005).
_ENOUGH_ROWS = 1000


def calibration(record: Record) -> Html | None:
    """Return how true the probabilities were before and after, where a recipe has them corrected."""
    if not members(record.metrics, "calibration"):
        return None
    rows = ([words(cell) for cell in row] for row in compared(record))
    return section("calibration", "Calibration", paragraph(said(record)), table(_HEADER, rows))


def compared(record: Record) -> list[tuple[str, str, str, str]]:
    """Return each measure of the probabilities with its interval, before and after, and their difference."""
    known = scores.declared(record)
    return [
        (
            known[name].title if name in known else name,
            _with_interval(record, "before", name),
            _with_interval(record, "after", name),
            f"{_with_interval(record, 'difference', name)}: {_verdict(record, name)}",
        )
        for name in members(record.metrics, "calibration", "difference")
    ]


def said(record: Record) -> str:
    """Say what was done, on which rows, and what else these rows decided."""
    how = text(record.metrics, "calibration", "kind")
    n_rows = number(record.metrics, "calibration", "n_validation_rows")
    decides = number(record.facts, "threshold") is not None
    chose = "chose the threshold after it, and stopped" if decides else "stopped"
    told = (
        f"Probabilities were corrected on {counted(n_rows, 'validation row')} ({how}). The same rows {chose} "
        "the fit where it stops early: scores on them are too good, and only test rows judge. Lower is "
        "better; the difference is of the same test rows."
    )
    if how == "isotonic" and n_rows is not None and n_rows < _ENOUGH_ROWS:
        told += f" Fewer than {_ENOUGH_ROWS:,} rows bend an isotonic curve by chance: sigmoid asks for less."
    return told


def _verdict(record: Record, name: str) -> str:
    return text(record.metrics, "calibration", "difference", name, "verdict") or "unproven"


def _with_interval(record: Record, side: str, name: str) -> str:
    path = ("calibration", side, name)
    value, low, high = (number(record.metrics, *path, key) for key in ("value", "low", "high"))
    return metric(value) + ("" if low is None or high is None else f" ({metric(low)} to {metric(high)})")
