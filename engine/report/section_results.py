"""The sections that say how good the model is: verdict, headline, gates, pictures, metrics, fairness."""

from __future__ import annotations

from engine.report import mitigation, scores, search
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
from engine.report.words import MISSING, counted, metric, quantity, share, title


def header(record: Record) -> Html:
    """Return the page's head: what the model is called and what it is for."""
    facts = record.facts
    said = [
        text(record.recipe, "task", "kind"),
        text(facts, "model", "estimator") or text(facts, "model", "family"),
        text(facts, "run"),
        text(facts, "created"),
    ]
    chips = (tag("li", words(item)) for item in said if item)
    return tag(
        "header",
        tag("h1", known(text(facts, "name") or text(record.recipe, "name"))),
        tag("p", known(text(record.recipe, "goal", "statement")), class_="statement"),
        tag("ul", *chips, class_="chips"),
    )


def summary(record: Record) -> Html:
    """Return the verdict beside the headline metric, and what the run noted for a person to know."""
    notes = [tag("li", words(plain(note))) for note in elements(record.facts, "notes")]
    heard = tag("ul", *notes, class_="warnings") if notes else Html("")
    return Html(tag("div", _verdict(record), _headline(record), class_="summary") + heard)


def _verdict(record: Record) -> Html:
    gates = elements(record.gates, "gates")
    passed = at(record.gates, "passed")
    missed = [text(gate, "name") or "" for gate in gates if at(gate, "passed") is not True]
    if record.gates is None:
        kind, sign, said = "none", "?", f"Gates {MISSING}"
        why = "The run kept no gates.json."
    elif not gates:
        kind, sign, said = "none", "○", "No gates"
        why = "The recipe sets no bound that this run had to meet."
    elif passed is True:
        kind, sign, said = "met", "✓", "Gates met" if len(gates) > 1 else "Gate met"
        held = f"All {len(gates)} bounds hold" if len(gates) > 1 else "The one bound holds"
        why = f"{held}: this run can be packaged."
    else:
        kind, sign, said = "missed", "✗", "Gates missed" if len(missed) != 1 else "Gate missed"
        named = ", ".join(scores.gate_title(record, name) for name in missed)
        be = "is" if len(missed) == 1 else "are"
        which = f"{len(missed)} of {len(gates)} bounds {be}" if len(gates) > 1 else "The one bound is"
        why = f"{which} missed ({named}): this run can't be packaged."
    mark = tag("span", words(sign), class_="sign", aria_hidden="true")
    return tag("div", tag("p", mark, words(said), class_="said"), paragraph(why), class_=f"verdict {kind}")


def _headline(record: Record) -> Html:
    scored = scores.headline(record)
    if scored is None:
        return tag("div", tag("p", known(None), class_="said"), paragraph("No headline metric was recorded."))
    n_rows = number(record.data, "split", "sizes", "test")
    where = "on the test rows" if n_rows is None else f"on {counted(n_rows, 'test row')}"
    interval = scored.test.interval
    value = tag("span", words(metric(scored.test.value)), class_="big")
    around = f"{scores.confidence(record)} {interval}" if interval else "no interval was recorded"
    lines = [
        tag("li", words(scores.comparison(scored, kind))) for kind in BASELINES if kind in scored.baselines
    ]
    if not lines:
        lines = [tag("li", words("No baseline was recorded."))]
    return tag(
        "div",
        tag("p", words(f"{scored.title} {where}"), class_="label"),
        tag("p", value, words(" "), tag("span", words(around), class_="interval")),
        tag("ul", *lines),
        class_="headline",
    )


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
    return [
        words(scores.gate_title(record, name)) if name else known(None),
        known(" and ".join(asked)),
        words(metric(number(gate, "value"))),
        verdict,
    ]


def pictures(record: Record, gallery: Gallery) -> Html:
    """Return the pictures, each with its caption and the numbers behind it."""
    body = [tag("div", *(picture(figure) for figure in gallery.figures), class_="gallery")]
    weights = [text(c, "name") or "" for c in elements(record.data, "columns") if text(c, "role") == "weight"]
    if weights:
        body.append(
            paragraph(f"In the pictures each row counts once; the metrics weigh rows by {weights[0]}.")
        )
    if gallery.undrawn:
        body.append(
            tag("ul", *(tag("li", words(f"{x.title}: {x.reason}")) for x in gallery.undrawn), class_="note")
        )
    return section("pictures", "Pictures", *body)


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
    searched = search.read(record)
    if searched is not None:
        told.append(paragraph(searched.caution))
    told += [paragraph(why) for why in undefined(record)]
    return section("metrics", "Metrics", table(header_, rows), paragraph(note), *told)


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
    return section("fairness", "Fairness", *body) if body else None


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
        table(("Group", *(_RATES.get(rate, title(rate)) for rate in rates)), rows),
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
