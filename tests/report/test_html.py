"""The page needs nothing but itself, says what was recorded, and shows data as literal text."""

# ruff: noqa: S314 - what is parsed here was written by the code under test

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from engine.report import render

Facts = dict[str, dict]
Write = Callable[..., Path]

EVIL = "<img src=x onerror=alert(1)>"
VOID = {"meta", "br"}


class Page(HTMLParser):
    """A page as a browser reads it: its elements, attributes, and words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that opens."""
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that holds nothing."""
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        """Hold an end against its start."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note words."""
        self.words.append(data)

    @property
    def text(self) -> str:
        """Everything that can be read, spaces made one."""
        return " ".join(" ".join(self.words).split())


def page_of(folder: Path, *, pictures: bool = True) -> Page:
    """Render a run and return its page, which must be whole as HTML and as XML."""
    render(folder, pictures=pictures)
    text = (folder / "report.html").read_text()
    ET.fromstring(text.removeprefix("<!doctype html>\n"))
    page = Page(text)
    assert page.open == []
    return page


def evil(node: object, name: str) -> object:
    """Return facts with every string that a person may choose replaced by `name`."""
    kept = {"kind", "type", "role", "passed", "metric", "family"}
    if isinstance(node, dict):
        return {key: value if key in kept else evil(value, name) for key, value in node.items()}
    if isinstance(node, list):
        return [evil(value, name) for value in node]
    return name if isinstance(node, str) else node


def test_data_is_literal_text(write_run: Write, binary: Facts) -> None:
    """A name that looks like markup is text everywhere: in tables, pictures, captions and tooltips."""
    facts = evil(binary, EVIL)
    assert isinstance(facts, dict)
    facts["facts"]["target"]["classes"] = [EVIL, EVIL + "2"]
    facts["facts"]["model"]["importances"] = {EVIL: 1.0}
    facts["facts"]["model"]["params"] = {EVIL: EVIL}
    facts["metrics"]["fairness"] = {EVIL: {"by": [EVIL], "groups": [{"name": EVIL, "n": 20}]}}
    facts["gates"] = {
        "passed": False,
        "gates": [{"name": EVIL, "bound": {"min": 1}, "value": 0, "passed": False}],
    }
    rows = pl.DataFrame(
        {
            EVIL: [EVIL, EVIL + "2"] * 20,
            "prediction": [EVIL, EVIL + "2"] * 20,
            f"probability_{EVIL}": [0.8, 0.1] * 20,
            f"probability_{EVIL}2": [0.2, 0.9] * 20,
        }
    )
    folder = write_run(facts, rows)
    (folder / "recipe.yaml").write_text(f"name: {EVIL}</pre></details><script>alert(1)</script>\n")
    page = page_of(folder)
    assert {"img", "script", "b"} & set(page.tags) == set()
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert page.text.count(EVIL) > 20
    assert "</pre></details><script>alert(1)</script>" in page.text


def test_page_asks_for_nothing(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """The page has no script, no request, no form, and links only to its own sections."""
    page = page_of(write_run(binary, binary_rows))
    assert {"script", "link", "iframe", "object", "embed", "form", "img", "base"} & set(page.tags) == set()
    links = [value for _, name, value in page.attributes if name in {"src", "href", "xlink:href", "action"}]
    anchors = {value for _, name, value in page.attributes if name == "id"}
    assert {link.removeprefix("#") for link in links} <= anchors
    css = next(data for data in page.words if "color-scheme" in data)
    assert not re.search(r"url\(|@import|expression", css)
    policy = [value for tag, name, value in page.attributes if (tag, name) == ("meta", "content")]
    assert "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'" in policy


def test_every_id_is_one(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """No two elements share an id, and every picture has words for who can't see it."""
    page = page_of(write_run(binary, binary_rows))
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(labels) == page.tags.count("svg")
    assert all(len(label) > 10 for label in labels)


def test_headline(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """The first thing said is the goal's metric, its interval, and how the baselines stand."""
    text = page_of(write_run(binary, binary_rows)).text
    assert (
        "ROC AUC on 200 test rows 0.9000 90% interval 0.8800 to 0.9200 "
        "The linear baseline reaches 0.7000, outside the model's interval: the model is better. "
        "The constant baseline reaches 0.5000, outside the model's interval: the model is better."
    ) in text


GATE = {"name": "roc_auc", "bound": {"min": 0.8}, "value": 0.9, "passed": True}
MISSED = {"name": "f1", "bound": {"min": 0.5, "max": 0.55}, "value": None, "passed": False}


@pytest.mark.parametrize(
    ("gates", "kind", "expected"),
    [
        ([], "none", "No gates The recipe sets no bound that this run had to meet."),
        ([GATE], "met", "Gate met The one bound holds: this run can be packaged."),
        ([GATE, GATE], "met", "Gates met All 2 bounds hold: this run can be packaged."),
        ([GATE, MISSED], "missed", "Gate missed 1 of 2 bounds is missed (F1): this run can't be packaged."),
        (
            [MISSED, MISSED],
            "missed",
            "Gates missed 2 of 2 bounds are missed (F1, F1): this run can't be packaged.",
        ),
    ],
)
def test_verdict(write_run: Write, binary: Facts, gates: list, kind: str, expected: str) -> None:
    """The verdict is said in words and a sign, not by colour alone."""
    binary["gates"] = {"passed": all(gate["passed"] for gate in gates), "gates": gates}
    page = page_of(write_run(binary, None))
    assert expected in page.text
    assert ("div", "class", f"verdict {kind}") in page.attributes


def test_gates_table(write_run: Write, binary: Facts) -> None:
    """Each gate is told with its bound, what was reached, and whether that is enough."""
    binary["gates"] = {"passed": False, "gates": [GATE, MISSED]}
    text = page_of(write_run(binary, None)).text
    assert "ROC AUC at least 0.8 0.9000 ✓ met F1 at least 0.5 and at most 0.55 not defined ✗ missed" in text


def test_values_of_few_people_are_not_named(write_run: Write, binary: Facts) -> None:
    """A value of a sensitive column that fewer than ten rows have stands on no page."""
    job = next(column for column in binary["data"]["columns"] if column["name"] == "job")
    job["top"].append({"value": "lone hermit", "n": 9})
    columns = binary["recipe"]["schema"]["columns"]
    columns["job"] = {"type": "category"}
    assert "lone hermit 0.9%" in page_of(write_run(binary, None)).text
    columns["job"]["sensitive"] = True
    text = page_of(write_run(binary, None, folder="sensitive")).text
    assert "clerk 30.0%" in text
    assert "lone hermit" not in text


def test_rows_of_groups_are_said_to_be_alike(write_run: Write, binary: Facts) -> None:
    """Where the split keeps groups whole, intervals that draw row by row are told for what they are."""
    said = "rows of one group may be alike, and then both are too sure"
    assert said not in page_of(write_run(binary, None)).text
    binary["data"]["split"]["kind"] = "stratified_group"
    assert said in page_of(write_run(binary, None, folder="grouped")).text


def test_sections_say_what_was_recorded(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """Data, split, model, versions, times and how to repeat the run stand on the page."""
    text = page_of(write_run(binary, binary_rows)).text
    for said in (
        "ROC AUC ↑ 0.9500 0.8500 0.9000 0.8800 to 0.9200 0.7000 0.5000",
        "Linear baseline: a line.",
        "age number feature 25 (2.5%) 2",
        "17 to 90, mean 38.5",
        "cook 70.0%",
        "3 rows equal an earlier row in every column",
        "Train 700 70.0%",
        "Kind: random , seed 7",
        "alpha 1.0",
        "Largest difference to the library 1e-16 over 200 rows, 0 beyond the tolerance",
        "engine verify 20260102-030405-0123abcd",
        "engine run recipe.yaml",
        "c0ffee, with uncommitted changes",
        "numpy 2.4.0",
        "fit 1.50 s 210 MiB",
        "Memory, MiB 1,024",
        "name: tiny",
    ):
        assert said in text, said
    assert "MISSING" not in text


def test_fairness(write_run: Write, binary: Facts) -> None:
    """Groups are told with their rates, the gaps between them, and what was left out."""
    group = {"name": "a", "n": 40, "base_rate": 0.25, "selection_rate": 0.5, "true_positive_rate": None}
    audit = {"by": ["sex"], "groups": [group], "demographic_parity_ratio": 0.8, "equalized_odds_ratio": None}
    audit |= {"n_excluded_groups": 1, "n_excluded_rows": 7}
    binary["metrics"]["fairness"] = {"sex": audit}
    text = page_of(write_run(binary, None)).text
    assert (
        "By sex Demographic parity ratio 0.8000: at or above four fifths Equalized odds ratio not defined"
        in text
    )
    assert "Group Rows Positive rows Decided positive True positive rate a 40 25.0% 50.0% not defined" in text
    assert "Not shown, as too small: 1 group of 7 rows together." in text


def test_absent_facts_are_missing(tmp_path: Path, write_run: Write, binary: Facts) -> None:
    """A fact that nobody recorded is MISSING; no file at all still gives a page."""
    assert page_of(tmp_path).text.count("MISSING") > 10
    for key in ("git", "seed", "python"):
        del binary["facts"][key]
    del binary["gates"]
    text = page_of(write_run(binary, None)).text
    assert "Git MISSING" in text
    assert "Seed MISSING" in text
    assert "Gates MISSING The run kept no gates.json." in text


def test_recorded_nothing_is_not_missing(write_run: Write, binary: Facts) -> None:
    """A recorded null says that there is nothing, which is a fact."""
    binary["facts"]["git"] = None
    text = page_of(write_run(binary, None)).text
    assert "Git not in a repository" in text
    assert "Iterations kept none" in text
    assert "Estimator" not in text


def test_personal_values_are_not_shown(write_run: Write, binary: Facts) -> None:
    """Values of columns marked as personal data, or that name a row, are not on the page even if recorded."""
    binary["recipe"]["schema"]["columns"]["job"] = {"type": "category", "pii": True}
    binary["data"]["columns"][0]["role"] = "id"
    text = page_of(write_run(binary, None)).text
    assert "cook" not in text
    assert "17 to 90" not in text
    assert "not shown: personal data" in text


def test_notes_and_rows_that_were_drawn(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """What a person should know is told: notes of the run, weights, and scores of a part of the rows."""
    binary["facts"] |= {
        "notes": ["the well is dry"],
        "train_rows_scored": 500,
        "latency": {"latency_p95_ms": 0.25},
    }
    binary["data"]["columns"][1]["role"] = "weight"
    binary["data"]["split"] |= {"n_folds": 5, "n_left_out": 12}
    text = page_of(write_run(binary, binary_rows)).text
    for said in (
        "the well is dry",
        "Train scores are of 500 training rows drawn at random.",
        "Latency p95, ms 0.25",
        "In the pictures each row counts once; the metrics weigh rows by job.",
        "seed 7, 5 folds, 12 rows left out in the gap in time",
    ):
        assert said in text, said


def test_without_pictures(write_run: Write, binary: Facts, binary_rows: pl.DataFrame) -> None:
    """Without pictures the page holds its tables, and no folder of figures is made."""
    folder = write_run(binary, binary_rows)
    page = page_of(folder, pictures=False)
    assert "figure" not in page.tags
    assert "ROC AUC" in page.text
    assert not (folder / "figures").exists()


def test_facts_of_the_wrong_shape(write_run: Write, binary: Facts) -> None:
    """A file that holds something else than expected makes a page of MISSING, not a traceback."""
    facts = json.loads(json.dumps(binary))
    facts |= {"metrics": [1, 2], "data": "none", "gates": {"gates": "no"}}
    facts["facts"]["model"] = 3
    assert "MISSING" in page_of(write_run(facts, None)).text
