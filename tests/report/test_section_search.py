"""The section of a search is whole on the page for whatever was recorded, and says it in words."""

# ruff: noqa: S314 - what is parsed here was written by the code under test

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.lifecycle import run
from engine.recipe.spec import Spec
from engine.report import render
from engine.tuning.trial import Outcome, Trial

Facts = dict[str, dict]
Write = Callable[..., Path]
Drawn = Callable[..., Iterator[tuple[Trial, Outcome]]]

EVIL = "<img src=x onerror=alert(1)>"
MODELS = {
    "ridge": {"params": {"rate": 0.1}, "space": {"rate": "tag(log, interval(0.001, 1.0))"}},
    "tree": {"params": {}, "space": {"depth": "int(interval(1, 9))"}},
}


def search_of(folder: Path, *, pictures: bool = True) -> tuple[str, ET.Element]:
    """Render a run, and return the words and the element of its section on the search."""
    render(folder, pictures=pictures)
    page = ET.fromstring((folder / "report.html").read_text().removeprefix("<!doctype html>\n"))
    found = page.find(".//section[@id='search']")
    assert found is not None
    assert page.find(".//nav/a[@href='#search']") is not None
    words = " ".join(" ".join(found.itertext()).split())
    return words, found


def test_no_search_no_section(write_run: Write, binary: Facts) -> None:
    """A run that did not search has no such section, and no link to one."""
    binary["facts"]["search"] = None
    folder = write_run(binary, None)
    render(folder)
    assert "search" not in (folder / "report.html").read_text()


def test_says_what_was_searched_and_what_won(write_search: Write, binary: Facts, trials_of: Drawn) -> None:
    """Strategy, trials, space, winner, gain, failures with reasons and missed gates stand on the page."""
    pairs = [(Trial(0, "ridge", {}, 7), Outcome(0, "done", 0.8, seconds=0.5)), *trials_of(30, start=1)]
    for index, error in ((3, "diverged"), (4, "diverged"), (5, "out of memory")):
        pairs[index] = (pairs[index][0], Outcome(index, "failed", error=error))
    pairs[6] = (pairs[6][0], Outcome(6, "done", 0.99, missed={"f1": 0.1, "latency_p95_ms": 2.0}))
    pairs[7] = (pairs[7][0], Outcome(7, "done", 0.2, missed={"f1": 0.4}))
    words, _ = search_of(write_search(binary, pairs, stopped="time"))
    for said in (
        "Strategy random : drawn at random",
        "Tried 31 trials",
        "Scored by ROC AUC on the validation rows",
        "than the params as they stand (0.8000)",
        "Failed 3 of 31 trials",
        "Missed a gate 2 of 31 trials",
        "Search stopped by tune.max_seconds",
        "rate 0.001 to 1, log 0.1",
        "leaves 2 to 64, whole the library's own",
        "Reason Trials diverged 2 out of memory 1",
        "Gate Trials F1 2 Latency p95, ms 1",
        "The best 10 trials",
        "(won)",
        "shape=deep",
        "How the search went",
        "Which params mattered",
        "Where the best trials lie",
        "Quality against cost",
    ):
        assert said in words, said


def test_several_models(write_search: Write, binary: Facts) -> None:
    """Params of several models stand apart: no cell of a model that has no such param."""
    pairs = [
        (Trial(0, "ridge", {}, 7), Outcome(0, "done", 0.8, seconds=0.5)),
        (Trial(1, "tree", {}, 7), Outcome(1, "done", 0.7, seconds=0.5)),
        (Trial(2, "tree", {"depth": 3}, 7), Outcome(2, "done", 0.9, seconds=0.5)),
        (Trial(3, "ridge", {"rate": 0.25}, 7), Outcome(3, "done", 0.6, seconds=0.0)),
        (Trial(4, "tree", {"depth": 3}, 8, repeats=2), Outcome(4, "done", 0.8, seconds=0.5)),
    ]
    words, _ = search_of(write_search(binary, pairs, models=MODELS))
    for said in (
        "Tried 4 trials of ridge and tree, and 1 fit of the best with other seeds",
        "ridge: 2 trials",
        "rate 0.001 to 1, log 0.1",
        "tree: 2 trials",
        "depth 1 to 9, whole the library's own 3",
        "2 (won) tree 0.9000 0.8500 of 2 500 ms depth=3",
        "0 ridge 0.8000 - 500 ms as they stand",
        "1 tree 0.7000 - 500 ms as they stand",
        "3 ridge 0.6000 - tried before rate=0.25",
    ):
        assert said in words, said


@pytest.mark.parametrize("n", [1, 2, 12])
def test_all_but_one_failed(write_search: Write, binary: Facts, n: int) -> None:
    """A search of which one trial is left has a section, as has a search of one trial."""
    failed = [
        (Trial(k, "ridge", {"rate": 0.1 + k / 100}, 7), Outcome(k, "failed", error=f"reason {k:02}"))
        for k in range(1, n)
    ]
    pairs = [(Trial(0, "ridge", {}, 7), Outcome(0, "done", 0.8, seconds=0.5)), *failed]
    words, _ = search_of(write_search(binary, pairs))
    assert "The best trial" in words
    assert ("Why trials failed" in words) == (n > 1)
    assert ("3 other reasons 3" in words) == (n == 12)


def test_constant_scores(write_search: Write, binary: Facts, trials_of: Drawn) -> None:
    """Where all scores are one, it is said that no param can be told to matter."""
    pairs = [(trial, Outcome(one.index, "done", 0.5)) for trial, one in trials_of(40)]
    words, _ = search_of(write_search(binary, pairs))
    assert "Which params mattered: most trials have the best score, whatever their params." in words
    assert "Quality against cost: no trial has both a score and a measured cost." in words


def test_the_stages_of_the_winner_are_told(write_search: Write, binary: Facts, trials_of: Drawn) -> None:
    """Of a winner that was trained in stages each stands with what changed, and what stood at first."""
    stages = [{}, {"rate": 0.12, "width": 8}, {"rate": 0.096, "width": 8}]
    winner = {"trial": 3, "model": "ridge", "params": stages[-1], "score": 0.9, "mean": 0.9, "seeds": 1}
    words, _ = search_of(write_search(binary, list(trials_of(9)), winner={**winner, "stages": stages}))
    assert "The stages of the winner Stage rate width 1 0.1 null 2 0.12 8 3 0.096 8" in words
    plain, _ = search_of(write_search(binary, list(trials_of(9)), folder="plain"))
    assert "The stages" not in plain


def test_no_score_at_all(write_search: Write, binary: Facts) -> None:
    """A search without a score says so, and has no table of best trials."""
    pairs = [(Trial(0, "ridge", {"rate": 0.1}, 7), Outcome(0, "done"))]
    words, _ = search_of(write_search(binary, pairs, winner=None))
    assert "No trial has a score." in words
    assert "Won not recorded" in words


def test_names_are_literal_text(write_search: Write, binary: Facts) -> None:
    """Names, values and reasons that look like markup are text."""
    params = [{EVIL: [64]}, {EVIL: [64, 32]}, {EVIL: None}]
    pairs = [
        (
            Trial(k, EVIL, params[k % 3], 7),
            Outcome(k, "done", 0.5 + k / 100, missed={f"{EVIL} by {EVIL}": 0.1}, seconds=1.0),
        )
        for k in range(30)
    ]
    pairs.append((Trial(30, EVIL + "2", {EVIL: [64]}, 7), Outcome(30, "failed", error=EVIL)))
    space = {EVIL: "choice([64], [64, 32], null)"}
    models = {EVIL: {"params": {EVIL: EVIL}, "space": space}, EVIL + "2": {"params": {}, "space": space}}
    words, found = search_of(write_search(binary, pairs, models=models))
    assert {element.tag.split("}")[-1] for element in found.iter()}.isdisjoint({"img", "script"})
    assert words.count(EVIL) > 20
    assert f"{EVIL}=[64, 32]" in words
    assert f"{EVIL}=null" in words


@pytest.mark.parametrize("n", [2000, 20_000])
def test_page_of_many_trials_is_small(write_search: Write, binary: Facts, trials_of: Drawn, n: int) -> None:
    """A page stays under 5 MB however many trials there were; of 2,000 under 1 MB."""
    folder = write_search(binary, list(trials_of(n)))
    render(folder)
    assert (folder / "report.html").stat().st_size < (1_000_000 if n == 2000 else 5_000_000)


def test_equal_folders_give_equal_sections(write_search: Write, binary: Facts, trials_of: Drawn) -> None:
    """The same trials give the same page, byte for byte."""
    pages = []
    for name in ("one", "two"):
        folder = write_search(binary, list(trials_of(60)), folder=name)
        render(folder)
        pages.append((folder / "report.html").read_bytes())
    assert pages[0] == pages[1]


def test_without_pictures(write_search: Write, binary: Facts, trials_of: Drawn) -> None:
    """Without pictures the section holds its words and tables."""
    words, found = search_of(write_search(binary, list(trials_of(30))), pictures=False)
    assert "The best 10 trials" in words
    assert not list(found.iter("{http://www.w3.org/2000/svg}svg"))


def test_absent_and_odd_facts(write_search: Write, binary: Facts, trials_of: Drawn) -> None:
    """A run whose trials are gone says so; facts of the wrong shape make no traceback."""
    folder = write_search(binary, list(trials_of(30)))
    (folder / "trials.parquet").unlink()
    words, _ = search_of(folder)
    assert "The trials can't be shown: the run kept no trials.parquet." in words
    facts = json.loads((folder / "facts.json").read_text())
    facts["search"] = {"winner": 3, "trials": "many", "first": [1]}
    (folder / "facts.json").write_text(json.dumps(facts))
    words, _ = search_of(folder)
    assert "Won not recorded" in words


def test_a_real_run_shows_its_search(load_small: Callable[..., Spec]) -> None:
    """A run that searched two models has its section, whose winner is that of the facts."""
    spec = load_small(
        "tune=random",
        "tune.trials=26",
        "model=logistic,random_forest",
        "goal.gates={roc_auc: {min: 0.86}, latency_p95_ms: {max: 1000}}",
        "evaluation.pictures=true",
        "compute.executor=local",
    )
    done = run(spec)
    words, found = search_of(done.path)
    winner = done.facts["search"]["winner"]  # type: ignore[index, call-overload]
    assert f"{winner['trial']} (won) {winner['model']}" in words
    assert "Tried 26 trials of logistic and random_forest" in words
    assert "Latency p95, ms" in words
    n_missed = done.facts["search"]["infeasible"]  # type: ignore[index, call-overload]
    assert f"Gates that trials missed Gate Trials ROC AUC {n_missed}" in words
    svgs = list(found.iter("{http://www.w3.org/2000/svg}svg"))
    assert len(svgs) >= 4
    assert all(len(svg.get("aria-label") or "") > 20 for svg in svgs)
    names = {path.stem for path in (done.path / "figures").iterdir()}
    assert {"search_history", "search_front", "search_params_1", "search_params_2"} <= names
