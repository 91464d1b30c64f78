"""The section that says how the model's params were found: what was tried, what won, what went wrong."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from engine.report.figures import Gallery
from engine.report.markup import (
    Html,
    code,
    known,
    pairs,
    paragraph,
    section,
    table,
    tag,
    words,
)
from engine.report.record import Record, elements, members, number
from engine.report.scores import gate_title
from engine.report.search import Found, own_model, value_words
from engine.report.search import read as read_search
from engine.report.section_results import picture
from engine.report.trials import Trials, axes, column
from engine.report.trials import read as read_trials
from engine.report.words import counted, duration, metric, quantity

_MOST_TRIALS, _MOST_REASONS, _MOST_MODELS = 10, 8, 8
_FLATTERED = (
    "The winner was chosen by these scores, so they flatter it: the metrics on the test rows, which no trial "
    "has seen, are the ones to go by."
)
_STRATEGIES = {
    "grid": "every combination of listed values",
    "random": "drawn at random",
    "bayes": "drawn where trials before were good (TPE)",
    "asha": "drawn at random, and stopped early where it is behind",
    "pbt": "changed while it learns, towards the best of the others",
}


def search(record: Record, gallery: Gallery | None) -> Html | None:
    """Return the section of a run that searched; None for one that did not."""
    found = read_search(record)
    if found is None:
        return None
    tried = read_trials(record)
    body = [_facts(record, found, tried), paragraph(_FLATTERED)]
    if found.chose == "nested":
        body.append(paragraph(found.caution))
    if found.behind:
        body.insert(
            0,
            tag("ul", tag("li", words(found.behind[:1].upper() + found.behind[1:] + ".")), class_="warnings"),
        )
    if isinstance(tried, str):
        body.append(paragraph(f"The trials can't be shown: {tried}"))
        return section("search", "Search", *body)
    body += [part for model in tried.models[:_MOST_MODELS] for part in _space(record, found, tried, model)]
    body += _stages(record, found)
    if gallery is not None and gallery.search:
        body.append(tag("div", *(picture(figure) for figure in gallery.search), class_="gallery"))
    if gallery is not None and gallery.search_undrawn:
        said = (tag("li", words(f"{x.title}: {x.reason}")) for x in gallery.search_undrawn)
        body.append(tag("ul", *said, class_="note"))
    return section("search", "Search", *body, *_best(record, found, tried), *_wrong(record, tried))


def _facts(record: Record, found: Found, tried: Trials | str) -> Html:
    how = _STRATEGIES.get(found.strategy)
    repeated = f"{metric(found.mean)} over {counted(found.n_seeds, 'seed')}, by which it was chosen"
    entries = [
        ("Strategy", Html(code(found.strategy) + words(f": {how}" if how else ""))),
        ("Tried", words(found.scope)),
        ("Scored by", words(f"{found.metric} {found.rows}")),
        ("Won", words(found.verdict)),
        ("Mean of the winner", words(repeated if found.n_seeds > 1 else "fitted with one seed")),
        *_sureness(record, found),
        ("Failed", words(f"{found.n_failed:,} of {counted(found.n_trials, 'trial')}")),
    ]
    if found.n_stopped:
        entries.append(("Stopped early", words(f"{found.n_stopped:,} of {counted(found.n_trials, 'trial')}")))
    if found.n_infeasible or (isinstance(tried, Trials) and tried.gates):
        entries.append(
            ("Missed a gate", words(f"{found.n_infeasible:,} of {counted(found.n_trials, 'trial')}"))
        )
    stopped = {"user": "by the user: the best so far has won", "time": "by tune.max_seconds"}
    if found.stopped:
        entries.append(("Search stopped", words(stopped.get(found.stopped, found.stopped))))
    return pairs(entries)


def _sureness(record: Record, found: Found) -> Iterator[tuple[str, Html]]:
    """Yield the gain over the params as they stand with the bounds that resampled rows give it."""
    low, high = (number(record.facts, "search", "gain", side) for side in ("low", "high"))
    n_rows = number(record.facts, "search", "gain", "rows")
    if found.gain is None or low is None or high is None:
        return
    where = f"where the {counted(n_rows, 'validation row')} are resampled"
    doubt = ": within their noise" if low <= 0 else ""
    said = f"{quantity(found.gain)}, {quantity(low)} to {quantity(high)} {where}{doubt}"
    yield "Gain over what stands", words(said)


def _space(record: Record, found: Found, tried: Trials, model: str) -> Iterator[Html]:
    """Yield what was varied of one model, with what stands in the recipe and what has won."""
    n_trials = int(tried.of(model).sum())
    if len(tried.models) > 1:
        yield tag("h3", words(f"{model}: {counted(n_trials, 'trial')}"))
    stands = members(own_model(record, model), "params")
    varied = axes(record, tried, model)
    if not varied:
        yield paragraph("Tried with its params as they stand only.")
        return
    is_winner = found.model == model
    header = ("Param", "Searched", "As it stands", *(("Winner",) if is_winner else ()))
    drawn = members(record.facts, "search", "winner", "params")
    rows = []
    for axis in varied:
        own = words(value_words(stands[axis.param])) if axis.param in stands else words("the library's own")
        cells = [code(axis.param), words(axis.said), own]
        if is_winner:
            cells.append(
                words(value_words(drawn[axis.param])) if axis.param in drawn else words("as it stands")
            )
        rows.append(cells)
    yield table(header, rows, numbers=range(0))


def _stages(record: Record, found: Found) -> Iterator[Html]:
    """Yield what the winner's params were in each stage of its training, where there were several."""
    stages = [members(stage) for stage in elements(record.facts, "search", "winner", "stages")]
    stands = members(own_model(record, found.model), "params")
    whole = [{**stands, **stage} for stage in stages]
    names = list(dict.fromkeys(name for stage in stages for name in stage))
    varied = [name for name in names if any(one.get(name) != whole[0].get(name) for one in whole)]
    if not varied:
        return
    yield tag("h3", words("The stages of the winner"))
    rows = [
        [words(f"{number}"), *(words(value_words(one.get(name))) for name in varied)]
        for number, one in enumerate(whole, 1)
    ]
    yield table(("Stage", *varied), rows)


def _best(record: Record, found: Found, tried: Trials) -> Iterator[Html]:
    """Yield the table of the best trials with their params."""
    top = tried.frame[tried.ranked[:_MOST_TRIALS]]
    if top.is_empty():
        yield paragraph("No trial has a score.")
        return
    several, is_missed = len(tried.models) > 1, not bool(top["is_feasible"].all())
    means = _means(tried)
    repeated = any(trial in means for trial in top["trial"])
    header = [
        "Trial", *(["Model"] if several else []), found.metric, *(["Mean over seeds"] if repeated else []),
        "Time", *(["Gates"] if is_missed else []), "Params",
    ]  # fmt: skip
    stand = dict(zip(tried.frame["trial"], tried.as_it_stands.tolist(), strict=True))
    rows = []
    for row in top.iter_rows(named=True):
        mark = " (won)" if row["trial"] == tried.winner else ""
        cells = [tag("span", words(f"{row['trial']}{mark}"), class_="interval")]
        if several:
            cells.append(words(row["model"]))
        cells.append(words(metric(row["score"])))
        if repeated:
            cells.append(words(means.get(row["trial"], "-")))
        cells.append(words(duration(row["seconds"]) if row["seconds"] else "tried before"))
        if is_missed:
            missed = [gate_title(record, name) for name, col in tried.gates.items() if row[col] is not None]
            cells.append(words(f"misses {', '.join(missed)}" if missed else "all met"))
        rows.append([*cells, words("as they stand") if stand[row["trial"]] else _params(record, tried, row)])
    n_rows = len(rows)
    yield tag("h3", words("The best trial" if n_rows == 1 else f"The best {n_rows} trials"))
    yield table(header, rows, numbers=range(1 + several, 3 + several + repeated))


def _params(record: Record, tried: Trials, row: dict[str, object]) -> Html:
    own = [axis.param for axis in axes(record, tried, str(row["model"]))]
    said = [f"{param}={value_words(row[column(param)])}" for param in own]
    return Html(", ".join(map(code, said))) if said else known("as they stand")


def _means(tried: Trials) -> dict[int, str]:
    """Return the mean score over its seeds of each trial that was repeated."""
    own = tried.frame.select("trial", "score")
    again = tried.repeats.select(pl.col("repeats").alias("trial"), "score")
    of = again["trial"].unique()
    found = pl.concat([own, again]).filter(pl.col("trial").is_in(of.implode()), pl.col("score").is_not_null())
    grouped = found.group_by("trial").agg(pl.col("score").mean(), n=pl.len())
    return {trial: f"{metric(score)} of {n}" for trial, score, n in grouped.iter_rows()}


def _wrong(record: Record, tried: Trials) -> Iterator[Html]:
    """Yield why trials failed and which gates they missed, each with how many trials."""
    failed = tried.frame.filter(pl.col("state") == "failed")
    if failed.height:
        counts = (
            failed["error"]
            .fill_null("")
            .value_counts(sort=False)
            .sort("count", "error", descending=[True, False])
        )
        rows = [
            [words(error or "no reason was recorded"), words(quantity(n))]
            for error, n in counts.head(_MOST_REASONS).iter_rows()
        ]
        rest = sum(counts["count"][_MOST_REASONS:].to_list())
        if rest:
            rows.append(
                [words(f"{counted(counts.height - _MOST_REASONS, 'other reason')}"), words(quantity(rest))]
            )
        yield tag("h3", words("Why trials failed"))
        yield table(("Reason", "Trials"), rows)
    if tried.gates:
        yield tag("h3", words("Gates that trials missed"))
        rows = [
            [words(gate_title(record, name)), words(quantity(tried.frame[col].count()))]
            for name, col in tried.gates.items()
        ]
        yield table(("Gate", "Trials"), rows)
