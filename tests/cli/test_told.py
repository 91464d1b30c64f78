"""What people are told of runs: in tables that fit their terminal, with units, and with what to do next."""

from __future__ import annotations

import json
import os
import pty
import shutil
import termios
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from engine.cli import main
from engine.runs.folder import PARTIAL
from tests import warm

QUICK = ["compute=small", "evaluation=quick", "--quiet"]
PROFIT = [
    "schema.positive=yes",
    "goal.value={true_positive: 50, false_positive: -10, currency: EUR}",
    "goal.metric=profit",
    "goal.gates={profit: {min: 0}}",
]
IN_EUR = "profit (EUR per 1,000 cases)"


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mixed: ModuleType) -> str:
    """Write the mixed table and its recipe, and work beside them."""
    monkeypatch.chdir(tmp_path)
    path: Path = mixed.write(tmp_path)
    return path.name


def ran(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, str]:
    """Run with --json and return the document."""
    assert main(["run", *arguments, *QUICK, "--json"]) == code
    document: dict[str, str] = json.loads(capsys.readouterr().out)
    return document


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """Return what a command prints on stdout."""
    capsys.readouterr()
    assert main([*arguments]) == code
    return capsys.readouterr().out


def on_terminal(columns: int, *arguments: str) -> list[str]:
    """Return the lines that a terminal of so many columns shows of a command, without its colours."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb"}
    environment.pop("COLUMNS", None)
    process = warm.start(*arguments, out=theirs, environment=environment)
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # the other side is closed
        pass
    assert process.wait() == 0
    os.close(ours)
    return shown.decode().replace("\r\n", "\n").splitlines()


def test_a_worse_model_is_said_to_be_worse(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a baseline is clearly better `run` and `show` say so in the report's words; else they say nothing."""
    stump = ["model=random_forest", "model.params.n_estimators=1", "model.params.max_depth=1"]
    judged = ["evaluation=standard", "evaluation.pictures=false", "compute=small", "--quiet"]
    words = said(capsys, "run", recipe, *stump, *judged)
    (line,) = [line for line in words.splitlines() if line.startswith("note")]
    assert line.startswith("note     ROC AUC 0.")
    assert ": the model is worse; on the same rows their difference is -0." in line
    (against,) = [line for line in words.splitlines() if line.startswith("against")]
    assert against.startswith("against  constant: ")
    assert ", linear: worse (-0." in against
    assert against.endswith("]); the difference in roc_auc on the same rows")
    assert line in said(capsys, "show", "mixed@latest").splitlines()
    assert "the model is worse" not in said(capsys, "run", recipe, "model=logistic", *judged)


def test_profit_has_its_unit(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever profit is shown it is said what it is counted in, and the names in JSON stay as they are."""
    words = said(capsys, "run", recipe, *PROFIT, *QUICK)
    assert words.count(f"│ {IN_EUR} │") == 2
    assert f"│ {IN_EUR} │" in said(capsys, "show", "mixed@latest")
    assert f"┃ test {IN_EUR} ┃" in said(capsys, "runs")
    words = said(capsys, "run", recipe, "-m", "seed=0,1", *PROFIT, *QUICK)
    assert f"best first by validation {IN_EUR} (higher is better)" in words
    assert f"gates    {IN_EUR} at least 0\n" in said(capsys, "plan", recipe, *PROFIT)
    assert json.loads(said(capsys, "runs", "--json"))[0]["metric"] == "profit"


def test_the_latest_runs_are_listed_first(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Newest first, as many as asked, with how many more there are; for programs all, the oldest first."""
    ids = [ran(capsys, recipe, f"seed={seed}")["run"] for seed in range(3)]
    words = said(capsys, "runs")
    assert words.startswith("mixed: 3 runs, newest first\n")
    assert [words.index(run) for run in reversed(ids)] == sorted(words.index(run) for run in ids)
    words = said(capsys, "runs", "--limit", "2")
    assert words.startswith("mixed: the latest 2 of 3 runs, newest first\n")
    assert words.endswith("1 more: --limit 3 shows all\n")
    assert ids[0] not in words
    assert [run["run"] for run in json.loads(said(capsys, "runs", "--json"))] == ids
    assert [run["run"] for run in json.loads(said(capsys, "runs", "--json", "--limit", "1"))] == ids[2:]
    assert said(capsys, "runs", "none") == "no runs in runs\n"
    assert main(["runs", "--limit", "0"]) == 2
    message = "command line: --limit\n  '0' is not a number of runs: a whole number from 1\n"
    assert capsys.readouterr().err == message


def test_one_run_is_one(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of one there is no plural."""
    ran(capsys, recipe)
    assert said(capsys, "runs").startswith("mixed: 1 run, newest first\n")
    assert "in all   1 run, 1 fit, about " in said(capsys, "plan", recipe, "-m", "seed=0")


def test_runs_say_what_differs_and_no_more(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No null, nothing that is the same everywhere, keys by their shortest name, and an estimator by its own."""
    ran(capsys, recipe, "seed=1")
    ran(capsys, recipe, "seed=2", "compute.max_iterations=null", "name=other")
    ran(
        capsys, recipe, "model=sklearn", "model.estimator=GaussianNB", "compute.max_iterations=null", "seed=1"
    )
    lines = [line for line in said(capsys, "runs").splitlines() if line.startswith("│")]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]
    assert {(row[0], row[3], row[5]) for row in rows} == {
        ("mixed", "GaussianNB", ""),
        ("other", "logistic", ""),
        ("mixed", "logistic", "max_iterations=20"),
    }


def test_interrupted_runs_come_with_their_command(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Below a list with an interrupted run stands what finishes it."""
    done = Path(ran(capsys, recipe)["path"])
    assert "--resume" not in said(capsys, "runs")
    interrupted = done.with_name(f"20200101-000000-{done.name[-8:]}{PARTIAL}")
    interrupted.mkdir()
    shutil.copy(done / "recipe.yaml", interrupted)
    words = said(capsys, "runs")
    assert words.endswith("engine run --resume NAME@latest finishes the latest interrupted run of a name\n")


@pytest.mark.parametrize("columns", [80, 140])
def test_tables_fit_a_terminal(columns: int, recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is wider than the terminal, ids stay whole, and facts go on below themselves."""
    ids = [
        ran(capsys, recipe, "seed=1")["run"],
        ran(capsys, recipe, "model=sklearn", "model.estimator=ExtraTreesClassifier", "split.test=0.3")["run"],
    ]
    for arguments in (["runs"], ["plan", recipe, "evaluation=standard"], ["show", ids[0]], ["diff", *ids]):
        lines = on_terminal(columns, *arguments)
        assert max(map(len, lines)) <= columns
        assert any("│" in line for line in lines)
    listed = on_terminal(columns, "runs")
    assert [run for line in listed for run in ids if f"│ {run} │" in line] == ids[::-1]
    if columns == 80:
        planned = on_terminal(80, "plan", recipe, *QUICK, "seed=1")
        folded = [number for number, line in enumerate(planned) if line.startswith("before")]
        assert planned[folded[0] + 1].startswith(" " * 9)


def test_a_diff_begins_with_what_came_out(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Metrics, then what was chosen, another model's params in one row, no search space, short hashes."""
    first, second = ran(capsys, recipe)["run"], ran(capsys, recipe, "model=lightgbm", "seed=1")["run"]
    rows = [line.split("│")[1:-1] for line in said(capsys, "diff", first, second).splitlines() if "│" in line]
    about = [(row[0].strip(), row[1].strip()) for row in rows if row[0].strip()]
    assert about[0][0] == "metrics"
    chosen = [key for what, key in about if what == "recipe"]
    assert (chosen[0], chosen[-1]) == ("model.family", "model.params")
    assert not [key for key in chosen if key.startswith(("model.space", "model.params."))]
    assert "seed" in chosen
    hashes = [row[2].strip() for row in rows if "sha256" in row[1]]
    assert hashes
    assert {len(value) for value in hashes} == {13}
    told = json.loads(said(capsys, "diff", first, second, "--json"))
    assert max(len(item["first"]) for item in told if "sha256" in item["key"]) == 64
    assert [item for item in told if item["key"].startswith("model.params.")]


def test_one_model_s_params_have_their_rows(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Within one family each param that was changed is told by its key."""
    first, second = ran(capsys, recipe)["run"], ran(capsys, recipe, "model.params.C=0.5")["run"]
    assert "│ model.params.C " in said(capsys, "diff", first, second)


def test_predictions_of_a_run_that_missed_say_so(
    recipe: str, mixed: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """`predict` scores with a run that missed its gates, and says in one line that it did."""
    mixed.frame("binary").drop("outcome").write_parquet("new.parquet")
    for gate, code in ((1, 4), (0, 0)):
        run = ran(capsys, recipe, f"goal.gates={{roc_auc: {{min: {gate}}}}}", code=code)["run"]
        assert main(["predict", run, "new.parquet", "-o", "out.csv", "--quiet"]) == 0
        note = f"note: run {run} missed its gates; engine show {run} tells which\n"
        assert capsys.readouterr().err == (note if code else "")
        assert pl.read_csv("out.csv").height == 600


@pytest.mark.parametrize(
    ("given", "left_out"),
    [
        (["mixed.yaml"], "mixed.yaml"),
        (["mixed.yaml", "seed=1", "goal.statement=a b", "-m"], "mixed.yaml seed=1 'goal.statement=a b' -m"),
    ],
)
def test_resume_takes_no_recipe(given: list[str], left_out: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What `--resume` can't take with it is named, and the command that works is told."""
    assert main(["run", *given, "--resume", "mixed@latest"]) == 2
    assert capsys.readouterr().err == (
        "command line\n"
        f"  --resume finishes one run, and takes its recipe from that run: leave out {left_out}\n"
        "  try: engine run --resume mixed@latest\n"
    )
