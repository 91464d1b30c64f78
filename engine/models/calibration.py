"""Probabilities put right: what a model says, corrected by how often that came true on validation rows.

Fitted and written on log odds, which is where a model's own margin is: there a sigmoid with slope 1 and
intercept 0 changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import DataError, Message
from engine.graph import Graph
from engine.models.family import Additive, Array, Fitted, Rows
from engine.models.margin import Margin
from engine.models.probabilities import write_two_classes
from engine.models.trees import LEAF, LT, Tree, write_mean_of_vectors
from engine.models.treeshap import Added
from engine.tasks.task import Target

if TYPE_CHECKING:
    from engine.recipe.spec import Spec
    from engine.recipe.spec_model import Calibration

_TWO = 2
# Beyond these a probability is a model's way to say never or always: their log odds would outweigh all rows.
_LEAST = 1e-6
# Knots are no nearer than 10 ** -_PLACES in log odds: a step between two rows that nearly tie is chance, and
# so steep that a rounding error would be an answer.
_PLACES = 2


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """1 / (1 + e^-(slope z + intercept)), z being log odds: J. Platt, "Probabilistic outputs" (1999)."""

    slope: float
    intercept: float

    @property
    def steepness(self) -> float:
        """How far an error of the model's probability may grow, at most."""
        return max(abs(self.slope), 1.0)

    def at(self, z: Array) -> Array:
        """Return probabilities of the shape of z."""
        corrected: Array = 1 / (1 + np.exp(-(self.slope * z + self.intercept)))
        return corrected

    def write(self, graph: Graph, z: str) -> str:
        """Write the nodes from log odds of shape (rows, 1) to probabilities of that shape."""
        steep = graph.node("Mul", [z, graph.constant(self.slope)])
        return graph.node("Sigmoid", [graph.node("Add", [steep, graph.constant(self.intercept)])])


@dataclass(frozen=True, slots=True)
class Steps:
    """A rising curve through knots, straight between them: B. Zadrozny and C. Elkan, "Transforming" (2002).

    `knots` are log odds, `values` probabilities, both of shape (n,) and rising.
    """

    knots: Array
    values: Array

    @property
    def steepness(self) -> float:
        """How far an error of the model's probability may grow, at most."""
        slopes = np.diff(self.values) / np.diff(self.knots)
        return max(4 * float(slopes.max(initial=0.0)), 1.0)  # a probability is at most 1/4 a unit of log odds

    def at(self, z: Array) -> Array:
        """Return probabilities of the shape of z."""
        corrected: Array = np.interp(z, self.knots, self.values)
        return corrected

    def write(self, graph: Graph, z: str) -> str:
        """Write the nodes from log odds of shape (rows, 1) to probabilities of that shape."""
        slopes = np.concatenate([[0.0], np.diff(self.values) / np.diff(self.knots), [0.0]])
        starts, values = (np.concatenate([array[:1], array]) for array in (self.knots, self.values))
        found = write_mean_of_vectors(graph, z, [_lookup(self.knots, np.stack([starts, values, slopes], 1))])
        start, value, slope = (
            graph.node("Gather", [found, graph.constant([place])], axis=1) for place in range(3)
        )
        beyond = graph.node("Sub", [z, start])
        return graph.node("Add", [value, graph.node("Mul", [slope, beyond])])


@dataclass
class Calibrated:
    """A fitted model whose probabilities are corrected; itself a `Fitted`.

    Attributes
    ----------
    curves
        Of two classes the positive one's, else one a class: what these give is made to sum to 1.
    n_rows
        The validation rows that it was fitted on.
    n_iterations, importances
        As of the model itself.
    """

    fitted: Fitted
    curves: tuple[Sigmoid | Steps, ...]
    n_rows: int
    n_iterations: int | None
    importances: Array | None

    @property
    def steepness(self) -> float:
        """How far a difference between the graph and the library may grow by the correction."""
        return max(curve.steepness for curve in self.curves)

    def predict(self, x: Array) -> Array:
        """Return the library's answer, corrected: shape (n, n_classes)."""
        return self.correct(self.fitted.predict(x))

    def correct(self, values: Array) -> Array:
        """Return probabilities of shape (n, n_classes) as they are after the correction."""
        z = log_odds(values)
        if len(self.curves) == 1:
            positive = self.curves[0].at(z[:, 1])
            return np.stack([1 - positive, positive], axis=1)
        found = np.stack([curve.at(z[:, place]) for place, curve in enumerate(self.curves)], axis=1)
        shares: Array = found / found.sum(axis=1, keepdims=True)
        return shares

    def margin(self) -> Margin | None:
        """Return the sums of the model itself, which are not corrected."""
        margin = self.fitted.margin() if isinstance(self.fitted, Additive) else None
        return None if margin is None else replace(margin, is_corrected=True)

    def added(self, x: Array) -> Added | None:
        """Return what the columns add to the sums of the model itself."""
        return self.fitted.added(x) if isinstance(self.fitted, Additive) else None

    def write(self, graph: Graph, x: str) -> str | None:
        """Write the model's nodes and those of the correction, where the model has a graph."""
        values = self.fitted.write(graph, x)
        return None if values is None else self.write_correction(graph, values)

    def write_correction(self, graph: Graph, values: str) -> str:
        """Write the nodes from probabilities of shape (rows, n_classes) to those after the correction."""
        kept = graph.node("Clip", [values, graph.constant(_LEAST), graph.constant(1 - _LEAST)])
        others = graph.node("Sub", [graph.constant(1.0), kept])
        z = graph.node("Sub", [graph.node("Log", [kept]), graph.node("Log", [others])])
        places = [1] if len(self.curves) == 1 else range(len(self.curves))
        found = [
            curve.write(graph, graph.node("Gather", [z, graph.constant([place])], axis=1))
            for place, curve in zip(places, self.curves, strict=True)
        ]
        if len(found) == 1:
            return write_two_classes(graph, found[0])
        each = graph.node("Concat", found, axis=1)
        return graph.node("Div", [each, graph.node("ReduceSum", [each, graph.constant([1])], keepdims=1)])

    def to_skops(self) -> bytes | None:
        """Return the model in skops' format; what corrects it is not in there."""
        return self.fitted.to_skops()


def calibrate(fitted: Fitted, how: Calibration | None, validation: Rows | None, *, target: Target) -> Fitted:
    """Correct a classifier's probabilities by how often they came true on validation rows.

    Parameters
    ----------
    how
        None gives the model back as it is.
    validation
        Prepared rows that the model was not fitted on; they may have stopped its fit.

    Returns
    -------
    Fitted
        A `Calibrated`, or the model itself.

    Raises
    ------
    DataError
        If there are no such rows, or none of some class.

    Notes
    -----
    Of more than two classes each is corrected against the rest and the results are divided by their sum
    (Zadrozny and Elkan, 2002). Probabilities beyond 1e-6 and 1 - 1e-6 count as these.
    """
    if how is None:
        return fitted
    n_classes = len(target.classes)
    require_every_class(None if validation is None else validation.y, target)
    assert validation is not None
    z = log_odds(fitted.predict(validation.x))
    fit: Callable[[Array, Array, Array], Sigmoid | Steps]
    fit = _fit_sigmoid if how == "sigmoid" else _fit_steps
    weights = validation.weights
    # What a row weighs beside another counts, not in which unit.
    w = np.ones(len(z)) if weights is None else np.asarray(weights, np.float64) / np.mean(weights)
    places = [1] if n_classes == _TWO else range(n_classes)
    curves = tuple(fit(z[:, place], validation.y == place, w) for place in places)
    return Calibrated(fitted, curves, len(z), fitted.n_iterations, fitted.importances)


def check_calibration(spec: Spec, *, has_classes: bool) -> Iterator[Message]:
    """Yield what is wrong with `model.calibration`; `has_classes` tells whether the task's targets have."""
    how, key = spec.model.calibration, "model.calibration"
    if how is None:
        return
    if not has_classes:
        what = f"{how} corrects probabilities, and task {spec.task.kind} has none"
        yield Message(what, key, try_="model.calibration=null")
    elif spec.split.kind != "predefined" and not spec.split.validation:
        whose = "probabilities are" if spec.split.folds is None else "each fold's probabilities are"
        what = f"{whose} corrected on validation rows, and there are none: split.validation is 0"
        yield Message(what, key, try_="split.validation=0.1")


def require_every_class(y: Array | None, target: Target) -> None:
    """Refuse validation rows, class indices of shape (n,), that lack a class: nothing would correct it.

    Raises
    ------
    DataError
        At `model.calibration`.
    """
    cure = "model.calibration=null, or a larger split.validation"
    if y is None or not len(y):
        what = "probabilities are corrected on validation rows, and no row is of that part"
        raise DataError.of(what, key="model.calibration", try_=cure)
    missing = np.setdiff1d(np.arange(len(target.classes)), y)
    if len(missing):
        n, all_ = len(missing), len(target.classes)
        what = f"{n} of {all_} classes {'is' if n == 1 else 'are'} not among the {len(y)} validation rows"
        raise DataError.of(f"{what}, which correct their probabilities", key="model.calibration", try_=cure)


def log_odds(values: Array) -> Array:
    """Return log(p / (1 - p)) of probabilities, which are kept off 0 and 1 by 1e-6."""
    kept = np.clip(values, _LEAST, 1 - _LEAST)
    odds: Array = np.log(kept) - np.log(1 - kept)
    return odds


def _fit_sigmoid(z: Array, hit: Array, w: Array) -> Sigmoid:
    """Fit by maximum likelihood on Platt's targets, which few rows keep off 0 and 1."""
    from sklearn.linear_model import LogisticRegression

    n_hit, n_other = w[hit].sum(), w[~hit].sum()
    targets = np.where(hit, (n_hit + 1) / (n_hit + 2), 1 / (n_other + 2))
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    both = np.repeat([True, False], len(z))
    model.fit(np.concatenate([z, z])[:, None], both, np.concatenate([w * targets, w * (1 - targets)]))
    return Sigmoid(float(model.coef_[0, 0]), float(model.intercept_[0]))


def _fit_steps(z: Array, hit: Array, w: Array) -> Steps:
    """Fit a rising curve by least squares; n rows can't tell a share from 0 or 1 nearer than 1 / (n + 2)."""
    from sklearn.isotonic import IsotonicRegression

    least = 1 / (len(z) + 2)
    model = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
    model.fit(np.round(z, _PLACES), hit, w)
    return Steps(np.asarray(model.X_thresholds_), np.asarray(model.y_thresholds_))


def _lookup(cuts: Array, table: Array) -> Tree:
    """Return the tree that finds row i of a table, shape (n + 1, k), where i of n rising cuts are passed."""
    asked: list[tuple[float, int, int, int]] = []  # cut, yes, no, leaf

    def grow(low: int, high: int) -> int:
        at, middle = len(asked), (low + high) // 2
        asked.append((0.0, 0, 0, low))
        if low < high:
            asked[at] = (float(cuts[middle]), grow(low, middle), grow(middle + 1, high), -1)
        return at

    grow(0, len(cuts))
    cut, yes, no, leaf = (np.array(column) for column in zip(*asked, strict=True))
    return Tree(
        feature=np.zeros(len(asked), np.int64),
        threshold=cut,
        mode=np.where(leaf < 0, LT, LEAF).astype(np.uint8),
        yes=yes,
        no=no,
        missing_yes=np.zeros(len(asked), bool),
        value=table[np.maximum(leaf, 0)],
    )
