"""What a search measures is what a run measures: the goal's metric and what the gates bound."""

from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
import polars as pl
import pytest

from engine.evaluation.evaluate import PartScores, evaluate
from engine.evaluation.wanted import wanted
from engine.names import TASKS
from engine.recipe.spec import Spec
from engine.tasks.task import Scores, Target, Task

GATES = {
    "f1": {"min": 0.1},
    "demographic_parity_ratio": {"by": ["sex"], "min": 0.1},
    "latency_p95_ms": {"max": 9},
}


def test_a_search_measures_what_a_run_does(make_spec: Callable[[Mapping[str, object]], Spec]) -> None:
    """The same numbers, to the bit; what only a graph has is named apart."""
    spec = make_spec({"goal.gates": GATES})
    task, target = cast("Task", TASKS.load("classification")), Target("repaid", "binary", ("no", "yes"))
    rng = np.random.default_rng(0)
    y, positive = rng.integers(2, size=80), rng.random(80)
    scores = Scores(np.stack([1 - positive, positive], axis=1), (positive > 0.5).astype(np.int64))
    frame = pl.DataFrame({"sex": rng.choice(["female", "male"], 80)})
    part = PartScores(y, scores, None, frame)
    found = wanted(spec, task=task, target=target)
    assert (found.goal.name, tuple(found.metrics)) == ("roc_auc", ("roc_auc", "f1"))
    assert (found.columns, found.on_bundle, found.uses_decisions) == (("sex",), ("latency_p95_ms",), True)
    whole = evaluate({"test": part}, spec=spec, task=task, target=target, seed=0).measured()
    measured = found.measure(part)
    assert measured == {name: whole[name] for name in measured}
    assert "demographic_parity_ratio by sex" in measured


@pytest.mark.parametrize(("metric", "uses"), [("roc_auc", False), ("log_loss", False), ("f1", True)])
def test_a_metric_of_probabilities_needs_no_decision(
    metric: str, uses: bool, make_spec: Callable[[Mapping[str, object]], Spec]
) -> None:
    """Where nothing reads the decisions no threshold need be chosen, and those metrics do not change by them."""
    spec = make_spec({"goal.metric": metric, "goal.gates": None})
    task, target = cast("Task", TASKS.load("classification")), Target("repaid", "binary", ("no", "yes"))
    found = wanted(spec, task=task, target=target)
    assert found.uses_decisions == uses
    values = np.array([[0.3, 0.7], [0.8, 0.2], [0.4, 0.6], [0.9, 0.1]])
    y = np.array([1, 0, 0, 1])
    both = [
        found.measure(PartScores(y, Scores(values, np.full(4, decision)), None, pl.DataFrame()))
        for decision in (0, 1)
    ]
    assert (both[0] == both[1]) == (not uses)
