"""The block of metadata at the head of a card, as Hugging Face's hub reads it.

After the hub's own description of `modelcard.md`: `model-index`, of every result its task and data set, and
of every metric its type and value. What nobody recorded is left out there, as the format has no word for it.
"""

from __future__ import annotations

import re

from engine.report import scores
from engine.report.card_results import is_stable
from engine.report.document import Source, source
from engine.report.record import Record, number, text
from engine.report.words import clean

_TASKS = {"classification": "tabular-classification", "regression": "tabular-regression"}
_MARKUP = re.compile(r"[<>\[\]`|&]")
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.-]*")


def metadata(record: Record) -> tuple[dict[str, object], dict[str, Source]]:
    """Return the metadata, and of every number in it the fact behind, by its place as a JSON pointer."""
    kind = text(record.recipe, "task", "kind") or ""
    family = text(record.facts, "model", "family")
    found: dict[str, object] = {
        **_licence(record),
        "library_name": "sklearn" if text(record.facts, "model", "deployed_as") == "skops" else "onnx",
        "tags": ["tabular", *([_safe(family)] if family else [])],
    }
    if kind in _TASKS:
        found["pipeline_tag"] = _TASKS[kind]
    name, results = text(record.facts, "name"), _results(record)
    if not (name and results and kind in _TASKS):
        return found, {}
    data = {"name": _safe(name), "type": "tabular", "split": "test"}
    sha256 = text(record.facts, "data_sha256")
    result = {
        "task": {"type": _TASKS[kind]},
        "dataset": data | ({"revision": _safe(sha256)} if sha256 else {}),
        "metrics": [{"type": key, "name": said, "value": one.value} for key, said, one in results],
    }
    found["model-index"] = [{"name": _safe(name), "results": [result]}]
    above = "/model-index/0/results/0/metrics"
    return found, {f"{above}/{place}/value": one for place, (_, _, one) in enumerate(results)}


def _results(record: Record) -> list[tuple[str, str, Source]]:
    found = []
    for one in scores.read(record):
        value = number(record.metrics, "test", one.name, "value")
        if is_stable(one.name) and value is not None:
            path = ("test", one.name, "value")
            found.append((one.name, _safe(one.title), source("metrics", path, value)))
    return found


def _licence(record: Record) -> dict[str, object]:
    said = text(record.recipe, "governance", "licence")
    if not said or not said.strip():
        return {}
    if _LICENCE.fullmatch(said):
        return {"license": said}
    return {"license": "other", "license_name": _safe(said)}


def _safe(text: str) -> str:
    """Return words that are no markup for a reader of Markdown that does not know of metadata."""
    return _MARKUP.sub("\ufffd", " ".join(clean(text).split()))
