"""What is wrong with the data stands in the run, bounds it by gates, and is told before anything is fitted."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

import engine
from engine.cli import main
from engine.runs.run import Run


@pytest.fixture
def leaky(tmp_path: Path, mixed: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a table whose `count` is the class, wrong in a row of thirty, and its recipe."""
    monkeypatch.chdir(tmp_path)
    recipe: Path = mixed.write(tmp_path, "binary")
    table = mixed.frame("binary").with_columns(
        count=(pl.col("outcome") == "yes").cast(pl.Int64) ^ (pl.col("id") % 30 == 0).cast(pl.Int64)
    )
    table.write_csv(tmp_path / "mixed.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    return recipe


def test_a_leak_is_told_and_misses_its_gate(leaky: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The run goes on and is kept, says the leak in a line before the fit, and ends with 4."""
    assert main(["run", str(leaky), "goal.gates={leakage: {max: 0}, duplicate_rows: {max: 0}}"]) == 4
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert len(told) == 2
    assert told[0].startswith("note: 'count' may give the target away: alone it leaves ")
    assert told[1] == "note: the gate leakage is missed already: this run can't be packaged"
    (path,) = Path("runs/mixed").iterdir()
    run = Run(path)
    assert [(gate["name"], gate["value"], gate["passed"]) for gate in run.gates["gates"]] == [  # type: ignore[attr-defined]
        ("leakage", 1.0, False),
        ("duplicate_rows", 0.0, True),
    ]
    quality = json.loads((path / "data.json").read_text())["quality"]
    first = quality["findings"][0]
    assert (first["check"], first["severity"], first["columns"]) == ("leakage", "serious", ["count"])
    assert 0 < first["evidence"]["error_left"] < 0.15
    assert first["advice"].startswith("ask whether it is known before the outcome is")
    assert quality["measures"]["leakage"] == 1
    assert quality["figures"]["predictive_power"]["count"] > 0.85
    assert "may give the target away" in (path / "report.html").read_text()
    assert "may give the target away" in (path / "card.md").read_text()


def test_a_plan_that_reads_the_rows_tells_it_too(leaky: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`engine plan --check-data` says what the run would say before it fits."""
    assert main(["plan", str(leaky), "goal.gates={leakage: {max: 0}}", "--check-data", "--json"]) == 0
    notes = json.loads(capsys.readouterr().out)["checked"]["notes"]
    assert len(notes) == 2
    assert notes[0].startswith("'count' may give the target away")
    assert notes[1] == "the gate leakage is missed already: this run can't be packaged"


def test_a_clean_table_has_nothing_serious(
    tmp_path: Path, mixed: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is told of a table with nothing serious, and the gate on leaks is met."""
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(mixed.write(tmp_path, "binary")), "goal.gates={leakage: {max: 0}}"]) == 0
    assert "note: " not in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["binary", "multiclass", "continuous"])
def test_the_same_run_finds_the_same(
    kind: str, tmp_path: Path, mixed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs of one recipe write the same findings, measures and figures."""
    monkeypatch.chdir(tmp_path)
    model = "ridge" if kind == "continuous" else "logistic"
    recipe = mixed.write(tmp_path, kind, model=model)
    found = [engine.run(engine.load(recipe)).read("data.json")["quality"] for _ in range(2)]
    assert found[0] == found[1]
    measures = found[0]["measures"]  # type: ignore[index]
    assert measures["label_noise"] is not None


def test_the_population_is_declared_in_the_recipe(leaky: Path) -> None:
    """Shares that the training rows are far from miss their gate, and are a serious finding."""
    said = "data: {path: mixed.csv, population: {code: {'1': 0.9, '2': 0.05, '3': 0.05}}}"
    leaky.write_text(leaky.read_text().replace("data: {path: mixed.csv}", said))
    run = engine.run(engine.load(leaky, ["goal.gates={shift_from_population: {max: 0.25}}"]))
    assert not run.passed
    findings = run.read("data.json")["quality"]["findings"]  # type: ignore[index]
    (found,) = [one for one in findings if one["check"] == "shift_from_population"]
    assert (found["severity"], found["columns"], found["evidence"]["furthest"]) == ("serious", ["code"], "1")


def test_columns_may_be_called_anything(
    tmp_path: Path, mixed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that the checks, or the library of frames, give to columns of their own, are names."""
    monkeypatch.chdir(tmp_path)
    names = {
        "size": "n",
        "count": "answers",
        "member": "len",
        "city": "count",
        "code": "value",
        "outcome": "learnt",
    }
    recipe = mixed.write(tmp_path, "binary")
    mixed.frame("binary").rename(names).write_csv("mixed.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    text = recipe.read_text().replace("target: outcome", "target: learnt")
    for name, other in names.items():
        text = text.replace(
            f"    {name}: {{", f'    "{other}": {{sensitive: {str(name in {"member", "city"}).lower()}, '
        )
    recipe.write_text(text)
    run = engine.run(engine.load(recipe))
    measures = run.read("data.json")["quality"]["measures"]  # type: ignore[index]
    assert measures["leakage"] == 0
    assert measures["smallest_sensitive_group"] > 0
