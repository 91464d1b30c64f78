"""The pictures of a search over its trials: how it got better, and what quality costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.report import svg
from engine.report.canvas import LEFT, RIGHT, TOP, WIDTH, Figure, Undrawn, plane
from engine.report.marks import circles, crosses, rings, strokes, with_key
from engine.report.record import Record, number
from engine.report.trials import Trials
from engine.report.words import counted, duration, metric, quantity

Array = np.ndarray

_MOST_MARKS, _MOST_ROWS, _MOST_COLOURS = 2000, 100, 5
_LATENCY = "latency_p95_ms"
# Scores further below the lower quartile than so often the best lies above it are drawn on the edge.
_REACH = 2.0
# From this ratio of the largest to the smallest on, costs stand on a log axis.
_LOG_FROM, _FEWEST_TICKS = 20.0, 3
# Room below the scores, as a share of theirs, for trials that have none.
_STRIP = 0.08


def history(trials: Trials) -> Figure | Undrawn:
    """Draw the score of each trial in turn, and the best so far."""
    title, frame = "How the search went", trials.frame
    values = frame["score"].to_numpy()
    has_score, feasible = np.isfinite(values), frame["is_feasible"].to_numpy()
    if not has_score.any():
        return Undrawn(title, "no trial has a score.")
    best = _best_so_far(trials)
    axes, beyond = _plane(trials, values[has_score], has_strip=not has_score.all())
    places = np.arange(frame.height, dtype=np.float64)
    improved = np.flatnonzero(np.diff(best, prepend=np.nan) != 0)
    improved = improved[np.isfinite(best[improved])]
    shown = _thinned(frame.height, always=improved)
    early = ~has_score & (frame["state"] == "stopped").to_numpy() & shown
    lost = ~has_score & ~early & shown
    entries: list[tuple[str, str]] = []
    parts = [_frame(axes, trials, frame.height)]
    for index, model in enumerate(trials.models[:_MOST_COLOURS]):
        rest = index == _MOST_COLOURS - 1 < len(trials.models) - 1
        own = np.isin(frame["model"].to_numpy(), trials.models[index:]) if rest else trials.of(model)
        met, missed = own & has_score & feasible & shown, own & has_score & ~feasible & shown
        colour = svg.PALETTE[(0, 2, 3, 5, 4)[index]]
        parts.append(circles(axes.x(places[met]), axes.y(values[met]), fill=colour))
        parts.append(rings(axes.x(places[missed]), axes.y(values[missed]), stroke=colour))
        named = "other models" if rest else model if len(trials.models) > 1 else "a trial"
        entries.append((circles(np.array([7.0]), np.array([-4.0]), fill=colour), named))
    if (has_score & ~feasible).any():
        mark = rings(np.array([7.0]), np.array([-4.0]), stroke=svg.PALETTE[0])
        entries.append((mark, "misses a gate"))
    if lost.any():
        parts.append(crosses(axes.x(places[lost]), np.full(int(lost.sum()), axes.y.start - 5)))
        entries.append((crosses(np.array([7.0]), np.array([-4.0])), "failed, or no score"))
    if early.any():
        parts.append(strokes(axes.x(places[early]), axes.y.start))
        entries.append((strokes(np.array([7.0]), 0.0), "stopped early"))
    if improved.size:
        ends = np.append(places, frame.height - 0.5)
        line = svg.line(axes, ends, np.append(best, best[-1]), stroke=svg.VERMILLION, width=2, step=True)
        parts.append(line)
        entries.append((svg.segment(0, -4, 14, -4, stroke=svg.VERMILLION, width=2), "best so far"))
    won = np.flatnonzero((frame["trial"] == trials.winner).to_numpy() & has_score)
    if won.size:
        parts.append(rings(axes.x(places[won]), axes.y(values[won]), stroke=svg.INK, radius=5))
        entries.append((rings(np.array([7.0]), np.array([-4.0]), stroke=svg.INK, radius=5), "the winner"))
    first = number_of_first(trials)
    if first is not None:
        y = axes.y.px(first)
        parts.append(svg.segment(LEFT, y, RIGHT, y, stroke=svg.INK, dash="2 4"))
        entries.append((svg.segment(0, -4, 14, -4, stroke=svg.INK, dash="2 4"), "as they stand"))
    caption = _history_caption(trials, improved, n_beyond=beyond, n_shown=int(shown.sum()))
    return Figure(
        name="search_history",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, *with_key(parts, entries), title=title, description=caption),
        header=("Trial", "Model", trials.metric, "Trials before"),
        rows=tuple(
            (str(frame["trial"][int(k)]), str(frame["model"][int(k)]), metric(float(values[k])), str(int(k)))
            for k in improved[-_MOST_ROWS:]
        )
        or (("none meets every gate", "", "", ""),),
    )


def front(record: Record, trials: Trials) -> Figure | Undrawn:
    """Draw scores over what they cost, latency where it was measured, else the seconds of fitting."""
    title, frame = "Quality against cost", trials.frame
    latency = trials.measured(_LATENCY)
    # A trial that was tried before took no time: its outcome was known.
    seconds = np.where(frame["seconds"].to_numpy() > 0, frame["seconds"].to_numpy(), np.nan)
    costs = seconds if latency is None else latency
    values = frame["score"].to_numpy()
    known = np.isfinite(values) & np.isfinite(costs)
    if not known.any():
        return Undrawn(title, "no trial has both a score and a measured cost.")
    gates = [frame[col].is_null().to_numpy() for name, col in trials.gates.items() if name != _LATENCY]
    may = known & np.logical_and.reduce([np.ones_like(known), *gates])
    rows = pareto(costs, trials.losses, may)
    shown = known & _thinned(frame.height, always=rows)
    bound = None if latency is None else number(record.recipe, "goal", "gates", _LATENCY, "max")
    unit = "Latency p95, ms" if latency is not None else "Seconds of fitting and scoring"
    axes, is_log = _cost_plane(trials, values[known], costs[known], bound)
    x = np.log10(costs) if is_log else costs
    met, missed = shown & frame["is_feasible"].to_numpy(), shown & ~frame["is_feasible"].to_numpy()
    parts = [
        svg.frame(
            axes,
            x_title=unit,
            y_title=trials.metric,
            x_ticks=_powers(axes.x) if is_log else None,
            x_label=_power if is_log else None,
        ),
        circles(axes.x(x[met]), axes.y(values[met]), fill=svg.RULE),
        rings(axes.x(x[missed]), axes.y(values[missed]), stroke=svg.RULE),
        svg.line(axes, x[rows], values[rows], stroke=svg.BLUE, width=2, step=True),
        circles(axes.x(x[rows]), axes.y(values[rows]), fill=svg.BLUE, radius=3.5),
    ]
    entries = [
        (circles(np.array([7.0]), np.array([-4.0]), fill=svg.RULE), "a trial"),
        (svg.segment(0, -4, 14, -4, stroke=svg.BLUE, width=2), "best at its cost"),
    ]
    if missed.any():
        entries.append((rings(np.array([7.0]), np.array([-4.0]), stroke=svg.RULE), "misses a gate"))
    if bound is not None:
        at = axes.x.px(np.log10(bound) if is_log else bound)
        parts.append(svg.segment(at, axes.y.start, at, TOP, stroke=svg.VERMILLION, width=1.5, dash="5 3"))
        entries.append((svg.segment(0, -4, 14, -4, stroke=svg.VERMILLION, dash="5 3"), "the gate's bound"))
    won = np.flatnonzero((frame["trial"] == trials.winner).to_numpy() & known)
    if won.size:
        parts.append(rings(axes.x(x[won]), axes.y(values[won]), stroke=svg.VERMILLION, radius=6.0))
        entries.append(
            (rings(np.array([7.0]), np.array([-4.0]), stroke=svg.VERMILLION, radius=5), "the winner")
        )
    caption = _front_caption(rows, is_latency=latency is not None, n_known=int(known.sum()))
    say = duration if latency is None else quantity
    return Figure(
        name="search_front",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, *with_key(parts, entries), title=title, description=caption),
        header=("Trial", "Model", unit, trials.metric),
        rows=tuple(
            (
                str(frame["trial"][int(k)]),
                str(frame["model"][int(k)]),
                say(float(costs[k])),
                metric(float(values[k])),
            )
            for k in rows[-_MOST_ROWS:]
        )
        or (("none", "", "", ""),),
    )


def score_ends(trials: Trials, values: Array, *, also: Sequence[float] = ()) -> tuple[float, float, int]:
    """Return the scores that a picture reaches from and to, and how many lie beyond; `also` lie within.

    A few trials that went wrong must not press all others into one line.
    """
    losses = -values if trials.greater_is_better else values
    best, usual = float(losses.min()), float(np.quantile(losses, 0.75))
    far = usual + _REACH * (usual - best)
    kept = losses <= far if usual > best else np.ones_like(losses, dtype=bool)
    low, high = svg.span(np.append(values[kept], also))
    return low, high, int((~kept).sum())


def pareto(costs: Array, losses: Array, may: Array) -> Array:
    """Return the rows of (n,) that no other row beats in both, from the cheapest up.

    Parameters
    ----------
    may
        Which rows count; their costs and losses are finite.
    """
    order = [k for k in np.lexsort((losses, costs)) if may[k]]
    found: list[int] = []
    for k in order:
        if not found or losses[k] < losses[found[-1]]:
            found.append(int(k))
    return np.array(found, dtype=np.int64)


def number_of_first(trials: Trials) -> float | None:
    """Return the score of the recipe's own params, where they were tried and gave one."""
    own = np.flatnonzero(trials.as_it_stands)
    value = trials.frame["score"][int(own[0])] if own.size else None
    return None if value is None else float(value)


def _best_so_far(trials: Trials) -> Array:
    """Return the best score of a feasible trial up to each one, shape (n_trials,), NaN before the first."""
    losses = np.where(trials.frame["is_feasible"].to_numpy(), trials.losses, np.nan)
    running = np.fmin.accumulate(losses)
    best: Array = -running if trials.greater_is_better else running
    return best


def _plane(trials: Trials, values: Array, *, has_strip: bool) -> tuple[svg.Axes, int]:
    """Return the plane of the history, with a strip below the scores for trials that have none."""
    first = number_of_first(trials)
    low, high, beyond = score_ends(trials, values, also=[] if first is None else [first])
    low -= _STRIP * (high - low) if has_strip else 0.0
    return plane((-0.5, trials.frame.height - 0.5), (low, high)), beyond


def _frame(axes: svg.Axes, trials: Trials, n_trials: int) -> str:
    whole = [tick for tick in svg.ticks(0, max(n_trials - 1, 1)) if tick == int(tick) and tick < n_trials]
    return svg.frame(axes, x_title="Trial", y_title=trials.metric, x_ticks=whole)


def _thinned(n_trials: int, *, always: Array) -> Array:
    """Return which trials are drawn: all, or so many spread evenly and those that must be seen."""
    shown = np.zeros(n_trials, dtype=bool)
    shown[np.unique(np.linspace(0, n_trials - 1, min(n_trials, _MOST_MARKS)).astype(np.int64))] = True
    shown[always] = True
    return shown


def _cost_plane(trials: Trials, values: Array, costs: Array, bound: float | None) -> tuple[svg.Axes, bool]:
    low, high, _ = score_ends(trials, values)
    ends = np.append(costs, bound) if bound is not None and bound > 0 else costs
    is_log = bool(ends.min() > 0 and ends.max() / ends.min() > _LOG_FROM)
    return plane(svg.span(np.log10(ends) if is_log else ends), (low, high)), is_log


def _powers(scale: svg.Scale) -> tuple[float, ...]:
    """Return ticks of a log axis: powers of ten, with 2 and 5 times those where there are few."""
    exponents = range(int(np.floor(scale.low)), int(np.ceil(scale.high)) + 1)
    for steps in ((1,), (1, 2, 5)):
        found = [power + float(np.log10(step)) for power in exponents for step in steps]
        found = [tick for tick in found if scale.low <= tick <= scale.high]
        if len(found) >= _FEWEST_TICKS:
            break
    return tuple(found)


def _power(exponent: float) -> str:
    return svg.tick_label(float(f"{10**exponent:.3g}"))


def _history_caption(trials: Trials, improved: Array, *, n_beyond: int, n_shown: int) -> str:
    n_trials = trials.frame.height
    if not improved.size:
        said = f"None of {counted(n_trials, 'trial')} meets every gate"
    else:
        last = trials.frame["trial"][int(improved[-1])]
        better = "trial" if len(improved) == 1 else "the last improvement came with trial"
        said = f"Of {counted(n_trials, 'trial')}, {better} {last}"
        said += " is the best" if len(improved) == 1 else ""
    if n_beyond:
        lie = "lies" if n_beyond == 1 else "lie"
        said += f"; {counted(n_beyond, 'score')} far worse than the others {lie} on the edge"
    if n_shown < n_trials:
        said += f"; {n_shown:,} trials are drawn, spread evenly"
    return said + "."


def _front_caption(rows: Array, *, is_latency: bool, n_known: int) -> str:
    where = (
        ""
        if is_latency
        else "Latency was not measured, as no gate bounds it: the cost is seconds of fitting and scoring. "
    )
    if not rows.size:
        return f"{where}No trial meets the other gates, so none is the best at its cost."
    which = "is" if rows.size == 1 else "are"
    said = f"{rows.size} {which} such that no other is both cheaper and better"
    return f"{where}Of {counted(n_known, 'trial')}, {said}."
