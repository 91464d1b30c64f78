"""Thresholds of groups: the graph's are those that are said of rows; and a mixture's graph is its answer."""

from __future__ import annotations

import numpy as np
import onnxruntime
import polars as pl
import pytest

from engine.data.schema import Column
from engine.features.feed import feed
from engine.graph import Graph
from engine.models.mixture import Constant, Mixture
from engine.models.thresholds import GroupThresholds

COLUMNS = (
    Column("sex", "category", "feature", "string", nullable=True),
    Column("LabelEncoder_3", "integer", "feature", "int64", nullable=True),
    Column("old", "boolean", "feature", "boolean", nullable=True),
    Column("grade", "category", "feature", "int64"),
)


def run(graph: Graph, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Run a graph of one output."""
    session = onnxruntime.InferenceSession(graph.build().SerializeToString())
    found: np.ndarray = session.run(None, inputs)[0]
    return found


@pytest.mark.parametrize("names", [["sex"], ["LabelEncoder_3"], ["old"], ["grade", "sex"], ["old", "grade", "LabelEncoder_3"]])  # fmt: skip
def test_the_graph_decides_as_is_said(names: list[str]) -> None:
    """Of categories, integers and booleans, alone and combined, with nulls and groups that nobody has seen."""
    rng = np.random.default_rng(len(names))
    n = 200

    def drawn(values: list[object]) -> list[object]:
        return [values[at] for at in rng.integers(len(values), size=n)]

    frame = pl.DataFrame(
        {
            "sex": drawn(["f", "m", "", "x\u00e9", None]),
            "LabelEncoder_3": drawn([-1, 0, 7, 2**40, None]),
            "old": drawn([True, False, None]),
            "grade": drawn([1, 2, 3]),
        }
    )
    columns = tuple(column for name in names for column in COLUMNS if column.name == name)
    known = [row for row in frame.select(names).unique(maintain_order=True).iter_rows() if None not in row]
    own = {values: float(rng.random()) for values in known[: len(known) // 2 + 1]}
    groups = GroupThresholds(columns, 0.25, own)
    graph = Graph()
    groups.declare(graph)
    graph.output("edge", groups.write(graph), np.float64, width=None)
    found = run(graph, feed(frame, columns=columns))
    assert found.tolist() == groups.of(frame).tolist()
    assert len(set(found.tolist())) == len(own) + 1
    assert run(graph, feed(frame.clear(), columns=columns)).shape == (0,)


def test_a_graph_is_as_large_as_its_groups() -> None:
    """And not as all that their columns could combine to: of 8 columns with 60 values each that is 10 ** 14."""
    names = tuple("abcdefgh")
    columns = tuple(Column(name, "integer", "feature", "int64") for name in names)
    own = {tuple((at * (place + 1)) % 60 for place in range(8)): (at + 1) / 100 for at in range(60)}
    groups = GroupThresholds(columns, 0.25, own)
    graph = Graph()
    groups.declare(graph)
    graph.output("edge", groups.write(graph), np.float64, width=None)
    assert len(graph.build().SerializeToString()) < 50_000
    frame = pl.DataFrame(
        [*own, (0, 1, 2, 3, 4, 5, 6, 7), (0, 0, 0, 0, 0, 0, 0, 1)], schema=names, orient="row"
    )
    assert run(graph, feed(frame, columns=columns)).tolist() == groups.of(frame).tolist()


def test_a_mixture_writes_what_it_says() -> None:
    """Its members' mean by weight, for many rows, one and none."""
    mixture = Mixture((Constant(np.array([0.0, 1.0])), Constant(np.array([0.7, 0.3]))), (0.25, 0.75))
    graph = Graph()
    values = mixture.write(graph, graph.input("x", np.float64, width=3))
    assert values is not None
    graph.output("values", values, np.float64, width=2)
    for n in (5, 1, 0):
        x = np.zeros((n, 3))
        assert run(graph, {"x": x}) == pytest.approx(mixture.predict(x))
        assert mixture.predict(x).shape == (n, 2)
    assert mixture.predict(np.zeros((1, 3)))[0].tolist() == pytest.approx([0.525, 0.475])
    assert (mixture.n_iterations, mixture.importances) == (None, None)
