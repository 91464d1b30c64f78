"""Writes a fitted scikit-learn estimator into a graph: our own writers first, then skl2onnx.

Every way but the writer of trees is tried on sample rows before it is taken: one that doesn't answer as the
estimator does is passed over. Imported with the estimator at hand, never at start-up.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from engine.graph import ML, OPSET, Graph
from engine.models.params import DeployedAs
from engine.models.probabilities import write_two_classes, write_widened
from engine.models.tree_family import LIBRARY_FAULTS, not_fitted

Array = np.ndarray
Writer = Callable[[Graph, str], str | None]

# A double graph answers to rounding; skl2onnx's support vectors are float32.
TOLERANCE = 1e-5


def answer(estimator: object, x: Array, *, n_classes: int) -> Array:
    """Return an estimator's answer, float64: probabilities of shape (n, n_classes), or values of shape (n,).

    A class that training did not hold gets the probability 0. 0 rows, which scikit-learn refuses, are
    answered with 0 rows.

    Raises
    ------
    RecipeError
        If the estimator, fitted without complaint, can't answer: more neighbours than there are rows, say.
    """
    if not len(x):
        return np.empty((0, n_classes) if n_classes > 1 else 0)
    try:
        return _answer(estimator, x, n_classes=n_classes)
    except LIBRARY_FAULTS as exc:
        raise not_fitted(type(estimator).__name__, exc, did="answer") from exc


def _answer(estimator: object, x: Array, *, n_classes: int) -> Array:
    if n_classes == 1:
        values = estimator.predict(x)  # type: ignore[attr-defined]
        return np.asarray(values, np.float64).reshape(len(x))
    wide = np.zeros((len(x), n_classes))
    wide[:, _classes(estimator)] = estimator.predict_proba(x)  # type: ignore[attr-defined]
    return wide


def choose_writer(estimator: object, *, n_classes: int, sample: Array) -> tuple[DeployedAs, Writer | None]:
    """Return how `estimator` is written into a graph and by what, tried on `sample`, (n, n_features)."""
    if _is_trees(estimator):
        trees = partial(_write_trees, estimator, n_classes=n_classes)
        aside = Graph()
        written = trees(aside, aside.input("x", np.float64, width=sample.shape[1]))
        return ("skops", None) if written is None else ("graph", trees)
    want = answer(estimator, sample, n_classes=n_classes)
    for deployed_as, writer in _ways(estimator, n_classes=n_classes, width=sample.shape[1]):
        if _agrees(writer, sample=sample, want=want):
            return deployed_as, writer
    return "skops", None


def _ways(estimator: object, *, n_classes: int, width: int) -> Iterator[tuple[DeployedAs, Writer]]:
    name = type(estimator).__name__
    if name.startswith("Bagging"):
        yield "graph", partial(_write_bagging, estimator, n_classes=n_classes)
    if name == "AdaBoostClassifier":
        yield "graph", partial(_write_adaboost, estimator, n_classes=n_classes)
    if hasattr(estimator, "coef_") and hasattr(estimator, "intercept_"):
        for head in (_identity, _exp) if n_classes == 1 else (_sigmoids, _softmax, _one_against_rest):
            yield "graph", partial(_write_linear, estimator, n_classes=n_classes, head=head)
    for single in (False, True):
        yield "converter", partial(_convert, estimator, n_classes=n_classes, width=width, single=single)


def _agrees(writer: Writer, *, sample: Array, want: Array) -> bool:
    import onnxruntime

    graph = Graph()
    columns = want.shape[1] if want.ndim > 1 else 1
    try:
        answered = writer(graph, graph.input("x", np.float64, width=sample.shape[1]))
        if answered is None:
            return False
        graph.output("answer", answered, np.float64, width=columns)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(graph.build().SerializeToString(), options)
        got: Array = session.run(None, {"x": sample})[0]
    except Exception:  # noqa: BLE001 - a converter fails in ways of its own; the next way is tried
        return False
    got = got.reshape(len(got), -1)
    want = want.reshape(len(want), -1)
    if got.shape != want.shape:
        return False
    return bool(np.all(np.abs(got - want) <= TOLERANCE * np.maximum(1.0, np.abs(want))))


def _is_trees(estimator: object) -> bool:
    parts = type(estimator).__module__.split(".")
    return "tree" in parts or bool({"_forest", "_gb", "gradient_boosting"} & {*parts})


def _write_trees(estimator: object, graph: Graph, x: str, *, n_classes: int) -> str | None:
    from engine.models.trees_sklearn import write_sklearn_trees

    return write_sklearn_trees(estimator, graph, x, n_classes=n_classes)


def _write_bagging(estimator: object, graph: Graph, x: str, *, n_classes: int) -> str | None:
    """Average the trees, each on the columns it drew (scikit-learn's BaggingClassifier.predict_proba)."""
    parts = []
    known = _known(estimator, n_classes)
    members = zip(estimator.estimators_, estimator.estimators_features_, strict=True)  # type: ignore[attr-defined]
    for member, columns in members:
        if not _is_trees(member):
            return None
        drawn = graph.node("Gather", [x, graph.constant(np.asarray(columns, np.int64))], axis=1)
        answered = _write_trees(member, graph, drawn, n_classes=known)
        if answered is None:
            return None
        parts.append(answered)
    total = graph.node("Sum", parts)
    mean = graph.node("Div", [total, graph.constant(np.float64(len(parts)))])
    return _widened(estimator, graph, mean, n_classes=n_classes)


def _write_adaboost(estimator: object, graph: Graph, x: str, *, n_classes: int) -> str | None:
    """Sum the members' votes and take the softmax.

    Zhu, Zou, Rosset, Hastie: Multi-class AdaBoost (2009), as AdaBoostClassifier.predict_proba has it.
    """
    known = _known(estimator, n_classes)
    weights: Array = estimator.estimator_weights_  # type: ignore[attr-defined]
    classes = graph.constant(np.arange(known, dtype=np.int64))
    votes = []
    for member, weight in zip(estimator.estimators_, weights, strict=False):  # type: ignore[attr-defined]
        if not _is_trees(member):
            return None
        answered = _write_trees(member, graph, x, n_classes=known)
        if answered is None:
            return None
        best = graph.node("ArgMax", [answered], axis=1, keepdims=1)
        yes = graph.constant(np.float64(weight / weights.sum()))
        no = graph.constant(np.float64(-weight / weights.sum() / (known - 1)))
        votes.append(graph.node("Where", [graph.node("Equal", [best, classes]), yes, no]))
    total = graph.node("Div", [graph.node("Sum", votes), graph.constant(np.float64(known - 1))])
    return _widened(estimator, graph, graph.node("Softmax", [total], axis=1), n_classes=n_classes)


def _write_linear(
    estimator: object, graph: Graph, x: str, *, n_classes: int, head: Callable[[Graph, str], str]
) -> str:
    coefficients = np.atleast_2d(np.asarray(estimator.coef_, np.float64))  # type: ignore[attr-defined]
    intercept = np.ravel(np.asarray(estimator.intercept_, np.float64))  # type: ignore[attr-defined]
    product = graph.node("MatMul", [x, graph.constant(np.ascontiguousarray(coefficients.T))])
    answered = head(graph, graph.node("Add", [product, graph.constant(intercept)]))
    return _widened(estimator, graph, answered, n_classes=n_classes)


def _identity(_: Graph, score: str) -> str:
    return score


def _exp(graph: Graph, score: str) -> str:
    return graph.node("Exp", [score])


def _sigmoids(graph: Graph, score: str) -> str:
    return write_two_classes(graph, graph.node("Sigmoid", [score]))


def _softmax(graph: Graph, score: str) -> str:
    return graph.node("Softmax", [score], axis=1)


def _one_against_rest(graph: Graph, score: str) -> str:
    each = graph.node("Sigmoid", [score])
    total = graph.node("ReduceSum", [each, graph.constant([1])], keepdims=1)
    return graph.node("Div", [each, total])


def _convert(estimator: object, graph: Graph, x: str, *, n_classes: int, width: int, single: bool) -> str:
    """Convert with skl2onnx and copy its nodes in; `single` feeds it float32, for nodes without double."""
    from onnx import TensorProto
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    kind = FloatTensorType if single else DoubleTensorType
    # The ai.onnx.ml version is the last that skl2onnx writes; what ours has dropped fails the check.
    with warnings.catch_warnings(action="ignore"):
        model = convert_sklearn(
            estimator,
            initial_types=[("x", kind([None, width]))],
            target_opset={"": OPSET, ML: 3},
            options={id(estimator): {"zipmap": False}} if n_classes > 1 else None,
        )
    given = graph.node("Cast", [x], to=TensorProto.FLOAT) if single else x
    answered = graph.splice(model, inputs={model.graph.input[0].name: given})[-1]
    answered = graph.node("Cast", [answered], to=TensorProto.DOUBLE)
    shaped = graph.node("Reshape", [answered, graph.constant([-1, _known(estimator, n_classes)])])
    return _widened(estimator, graph, shaped, n_classes=n_classes)


def _known(estimator: object, n_classes: int) -> int:
    """Count the columns of the estimator's own answer; training may have lacked a class."""
    return len(_classes(estimator)) if n_classes > 1 else 1


def _classes(estimator: object) -> Array:
    return np.asarray(getattr(estimator, "classes_", ()), np.int64)


def _widened(estimator: object, graph: Graph, answered: str, *, n_classes: int) -> str:
    if n_classes == 1:
        return answered
    return write_widened(graph, answered, classes=_classes(estimator), n_classes=n_classes)
