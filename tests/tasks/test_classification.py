from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
import pytest

from engine.data.schema import Column, Schema
from engine.errors import DataError
from engine.graph import Graph
from engine.recipe.spec import Spec
from engine.recipe.strict import Scalar
from engine.tasks.classification import TASK
from engine.tasks.task import Scores, Target

MakeSpec = Callable[[Mapping[str, object]], Spec]

BINARY_NAMES = (
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier_score",
    "accuracy",
    "balanced_accuracy",
    "f1",
    "precision",
    "recall",
    "f1_macro",
    "matthews_corrcoef",
    "expected_calibration_error",
)
THREE = {"type": "category", "values": ["a", "b", "c"]}
VALUE = {"true_positive": 50.0, "false_positive": -10.0, "currency": "EUR"}


def _schema(*, positive: Scalar | None = None, sensitive: bool = False) -> Schema:
    target = Column("repaid", "category", "target", "string", sensitive=sensitive)
    return Schema(columns=(target,), positive=positive, extra="error", missing_target="error")


def _run(target: Target, values: np.ndarray, *, threshold: float | None) -> dict[str, np.ndarray]:
    import onnxruntime

    graph = Graph()
    raw = graph.input("values", np.float64, width=len(target.classes))
    TASK.decide(graph, raw, target=target, threshold=threshold)
    session = onnxruntime.InferenceSession(graph.build().SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"values": values}), strict=True))


def test_a_right_recipe_has_no_mistakes(make_spec: MakeSpec) -> None:
    """The recipe that the other tests break is right."""
    assert list(TASK.check(make_spec({}))) == []
    assert (
        list(
            TASK.check(make_spec({"goal.value": VALUE, "goal.metric": "profit", "task.threshold": "profit"}))
        )
        == []
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"task.treshold": 0.5},
            "task.treshold\n"
            "  'treshold' is not a key of task classification\n"
            "  did you mean 'threshold'?\n"
            "  allowed: kind, metric, threshold\n"
            "  try: engine options task/classification",
        ),
        (
            {"goal.metric": "roc_aux"},
            "goal.metric\n"
            "  'roc_aux' is not a metric of task classification\n"
            "  did you mean 'roc_auc'?\n"
            f"  allowed: {', '.join(BINARY_NAMES[:10])} and 2 more\n"
            "  try: engine options goal.metric",
        ),
        (
            {"goal.metric": "profit"},
            "goal.metric\n"
            "  'profit' needs goal.value, which says what each outcome is worth\n"
            f"  allowed: {', '.join(BINARY_NAMES[:10])} and 2 more\n"
            "  try: engine options goal.metric",
        ),
        (
            {"task.metric": "rmse"},
            "task.metric\n"
            "  'rmse' is not a metric of task classification\n"
            f"  allowed: {', '.join(BINARY_NAMES[:10])} and 2 more\n"
            "  try: engine options goal.metric",
        ),
        (
            {"schema.target": "amount", "schema.positive": None},
            "schema.columns.amount.type\n"
            "  task classification can't predict 'amount', of type number\n"
            "  allowed: category, boolean, integer",
        ),
        (
            {"schema.target": "age", "schema.positive": 1},
            "schema.columns.age.values\n"
            "  an integer target needs its classes declared, at most 100; or type: category",
        ),
        (
            {"schema.columns.repaid": {"type": "integer", "min": 0, "max": 1}, "schema.positive": 2},
            None,
        ),
        (
            {"schema.positive": "Yes"},
            "schema.positive\n"
            "  'Yes' is not a declared value of 'repaid'\n"
            "  did you mean 'yes'?\n"
            "  allowed: no, yes",
        ),
        (
            {"schema.columns.repaid": {"type": "boolean"}, "schema.positive": "true"},
            "schema.positive\n"
            "  'true' is not a declared value of 'repaid': it is written as another type there\n"
            "  allowed: false, true",
        ),
        (
            {"schema.columns.repaid": {"type": "category", "values": [0, 1]}, "schema.positive": True},
            "schema.positive\n  true is not a declared value of 'repaid'\n  allowed: 0, 1",
        ),
        (
            {"schema.columns.repaid": THREE},
            "schema.positive\n  'positive' is for two classes, and 'repaid' declares 3",
        ),
        (
            {"schema.columns.repaid": THREE, "schema.positive": None, "goal.value": VALUE},
            "goal.value\n  'value' prices decisions between two classes, and 'repaid' declares 3",
        ),
        (
            {"schema.columns.repaid": THREE, "schema.positive": None, "task.threshold": 0.3},
            "task.threshold\n  a threshold is for two classes, and 'repaid' declares 3\n  allowed: auto",
        ),
        (
            {"schema.columns.repaid": THREE, "schema.positive": None, "goal.metric": "f1"},
            "goal.metric\n"
            "  'f1' is for two classes, and 'repaid' declares 3\n"
            "  allowed: roc_auc, log_loss, brier_score, accuracy, balanced_accuracy, f1_macro, matthews_corrcoef, "
            "expected_calibration_error\n"
            "  try: engine options goal.metric",
        ),
        (
            {"schema.columns.repaid": {"type": "category", "values": ["yes"]}},
            "schema.columns.repaid.values\n  'repaid' declares 1 value, and a class needs another to differ from",
        ),
        (
            {"task.threshold": "f2"},
            "task.threshold\n"
            "  'f2' is not a metric a threshold can be chosen by\n"
            "  allowed: auto, f1, balanced_accuracy, accuracy, matthews_corrcoef, profit, a number between 0 and 1",
        ),
        (
            {"task.threshold": "profit"},
            "task.threshold\n"
            "  'profit' needs goal.value, which says what each outcome is worth\n"
            "  allowed: auto, f1, balanced_accuracy, accuracy, matthews_corrcoef, profit, a number between 0 and 1",
        ),
        *[
            (
                {"task.threshold": wrong},
                "task.threshold\n"
                f"  {wrong!r} is not a threshold\n"
                "  allowed: auto, f1, balanced_accuracy, accuracy, matthews_corrcoef, profit, "
                "a number between 0 and 1",
            )
            for wrong in (0, 1, 1.5, True, None)
        ],
    ],
)
def test_each_mistake_of_a_recipe_has_its_message(
    make_spec: MakeSpec, changes: dict[str, object], expected: str | None
) -> None:
    """A mistake gives its one message, word for word; what only the data can tell gives none."""
    said = [str(message) for message in TASK.check(make_spec(changes))]
    assert said == ([] if expected is None else [expected])


def test_a_missing_threshold_is_said(make_spec: MakeSpec) -> None:
    """A user's own task file without the threshold is told so: defaults live in `conf/` only."""
    spec = make_spec({"task": {"kind": "classification", "metric": "roc_auc"}})
    assert [str(message) for message in TASK.check(spec)] == [
        "task.threshold\n"
        "  task classification needs 'threshold'\n"
        "  allowed: kind, metric, threshold\n"
        "  try: engine options task/classification"
    ]


def test_an_undeclared_target_is_the_schemas_mistake_alone(make_spec: MakeSpec) -> None:
    """Where the target is no column at all, the schema's check says so, and the task does not say it again."""
    assert list(TASK.check(make_spec({"schema.target": "repayed"}))) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, BINARY_NAMES),
        ({"schema.columns.repaid": {"type": "category"}}, BINARY_NAMES),
        ({"goal.value": VALUE}, (*BINARY_NAMES, "profit")),
        ({"schema.columns.repaid": THREE}, tuple(TASK.metrics("multiclass"))),
    ],
)
def test_metrics_follow_from_the_recipe(
    make_spec: MakeSpec, changes: dict[str, object], expected: tuple[str, ...]
) -> None:
    """A recipe may name all metrics until it declares three classes, and profit once an outcome has a value."""
    assert TASK.metric_names(make_spec(changes)) == expected


@pytest.mark.parametrize(
    ("values", "positive", "kind", "classes"),
    [
        (["no", "yes", "no", "yes"], None, "binary", ("no", "yes")),
        (["no", "yes", "no", "yes"], "no", "binary", ("yes", "no")),
        ([True, False, False, True], None, "binary", (False, True)),
        ([True, False, False, True], False, "binary", (True, False)),
        ([2, 10, 1, 1, 2, 10], None, "multiclass", (1, 2, 10)),
    ],
)
def test_classes_are_sorted_with_the_positive_one_last(
    values: list[Scalar], positive: Scalar | None, kind: str, classes: tuple[Scalar, ...]
) -> None:
    """Classes come in sorted order; of two the positive one is last, whatever the rows' order."""
    target = TASK.target(pl.Series("repaid", values), _schema(positive=positive))
    assert (target.kind, target.classes) == (kind, classes)
    assert [type(value) for value in target.classes] == [type(value) for value in classes]


@pytest.mark.parametrize(
    ("values", "positive", "expected"),
    [
        (["no", None, "yes", None], None, "repaid\n  nullable: 2 rows are null (rows 2, 4)"),
        (["no"], None, "repaid\n  the target has one class ('no') in all 1 row: nothing to learn"),
        (["no", "no"], None, "repaid\n  the target has one class ('no') in all 2 rows: nothing to learn"),
        (
            ["a", "a", "q" * 50],
            None,
            f"repaid\n  1 class has fewer than 2 rows: '{'q' * 39}…' (row 3)",
        ),
        ([], None, "repaid\n  the target has no rows"),
        (
            ["a", "a", "b", "c", "c"],
            None,
            "repaid\n  1 class has fewer than 2 rows: 'b' (row 3)",
        ),
        (
            ["e", "a", "b", "c", "d", "d"],
            None,
            "repaid\n  4 classes have fewer than 2 rows: 'a', 'b', 'c' and 1 more (rows 1, 2, 3)",
        ),
        (
            ["no", "yes"] * 2,
            "Yes",
            "schema.positive\n"
            "  no row of 'repaid' has the positive class 'Yes'\n"
            "  did you mean 'yes'?\n"
            "  allowed: no, yes",
        ),
        (
            ["a", "b", "c"] * 2,
            "a",
            "schema.positive\n  'positive' is for two classes, and 'repaid' has 3\n  allowed: null",
        ),
        (
            [f"{i:04}" for i in range(1001)] * 2,
            None,
            "repaid\n  the target has 1001 classes, and at most 1000 are possible",
        ),
    ],
)
def test_a_target_that_cant_be_learnt_is_refused(
    values: list[str | None], positive: str | None, expected: str
) -> None:
    """Each fault of the target's values is a data error, word for word."""
    column = pl.Series("repaid", values, dtype=pl.String)
    with pytest.raises(DataError) as caught:
        TASK.target(column, _schema(positive=positive))
    assert str(caught.value) == expected


def test_values_of_a_sensitive_target_are_not_shown() -> None:
    """Of a sensitive target no class is named, only counts and rows."""
    for values, positive, expected in (
        (["no", "no"], None, "repaid\n  the target has one class in all 2 rows: nothing to learn"),
        (["a", "a", "b"], None, "repaid\n  1 class has fewer than 2 rows (row 3)"),
        (["a", "b"] * 2, "c", "schema.positive\n  no row of 'repaid' has the positive class 'c'"),
    ):
        with pytest.raises(DataError) as caught:
            TASK.target(pl.Series("repaid", values), _schema(positive=positive, sensitive=True))
        assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("values", "classes"),
    [(["b", "a", "b"], ("b", "a")), ([3, 1, 3], (3, 1)), ([True, False, True], (True, False))],
)
def test_encoding_gives_class_indices(values: list[Scalar], classes: tuple[Scalar, ...]) -> None:
    """Each value becomes its class's index, in the order of the target's classes."""
    y = TASK.encode(pl.Series("repaid", values), Target("repaid", "binary", classes))
    assert y.dtype == np.int64
    assert y.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", "c", "b", "c"], "repaid\n  values: 2 rows are none of them (rows 2, 4)"),
        (["a", None], "repaid\n  nullable: 1 row is null (row 2)"),
    ],
)
def test_encoding_refuses_what_training_had_not(values: list[str | None], expected: str) -> None:
    """A class that the target does not have, or a null, is a data error, never a number."""
    with pytest.raises(DataError) as caught:
        TASK.encode(pl.Series("repaid", values), Target("repaid", "binary", ("a", "b")))
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("classes", "dtype"), [(("no", "yes"), object), ((1, 7), np.int64), ((False, True), np.bool_)]
)
def test_the_graph_decides_between_two_classes(classes: tuple[Scalar, ...], dtype: type) -> None:
    """From the threshold on the positive class is decided for; the class comes out in its own type."""
    positive = np.array([0.1, 0.29999, 0.3, 0.9])
    values = np.column_stack([1 - positive, positive])
    answer = _run(Target("repaid", "binary", classes), values, threshold=0.3)
    assert list(answer) == ["probability", "decision", "prediction"]
    assert answer["decision"].tolist() == [0, 0, 1, 1]
    assert answer["decision"].dtype == np.int64
    assert answer["prediction"].tolist() == [classes[0], classes[0], classes[1], classes[1]]
    assert answer["prediction"].dtype == dtype
    assert answer["probability"].tolist() == values.tolist()


def test_the_graph_decides_at_a_half_without_a_threshold() -> None:
    """Two classes without a threshold are decided between at 0.5."""
    values = np.array([[0.5, 0.5], [0.6, 0.4]])
    answer = _run(Target("repaid", "binary", ("no", "yes")), values, threshold=None)
    assert answer["prediction"].tolist() == ["yes", "no"]


def test_the_graph_decides_for_the_likeliest_of_several() -> None:
    """Of three classes the likeliest is decided for, the first where two are equal."""
    values = np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.0, 0.1, 0.9]])
    answer = _run(Target("kind", "multiclass", ("a", "b", "c")), values, threshold=None)
    assert answer["prediction"].tolist() == ["b", "a", "c"]
    assert answer["decision"].tolist() == [1, 0, 2]


@pytest.mark.parametrize("classes", [("no", "yes"), ("a", "b", "c")])
def test_no_rows_are_a_normal_case(classes: tuple[str, ...]) -> None:
    """Zero rows in, zero rows out, of every output and of the frame."""
    target = Target("kind", "binary" if len(classes) == 2 else "multiclass", classes)
    values = np.empty((0, len(classes)))
    answer = _run(target, values, threshold=0.4 if len(classes) == 2 else None)
    assert {name: tensor.shape for name, tensor in answer.items()} == {
        "probability": (0, len(classes)),
        "decision": (0,),
        "prediction": (0,),
    }
    frame = TASK.to_frame(Scores(values=values, decisions=answer["decision"]), target)
    assert frame.shape == (0, 1 + len(classes))


@pytest.mark.parametrize(
    ("classes", "names", "dtype"),
    [
        (("no", "yes"), ["probability_no", "probability_yes"], pl.String),
        ((0, 1), ["probability_0", "probability_1"], pl.Int64),
        ((False, True), ["probability_false", "probability_true"], pl.Boolean),
    ],
)
def test_predictions_as_a_frame(classes: tuple[Scalar, ...], names: list[str], dtype: pl.DataType) -> None:
    """The frame has the prediction in the target's type, then one probability a class."""
    scores = Scores(values=np.array([[0.9, 0.1], [0.2, 0.8]]), decisions=np.array([0, 1]))
    frame = TASK.to_frame(scores, Target("repaid", "binary", classes))
    expected = pl.DataFrame(
        {"prediction": pl.Series(list(classes), dtype=dtype), names[0]: [0.9, 0.2], names[1]: [0.1, 0.8]}
    )
    assert frame.equals(expected)
    assert frame.schema == expected.schema


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"task.threshold": 0.25}, 0.25),
        # F1: .3 to .6 takes all three positives with two negatives, 6/8; .75 takes one alone, 2/4.
        ({"task.threshold": "f1"}, 0.35),
        ({}, 0.35),
        # A false alarm costs more than a hit brings unless hits are two to one.
        ({"goal.value": {"true_positive": 1.0, "false_positive": -5.0, "currency": "EUR"}}, 0.85),
        ({"goal.value": {"true_positive": 9.0, "false_positive": -1.0, "currency": "EUR"}}, 0.35),
        (
            {
                "goal.value": {"true_positive": 1.0, "false_positive": -5.0, "currency": "EUR"},
                "task.threshold": "f1",
            },
            0.35,
        ),
    ],
)
def test_the_threshold_is_the_one_asked_for(
    make_spec: MakeSpec, changes: dict[str, object], expected: float
) -> None:
    """A number is taken as it is; `auto` means profit where an outcome has a value, else F1."""
    y = np.array([1, 0, 1, 0, 1, 0, 0])
    positive = np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.1])
    values = np.column_stack([1 - positive, positive])
    assert TASK.choose_threshold(y, values, None, spec=make_spec(changes)) == pytest.approx(expected)


def test_several_classes_have_no_threshold(make_spec: MakeSpec) -> None:
    """The likeliest of three classes needs no threshold."""
    values = np.full((3, 3), 1 / 3)
    assert TASK.choose_threshold(np.array([0, 1, 2]), values, None, spec=make_spec({})) is None
