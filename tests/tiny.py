"""A tiny model written by hand, as a bundle: what the tests of runs and deployments score with.

Tests reach it by the fixture `tiny` of `conftest.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from engine.data.schema import Column, Schema
from engine.graph import ML, Graph
from engine.models.assemble import Artifact
from engine.names import TASKS
from engine.recipe.spec import CacheSpec, DeploySpec, LogSpec
from engine.recipe.spec_table import DataSpec
from engine.runs.bundling import write_bundle
from engine.runs.reference import reference
from engine.tasks.task import Scores, Target

TINY_SCHEMA = Schema(
    columns=(
        Column("person", "integer", "id", "int64"),
        Column(
            "age", "integer", "feature", "int64", min=17, max=90, units="years", description="at the census"
        ),
        Column("hours", "number", "feature", "float64", nullable=True, min=0),
        Column("sex", "category", "feature", "string", values=("Female", "Male"), sensitive=True),
        Column("job", "category", "feature", "string", nullable=True),
        Column("member", "boolean", "feature", "boolean"),
        Column("since", "datetime", "feature", "datetime"),
        Column("note", "text", "ignore", "string", nullable=True),
        Column("income", "category", "target", "string"),
    ),
    positive=">50K",
    extra="error",
    missing_target="error",
)
TINY_TARGET = Target("income", "binary", ("<=50K", ">50K"))


def tiny_margin(row: dict[str, object]) -> float:
    """Return by hand what the graph computes: half a point for each of its five inputs' steps."""
    age, hours, since = row["age"], row["hours"], row["since"]
    margin = 0.05 * (float(age) - 40.0)  # type: ignore[arg-type]
    margin += 0.02 * (30.0 if hours is None else float(hours))  # type: ignore[arg-type]
    margin += {"Female": -0.25, "Male": 0.25}[str(row["sex"])]
    margin += {"clerk": -0.5, "nurse": 0.5}.get(str(row["job"]), 0.125)
    margin += 0.75 if row["member"] else 0.0
    return margin + (0.0 if since.year < 2000 else -1.0)  # type: ignore[attr-defined]


def tiny_graph(*, task: str, target: Target) -> bytes:
    """Write the graph of `tiny_margin`, all in double."""
    graph = Graph()
    names = {"age": np.float64, "hours": np.float64, "sex": np.str_, "job": np.str_, "member": np.float64}
    inputs = {name: graph.input(name, kind) for name, kind in names.items()}  # type: ignore[type-var]
    inputs["since"] = graph.input("since", np.float64)
    age = graph.node("Sub", [inputs["age"], graph.constant(40.0)])
    missing = graph.node("IsNaN", [inputs["hours"]])
    hours = graph.node("Where", [missing, graph.constant(30.0), inputs["hours"]])
    year_2000 = graph.constant(946_684_800.0)
    late = graph.node("GreaterOrEqual", [inputs["since"], year_2000])
    terms = [
        graph.node("Mul", [age, graph.constant(0.05)]),
        graph.node("Mul", [hours, graph.constant(0.02)]),
        _levels(graph, inputs["sex"], {"Female": -0.25, "Male": 0.25}, other=0.0),
        _levels(graph, inputs["job"], {"clerk": -0.5, "nurse": 0.5}, other=0.125),
        graph.node("Mul", [inputs["member"], graph.constant(0.75)]),
        graph.node("Where", [late, graph.constant(-1.0), graph.constant(0.0)]),
    ]
    margin = graph.node("Sum", terms)
    if target.kind != "continuous":
        positive = graph.node("Sigmoid", [margin])
        negative = graph.node("Sub", [graph.constant(1.0), positive])
        margin = graph.node("Concat", [negative, positive], axis=1)
    TASKS.load(task).decide(graph, margin, target=target, threshold=0.5)  # type: ignore[attr-defined]
    return bytes(graph.build().SerializeToString())


def _levels(graph: Graph, tensor: str, values: dict[str, float], *, other: float) -> str:
    return graph.node(
        "LabelEncoder",
        [tensor],
        domain=ML,
        keys_tensor=np.array(list(values), dtype=object),
        values_tensor=np.array(list(values.values())),
        default_tensor=np.array([other]),
    )


def tiny_frame(n_rows: int, *, seed: int = 0) -> pl.DataFrame:
    """Return rows with every feature, nulls and unseen jobs among them, and the id."""
    rng = np.random.default_rng(seed)
    hours = rng.uniform(0, 80, n_rows)
    jobs = rng.choice(["clerk", "nurse", "diver", ""], n_rows)
    return pl.DataFrame(
        {
            "person": np.arange(n_rows),
            "age": rng.integers(17, 91, n_rows),
            "hours": pl.Series(hours).set(pl.Series(rng.random(n_rows) < 0.2), None),
            "sex": rng.choice(["Female", "Male"], n_rows),
            "job": pl.Series(jobs).set(pl.Series(jobs == ""), None),
            "member": rng.random(n_rows) < 0.5,
            "since": pl.Series(rng.integers(0, 1_500_000_000, n_rows) * 1_000_000).cast(pl.Datetime("us")),
        },
        schema_overrides={"person": pl.Int64, "age": pl.Int64, "hours": pl.Float64, "job": pl.String},
    )


def tiny_predictions(frame: pl.DataFrame, *, task: str, target: Target) -> pl.DataFrame:
    """Return what the bundle must predict, computed row by row in Python."""
    margins = np.array([tiny_margin(row) for row in frame.iter_rows(named=True)])
    if target.kind == "continuous":
        scores = Scores(margins, margins)
    else:
        positive = 1 / (1 + np.exp(-margins))
        scores = Scores(np.column_stack([1 - positive, positive]), (positive >= 0.5).astype(np.int64))
    frame_of: Callable[..., pl.DataFrame] = TASKS.load(task).to_frame  # type: ignore[attr-defined]
    return frame_of(scores, target)


def write_tiny(
    folder: Path,
    *,
    missed: tuple[str, ...] = (),
    task: str = "classification",
    max_records: int = 1000,
    max_body_mib: float = 1.0,
    timeout_s: float = 2.0,
    max_concurrent: int = 64,
    abstain_below: float | None = None,
    pipeline: Literal["front", "inside"] = "front",
    batching: Literal["auto", "always", "never"] = "auto",
    cache: CacheSpec | None = None,
    log: LogSpec | None = None,
    model_version: str = "20261122-181213-0A1B2C3D",
    golden: pl.DataFrame | None = None,
    artifact: Artifact | None = None,
) -> Path:
    """Write a bundle of the tiny model to `folder`."""
    target = TINY_TARGET if task == "classification" else Target("income", "continuous")
    frame = tiny_frame(16)
    rows = frame.drop("person")
    if golden is None:
        golden = rows.hstack(tiny_predictions(rows, task=task, target=target))
    write_bundle(
        folder,
        artifact=artifact or Artifact(tiny_graph(task=task, target=target)),
        schema=TINY_SCHEMA,
        target=target,
        task_name=task,
        threshold=0.5 if target.classes else None,
        name="Tiny Income",
        model_version=model_version,
        recipe_sha256="c" * 64,
        passed=not missed,
        missed=missed,
        golden=golden,
        reference=reference(frame, TINY_SCHEMA),
        data=DataSpec(
            path="-", format="auto", delimiter=",", decimal=".", encoding="utf-8", null_values=("", "?")
        ),
        deploy=DeploySpec(
            kind="bento",
            golden_rows=16,
            max_records=max_records,
            max_body_mib=max_body_mib,
            timeout_s=timeout_s,
            max_concurrent=max_concurrent,
            abstain_below=abstain_below,
            pipeline=pipeline,
            batching=batching,
            cache=cache,
            kubernetes=None,
            log=log,
        ),
    )
    return folder
