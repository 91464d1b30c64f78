"""The champion of a name: who is it, who made it that, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from engine.cli import main
from engine.durable import append_journal, locked
from engine.errors import BundleError, EngineError, GateError, RecipeError
from engine.runs.champion import back, promote, read_promotions
from engine.runs.run import Run, find_champion, find_run

MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(tiny: ModuleType, tmp_path: Path) -> MakeRun:
    """Give a function that makes a run folder of the name `tiny` with a bundle in it."""

    def make(run: str, **options: object) -> Run:
        folder = tmp_path / "runs" / "tiny" / run
        folder.mkdir(parents=True)
        tiny.write_tiny(folder / "bundle", model_version=run, **options)
        (folder / "facts.json").write_text("{}")
        return Run(folder)

    return make


def test_promotions_are_a_line_each(make_run: MakeRun, tmp_path: Path) -> None:
    """The run that was promoted last is the champion, and the journal says who made it that, and why."""
    one, two = make_run("20260101-000000-aaaaaaaa"), make_run("20260101-000001-bbbbbbbb")
    root, folder = tmp_path / "runs", tmp_path / "runs" / "tiny"
    with pytest.raises(RecipeError, match=r"no run of 'tiny' in .* was promoted yet"):
        find_run("tiny@champion", root=root)
    promote(one, why="the first")
    assert find_run("tiny@champion", root=root).id == one.id
    made = promote(two, why="better by 2 points")
    assert (made.before, made.is_back, made.why) == (one.id, False, "better by 2 points")
    assert find_run("tiny@champion", root=root).id == two.id
    assert [each.run for each in read_promotions(folder)] == [one.id, two.id]
    assert all(each.who for each in read_promotions(folder))
    with pytest.raises(RecipeError, match="is the champion of 'tiny' already"):
        promote(two, why="again")


def test_a_user_without_a_name_promotes(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the machine has no name for the user, as in many a container, the journal has the number."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    assert promote(make_run("20260101-000000-aaaaaaaa"), why="the first").who == "4000000000"


def test_back_goes_back_one_at_a_time(make_run: MakeRun, tmp_path: Path) -> None:
    """Back is the champion before, twice is the one before that, and after a step on it counts anew."""
    runs = [make_run(f"20260101-00000{n}-aaaaaaa{n}") for n in range(4)]
    ids, folder = [run.id for run in runs], tmp_path / "runs" / "tiny"
    for run in runs[:3]:
        promote(run, why="next")
    assert back(folder, why="worse").run == ids[1]
    assert back(folder, why="worse").run == ids[0]
    with pytest.raises(RecipeError, match="there is no champion of 'tiny' before this one"):
        back(folder, why="worse")
    promote(runs[3], why="mended")
    assert back(folder, why="no").run == ids[0]
    assert find_champion(folder) == ids[0]


def test_what_may_not_serve_is_not_promoted(make_run: MakeRun) -> None:
    """A missed gate or a changed file is refused, and the champion stays."""
    good = make_run("20260101-000000-aaaaaaaa")
    missed = make_run("20260101-000001-bbbbbbbb", missed=("roc_auc",))
    changed = make_run("20260101-000002-cccccccc")
    model = changed.path / "bundle" / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    promote(good, why="the first")
    with pytest.raises(GateError):
        promote(missed, why="hurry")
    with pytest.raises(BundleError, match="SHA-256 is not the one in the manifest"):
        promote(changed, why="hurry")
    assert [each.run for each in read_promotions(good.path.parent)] == [good.id]


def test_a_line_cut_short_was_not_written(make_run: MakeRun) -> None:
    """A promotion that a kill has cut short did not happen, and the next one is a line of its own."""
    one, two = make_run("20260101-000000-aaaaaaaa"), make_run("20260101-000001-bbbbbbbb")
    promote(one, why="the first")
    journal = one.path.parent / "champions.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"run": "20260101-000001-b')
    assert find_champion(one.path.parent) == one.id
    promote(two, why="next")
    assert [each.run for each in read_promotions(one.path.parent)] == [one.id, two.id]


def test_one_promotion_at_a_time(make_run: MakeRun) -> None:
    """While another process promotes, a second one is told so."""
    run = make_run("20260101-000000-aaaaaaaa")
    with locked(run.path.parent / ".champions.lock"), pytest.raises(EngineError, match="another process"):
        promote(run, why="at once")


def test_a_champion_that_is_gone(make_run: MakeRun, tmp_path: Path) -> None:
    """A champion whose folder is gone is told as such."""
    run = make_run("20260101-000000-aaaaaaaa")
    append_journal(
        run.path.parent / "champions.jsonl",
        {"run": "gone", "before": None, "who": "a", "why": "b", "when": "c", "back": False},
    )
    with pytest.raises(RecipeError, match="the champion gone is no longer there"):
        find_run("tiny@champion", root=tmp_path / "runs")


def test_back_from_a_champion_that_is_gone(make_run: MakeRun, tmp_path: Path) -> None:
    """Where the champion's folder was removed, the one before it serves again."""
    one, two = make_run("20260101-000000-aaaaaaaa"), make_run("20260101-000001-bbbbbbbb")
    promote(one, why="the first")
    promote(two, why="next")
    shutil.rmtree(two.path)
    runs = ["--runs", str(tmp_path / "runs")]
    assert main(["promote", "tiny@champion", *runs, "--why", "it is gone", "--back"]) == 0
    assert find_run("tiny@champion", root=tmp_path / "runs").id == one.id


def test_a_line_that_is_no_promotion(tmp_path: Path) -> None:
    """A line of other keys is told as such, whoever asks."""
    append_journal(tmp_path / "champions.jsonl", {"why": "no run"})
    with pytest.raises(EngineError, match="the last line names no run"):
        find_champion(tmp_path)
    with pytest.raises(EngineError, match="a line has no 'run', and is no promotion"):
        read_promotions(tmp_path)


def test_the_command(make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`engine promote` asks for a reason, promotes, and goes back."""
    one, two = make_run("20260101-000000-aaaaaaaa"), make_run("20260101-000001-bbbbbbbb")
    runs = ["--runs", str(tmp_path / "runs")]
    assert main(["promote", one.id, *runs]) == 2
    assert capsys.readouterr().err == (
        f"command line: --why\n  a promotion needs a reason\n  try: engine promote {one.id} --why TEXT\n"
    )
    assert main(["promote", "tiny@champion", "--back", *runs]) == 2
    assert capsys.readouterr().err.endswith("  try: engine promote tiny@champion --back --why TEXT\n")
    assert main(["promote", one.id, *runs, "--why", "first"]) == 0
    assert main(["promote", "tiny@latest", *runs, "--why", "second", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.partition("champions.jsonl\n")[2])
    assert (told["name"], told["run"], told["before"]) == ("tiny", two.id, one.id)
    assert main(["promote", "tiny@champion", *runs, "--why", "worse", "--back"]) == 0
    assert capsys.readouterr().out.startswith(f"champion  tiny: {one.id} in place of {two.id}\n")
    assert main(["show", "tiny@champio", *runs]) == 2
    assert "did you mean 'champion'?" in capsys.readouterr().err
