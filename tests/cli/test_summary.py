"""A run that searched tells so: what was tried, what won, with which params."""

import json
from collections.abc import Callable

import pytest

from engine.cli import main
from engine.lifecycle import run
from engine.recipe.spec import Spec


def test_a_search_is_printed(load_small: Callable[..., Spec], capsys: pytest.CaptureFixture[str]) -> None:
    """`engine show` tells strategy, number of trials, winner and the params that won; --json has the facts."""
    spec = load_small("tune=grid", "model.params.C=0.001,2.0", "tune.repeats=0", "compute.executor=local")
    done = run(spec)
    assert main(["show", str(done.path)]) == 0
    out = capsys.readouterr().out
    assert "search   grid: 2 trials\n" in out
    assert "; the params as they stand were not tried\n" in out
    assert "params   C=" in out
    assert main(["show", str(done.path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["search"] == told["facts"]["search"]
    assert told["search"]["trials"] == 2


def test_no_search_prints_nothing_of_one(
    load_small: Callable[..., Spec], capsys: pytest.CaptureFixture[str]
) -> None:
    """A run without a search has no line of one, and null in --json; no row chose a threshold that is typed."""
    done = run(load_small("tune=none", "task.threshold=0.3"))
    assert main(["show", str(done.path)]) == 0
    out = capsys.readouterr().out
    assert "at a probability of 0.3 (task.threshold: 0.3)\n" in out
    assert not [line for line in out.splitlines() if line.startswith(("search", "winner", "params"))]
    assert main(["show", str(done.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["search"] is None
