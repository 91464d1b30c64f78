"""The sections that say how good the model is: gates, money, pictures, metrics, fairness, what it goes by."""

from __future__ import annotations

from engine.evaluation.fairness import MIN_GROUP_ROWS
from engine.report import mitigation, pictures_importance, scores, search
from engine.report.canvas import Figure
from engine.report.figures import Gallery
from engine.report.markup import (
    Html,
    code,
    details,
    known,
    pairs,
    paragraph,
    plain_table,
    section,
    table,
    tag,
    words,
)
from engine.report.record import Json, Record, at, elements, members, number, plain, text
from engine.report.scores import BASELINES, PARTS, Scored
from engine.report.undefined import undefined
from engine.report.words import metric, quantity, share, title
from engine.tasks.value import PROFIT, RETURN

# Pictures that have sections of their own.
_MONEY, _WORTH, _ROBUST = ("profit",), ("worth_of_columns", "importances"), ("robustness",)
_EARNED = (PROFIT, RETURN)


def gates(record: Record) -> Html | None:
    """Return each bound with what was reached, where there is one."""
    rows = [_gate_row(record, gate) for gate in elements(record.gates, "gates")]
    if not rows:
        return None
    return section(
        "gates", "Gates", table(("Gate", "Bound", "Reached", "Verdict"), rows, numbers=range(2, 3))
    )


def _gate_row(record: Record, gate: Json) -> list[Html]:
    bound = members(gate, "bound")
    asked = [f"{words_} {quantity(limit)}" for key, words_ in (("min", "at least"), ("max", "at most"))
             if (limit := number(bound, key)) is not None]  # fmt: skip
    met = at(gate, "passed") is True
    verdict = tag("span", words("✓ met" if met else "✗ missed"), class_="pill met" if met else "pill missed")
    name = text(gate, "name")
    # Counts and shares of the data read as they are bounded: three rows, not 3.0000.
    said = metric if name and (" by " in name or name in scores.declared(record)) else quantity
    return [
        words(scores.gate_title(record, name)) if name else known(None),
        known(" and ".join(asked)),
        words(said(number(gate, "value"))),
        verdict,
    ]


def pictures(record: Record, gallery: Gallery) -> Html:
    """Return the pictures of how good the model is, each with its caption and the numbers behind it."""
    shown = (figure for figure in gallery.figures if figure.name not in (*_MONEY, *_WORTH, *_ROBUST))
    body = [tag("div", *map(picture, shown), class_="gallery")]
    weights = [text(c, "name") or "" for c in elements(record.data, "columns") if text(c, "role") == "weight"]
    if weights:
        body.append(
            paragraph(f"In the pictures each row counts once; the metrics weigh rows by {weights[0]}.")
        )
    if gallery.undrawn:
        body.append(
            tag("ul", *(tag("li", words(f"{x.title}: {x.reason}")) for x in gallery.undrawn), class_="note")
        )
    return section("pictures", "Quality in pictures", *body)


def money(record: Record, gallery: Gallery | None) -> Html | None:
    """Return what decisions earn, where the goal says what outcomes are worth."""
    priced = scores.worth(record)
    if priced is None:
        return None
    over = f" over {priced.horizon}" if priced.horizon else ""
    said = f"Counted in {priced.currency}{over}, as goal.value says; on rows that the model had not seen."
    drawn = _gallery(gallery, _MONEY)
    told = tag("div", *_earned(record), paragraph(said))
    return section("money", "Money", tag("div", *drawn, told, class_="beside") if drawn else told)


def _earned(record: Record) -> list[Html]:
    """Return what the model's decisions earn beside those of the baselines, a table a metric of money."""
    found = []
    for one in (scored for scored in scores.read(record) if scored.name in _EARNED):
        rows = [[words("the model"), words(metric(one.test.value)), words(one.test.interval or "-")]]
        for kind, score in one.baselines.items():
            rows.append(
                [words(f"{kind} baseline"), words(metric(score.value)), words(_verdict_on(one, kind) or "-")]
            )
        header = ("Decided by", one.title, f"{scores.confidence(record).capitalize()}, or verdict")
        found.append(table(header, rows, numbers=range(1, 2)))
    return found


def worth(record: Record, gallery: Gallery | None) -> Html | None:
    """Return what the model goes by: what is lost without each column, and what its own parts say."""
    shown = _gallery(gallery, _WORTH)
    lost = pictures_importance.lost_without(record)
    if shown or not lost:
        return section("worth", "What the model goes by", *shown) if shown else None
    measured, rows = pictures_importance.measured_on(record)
    header = ("Column", f"Loss in {measured}", scores.confidence(record).capitalize())
    body = (
        [code(name), words(metric(one.value)), words(one.interval or "none")] for name, one in lost.items()
    )
    said = f"What is lost when a column's values are shuffled among {rows}."
    return section("worth", "What the model goes by", paragraph(said), table(header, body))


def _gallery(gallery: Gallery | None, names: tuple[str, ...]) -> list[Html]:
    shown = [picture(figure) for figure in gallery.figures if figure.name in names] if gallery else []
    return [tag("div", *shown, class_="gallery")] if shown else []


def picture(figure: Figure) -> Html:
    """Return one picture with its caption and the numbers behind it."""
    numbers = plain_table(figure.header, figure.rows)
    return tag(
        "figure",
        tag("h3", words(figure.title)),
        Html(figure.svg),  # drawn by this room, its words escaped there
        tag("figcaption", words(figure.caption)),
        details("Numbers", numbers),
    )


def metrics(record: Record) -> Html:
    """Return every metric on every part, and the baselines on the test rows."""
    scored = scores.read(record)
    if not scored:
        return section("metrics", "Metrics", tag("p", known(None)))
    parts = [part for part in PARTS if any(part in one.parts for one in scored)]
    kinds = [kind for kind in BASELINES if any(kind in one.baselines for one in scored)]
    header_ = (
        "Metric",
        *(title(part) for part in parts),
        *(f"{title(kind)} baseline, test" for kind in kinds),
    )
    rows = ([_metric_name(one), *_metric_cells(one, parts, kinds)] for one in scored)
    note = (
        f"Below a value: its {scores.confidence(record)}, where one was recorded. "
        "↑ higher is better, ↓ lower is better."
    )
    if any(one.differences for one in scored):
        note += (
            " Below a baseline: what a paired bootstrap of the test rows proves of the model; the "
            "differences stand in metrics.json."
        )
    told = [
        paragraph(f"{title(kind)} baseline: {description}.")
        for kind in kinds
        if (description := text(record.metrics, "baselines", kind, "description"))
    ]
    drawn = number(record.facts, "train_rows_scored")
    if drawn is not None and drawn < (number(record.data, "split", "sizes", "train") or 0):
        told.append(paragraph(f"Train scores are of {quantity(drawn)} training rows drawn at random."))
    if "group" in (text(record.data, "split", "kind") or ""):
        told.append(paragraph(_ALIKE))
    searched = search.read(record)
    if searched is not None:
        told.append(paragraph(searched.caution))
    learnt = text(record.metrics, "learning_curve", "said")
    told += [paragraph(learnt)] if learnt else []
    told += [paragraph(why) for why in undefined(record)]
    return section("metrics", "Metrics", table(header_, rows), paragraph(note), *told)


_ALIKE = (
    "Intervals and verdicts draw test rows one by one; rows of one group may be alike, and then both are "
    "too sure."
)


def _metric_name(scored: Scored) -> Html:
    arrow = {True: " ↑", False: " ↓", None: ""}[scored.greater_is_better]
    return words(scored.title + arrow)


def _metric_cells(scored: Scored, parts: list[str], kinds: list[str]) -> list[Html]:
    cells = []
    for score, said in [
        *((scored.parts.get(part), "") for part in parts),
        *((scored.baselines.get(kind), _verdict_on(scored, kind)) for kind in kinds),
    ]:
        if score is None:
            cells.append(words("-"))
        elif said:
            cells.append(Html(words(metric(score.value)) + tag("small", words(said))))
        elif score.spread:
            cells.append(Html(words(metric(score.value)) + tag("small", words(score.spread))))
        else:
            cells.append(words(metric(score.value)))
    return cells


def _verdict_on(scored: Scored, kind: str) -> str:
    """Say in a word how the model stands to a baseline, where a paired test found out."""
    found = scored.differences.get(kind)
    return (
        ""
        if found is None
        else {"the same": "the same", "unproven": "unproven"}.get(found.verdict, f"model is {found.verdict}")
    )


def fairness(record: Record) -> Html | None:
    """Return how the groups of each sensitive column fare, where that was measured."""
    body = [part for columns, audit in scores.audits(record) for part in _audit(columns, audit)]
    cost = mitigation.rows(record)
    if cost:
        body += [
            tag("h3", words("With and without what was done for it")),
            paragraph(mitigation.said(record)),
            table(mitigation.HEADER, ([words(cell) for cell in row] for row in cost)),
        ]
    own = mitigation.thresholds(record)
    if own:
        by = ", ".join(plain(name) for name in elements(record.facts, "thresholds", "by"))
        header_ = (f"By {by}", "Decided positive from a probability of")
        body += [
            tag("h3", words("The threshold of each group")),
            table(header_, ([words(cell) for cell in row] for row in own)),
            paragraph(_OTHERS),
        ]
    body += [paragraph(unaudited)] if (unaudited := _unaudited(record)) else []
    return section("fairness", "Fairness", *body) if body else None


_OTHERS = (
    f"Any other: groups of fewer than {MIN_GROUP_ROWS} validation rows, and rows without a value. No bound "
    "was kept between them and the rest."
)


def _unaudited(record: Record) -> str:
    """Say why nothing is told of the groups of sensitive columns, empty where there is no reason."""
    columns = members(record.recipe, "schema", "columns")
    target = text(record.facts, "target", "name")
    marked = [name for name, one in columns.items() if at(one, "sensitive") is True and name != target]
    kind = text(record.facts, "target", "kind")
    if not marked or kind not in {"multiclass", "continuous"} or scores.audits(record):
        return ""
    what = "a number" if kind == "continuous" else "one of more than two classes"
    return (
        f"Marked sensitive: {', '.join(marked)}. How groups are decided for is compared where the decision "
        f"is yes or no; here it is {what}. evaluation.slices judges each group apart."
    )


def _audit(columns: str, audit: Json) -> list[Html]:
    rates = scores.group_rates(audit)
    rows = (
        [words(scores.group_name(group)), *(words(_rate(group, rate)) for rate in rates)]
        for group in elements(audit, "groups")
    )
    left_out = scores.excluded(audit)
    return [
        tag("h3", words("By "), code(columns)),
        pairs((title(name), words(scores.measure_words(audit, name))) for name in scores.measures(audit)),
        *([table(("Group", *(_RATES.get(rate, title(rate)) for rate in rates)), rows)] if rates else []),
        *([paragraph(left_out)] if left_out else []),
    ]


_RATES = {
    "n": "Rows",
    "base_rate": "Positive rows",
    "selection_rate": "Decided positive",
    "precision": "Right if positive",
}


def _rate(group: Json, rate: str) -> str:
    value = number(group, rate)
    if rate == "n":
        return quantity(value)
    signed = rate == "calibration_gap" and value is not None and value > 0
    return f"+{share(value)}" if signed else share(value)
