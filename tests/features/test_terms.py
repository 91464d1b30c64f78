"""Free text as counts of its words."""

from __future__ import annotations

from dataclasses import replace
from zlib import crc32

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.schema import Column, Schema
from engine.features.feed import NULL, feed, feed_records
from engine.features.needs import Needs
from engine.features.prepare import prepare
from engine.features.terms import fit_terms

REVIEW = Column("review", "text", "feature", "string", nullable=True, encode="tfidf")
HASHED = replace(REVIEW, encode="hashing", terms=8)
SIZE = Column("size", "number", "feature", "float64")
KIND = Column("kind", "category", "feature", "string")
FILL = Needs(categories="onehot", missing="impute", scale=True, max_categories=None)
KEEP = Needs(categories="native", missing="ok", scale=False, max_categories=None)
TEXTS = st.lists(
    st.none()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.lists(st.sampled_from(["good", "Bad", "film", "a", "ÉTÉ", "don't", "x1", "#3"]), max_size=8).map(" ".join),
    max_size=8,
)  # fmt: skip
MANY = ["Good film, good cast.", "bad film", "A dull, dull, DULL evening", "", "good_ 42 evening", None] * 5


def frame_of(texts: list[str | None]) -> pl.DataFrame:
    """Return a frame of text, between a number and a category."""
    kinds = [("p", "q")[at % 2] for at in range(len(texts))]
    content = {"size": np.arange(len(texts), dtype=np.float64), "review": texts, "kind": kinds}
    return pl.DataFrame(content, schema={"size": pl.Float64, "review": pl.String, "kind": pl.String})


@settings(deadline=None, max_examples=60)
@given(
    train=TEXTS,
    rows=TEXTS,
    column=st.sampled_from([REVIEW, replace(REVIEW, terms=3), HASHED]),
    needs=st.sampled_from([FILL, KEEP]),
    alone=st.booleans(),
)
def test_the_graph_gives_the_matrix_bit_for_bit(
    evaluate,  # noqa: ANN001
    train: list[str | None],
    rows: list[str | None],
    column: Column,
    needs: Needs,
    alone: bool,
) -> None:
    """Whatever text comes, in files and in records, polars and the graph agree in every bit."""
    columns = (column,) if alone else (SIZE, column, KIND)
    preparation = prepare(frame_of(train), schema=Schema(columns, None, "error", "error"), needs=needs)
    frame = frame_of([*rows, *train])
    matrix = preparation.transform(frame)
    assert matrix.shape == (frame.height, len(preparation.feature_names))
    found = evaluate(preparation.write, feed(frame, columns=preparation.inputs))
    np.testing.assert_array_equal(found, matrix)
    records = evaluate(preparation.write, feed_records(frame.to_dicts(), columns=preparation.inputs))
    np.testing.assert_array_equal(records, matrix)


def test_tfidf_is_scikit_learns() -> None:
    """Words, order and values are those of TfidfVectorizer with as many words, to 1e-5."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [text or "" for text in MANY]
    vectorizer = TfidfVectorizer(max_features=256).fit(texts)
    terms = fit_terms(frame_of(MANY), REVIEW)
    assert list(terms.words) == vectorizer.get_feature_names_out().tolist()
    rows = [*MANY, "good unknown bad bad", "unknown"]
    expected = vectorizer.transform([text or "" for text in rows]).toarray()
    np.testing.assert_allclose(terms.block(frame_of(rows)), expected, atol=1e-5)


def test_the_most_frequent_words_stay() -> None:
    """Of words that stand as often, the first by name stay."""
    texts: list[str | None] = ["bb bb cc", "cc dd", "aa ee"]
    assert fit_terms(frame_of(texts), replace(REVIEW, terms=3)).words == ("aa", "bb", "cc")


def test_hashed_words_go_to_their_buckets() -> None:
    """Each word counts in the bucket of its CRC-32, in texts of length 1; nothing is learnt."""
    terms = fit_terms(frame_of(["x"]), HASHED)
    found = terms.block(frame_of(["Good good film", None]))
    expected = np.zeros((2, 8))
    expected[0, crc32(b"good") % 8] += 2
    expected[0, crc32(b"film") % 8] += 1
    expected[0] /= np.linalg.norm(expected[0])
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert terms.feature_names == tuple(f"review~#{place}" for place in range(8))


@pytest.mark.parametrize("n_rows", [1, 50])
def test_text_is_fed_as_its_words(n_rows: int) -> None:
    """Words of two letters or more, in lower case, after the mark that stands before every text."""
    inputs = feed(frame_of(["A Naïve I-beam", None] * n_rows), columns=(REVIEW,))["review"]
    assert inputs.ravel().tolist() == [f"{NULL} naïve beam", f"{NULL} "] * n_rows
