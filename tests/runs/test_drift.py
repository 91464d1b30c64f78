"""What `engine diff` says of the data of two runs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

import engine
from engine.cli import main
from engine.data.schema import Column, Schema
from engine.runs.drift import drifts
from engine.runs.reference import reference
from engine.runs.run import Run

RNG = np.random.default_rng(0)


def run_of(folder: Path, frame: pl.DataFrame, *, kinds: dict[str, str] | None = None) -> Run:
    """Write what a run keeps of its training rows."""
    columns = []
    for series in frame:
        kind = (kinds or {}).get(series.name, "category" if series.dtype == pl.String else "number")
        storage = "string" if series.dtype == pl.String else "float64"
        columns.append(Column(series.name, kind, "feature", storage, pii=series.name == "secret"))  # type: ignore[arg-type]
    (folder / "bundle").mkdir(parents=True)
    content = reference(frame, Schema(tuple(columns), None, "error", "error"))
    (folder / "bundle" / "reference.json").write_text(json.dumps(content))
    return Run(folder)


def test_what_moved_is_found_and_what_did_not_is_not(tmp_path: Path) -> None:
    """A number that moved, a category that has another mix, a column that began to be missing."""
    n = 4000

    def table(moved: float, share: float, missing: float) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "still": RNG.normal(0, 1, n),
                "moved": RNG.normal(moved, 1, n),
                "kind": RNG.choice(["a", "b"], n, p=[share, 1 - share]).tolist(),
                "lost": np.where(RNG.random(n) < missing, None, RNG.random(n)).tolist(),
                "zeros": np.where(RNG.random(n) < 0.9, 0.0, RNG.random(n)),
                "secret": RNG.normal(moved, 1, n),
            },
            schema_overrides={"lost": pl.Float64},
        )

    first = run_of(tmp_path / "first", table(0, 0.5, 0.0))
    second = run_of(tmp_path / "second", table(1, 0.75, 0.3))
    found = {drift.column: drift for drift in drifts(first, second)}
    assert sorted(found) == ["kind", "lost", "moved"]
    # A standard normal against one that is 1 further, in tenths of the first: 0.99 by numeric integration.
    assert found["moved"].psi == pytest.approx(_normal_psi(), rel=0.1)
    assert found["moved"].size == "large"
    # (0.75 - 0.5) ln(0.75 / 0.5) + (0.25 - 0.5) ln(0.25 / 0.5)
    assert found["kind"].psi == pytest.approx(0.2747, rel=0.1)
    assert found["kind"].size == "large"
    assert found["lost"].second.endswith("% missing")
    assert drifts(first, first) == []


def _normal_psi() -> float:
    from scipy import stats

    edges = stats.norm.ppf(np.linspace(0, 1, 11))
    moved = np.diff(stats.norm.cdf(edges, loc=1))
    return float(((moved - 0.1) * np.log(moved / 0.1)).sum())


def test_a_run_without_a_profile_has_no_drift(tmp_path: Path) -> None:
    """What was not recorded is not compared."""
    first = run_of(tmp_path / "first", pl.DataFrame({"a": [1.0, 2.0]}))
    (tmp_path / "bare").mkdir()
    assert drifts(first, Run(tmp_path / "bare")) == []


@pytest.fixture
def two_runs(
    tmp_path: Path, mixed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> Callable[[pl.DataFrame], tuple[Run, Run]]:
    """Give a function from another table to a run of the first and a run of the other."""
    monkeypatch.chdir(tmp_path)
    recipe = mixed.write(tmp_path, "binary")

    def run_both(other: pl.DataFrame) -> tuple[Run, Run]:
        first = engine.run(engine.load(recipe))
        other.write_csv(tmp_path / "mixed.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
        return first, engine.run(engine.load(recipe))

    return run_both


def test_diff_tells_rows_and_drift(
    two_runs: Callable[[pl.DataFrame], tuple[Run, Run]], mixed: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fewer rows, and a feature that is spread otherwise, on the terminal and as JSON."""
    first, second = two_runs(mixed.frame("binary").filter(pl.col("count") > 9))
    capsys.readouterr()
    assert main(["diff", str(first.path), str(second.path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    data = {item["key"]: (item["first"], item["second"]) for item in told if item["about"] == "data"}
    n_rows = str(second.read("data.json")["n_rows"])
    assert data["n_rows"] == ("600", n_rows)
    assert "content.sha256" in data
    (drift,) = [item for item in told if item["about"] == "drift"]
    assert drift["key"] == "count"
    assert drift["psi"] > 0.25
    assert drift["second"].endswith(f"; large (PSI {drift['psi']:.2f})")
    (paired,) = [item for item in told if item["about"] == "paired"]
    assert paired["not_tested"] == "the two runs are not of the same data and target"
    assert main(["diff", str(first.path), str(second.path)]) == 0
    assert "drift" in capsys.readouterr().out


def test_the_content_is_known_in_another_format(
    tmp_path: Path, mixed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Parquet copy has other bytes and the same content, and DVC's pointer beside the table is recorded."""
    monkeypatch.chdir(tmp_path)
    recipe = mixed.write(tmp_path, "binary")
    Path("mixed.csv.dvc").write_text(f"outs:\n- md5: {'0' * 32}\n  size: 1\n  hash: md5\n  path: mixed.csv\n")
    mixed.frame("binary").write_parquet(tmp_path / "mixed.parquet")
    first, second = (
        engine.run(engine.load(recipe, [f"data.path=mixed.{suffix}"])).read("data.json")
        for suffix in ("csv", "parquet")
    )
    assert first["source"]["sha256"] != second["source"]["sha256"]  # type: ignore[index]
    assert first["content"] == second["content"]
    assert first["dvc"] == {
        "file": "mixed.csv.dvc", "stage": "", "md5": "0" * 32, "n_bytes": 1, "matches": False,
    }  # fmt: skip
    assert second["dvc"] is None


def test_what_was_not_committed_is_kept(
    tmp_path: Path, mixed: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a repository the run keeps the commit, and git's diff of tracked files; a clean one has none."""
    monkeypatch.chdir(tmp_path)
    recipe = mixed.write(tmp_path, "binary")
    Path("notes.txt").write_text("one\n")

    def git(*words: str) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", *who, *words], check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("add", "notes.txt")
    git("commit", "-q", "-m", "first")
    commit = git("rev-parse", "HEAD").strip()
    clean = engine.run(engine.load(recipe))
    assert clean.facts["git"] == {"commit": commit, "dirty": False, "changed": []}
    assert not (clean.path / "uncommitted.diff").exists()
    Path("notes.txt").write_text("two\n")
    dirty = engine.run(engine.load(recipe))
    state = dirty.facts["git"]
    assert isinstance(state, dict)
    assert (state["dirty"], state["changed"], state["diff"]) == (True, ["notes.txt"], "uncommitted.diff")
    kept = (dirty.path / "uncommitted.diff").read_text()
    assert kept == git("diff", "HEAD")
    assert "-one\n+two\n" in kept
