"""The pictures of a search over its params: which of them mattered, and where the best trials lie."""

from __future__ import annotations

import numpy as np

from engine.recipe.space import Choices
from engine.report import anova, svg
from engine.report.canvas import WIDTH, Figure, Undrawn
from engine.report.pictures_search import score_ends
from engine.report.record import Record
from engine.report.search import value_words
from engine.report.trials import Axis, Trials, axes, column
from engine.report.words import counted, metric, share

Array = np.ndarray

MOST_MODELS = 4
_MOST_AXES, _MOST_BARS, _MOST_LINES, _MOST_BEST = 12, 12, 400, 200
_FEW_LINES = 40
# "At least 5 trials above the quantile" (Optuna, PedAnovaImportanceEvaluator): a tenth, more of few trials.
_BEST_SHARE, _FEWEST_BEST, FEWEST = 0.1, 5, 20
# Trials of one score are among the best together: beyond this share they tell nothing of params.
_MOST_BEST_SHARE = 0.5
_NAMES, _START, _END, _STEP = 8.0, 138.0, 344.0, 40.0


def importances(record: Record, trials: Trials) -> tuple[Figure | Undrawn, ...]:
    """Draw by model how much each param decides whether a trial is among the best."""
    title = "Which params mattered"
    found: list[tuple[str, dict[str, float], int]] = []
    undrawn = []
    for model in trials.models[:MOST_MODELS]:
        shares = shares_of(record, trials, model)
        named = f"{title}: {model}" if len(trials.models) > 1 else title
        if isinstance(shares, str):
            undrawn.append(Undrawn(named, shares))
        else:
            found.append((model, *shares))
    if not found:
        return tuple(undrawn)
    parts, y = [], 8.0
    for model, each, _ in found:
        if len(trials.models) > 1:
            parts.append(svg.label(_NAMES, y + 14, model, bold=True, limit_px=WIDTH - 2 * _NAMES))
            y += 20
        bars = list(each.items())[:_MOST_BARS]
        scale = svg.Scale(0.0, max(value for _, value in bars), _START, 300.0)
        for param, value in bars:
            parts.append(svg.label(_START - 8, y + 12, param, anchor="end", limit_px=_START - 14))
            parts.append(svg.rectangle(_START, y + 2, max(scale.px(value) - _START, 1.0), 13, fill=svg.BLUE))
            parts.append(svg.label(scale.px(value) + 6, y + 12, share(value), fill=svg.QUIET))
            y += 20
        y += 8
    first = [f"“{next(iter(each))}”" + (f" of {model}" if len(found) > 1 else "") for model, each, _ in found]
    counts = [f"{n_best:,}" + (f" of {model}" if len(found) > 1 else "") for model, _, n_best in found]
    caption = (
        f"How far the best trials ({', '.join(counts)}) lie from all of them along each param (PED-ANOVA), "
        f"as shares; {' and '.join(first)} {'decide' if len(first) > 1 else 'decides'} most."
    )
    drawn = Figure(
        name="search_importances",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, y, parts, title=title, description=caption),
        header=("Model", "Param", "Share"),
        rows=tuple((model, param, share(value)) for model, each, _ in found for param, value in each.items()),
    )
    return drawn, *undrawn


def shares_of(record: Record, trials: Trials, model: str) -> tuple[dict[str, float], int] | str:
    """Return each param's share of importance, largest first, and how many trials count as the best.

    Returns
    -------
    tuple or str
        Why there are none: too few trials that meet every gate, or scores that do not differ.
    """
    own = trials.of(model) & trials.frame["is_feasible"].to_numpy() & ~trials.as_it_stands
    varied = axes(record, trials, model)
    codes = {axis.param: axis.codes(trials.frame[column(axis.param)]) for axis in varied}
    whole = np.logical_and.reduce([own, *(np.isfinite(each) for each in codes.values())])
    n_trials = int(whole.sum())
    if len(varied) == 1:
        return f"only one was varied, {varied[0].param}."
    if n_trials < FEWEST:
        return f"it needs {FEWEST} trials that meet every gate, and there are {n_trials}."
    losses = trials.losses[whole]
    best = anova.best_of(losses, share=max(_BEST_SHARE, _FEWEST_BEST / n_trials))
    if best.mean() > _MOST_BEST_SHARE:
        return "most trials have the best score, whatever their params."
    moved = [axis for axis in varied if axis.ends[0] < axis.ends[1]]
    found = {axis.param: anova.divergence(axis, codes[axis.param][whole], best) for axis in moved}
    total = sum(found.values())
    if total <= 0:
        return "the best trials lie where all the others do."
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return {param: value / total for param, value in ordered}, int(best.sum())


def parallel(record: Record, trials: Trials, model: str) -> Figure | Undrawn:
    """Draw each trial of a model as a line through one axis a param and one of the score."""
    several = len(trials.models) > 1
    title = f"Where the best trials lie: {model}" if several else "Where the best trials lie"
    own = trials.of(model) & ~trials.as_it_stands & np.isfinite(trials.losses)
    if not own.any():
        return Undrawn(title, "no trial with params of its own has a score.")
    varied = axes(record, trials, model)
    if not varied:
        return Undrawn(title, "no param was varied.")
    ranked = np.array([k for k in trials.ranked if own[k]], dtype=np.int64)
    n_best = max(1, -(-ranked.size // 10))
    drawn = varied[:_MOST_AXES]
    values = trials.frame["score"].to_numpy()
    height = _STEP * (len(drawn) + 1) + 4
    places = [_along(axis, axis.codes(trials.frame[column(axis.param)])) for axis in drawn]
    low, high, _ = score_ends(trials, values[ranked])
    worst, top = (low, high) if trials.greater_is_better else (high, low)
    scored = svg.Scale(low, high, _START, _END)(values)
    # The best stands on the right, also where less is better.
    places.append(scored if trials.greater_is_better else _START + _END - scored)
    points = np.stack(places)
    levels = _STEP * np.arange(len(places)) + 24.0
    rest = ranked[n_best:]
    some = rest[np.unique(np.linspace(0, rest.size - 1, min(rest.size, _MOST_LINES)).astype(np.int64))]
    parts = [_axis(axis.param, axis.said, y) for axis, y in zip(drawn, levels, strict=False)]
    parts.append(_axis(trials.metric, f"{metric(worst)} to {metric(top)}", levels[-1]))
    parts += [_ticks(axis, y) for axis, y in zip(drawn, levels, strict=False)]
    parts.append(_lines(points[:, some], levels, stroke=svg.RULE, opacity=0.3, width=1.0))
    parts.append(
        _lines(
            points[:, ranked[:n_best][:_MOST_BEST]],
            levels,
            stroke=svg.BLUE,
            opacity=0.75 if n_best <= _FEW_LINES else 0.3,
            width=1.4,
        )
    )
    won = ranked[trials.frame["trial"].to_numpy()[ranked] == trials.winner]
    parts.append(_lines(points[:, won], levels, stroke=svg.VERMILLION, opacity=1.0, width=2.4))
    caption = _caption(
        trials, own, n_best=n_best, has_won=bool(won.size), n_drawn=len(drawn), n_axes=len(varied)
    )
    index = trials.models.index(model)
    return Figure(
        name=f"search_params_{index + 1}" if several else "search_params",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, height, parts, title=title, description=caption),
        header=("Param", "Searched", "All trials", "The best tenth"),
        rows=tuple(
            (axis.param, axis.said, _range(trials, axis, ranked), _range(trials, axis, ranked[:n_best]))
            for axis in varied
        ),
    )


def _along(axis: Axis, codes: Array) -> Array:
    """Return pixels along an axis for codes of shape (n,), in the middle where it has one value only."""
    low, high = axis.ends
    if low == high:
        return np.where(np.isfinite(codes), (_START + _END) / 2, np.nan)
    return svg.Scale(low, high, _START, _END)(codes)


def _axis(name: str, said: str, y: float) -> str:
    return (
        svg.label(_NAMES, y - 2, name, limit_px=_START - _NAMES - 8)
        + svg.label(_NAMES, y + 12, said, fill=svg.QUIET, size_px=10.5, limit_px=_START - _NAMES - 8)
        + svg.segment(_START, y, _END, y, stroke=svg.RULE)
    )


def _ticks(axis: Axis, y: float) -> str:
    n_values = len(axis.space.values) if isinstance(axis.space, Choices) else 2
    if n_values > _MOST_LINES:
        return ""
    places = _along(axis, np.linspace(*axis.ends, n_values))
    return "".join(svg.segment(x, y - 4, x, y + 4, stroke=svg.RULE) for x in places)


def _lines(points: Array, levels: Array, *, stroke: str, opacity: float, width: float) -> str:
    """Return lines downwards through points of shape (n_axes, n); one that is not there parts its line."""
    path = []
    for each in points.T:
        was = False
        for x, y in zip(each, levels, strict=True):
            is_there = bool(np.isfinite(x))
            if is_there:
                path.append(f"{'L' if was else 'M'}{svg.n(x)} {svg.n(y)}")
            was = is_there
    if not path:
        return ""
    return (
        f'<path d="{"".join(path)}" fill="none" stroke="{stroke}" stroke-width="{svg.n(width)}" '
        f'stroke-opacity="{opacity:.2g}" stroke-linejoin="round"/>'
    )


def _range(trials: Trials, axis: Axis, rows: Array) -> str:
    """Return what some trials had of a param: its least and largest, or its values with their counts."""
    values = trials.frame[column(axis.param)][rows]
    if isinstance(axis.space, Choices):
        kept = [value_words(value) for value in values.to_list()]
        known = dict.fromkeys(value_words(value) for value in axis.space.values)
        names = [name for name in (*known, *sorted(set(kept) - set(known))) if name in kept]
        said = [f"{name} ({kept.count(name)})" for name in names[:_MOST_BARS]]
        rest = len(names) - len(said)
        return ", ".join([*said, *([f"{rest} more"] if rest else [])])
    kept = [value for value in values.to_list() if value is not None]
    return f"{value_words(min(kept))} to {value_words(max(kept))}" if kept else "none"


def _caption(trials: Trials, own: Array, *, n_best: int, has_won: bool, n_drawn: int, n_axes: int) -> str:
    n_trials = int(own.sum())
    better = "high" if trials.greater_is_better else "low"
    said = (
        f"Each line is one of {counted(n_trials, 'trial')}; blue {'is' if n_best == 1 else 'are'} the best "
        f"{counted(n_best, 'trial') if n_best > 1 else 'one'}"
        + (", red is the winner" if has_won else "")
        + f". The last axis is the score, the better the further right ({better} is better)."
    )
    if n_drawn < n_axes:
        said += f" The first {n_drawn} of {n_axes} params are drawn."
    if n_best > _MOST_BEST:
        said += f" Of the best {_MOST_BEST} are drawn."
    if n_trials - n_best > _MOST_LINES:
        said += f" Of the other trials {_MOST_LINES} are drawn."
    return said
