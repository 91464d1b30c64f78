"""Slices of the test rows: who is in which, that their scores are those of their rows alone, what is not said."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
import pytest

from engine.evaluation.evaluate import PartScores, audit_columns, evaluate
from engine.evaluation.score import score
from engine.evaluation.slices import MAX_SLICES, Slicing, cut, score_slices
from engine.recipe.spec import Spec
from engine.tasks.classification import TASK
from engine.tasks.regression import TASK as REGRESSION
from engine.tasks.task import Scores, Target

MakeSpec = Callable[[Mapping[str, object]], Spec]
BINARY = Target("repaid", "binary", ("no", "yes"))


def _rows(n: int, *, seed: int = 0) -> tuple[np.ndarray, Scores]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    positive = np.clip(0.3 * y + rng.uniform(0, 0.7, n), 0, 1)
    return y, Scores(np.column_stack([1 - positive, positive]), (positive >= 0.5).astype(np.int64))


def _sliced(
    frame: pl.DataFrame, y: np.ndarray, scores: Scores, *, by: str, sensitive: bool = False
) -> Slicing:
    return score_slices(
        frame,
        by=[by],
        y=y,
        scores=scores,
        weights=None,
        metrics=TASK.metrics("binary"),
        target=BINARY,
        sensitive=sensitive,
        confidence=0.9,
        n_bootstrap=20,
        seed=0,
    )


def test_a_number_is_cut_at_its_quartiles_and_crossed_with_values() -> None:
    """Quartiles by hand, nulls a slice of their own, only combinations that occur, in the order of values."""
    frame = pl.DataFrame(
        {"age": [*range(1, 13), None], "sex": ["f"] * 6 + ["m"] * 7}, schema_overrides={"age": pl.Int64}
    )
    codes, names = cut(frame, by=["age"])
    assert names == ["up to 3", "over 3 to 6", "over 6 to 9", "over 9", "(missing)"]
    assert np.bincount(codes).tolist() == [3, 3, 3, 3, 1]
    codes, names = cut(frame, by=["sex", "age"])
    assert names == ["f, up to 3", "f, over 3 to 6", "m, over 6 to 9", "m, over 9", "m, (missing)"]
    assert [names[code] for code in codes][-1] == "m, (missing)"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pl.Series([0.0] * 30 + [float(k) for k in range(1, 11)]), ["up to 0", "over 0"]),
        (pl.Series([2, 1, 2]), ["1", "2"]),
        (pl.Series([True, None, False]), ["false", "true", "(missing)"]),
        (pl.Series([None, None], dtype=pl.String), ["(missing)"]),
        (pl.Series([float("nan"), 1.5]), ["1.5", "(missing)"]),
        (pl.Series(["<img src=x onerror=alert(1)>", ""]), ["(empty)", "<img src=x onerror=alert(1)>"]),
    ],
)
def test_values_are_named_as_they_are(column: pl.Series, expected: list[str]) -> None:
    """Few values stand for themselves, ties make fewer quartiles, and no name is taken for anything else."""
    names = cut(column.to_frame("x"), by=["x"])[1]
    assert names == expected


def test_a_slice_is_scored_as_its_rows_alone() -> None:
    """Values and intervals equal those of the rows filtered by hand."""
    y, scores = _rows(200)
    sex = np.where(np.arange(200) % 3 == 0, "f", "m")
    found = _sliced(pl.DataFrame({"sex": sex}), y, scores, by="sex")
    assert [(one.name, one.n, one.said) for one in found.slices] == [("f", 67, ""), ("m", 133, "")]
    rows = np.flatnonzero(sex == "m")
    alone = score(
        y[rows],
        Scores(scores.values[rows], scores.decisions[rows]),
        None,
        metrics=TASK.metrics("binary"),
        confidence=0.9,
        n_bootstrap=20,
        seed=0,
    )
    assert {name: one.value for name, one in found.slices[1].metrics.items()} == {
        name: one.value for name, one in alone.items()
    }
    assert found.slices[1].metrics["roc_auc"] == alone["roc_auc"]


def test_what_can_not_be_told_is_said() -> None:
    """Three rows, one class, hardly another class, a constant prediction: a statement, and no number."""
    sizes = {"few": 3, "one": 20, "hardly": 20, "same": 40}
    group = np.repeat(list(sizes), list(sizes.values()))
    y, scores = _rows(len(group))
    y[group == "one"] = 1
    y[group == "hardly"] = np.arange(20) < 2
    y[group == "same"] = np.arange(40) % 2
    scores.values[group == "same"] = 0.5
    scores.decisions[group == "same"] = 1
    found = _sliced(pl.DataFrame({"g": group}), y, scores, by="g").to_json()
    slices = {one["name"]: one for one in found["slices"]}  # type: ignore[attr-defined,index]
    assert slices["few"] == {"name": "few", "n": 3, "said": "3 rows: too few to say", "metrics": {}}
    assert slices["one"]["said"] == "all of class yes: what compares classes can't be told"
    assert slices["hardly"]["said"] == "all but 2 of class no: what compares classes can't be told"
    nothing = {"value": None, "low": None, "high": None}
    for name in ("one", "hardly"):
        told = slices[name]["metrics"]
        assert {key for key, one in told.items() if one != nothing} == {
            "log_loss",
            "brier_score",
            "accuracy",
            "expected_calibration_error",
        }
    assert slices["same"]["metrics"]["roc_auc"] == {"value": 0.5, "low": None, "high": None}
    assert slices["same"]["metrics"]["accuracy"]["value"] == 0.5


def test_small_slices_of_a_sensitive_column_are_not_named() -> None:
    """They are counted with their rows, and stand nowhere."""
    y, scores = _rows(40)
    frame = pl.DataFrame({"faith": ["a"] * 33 + ["b"] * 4 + ["c"] * 3})
    found = _sliced(frame, y, scores, by="faith", sensitive=True)
    assert [one.name for one in found.slices] == ["a"]
    assert (found.n_unnamed_slices, found.n_unnamed_rows) == (2, 7)


def test_only_the_largest_are_measured() -> None:
    """What is beyond is counted."""
    group = np.concatenate([np.repeat(np.arange(MAX_SLICES), 11), np.repeat([900, 901], 10)])
    y, scores = _rows(len(group))
    found = _sliced(pl.DataFrame({"g": group.astype(str)}), y, scores, by="g")
    assert len(found.slices) == MAX_SLICES
    assert (found.n_more_slices, found.n_more_rows) == (2, 20)


def test_slices_of_a_recipe_are_of_the_test_rows(make_spec: MakeSpec) -> None:
    """One column or several, of numbers too; no rows give no slice."""
    spec = make_spec(
        {
            "evaluation.slices": ["age", ["sex", "age"]],
            "goal.metric": "rmse",
            "schema.target": "amount",
            "schema.positive": None,
        }
    )
    assert audit_columns(spec) == ("sex", "age")
    frame = pl.DataFrame({"age": np.arange(40), "sex": ["f", "m"] * 20})
    y = np.arange(40.0)
    part = PartScores(y, Scores(y + 1, y + 1), None, frame)
    target = Target("amount", "continuous")
    found = evaluate({"test": part, "train": part}, spec=spec, task=REGRESSION, target=target, seed=0)
    assert [slicing.by for slicing in found.slices] == [("age",), ("sex", "age")]
    assert [one.metrics["mae"].value for one in found.slices[0].slices] == [1.0] * 4
    none = PartScores(y[:0], Scores(y[:0], y[:0]), None, frame.clear())
    assert evaluate({"test": none}, spec=spec, task=REGRESSION, target=target, seed=0).slices[0].slices == ()
