"""One file for the edge answers as the bundle does, by a script that needs nothing of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

from engine.deploy.export import export
from engine.errors import RecipeError
from engine.graph import Graph
from engine.models.assemble import Artifact
from engine.models.scorer import Scorer
from engine.names import TASKS
from engine.runs.bundle import Bundle, load_bundle


def answers_of(script: Path, rows: Path) -> list[dict[str, object]]:
    """Run an exported script alone, in an interpreter that can't find the engine."""
    command = [sys.executable, "-I", str(script), str(rows)]
    ended = subprocess.run(command, cwd=script.parent, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_the_script_answers_as_the_bundle(bundle_folder: Path, tiny: ModuleType, tmp_path: Path) -> None:
    """The graph is the bundle's own, and ten plain lines around it give its answers, of nulls too."""
    bundle = load_bundle(bundle_folder)
    made = export(bundle, tmp_path / "income.onnx", to="onnx")
    assert made.model.read_bytes() == (bundle_folder / "model.onnx").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["income.json", "income.onnx", "income.py"]
    frame = tiny.tiny_frame(60, seed=21)
    frame.write_csv(tmp_path / "rows.csv", datetime_format="%Y-%m-%dT%H:%M:%S", null_value="?")
    answers = answers_of(made.script, tmp_path / "rows.csv")
    expected = bundle.predict(frame)
    assert [each["prediction"] for each in answers] == expected["prediction"].to_list()
    given = np.array([each["probability"] for each in answers])
    assert np.abs(given[:, 1] - expected["probability_>50K"].to_numpy()).max() < 1e-12
    told = json.loads(made.note.read_text())
    assert told == dict(made.told)
    assert (told["largest_difference"], told["same_predictions"], told["golden_rows"]) == (0.0, 1.0, 16)
    assert told["bytes"] == made.model.stat().st_size
    assert told["ms_a_row"] > 0


def network(tiny: ModuleType, folder: Path) -> Bundle:
    """Give a bundle whose graph multiplies a large matrix of float32."""
    rng = np.random.default_rng(0)
    graph = Graph()
    inputs = [graph.cast(graph.input(name, np.float64), np.float32) for name in ("age", "hours")]
    hours = graph.node("Where", [graph.node("IsNaN", [inputs[1]]), graph.constant(np.float32(30)), inputs[1]])
    x = graph.node("Concat", [inputs[0], hours], axis=1)
    x = graph.node("Mul", [x, graph.constant(np.float32(0.02))])
    hidden = graph.node("MatMul", [x, graph.constant(rng.normal(size=(2, 512)).astype(np.float32))])
    weights = rng.normal(size=(512, 1)).astype(np.float32) / 16
    margin = graph.node("MatMul", [graph.node("Relu", [hidden]), graph.constant(weights)])
    positive = graph.node("Sigmoid", [graph.cast(margin, np.float64)])
    both = graph.node("Concat", [graph.node("Sub", [graph.constant(1.0), positive]), positive], axis=1)
    task, target = TASKS.load("classification"), tiny.TINY_TARGET
    task.decide(graph, both, target=target, threshold=0.5)  # type: ignore[attr-defined]
    artifact = Artifact(graph.build().SerializeToString())
    rows = tiny.tiny_frame(16).drop("person")
    columns = tiny.TINY_SCHEMA.features
    scores = Scorer(artifact, schema_columns=columns, kind="binary", threads=1).score(rows)
    golden = rows.hstack(task.to_frame(scores, target))  # type: ignore[attr-defined]
    return load_bundle(tiny.write_tiny(folder, artifact=artifact, golden=golden))


def test_int8_says_what_it_costs(tiny: ModuleType, tmp_path: Path) -> None:
    """Rounded to 8 bits a network is smaller, its answers are near, and the note says how near."""
    made = export(network(tiny, tmp_path / "bundle"), tmp_path / "income.onnx", to="onnx-int8")
    told = made.told
    assert 0 < float(str(told["largest_difference"])) < 0.05
    assert int(str(told["bytes"])) < int(str(told["bytes_of_the_bundle"]))
    pl.DataFrame({"age": [40], "hours": [None]}, schema_overrides={"hours": pl.Float64}).write_csv(
        tmp_path / "rows.csv"
    )
    (answer,) = answers_of(made.script, tmp_path / "rows.csv")
    assert answer["prediction"] in ("<=50K", ">50K")


@pytest.mark.parametrize("suffix", [".onnx", ".py", ".json"])
def test_nothing_is_written_over(bundle_folder: Path, tmp_path: Path, suffix: str) -> None:
    """Each of the three files may be the user's own, so none is written where one is."""
    own = tmp_path / f"m{suffix}"
    own.write_text("mine")
    with pytest.raises(RecipeError) as caught:
        export(load_bundle(bundle_folder), tmp_path / "m.onnx", to="onnx")
    assert str(caught.value) == (
        f"command line: -o\n  {own} exists already and is never written over\n"
        "  try: engine export RUN --to onnx -o OTHER.onnx"
    )
    assert [path.name for path in tmp_path.iterdir()] == [own.name]
    assert own.read_text() == "mine"


@pytest.mark.parametrize("name", ["model.onnx", "golden.onnx"])
def test_a_bundle_is_never_written_to(bundle_folder: Path, name: str) -> None:
    """Nothing is exported into a bundle, and so its model is not replaced."""
    before = {path.name: path.read_bytes() for path in bundle_folder.iterdir()}
    with pytest.raises(RecipeError, match="a run or a bundle, which is never written to"):
        export(load_bundle(bundle_folder), bundle_folder / name, to="onnx")
    assert {path.name: path.read_bytes() for path in bundle_folder.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "to", "text"),
    [
        (
            "a.onnx",
            "onnx-int8",
            "command line: --to\n  this model multiplies no matrix of float32: there is nothing to round to 8 bits\n"
            "  try: engine export RUN --to onnx",
        ),
        (
            "a.onnx",
            "onxx",
            "command line: --to\n  'onxx' is no format of an export\n  did you mean 'onnx'?\n  allowed: onnx, onnx-int8",
        ),
        ("a.bin", "onnx", "command line: -o\n  '{}/a.bin' does not end in .onnx"),
        ("no/a.onnx", "onnx", "command line: -o\n  there is no folder '{}/no'"),
    ],
)
def test_what_is_not_exported(bundle_folder: Path, tmp_path: Path, name: str, to: str, text: str) -> None:
    """What can't be exported is told, and nothing is written."""
    with pytest.raises(RecipeError) as caught:
        export(load_bundle(bundle_folder), tmp_path / name, to=to)
    assert str(caught.value) == text.replace("{}", str(tmp_path))
    assert list(tmp_path.iterdir()) == []
