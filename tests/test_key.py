"""With a key, the order of a file's rows changes nothing; and no row but those of training is learnt from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import engine
from engine.errors import DataError
from engine.runs.run import Run

RECIPE = """\
defaults: [base, task: classification, model: MODEL, compute: small, _self_]
name: keyed
data: {path: keyed.csv}
schema:
  target: y
  positive: "yes"
  missing_target: drop
  key: [shop, receipt]
  columns:
    shop: {type: category, role: id}
    receipt: {type: integer, role: id}
    a: {type: number, scale: quantile}
    b: {type: number, nullable: true}
    c: {type: category, nullable: true, encode: target, rare: 5}
    when: {type: datetime}
    set: {type: category, role: ROLE}
    y: {type: category, values: ["no", "yes"]}
split: {kind: KIND}
evaluation: {bootstrap: 100, baselines: true, pictures: false}
"""


@pytest.fixture(autouse=True)
def _work_in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(n: int = 600) -> pl.DataFrame:
    """Return rows with a key of two columns, some without a target."""
    rng = np.random.default_rng(0)
    a, c = rng.normal(size=n), rng.choice(["x", "y", "z"], n)
    chance = 1 / (1 + np.exp(-(2 * a + (c == "y"))))
    return pl.DataFrame(
        {
            "shop": rng.choice(["north", "south"], n),
            "receipt": rng.permutation(n),
            "a": a,
            "b": pl.Series(rng.normal(size=n)).set(pl.Series(rng.random(n) < 0.1), None),
            "c": pl.Series(c).set(pl.Series(rng.random(n) < 0.05), None),
            "when": (np.datetime64("2026-01-01") + rng.integers(0, 300, n)).astype(str),
            "set": rng.permutation(np.array(["train", "validation", "test", "train"])[np.arange(n) % 4]),
            "y": pl.Series(np.where(rng.random(n) < chance, "yes", "no")).set(
                pl.Series(rng.random(n) < 0.03), None
            ),
        }
    )


def run(frame: pl.DataFrame, folder: Path, *, model: str, kind: str, role: str = "ignore") -> Run:
    """Write a table and its recipe into a folder, and run it there."""
    folder.mkdir()
    frame.write_csv(folder / "keyed.csv")
    recipe = RECIPE.replace("MODEL", model).replace("KIND", kind).replace("ROLE", role)
    (folder / "keyed.yaml").write_text(recipe)
    return engine.run(engine.load(folder / "keyed.yaml", []))


def read(run: Run, name: str) -> dict[str, object]:
    """Return a JSON file of a run."""
    content: dict[str, object] = json.loads((run.path / name).read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize(
    ("model", "kind"),
    [("lightgbm", "stratified"), ("logistic", "kfold, folds: 3"), ("mlp", "random")],
)
def test_a_shuffled_file_gives_the_same_run(model: str, kind: str, tmp_path: Path) -> None:
    """Split, metrics, model and answers are equal bit for bit, however the rows of the file are shuffled."""
    frame = rows()
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=7)
    one = run(frame, tmp_path / "one", model=model, kind=kind)
    other = run(shuffled, tmp_path / "other", model=model, kind=kind)
    assert read(one, "data.json")["split"] == read(other, "data.json")["split"]
    for name in ("metrics.json", "gates.json", "bundle/golden.parquet", "bundle/reference.json"):
        assert (one.path / name).read_bytes() == (other.path / name).read_bytes(), name
    graphs = [sorted(found.path.glob("bundle/*.onnx")) for found in (one, other)]
    assert graphs[0]
    assert [path.read_bytes() for path in graphs[0]] == [path.read_bytes() for path in graphs[1]]
    answers = [pl.read_parquet(found.path / "predictions.parquet") for found in (one, other)]
    assert answers[0].drop("row").equals(answers[1].drop("row"))
    for table, found in zip((frame, shuffled), answers, strict=True):
        assert table[found["row"].to_list()].select("shop", "receipt").equals(found.select("shop", "receipt"))


@pytest.mark.parametrize("model", ["logistic", "lightgbm", "mlp"])
def test_test_rows_teach_nothing(model: str, tmp_path: Path) -> None:
    """Other values in every test row leave the model as it is, bit for bit: no statistic is of them."""
    frame = rows()
    is_test = pl.col("set") == "test"
    strange = frame.with_columns(
        a=pl.when(is_test).then(1e6).otherwise("a"),
        b=pl.when(is_test).then(None).otherwise("b"),
        c=pl.when(is_test).then(pl.lit("never seen")).otherwise("c"),
        when=pl.when(is_test).then(pl.lit("1950-05-05")).otherwise("when"),
    )
    one, other = (
        run(table, tmp_path / name, model=model, kind="predefined", role="part")
        for name, table in (("one", frame), ("other", strange))
    )
    assert read(one, "metrics.json")["test"] != read(other, "metrics.json")["test"]
    for name in ("train", "validation"):
        assert read(one, "metrics.json")[name] == read(other, "metrics.json")[name]
    graphs = [sorted(found.path.glob("bundle/*.onnx")) for found in (one, other)]
    assert graphs[0]
    assert [path.read_bytes() for path in graphs[0]] == [path.read_bytes() for path in graphs[1]]


def test_a_search_without_rows_to_score_its_trials_is_refused(tmp_path: Path) -> None:
    """Where the data names no validation row, a search that needs them ends before it begins."""
    frame = rows().with_columns(pl.col("set").replace("validation", "train"))
    frame.write_csv(tmp_path / "keyed.csv")
    recipe = RECIPE.replace("MODEL", "logistic").replace("KIND", "predefined").replace("ROLE", "part")
    (tmp_path / "keyed.yaml").write_text(recipe)
    spec = engine.load(tmp_path / "keyed.yaml", ["tune=random", "tune.trials=2"])
    with pytest.raises(DataError, match="trials are scored on validation rows, and no row is of that part"):
        engine.run(spec)
    assert not list((tmp_path / "runs").rglob("*"))
