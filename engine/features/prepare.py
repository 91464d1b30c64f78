"""Raw columns to the matrix a model sees: fitted on training rows, applied in polars, written as ONNX nodes.

Meets what a family needs and knows no family. The graph is what is stored: a preparation is never read back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
import polars as pl

from engine.data.schema import Column, Schema
from engine.errors import RecipeError
from engine.features.categories import Levels
from engine.features.check import unprepared
from engine.features.datetimes import write_parts
from engine.features.feature import Feature, Indicator, Number
from engine.features.feed import is_text
from engine.features.fit import fit_features
from engine.features.needs import Needs
from engine.features.numbers import write_fillings, write_indicators
from engine.features.targets import Outcome, Targeted
from engine.features.terms import Terms
from engine.graph import Graph

_BLOCK_ROWS = 4096  # few enough to stay in the processor's cache


@dataclass(frozen=True)
class Preparation:
    """What was learned of the training rows, and how it is applied.

    Attributes
    ----------
    inputs
        The raw columns it reads, in the schema's order.
    features
        What becomes of them, in the order of the matrix.
    feature_names, sources
        Of each column of the matrix, its name and the name of its raw column; shape (n_features,).
    category_sizes
        Index of a column of codes -> its number of levels L, see `engine.models.family.Problem`.
    """

    inputs: tuple[Column, ...]
    features: tuple[Feature, ...]

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the matrix' columns, each one once."""
        names: dict[str, None] = {}
        for name in (name for feature in self.features for name in feature.feature_names):
            unique = name
            while unique in names:
                unique += "'"
            names[unique] = None
        return tuple(names)

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """Raw columns of the matrix' columns."""
        return tuple(feature.column.name for feature in self.features for _ in feature.feature_names)

    @cached_property
    def category_sizes(self) -> Mapping[int, int]:
        """Number of levels of each column of codes."""
        return {
            start: feature.n_levels
            for feature, start in zip(self.features, self._starts, strict=True)
            if isinstance(feature, Levels) and feature.width is None
        }

    def transform(self, frame: pl.DataFrame) -> np.ndarray:
        """Apply the preparation.

        Parameters
        ----------
        frame
            Shape (n, any) with the columns of `inputs` in the dtypes of their storage. n may be 0.

        Returns
        -------
        np.ndarray
            Shape (n, n_features), float64, C order; bit for bit what the graph of `write` gives.
        """
        expressions = [expression for feature in self.features for expression in feature.expressions()]
        narrow = frame.select(
            [expression.alias(str(place)) for place, expression in enumerate(expressions)]
        ).to_numpy(order="c")
        return self._widen(narrow, frame) if self._onehot or self._terms else narrow

    def write(self, graph: Graph) -> str:
        """Declare the graph's inputs and write the nodes from them to the matrix.

        Each raw column is one input of shape (rows, 1), named as the column, fed as `engine.features.feed`
        says.

        Returns
        -------
        str
            The matrix: double, (rows, n_features).
        """
        inputs = {
            column.name: graph.input(column.name, np.str_ if is_text(column) else np.float64)
            for column in self.inputs
        }
        # Numbers are computed together, then cut where another kind stands between them.
        runs = [(is_own, list(group)) for is_own, group in groupby(self.features, key=_writes_own)]
        lengths = [len(group) for is_own, group in runs if not is_own]
        cut = iter(_split(graph, self._write_numbers(graph, inputs), lengths) if lengths else ())
        pieces: list[str] = []
        for is_own, group in runs:
            if not is_own:
                pieces.append(next(cut))
            pieces += [
                feature.write(graph, inputs[feature.column.name])
                for feature in group
                if not isinstance(feature, Number | Indicator)
            ]
        return _concat(graph, pieces)

    def _write_numbers(self, graph: Graph, inputs: Mapping[str, str]) -> str:
        """Write numbers and indicators, in their order: double, (rows, n_numbers + n_indicators)."""
        raw = self._write_raw(graph, inputs)
        numbers = [place for place, feature in enumerate(self.features) if isinstance(feature, Number)]
        marked = [place for place, feature in enumerate(self.features) if isinstance(feature, Indicator)]
        fillings = [feature.filling for feature in self.features if isinstance(feature, Number)]
        filled = write_fillings(graph, raw, fillings)
        if not marked:
            return filled
        # A column's number stands right before its indicator.
        marks = write_indicators(graph, raw, [numbers.index(place - 1) for place in marked])
        order = np.argsort([*numbers, *marked]).tolist()
        return _gather(graph, _concat(graph, [filled, marks]), order)

    def _widen(self, narrow: np.ndarray, frame: pl.DataFrame) -> np.ndarray:
        """Give each level of the one-hot features, and each word, its column: (n, any) -> (n, n_features)."""
        onehot, single, to = self._places
        starts, widths = np.array(self._onehot, np.int64).reshape(-1, 2).T
        matrix = np.zeros((frame.height, len(self.sources)))
        for start, terms in self._terms:
            matrix[:, start : start + len(terms.words)] = terms.block(frame)
        for first in range(0, len(narrow), _BLOCK_ROWS):
            block, values = matrix[first : first + _BLOCK_ROWS], narrow[first : first + _BLOCK_ROWS]
            block[:, to] = values[:, single]
            codes = values[:, onehot].astype(np.int64)
            rows, features = np.nonzero(codes < widths)
            block[rows, starts[features] + codes[rows, features]] = 1.0
        return matrix

    def _write_raw(self, graph: Graph, inputs: Mapping[str, str]) -> str:
        """Write the numbers before filling, in their order: double, (rows, n_numbers)."""
        numbers = [feature for feature in self.features if isinstance(feature, Number)]
        plain = list(dict.fromkeys(number.column.name for number in numbers if number.part is None))
        dated = list(dict.fromkeys(number.column.name for number in numbers if number.part is not None))
        pieces = [inputs[name] for name in plain]
        columns: dict[tuple[str, str | None], int] = {(name, None): at for at, name in enumerate(plain)}
        if dated:
            seconds = _concat(graph, [inputs[name] for name in dated])
            parts = write_parts(graph, seconds, {number.part for number in numbers if number.part})
            for part, tensor in parts.items():
                columns |= {(name, part): len(columns) + at for at, name in enumerate(dated)}
                pieces.append(tensor)
        wanted = [columns[number.column.name, number.part] for number in numbers]
        return _gather(graph, _concat(graph, pieces), wanted, of=len(columns))

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        """First column in the matrix of each feature."""
        widths = [len(feature.feature_names) for feature in self.features]
        return tuple(np.cumsum([0, *widths[:-1]]).tolist())

    @cached_property
    def _onehot(self) -> tuple[tuple[int, int], ...]:
        """First column in the matrix, and number of columns, of each one-hot feature."""
        return tuple(
            (start, feature.width)
            for feature, start in zip(self.features, self._starts, strict=True)
            if isinstance(feature, Levels) and feature.width is not None
        )

    @cached_property
    def _terms(self) -> tuple[tuple[int, Terms], ...]:
        """First column in the matrix of each column of text, and what is counted."""
        return tuple(
            (start, feature)
            for feature, start in zip(self.features, self._starts, strict=True)
            if isinstance(feature, Terms)
        )

    @cached_property
    def _places(self) -> tuple[list[int], list[int], list[int]]:
        """Return the narrow columns that hold codes of one-hot features, the others, and where these go."""
        onehot: list[int] = []
        single: list[int] = []
        to: list[int] = []
        for feature, start in zip(self.features, self._starts, strict=True):
            narrow = len(onehot) + len(single)
            if isinstance(feature, Levels) and feature.width is not None:
                onehot.append(narrow)
                continue
            width = len(feature.expressions())
            single += range(narrow, narrow + width)
            to += range(start, start + width)
        return onehot, single, to


def prepare_training(
    frame: pl.DataFrame, *, schema: Schema, needs: Needs, outcome: Outcome
) -> tuple[Preparation, np.ndarray]:
    """Fit the preparation on the training rows, and apply it to them.

    Returns
    -------
    tuple
        The preparation, and the training rows' matrix: that of `transform`, but that a category encoded by
        the target has, in each row, what the rows of other folds say.
    """
    preparation = prepare(frame, schema=schema, needs=needs, outcome=outcome)
    matrix = preparation.transform(frame)
    start = 0
    for feature in preparation.features:
        width = len(feature.feature_names)
        if isinstance(feature, Targeted):
            matrix[:, start : start + width] = feature.cross_fit(frame, outcome)
        start += width
    return preparation, matrix


def prepare(
    frame: pl.DataFrame, *, schema: Schema, needs: Needs, outcome: Outcome | None = None
) -> Preparation:
    """Fit the preparation of the schema's features on the training rows.

    Parameters
    ----------
    frame
        The training rows and nothing else, shape (n_train, any), each column in the dtype of its storage.
    schema
        Names the features; their order is the matrix' order.
    needs
        What the family wants.
    outcome
        The target of these rows, for columns that are encoded by it.

    Returns
    -------
    Preparation
        A feature that is constant in training is kept, but for constant parts of datetimes other than `days`.

    Raises
    ------
    RecipeError
        If there is no feature, or one that can't be prepared.
    """
    if messages := unprepared(schema.features):
        raise RecipeError(messages)
    if not schema.features:
        raise RecipeError.of("no column is a feature", key="schema.columns")
    features = [
        feature
        for column in schema.features
        for feature in fit_features(frame, column, needs=needs, outcome=outcome)
    ]
    return Preparation(inputs=schema.features, features=tuple(features))


def _writes_own(feature: Feature) -> bool:
    return not isinstance(feature, Number | Indicator)


def _split(graph: Graph, tensor: str, lengths: list[int]) -> list[str]:
    if len(lengths) == 1:
        return [tensor]
    return graph.nodes("Split", [tensor, graph.constant(lengths)], n_outputs=len(lengths), axis=1)


def _concat(graph: Graph, tensors: list[str]) -> str:
    return graph.node("Concat", tensors, axis=1) if len(tensors) > 1 else tensors[0]


def _gather(graph: Graph, tensor: str, columns: list[int], *, of: int | None = None) -> str:
    """Pick columns of a tensor that has `of` columns; all of them in order is no node at all."""
    if columns == list(range(len(columns) if of is None else of)):
        return tensor
    return graph.node("Gather", [tensor, graph.constant(columns)], axis=1)
