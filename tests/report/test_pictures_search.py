"""The pictures of a search show its trials: none hidden, none in another's place."""

# ruff: noqa: S314 - what is parsed here was written by the code under test

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.report import figures, record
from engine.report.canvas import Figure
from engine.report.pictures_search import pareto
from engine.tuning.trial import Outcome, Trial

Facts = dict[str, dict]
Write = Callable[..., Path]
Drawn = Callable[..., Iterator[tuple[Trial, Outcome]]]


def drawn(folder: Path) -> dict[str, Figure]:
    """Return the pictures of a search by name, each well-formed, with words and numbers."""
    gallery = figures.draw(record.read(folder))
    for figure in gallery.search:
        ET.fromstring(figure.svg)
        assert not re.search(r"\bnan\b|\binf\b", figure.svg.lower())
        assert figure.caption.endswith(".")
        assert figure.rows
        assert all(len(row) == len(figure.header) for row in figure.rows)
    return {figure.name: figure for figure in gallery.search}


def undrawn(folder: Path) -> dict[str, str]:
    """Return the reasons for the pictures of a search that could not be drawn."""
    return {item.title: item.reason for item in figures.draw(record.read(folder)).search_undrawn}


def scored(*scores: float | None, missed: dict[int, dict[str, float]] | None = None) -> list:
    """Return trials of these scores."""
    return [
        (
            Trial(k, "ridge", {"rate": 0.01 * (k + 1)}, 0),
            Outcome(
                k,
                "failed" if score is None else "done",
                score,
                measured={} if score is None else {"latency_p95_ms": 1.0 + k},
                missed=(missed or {}).get(k, {}),
                seconds=0.5 * (k + 1),
            ),
        )
        for k, score in enumerate(scores)
    ]


def key(figure: Figure) -> list[str]:
    """Return the texts of a picture."""
    return [
        element.text or "" for element in ET.fromstring(figure.svg).iter() if element.tag.endswith("text")
    ]


def test_history_by_hand(write_search: Write, binary: Facts) -> None:
    """The trials that became the best are listed; one that misses a gate, or failed, is none of them."""
    pairs = scored(0.7, None, 0.95, 0.6, 0.8, 0.75, missed={2: {"f1": 0.1}})
    found = drawn(write_search(binary, pairs))["search_history"]
    assert found.rows == (("0", "ridge", "0.7000", "0"), ("4", "ridge", "0.8000", "4"))
    assert found.caption == "Of 6 trials, the last improvement came with trial 4."
    assert key(found)[-5:] == ["a trial", "misses a gate", "failed, or no score", "best so far", "the winner"]


def test_history_of_errors_goes_down(write_search: Write, continuous: Facts) -> None:
    """Where less is better the best so far is the least."""
    found = drawn(write_search(continuous, scored(0.7, 0.9, 0.5), best=min))["search_history"]
    assert [row[2] for row in found.rows] == ["0.7000", "0.5000"]


def test_history_of_one_trial(write_search: Write, binary: Facts) -> None:
    """One trial is a history too, and its params as they stand are a line in it."""
    pairs = [(Trial(0, "ridge", {}, 0), Outcome(0, "done", 0.8, seconds=0.1))]
    found = drawn(write_search(binary, pairs))
    assert list(found) == ["search_history", "search_front"]
    assert found["search_history"].caption == "Of 1 trial, trial 0 is the best."
    assert "as they stand" in key(found["search_history"])


def test_history_without_a_feasible_trial(write_search: Write, binary: Facts) -> None:
    """Where no trial meets every gate there is no best so far, and it is said."""
    missed = {0: {"f1": 0.1}, 1: {"f1": 0.2}}
    found = drawn(write_search(binary, scored(0.7, 0.8, missed=missed)))["search_history"]
    assert found.caption == "None of 2 trials meets every gate."
    assert found.rows == (("none meets every gate", "", "", ""),)
    assert "best so far" not in key(found)


def test_trials_that_were_stopped_early_are_apart(write_search: Write, binary: Facts) -> None:
    """A trial that was stopped early has no score, and did not fail."""
    pairs = [*scored(0.7, 0.8), (Trial(2, "ridge", {"rate": 0.3}, 0), Outcome(2, "stopped"))]
    texts = key(drawn(write_search(binary, pairs))["search_history"])
    assert "stopped early" in texts
    assert "failed, or no score" not in texts


def test_few_that_went_wrong_do_not_press_the_others_together(write_search: Write, binary: Facts) -> None:
    """Scores far below all others are drawn on the edge, and counted in the caption."""
    good = [0.9 - k / 1000 for k in range(40)]
    found = drawn(write_search(binary, scored(*good, 0.1, 0.2)))["search_history"]
    assert found.caption == (
        "Of 42 trials, trial 0 is the best; 2 scores far worse than the others lie on the edge."
    )


def test_equal_scores(write_search: Write, binary: Facts) -> None:
    """Scores that are all one are drawn, and the first of them is the best."""
    found = drawn(write_search(binary, scored(*[0.5] * 30)))
    assert [row[0] for row in found["search_history"].rows] == ["0"]
    assert undrawn(write_search(binary, scored(*[0.5] * 30), folder="again")).keys() == {
        "Which params mattered"
    }


def test_pareto_by_hand() -> None:
    """No row of the front is beaten in both; of equal costs the better, of equal losses the cheaper counts."""
    costs = np.array([1.0, 2.0, 2.0, 3.0, 4.0, 0.5])
    losses = np.array([5.0, 3.0, 4.0, 3.0, 1.0, 9.0])
    assert pareto(costs, losses, np.ones(6, dtype=bool)).tolist() == [5, 0, 1, 4]
    assert pareto(costs, losses, np.array([True, False, True, True, True, False])).tolist() == [0, 2, 3, 4]
    assert pareto(costs, losses, np.zeros(6, dtype=bool)).tolist() == []


def test_front_of_latency(write_search: Write, binary: Facts) -> None:
    """Latency is the cost where a gate bounds it; one that misses that gate alone stays in the front."""
    binary["recipe"]["goal"]["gates"] = {"latency_p95_ms": {"max": 2.5}, "f1": {"min": 0.5}}
    missed = {1: {"f1": 0.1}, 3: {"latency_p95_ms": 0.6}}
    found = drawn(write_search(binary, scored(0.7, 0.9, 0.6, 0.8, missed=missed)))["search_front"]
    assert found.header == ("Trial", "Model", "Latency p95, ms", "ROC AUC")
    assert found.rows == (("0", "ridge", "1", "0.7000"), ("3", "ridge", "4", "0.8000"))
    assert found.caption == "Of 4 trials, 2 are such that no other is both cheaper and better."
    assert "the gate's bound" in key(found)


def test_front_of_seconds(write_search: Write, binary: Facts) -> None:
    """Without a latency gate the seconds of fitting are the cost, and it is said; a known outcome cost none."""
    pairs = [
        (trial, Outcome(o.index, o.state, o.score, seconds=0.0 if o.index == 1 else o.seconds))
        for trial, o in scored(0.7, 0.9, 0.8)
    ]
    found = drawn(write_search(binary, pairs))["search_front"]
    assert found.rows == (("0", "ridge", "500 ms", "0.7000"), ("2", "ridge", "1.50 s", "0.8000"))
    assert found.caption == (
        "Latency was not measured, as no gate bounds it: the cost is seconds of fitting and scoring. "
        "Of 2 trials, 2 are such that no other is both cheaper and better."
    )


def test_costs_far_apart_stand_on_a_log_axis(write_search: Write, binary: Facts) -> None:
    """Costs over powers of ten have powers of ten for ticks."""
    pairs = [
        (trial, Outcome(o.index, o.state, o.score, seconds=10.0**o.index / 100))
        for trial, o in scored(0.7, 0.8, 0.9, 0.95)
    ]
    texts = key(drawn(write_search(binary, pairs))["search_front"])
    assert {"0.01", "0.1", "1", "10"} <= set(texts)


def test_nothing_scored(write_search: Write, binary: Facts) -> None:
    """Without any score no picture is drawn, and each says why."""
    folder = write_search(binary, scored(None, None), winner={})
    assert drawn(folder) == {}
    assert undrawn(folder) == {
        "How the search went": "no trial has a score.",
        "Which params mattered": "only one was varied, rate.",
        "Where the best trials lie": "no trial with params of its own has a score.",
        "Quality against cost": "no trial has both a score and a measured cost.",
    }


@pytest.mark.parametrize("n_models", [2, 7])
def test_models_are_told_apart(write_search: Write, binary: Facts, n_models: int) -> None:
    """Each model has its colour; of more models than colours the last share one."""
    pairs = [
        (Trial(k, f"m{k % n_models}", {"rate": 0.1}, 0), Outcome(k, "done", 0.5 + k / 100, seconds=1.0))
        for k in range(14)
    ]
    models = {f"m{k}": {"params": {}, "space": {"rate": "interval(0.0,1.0)"}} for k in range(n_models)}
    found = drawn(write_search(binary, pairs, models=models))
    texts = key(found["search_history"])
    assert texts[-4:-2] == (["m0", "m1"] if n_models == 2 else ["m3", "other models"])
    assert sum(name.startswith("search_params_") for name in found) == min(n_models, 4)


def test_many_trials_are_thinned(write_search: Write, binary: Facts, trials_of: Drawn) -> None:
    """Of more trials than can be seen some are drawn, each improvement among them, and it is said."""
    found = drawn(write_search(binary, list(trials_of(6000))))
    assert re.search("; 2,00[0-9] trials are drawn, spread evenly.$", found["search_history"].caption)
    assert sum(len(figure.svg) for figure in found.values()) < 1_000_000
