"""What a run would do, and everything that is wrong with it that can be seen without training.

Each room checks its own part of the recipe; this module asks them all and puts their answers in file order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from engine.data.declared import check_schema
from engine.data.header import Header, read_header
from engine.data.schema import Schema, declare
from engine.data.split import check_split
from engine.errors import EngineError, Message, RecipeError
from engine.evaluation.gates import check_gates
from engine.features.prepare import unprepared
from engine.models.family import Family
from engine.names import DEPLOYMENTS, FAMILIES, TASKS
from engine.recipe.compose import compose
from engine.recipe.load import to_spec
from engine.recipe.spec import Spec
from engine.recipe.text import KeyPath
from engine.runs.steps import Listener
from engine.tasks.task import TargetKind, Task

_MAY_BE_SECRET: tuple[KeyPath, ...] = (("data", "path"),)
_DEPLOYED_AS = {
    "graph": "one ONNX graph, from raw columns to predictions",
    "converter": "one ONNX graph; the model's part is written by skl2onnx",
    "skops": "an ONNX graph for the preparation, and the estimator in skops' format",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run: what it reads and what it writes."""

    name: str
    does: str
    reads: str
    writes: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do."""

    name: str
    steps: tuple[Step, ...]
    n_fits: int
    gates: tuple[str, ...]
    deployed_as: str
    header: Header

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON form."""
        return asdict(self)


def load_checked(
    recipe: str | Path, overrides: Sequence[str] = (), *, listener: Listener | None = None
) -> Spec:
    """Compose a recipe, check its types, and ask every room about its part."""
    composition = compose(recipe, overrides)
    if listener is not None:
        for note in composition.notes:
            listener.noted(note)
    spec = to_spec(composition)
    mistakes = [spec.places.locate(message) for message in _mistakes(spec)]
    if mistakes:
        raise RecipeError(spec.places.in_order(mistakes))
    return spec


def make_plan(spec: Spec) -> Plan:
    """Say what a run would do, from the recipe and the data's header.

    Raises
    ------
    DataError
        If the data is missing, or its columns are not the schema's.
    """
    schema = declare(spec)
    header = read_header(spec.data, schema)
    family = cast("Family", FAMILIES.load(spec.model.family))
    deployed_as = family.deployed_as(spec.model)
    n_folds = spec.split.folds or 1 if spec.split.kind == "kfold" else 1
    n_fits = n_folds + (2 if spec.evaluation.baselines else 0)
    return Plan(
        name=spec.name,
        steps=_steps(spec, schema, n_fits=n_fits, graph=_DEPLOYED_AS[deployed_as]),
        n_fits=n_fits,
        gates=tuple(_gates(spec)),
        deployed_as=deployed_as,
        header=header,
    )


def _resolved_elsewhere(spec: Spec) -> Iterable[Message]:
    """Refuse the environment's values where they would be written out: they may only find the data."""
    allowed = tuple(".".join(known) for known in _MAY_BE_SECRET)
    for path in sorted(spec.from_environment.difference(_MAY_BE_SECRET)):
        yield Message(
            "a value from the environment would be written out here", ".".join(path), allowed=allowed
        )


def _mistakes(spec: Spec) -> Iterable[Message]:
    yield from _resolved_elsewhere(spec)
    wrong = check_schema(spec)
    yield from wrong
    if not wrong:
        yield from unprepared(declare(spec).columns)
    yield from check_split(spec)
    try:
        task = cast("Task", TASKS.load(spec.task.kind))
    except EngineError as error:
        yield _unknown("task.kind", error, "engine options task")
        return
    yield from task.check(spec)
    yield from check_gates(spec, task.metric_names(spec))
    yield from _model_mistakes(spec)
    try:
        DEPLOYMENTS.load(spec.deploy.kind)
    except EngineError as error:
        yield _unknown("deploy.kind", error, "engine options deploy")


def _model_mistakes(spec: Spec) -> Iterable[Message]:
    try:
        family = cast("Family", FAMILIES.load(spec.model.family))
    except EngineError as error:
        yield _unknown("model.family", error, "engine options model")
        return
    for message in family.check(spec.model, spec.task.kind):
        if message.key == "model.family" and not message.allowed:
            yield Message(message.what, message.key, allowed=_families_for(spec), try_="engine options model")
        else:
            yield message


def _families_for(spec: Spec) -> tuple[str, ...]:
    kinds: tuple[TargetKind, ...] = (
        ("continuous",) if spec.task.kind == "regression" else ("binary", "multiclass")
    )
    families = {name: cast("Family", FAMILIES.load(name)) for name in FAMILIES.names()}
    return tuple(name for name, family in families.items() if family.tasks.intersection(kinds))


def _unknown(key: str, error: EngineError, try_: str) -> Message:
    (said,) = error.messages
    return Message(said.what, key, suggestion=said.suggestion, allowed=said.allowed, try_=try_)


def _steps(spec: Spec, schema: Schema, *, n_fits: int, graph: str) -> tuple[Step, ...]:
    split = spec.split
    parts = f"{split.kind}: test {split.test:g}, " + (
        f"{split.folds} folds" if split.kind == "kfold" else f"validation {split.validation:g}"
    )
    judged = "scores" + (
        f" with {spec.evaluation.confidence:.0%} intervals ({spec.evaluation.bootstrap} resamples)"
        if spec.evaluation.bootstrap
        else ""
    )
    baselines = ", the model and two baselines" if spec.evaluation.baselines else ""
    report = "report.html, card.md" + (", figures/" if spec.evaluation.pictures else "")
    return (
        Step(
            "read and check", f"{len(schema.columns)} columns against the schema", spec.data.path, "data.json"
        ),
        Step("split", parts, "the table", "data.json"),
        Step(
            "fit",
            f"{spec.model.family}: {n_fits} fits{baselines}",
            "training and validation rows",
            "facts.json",
        ),
        Step("write the graph", graph, "the fitted model", "bundle/"),
        Step("evaluate", judged, "the graph, all parts", "metrics.json, predictions.parquet"),
        Step("gates", f"{len(spec.goal.gates or {})} declared", "test scores", "gates.json"),
        Step("report", "for people", "the run folder", report),
    )


def _gates(spec: Spec) -> Iterable[str]:
    for name, gate in (spec.goal.gates or {}).items():
        by = f" by {', '.join(gate.by)}" if gate.by else ""
        if gate.min is not None:
            yield f"{name}{by} at least {gate.min:g}"
        if gate.max is not None:
            yield f"{name}{by} at most {gate.max:g}"
