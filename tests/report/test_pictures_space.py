"""The pictures of the params of a search: what mattered is found, and where the best trials lie is shown."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.report import figures, record
from engine.report.canvas import Figure, Undrawn
from engine.report.pictures_space import shares_of
from engine.report.trials import Trials, read
from engine.tuning.trial import Outcome, Trial

Facts = dict[str, dict]
Write = Callable[..., Path]
Drawn = Callable[..., Iterator[tuple[Trial, Outcome]]]


def found(folder: Path) -> dict[str, Figure | Undrawn]:
    """Return the pictures of a search, drawn by name, undrawn by title."""
    gallery = figures.draw(record.read(folder))
    return {one.name: one for one in gallery.search} | {one.title: one for one in gallery.search_undrawn}


def shares(folder: Path, model: str = "ridge") -> tuple[dict[str, float], int] | str:
    """Return the importance of a model's params."""
    trials = read(record.read(folder))
    assert isinstance(trials, Trials)
    return shares_of(record.read(folder), trials, model)


def test_what_decides_is_found(write_search: Write, binary: Facts, trials_of: Drawn) -> None:
    """The param that the score depends on most has the largest share, one that it does not depend on little."""
    told = shares(write_search(binary, list(trials_of(300))))
    assert not isinstance(told, str)
    each, n_best = told
    assert next(iter(each)) == "rate"
    assert each["rate"] > 0.8
    assert each["leaves"] < 0.1
    assert sum(each.values()) == pytest.approx(1.0)
    assert n_best == 30


@pytest.mark.parametrize(
    ("n", "scores", "expected"),
    [
        (19, None, "it needs 20 trials that meet every gate, and there are 19."),
        (40, 0.5, "most trials have the best score, whatever their params."),
    ],
)
def test_why_there_are_no_importances(
    write_search: Write, binary: Facts, trials_of: Drawn, n: int, scores: float | None, expected: str
) -> None:
    """Too few trials, and scores that do not differ, are said."""
    pairs = [
        (trial, Outcome(one.index, "done", one.score if scores is None else scores))
        for trial, one in trials_of(n)
    ]
    assert shares(write_search(binary, pairs)) == expected


def test_what_misses_a_gate_or_stands_is_not_counted(
    write_search: Write, binary: Facts, trials_of: Drawn
) -> None:
    """Importance is of trials that were drawn and could have won."""
    pairs = [(Trial(0, "ridge", {}, 7), Outcome(0, "done", 0.5)), *trials_of(25, start=1)]
    pairs[5:11] = [(t, Outcome(o.index, "done", o.score, missed={"f1": 0.1})) for t, o in pairs[5:11]]
    assert shares(write_search(binary, pairs)) == (
        "it needs 20 trials that meet every gate, and there are 19."
    )


def test_importances_by_model(write_search: Write, binary: Facts, trials_of: Drawn) -> None:
    """Of several models each has its own shares; one with too few trials says so."""
    space = {"rate": "tag(log, interval(0.001, 1.0))", "leaves": "int(interval(2, 64))"}
    models = {name: {"params": {}, "space": space} for name in ("ridge", "tree", "few")}
    pairs = [
        *trials_of(60),
        *trials_of(60, model="tree", start=60),
        *trials_of(3, model="few", start=120),
    ]
    pictures = found(write_search(binary, pairs, models=models))
    drawn = pictures["search_importances"]
    assert isinstance(drawn, Figure)
    assert [row[0] for row in drawn.rows] == ["ridge"] * 3 + ["tree"] * 3
    few = pictures["Which params mattered: few"]
    assert few == Undrawn(
        "Which params mattered: few", "it needs 20 trials that meet every gate, and there are 3."
    )


def test_lines_by_hand(write_search: Write, binary: Facts) -> None:
    """A line goes through the places of its values, a log axis as such, and ends at its score."""
    pairs = [
        (Trial(k, "ridge", {"rate": rate, "shape": shape}, 0), Outcome(k, "done", 0.8 + k / 10))
        for k, (rate, shape) in enumerate([(0.001, "flat"), (1.0, "deep")])
    ]
    drawn = found(write_search(binary, pairs))["search_params"]
    assert isinstance(drawn, Figure)
    paths = re.findall(r'<path d="([^"]*)" fill="none"', drawn.svg)
    # One line of the others, one of the best, and the winner again on top of all.
    assert len(paths) == 3
    assert [path.count("M") for path in paths] == [1, 1, 1]
    assert paths[0].startswith("M138 24L138 64L")
    assert paths[1] == paths[2]
    assert paths[1].startswith("M344 24L344 64L")
    assert drawn.rows == (
        ("rate", "0.001 to 1, log", "0.001 to 1", "1 to 1"),
        ("shape", "flat, deep", "flat (1), deep (1)", "deep (1)"),
    )


def test_a_line_parts_where_a_value_is_not_there(write_search: Write, binary: Facts) -> None:
    """A trial without a value on an axis has a gap there, and no place of another's."""
    params = [{"rate": 0.1, "leaves": 4, "shape": "flat"}, {"rate": 0.2, "shape": "deep"}]
    pairs = [(Trial(k, "ridge", one, 0), Outcome(k, "done", 0.9 - k / 10)) for k, one in enumerate(params)]
    drawn = found(write_search(binary, pairs))["search_params"]
    assert isinstance(drawn, Figure)
    others = re.findall(r'<path d="([^"]*)" fill="none"', drawn.svg)[0]
    assert re.findall("[ML]", others) == ["M", "M", "L"]


def test_the_best_stands_on_the_right(write_search: Write, continuous: Facts) -> None:
    """Where less is better the least error is drawn furthest to the right."""
    pairs = [
        (Trial(k, "ridge", {"rate": 0.1}, 0), Outcome(k, "done", score)) for k, score in enumerate([0.5, 0.2])
    ]
    drawn = found(write_search(continuous, pairs, best=min))["search_params"]
    assert isinstance(drawn, Figure)
    worst, best = re.findall(r"L(\S+) 64\"", drawn.svg)[:2]
    assert float(worst) < float(best)
    assert "(low is better)" in drawn.caption


def test_many_params_and_trials_are_cut(write_search: Write, binary: Facts) -> None:
    """Only so many axes and lines are drawn, which is said; the table has all params."""
    pairs = [
        (
            Trial(k, "ridge", {f"p{j}": (k * (j + 1)) % 97 / 97 for j in range(20)}, 0),
            Outcome(k, "done", 0.5 + k / 10_000),
        )
        for k in range(2500)
    ]
    drawn = found(write_search(binary, pairs, space={}))["search_params"]
    assert isinstance(drawn, Figure)
    assert drawn.caption == (
        "Each line is one of 2,500 trials; blue are the best 250 trials, red is the winner. The last axis is "
        "the score, the better the further right (high is better). The first 12 of 20 params are drawn. Of the "
        "best 200 are drawn. Of the other trials 400 are drawn."
    )
    assert len(drawn.rows) == 20
    assert len(drawn.svg) < 200_000
