"""Free text as counts of its words: weighed by how rare they are in training, or gathered in buckets.

`feed` cuts a text into words, in one place for fitting, batch and service; what stands here counts them, in
polars and in ONNX alike. Every step is exact in both, so that they agree in every bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from engine.data.schema import Column
from engine.features.feed import NULL, as_input, bucket_name, n_terms
from engine.graph import Graph

# Weights are rounded to 2**-16: then sums of their squares are exact, in whatever order they are added.
_STEP = 2.0**-16


@dataclass(frozen=True, eq=False)
class Terms:
    """A column of text as one column a word, or bucket of words, each text of length 1.

    Attributes
    ----------
    words
        What is counted, in order.
    weights
        What each counts, shape (n_words,).
    """

    column: Column
    words: tuple[str, ...]
    weights: np.ndarray

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns in the matrix."""
        return tuple(f"{self.column.name}~{word}" for word in self.words)

    def expressions(self) -> tuple[pl.Expr, ...]:
        """Return nothing: its columns are made by `block`."""
        return ()

    def block(self, frame: pl.DataFrame) -> np.ndarray:
        """Return its columns of the matrix, shape (n, n_words), float64."""
        n_words = len(self.words)
        held = _words_of(frame, self.column).with_columns(
            place=pl.col("word").replace_strict(self._places, default=None, return_dtype=pl.Int64)
        )
        known = held.drop_nulls("place")
        flat = known.get_column("row").cast(pl.Int64).to_numpy() * n_words
        flat = flat + known.get_column("place").to_numpy()
        counts = np.bincount(flat, minlength=frame.height * n_words).reshape(frame.height, n_words)
        weighed = counts * self.weights
        length = np.sqrt((weighed * weighed).sum(axis=1, keepdims=True))
        found: np.ndarray = weighed / np.where(length == 0, 1.0, length)
        return found

    def write(self, graph: Graph, text: str) -> str:
        """Write the nodes from words joined by spaces (string, (rows, 1)) to its columns: double."""
        flat = graph.node("Squeeze", [text, graph.constant([1])])
        # One row more, left out again below: the vectorizer takes no table without rows.
        flat = graph.node("Concat", [flat, graph.constant([NULL])], axis=0)
        words, _ = graph.nodes("StringSplit", [flat], n_outputs=2, delimiter=" ")
        counts = graph.node(
            "TfIdfVectorizer",
            [words],
            mode="TF",
            min_gram_length=1,
            max_gram_length=1,
            max_skip_count=0,
            ngram_counts=[0],
            ngram_indexes=list(range(len(self.words))),
            pool_strings=list(self.words),
        )
        counts = graph.node("Slice", [counts, graph.constant([0]), graph.constant([-1]), graph.constant([0])])
        weights = graph.constant(self.weights.reshape(1, -1))
        weighed = graph.node("Mul", [graph.cast(counts, np.float64), weights])
        squares = graph.node("Mul", [weighed, weighed])
        length = graph.node("Sqrt", [graph.node("ReduceSum", [squares, graph.constant([1])], keepdims=1)])
        empty = graph.node("Equal", [length, graph.constant(0.0)])
        return graph.node("Div", [weighed, graph.node("Where", [empty, graph.constant(1.0), length])])

    @cached_property
    def _places(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words)}


def fit_terms(frame: pl.DataFrame, column: Column) -> Terms:
    """Find what is counted of a text, and what it weighs.

    Returns
    -------
    Terms
        `tfidf`: the words that stand most often in the training rows, of equally frequent ones the first by
        name, each weighing ln((1 + rows) / (1 + rows that have it)) + 1. `hashing`: buckets by CRC-32, each
        weighing 1; nothing is learnt.

    Notes
    -----
    TF-IDF is that of scikit-learn's TfidfVectorizer, to 1e-5: K. Sparck Jones, "A statistical interpretation
    of term specificity" (1972). Buckets: K. Weinberger et al., "Feature hashing for large scale multitask
    learning" (2009), without signs.
    """
    most = n_terms(column)
    if column.encode == "hashing":
        return Terms(column, tuple(bucket_name(place) for place in range(most)), np.ones(most))
    held = _words_of(frame, column)
    counts = held.group_by("word").agg(n=pl.len(), n_rows=pl.col("row").n_unique())
    kept = counts.sort(["n", "word"], descending=[True, False]).head(most).sort("word")
    idf = np.log((1 + frame.height) / (1 + kept.get_column("n_rows").to_numpy())) + 1
    weights = np.round(idf / _STEP) * _STEP
    words = tuple(kept.get_column("word").to_list())
    # A model needs a column, be it of a word that no text can hold.
    return Terms(column, words or ("#",), weights if words else np.ones(1))


def _words_of(frame: pl.DataFrame, column: Column) -> pl.DataFrame:
    """Return the words of each row, one a row: `row` and `word`."""
    words = frame.select(word=as_input(column).str.split(" ").list.slice(1)).with_row_index("row")
    # A text without words leaves an empty one behind its mark.
    return words.explode("word").filter(pl.col("word") != "")
