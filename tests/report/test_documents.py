"""What people read of a real run whose names are hostile: literal, traceable, equal for equal runs, accessible."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
from markdown_it import MarkdownIt

from engine.cli import main
from engine.recipe.text import Plain, parse, write
from engine.report import record, written
from engine.report.card import card
from engine.report.datasheet import datasheet
from engine.report.document import Document, Entries, Heading, Listing, Said, Table
from engine.report.techdoc import techdoc
from engine.report.words import duration, metric, quantity, share, size
from engine.runs.run import Run, find_run

IMAGE, LINK, RTL = "<img src=x onerror=alert(1)>", "[click](javascript:alert(1))", "\u202eeman"
CODE, LINES = "a`b|c", "# one\n\n## two"
NUMBERS = (IMAGE, LINK, CODE, LINES)
TARGET = "</style><script>alert(1)</script>"
YES, NO = "<b>yes</b>", "| no |"
HOSTILE = f"{IMAGE} {LINK} `{CODE}` {RTL}\n\n{LINES}"
DOCUMENTS = {"card": card, "datasheet": datasheet, "techdoc": techdoc}
# Words of ours in which digits are no numbers.
OF_OURS = re.compile(r"F1|1,000 cases|2024/1689|SHA-256|Article 9|p50|p95|Point \d\(?\w?\)?|^\d\.\d ")
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """Run one recipe of hostile names twice."""
    folder = tmp_path_factory.mktemp("hostile")
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, len(NUMBERS))).round(3)
    groups = np.where(rng.random(400) < 0.5, "<i>a</i>", "b`|")
    truth = np.where(values[:, 0] + (groups == "b`|") + 0.3 * rng.normal(size=400) > 0.5, YES, NO)
    table = {name: values[:, at] for at, name in enumerate(NUMBERS)}
    pl.DataFrame({**table, RTL: groups, TARGET: truth}).write_csv(folder / "hostile.csv")
    columns: dict[str, Plain] = {
        name: {"type": "number", "units": IMAGE, "description": HOSTILE} for name in NUMBERS
    }
    columns[RTL] = {"type": "category", "sensitive": True}
    columns[TARGET] = {"type": "category"}
    texts = ("intended_use", "out_of_scope", "limits", "oversight", "provider", "legal_basis", "retention")
    recipe: dict[str, Plain] = {
        "name": "hostile",
        "goal": {
            "statement": HOSTILE,
            "metric": "profit",
            "gates": {"demographic_parity_ratio": {"by": RTL, "min": 0}, "latency_p95_ms": {"max": 50}},
            "value": {"true_positive": 3, "false_positive": -1, "currency": f"{IMAGE} | {LINK}"},
        },
        "governance": {
            "purpose": HOSTILE, "risk_class": "minimal", "risk_reason": HOSTILE, "owners": [IMAGE, LINK],
            "licence": IMAGE, **dict.fromkeys(texts, HOSTILE), "datasheet": {"motivation": HOSTILE},
            "annex_iv": {"2(h)": HOSTILE},
        },
        "data": {"path": "hostile.csv"},
        "schema": {"target": TARGET, "positive": YES, "columns": columns},
        "evaluation": {"slices": [RTL], "bootstrap": 50, "importance_rows": 50},
    }  # fmt: skip
    head = "defaults: [base, task: classification, model: logistic, compute: small, evaluation: standard, _self_]\n"
    (folder / "hostile.yaml").write_text(head + write(recipe), encoding="utf-8")
    made = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for _ in range(2):
            assert main(["run", "hostile.yaml", "--quiet"]) == 0
            made.append(find_run("hostile@latest", root=folder / "runs"))
    return made[0], made[1]


@pytest.fixture(scope="module")
def paper(runs: tuple[Run, Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of all that people read of the first run, technical documentation with it."""
    folder = tmp_path_factory.mktemp("paper") / "run"
    shutil.copytree(runs[0].path, folder)
    for form in ("md", "html", "json"):
        said = ["techdoc", str(runs[0].path), "-o", str(folder / f"techdoc.{form}"), "--quiet"]
        assert main(said) == 0
    return folder


def test_equal_runs_have_equal_documents(runs: tuple[Run, Run]) -> None:
    """Card and data sheet of two equal runs are equal byte for byte, in every form: no run, date or clock is in them."""
    first, second = (run.path for run in runs)
    names = [f"{name}.{form}" for name in ("card", "datasheet") for form in ("md", "html", "json")]
    assert [name for name in names if (first / name).read_bytes() != (second / name).read_bytes()] == []
    assert runs[0].id not in "".join((first / name).read_text() for name in names)


def test_names_are_literal_in_markdown(paper: Path) -> None:
    """A Markdown renderer makes no picture, no link, no tag and no heading of a name."""
    for name in DOCUMENTS:
        text = (paper / f"{name}.md").read_text(encoding="utf-8")
        tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text.partition("\n# ")[2])
        inner = [child for token in tokens for child in token.children or ()]
        kinds = {token.type for token in (*tokens, *inner)}
        assert not kinds & {"image", "link_open", "html_block", "fence", "code_block", "blockquote_open"}, (
            name
        )
        tags = {token.content for token in inner if token.type == "html_inline"}
        assert tags <= {"<code>", "</code>"}, name
        assert "\u202e" not in text, name
        assert "<img" not in text, name


def tree(text: str) -> ET.Element:
    """Parse a page or a picture of ours."""
    return ET.fromstring(text.removeprefix("<!doctype html>\n"))  # noqa: S314 (ours)


def test_names_are_literal_in_pages_and_pictures(paper: Path) -> None:
    """A name opens no element and sets no attribute, on any page and in any picture; nothing turns text around."""
    pages = [paper / f"{name}.html" for name in ("report", *DOCUMENTS)]
    pictures = sorted((paper / "figures").iterdir())
    assert len(pictures) > 5
    for file in (*pages, *pictures):
        text = file.read_text(encoding="utf-8")
        root = tree(text)
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert not tags & {"img", "script", "b" if file.suffix == ".svg" else "img"}, file
        assert not [key for element in root.iter() for key in element.attrib if key.startswith("on")], file
        assert "\u202e" not in text, file
    shown = ["".join(tree(page.read_text()).itertext()) for page in pages]
    assert [IMAGE in text for text in shown] == [True] * len(pages)


def test_names_are_literal_in_json(paper: Path) -> None:
    """What is JSON is ASCII, so that no name steers what shows it."""
    for name in DOCUMENTS:
        assert (paper / f"{name}.json").read_text(encoding="utf-8").isascii()


def said_in(document: Document) -> Iterator[Said]:
    """Yield everything that a document says."""
    for block in (block for section in document.sections for block in section.blocks):
        if isinstance(block, Entries):
            yield from (said for entry in block.entries for said in entry.values)
        elif isinstance(block, Table):
            yield from (said for row in block.rows for said in row)
        elif isinstance(block, Listing):
            yield from block.said
        else:
            assert not isinstance(block, Heading) or block.said.text
            yield block.said


def numbers_of(value: object) -> set[str]:
    """Return every number that may be written of a fact, in each of our ways to write one."""
    if isinstance(value, dict):
        return set().union(
            *(numbers_of(one) | numbers_of(str(key)) for key, one in value.items()), {str(len(value))}
        )
    if isinstance(value, list):
        return set().union(*map(numbers_of, value), {str(len(value))})
    if isinstance(value, bool) or value is None:
        return set()
    if isinstance(value, str):
        return set(NUMBER.findall(value))
    ways = (str, quantity, metric, share, duration, size, lambda one: quantity(100 * one))
    return set().union(*(NUMBER.findall(way(value)) for way in ways))  # type: ignore[operator]


def at(folder: Path, fact: dict[str, str]) -> Any:
    """Return what stands where a fact says that it stands: a file and an RFC 6901 pointer."""
    node = json.loads((folder / fact["file"]).read_bytes())
    for part in fact["key"].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        node = node[int(key)] if isinstance(node, list) else node[key]
    return node


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_number_is_traced(paper: Path, name: str) -> None:
    """Each number of a document stands under the file and the key that its JSON names, and each such key is there."""
    document = json.loads((paper / f"{name}.json").read_bytes())
    facts = [fact for section in document["sections"] for fact in section["facts"]]
    traced = 0
    for fact in facts:
        known = set().union(
            *(numbers_of(at(paper, source)) | numbers_of(source["key"]) for source in fact["from"])
        )
        text = fact["text"] or ""
        found = set(NUMBER.findall(OF_OURS.sub("", text) if not fact["from"] else text))
        if name == "techdoc" and not fact["from"]:
            continue  # the list of gaps, and the annex in our words
        left = found - known - set(NUMBER.findall(" ".join(OF_OURS.findall(text))))
        assert left == set(), fact
        traced += bool(found)
    assert traced > 15
    for place, source in document["metadata_from"].items():
        node: Any = document["metadata"]
        for part in place.split("/")[1:]:
            node = node[int(part)] if isinstance(node, list) else node[part]
        assert node == at(paper, source)


DELETED = [
    ("card", "facts", "/seed", "- Seed: MISSING\n"),
    ("card", "facts", "/threshold", "- Decision threshold: MISSING\n"),
    ("card", "facts", "/target/classes", "- Classes: MISSING\n"),
    ("card", "data", "/n_rows", "- Rows: MISSING\n"),
    ("card", "data", "/split/sizes", "`stratified`, MISSING\n"),
    ("card", "data", "/source/sha256", "- SHA-256 of the source: MISSING\n"),
    ("card", "metrics", "/test", "| ROC AUC | MISSING |"),
    ("card", "recipe", "/governance", "- Purpose: MISSING, to be written by the owners\n"),
    ("datasheet", "data", "/columns", "- Is anything missing in rows? MISSING\n"),
    ("datasheet", "data", "/quality", "- Are there errors, noise or redundancies? MISSING\n"),
    ("techdoc", "facts", "/packages", "- Packages: MISSING\n"),
    ("techdoc", "facts", "/hardware", "- Cores: MISSING\n"),
    ("techdoc", "data", "/split/sha256", "- SHA-256 of the test rows: MISSING\n"),
]


@pytest.mark.parametrize(("name", "file", "key", "expected"), DELETED)
def test_a_deleted_fact_is_missing(
    paper: Path, tmp_path: Path, name: str, file: str, key: str, expected: str
) -> None:
    """A fact that is taken out of the folder is MISSING in the document, which said it before."""
    for path in paper.glob("*.json"):
        shutil.copy(path, tmp_path)
    assert expected not in written.markdown(DOCUMENTS[name](record.read(tmp_path)))
    content = json.loads((tmp_path / f"{file}.json").read_bytes())
    *above, last = key.split("/")[1:]
    node = content
    for part in above:
        node = node[part]
    del node[last]
    (tmp_path / f"{file}.json").write_text(json.dumps(content))
    assert expected in written.markdown(DOCUMENTS[name](record.read(tmp_path)))


def test_the_hub_can_read_the_card(paper: Path) -> None:
    """The card opens with the hub's metadata: a model-index whose every result has task, data and numbers."""
    text = (paper / "card.md").read_text(encoding="utf-8")
    assert text.startswith("---\n")
    head = parse(text[4:].partition("---\n")[0], file="card.md").mapping()
    (model,) = head["model-index"]
    (result,) = model["results"]
    assert (model["name"], head["pipeline_tag"], head["library_name"]) == (
        "hostile",
        "tabular-classification",
        "onnx",
    )
    assert result["task"]["type"] == "tabular-classification"
    assert {"name", "type"} <= set(result["dataset"])
    assert {"type", "value"} <= set.intersection(*map(set, result["metrics"]))
    assert all(isinstance(one["value"], float) for one in result["metrics"])
    assert (head["license"], head["license_name"]) == ("other", "\ufffdimg src=x onerror=alert(1)\ufffd")


def test_each_page_says_that_it_is_no_legal_advice(paper: Path) -> None:
    """Report, card, data sheet and technical documentation say it, on paper on every page."""
    notice = "The engine gives evidence, not legal compliance."
    for name in ("report", *DOCUMENTS):
        text = (paper / f"{name}.html").read_text()
        assert notice in text
        assert '@bottom-left { content: "Evidence, not legal compliance."' in text
    assert all(notice in (paper / f"{name}.md").read_text() for name in DOCUMENTS)


def test_techdoc_as_text_and_as_json(paper: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a file the documentation goes to stdout; with --json it is one document, its gaps counted."""
    capsys.readouterr()
    assert main(["techdoc", str(paper)]) == 0
    assert capsys.readouterr().out == (paper / "techdoc.md").read_text(encoding="utf-8")
    assert main(["techdoc", str(paper), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["n_missing"] == len([gap for gap in told["missing"] if gap["section"] != "Gaps"]) > 10
    assert {gap["by"] for gap in told["missing"]} == {"the provider", "the owners", "the reviewers"}


def test_pages_are_small(paper: Path) -> None:
    """No page is larger than 5 MB."""
    assert max(page.stat().st_size for page in paper.glob("*.html")) < 5_000_000


@pytest.fixture(scope="module")
def chromium() -> ModuleType:
    """Give `chromium.py`, or skip, loudly, where there is no browser or no axe."""
    spec = importlib.util.spec_from_file_location("chromium", Path(__file__).parent.parent / "chromium.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if module.find() is None or module.axe() is None:
        pytest.skip(
            "NO PAGE IS LOOKED AT: Chromium (Debian's `chromium`) or axe-core-python is not installed"
        )
    return module


# The words of pictures that lie outside of them, where a browser cuts them off.
CUT = """[...document.querySelectorAll('svg')].flatMap(svg => {
  const room = svg.getBoundingClientRect();
  const beyond = one => one.width && (one.left < room.left - 1 || one.right > room.right + 1);
  return [...svg.querySelectorAll('text')].filter(one => beyond(one.getBoundingClientRect())).map(one => one.textContent);
})"""


def test_pages_are_accessible(paper: Path, chromium: ModuleType, tmp_path: Path) -> None:
    """At desk and phone width axe finds nothing serious, the console is silent, and nothing is cut off."""
    wanted = "{id: v.id, impact: v.impact, nodes: v.nodes.map(n => n.html.slice(0, 200))}"
    run = f"axe.run(document, {{resultTypes: ['violations']}}).then(r => ({{n: r.passes.length, found: r.violations.map(v => ({wanted}))}}))"
    with chromium.browser(tmp_path / "profile") as page:
        for name, width in (("report", 1280), ("report", 390), ("card", 390)):
            page.open(paper / f"{name}.html", width=width)
            assert page.complaints() == []
            assert page.value("document.documentElement.scrollWidth") == width
            assert page.value(CUT) == []
            page.value(f"{chromium.axe()};0")
            told = page.value(run)
            assert told["n"] > 10
            assert [one for one in told["found"] if one["impact"] in {"serious", "critical"}] == []
