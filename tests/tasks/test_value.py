"""Money by hand, on rows that are worth the same and on rows that are each worth something else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine.errors import DataError
from engine.evaluation.score import score
from engine.names import TASKS
from engine.recipe.spec import Spec
from engine.recipe.spec_value import Value
from engine.tasks.task import Scores
from engine.tasks.threshold import best_threshold, profit_aim
from engine.tasks.value import check_value, row_worth, value_metrics

MakeSpec = Callable[[Mapping[str, object]], Spec]
RECIPES = Path(__file__).resolve().parents[2] / "recipes"
BY_ROW = Value.model_validate(
    {
        "true_positive": "margin",
        "false_negative": {"column": "amount", "times": -0.5},
        "true_negative": 1.0,
        "action_cost": 2.0,
        "currency": "EUR",
    }
)


def test_rows_by_hand() -> None:
    """Each row earns by its own columns, the action's cost comes off where one acts, rows count by weight."""
    frame = pl.DataFrame({"margin": [10, 20, 30, 40], "amount": [4.0, 6.0, 8.0, 2.0]})
    y, decisions = np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0])
    worth = row_worth(BY_ROW, frame, y)
    assert worth.tolist() == [[-2.0, 8.0], [-3.0, 18.0], [1.0, -2.0], [1.0, -2.0]]
    scores = Scores(np.full((4, 2), 0.5), decisions, worth)
    profit, back = value_metrics(BY_ROW)
    assert (profit.name, back.name) == ("profit", "return_on_cost")
    # 10 - 2, a miss of 6 * -0.5, -2 for nothing, 1 for leaving alone.
    assert profit.compute(y, scores, None) == 1000 * (8 - 3 - 2 + 1) / 4
    assert profit.compute(y, scores, np.array([2, 1, 1, 0])) == 1000 * (16 - 3 - 2) / 4
    # Doing nothing would earn -2 - 3 + 1 + 1; two acts cost 2 each.
    assert back.compute(y, scores, None) == (4 - -3) / 4
    idle = Scores(scores.values, np.zeros(4, np.int64), worth)
    assert np.isnan(back.compute(y, idle, None))


@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 40), seed=st.integers(0, 2**32 - 1), weighted=st.booleans())
def test_both_ways_of_reckoning_agree(n: int, seed: int, *, weighted: bool) -> None:
    """Where every row is worth the same, it is the same whether the recipe says so or a column does."""
    rng = np.random.default_rng(seed)
    y, decisions = rng.integers(0, 2, n), rng.integers(0, 2, n)
    weights = rng.uniform(0.1, 3, n) if weighted else None
    fixed = Value(true_positive=7.0, false_positive=-1.0, action_cost=2.0, currency="EUR")
    column = Value.model_validate(
        {"true_positive": "seven", "false_positive": -1, "action_cost": 2, "currency": "EUR"}
    )
    worth = row_worth(column, pl.DataFrame({"seven": np.full(n, 7)}), y)
    scores = Scores(np.empty((n, 2)), decisions, worth)
    for one, other in zip(value_metrics(fixed), value_metrics(column), strict=True):
        assert one.compute(y, scores, weights) == pytest.approx(
            other.compute(y, scores, weights), nan_ok=True, abs=1e-9
        )


@settings(deadline=None, max_examples=40)
@given(n=st.integers(2, 40), seed=st.integers(0, 2**32 - 1), weighted=st.booleans())
def test_no_threshold_earns_more(n: int, seed: int, *, weighted: bool) -> None:
    """Trying every threshold that parts the rows otherwise finds none that earns more."""
    rng = np.random.default_rng(seed)
    positive, worth = rng.integers(1, 20, n) / 20, rng.normal(size=(n, 2))
    weights = rng.uniform(0.1, 3, n) if weighted else np.ones(n)

    def earned(threshold: float) -> float:
        return float(weights @ np.where(positive >= threshold, worth[:, 1], worth[:, 0]))

    aim = profit_aim(worth, weights if weighted else None)
    chosen = best_threshold(aim.y, positive, aim.weights, summary=aim.summary)
    assert 0 < chosen < 1
    assert earned(chosen) >= max(earned(float(t)) for t in (np.arange(20) + 0.5) / 20) - 1e-9


def test_intervals_go_with_the_rows() -> None:
    """Resampled rows take their worth along, also where fewer are resampled than there are."""
    n = 120_000
    y, worth = np.arange(n) % 2, np.tile([[0.0, -1.0], [0.0, 3.0]], (n // 2, 1))
    scores = Scores(np.full((n, 2), 0.5), np.ones(n, np.int64), worth)
    metrics = {"profit": value_metrics(BY_ROW)[0]}
    found = score(y, scores, None, metrics=metrics, confidence=0.95, n_bootstrap=20, seed=0)["profit"]
    assert found.value == 1000.0
    assert found.low is not None
    assert found.high is not None
    # Two standard errors of a mean of -1 and 3.
    assert found.high - found.low == pytest.approx(4 * 1000 * 2 / np.sqrt(n), rel=0.5)


def test_a_worth_that_is_no_number_is_refused() -> None:
    """A row that is worth infinitely much makes every sum so: it is told by its place."""
    frame = pl.DataFrame({"margin": [1.0, np.inf], "amount": [1.0, 1.0]})
    with pytest.raises(DataError) as caught:
        row_worth(BY_ROW, frame, np.array([1, 1]))
    assert str(caught.value) == ("goal.value\n  1 rows are worth no finite number (row 2), by margin, amount")


@pytest.mark.parametrize(
    ("column", "what"),
    [
        ({"type": "number", "role": "value"}, ""),
        ({"type": "integer"}, ""),
        ({"type": "number", "nullable": True}, "may be missing (nullable), and every row must be worth something"),
        ({"type": "category"}, "is of type category, which is no amount"),
        (
            {"type": "number", "role": "ignore"},
            "has role ignore: no value of it is read; role: value reads it for this alone",
        ),
    ],
)  # fmt: skip
def test_which_columns_can_say_it(make_spec: MakeSpec, column: dict[str, object], what: str) -> None:
    """What a row is worth is a number that is read and never missing."""
    value = {"true_positive": "amount", "currency": "EUR"}
    spec = make_spec({"schema.columns.amount": column, "goal.value": value})
    assert [(m.key, m.what) for m in check_value(spec)] == (
        [("goal.value.true_positive", f"'amount' {what}")] if what else []
    )
    assert "profit" in TASKS.load("classification").metric_names(spec)  # type: ignore[attr-defined]


def test_a_run_earns_what_its_rows_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tuned, cut off and gated by money of real rows, with weights: all of it as reckoned by hand.

    What a row is worth is no feature: the service does not ask for it.
    """
    monkeypatch.chdir(tmp_path)
    pl.read_csv(RECIPES / "data" / "adult.csv", null_values="?").head(2500).write_csv("adult.csv")
    recipe = (RECIPES / "adult.yaml").read_text(encoding="utf-8").replace("data/adult.csv", "adult.csv")
    recipe = recipe.replace("role: ignore, description: census", "role: weight, description: census")
    recipe = recipe.replace("capital-loss: {type: number", "capital-loss: {type: number, role: value")
    Path("adult.yaml").write_text(recipe, encoding="utf-8")
    value = (
        "{true_positive: capital-loss, false_positive: -3, action_cost: 100, currency: USD, horizon: a year}"
    )
    overrides = (
        "model=logistic", "tune=random", "tune.trials=2", "tune.repeats=0", "evaluation=quick", "model.calibration=sigmoid",
        f"goal.value={value}", "goal.metric=profit", "goal.gates={profit: {min: -50}, return_on_cost: {min: -1}}",
    )  # fmt: skip
    run = engine.run(engine.load("adult.yaml", overrides))
    rows = pl.read_parquet(run.path / "predictions.parquet")
    raw = pl.read_csv("adult.csv")[rows["row"].to_list()]
    w = raw["fnlwgt"].to_numpy()
    assert rows["capital-loss"].to_list() == raw["capital-loss"].to_list()

    def earned(frame: pl.DataFrame, acts: np.ndarray) -> np.ndarray:
        hit = frame["income-per-year"].to_numpy() == ">50K"
        return np.asarray(acts * (np.where(hit, frame["capital-loss"].to_numpy(), -3) - 100))

    acts = rows["prediction"].to_numpy() == ">50K"
    by_hand = 1000 * (w @ earned(raw, acts)) / w.sum()
    test = run.metrics["test"]
    assert test["profit"]["value"] == pytest.approx(by_hand)  # type: ignore[index]
    assert test["return_on_cost"]["value"] == pytest.approx((w @ earned(raw, acts)) / (100 * (w @ acts)))  # type: ignore[index]
    gates = {gate["name"]: gate["value"] for gate in run.gates["gates"]}  # type: ignore[union-attr,index]
    assert gates["profit"] == pytest.approx(by_hand)
    trials = pl.read_parquet(run.path / "trials.parquet")
    validation = run.metrics["validation"]["profit"]["value"]  # type: ignore[index]
    assert trials["score"].max() == pytest.approx(validation)
    threshold = json.loads((run.path / "facts.json").read_text(encoding="utf-8"))["threshold"]
    assert acts.tolist() == (rows["probability_>50K"].to_numpy() >= threshold).tolist()
    features = {column.name for column in run.bundle().schema.features}
    assert not features & {"capital-loss", "fnlwgt"}
    assert run.predict(raw.drop("capital-loss", "fnlwgt", "income-per-year").head(2)).height == 2
    assert "Profit per 1,000 cases, USD over a year" in (run.path / "report.html").read_text(encoding="utf-8")
