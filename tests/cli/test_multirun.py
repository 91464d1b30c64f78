from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from engine import load
from engine.cli import main
from engine.cli.workers import Ended, Job, Started, work
from engine.runs.folder import PARTIAL
from engine.runs.steps import TIMED
from tests import warm

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
QUICK = ["compute=small", "evaluation=quick"]
# Minutes of trees, none of which costs more than a moment: a fit that any signal finds at work.
LONG = ["model.params.n_estimators=1000000", "model.params.early_stopping_rounds=1000000"]
LONG += ["compute.max_iterations=1000000", "compute.threads=1", "evaluation=quick"]
# What of a run the clock has no part in.
DECIDED = ("recipe.json", "data.json", "metrics.json", "predictions.parquet", "bundle/model.onnx")


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Copy the penguins and their recipe, and work beside them."""
    monkeypatch.chdir(tmp_path)
    return lay_out(tmp_path)


def lay_out(folder: Path) -> str:
    """Copy the penguins and their recipe into a folder, and beside them a table with one wrong value."""
    (folder / "data").mkdir()
    shutil.copy(RECIPES / "penguins.yaml", folder)
    good = (RECIPES / "data" / "penguins.csv").read_text()
    (folder / "data" / "penguins.csv").write_text(good)
    (folder / "data" / "bad.csv").write_text(good.replace("Gentoo", "Emperor", 1))
    return "penguins.yaml"


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[dict[str, object]]:
    """Run a multirun with --json and return its list."""
    assert main(["run", *arguments, *QUICK, "-m", "--json", "--quiet"]) == code
    document = json.loads(capsys.readouterr().out)
    assert isinstance(document, list)
    return document


def run_folders() -> list[Path]:
    """Return every run's folder, whole or not, oldest first."""
    return sorted(Path("runs").glob("*/2*"))


def children(parent: int) -> list[int]:
    """Return the processes that a process has started and that are still there."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == parent and words[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def wait_for(what: Callable[[], object], *, limit_s: float = 60) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_stopped(process: int) -> bool:
    """Tell whether the kernel keeps a process still."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def goes_on(process: int) -> bool:
    """Tell whether a process is there and not kept still."""
    return not gone(process) and not is_stopped(process)


def gone(process: int) -> bool:
    """Tell whether a process has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_mistake_of_the_recipe_is_said_once(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong with every combination is one error, exit 2, before anything is trained."""
    arguments = ["run", recipe, "-m", "seed=0,1,2", "goal.metrik=accuracy"]
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("'metrik' is not a key of goal") == 1
    assert main([*arguments, "--json"]) == 2
    (message,) = json.loads(capsys.readouterr().out)["error"]["messages"]
    assert message["key"] == "goal.metrik"
    assert not Path("runs").exists()


def test_missing_data_is_said_once(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The data's header is looked at before the first run: exit 3, one message."""
    assert main(["run", recipe, "-m", "seed=0,1", "data.path=data/none.csv"]) == 3
    assert capsys.readouterr().err == "data.path\n  there is no file 'data/none.csv'\n"
    assert not Path("runs").exists()


def test_wrong_combinations_stop_no_others(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong is said first, and again below the table, each mistake once, whole, with who has it."""
    assert main(["run", recipe, "-m", "model=logistic,ridge", "seed=0,1,0", *QUICK]) == 2
    said = capsys.readouterr()
    before, _, _ = said.err.partition("note: run 1 of 2: model=logistic seed=0")
    assert before.startswith(
        "wrong in 2 of 4: model=ridge seed=0; model=ridge seed=1\n\n"
        "command line: model\n  ridge does not do classification\n"
    )
    assert said.err.count("ridge does not do classification") == 1
    lines = said.out.splitlines()
    assert [line.split()[1:3] for line in lines if "│ model=ridge" in line] == [
        ["model=ridge", "seed=0"],
        ["model=ridge", "seed=1"],
    ]
    wrong, _, _ = before.removeprefix("wrong in ").partition("\nnote: ")
    assert said.out.endswith(f"\n\nfailed in {wrong}")
    assert wrong.endswith("\n  try: engine options model\n")
    assert said.out.count("ridge does not do classification") == 1
    assert "…" not in said.out
    assert "all with compute=small evaluation=quick" in lines


def test_the_best_run_stands_first(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs are ranked by the goal's metric on validation rows, whichever way the metric points."""
    for metric, sign in (("log_loss", 1), ("accuracy", -1)):
        goal = [f"goal.metric={metric}", "goal.gates=null"]
        values = "model.params.C=0.0001,1,0.01"
        outcomes = told(capsys, recipe, values, *goal)
        scores = {
            str(outcome["overrides"][0]): outcome["metrics"]["validation"][metric]["value"]  # type: ignore[index]
            for outcome in outcomes
        }
        assert main(["run", recipe, "-m", values, *goal, *QUICK, "--quiet", "--skip-finished"]) == 0
        out = capsys.readouterr().out
        shown = [line.split()[1] for line in out.splitlines() if "│ model.params.C" in line]
        assert shown == sorted(scores, key=lambda one: sign * scores[one])
        assert f"best first by validation {metric}" in out
    assert len(set(scores.values())) > 1


def test_runs_that_passed_stand_before_those_that_missed(
    recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """However well it scores, a run that can't be packaged is not the best."""
    bounds = ",".join(f"{{accuracy: {{min: 0.1}}, log_loss: {{max: {most}}}}}" for most in (0.0, 9.0))
    gates = [f"goal.gates={bounds}", "model.params.C=1,0.001"]
    assert main(["run", recipe, "-m", *gates, *QUICK, "--quiet"]) == 4
    out = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│")[2:5]] for line in out.splitlines() if "│ 20" in line]
    assert [row[2] for row in rows] == ["passed", "passed", "missed", "missed"]
    scores = [float(row[0]) for row in rows]
    assert scores[0] == scores[2] < scores[1] == scores[3]
    assert "best first by validation log_loss (lower is better); runs that missed a gate stand last\n" in out


def test_seeds_are_put_together(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each combination of the other axes has its mean, lowest and highest over the seeds, the best mean first."""
    given = [recipe, "seed=0,1,2", "model=random_forest,logistic", "goal.gates={log_loss: {max: 0.065}}"]
    outcomes = told(capsys, *given, code=4)
    together = {json.dumps(outcome["over_seeds"]) for outcome in outcomes}
    assert len(together) == 2
    for group in map(json.loads, together):
        runs = [one for one in outcomes if json.loads(json.dumps(one["over_seeds"])) == group]
        assert (group["n_runs"], group["n_failed"]) == (3, 0)
        assert group["n_passed"] == sum(one["gates"]["passed"] for one in runs)  # type: ignore[index]
        assert group["overrides"] == [word for word in runs[0]["overrides"] if not word.startswith("seed=")]  # type: ignore[attr-defined]
        for part in ("validation", "test"):
            values = [one["metrics"][part]["log_loss"]["value"] for one in runs]  # type: ignore[index]
            assert group[part] == {
                "mean": pytest.approx(sum(values) / 3, rel=1e-15),
                "low": min(values),
                "high": max(values),
            }
    assert main(["run", *given, *QUICK, "-m", "--quiet", "--skip-finished"]) == 4
    _, _, below = capsys.readouterr().out.partition(
        "over the seeds: mean (lowest to highest), best mean first"
    )
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in below.splitlines() if "│" in line]
    best, worst = sorted(map(json.loads, together), key=lambda group: group["validation"]["mean"])
    assert [row[0] for row in rows] == [
        next(word for word in group["overrides"] if word.startswith("model=")) for group in (best, worst)
    ]
    shown = [
        f"{best[part]['mean']:.5g} ({best[part]['low']:.5g} to {best[part]['high']:.5g})"
        for part in ("validation", "test")
    ]
    assert rows[0][1:] == [*shown, f"{best['n_passed']} of 3"]
    assert below.endswith(
        "each seed also splits the rows in another way: a single run may owe its place to its seed\n"
    )


def test_without_seeds_there_is_nothing_to_put_together(
    recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One seed, however often it is written, is no axis."""
    assert [
        "over_seeds" in outcome for outcome in told(capsys, recipe, "seed=1,1", "model.params.C=1,2")
    ] == [False] * 2
    once = ["seed=1", "model.params.C=1,2", "--skip-finished"]
    assert main(["run", recipe, "-m", *once, *QUICK, "--quiet"]) == 0
    assert "over the seeds" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        (["seed=0,1"], 0),
        (["goal.gates.accuracy.min=0.5,1.1"], 2),
        (["goal.gates={accuracy: {min: 0.5}},{accuracy: {min: 1.0}, log_loss: {max: 0.0}}"], 4),
        (["goal.gates={accuracy: {min: 1.0}, log_loss: {max: 0.0}}", "model=logistic,ridge"], 2),
        (["model=ridge,logistic", "data.path=data/bad.csv,data/penguins.csv"], 2),
        (["data.path=data/penguins.csv,data/bad.csv", "model=logistic,ridge"], 2),
        (["data.path=data/penguins.csv,data/bad.csv"], 3),
    ],
)
def test_the_first_failure_gives_the_exit_code(
    recipe: str, overrides: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is the first failure's in the order asked, else 4 where a gate was missed, else 0."""
    assert main(["run", recipe, "-m", *overrides, *QUICK, "--quiet"]) == code
    capsys.readouterr()


def test_the_same_failure_is_told_whole_once(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that fails in the words of another says so in one line; below the table it is said of both."""
    text = Path("data/penguins.csv").read_text().replace("Gentoo", "Emperor", 1)
    Path("data/penguins.csv").write_text(text)
    assert main(["run", recipe, "-m", "seed=0,1", *QUICK]) == 3
    said = capsys.readouterr()
    assert "seed=0 failed\n\n" in said.err
    assert said.err.count("(row 153: Emperor)") == 1
    assert "seed=1 failed as seed=0 did\n" in said.err
    assert [line for line in said.out.splitlines() if line.startswith("failed")] == [
        "failed in every combination"
    ]
    assert said.out.count("(row 153: Emperor)") == 1
    assert run_folders() == []


def test_the_same_recipe_is_run_once(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Values listed twice, and values that come to the same recipe, are one run."""
    assert len(told(capsys, recipe, "seed=1,1")) == 1
    assert main(["run", recipe, "-m", "compute.parallel_runs=1,2", *QUICK]) == 0
    note = "note: 'compute.parallel_runs=2' is the same recipe as 'compute.parallel_runs=1', left out\n"
    assert note in capsys.readouterr().err
    assert len(run_folders()) == 2


def test_finished_runs_are_skipped_where_asked(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--skip-finished` takes runs of the same recipe and data, and runs again what has changed."""
    (first,) = told(capsys, recipe, "seed=1")
    both = told(capsys, recipe, "seed=1,2", "--skip-finished")
    assert {key: value for key, value in both[0].items() if key != "over_seeds"} == first
    assert len(run_folders()) == 2
    assert main(["run", recipe, "-m", "seed=1,2,3", *QUICK]) == 0
    note = "note: 2 of 3 combinations have finished runs that were the same; --skip-finished takes those\n"
    assert note in capsys.readouterr().err
    assert len(run_folders()) == 5
    data = Path("data/penguins.csv")
    data.write_text(data.read_text().rstrip().rpartition("\n")[0] + "\n")
    again = told(capsys, recipe, "seed=1", "--skip-finished")
    assert again[0]["run"] != first["run"]
    assert len(run_folders()) == 6
    assert main(["run", recipe, "--skip-finished"]) == 2
    assert capsys.readouterr().err == ("command line\n  --skip-finished belongs to -m\n  try: engine runs\n")


@dataclass
class Swept:
    """What two commands say of the same combinations, one after another and side by side."""

    folder: Path
    in_turn: list[dict[str, object]]
    beside: list[dict[str, object]]
    told: str


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Swept:
    """Run good and bad combinations in both ways."""
    folder = tmp_path_factory.mktemp("swept")
    sweep = ["data.path=data/penguins.csv,data/bad.csv", "model=logistic,random_forest,lightgbm"]
    command = ["run", lay_out(folder), *sweep, *QUICK, "-m", "--json"]
    in_turn = warm.start(*command, "compute.parallel_runs=1", "--quiet", cwd=folder)
    listed = json.loads(in_turn.communicate()[0])
    beside = warm.start(*command, "compute.parallel_runs=2", cwd=folder)
    out, told = beside.communicate()
    assert in_turn.poll() == beside.poll() == 3
    return Swept(folder, listed, json.loads(out), told)


def test_side_by_side_is_the_same_bit_for_bit(swept: Swept) -> None:
    """Runs side by side have the very scores, predictions and models of runs one after another."""
    good = list(zip(swept.in_turn[:3], swept.beside[:3], strict=True))
    for one, other in good:
        assert one["run"] != other["run"]
        for file in DECIDED:
            paths = [swept.folder / str(done["path"]) / file for done in (one, other)]
            assert paths[0].read_bytes() == paths[1].read_bytes(), (one["overrides"], file)
    assert len({str(done["run"]) for pair in good for done in pair}) == 6
    assert not list((swept.folder / "runs").glob("*/*.lock"))


def test_side_by_side_tells_who_is_where(swept: Swept) -> None:
    """Elsewhere than on a terminal each line of progress begins with its run."""
    for turn, model in enumerate(("logistic", "random_forest", "lightgbm"), start=1):
        label = f"data.path=data/penguins.csv model={model}"
        mine = [
            line.removeprefix(f"[{turn}/6] ") for line in swept.told.splitlines() if f"[{turn}/6]" in line
        ]
        assert mine[0] == label
        assert [line.split("  ")[0] for line in mine[1:4]] == ["read and check", "split", "profile"]
        assert mine[-1].startswith(f"{label}: done, ")


def test_a_failure_beside_others_is_told_as_in_turn(swept: Swept) -> None:
    """An error crosses from a worker whole, and the runs beside it are finished."""
    assert [one["error"] for one in swept.beside[3:]] == [one["error"] for one in swept.in_turn[3:]]
    assert "(row 153: Emperor)" in str(swept.beside[3]["error"])
    assert [one["metrics"] for one in swept.beside[:3]] == [one["metrics"] for one in swept.in_turn[:3]]


def test_a_killed_worker_costs_its_own_run(recipe: str) -> None:
    """A worker that is killed is one failed run, left interrupted; the others go on, in its place too.

    Latency, which a gate may bound, is measured while every other worker is stopped, and they go on after.
    """
    import multiprocessing

    specs = [load(recipe, ["model=lightgbm", *LONG])]
    specs += [load(recipe, [f"seed={seed}", *QUICK]) for seed in (0, 1, 2)]
    jobs = [Job(number, spec) for number, spec in enumerate(specs)]
    ended: dict[int, Ended] = {}
    n_still = 0
    for number, event in work(jobs, n_workers=2, with_progress=False):
        victims = [one.pid for one in multiprocessing.active_children() if one.name == "run 0" and one.pid]
        if event == Started(TIMED) and victims:
            wait_for(partial(is_stopped, victims[0]))
            n_still += 1
        if isinstance(event, Ended):
            if not ended:
                wait_for(partial(goes_on, victims[0]))
                os.kill(victims[0], signal.SIGKILL)
            ended[number] = event
    assert n_still == 1
    assert str(ended[0].error) == (
        "the run's process was ended by SIGKILL (the system does so when memory runs out)\n"
        "  try: engine runs, then engine run --resume RUN; fewer compute.parallel_runs"
    )
    assert [ended[number].error for number in (1, 2, 3)] == [None, None, None]
    assert sorted(folder.name.endswith(PARTIAL) for folder in run_folders()) == [False] * 3 + [True]
    assert multiprocessing.active_children() == []


def start_long(recipe: str) -> warm.Command:
    """Start two long runs side by side, and wait until both are at work."""
    arguments = ["run", recipe, "-m", "model=lightgbm", "seed=0,1", "compute.parallel_runs=2", *LONG]
    process = warm.start(*arguments, "--quiet", own_session=True)
    wait_for(lambda: len(list(Path("runs").glob(f"*/*{PARTIAL}/data.json"))) == 2, limit_s=120)
    return process


@pytest.mark.slow
@pytest.mark.parametrize("reaches_workers", [True, False])
def test_ctrl_c_stops_every_worker(
    reaches_workers: bool,
    recipe: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A stop by the user: exit 130, what was begun and how it goes on, no process left."""
    process = start_long(recipe)
    workers = children(process.pid)
    if reaches_workers:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGTERM)
    out, said = process.communicate(timeout=60)
    assert process.poll() == 130
    ids = [folder.name.removesuffix(PARTIAL) for folder in run_folders()]
    assert said == (
        f"stopped by the user; 2 runs are kept as far as they came: {', '.join(ids)}\n"
        "  try: engine run --resume RUN, then the same command with --skip-finished\n"
    )
    assert out == ""
    assert len(workers) >= 2
    wait_for(lambda: all(gone(worker) for worker in workers), limit_s=5)
    assert main(["runs", "--json"]) == 0
    assert [run["state"] for run in json.loads(capsys.readouterr().out)] == ["interrupted"] * 2
    assert main(["runs"]) == 0
    capsys.readouterr()


@pytest.mark.slow
def test_workers_end_with_a_command_that_is_killed(recipe: str) -> None:
    """Where the command itself is killed, and can stop nobody, no worker goes on."""
    process = start_long(recipe)
    workers = children(process.pid)
    process.kill()
    try:
        wait_for(lambda: all(gone(worker) for worker in workers), limit_s=10)
    finally:
        # One that does go on would do so for hours.
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
    process.wait()
    assert len(workers) >= 2
    assert all(folder.name.endswith(PARTIAL) for folder in run_folders())


def test_the_latest_interrupted_run_is_resumed(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--resume NAME@latest` finishes the latest run that was interrupted, whatever finished after it."""
    (whole,) = told(capsys, recipe, "seed=1")
    finished = Path(str(whole["path"]))
    for day in ("20200101", "20200102"):
        interrupted = finished.with_name(f"{day}-000000-{finished.name[-8:]}{PARTIAL}")
        interrupted.mkdir()
        shutil.copy(finished / "recipe.yaml", interrupted)
    assert main(["run", "--resume", "penguins@latest", "--json", "--quiet"]) == 0
    resumed = json.loads(capsys.readouterr().out)
    assert resumed["run"] == f"20200102-000000-{finished.name[-8:]}"
    assert resumed["metrics"] == whole["metrics"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{run}", "run {run} is finished: there is nothing to resume\n  try: engine show {run}\n"),
        (
            "penguins@latest",
            "no run of 'penguins' was interrupted: all are finished, and there is nothing to resume\n"
            "  try: engine runs penguins\n",
        ),
        (
            "penguin@latest",
            "there is no run of 'penguin' in runs\n  did you mean 'penguins'?\n  try: engine runs\n",
        ),
        ("none", "there is no interrupted run 'none' in runs\n  try: engine runs\n"),
        ("{locked}", "run {locked} is still at work\n  try: engine runs\n"),
    ],
)
def test_what_can_not_be_resumed_is_said(
    recipe: str, given: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A finished run, one at work, and a name without an interrupted run: one message, exit 2."""
    from engine import durable

    (whole,) = told(capsys, recipe, "seed=1")
    run = str(whole["run"])
    locked = f"20300101-000000-{run[-8:]}"
    names = {"run": run, "locked": locked}
    half = Path(str(whole["path"])).with_name(f"{locked}{PARTIAL}")
    if "locked" in given:
        half.mkdir()
        (half / "recipe.yaml").touch()
    with durable.locked(half.with_name(f".{locked}.lock")):
        assert main(["run", "--resume", given.format(**names)]) == 2
    assert capsys.readouterr().err == words.format(**names)


def test_runs_tell_what_sets_them_apart(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`engine runs` shows of each run the keys that differ, a family's own among its family only."""
    told(capsys, recipe, "model=logistic,random_forest", "seed=0,1")
    told(capsys, recipe, "model.params.C=0.5")
    assert main(["runs", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(run["model"], run["differs"]) for run in listed] == [
        ("logistic", {"model.params.C": "1.0", "seed": "0"}),
        ("logistic", {"model.params.C": "1.0", "seed": "1"}),
        ("random_forest", {"seed": "0"}),
        ("random_forest", {"seed": "1"}),
        ("logistic", {"model.params.C": "0.5", "seed": "0"}),
    ]
    assert main(["runs"]) == 0
    assert "params.C=0.5 seed=0" in capsys.readouterr().out


def test_odd_recipes_are_short_errors(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder, a file that is no recipe and a near name are told in two or three lines."""
    cases = {
        ".": f". is a folder, not a recipe\n  allowed: {recipe}\n  try: engine run RECIPE\n",
        "data/penguins.csv": (
            "data/penguins.csv is not a recipe: a recipe is a file that ends in .yaml\n"
            "  try: engine init data/penguins.csv --target COLUMN\n"
        ),
        "penguin.yaml": "no recipe at 'penguin.yaml'\n  did you mean 'penguins.yaml'?\n",
    }
    for given, words in cases.items():
        assert main(["run", given]) == 2
        assert capsys.readouterr().err == words


def test_a_search_that_is_stopped_stops_the_runs_after_it(recipe: str) -> None:
    """Ctrl-C amid a search: that run keeps its best, no other is begun, and the exit code is that of a stop."""
    search = ["tune=random", "tune.trials=5000", "compute.executor=local", "compute.parallel_runs=1"]
    process = warm.start("run", recipe, *QUICK, "-m", "seed=0,1,2", "--quiet", *search)
    while process.poll() is None and not any(
        path.read_text().count('"outcome"') > 1 for path in Path("runs").glob("*/*/trials.jsonl")
    ):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.poll() == 130, err
    (folder,) = run_folders()
    assert not folder.name.endswith(PARTIAL)
    assert "seed=0" in out
    assert err.splitlines()[-2:] == [
        "stopped by the user: 2 combinations not begun",
        f"  try: engine run --resume {folder.name}, then the same command with --skip-finished",
    ]
