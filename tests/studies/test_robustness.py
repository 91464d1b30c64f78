"""What disturbed rows cost, through the command: facts, gates and the page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from engine.cli import main
from engine.models.calibration import Calibrated, Sigmoid, Steps
from engine.models.linear import FittedLinear
from engine.studies.robustness import turns_of

RECIPE = """\
defaults: [base, model: {model}, evaluation: quick, compute: small, _self_]
name: disturbed
goal: {{metric: {metric}, gates: {{robustness_noise_fall: {{max: 0.5}}, robustness_missing_fall: {{max: -1}}}}}}
data: {{path: t.csv}}
schema:
  target: y
  columns:
    a: {{type: number, min: -2, max: 2}}
    b: {{type: integer, nullable: true}}
    c: {{type: category}}
    y: {{type: {kind}}}
evaluation: {{robustness_rows: 150, bootstrap: 30, latency_rows: 1, pictures: true}}
"""


@pytest.mark.parametrize(
    ("model", "metric", "others"),
    [("mlp", "log_loss", ["task=classification"]), ("ridge", "r2", ["task=regression"])],
)
def test_a_run_says_how_far_its_score_falls(
    model: str,
    metric: str,
    others: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A fall is a loss whatever the metric's direction, gates hold it, and a network's slopes are followed too."""
    rng = np.random.default_rng(0)
    n = 800
    a, b, c = rng.uniform(-2, 2, n), rng.integers(0, 20, n), rng.choice(["u", "v", "w"], n)
    said = 3 * a + 0.5 * b + 4 * (c == "u") + rng.normal(size=n)
    is_number = model == "ridge"
    y = said if is_number else np.where(said > np.median(said), "yes", "no")
    pl.DataFrame({"a": a, "b": b, "c": c, "y": y}).write_csv(tmp_path / "t.csv")
    kind = "number" if is_number else "category"
    (tmp_path / "r.yaml").write_text(RECIPE.format(model=model, metric=metric, kind=kind))
    monkeypatch.chdir(tmp_path)
    assert main(["run", "r.yaml", *others, "--quiet", "--json"]) == 4
    told = json.loads(capsys.readouterr().out)
    found = told["metrics"]["robustness"]
    assert (found["metric"], found["n_rows"]) == (metric, 150)
    falls = {(one["kind"], one["level"], *one["columns"]): one["fall"] for one in found["tests"]}
    noise = [fall for (kind, *_), fall in falls.items() if kind == "noise"]
    assert noise[0] < noise[1] < noise[2]
    assert noise[2] > 0.05
    attacks = {one["kind"]: one for one in found["tests"] if one["kind"] in ("attack", "gradient")}
    assert set(attacks) == ({"attack"} if is_number else {"attack", "gradient"})
    # An adversary does more than chance of the same size, and by slopes as well as by asking.
    assert all(one["low"] > noise[0] for one in attacks.values())
    if not is_number:
        assert attacks["gradient"]["fall"] == pytest.approx(attacks["attack"]["fall"], rel=0.2)
    sides = [fall for (kind, _, *on), fall in falls.items() if kind == "shift" and on == ["a"]]
    assert found["falls"]["robustness_shift_fall"] >= max(sides) > 0
    gates = {gate["name"]: gate for gate in told["gates"]["gates"]}
    assert gates["robustness_noise_fall"]["value"] == found["falls"]["robustness_noise_fall"] == noise[0]
    assert gates["robustness_noise_fall"]["passed"] is (noise[0] <= 0.5)
    assert gates["robustness_missing_fall"]["passed"] is False
    page = Path(told["path"], "report.html").read_text()
    assert 'id="robustness"' in page
    assert "noise, 10%" in page


@pytest.mark.parametrize("slope", [-2.0, 0.5])
def test_slopes_turn_with_a_falling_correction(slope: float) -> None:
    """The way in which a row's loss grows is that of the answer as it is given: corrected."""
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    fitted = FittedLinear(model, np.arange(2), 2, None, np.zeros(1))
    corrected = Calibrated(fitted, (Sigmoid(slope, 0.3),), 10, None, None)
    x, y = np.array([[0.2], [0.4], [0.9]]), np.array([0, 1, 1])
    rows = np.arange(3)
    own, given = (
        np.sign(one.predict(x)[rows, y] - one.predict(x + 0.01)[rows, y]) for one in (fitted, corrected)
    )
    assert (turns_of(corrected, y) * own).tolist() == given.tolist()
    assert (turns_of(fitted, y) * own).tolist() == own.tolist()


def test_each_class_turns_by_its_own_correction() -> None:
    """Of several classes a row's own class says; steps never fall."""
    model = LogisticRegression().fit([[0.0], [1.0], [2.0]], [0, 1, 2])
    fitted = FittedLinear(model, np.arange(3), 3, None, np.zeros(1))
    curves = (Sigmoid(-1.0, 0.0), Sigmoid(2.0, 0.0), Steps(np.array([-1.0, 1.0]), np.array([0.1, 0.9])))
    corrected = Calibrated(fitted, curves, 10, None, None)
    assert turns_of(corrected, np.array([2, 0, 1, 0])).tolist() == [1, -1, 1, -1]
