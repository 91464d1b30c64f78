"""The `mlp` family: a multilayer perceptron with an embedding for each column of categories.

This module knows the parameters, the network's numbers and how they become a graph; training is in
`_lightning`, which is imported only when something is fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import DataError, Message, nearest
from engine.features.needs import Needs
from engine.graph import Graph
from engine.models.family import Array, Course, Problem, Progress
from engine.models.params import Accepted, AcceptedType, DeployedAs, Parameter
from engine.models.tree_family import classes_of
from engine.recipe.spec_model import ModelSpec
from engine.tasks.task import TargetKind

if TYPE_CHECKING:
    from engine.models._lightning import Network

_PREDICT_ROWS = 65_536


class MlpParams(BaseModel):
    """The family's parameters; every one is in `conf/model/mlp.yaml`, none has a default here."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    hidden_sizes: tuple[Annotated[int, Field(ge=1, le=65_536)], ...]
    batch_norm: bool
    dropout: Annotated[float, Field(ge=0, lt=1)]
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    batch_size: Annotated[int, Field(ge=2)]
    max_epochs: Annotated[int, Field(ge=1)]
    patience: Annotated[int, Field(ge=1)]
    embedding_size_max: Annotated[int, Field(ge=1)]
    n_bins: Annotated[int, Field(ge=0, le=1024)]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of x hold numbers and which hold level indices, and how numbers are spread over bins.

    Attributes
    ----------
    codes, levels
        Index of each column of level indices, and its number of levels L.
    bins, lows, widths
        Of each bin the column it belongs to, its lower edge and its width; all of shape (n_bins,).
    """

    numbers: tuple[int, ...]
    codes: tuple[int, ...]
    levels: tuple[int, ...]
    bins: tuple[int, ...]
    lows: tuple[float, ...]
    widths: tuple[float, ...]

    @property
    def n_numbers(self) -> int:
        """Width of the first matrix of `split`."""
        return len(self.numbers) + len(self.bins)

    def split(self, x: Array) -> tuple[Array, Array]:
        """Return numbers and bins as float32, (n, n_numbers), and the indices as int64, (n, n_codes), 0..L.

        A bin is 0 below its lower edge, 1 above its upper edge and linear between: the piecewise linear
        encoding of Gorishniy, Rubachev, Babenko 2022 (arXiv:2203.05556), section 3.1.
        """
        binned = np.clip((x[:, list(self.bins)] - np.array(self.lows)) / np.array(self.widths), 0.0, 1.0)
        numbers = np.concatenate([x[:, list(self.numbers)], binned], axis=1)
        codes = np.clip(x[:, list(self.codes)], 0, np.array(self.levels, dtype=np.float64))
        with np.errstate(over="ignore"):
            return numbers.astype(np.float32), codes.astype(np.int64)


def columns_of(problem: Problem, *, n_bins: int) -> Columns:
    """Lay out the columns; edges of bins are quantiles of the training rows, equal ones counted once."""
    levels = problem.category_sizes
    numbers = [index for index in range(problem.train.x.shape[1]) if index not in levels]
    bins: list[int] = []
    lows: list[float] = []
    widths: list[float] = []
    for index in numbers if n_bins else []:
        edges = np.unique(np.quantile(np.unique(problem.train.x[:, index]), np.linspace(0, 1, n_bins + 1)))
        bins += [index] * (len(edges) - 1)
        lows += edges[:-1].tolist()
        widths += np.diff(edges).tolist()
    codes = tuple(sorted(levels))
    return Columns(
        numbers=tuple(numbers),
        codes=codes,
        levels=tuple(levels[index] for index in codes),
        bins=tuple(bins),
        lows=tuple(lows),
        widths=tuple(widths),
    )


@dataclass(frozen=True)
class MlpFamily:
    """Embeddings, then linear layers with batch normalisation, ReLU and dropout, in float32."""

    name: str = "mlp"
    tasks: frozenset[TargetKind] = frozenset({"binary", "multiclass", "continuous"})
    tolerance: float = 1e-5
    tells_loss: bool = True
    changeable: frozenset[str] = frozenset({"batch_size", "dropout", "learning_rate", "weight_decay"})

    def needs(self, model: ModelSpec) -> Needs:
        """Ask for level indices, no missing values, and standardised numbers."""
        return Needs(categories="codes", missing="impute", scale=True, max_categories=1000)

    def check(self, model: ModelSpec, task: str) -> Sequence[Message]:
        """Check each parameter by name, type and range; all of them must be there."""
        try:
            MlpParams.model_validate(model.params)
        except ValidationError as exc:
            return [_message(error["type"], error["loc"], error["msg"], model) for error in exc.errors()]
        return []

    def parameters(self, *, estimator: str | None, task: str) -> Mapping[str, Parameter]:
        """Return the fields of `MlpParams`."""
        described = MlpParams.model_json_schema()["properties"]
        return {name: Parameter(accepts=(_accepted(field),)) for name, field in described.items()}

    def named_estimators(self, task: str) -> tuple[str, ...]:
        """Return none: the family is one network."""
        return ()

    def deployed_as(self, model: ModelSpec) -> DeployedAs:
        """Say that the family writes its own graph."""
        return "graph"

    def fit(self, problem: Problem, progress: Progress | None = None) -> FittedMlp:
        """Fit with AdamW; keep the epoch of the lowest validation loss, or the last without validation rows.

        Raises
        ------
        DataError
            If there are fewer than 2 training rows, all are of one class, or values of the target are so far
            apart that they have no finite spread.
        RecipeError
            If the loss becomes NaN or infinite.
        """
        centre = _centre(problem)
        from engine.models._lightning import fit_network

        params = MlpParams.model_validate(problem.params)
        columns = columns_of(problem, n_bins=params.n_bins)
        network, n_epochs = fit_network(problem, params, columns=columns, centre=centre, progress=progress)
        return FittedMlp(network, columns, problem.n_classes, *centre, problem.threads, n_iterations=n_epochs)

    def fit_debiased(
        self, problem: Problem, *, strength: float, progress: Progress | None = None
    ) -> FittedMlp:
        """Fit against an adversary that is to tell each row's group from the network's answer.

        Raises
        ------
        DataError, RecipeError
            As `fit`.
        """
        centre = _centre(problem)
        from engine.models._adversarial import fit_contested

        params = MlpParams.model_validate(problem.params)
        columns = columns_of(problem, n_bins=params.n_bins)
        network, n_epochs = fit_contested(
            problem, params, columns=columns, centre=centre, strength=strength, progress=progress
        )
        return FittedMlp(network, columns, problem.n_classes, *centre, problem.threads, n_iterations=n_epochs)

    def fit_course(self, problem: Problem, course: Course, progress: Progress | None = None) -> FittedMlp:
        """Fit in stages; the weights are those after the last epoch, and no epoch is left out.

        Raises
        ------
        DataError, RecipeError
            As `fit`.
        """
        centre = _centre(problem)
        from engine.models._course import fit_stages

        stages = [MlpParams.model_validate(stage) for stage in course.stages]
        columns = columns_of(problem, n_bins=stages[-1].n_bins)
        network = fit_stages(problem, course, stages, columns=columns, centre=centre, progress=progress)
        n_epochs = course.n_rounds * len(stages)
        return FittedMlp(network, columns, problem.n_classes, *centre, problem.threads, n_iterations=n_epochs)


@dataclass(frozen=True)
class FittedMlp:
    """A trained network; a continuous answer is `mean + spread * output`."""

    network: Network
    columns: Columns
    n_classes: int
    mean: float
    spread: float
    threads: int
    n_iterations: int | None
    importances: Array | None = None

    def predict(self, x: Array) -> Array:
        """Return probabilities (n, n_classes), or values (n,), from torch's own float32 forward pass."""
        import torch
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        outputs = [np.empty((0, self.n_classes))]
        with torch.inference_mode(), threadpool_limits(self.threads):
            for start in range(0, len(x), _PREDICT_ROWS):
                numbers, codes = self.columns.split(x[start : start + _PREDICT_ROWS])
                output = self.network(torch.from_numpy(numbers), torch.from_numpy(codes))
                outputs.append(output.numpy().astype(np.float64))
        output = np.concatenate(outputs)
        if self.n_classes == 1:
            return self.mean + self.spread * output[:, 0]
        powers = np.exp(output - output.max(axis=1, keepdims=True))
        probabilities: Array = powers / powers.sum(axis=1, keepdims=True)
        return probabilities

    def gradient(self, x: Array, y: Array) -> Array:
        """Return how each row's loss grows with each prepared number, by its bins too: the shape of x."""
        import torch

        given = torch.tensor(x, requires_grad=True)
        lows, widths = (
            torch.tensor(edges, dtype=torch.float64) for edges in (self.columns.lows, self.columns.widths)
        )
        binned = ((given[:, list(self.columns.bins)] - lows) / widths).clamp(0.0, 1.0)
        numbers = torch.cat([given[:, list(self.columns.numbers)], binned], dim=1).float()
        codes = torch.from_numpy(self.columns.split(x)[1])
        is_value = self.n_classes == 1
        wanted = ((y - self.mean) / self.spread).astype(np.float32) if is_value else y.astype(np.int64)
        loss = self.network.losses_of(self.network(numbers, codes), torch.from_numpy(wanted)).sum()
        (found,) = torch.autograd.grad(loss, given)
        slopes: Array = found.numpy()
        return slopes

    def write(self, graph: Graph, x: str) -> str | None:
        """Write the network in float32, batch normalisation folded into the layer before it."""
        from onnx import TensorProto

        weights = {name: tensor.numpy() for name, tensor in self.network.state_dict().items()}
        parts = []
        if self.columns.numbers:
            numbers = graph.node("Gather", [x, graph.constant(self.columns.numbers)], axis=1)
            parts.append(graph.node("Cast", [numbers], to=TensorProto.FLOAT))
        if self.columns.bins:
            parts.append(self._write_bins(graph, x))
        for place, (column, levels) in enumerate(zip(self.columns.codes, self.columns.levels, strict=True)):
            code = graph.node("Gather", [x, graph.constant([column])], axis=1)
            flat = graph.node("Reshape", [code, graph.constant([-1])])
            index = graph.node("Cast", [flat], to=TensorProto.INT64)
            kept = graph.node("Clip", [index, graph.constant(0), graph.constant(levels)])
            table = graph.constant(weights[f"embeddings.{place}.weight"])
            parts.append(graph.node("Gather", [table, kept], axis=0))
        hidden = graph.node("Concat", parts, axis=1)
        for layer in range(self.network.n_hidden):
            hidden = graph.node("Gemm", [hidden, *_folded(graph, weights, layer)], transB=1)
            hidden = graph.node("Relu", [hidden])
        last = [graph.constant(weights["output.weight"]), graph.constant(weights["output.bias"])]
        output = graph.node("Cast", [graph.node("Gemm", [hidden, *last], transB=1)], to=TensorProto.DOUBLE)
        if self.n_classes > 1:
            return graph.node("Softmax", [output], axis=1)
        scaled = graph.node("Mul", [output, graph.constant(np.float64(self.spread))])
        return graph.node("Add", [scaled, graph.constant(np.float64(self.mean))])

    def _write_bins(self, graph: Graph, x: str) -> str:
        """Write the bins in double, as `Columns.split` computes them, then cast."""
        spread = graph.node("Gather", [x, graph.constant(self.columns.bins)], axis=1)
        above = graph.node("Sub", [spread, graph.constant(self.columns.lows)])
        share = graph.node("Div", [above, graph.constant(self.columns.widths)])
        binned = graph.node("Clip", [share, graph.constant(0.0), graph.constant(1.0)])
        return graph.cast(binned, np.float32)

    def to_skops(self) -> bytes | None:
        """Return None: there is always a graph."""
        return None


def _centre(problem: Problem) -> tuple[float, float]:
    """Return by what a continuous target is standardised; refuse rows that can't be learnt from."""
    if len(problem.train.y) < 2:  # noqa: PLR2004 - the statistics of a batch need two
        raise DataError.of(f"mlp needs at least 2 training rows, and there are {len(problem.train.y)}")
    classes_of(problem)
    if problem.kind != "continuous":
        return 0.0, 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = float(problem.train.y.mean()), float(problem.train.y.std()) or 1.0
    if not np.isfinite([mean, spread]).all():
        what = "the target's values are too large for mlp: their spread is beyond what a double holds"
        raise DataError.of(what, key="schema.target")
    return mean, spread


def _folded(graph: Graph, weights: Mapping[str, Array], layer: int) -> list[str]:
    """Return a layer's weight and bias with the batch normalisation after it, if any, multiplied in.

    Ioffe, Szegedy: Batch Normalization (2015), algorithm 2.
    """
    weight = weights[f"layers.{layer}.weight"].astype(np.float64)
    bias = weights[f"layers.{layer}.bias"].astype(np.float64)
    if f"norms.{layer}.weight" in weights:
        from engine.models._lightning import NORM_EPSILON

        variance = weights[f"norms.{layer}.running_var"].astype(np.float64)
        scale = weights[f"norms.{layer}.weight"] / np.sqrt(variance + NORM_EPSILON)
        shift = weights[f"norms.{layer}.bias"] - weights[f"norms.{layer}.running_mean"] * scale
        weight, bias = weight * scale[:, None], bias * scale + shift
    return [graph.constant(weight.astype(np.float32)), graph.constant(bias.astype(np.float32))]


def _accepted(field: Mapping[str, object]) -> Accepted:
    """Turn pydantic's description of a field into ours."""
    types: dict[object, AcceptedType] = {"array": "list", "boolean": "boolean", "integer": "integer"}
    low, high = (
        next((bound for key in keys if isinstance(bound := field.get(key), int | float)), None)
        for keys in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"))
    )
    return Accepted(
        type=types.get(field["type"], "number"),
        low=low,
        high=high,
        low_open="exclusiveMinimum" in field,
        high_open="exclusiveMaximum" in field,
    )


def _message(kind: str, place: Sequence[int | str], text: str, model: ModelSpec) -> Message:
    """Say one of pydantic's findings in five facts."""
    known, name = tuple(sorted(MlpParams.model_fields)), str(place[0])
    key, try_ = f"model.params.{name}", "engine options model/mlp"
    if kind == "extra_forbidden":
        what = f"'{name}' is not a parameter of mlp"
        return Message(what, key, suggestion=nearest(name, known), allowed=known, try_=try_)
    if kind == "missing":
        return Message(f"'{name}' is a parameter that mlp can't do without", key, try_=try_)
    value = model.params[name]
    index = f"[{place[1]}]" if len(place) > 1 else ""
    if isinstance(value, tuple) and len(place) > 1:
        value = value[int(place[1])]
    return Message(f"'{name}{index}' is {value!r}: {text[0].lower()}{text[1:]}", key, try_=try_)


FAMILY = MlpFamily()
