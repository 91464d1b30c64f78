"""The pictures of a decision between two classes."""

from __future__ import annotations

import numpy as np

from engine.evaluation.reliability import reliability
from engine.report import curves, outcomes, svg
from engine.report.canvas import (
    FIFTHS,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    UNIT,
    WIDTH,
    Figure,
    Undrawn,
    plane,
    threshold_line,
)
from engine.report.outcomes import Classified
from engine.report.record import Record, elements, members, number
from engine.report.words import metric, quantity, share


def roc(record: Record, rows: Classified) -> Figure | Undrawn:
    """Draw the receiver operating characteristic, with a dot at the threshold in use."""
    title, ranking = "ROC curve", rows.ranking
    if not ranking.n_positive or not ranking.n_negative:
        return Undrawn(title, "needs test rows of both classes.")
    false_rate, true_rate = curves.roc(ranking)
    axes = plane(UNIT, UNIT)
    caught, alarmed = _rates_decided(rows)
    area = outcomes.recorded(record, "roc_auc")
    by = "By each group's threshold" if members(record.facts, "thresholds") else "At the threshold in use"
    caption = (
        f"{by} (dot) {share(caught)} of “{rows.classes[-1]}” rows are found, and "
        f"{share(alarmed)} of the other rows are taken for them"
        + (f"; the area under the curve is {metric(area)}." if area is not None else ".")
    )
    xs, ys = curves.thinned(false_rate, true_rate)
    parts = [
        svg.frame(axes, x_title="False positive rate", y_title="True positive rate", x_ticks=FIFTHS),
        svg.segment(LEFT, axes.y.start, RIGHT, TOP, stroke=svg.RULE, dash="4 4"),
        svg.line(axes, xs, ys, stroke=svg.BLUE),
        svg.dot(axes.x.px(alarmed), axes.y.px(caught), fill=svg.VERMILLION, radius=5),
        svg.label(RIGHT - 6, axes.y.start - 10, "dashed: chance", anchor="end", fill=svg.QUIET),
    ]
    wanted = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5])
    found = np.interp(wanted, false_rate, true_rate)
    return Figure(
        name="roc",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, HEIGHT, parts, title=title, description=caption),
        header=("False positive rate", "True positive rate"),
        rows=tuple((quantity(x), metric(y)) for x, y in zip(wanted, found, strict=True)),
    )


def precision_recall(record: Record, rows: Classified) -> Figure | Undrawn:
    """Draw precision over recall, with a dot at the threshold in use."""
    title, ranking = "Precision and recall", rows.ranking
    if not ranking.n_positive:
        return Undrawn("Precision-recall curve", "needs test rows of the positive class.")
    recall, precision = curves.precision_recall(ranking)
    axes = plane(UNIT, UNIT)
    base = ranking.n_positive / (ranking.n_positive + ranking.n_negative)
    n_decided = int((rows.decided == len(rows.classes) - 1).sum())
    caught, _ = _rates_decided(rows)
    right = int((rows.positive & (rows.decided == len(rows.classes) - 1)).sum())
    average = outcomes.recorded(record, "average_precision")
    caption = (
        f"Of {n_decided:,} {'row' if n_decided == 1 else 'rows'} decided as “{rows.classes[-1]}” "
        f"{right:,} {'is' if right == 1 else 'are'}; "
        f"among all test rows the share is {share(base)} (dashed)"
        + (f", and average precision is {metric(average)}." if average is not None else ".")
    )
    xs, ys = curves.thinned(np.concatenate([[0.0], recall]), np.concatenate([precision[:1], precision]))
    parts = [
        svg.frame(axes, x_title="Recall", y_title="Precision", x_ticks=FIFTHS),
        svg.segment(LEFT, axes.y.px(base), RIGHT, axes.y.px(base), stroke=svg.RULE, dash="4 4"),
        svg.line(axes, xs, ys, stroke=svg.BLUE),
    ]
    if n_decided:
        parts.append(svg.dot(axes.x.px(caught), axes.y.px(right / n_decided), fill=svg.VERMILLION, radius=5))
    wanted = np.array([0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99])
    first = np.minimum(np.searchsorted(recall, wanted), recall.size - 1)
    return Figure(
        name="precision_recall",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, HEIGHT, parts, title=title, description=caption),
        header=("Recall", "Precision", "Threshold"),
        rows=tuple(
            (metric(recall[k]), metric(precision[k]), metric(float(ranking.thresholds[k]))) for k in first
        ),
    )


def calibration(record: Record, rows: Classified) -> Figure | Undrawn:
    """Draw how often what was said came true, with the number of rows in each bin."""
    title = "Calibration"
    said = reliability(rows.positive, rows.scores)
    error = float(np.average(np.abs(said.said - said.seen), weights=said.counts))
    brier = outcomes.recorded(record, "brier_score")
    caption = (
        f"Said and seen shares differ by {share(error)} on average over the rows"
        + (f" (Brier score {metric(brier)})" if brier is not None else "")
        + "; bars below count the rows in each tenth, whiskers are 95% intervals."
    )
    axes = plane(UNIT, UNIT, bottom=204.0)
    parts = [
        svg.frame(axes, x_title="", y_title="Share seen", x_ticks=()),
        svg.segment(LEFT, axes.y.start, RIGHT, TOP, stroke=svg.RULE, dash="4 4"),
    ]
    before = elements(record.metrics, "calibration", "before", "reliability")
    if before:
        caption += " Dashed: what was said before it was corrected."
        was = [np.array([number(bin_, key) for bin_ in before], np.float64) for key in ("said", "seen")]
        parts.append(svg.line(axes, *was, stroke=svg.ORANGE, width=1.5, dash="7 3"))
    for x, low, high in zip(axes.x(said.said), axes.y(said.low), axes.y(said.high), strict=True):
        parts.append(svg.segment(x, low, x, high, stroke=svg.BLUE, width=1.5))
    parts.append(svg.line(axes, said.said, said.seen, stroke=svg.BLUE, width=1.5))
    for x, y, count in zip(said.said, said.seen, said.counts, strict=True):
        hint = f"said {share(x)}, seen {share(y)}, {count:,} rows"
        parts.append(svg.dot(axes.x.px(x), axes.y.px(y), fill=svg.BLUE, hint=hint))
    most = float(said.counts.max())
    below = plane(UNIT, (0.0, most), top=216.0, bottom=264.0)
    every, _ = np.histogram(rows.scores, bins=10, range=UNIT)
    parts.append(
        svg.frame(below, x_title="Probability said", y_title="Rows", x_ticks=FIFTHS, y_ticks=(0.0, most))
    )
    parts.append(svg.bars(below, np.linspace(0, 1, 11), every, fill=svg.SKY, opacity=0.8))
    bins = zip(said.said, said.seen, said.low, said.high, said.counts, strict=True)
    return Figure(
        name="calibration",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, HEIGHT, parts, title=title, description=caption),
        header=("Mean probability said", "Share seen", "95% interval", "Rows"),
        rows=tuple((metric(a), metric(b), f"{metric(c)} to {metric(d)}", f"{k:,}") for a, b, c, d, k in bins),
    )


def score_distribution(_record: Record, rows: Classified) -> Figure | Undrawn:
    """Draw the probabilities given to the rows of each class."""
    title = "Scores by class"
    edges = np.linspace(0.0, 1.0, 26)
    counts = [np.histogram(rows.scores[rows.actual == k], bins=edges)[0] for k in (0, 1)]
    shares = [curves.divided(part, np.array(part.sum())) for part in counts]
    top = max(float(np.nanmax(part, initial=0.0)) for part in shares)
    axes = plane(UNIT, (0.0, top * 1.04), top=TOP + 16)
    caption = (
        f"Probability of “{rows.classes[1]}” given to the {int(counts[0].sum()):,} rows that are "
        f"“{rows.classes[0]}” and the {int(counts[1].sum()):,} that are “{rows.classes[1]}”"
        + (f"; the line is the threshold {metric(rows.threshold)}." if rows.threshold is not None else ".")
    )
    parts = [
        svg.frame(
            axes, x_title=f"Probability of {rows.classes[1]}", y_title="Share of the class", x_ticks=FIFTHS
        )
    ]
    entries = []
    for index, colour in ((0, svg.ORANGE), (1, svg.BLUE)):
        if counts[index].sum():
            parts.append(svg.bars(axes, edges, shares[index], fill=colour, opacity=0.6))
        entries.append((colour, "", rows.classes[index]))
    if rows.threshold is not None:
        parts.append(threshold_line(axes, rows.threshold))
    parts.append(svg.key(LEFT, TOP + 4, entries, width=RIGHT - LEFT, step=146))
    body = zip(edges[:-1], edges[1:], counts[0], counts[1], strict=True)
    return Figure(
        name="scores",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, HEIGHT, parts, title=title, description=caption),
        header=("Probability", *(f"Rows of {name}" for name in rows.classes)),
        rows=tuple((f"{low:.2f} to {high:.2f}", f"{a:,}", f"{b:,}") for low, high, a, b in body if a or b),
    )


def _rates_decided(rows: Classified) -> tuple[float, float]:
    """Return the share of positive rows and of negative rows that were decided as positive."""
    taken = rows.decided == len(rows.classes) - 1
    caught = taken[rows.positive].mean() if rows.positive.any() else 0.0
    alarmed = taken[~rows.positive].mean() if (~rows.positive).any() else 0.0
    return float(caught), float(alarmed)
