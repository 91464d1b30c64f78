"""Rows dealt to parts one by one: near their shares, true to what is declared, as `split` where it can be."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from engine.data.deal import DEALT_BY, LEFT_OUT, Deal, Moments
from engine.data.kinds import KINDS
from engine.data.schema import Column, Schema
from engine.data.split import split
from engine.data.table import Source, Table
from engine.errors import DataError
from engine.recipe.spec_table import SplitSpec

N = 20_000
COLUMNS = (
    Column("k", "integer", "id", "int64"),
    Column("g", "category", "group", "string"),
    Column("t", "integer", "time", "int64"),
    Column("p", "category", "part", "string"),
    Column("y", "number", "target", "float64"),
)
SHARES = (0.7, 0.1, 0.2)


def cut(kind: str, *, validation: float = 0.1, gap: float = 0) -> SplitSpec:
    """Return a split that tests on a fifth."""
    return SplitSpec(
        kind=kind,  # type: ignore[arg-type]
        test=0.2,
        validation=validation,
        folds=None,
        repeats=1,
        gap=gap,
        embargo=0,
        ignore_structure=True,
    )


def schema_of(*key: str) -> Schema:
    """Return the contract of the rows, with a key."""
    return Schema(COLUMNS, None, "error", missing_target="error", key=key)


def rows(n: int = N) -> pl.DataFrame:
    """Return rows of 200 groups and 300 moments."""
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "k": rng.permutation(n),
            "g": pl.Series(rng.integers(0, 200, n)).cast(pl.String),
            "t": rng.integers(-150, 150, n),
            "p": rng.choice(["train", "validation", "test"], n, p=SHARES),
            "y": rng.normal(size=n),
        }
    )


def dealt(deal: Deal, frame: pl.DataFrame) -> np.ndarray:
    """Return the part of each row of a file."""
    places = np.arange(frame.height)
    return deal.parts_of(frame, places, deal.hashes_of(frame, places))


@pytest.mark.parametrize("kind", ["random", "stratified"])
def test_parts_have_their_shares_and_follow_the_key(kind: str) -> None:
    """Within five standard deviations; with a key the places are no matter, and the seed is."""
    frame = rows()
    deal = Deal(cut(kind), schema_of("k"), seed=0)
    found = dealt(deal, frame)
    for part, share in enumerate(SHARES):
        assert abs((found == part).mean() - share) < 5 * np.sqrt(share * (1 - share) / N)
    order = np.random.default_rng(1).permutation(N)
    assert (dealt(deal, frame[order]) == found[order]).all()
    assert (dealt(Deal(cut(kind), schema_of("k"), seed=1), frame) != found).any()
    assert set(dealt(Deal(cut(kind, validation=0), schema_of(), seed=0), frame)) == {0, 2}


def test_groups_stay_whole() -> None:
    """Each group is in one part, and parts have about their share of groups."""
    frame = rows()
    found = frame.with_columns(part=pl.Series(dealt(Deal(cut("group"), schema_of(), seed=0), frame)))
    assert found.group_by("g").agg(pl.col("part").n_unique())["part"].max() == 1
    assert abs((found["part"] == 2).mean() - 0.2) < 0.15  # type: ignore[operator]


@pytest.mark.parametrize(("kind", "gap"), [("time", 0), ("time", 20), ("predefined", 0)])
def test_what_is_told_by_a_column_is_as_in_memory(kind: str, gap: float) -> None:
    """A split by time, its gap, and one that a column says: the very rows of `split`, part by part."""
    frame, schema = rows(), schema_of()
    whole = split(Table(frame, schema, Source("t", "csv", 0, "")), spec=cut(kind, gap=gap), seed=0)
    moments = Moments()
    for start in range(0, N, 3000):
        moments.take(frame["t"][start : start + 3000])
    deal = Deal(cut(kind, gap=gap), schema, seed=0, cuts=moments.cuts(SHARES, name="t"))
    found = dealt(deal, frame)
    for part, expected in enumerate((whole.train, whole.validation, whole.test)):
        assert np.flatnonzero(found == part).tolist() == expected.tolist()
    assert (found == LEFT_OUT).any() == bool(gap)


def test_moments_beyond_what_is_counted_are_rounded_down() -> None:
    """In bounded memory the cut is where it is to be but for one step, whatever the order of the rows."""
    times = np.random.default_rng(0).integers(-(10**6), 10**6, N)
    found = []
    for values in (times, np.sort(times)):
        moments = Moments(most=64)
        for start in range(0, N, 1000):
            moments.take(pl.Series(values[start : start + 1000]))
        found.append((moments.step, moments.cuts(SHARES, name="t")))
    assert found[0] == found[1]
    step, cuts = found[0]
    assert step == 2**15
    assert cuts[2][1] == pytest.approx(np.quantile(times, 0.8), abs=step)


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        ("group", {"g": None}, "nullable false: 20000 rows are null (rows 1, 2, 3)"),
        (
            "predefined",
            {"p": pl.lit("live")},
            "values [train, validation, test]: 20000 rows are none of them",
        ),
    ],
)
def test_what_says_no_part_is_refused(kind: str, change: dict[str, pl.Expr], told: str) -> None:
    """A missing group, and a part that there is not."""
    frame = rows().with_columns(**change)
    with pytest.raises(DataError) as error:
        dealt(Deal(cut(kind), schema_of(), seed=0), frame.cast({"g": pl.String}))
    assert error.value.messages[0].what.startswith(told)


def test_fewer_moments_than_parts_are_refused() -> None:
    """One moment can't be cut into three."""
    moments = Moments()
    moments.take(pl.Series([5, 5]))
    with pytest.raises(DataError, match="1 distinct time, fewer than the 3 parts of the split"):
        moments.cuts(SHARES, name="t")


def test_every_kind_of_split_is_dealt_or_is_known_to_need_all_rows() -> None:
    """A kind that is added is thought of here."""
    assert set(KINDS) - set(DEALT_BY) == {"kfold", "purged", "stratified_group"}
