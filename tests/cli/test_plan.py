from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from engine.cli import main
from engine.runs.folder import PARTIAL


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mixed: ModuleType) -> Path:
    """Write the mixed table and its recipe, and work beside them."""
    monkeypatch.chdir(tmp_path)
    path: Path = mixed.write(tmp_path)
    return Path(path.name)


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, object]:
    """Plan with --json and return the document."""
    capsys.readouterr()
    assert main(["plan", *arguments, "--json", "--quiet"]) == code
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Plan and return the lines above the table of steps."""
    capsys.readouterr()
    assert main(["plan", *arguments, "--quiet"]) == 0
    return capsys.readouterr().out.partition("\nthe steps; ")[0].splitlines()


def test_the_document_has_everything(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One document: steps with their costs, fits, gates, data, estimate, earlier runs, what was checked."""
    plan = told(capsys, str(recipe), "goal.gates={roc_auc: {min: 0.5}}", "split=kfold", "evaluation=standard")
    assert set(plan) == {
        "name", "steps", "n_fits", "fits", "gates", "deployed_as", "data", "estimate", "earlier", "checked",
        "risk", "reading", "streamed",
    }  # fmt: skip
    assert plan["fits"] == {"model": 1, "folds": 5, "studies": 2, "trials": 0}
    assert plan["n_fits"] == 8
    assert plan["gates"] == ["roc_auc at least 0.5"]
    assert plan["earlier"] == []
    assert plan["checked"] is None
    assert plan["streamed"] is None
    steps = plan["steps"]
    assert isinstance(steps, list)
    assert [set(step) for step in steps] == [{"name", "does", "reads", "writes", "seconds", "peak_mib"}] * 13
    written = [file for step in steps for file in step["writes"]]
    assert written == [
        "recipe.yaml", "recipe.json", "data.json", "metrics.json", "gates.json", "predictions.parquet",
        "bundle/", "facts.json", "report.html", "card.md", "card.html", "card.json",
        "datasheet.md", "datasheet.html", "datasheet.json", "figures/",
    ]  # fmt: skip
    estimate = plan["estimate"]
    assert isinstance(estimate, dict)
    assert set(estimate) == {
        "seconds", "known_s", "peak_mib", "start_s", "run", "basis", "guesses", "unmeasured",
    }  # fmt: skip
    known = [step["seconds"] for step in steps if step["seconds"] is not None]
    assert estimate["unmeasured"] == [step["name"] for step in steps if step["seconds"] is None]
    assert estimate["known_s"] == pytest.approx(estimate["start_s"] + sum(known), abs=0.1)
    assert estimate["seconds"] == (None if estimate["unmeasured"] else estimate["known_s"])


def test_the_answer_comes_before_the_steps(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a person asks of a plan stands above the table of steps, a line each."""
    lines = said(capsys, str(recipe))
    assert lines[0] == "mixed: what a run would do, and what it would take, about"
    asked = ["data", "fits", "gates", "time", "memory", "basis"]
    assert [line.split()[0] for line in lines[1:]][:6] == asked
    assert lines[-1] == "next     engine run mixed.yaml"


@pytest.mark.parametrize("overrides", [[], ["evaluation=standard"], ["split=kfold"], ["model=lightgbm"]])
def test_the_steps_are_those_of_the_run(
    overrides: list[str], recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run has the very steps of its plan, in order, and writes the very files; its plan wrote nothing."""
    plan = told(capsys, str(recipe), *overrides)
    assert not Path("runs").exists()
    assert main(["run", str(recipe), *overrides, "--quiet"]) == 0
    (run,) = Path("runs/mixed").glob("*-????????")
    steps = plan["steps"]
    assert isinstance(steps, list)
    facts = json.loads((run / "facts.json").read_text())
    # The facts are written before the report, which then can't be in them.
    assert [step["name"] for step in steps] == [step["name"] for step in facts["steps"]] + ["report"]
    assert {file.rstrip("/") for step in steps for file in step["writes"]} == {
        file.name for file in run.iterdir()
    }


def test_a_run_before_is_told_and_is_the_basis(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After a run its plan says what the run took, and that a new one would give the same numbers."""
    before = told(capsys, str(recipe))["estimate"]
    assert isinstance(before, dict)
    assert before["run"] is None
    assert str(before["basis"]).startswith("costs measured ")
    assert main(["run", str(recipe), "--quiet"]) == 0
    (run,) = Path("runs/mixed").glob("*-????????")
    lines = said(capsys, str(recipe))
    # A text's rows are estimated, and so what is said of them.
    basis = next(line for line in lines if line.startswith("basis"))
    assert basis.startswith(f"basis    what run {run.name} of this recipe took")
    assert lines[-1] == (
        f"before   run {run.name} of this recipe is finished, with this data, code and versions: "
        f"a new run would give the same numbers; engine show {run.name}"
    )
    later = run.stat().st_mtime + 100
    os.utime("mixed.csv", (later, later))
    assert said(capsys, str(recipe))[-2:] == [
        f"before   run {run.name} of this recipe is finished, with data that is not the same any more; "
        f"engine show {run.name}",
        "next     engine run mixed.yaml",
    ]
    elsewhere = run.parent.parent.rename("elsewhere")
    Path("a b").mkdir()
    given = ["goal.statement=", "--runs", str(elsewhere), "--root", "a b"]
    lines = said(capsys, str(recipe), *given)
    assert lines[-2].startswith(f"before   run {run.name}")
    assert lines[-1] == "next     engine run mixed.yaml goal.statement= --root 'a b' --runs elsewhere"
    assert not said(capsys, str(recipe))[-2].startswith("before")


def test_an_interrupted_run_is_told_with_the_command_that_finishes_it(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it has written, and `engine run --resume`, which then does finish it."""
    assert main(["run", str(recipe), "--quiet"]) == 0
    (run,) = Path("runs/mixed").glob("*-????????")
    partial = run.with_name(f"20200101-000000-{run.name[-8:]}{PARTIAL}")
    partial.mkdir()
    for file in ("recipe.yaml", "recipe.json", "data.json"):
        shutil.copy2(run / file, partial / file)
    shutil.rmtree(run)
    os.utime("mixed.csv", (0, 0))
    resumed = partial.name.removesuffix(PARTIAL)
    assert said(capsys, str(recipe))[-1] == (
        f"before   run {resumed} was interrupted, and has written data.json, recipe.json, recipe.yaml; "
        f"engine run --resume {resumed} does its steps again under the same id"
    )
    assert main(["run", "--resume", resumed, "--quiet"]) == 0
    assert f"run {resumed} of this recipe is finished" in said(capsys, str(recipe))[-1]


def test_an_estimator_without_a_measure_is_said_to_have_none(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The steps that its fit decides have no estimate, all else has one."""
    chosen = ["model=sklearn", "model.estimator=GaussianNB"]
    lines = said(capsys, str(recipe), *chosen)
    time = next(line for line in lines if line.startswith("time"))
    assert time.startswith(
        "time     no measure of fit sklearn, write the graph, time one row, evaluate; all else about "
    )
    estimate = told(capsys, str(recipe), *chosen)["estimate"]
    assert isinstance(estimate, dict)
    assert estimate["seconds"] is None
    assert estimate["peak_mib"] is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda frame: frame, 0),
        (lambda frame: frame.with_columns(pl.col("size") * 1000), 3),
        (lambda frame: frame.with_columns(pl.lit("no").alias("outcome")), 3),
    ],
    ids=["sound", "out of bounds", "one class"],
)
def test_check_data_says_what_the_run_would(
    change: object, code: int, recipe: Path, mixed: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --check-data the rows are not looked at; with it a plan ends as the run does, in the same words."""
    assert callable(change)
    change(mixed.frame("binary")).write_csv("mixed.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    assert main(["plan", str(recipe), "--quiet"]) == 0
    capsys.readouterr()
    assert main(["plan", str(recipe), "--check-data", "--quiet"]) == code
    planned = capsys.readouterr()
    assert main(["run", str(recipe), "--quiet"]) == code
    assert planned.err == capsys.readouterr().err
    if code == 0:
        assert (
            "checked  600 rows hold what the schema says: 420 train, 60 validation, 120 test" in planned.out
        )


def test_values_of_a_parquet_are_told_from_its_footer(
    recipe: Path, mixed: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """A type that can't be, nulls and bounds are refused without a row read: exit 3, in file's words."""
    frame = mixed.frame("binary").with_columns(pl.col("count").cast(pl.String), pl.lit(-1).alias("id"))
    frame.write_parquet("mixed.parquet")
    error = told(
        capsys, str(recipe), "data.path=mixed.parquet", "schema.columns.size.nullable=false",
        "schema.columns.id.min=0", code=3,
    )["error"]  # fmt: skip
    assert isinstance(error, dict)
    n_nulls = frame["size"].null_count()
    assert [(message["file"], message["key"], message["what"]) for message in error["messages"]] == [
        ("mixed.parquet", "id", "min 0: the smallest value is below it: -1"),
        ("mixed.parquet", "size", f"nullable false: {n_nulls} rows are null"),
        ("mixed.parquet", "count", "type integer: the column holds String"),
    ]


def test_a_multiruns_plans_are_added_up(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each combination's fits and costs, and the sum; one that is wrong is said and leaves the others."""
    arguments = ["plan", str(recipe), "-m", "model=logistic,lightgbm,ridge", "seed=0,1", "--quiet"]
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("wrong in 2 of 6: model=ridge seed=0; model=ridge seed=1\n\n")
    assert printed.err.count("ridge does not do classification") == 1
    assert "in all   4 runs, 4 fits, about " in printed.out
    assert main([*arguments, "--json"]) == 2
    plans = json.loads(capsys.readouterr().out)
    assert [plan["overrides"][0] for plan in plans] == [
        f"model={model}" for model in ("logistic", "lightgbm", "ridge") for _ in range(2)
    ]
    assert ["error" in plan for plan in plans] == [False] * 4 + [True] * 2
    assert main(["plan", str(recipe), "-m", "seed=0,1", "nme=x", "--quiet"]) == 2
    assert capsys.readouterr().err.count("did you mean 'name'?") == 1


def test_origins_of_odd_values(
    recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option of one's own, references, the command line, and the environment, whose value is never shown."""
    Path("conf/model").mkdir(parents=True)
    Path("conf/model/mine.yaml").write_text("family: logistic\nparams: {C: 0.5}\nspace: {}\n")
    Path("secret").mkdir()
    Path("mixed.csv").rename("secret/mixed.csv")
    monkeypatch.setenv("TABLE", str(Path("secret/mixed.csv").resolve()))
    text = recipe.read_text().replace("model: logistic", "model: mine")
    text = text.replace("{path: mixed.csv}", '{path: "${oc.env:TABLE}", null_values: ["${name}", "-"]}')
    recipe.write_text(text + 'goal: {metric: "${task.metric}", statement: "of ${name}"}\n')
    given = [
        "task.metric=log_loss",
        "schema.columns.size.max=25",
        "schema.columns.count.max=${schema.columns.size.max}",
    ]
    capsys.readouterr()
    assert main(["plan", str(recipe), *given, "--origins", "--quiet"]) == 0
    assert main(["plan", str(recipe), *given, "--origins", "--check-data", "--json"]) == 0
    printed = capsys.readouterr()
    assert "secret" not in printed.out + printed.err
    assert "goal.metric" in printed.out
    assert "command line, through ${task.metric} (mixed.yaml:16)" in printed.out
    plan = told(capsys, str(recipe), *given, "--origins")
    rows = plan["origins"]
    assert isinstance(rows, list)
    origins = {row["key"]: row for row in rows}

    def origin(key: str) -> tuple[object, ...]:
        row = origins[key]
        return row["value"], row["from"], row["through"], row["holds"]

    lines = text.splitlines()
    data, n_lines = next(n for n, line in enumerate(lines, 1) if line.startswith("data:")), len(lines)
    assert origin("data.path") == ("${oc.env:TABLE}", f"mixed.yaml:{data}", [], [])
    assert origin("data.null_values") == (
        "[mixed, -]", f"mixed.yaml:{data}", [], [{"reference": "${name}", "from": "mixed.yaml:2"}],
    )  # fmt: skip
    assert origin("model.params.C") == ("0.5", "conf/model/mine.yaml:2", [], [])
    assert origin("task.metric") == ("log_loss", "command line", [], [])
    through = [{"reference": "${task.metric}", "from": f"mixed.yaml:{n_lines + 1}"}]
    assert origin("goal.metric") == ("log_loss", "command line", through, [])
    held = [{"reference": "${name}", "from": "mixed.yaml:2"}]
    assert origin("goal.statement") == ("of mixed", f"mixed.yaml:{n_lines + 1}", [], held)
    through = [{"reference": "${schema.columns.size.max}", "from": "command line"}]
    assert origin("schema.columns.count.max") == ("25", "command line", through, [])


def test_every_value_has_its_origin(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each value of the composed recipe is there once, with a place that can be opened or the command line."""
    rows = told(capsys, str(recipe), "seed=3", "--origins")["origins"]
    assert isinstance(rows, list)
    keys = [row["key"] for row in rows]
    assert len(keys) == len(set(keys))
    assert {"seed", "model.params.C", "schema.columns.size.min", "compute.parallel_runs"} <= set(keys)
    for row in rows:
        file, _, line = row["from"].partition(":")
        written = "" if row["from"] == "command line" else Path(file).read_text().splitlines()[int(line) - 1]
        assert row["from"] == "command line" or row["key"].rpartition(".")[2] in written
