"""Training rows weighed so that group and class are independent."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.cli import main
from engine.models.family import Rows
from engine.training.mitigation import reweigh


@pytest.mark.parametrize("weighted", [False, True])
def test_group_and_class_become_independent(*, weighted: bool) -> None:
    """Each group has the class shares of all rows, and each group and class weighs what it did."""
    rng = np.random.default_rng(0)
    n = 500
    sex, race = rng.choice(["f", "m"], n), rng.choice(["a", "b", None], n)
    y = (rng.random(n) < np.where(sex == "f", 0.2, 0.6)).astype(np.int64) + (rng.random(n) < 0.1)
    given = rng.random(n) + 0.5 if weighted else None
    groups = pl.DataFrame({"sex": sex, "race": race}, schema={"sex": pl.String, "race": pl.String})
    found = reweigh(Rows(np.zeros((n, 1)), y, given), groups).weights
    before = np.ones(n) if given is None else given
    assert found is not None
    shares = np.bincount(y, before) / before.sum()
    for names in groups.unique().iter_rows():
        rows = np.all([groups[c].eq_missing(v) for c, v in zip(groups.columns, names, strict=True)], axis=0)
        assert found[rows].sum() == pytest.approx(before[rows].sum())
        assert np.bincount(y[rows], found[rows]) / found[rows].sum() == pytest.approx(shares)
    assert np.bincount(y, found) == pytest.approx(np.bincount(y, before))


def test_a_group_of_one_class_keeps_its_rows() -> None:
    """What does not occur weighs nothing, and nothing is divided by it."""
    rows = Rows(np.zeros((4, 1)), np.array([0, 0, 1, 1]), None)
    found = reweigh(rows, pl.DataFrame({"g": ["a", "a", "a", "b"]})).weights
    assert found is not None
    assert found.tolist() == [0.75, 0.75, 1.5, 0.5]


def test_a_run_says_what_fairness_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With it the parity ratio is nearer to 1 than without, and metrics, page and card tell both."""
    rng = np.random.default_rng(1)
    n = 1500
    sex = rng.choice(["f", "m"], n)
    skill = rng.normal(size=n) + 1.2 * (sex == "m")
    hired = skill + rng.normal(size=n) > 1.0
    pl.DataFrame({"sex": sex, "skill": skill, "hired": hired}).write_csv(tmp_path / "t.csv")
    (tmp_path / "r.yaml").write_text(
        "defaults: [base, model: logistic, _self_]\nname: r\ndata: {path: t.csv}\n"
        "schema:\n  target: hired\n  columns:\n    sex: {type: category, sensitive: true}\n"
        "    skill: {type: number}\n    hired: {type: boolean}\n"
        "model: {fairness: {kind: reweigh, by: sex}}\n"
        "evaluation: {bootstrap: 20, pictures: false, importance_rows: 0, latency_rows: 1}\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["run", "r.yaml", "--quiet", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    metrics = told["metrics"]
    without = metrics["mitigation"]["fairness"]["sex"]["demographic_parity_ratio"]
    assert metrics["fairness"]["sex"]["demographic_parity_ratio"] > without + 0.1
    assert metrics["mitigation"]["difference"]["roc_auc"]["verdict"] == "worse"
    page = Path(told["path"], "report.html").read_text()
    assert "With and without what was done for it" in page
    assert "| Demographic parity ratio by sex |" in Path(told["path"], "card.md").read_text()
