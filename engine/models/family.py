"""What a model family is: what it needs, how it is fitted, and how it writes itself into the graph.

A family module has a light top (`FAMILY` with its needs and tasks) and imports its library inside `fit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np

from engine.errors import Message
from engine.features.needs import Needs
from engine.graph import Graph
from engine.models.margin import Margin
from engine.models.params import Parameter
from engine.models.treeshap import Added
from engine.tasks.task import TargetKind

if TYPE_CHECKING:
    from engine.recipe.spec_model import ModelSpec

Array: TypeAlias = "np.ndarray"
ParamValue = bool | int | float | str | None | tuple["ParamValue", ...] | dict[str, "ParamValue"]
# done, total, and the validation score so far if there is one
Progress = Callable[[int, int, float | None], None]


@dataclass(frozen=True, slots=True)
class Rows:
    """Prepared rows of one part: x (n, n_features) float64, y of shape (n,), weights (n,) or None.

    `groups`, of shape (n,), is each row's group, from 0 on, where the fit is to be fair to groups; -1 is none
    that training has.
    """

    x: Array
    y: Array
    weights: Array | None
    groups: Array | None = None

    def take(self, places: Array) -> Rows:
        """Return some rows, given their indices, which may stand twice."""
        weights, groups = (None if of is None else of[places] for of in (self.weights, self.groups))
        return Rows(self.x[places], self.y[places], weights, groups)


@dataclass(frozen=True, slots=True)
class Problem:
    """All that a fit may know: prepared training and validation rows, never test rows.

    `feature_names` names the columns of x, in order. `category_sizes` maps the place of a column that holds
    level indices to its number of levels L: values are 0..L-1, and NaN (missing: ok) or L (missing: impute)
    for a missing or unseen level. `n_classes` is 1 for a continuous target.
    """

    train: Rows
    validation: Rows | None
    kind: TargetKind
    n_classes: int
    feature_names: tuple[str, ...]
    category_sizes: Mapping[int, int]
    estimator: str | None
    params: Mapping[str, ParamValue]
    seed: int
    threads: int
    device: Literal["cpu", "cuda"]
    max_iterations: int | None


@dataclass(frozen=True, slots=True)
class Course:
    """A fit in stages: each goes on where the one before ended, with params of its own.

    Attributes
    ----------
    stages
        All params of each stage, in order; the problem's own are those of the last.
    n_rounds
        Rounds or epochs of one stage.
    load
        Of a number of stages, what was saved at their end; None where that is not there.
    save
        Keeps what the whole course has come to, so that a longer one need not begin anew.
    """

    stages: tuple[Mapping[str, ParamValue], ...]
    n_rounds: int
    load: Callable[[int], bytes | None]
    save: Callable[[bytes], None]


class StopFit(Exception):  # noqa: N818 (no error: it is asked for)
    """Raised by who watches a fit, to end it without a model."""


class Fitted(Protocol):
    """A fitted model."""

    @property
    def n_iterations(self) -> int | None:
        """Trees or epochs kept, after early stopping."""

    @property
    def importances(self) -> Array | None:
        """The library's own, shape (n_features,), summing to 1, or None."""

    def predict(self, x: Array) -> Array:
        """Return the library's own answer: probabilities (n, n_classes), or values (n,), float64."""

    def write(self, graph: Graph, x: str) -> str | None:
        """Write the nodes from prepared x (double, (rows, n_features)) to the output tensor.

        The output is double, of shape (rows, n_classes), or (rows, 1) when continuous. None: the model has no
        graph, and `to_skops` is used instead.
        """

    def to_skops(self) -> bytes | None:
        """Return the estimator in skops' format when it has no graph, else None."""


@runtime_checkable
class Additive(Protocol):
    """A fitted model whose answer, before its link, may be a sum of what the columns add."""

    def margin(self) -> Margin | None:
        """Return the sums; None where this very model has none."""

    def added(self, x: Array) -> Added | None:
        """Return what the columns of prepared rows add to the sums, as the library tells it where it can."""


class Family(Protocol):
    """The contract of a family module."""

    name: str
    tasks: frozenset[TargetKind]
    tolerance: float  # largest allowed difference between the graph and `Fitted.predict`
    tells_loss: bool  # whether `progress` hears a loss on validation rows, lower is better, after each round

    def needs(self, model: ModelSpec) -> Needs:
        """Return what the preparation must give."""

    def check(self, model: ModelSpec, task: str) -> Sequence[Message]:
        """Return what is wrong with family, estimator and params, without importing the library.

        Keys in messages are relative to the recipe, such as `model.params.n_estimator`.
        """

    def parameters(self, *, estimator: str | None, task: str) -> Mapping[str, Parameter]:
        """Return what `model.params` may name for a task, aliases with them, without importing the library.

        Empty where the family does not do the task, or needs an estimator and does not know this one.
        """

    def named_estimators(self, task: str) -> tuple[str, ...]:
        """Return the names that `model.estimator` may have; none where the family takes no such name."""

    def deployed_as(self, model: ModelSpec) -> Literal["graph", "converter", "skops"]:
        """Say how this model is written: our own writer, skl2onnx, or skops."""

    def fit(self, problem: Problem, progress: Progress | None = None) -> Fitted:
        """Fit on the training rows; stop early on the validation rows where the family can."""


class Blocks(Protocol):
    """Prepared training rows that need never be whole: block by block, the same again each time.

    Attributes
    ----------
    n_rows
        Of all blocks.
    classes
        The classes that they hold, sorted, shape (k,); none of a continuous target.
    """

    @property
    def n_rows(self) -> int: ...  # noqa: D102 (said above)

    @property
    def classes(self) -> Array: ...  # noqa: D102

    def __iter__(self) -> Iterator[Rows]:
        """Yield the blocks, in an order that has nothing to do with what stands in them."""


@runtime_checkable
class Streaming(Protocol):
    """A family that can learn from blocks of rows."""

    goes_again: bool  # whether it goes through the blocks more than once, and holds none of them

    def fit_blocks(self, problem: Problem, blocks: Blocks, progress: Progress | None = None) -> Fitted:
        """Fit on all blocks; the problem's own training rows are a sample of them."""


@runtime_checkable
class Continuing(Protocol):
    """A family whose fit can go on where another has ended, with other params."""

    changeable: frozenset[str]  # the params that may differ from stage to stage

    def fit_course(self, problem: Problem, course: Course, progress: Progress | None = None) -> Fitted:
        """Fit in stages; the same to the bit whether or not what was saved is there."""


@runtime_checkable
class Steady(Protocol):
    """A family some of whose models make no random choice: a fit with another seed would be the same."""

    def ignores_seed(self, model: ModelSpec) -> bool:
        """Tell whether a model is fitted the same whatever the seed."""


@runtime_checkable
class Debiasing(Protocol):
    """A family that can learn to give no clue to the group of a row."""

    def fit_debiased(self, problem: Problem, *, strength: float, progress: Progress | None = None) -> Fitted:
        """Fit on rows with groups; `strength` weighs what answers tell of the group against the loss."""


@runtime_checkable
class Differentiable(Protocol):
    """A fitted model that tells the slope of its own loss."""

    def gradient(self, x: Array, y: Array) -> Array:
        """Return how each row's loss grows with each prepared column: the shape of x, 0 for level indices."""
