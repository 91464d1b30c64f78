"""Splits of groups with their classes, over time with gaps, into repeated folds, and as the data says."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.assign import by_mixed_group
from engine.data.key import by_key
from engine.data.schema import Column, Schema
from engine.data.split import Parts, split
from engine.data.table import Source, Table
from engine.errors import DataError
from engine.recipe.spec_table import SplitSpec

ROLES = {"group": ("g", "integer"), "time": ("t", "integer"), "part": ("p", "category")}
SEEDS = st.integers(0, 2**32 - 1)


def spec_of(kind: str, **more: object) -> SplitSpec:
    """Return a split with usual fractions."""
    usual = {"test": 0.2, "validation": 0.1, "folds": None, "repeats": 1, "gap": 0.0, "embargo": 0.0}
    return SplitSpec.model_validate({"kind": kind, "ignore_structure": False, **usual, **more})


def table_of(n: int, *roles: str, seed: int = 0, key: bool = False, target: str = "y") -> Table:
    """Return a table of a class, a number, a group, a time and a part; some of them in their roles."""
    rng = np.random.default_rng(seed)
    dtypes = {"integer": "int64", "number": "float64", "category": "string"}
    types = {"id": "integer", "y": "category", "v": "number", **dict(ROLES.values())}
    named = {ROLES[role][0]: role for role in roles}
    columns = tuple(
        Column(name, type_, "target" if name == target else named.get(name, "feature"), dtypes[type_])  # type: ignore[arg-type]
        for name, type_ in types.items()
    )
    frame = pl.DataFrame(
        {
            "id": rng.permutation(n * 3)[:n],
            "y": rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1]),
            "v": rng.normal(size=n),
            "g": rng.integers(0, 40, n),
            "t": rng.integers(0, 200, n),
            "p": rng.permutation(np.array(["train", "validation", "test", "train"])[np.arange(n) % 4]),
        }
    )
    schema = Schema(columns, None, "error", "error", ("id",) if key else ())
    return by_key(Table(frame, schema, Source("t.csv", "csv", 0, "")), shown="t.csv")


KINDS = {
    "random": ((), {}),
    "stratified": ((), {}),
    "group": (("group",), {}),
    "stratified_group": (("group",), {}),
    "stratified_group folds": (("group",), {"folds": 4, "repeats": 2}),
    "time": (("time",), {"gap": 5}),
    "kfold": ((), {"folds": 4, "repeats": 3}),
    "kfold group": (("group",), {"folds": 4}),
    "kfold time": (("time",), {"folds": 4, "gap": 3}),
    "purged": (("time",), {"folds": 4, "gap": 3, "embargo": 6}),
    "predefined": (("part",), {}),
}
EACH = st.sampled_from(sorted(KINDS))


def cut(name: str, table: Table, *, seed: int = 0) -> Parts:
    """Split a table by one of `KINDS`."""
    return split(table, spec=spec_of(name.split(maxsplit=1)[0], **KINDS[name][1]), seed=seed)


@settings(deadline=None, max_examples=60)
@given(name=EACH, n=st.integers(300, 600), seed=SEEDS, target=st.sampled_from(["y", "v"]))
def test_parts_are_disjoint_and_cover(name: str, n: int, seed: int, target: str) -> None:
    """No row is in two parts, all are in one but those of a gap; the same seed cuts the same again."""
    table = table_of(n, *KINDS[name][0], seed=seed % 11, target=target)
    parts = cut(name, table, seed=seed)
    rows = np.concatenate([parts.train, parts.validation, parts.test])
    assert len(np.unique(rows)) == len(rows)
    assert len(rows) == n or "gap" in KINDS[name][1]
    for part in (parts.train, parts.validation, parts.test):
        assert part.dtype == np.int64
        assert np.all(np.diff(part) > 0)
    for fold in parts.folds:
        rows = np.concatenate([fold.train, fold.validation, fold.judged, parts.test])
        assert len(np.unique(rows)) == len(rows)
        assert min(len(fold.train), len(fold.validation), len(fold.judged)) > 0
    again = cut(name, table, seed=seed)
    assert again.sha256() == parts.sha256()
    assert all(
        np.array_equal(one.train, other.train) for one, other in zip(parts.folds, again.folds, strict=True)
    )
    if name != "predefined":
        # A group or a moment is at most a few rows of the whole.
        assert abs(len(parts.test) - 0.2 * n) < 0.2 * 0.2 * n + 10


@settings(deadline=None, max_examples=40)
@given(name=EACH, seed=SEEDS)
def test_the_order_of_the_rows_changes_nothing_with_a_key(name: str, seed: int) -> None:
    """With a key each part holds the same keys, however the table's rows are shuffled."""
    roles = KINDS[name][0]
    table = table_of(300, *roles, key=True)
    order = np.random.default_rng(seed).permutation(300)
    frame = table.frame[order]
    shuffled = by_key(Table(frame, table.schema, table.source), shown="")
    assert shuffled.frame.equals(table.frame)
    assert np.array_equal(frame["id"].to_numpy()[shuffled.places(np.arange(300))], table.frame["id"])
    one, other = cut(name, table, seed=seed), cut(name, shuffled, seed=seed)
    assert one.sha256() == other.sha256()


@settings(deadline=None, max_examples=30)
@given(seed=SEEDS, folds=st.none() | st.integers(2, 5))
def test_groups_are_whole_and_classes_mixed(seed: int, folds: int | None) -> None:
    """No group is in two parts, and each part has its share of each class within a tenth of the class."""
    table = table_of(1000, "group", seed=seed % 13)
    parts = split(table, spec=spec_of("stratified_group", folds=folds), seed=seed)
    groups, classes = table.frame["g"].to_numpy(), table.frame["y"].to_numpy()
    sets = [(parts.train, parts.validation, parts.test)]
    sets += [(fold.train, fold.validation, fold.judged) for fold in parts.folds]
    for one, two, three in sets:
        for left, right in ((one, two), (one, three), (two, three)):
            assert not np.intersect1d(groups[left], groups[right]).size
    for name in ("a", "b", "c"):
        n_all = np.count_nonzero(classes == name)
        assert abs(np.count_nonzero(classes[parts.test] == name) - 0.2 * n_all) <= 0.1 * n_all


def test_groups_of_one_class_are_mixed_as_scikit_learn_mixes_them() -> None:
    """With one group in three nearly all positive, each part has the share of positives of all, to 0.02."""
    from sklearn.model_selection import StratifiedGroupKFold

    rng = np.random.default_rng(0)
    groups = rng.integers(0, 60, 3000)
    classes = (groups % 3 == 0).astype(np.int64) ^ (rng.random(3000) < 0.05)
    part_of = by_mixed_group(groups, classes, shares=[0.2] * 5, rng=np.random.Generator(np.random.PCG64(0)))
    ours = [classes[part_of == part].mean() for part in range(5)]
    cuts = StratifiedGroupKFold(5).split(groups, classes, groups)
    theirs = [classes[judged].mean() for _, judged in cuts]
    for shares in (ours, theirs):
        assert np.abs(np.array(shares) - classes.mean()).max() < 0.02
    assert np.bincount(part_of).min() > 0.8 * 600


@settings(deadline=None, max_examples=30)
@given(gap=st.integers(0, 20), validation=st.sampled_from([0.0, 0.2]), seed=st.integers(0, 20))
def test_a_gap_lies_between_parts_in_time(gap: int, validation: float, seed: int) -> None:
    """No row of a part is within the gap of a later part's first, and only such rows are left out."""
    table = table_of(600, "time", seed=seed)
    times = table.frame["t"].to_numpy()
    parts = split(table, spec=spec_of("time", gap=gap, validation=validation), seed=0)
    following = [part for part in (parts.train, parts.validation, parts.test) if len(part)]
    n_left_out = 600
    for earlier, later in pairwise(following):
        start = times[later].min()
        assert start - times[earlier].max() > gap
    for start in (times[part].min() for part in following[1:]):
        inside = (times >= start - gap) & (times < start)
        assert not np.isin(np.flatnonzero(inside), np.concatenate(following)).any()
        n_left_out -= np.count_nonzero(inside)
    assert sum(map(len, following)) == n_left_out


def test_forward_folds_are_those_of_scikit_learn() -> None:
    """On one row a moment, folds with a gap are TimeSeriesSplit's, the latest first."""
    from sklearn.model_selection import TimeSeriesSplit

    table = table_of(150, "time")
    frame = table.frame.with_columns(t=pl.int_range(150))
    timed = Table(frame, table.schema, table.source)
    parts = split(timed, spec=spec_of("kfold", folds=4, gap=3, validation=0.0, test=1 / 6), seed=0)
    assert parts.test.tolist() == list(range(125, 150))
    # The rows before the test, without its gap of 3: 122, which TimeSeriesSplit cuts into five.
    cuts = list(TimeSeriesSplit(n_splits=4, gap=3, test_size=24).split(np.arange(122)))[::-1]
    assert len(parts.folds) == 4
    for fold, (train, judged) in zip(parts.folds, cuts, strict=True):
        assert abs(len(fold.judged) - len(judged)) <= 1
        assert fold.train.tolist() == list(range(fold.judged[0] - 3))
        assert abs(len(fold.train) - len(train)) <= 4


@settings(deadline=None, max_examples=30)
@given(gap=st.integers(0, 8), embargo=st.integers(0, 8), folds=st.integers(2, 5), seed=st.integers(0, 9))
def test_purged_folds_train_on_both_sides(gap: int, embargo: int, folds: int, seed: int) -> None:
    """Each row but the test's is judged once; nothing trains in the gap before it nor the embargo after it."""
    table = table_of(600, "time", seed=seed)
    times = table.frame["t"].to_numpy()
    spec = spec_of("purged", folds=folds, gap=gap, embargo=embargo, validation=0.0)
    parts = split(table, spec=spec, seed=0)
    rest = np.flatnonzero(times < times[parts.test].min() - gap)
    assert np.array_equal(np.sort(np.concatenate([fold.judged for fold in parts.folds])), rest)
    for fold in parts.folds:
        first, last = times[fold.judged].min(), times[fold.judged].max()
        outside = (times[rest] < first - gap) | (times[rest] > last + embargo)
        assert np.array_equal(fold.train, rest[outside])
    latest = [times[fold.judged].min() for fold in parts.folds]
    assert latest == sorted(latest, reverse=True)


def test_a_gap_in_datetimes_is_a_length_of_time() -> None:
    """With an hour a row and a gap of a day, 24 rows are left out before the test."""
    start = datetime(2026, 1, 1)  # noqa: DTZ001 (columns hold UTC without a zone)
    when = pl.Series("t", [start + timedelta(hours=hour) for hour in range(500)], dtype=pl.Datetime("us"))
    columns = (Column("t", "datetime", "time", "datetime"), Column("y", "category", "target", "string"))
    frame = pl.DataFrame({"t": when, "y": ["a", "b"] * 250})
    table = Table(frame, Schema(columns, None, "error", "error"), Source("t.csv", "csv", 0, ""))
    parts = split(table, spec=spec_of("time", gap="1d", validation=0.0), seed=0)
    assert (parts.train.tolist(), parts.test.tolist()) == (list(range(376)), list(range(400, 500)))


def test_repeats_draw_their_folds_anew() -> None:
    """Three repeats of four folds are twelve: each repeat judges every row once, and no two are alike."""
    table = table_of(400)
    parts = split(table, spec=spec_of("kfold", folds=4, repeats=3), seed=0)
    once = split(table, spec=spec_of("kfold", folds=4), seed=0)
    assert len(parts.folds) == 12
    rest = np.setdiff1d(np.arange(400), parts.test)
    for first in (0, 4, 8):
        judged = np.concatenate([fold.judged for fold in parts.folds[first : first + 4]])
        assert np.array_equal(np.sort(judged), rest)
    assert len({fold.judged.tobytes() for fold in parts.folds}) == 12
    assert [fold.judged.tolist() for fold in parts.folds[:4]] == [fold.judged.tolist() for fold in once.folds]


def test_a_predefined_split_is_the_columns() -> None:
    """The rows of each part are those that name it."""
    table = table_of(400, "part")
    parts = split(table, spec=spec_of("predefined"), seed=3)
    for name in ("train", "validation", "test"):
        assert np.array_equal(getattr(parts, name), np.flatnonzero(table.frame["p"].to_numpy() == name))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            ["train", "tset", "test", "dev"],
            "p\n  values [train, validation, test]: 2 rows are none of them (rows 2, 4: tset, dev)\n"
            "  did you mean 'test'?\n  allowed: train, validation, test",
        ),
        (["train", None, "test", "test"], "p\n  nullable false: 1 row is null (row 2)"),
        (["train", "train", "validation", "train"], "p\n  no row is of the part 'test'"),
        (["test", "test", "validation", "test"], "p\n  no row is of the part 'train'"),
    ],
)
def test_what_names_no_part_is_refused(values: list[str | None], text: str) -> None:
    """Another word, a null, and a part without rows are errors of the data."""
    columns = (Column("p", "category", "part", "string"), Column("y", "category", "target", "string"))
    frame = pl.DataFrame({"p": values, "y": ["a", "b", "a", "b"]})
    table = Table(frame, Schema(columns, None, "error", "error"), Source("t.csv", "csv", 0, ""))
    with pytest.raises(DataError) as caught:
        split(table, spec=spec_of("predefined"), seed=0)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"kind": "time", "gap": 500}, "split.gap\n  the gap leaves no row of the part before it"),
        (
            {"kind": "purged", "folds": 2, "gap": 90, "embargo": 90},
            "split.embargo\n  gap and embargo leave a fold no row to train on",
        ),
    ],
)
def test_a_gap_that_leaves_nothing_is_refused(more: dict[str, object], text: str) -> None:
    """A gap longer than what lies before is an error, and no part is empty in silence."""
    with pytest.raises(DataError) as caught:
        split(table_of(600, "time"), spec=spec_of(**more), seed=0)  # type: ignore[arg-type]
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("frame", "key", "text"),
    [
        (
            {"a": [3, 1, 3, 2], "b": [1, 1, 1, 1]},
            ("a",),
            "t.csv: schema.key\n  'a' names each row once: 2 rows share theirs (rows 1, 3)",
        ),
        (
            {"a": [3, 1, 3, 2], "b": [1, 1, 1, 1]},
            ("b", "a"),
            "t.csv: schema.key\n  'b', 'a' names each row once: 2 rows share theirs (rows 1, 3)",
        ),
        (
            {"a": [3, None, None, 2], "b": [1, 2, 3, 4]},
            ("a",),
            "t.csv: a\n  nullable false: 2 rows are null (rows 2, 3)",
        ),
    ],
)
def test_a_key_that_names_no_row_is_refused(
    frame: dict[str, list[int | None]], key: tuple[str, ...], text: str
) -> None:
    """A key is there in every row and names it alone; if not, the rows of the file are named."""
    columns = tuple(Column(name, "integer", "id", "int64", nullable=True) for name in frame)
    schema = Schema(columns, None, "error", "error", key)
    with pytest.raises(DataError) as caught:
        by_key(Table(pl.DataFrame(frame), schema, Source("t.csv", "csv", 0, "")), shown="t.csv")
    assert str(caught.value) == text
