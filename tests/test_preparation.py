"""Whole runs on columns that are prepared as a recipe asks: the bundle's answers are the stored ones."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import engine
from engine.errors import DataError
from engine.runs.run import Run

COLUMNS = """\
  columns:
    id: {type: integer, role: id}
    pay: {type: number, nullable: true, impute: mean, scale: log}
    age: {type: number, scale: quantile}
    depth: {type: number, nullable: true, impute: 0, scale: minmax}
    width: {type: integer, scale: robust}
    city: {type: category, nullable: true, encode: target, rare: 5}
    shop: {type: category, encode: onehot, unseen: other, rare: 0.02}
    plan: {type: category, encode: codes, unseen: error}
    since: {type: datetime, nullable: true, encode: cyclic}
    note: {type: text, nullable: true, encode: tfidf, terms: 40}
    memo: {type: text, encode: hashing, terms: 16}
    y: {type: TARGET}
"""
HEADER = """\
defaults: [base, task: TASK, model: MODEL, compute: small, evaluation: quick, _self_]
name: asked
data: {path: asked.parquet}
schema:
  target: y
"""
WORDS = ["good", "bad", "Slow", "quick", "the", "parcel", "came", "late", "broken", "ÉTÉ"]


def frame(kind: str, n: int = 500) -> pl.DataFrame:
    """Return a table of which every column tells something; three classes, two, or a number."""
    rng = np.random.default_rng(0)
    pay, city, hour = rng.lognormal(8, 2, n), rng.integers(0, 30, n), rng.integers(0, 24, n)
    notes = [" ".join(rng.choice(WORDS, 5)) for _ in range(n)]
    bad = np.array(["bad" in note for note in notes])
    value = np.log1p(pay) + 0.2 * (city % 5) + np.sin(hour / 4) - 2 * bad + rng.normal(size=n)
    y = {
        "continuous": pl.Series(value),
        "binary": pl.Series(np.where(value > np.quantile(value, 0.8), "yes", "no")),
        "multiclass": pl.Series(
            np.array(["a", "b", "c"])[np.digitize(value, np.quantile(value, [0.5, 0.9]))]
        ),
    }[kind]
    start = datetime(2025, 1, 1)  # noqa: DTZ001 (columns hold UTC without a zone)
    table = pl.DataFrame(
        {
            "id": np.arange(n),
            "pay": pay,
            "age": rng.integers(0, 5, n) ** 2.0,
            "depth": rng.normal(size=n),
            "width": rng.integers(0, 100, n),
            "city": [f"c{at}" for at in city],
            "shop": [f"s{at}" for at in np.minimum(rng.geometric(0.3, n), 12)],
            "plan": rng.choice(["p", "q"], n),
            "since": [start + timedelta(days=int(at) % 360, hours=int(at)) for at in hour],
            "note": notes,
            "memo": [" ".join(rng.choice(WORDS, 3)) for _ in range(n)],
            "y": y,
        }
    ).with_columns(pl.col("since").cast(pl.Datetime("us")))
    gaps = {name: pl.Series(rng.random(n) < 0.05) for name in ("pay", "depth", "city", "since", "note")}
    return table.with_columns(
        pl.when(gap).then(None).otherwise(pl.col(name)).alias(name) for name, gap in gaps.items()
    )


def run(folder: Path, kind: str, *, model: str, overrides: tuple[str, ...] = ()) -> Run:
    """Write table and recipe, and run it."""
    frame(kind).write_parquet(folder / "asked.parquet")
    task, target = ("regression", "number") if kind == "continuous" else ("classification", "category")
    header = HEADER.replace("TASK", task).replace("MODEL", model)
    (folder / "asked.yaml").write_text(header + COLUMNS.replace("TARGET", target))
    return engine.run(engine.load(folder / "asked.yaml", overrides))


@pytest.mark.parametrize(
    ("model", "kind", "overrides"),
    [
        ("logistic", "binary", ("model.balance=weights",)),
        ("lightgbm", "multiclass", ("model.balance=over",)),
        ("xgboost", "binary", ("model.balance=under", "model.calibration=sigmoid")),
        ("hist_gradient_boosting", "continuous", ()),
        ("random_forest", "multiclass", ("model.calibration=isotonic",)),
        ("ridge", "continuous", ()),
        ("mlp", "binary", ("split=kfold", "split.folds=2", "model.calibration=sigmoid")),
    ],
)
def test_the_bundle_answers_as_the_run_did(
    model: str, kind: str, overrides: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However each column is prepared, the bundle's answers to raw rows are the stored ones, and it learnt."""
    monkeypatch.chdir(tmp_path)
    done = run(tmp_path, kind, model=model, overrides=overrides)
    stored = pl.read_parquet(done.path / "predictions.parquet")
    raw = frame(kind)[stored["row"].to_list()].drop("y")
    answers = done.predict(raw)
    for name in answers.columns:
        if answers[name].dtype.is_float():
            np.testing.assert_allclose(answers[name], stored[name], rtol=1e-9, atol=1e-9)
        else:
            assert answers[name].to_list() == stored[name].to_list()
    done.bundle().replay_golden()
    metric, least = ("r2", 0.15) if kind == "continuous" else ("roc_auc", 0.7)
    assert done.metrics["test"][metric]["value"] > least  # type: ignore[index]
    facts = json.loads((done.path / "facts.json").read_text(encoding="utf-8"))
    assert facts["model"]["parity"]["n_beyond"] == 0
    # Records go in without a frame, as the service has them.
    few = raw.head(3).with_columns(pl.col("since").dt.to_string("iso:strict"))
    assert (
        done.bundle().predict_records(few.drop("id").to_dicts()).equals(done.predict(raw.head(3).drop("id")))
    )


def test_a_level_that_training_did_not_see_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `unseen: error` the bundle takes the levels of training, and no other."""
    monkeypatch.chdir(tmp_path)
    done = run(tmp_path, "binary", model="logistic")
    rows = frame("binary").drop("y").head(3).with_columns(plan=pl.Series(["p", "new", "q"]))
    with pytest.raises(DataError) as caught:
        done.predict(rows)
    assert str(caught.value) == ("plan\n  values: 1 row is none of them (row 2: new)\n  allowed: p, q")
