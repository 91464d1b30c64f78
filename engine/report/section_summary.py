"""The top of the page: what the model is, the verdict, the money, the headline, and all in one minute."""

from __future__ import annotations

from collections.abc import Iterator

from engine.evaluation.fairness import DEMOGRAPHIC_PARITY_RATIO
from engine.report import pictures_importance, scores, section_champion, slices
from engine.report.markup import Html, known, paragraph, section, tag, words
from engine.report.record import Record, at, elements, members, number, plain, text
from engine.report.scores import BASELINES, Scored
from engine.report.words import MISSING, counted, metric

_MOST_COLUMNS = 3
_MONEY = "profit"
_COMPARABLE = 2
# What of a judgement a recipe may leave out, by its key.
_LOOKS = {
    "baselines": "baselines",
    "bootstrap": "intervals",
    "importance_rows": "what each column is worth",
    "explain_rows": "explanations",
    "robustness_rows": "tests of robustness",
    "learning_curve": "a learning curve",
}


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
    """Return the verdict, what it earns, the headline metric, and what the run noted for a person to know."""
    notes = [tag("li", words(plain(note))) for note in elements(record.facts, "notes")]
    heard = tag("ul", *notes, class_="warnings") if notes else Html("")
    goal = scores.headline(record)
    money = next((one for one in scores.read(record) if one.name == _MONEY), None)
    shown = [_scored(record, one) for one in (money, goal if goal != money else None) if one is not None]
    if goal is None:
        shown.append(_unscored())
    cards = tag("div", _verdict(record), *shown, class_=f"summary of-{1 + len(shown)}")
    return Html(cards + heard + _minute(record))


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


def _unscored() -> Html:
    said = paragraph("No headline metric was recorded.")
    return tag("div", tag("p", known(None), class_="said"), said, class_="headline")


def _scored(record: Record, scored: Scored) -> Html:
    """Return one metric large, with its interval and how the baselines stand."""
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


def _minute(record: Record) -> Html:
    """Return a sentence on each of the things that decide whether to use the model."""
    parts = (_stands, _fair, _cost, _weak, _goes_by, _holds, _doubts, _left_out, _answers_for)
    said = [line for part in parts for line in part(record)]
    points = (tag("li", tag("strong", words(f"{name}: ")), words(sentence)) for name, sentence in said)
    return section("minute", "In one minute", tag("ul", *points)) if said else Html("")


def _fair(record: Record) -> Iterator[tuple[str, str]]:
    for columns, audit in scores.audits(record):
        said = scores.measure_words(audit, DEMOGRAPHIC_PARITY_RATIO)
        if number(audit, DEMOGRAPHIC_PARITY_RATIO) is None:
            few = len(elements(audit, "groups")) < _COMPARABLE
            why = "fewer than two groups have rows enough" if few else "no test row is decided positive"
            said = f"not defined, as {why}"
        yield (
            f"Fairness by {columns}",
            f"share decided positive, the lowest of a group over the highest: {said}.",
        )


def _cost(record: Record) -> Iterator[tuple[str, str]]:
    """Say what was done for fairness did to the money, or else to the goal's metric, and to decisions."""
    known = {one.name: one for one in scores.read(record)}
    goal = scores.headline(record)
    names = [_MONEY] if _MONEY in known else [goal.name] if goal else []
    # A threshold moves no probability, so that what compares or prices these can't tell its cost.
    if _MONEY not in known and text(record.metrics, "mitigation", "kind") == "thresholds":
        names.append("accuracy")
    said = []
    for name in dict.fromkeys(names):
        change = ("mitigation", "difference", name)
        if number(record.metrics, *change, "value") is not None:
            verdict = text(record.metrics, *change, "verdict") or "unproven"
            before = number(record.metrics, "mitigation", "test", name, "value")
            now = known[name]
            said.append(
                f"{now.title} is {metric(now.test.value)} with it, {metric(before)} without: {verdict}"
            )
    if said:
        yield "What was done for fairness", "; ".join(said) + "."


def _holds(record: Record) -> Iterator[tuple[str, str]]:
    fall = number(record.metrics, "robustness", "falls", "robustness_noise_fall")
    name = text(record.metrics, "robustness", "metric")
    known = scores.declared(record).get(name or "")
    if fall is not None and known is not None:
        what = f"worsens by {metric(fall)}" if fall > 0 else "gets no worse"
        yield "Robustness", f"{known.title} {what} where numbers are off by a tenth of their spread."


def _stands(record: Record) -> Iterator[tuple[str, str]]:
    if text(record.champion, "champion") is None:
        return
    why = text(record.champion, "not_tested")
    said = section_champion.said(record) if why is None else f"not held against it: {why}."
    yield "Champion", said[:1].upper() + said[1:]


def _weak(record: Record) -> Iterator[tuple[str, str]]:
    for slicing in slices.read(record):
        behind = slices.behind(record, slicing)
        if behind:
            yield f"Slices by {slicing.columns}", behind


def _goes_by(record: Record) -> Iterator[tuple[str, str]]:
    found = pictures_importance.lost_without(record)
    sure = [name for name, one in found.items() if one.low is not None and one.low > 0]
    if sure:
        most = ", ".join(sure[:_MOST_COLUMNS])
        measured, _ = pictures_importance.measured_on(record)
        yield "It goes by", f"{most}: without {'it' if len(sure) == 1 else 'them'} {measured} worsens most."


def _doubts(record: Record) -> Iterator[tuple[str, str]]:
    if at(record.data, "quality") is None:
        return
    weights = [text(one, "severity") for one in elements(record.data, "quality", "findings")]
    grave = {"serious finding": weights.count("serious"), "warning": weights.count("warning")}
    told = " and ".join(counted(n, noun) for noun, n in grave.items() if n)
    yield (
        "Data",
        f"{told}, with what to do below." if told else "nothing was found that makes it doubtful.",
    )


def _left_out(record: Record) -> Iterator[tuple[str, str]]:
    asked = members(record.recipe, "evaluation")
    without = [said for key, said in _LOOKS.items() if key in asked and not asked[key]]
    if without and (depth := text(asked, "depth")):
        yield "Judged", f"at depth {depth}, without {', '.join(without)}."


def _answers_for(record: Record) -> Iterator[tuple[str, str]]:
    if not members(record.recipe, "governance"):
        yield "Governance", "the recipe names nobody who answers for it, and no class of risk."
        return
    named = [plain(one) for one in elements(record.recipe, "governance", "owners")]
    owners, answer = ", ".join(named) or MISSING, "answers" if len(named) <= 1 else "answer"
    risk = text(record.recipe, "governance", "risk_class") or MISSING
    yield "Governance", f"risk class {risk} by the EU's AI Act; {owners} {answer} for it."
