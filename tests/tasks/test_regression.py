from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
import pytest

from engine.data.schema import Column, Schema
from engine.errors import DataError
from engine.graph import Graph
from engine.recipe.spec import Spec
from engine.tasks.regression import TASK
from engine.tasks.task import Scores, Target

MakeSpec = Callable[[Mapping[str, object]], Spec]

SCHEMA = Schema(
    columns=(Column("amount", "number", "target", "float64"),),
    positive=None,
    extra="error",
    missing_target="error",
)
TARGET = Target("amount", "continuous")
RIGHT = {
    "task": {"kind": "regression", "metric": "rmse"},
    "goal.metric": "rmse",
    "schema.target": "amount",
    "schema.positive": None,
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"schema.target": "age"}, None),
        (
            {"goal.metric": "rsme"},
            "goal.metric\n"
            "  'rsme' is not a metric of task regression\n"
            "  did you mean 'rmse'?\n"
            "  allowed: rmse, mae, r2, median_absolute_error, max_error, mape, poisson_deviance\n"
            "  try: engine options goal.metric",
        ),
        (
            {"task": {"kind": "regression", "metric": "rmse", "threshold": 0.5}},
            "task.threshold\n"
            "  'threshold' is not a key of task regression\n"
            "  allowed: kind, metric\n"
            "  try: engine options task/regression",
        ),
        (
            {"schema.target": "sex"},
            "schema.columns.sex.type\n"
            "  task regression can't predict 'sex', of type category\n"
            "  allowed: number, integer",
        ),
        (
            {"goal.value": {"true_positive": 1.0, "currency": "EUR"}},
            "goal.value\n  'value' prices right and wrong decisions, and task regression makes none",
        ),
        ({"schema.positive": "yes"}, "schema.positive\n  'positive' is for a target of two classes"),
    ],
)
def test_each_mistake_of_a_recipe_has_its_message(
    make_spec: MakeSpec, changes: dict[str, object], expected: str | None
) -> None:
    """A mistake gives its one message, word for word; a right recipe gives none."""
    said = [str(message) for message in TASK.check(make_spec({**RIGHT, **changes}))]
    assert said == ([] if expected is None else [expected])


def test_the_metrics_are_those_a_recipe_may_name(make_spec: MakeSpec) -> None:
    """What a recipe may name and what is measured are the same list."""
    assert TASK.metric_names(make_spec(RIGHT)) == tuple(TASK.metrics("continuous"))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, None, 2.0], "amount\n  nullable: 1 row is null (row 2)"),
        ([1.0, float("nan"), float("inf")], "amount\n  finite: 2 rows are not (rows 2, 3)"),
        ([1.0, 1e308, -1e308], "amount\n  min -1e+150: 1 row is below it (row 3)"),
        ([1.0, 1e308, 2.0], "amount\n  max 1e+150: 1 row is above it (row 2)"),
        ([4.0, 4.0], "amount\n  the target has one value in all 2 rows: nothing to learn"),
    ],
)
def test_a_target_that_cant_be_learnt_is_refused(values: list[float | None], expected: str) -> None:
    """Each fault of the target's values is a data error, word for word."""
    with pytest.raises(DataError) as caught:
        TASK.target(pl.Series("amount", values), SCHEMA)
    assert str(caught.value) == expected


@pytest.mark.parametrize("values", [[1, 2, 3], [1.0, 2.0, 3.0]])
def test_encoding_gives_doubles(values: list[float]) -> None:
    """Integers and numbers become float64."""
    column = pl.Series("amount", values)
    assert TASK.target(column, SCHEMA) == TARGET
    y = TASK.encode(column, TARGET)
    assert y.dtype == np.float64
    assert y.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("values", [[[1.5], [-2.0]], []])
def test_the_graph_hands_the_value_out(values: list[list[float]]) -> None:
    """A column of model output becomes the prediction, one number a row; no rows are a normal case."""
    import onnxruntime

    graph = Graph()
    TASK.decide(graph, graph.input("values", np.float64), target=TARGET, threshold=None)
    session = onnxruntime.InferenceSession(graph.build().SerializeToString())
    fed = np.array(values, dtype=np.float64).reshape(-1, 1)
    (prediction,) = session.run(["prediction"], {"values": fed})
    assert prediction.tolist() == fed[:, 0].tolist()
    assert prediction.dtype == np.float64


def test_predictions_as_a_frame() -> None:
    """The frame has the prediction alone."""
    values = np.array([1.5, -2.0])
    frame = TASK.to_frame(Scores(values=values, decisions=values), TARGET)
    assert frame.equals(pl.DataFrame({"prediction": [1.5, -2.0]}))


def test_a_number_has_no_threshold(make_spec: MakeSpec) -> None:
    """Nothing is decided, so no threshold is chosen."""
    assert TASK.choose_threshold(np.zeros(2), np.zeros(2), None, spec=make_spec(RIGHT)) is None
