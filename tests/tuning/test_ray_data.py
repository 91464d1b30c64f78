"""Rows are read, checked and prepared by the workers of a cluster as they are by one process."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import engine
from engine.data.crew import Crew, Done, Item
from engine.data.schema import declare
from engine.errors import DataError
from engine.names import TASKS
from engine.recipe.spec import Spec
from engine.training.larger import read_table
from engine.training.parts import divide
from engine.training.stream import fit_divided
from engine.tuning.ray_data import crew_of
from tests.tuning.cluster import LOOPBACK, Cluster

RECIPE = """
defaults: [base, task: regression, model: sgd, split: random, compute: small, _self_]
name: flow
data: {path: rows.parquet}
schema:
  target: y
  columns:
    a: {type: integer, min: 0}
    b: {type: number, nullable: true}
    y: {type: number}
split: {test: 0.02, validation: 0.02}
model: {params: {max_iter: 2}}
compute: {memory_mib: 1}
"""
# More than one part of a table, more than one block of each.
N_ROWS = 510_000


class Here:
    """A crew of this process alone."""

    def each(self, items: Iterable[Item], work: Callable[[Item], Done], *, at_once: int) -> Iterator[Done]:
        """Do the work on each item, one after the other."""
        assert at_once > 0
        return map(work, items)


def fitted(spec: Spec, crew: Crew | None) -> dict[str, object]:
    """Return what tells two streamed fits apart: which rows are of which part, what they are like, the model."""
    table = read_table(spec, declare(spec), crew=crew)
    task = TASKS.load("regression")
    divided = divide(table, task=task, spec=spec)  # type: ignore[arg-type]
    assert divided.streamed is not None
    overall = divided.streamed.overall
    candidate = fit_divided(divided, schema=table.schema, task=task, spec=spec, crew=crew)  # type: ignore[arg-type]
    values = candidate.predict(divided.test.frame)
    return {
        "split": dict(divided.streamed.sha256),
        "mean": [overall._sums[name].spread.mean for name in ("a", "b", "y")],
        "source": table.source.sha256,
        "model": hashlib.sha256(values.tobytes()).hexdigest(),
    }


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the recipe beside its table."""
    folder = tmp_path_factory.mktemp("flow")
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 100, N_ROWS), rng.normal(size=N_ROWS)
    frame = pl.DataFrame({"a": a, "b": b, "y": a / 10 + b + rng.normal(size=N_ROWS)})
    frame = frame.with_columns(b=pl.when(pl.col("a") == 7).then(None).otherwise("b"))
    frame.write_parquet(folder / "rows.parquet", row_group_size=170_000)
    (folder / "flow.yaml").write_text(RECIPE)
    return folder / "flow.yaml"


def test_two_nodes_give_the_result_of_one_process(recipe: Path, cluster: Cluster) -> None:
    """The parts, the means and the model of a cluster of two nodes are those of this process, bit for bit."""
    alone = fitted(engine.load(recipe), None)
    done = subprocess.run(
        [sys.executable, "-m", "tests.tuning.test_ray_data", str(recipe), cluster.address],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **LOOPBACK},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == alone
    # Ray Data speaks of its plans, and a run's own words are enough.
    assert done.stderr == ""


def test_what_is_wrong_is_found_and_told_here(recipe: Path, tmp_path: Path) -> None:
    """A slice that breaks the contract is read again by the run itself, with the message of any run."""
    frame = pl.read_parquet(recipe.parent / "rows.parquet")
    frame[505_000, "a"] = -1
    frame.write_parquet(tmp_path / "rows.parquet")
    (tmp_path / "flow.yaml").write_text(RECIPE)
    spec = engine.load(tmp_path / "flow.yaml")
    told = []
    for crew in (None, Here()):
        with pytest.raises(DataError) as error:
            read_table(spec, declare(spec), crew=crew)
        told.append(error.value.messages)
    assert told[0] == told[1]
    assert told[0][0].what == "min 0: 1 row is below it (row 505001: -1)"


def test_bounds_on_the_size_hold_whoever_reads(recipe: Path) -> None:
    """A table that turns out larger than it may be is refused, its rows read here or elsewhere."""
    spec = engine.load(recipe, ["data.max_mib=1"])
    for crew in (None, Here()):
        with pytest.raises(DataError, match=r"the first 500000 rows of .* and 1 are allowed"):
            read_table(spec, declare(spec), crew=crew)


def test_a_crew_is_of_those_who_ask_for_ray(recipe: Path) -> None:
    """Without compute=ray the run does all itself."""
    assert crew_of(engine.load(recipe)) is None
    assert crew_of(engine.load(recipe, ["compute.executor=ray"])) is not None


if __name__ == "__main__":
    asked = engine.load(sys.argv[1], ["compute.executor=ray", f"compute.address={sys.argv[2]}"])
    sys.stdout.write(json.dumps(fitted(asked, crew_of(asked))))
