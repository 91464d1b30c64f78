"""A shadow is asked what its champion is asked, answers nobody, and is compared with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.cli import main
from engine.deploy.observe import Exchange
from engine.deploy.served import Served
from engine.errors import BundleError, DataError, GateError, RecipeError
from engine.operate.life import shadow_of
from engine.operate.meters import meters
from engine.operate.report import Comparison, Flip, compare
from engine.operate.shadow import Shadow

CHAMPION, CANDIDATE = "20260101-000000-aaaaaaaa", "20260101-000001-bbbbbbbb"
Ask = Callable[..., Exchange]
Records = list[dict[str, Any]]


@pytest.fixture(scope="module")
def candidate(make_served: Callable[..., Served], with_rules: Callable[..., Served]) -> Served:
    """Give a candidate that knows no divers."""
    return with_rules(make_served(CANDIDATE), "job", values=("clerk", "nurse"))


def shadowed(candidate: Served, folder: Path, exchanges: list[Exchange]) -> Comparison:
    """Return what the report says of some exchanges."""
    shadow = Shadow(candidate, folder, meters=meters())
    for exchange in exchanges:
        shadow.saw(exchange)
    shadow.close()
    (found,) = compare(folder)
    return found


def test_the_same_bundle_differs_in_nothing(
    champion: Served, make_served: Callable[..., Served], records: Records, ask: Ask, tmp_path: Path
) -> None:
    """The same model under another version gives no other answer: no difference, no flip, no fault."""
    exchanges = [ask(champion, records[:2], request_id="two"), ask(champion, records[2:3], request_id="one")]
    found = shadowed(make_served(CANDIDATE), tmp_path, exchanges)
    assert (found.champion, found.candidate) == (CHAMPION, CANDIDATE)
    assert (found.n_requests, found.n_rows, found.n_other) == (2, 3, 0)
    assert set(found.differences.values()) == {0.0}
    assert list(found.flips) == list(found.faults) == []
    assert found.sides["champion"].seconds["p50"] == 0.25
    assert 0 < found.sides["candidate"].seconds["p50"] < 0.25
    kept = pl.read_parquet(sorted((tmp_path / "shadow" / CANDIDATE).iterdir()))
    assert kept["request_id"].to_list() == ["two", "two", "one"]
    assert kept["candidate_prediction"].equals(kept["champion_prediction"].alias("candidate_prediction"))


def test_what_differs_is_counted(
    champion: Served, candidate: Served, records: Records, ask: Ask, tmp_path: Path
) -> None:
    """Other answers, refusals of one side and of both, each by the counts that were put in."""
    clerk = {**records[0], "job": "clerk"}
    one, two = ask(champion, [clerk]), ask(champion, [clerk, clerk])
    assert one.scores is not None
    assert two.scores is not None
    # What the champion told is moved by hand: half a point, and the other decision in one of two rows.
    moved = replace(
        one.scores, values=one.scores.values + np.array([[0.5, -0.5]]), decisions=1 - one.scores.decisions
    )
    refused = ask(champion, [{**clerk, "job": "diver"}])
    neither = refused._replace(status=422, rows=None, scores=None)
    found = shadowed(candidate, tmp_path, [one._replace(scores=moved), two, refused, neither])
    assert (found.n_requests, found.n_rows, found.n_other) == (4, 3, 1)
    told, other = (
        champion.bundle.target.classes[place] for place in (1 - moved.decisions[0], moved.decisions[0])
    )
    assert list(found.flips) == [Flip(str(other), str(told), 1)]
    assert found.differences["max"] == pytest.approx(0.5)
    assert found.differences["mean"] == pytest.approx(0.5 / 3)
    assert (found.only_champion, found.only_candidate) == (1, 0)
    assert (found.sides["champion"].refused, found.sides["candidate"].refused) == (1, 2)
    assert [(fault.what.partition(":")[0], fault.requests) for fault in found.faults] == [
        ("records[0].job", 1)
    ]


def test_a_fault_of_the_candidate_stays_its_own(
    champion: Served, make_served: Callable[..., Served], records: Records, ask: Ask, tmp_path: Path
) -> None:
    """A candidate that raises is counted as failed, with the name of its fault; nothing else happens."""

    class Broken(Served):
        def score(self, rows: Any) -> Any:
            raise ArithmeticError(rows.n)

    found = shadowed(Broken(make_served(CANDIDATE).bundle), tmp_path, [ask(champion, records[:1])])
    assert (found.sides["candidate"].failed, found.n_rows) == (1, 0)
    assert [(fault.what, fault.requests) for fault in found.faults] == [("ArithmeticError", 1)]


def test_numbers_are_compared(
    make_served: Callable[..., Served], ask: Ask, records: Records, tmp_path: Path
) -> None:
    """Of a continuous target there are no flips; what is the same but for the last digits is no other answer."""
    champion = make_served(task="regression")
    exchange = ask(champion, records[:4])
    assert exchange.scores is not None
    values = exchange.scores.values + np.array([0.0, 1e-12, 0.0, 2.0])
    scores = replace(exchange.scores, values=values, decisions=values)
    candidate = make_served(CANDIDATE, task="regression")
    found = shadowed(candidate, tmp_path, [exchange._replace(scores=scores)])
    assert (found.n_rows, found.n_other, list(found.flips)) == (4, 1, [])
    assert found.differences["max"] == pytest.approx(2.0)


def test_a_bad_candidate_is_refused_at_once(champion: Served, tiny: Any, tmp_path: Path) -> None:
    """Missed gates, another target, a changed byte, the champion itself: each is refused before it is asked."""
    cases: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
        "missed": ({"missed": ("roc_auc",)}, GateError, "were missed"),
        "other": ({"task": "regression"}, BundleError, "its answers can't be compared: the target"),
        "same": ({"model_version": CHAMPION}, BundleError, "this is the champion itself"),
        "changed": ({}, BundleError, "SHA-256"),
    }
    for name, (options, error, words) in cases.items():
        tiny.write_tiny(tmp_path / name, **{"model_version": CANDIDATE} | options)
        if name == "changed":
            with (tmp_path / name / "model.onnx").open("r+b") as file:
                file.write(b"x")
        with pytest.raises(error, match=words):
            shadow_of(tmp_path / name, champion.bundle)


def test_the_report_through_the_command(
    champion: Served,
    candidate: Served,
    records: Records,
    ask: Ask,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A name finds what was kept beside its runs, a folder what was kept there; both as tables and as JSON."""
    clerk = {**records[0], "job": "clerk"}
    shadowed(candidate, tmp_path / "runs" / "tiny", [ask(champion, [clerk])])
    assert main(["shadow", "report", "tiny", "--runs", str(tmp_path / "runs")]) == 0
    told = capsys.readouterr().out
    assert f"champion {CHAMPION}\nshadow   {CANDIDATE}\nrequests 1, from 2001-09-09 01:46:40" in told
    assert "0 of 1 rows have another (0.00%)" in told
    assert main(["shadow", "report", str(tmp_path / "runs" / "tiny"), "--json"]) == 0
    assert f'"candidate": "{CANDIDATE}"' in capsys.readouterr().out


def test_nothing_to_report(tmp_path: Path) -> None:
    """A folder without answers, or with a damaged file, is told as that."""
    with pytest.raises(RecipeError, match="there are no answers of a shadow in"):
        compare(tmp_path)
    (tmp_path / "some.parquet").write_bytes(b"no Parquet")
    with pytest.raises(DataError, match="these answers can't be read"):
        compare(tmp_path)
