"""A deployed model asked why: raw rows in, what each raw column adds to the model's margin out.

The rows go through the deployed graph as far as the matrix, and from there through the sums that were stored
beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from engine.data.schema import Column
from engine.errors import BundleError
from engine.features.feed import feed, feed_columns
from engine.models.margin import Array
from engine.models.margin_file import StoredMargin
from engine.models.scorer import open_session
from engine.models.treeshap import Added


class Adder:
    """A deployed model's sums, loaded.

    Parameters
    ----------
    stored
        The sums.
    graph
        The deployed graph, ONNX, its bytes verified.
    schema_columns
        The contract's features.
    threads
        How many threads one call may use.

    Raises
    ------
    BundleError
        If the sums and the graph don't belong together.
    """

    def __init__(
        self, stored: StoredMargin, graph: bytes, *, schema_columns: tuple[Column, ...], threads: int
    ) -> None:
        self.margin = stored.margin
        self.columns = tuple(column.name for column in schema_columns)
        self._session = open_session(_up_to(graph, stored.matrix), threads=threads)
        by_name = {column.name: column for column in schema_columns}
        read = [value.name for value in self._session.get_inputs()]
        if strange := [name for name in (*read, *stored.sources) if name not in by_name]:
            raise BundleError.of(f"the model's sums are of a column that the schema lacks: '{strange[0]}'")
        self._read = tuple(by_name[name] for name in read)
        self._sources = stored.sources

    def added(self, frame: pl.DataFrame) -> Added:
        """Return what each of `columns` adds for the rows of a checked frame."""
        return self._added(feed(frame, columns=self._read))

    def added_columns(self, n_rows: int, columns: Mapping[str, Sequence[object]]) -> Added:
        """Return what each of `columns` adds for checked rows that are given by column."""
        return self._added(feed_columns(columns, columns=self._read, rows=slice(0, n_rows)))

    def _added(self, inputs: Mapping[str, Array]) -> Added:
        x = self._session.run(None, dict(inputs))[0]
        if x.shape[1] != len(self._sources):
            raise BundleError.of("the model's sums are of another matrix than the graph's")
        return by_source(self.margin.added(x), sources=self._sources, columns=self.columns)


def by_source(added: Added, *, sources: Sequence[str], columns: Sequence[str]) -> Added:
    """Sum what columns of the matrix add over the raw columns that they were made of.

    Parameters
    ----------
    added
        Of d columns.
    sources
        The raw column of each, d names.
    columns
        The raw columns in the order wanted; one that nothing was made of adds 0.
    """
    places = {name: place for place, name in enumerate(columns)}
    values = np.zeros((added.values.shape[0], len(columns), added.values.shape[2]))
    for place, source in enumerate(sources):
        values[:, places[source]] += added.values[:, place]
    return Added(added.base, values)


def _up_to(content: bytes, tensor: str) -> bytes:
    """Return the part of a graph that computes one of its tensors."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.ModelProto.FromString(content)
    except (DecodeError, ValueError):
        raise BundleError.of("the stored model is not an ONNX graph") from None
    wanted, kept = {tensor}, []
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    inputs = [value for value in model.graph.input if value.name in wanted]
    constants = [value for value in model.graph.initializer if value.name in wanted]
    output = onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.DOUBLE, None)
    del model.graph.output[:]
    model.graph.output.append(output)
    for field, items in (("input", inputs), ("initializer", constants), ("node", kept[::-1])):
        del getattr(model.graph, field)[:]
        getattr(model.graph, field).extend(items)
    return bytes(model.SerializeToString())
