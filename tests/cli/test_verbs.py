from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from engine.cli import main
from engine.runs.folder import PARTIAL
from tests import warm

# A fit that any moment finds at work.
LONG = ["model=mlp", "model.params.max_epochs=5000", "model.params.patience=5000"]
LONG += ["compute.max_iterations=5000"]


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mixed: ModuleType) -> Path:
    """Write the mixed table and its recipe, and work beside them."""
    monkeypatch.chdir(tmp_path)
    path: Path = mixed.write(tmp_path)
    return path


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> object:
    """Run a verb with --json and return its document."""
    assert main([*arguments, "--json", "--quiet"]) == code
    return json.loads(capsys.readouterr().out)


def whole_runs() -> list[Path]:
    """Return the folders that could be taken for finished runs."""
    return [run for run in Path("runs").glob("*/*") if run.is_dir() and not run.name.endswith(PARTIAL)]


def test_a_day_with_the_engine(recipe: Path, mixed: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """run, runs, show, diff, verify, predict, package: each answers for the same run, as JSON."""
    first = told(capsys, "run", str(recipe))
    assert isinstance(first, dict)
    assert set(first) == {"run", "path", "metrics", "gates", "search"}
    second = told(capsys, "run", str(recipe), "model=lightgbm")
    assert isinstance(second, dict)
    listed = told(capsys, "runs")
    assert isinstance(listed, list)
    assert [(run["run"], run["state"], run["model"]) for run in listed] == [
        (first["run"], "passed", "logistic"),
        (second["run"], "passed", "lightgbm"),
    ]
    shown = told(capsys, "show", "mixed@latest")
    assert isinstance(shown, dict)
    assert shown["run"] == second["run"]
    assert shown["facts"]["model"]["family"] == "lightgbm"
    differences = told(capsys, "diff", first["run"], second["run"])
    assert isinstance(differences, list)
    assert {
        "about": "recipe",
        "key": "model.family",
        "first": "logistic",
        "second": "lightgbm",
    } in differences
    assert not [item for item in differences if item["about"] in ("data", "code", "versions")]
    verified = told(capsys, "verify", first["run"])
    assert isinstance(verified, dict)
    assert verified["verified"] is True

    frame = mixed.frame("binary", seed=5).drop("outcome")
    frame.write_parquet("new.parquet")
    scored = told(capsys, "predict", first["run"], "new.parquet", "-o", "out.csv")
    assert isinstance(scored, dict)
    assert scored["rows"] == 600
    out = pl.read_csv("out.csv")
    assert out.columns == ["id", "prediction", "probability_no", "probability_yes"]
    assert out["id"].to_list() == frame["id"].to_list()
    cluster = (
        "deploy=kubernetes",
        "deploy.kubernetes.memory_mib=256",
        "deploy.kubernetes.registry=a.example",
    )
    packaged = told(capsys, "package", first["run"], *cluster, "-o", "bentos")
    assert isinstance(packaged, dict)
    assert Path(packaged["archive"]).is_file()
    assert [
        f"image: a.example/mixed:{first['run']}" in Path(path).read_text() for path in packaged["manifests"]
    ] == [True] * 2
    assert not [
        path for path in Path(packaged["folder"]).rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")
    ]


def test_multirun_compares_and_goes_on_after_a_failure(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every combination is run; one that fails is reported and does not stop the others."""
    outcomes = told(capsys, "run", str(recipe), "-m", "model=logistic,ridge", "seed=0,1", code=2)
    assert isinstance(outcomes, list)
    assert [outcome["overrides"] for outcome in outcomes] == [
        [f"model={model}", f"seed={seed}"] for model in ("logistic", "ridge") for seed in (0, 1)
    ]
    assert [sorted(outcome) for outcome in outcomes[:2]] == [
        ["gates", "metrics", "over_seeds", "overrides", "path", "run", "search"]
    ] * 2
    assert [outcome["error"]["code"] for outcome in outcomes[2:]] == [2, 2]
    assert (
        main(["run", str(recipe), "-m", "model=logistic,random_forest", "evaluation=quick", "--quiet"]) == 0
    )
    table = capsys.readouterr().out
    assert "model=logistic" in table
    assert "all with evaluation=quick" in table


def test_a_missed_gate_is_exit_4_and_no_package(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missed gate: exit 4, the run kept and marked, package and serve refuse with exit 4."""
    missed = told(capsys, "run", str(recipe), "goal.gates={roc_auc: {min: 1}}", code=4)
    assert isinstance(missed, dict)
    assert missed["gates"]["passed"] is False
    for verb in (["package", "mixed@latest"], ["serve", "mixed@latest", "--port", "0"]):
        error = told(capsys, *verb, code=4)
        assert isinstance(error, dict)
        assert "can't be packaged or served" in error["error"]["messages"][0]["what"]
    assert not Path("bentos").exists() or not list(Path("bentos").iterdir())


def test_plan_trains_nothing_and_tells_origins(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The plan tells steps, fits, how the model is written, and where each value stands."""
    plan = told(capsys, "plan", str(recipe), "seed=3", "--origins")
    assert isinstance(plan, dict)
    assert plan["deployed_as"] == "graph"
    assert plan["n_fits"] == 1
    origins = {origin["key"]: origin["from"] for origin in plan["origins"]}
    assert origins["seed"] == "command line"
    assert origins["name"] == "mixed.yaml:2"
    assert origins["compute.threads"].endswith("conf/compute/small.yaml:5")
    assert not Path("runs").exists()


@pytest.mark.usefixtures("recipe")
def test_options_lists_groups_options_and_files(capsys: pytest.CaptureFixture[str]) -> None:
    """`options` tells the groups, a group's options, and one option's file; a wrong name gets the nearest."""
    groups = told(capsys, "options")
    assert isinstance(groups, dict)
    assert {"model", "task", "split"} <= set(groups["groups"])
    assert main(["options", "model/lightgbm"]) == 0
    assert "family: lightgbm" in capsys.readouterr().out
    assert main(["options", "modle"]) == 2
    assert "did you mean 'model'?" in capsys.readouterr().err


@pytest.mark.parametrize("delay_s", [0.1, 0.4, 1.2])
def test_kill_leaves_no_finished_run_and_the_next_one_works(
    delay_s: float, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A kill -9 at any moment: nothing looks finished, what was interrupted is listed so, and the next run works."""
    process = warm.start("run", recipe, *LONG, "--quiet", own_session=True)
    time.sleep(delay_s)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert whole_runs() == []
    listed = told(capsys, "runs")
    assert isinstance(listed, list)
    assert {run["state"] for run in listed} <= {"interrupted"}
    assert main(["run", str(recipe), "--quiet"]) == 0
    capsys.readouterr()


def test_an_interrupted_run_is_resumed_under_its_own_id(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--resume` finishes an interrupted run with the answers that it would have had."""
    whole = told(capsys, "run", str(recipe))
    assert isinstance(whole, dict)
    finished = Path(whole["path"])
    interrupted = finished.with_name(f"20200101-000000-{finished.name[-8:]}{PARTIAL}")
    interrupted.mkdir()
    (interrupted / "recipe.yaml").write_bytes((finished / "recipe.yaml").read_bytes())
    (interrupted / "metrics.json").write_text("{")
    assert main(["show", str(interrupted)]) == 2
    assert "try: engine run --resume 20200101" in capsys.readouterr().err
    resumed = told(capsys, "run", "--resume", interrupted.name.removesuffix(PARTIAL))
    assert isinstance(resumed, dict)
    assert resumed["run"] == f"20200101-000000-{finished.name[-8:]}"
    assert resumed["metrics"] == whole["metrics"]
    assert not interrupted.exists()


def test_ctrl_c_is_exit_130_with_nothing_published(recipe: Path) -> None:
    """A stop by the user: exit 130, no finished run, and the command that goes on with what was begun."""
    command = [sys.executable, "-m", "engine", "run", str(recipe), *LONG, "--quiet"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not list(Path("runs").glob(f"*/*{PARTIAL}/data.json")) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    (folder,) = Path("runs/mixed").glob(f"*{PARTIAL}")
    assert said == (
        f"stopped by the user; run {folder.name.removesuffix(PARTIAL)} is kept as far as it came\n"
        "  try: engine run --resume mixed@latest\n"
    )
    assert whole_runs() == []


def test_an_interrupt_inside_of_source_text_leaves_the_exit_code_alone(tmp_path: Path) -> None:
    """CPython ends `python -m` by the signal if Ctrl-C came in an `exec`, even where it was caught."""
    lines = [
        "import sys",
        "from engine.cli import main",
        "main(['--version'])  # imports what the second call needs",
        "try:",
        "    exec('raise KeyboardInterrupt')",
        "except KeyboardInterrupt:",
        "    sys.exit(main(['--version']))",
    ]
    (tmp_path / "interrupted.py").write_text("\n".join(lines))
    done = subprocess.run([sys.executable, "-m", "interrupted"], cwd=tmp_path, check=False)
    assert done.returncode == 0


def test_a_damaged_run_hides_no_other(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`runs` lists a run whose files are gone as damaged, beside the others."""
    first, second = told(capsys, "run", str(recipe)), told(capsys, "run", str(recipe))
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    (Path(first["path"]) / "gates.json").unlink()
    listed = told(capsys, "runs")
    assert isinstance(listed, list)
    assert [(run["run"], run["state"]) for run in listed] == [
        (first["run"], "damaged"),
        (second["run"], "passed"),
    ]


def test_runs_lie_where_asked(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--runs DIR` says where a run is written, found and resumed, from whatever folder."""
    done = told(capsys, "run", str(recipe), "--runs", "elsewhere")
    assert isinstance(done, dict)
    assert Path(done["path"]).parent.parent.name == "elsewhere"
    shown = told(capsys, "show", "mixed@latest", "--runs", "elsewhere")
    assert isinstance(shown, dict)
    assert shown["run"] == done["run"]
    assert not Path("runs").exists()


def test_multirun_goes_on_after_a_fault_of_a_library(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A combination that makes a library fail is reported, and the next one runs."""
    outcomes = told(
        capsys, "run", str(recipe), "-m", "model=sklearn", "model.estimator=KNeighborsClassifier",
        "model.params.n_neighbors=5000,3", code=2,
    )  # fmt: skip
    assert isinstance(outcomes, list)
    assert "error" in outcomes[0]
    assert outcomes[1]["gates"]["passed"] is True
