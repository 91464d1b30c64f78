"""Splits: disjoint, covering, deterministic, true to what the recipe declares."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.kinds import check_split
from engine.data.schema import Column, Schema
from engine.data.split import Parts, split
from engine.data.table import Source, Table
from engine.errors import DataError
from engine.recipe.spec import Spec
from engine.recipe.spec_table import SplitSpec

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]
SpecOf = Callable[..., Spec]


def _spec(kind: str, *, test: float = 0.2, validation: float = 0.1, **more: object) -> SplitSpec:
    words = {"folds": None, "repeats": 1, "gap": 0.0, "embargo": 0.0, "ignore_structure": False, **more}
    return SplitSpec(kind=kind, test=test, validation=validation, **words)  # type: ignore[arg-type]


def _table(schema: Schema, frame: pl.DataFrame) -> Table:
    return Table(frame, schema, Source("t.csv", "csv", 0, ""))


@pytest.fixture(scope="session")
def table_of(column_of: ColumnOf, schema_of: SchemaOf) -> Callable[..., Table]:
    """Give a function to a table of n rows with a class, a number, a group and a time column."""

    def build(
        n: int, *, target: str = "y", structure: Mapping[str, str] | None = None, seed: int = 0
    ) -> Table:
        rng = np.random.default_rng(seed)
        roles = {
            "y": "feature",
            "v": "feature",
            "g": "feature",
            "t": "feature",
            **(structure or {}),
            target: "target",
        }
        columns = (("y", "category"), ("v", "number"), ("g", "integer"), ("t", "integer"))
        schema = schema_of(*(column_of(name, type_, roles[name]) for name, type_ in columns))
        frame = pl.DataFrame(
            {
                "y": rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1]),
                "v": rng.normal(size=n),
                "g": rng.integers(0, 30, n),
                "t": rng.integers(0, 50, n),
            }
        )
        return _table(schema, frame)

    return build


KINDS = [
    ("random", {}, {}),
    ("stratified", {}, {}),
    ("group", {"g": "group"}, {}),
    ("time", {"t": "time"}, {}),
    ("kfold", {}, {"folds": 4}),
    ("kfold", {"g": "group"}, {"folds": 4}),
    ("kfold", {"t": "time"}, {"folds": 4}),
    ("kfold", {"t": "time"}, {"folds": 4, "ignore_structure": True}),
]


def _is_whole(parts: Parts, n: int) -> bool:
    arrays = [parts.train, parts.validation, parts.test]
    return np.concatenate(arrays).size == n and np.array_equal(np.sort(np.concatenate(arrays)), np.arange(n))


@settings(deadline=None, max_examples=25)
@given(
    case=st.sampled_from(KINDS),
    n=st.integers(120, 400),
    seed=st.integers(0, 2**32 - 1),
    target=st.sampled_from(["y", "v"]),
)
def test_parts_are_disjoint_sorted_and_cover_all_rows(
    case: tuple[str, dict[str, str], dict[str, object]],
    n: int,
    seed: int,
    target: str,
    table_of: Callable[..., Table],
) -> None:
    """Every kind gives each row to one part, in order, and the same again from the same seed."""
    kind, structure, more = case
    table = table_of(n, target=target, structure=structure, seed=seed % 7)
    spec = _spec(kind, **more)
    parts = split(table, spec=spec, seed=seed)
    assert _is_whole(parts, n)
    for rows in (parts.train, parts.validation, parts.test):
        assert rows.dtype == np.int64
        assert np.all(np.diff(rows) > 0)
    assert parts.sha256() == split(table, spec=spec, seed=seed).sha256()
    assert abs(parts.sizes["test"] - 0.2 * n) <= max(20, 0.1 * n)
    for fold in parts.folds:
        rows = np.concatenate([fold.train, fold.validation, fold.judged, parts.test])
        assert len(np.unique(rows)) == len(rows)


def test_another_seed_gives_other_parts(table_of: Callable[..., Table]) -> None:
    """The seed decides who tests."""
    table = table_of(200)
    spec = _spec("random")
    assert split(table, spec=spec, seed=0).sha256() != split(table, spec=spec, seed=1).sha256()


def test_hashes_are_of_little_endian_int64() -> None:
    """A part's hash is the SHA-256 of its indices' bytes."""
    parts = Parts(np.array([0, 2]), np.array([], np.int64), np.array([1]))
    assert parts.sizes == {"train": 2, "validation": 0, "test": 1}
    content = b"\x00" * 8 + b"\x02" + b"\x00" * 7
    assert parts.sha256()["train"] == hashlib.sha256(content).hexdigest()
    assert parts.sha256()["validation"] == hashlib.sha256(b"").hexdigest()


def test_random_parts_have_their_sizes(table_of: Callable[..., Table]) -> None:
    """A random split of 200 rows at 0.7, 0.1 and 0.2 has 140, 20 and 40."""
    assert split(table_of(200), spec=_spec("random"), seed=0).sizes == {
        "train": 140,
        "validation": 20,
        "test": 40,
    }


def test_stratified_parts_have_the_mix_of_all(table_of: Callable[..., Table]) -> None:
    """Each class is in each part by its share, within a row."""
    table = table_of(200)
    parts = split(table, spec=_spec("stratified"), seed=0)
    counts = dict(table.frame["y"].value_counts().iter_rows())
    for rows, share in ((parts.train, 0.7), (parts.validation, 0.1), (parts.test, 0.2)):
        found = dict(table.frame["y"][rows].value_counts().iter_rows())
        assert all(abs(found[value] - share * count) < 1 for value, count in counts.items())


def test_a_number_is_stratified_by_its_deciles(table_of: Callable[..., Table]) -> None:
    """The test part of a numeric target has a tenth of its rows in each decile of all."""
    table = table_of(1000, target="v")
    parts = split(table, spec=_spec("stratified"), seed=0)
    deciles = (np.argsort(np.argsort(table.frame["v"].to_numpy())) * 10) // 1000
    assert np.bincount(deciles[parts.test]).tolist() == [20] * 10


@pytest.mark.parametrize("more", [{"kind": "group"}, {"kind": "kfold", "folds": 4}])
def test_no_group_is_in_two_parts(more: dict[str, object], table_of: Callable[..., Table]) -> None:
    """Groups stay whole, between parts and between folds."""
    table = table_of(300, structure={"g": "group"})
    groups = table.frame["g"].to_numpy()
    parts = split(table, spec=_spec(**more), seed=0)  # type: ignore[arg-type]
    pairs = [
        (parts.train, parts.test),
        (parts.validation, parts.test),
        (parts.train, parts.validation),
        *((fold.train, fold.judged) for fold in parts.folds),
        *((fold.train, fold.validation) for fold in parts.folds),
        *((fold.validation, fold.judged) for fold in parts.folds),
    ]
    assert all(not np.intersect1d(groups[one], groups[other]).size for one, other in pairs)


def test_the_past_trains_and_the_future_tests(table_of: Callable[..., Table]) -> None:
    """Train, validation and test follow each other in time, whatever the seed."""
    table = table_of(300, structure={"t": "time"})
    times = table.frame["t"].to_numpy()
    parts = split(table, spec=_spec("time"), seed=0)
    assert times[parts.train].max() < times[parts.validation].min()
    assert times[parts.validation].max() < times[parts.test].min()
    assert parts.sha256() == split(table, spec=_spec("time"), seed=1).sha256()


def test_folds_over_time_chain_forward(table_of: Callable[..., Table]) -> None:
    """Each fold trains on all that lies before its validation rows; the first fold is the latest."""
    table = table_of(300, structure={"t": "time"})
    times = table.frame["t"].to_numpy()
    parts = split(table, spec=_spec("kfold", folds=3), seed=0)
    assert len(parts.folds) == 3
    for fold in parts.folds:
        assert times[fold.train].max() < times[fold.validation].min()
        assert times[fold.validation].max() < times[fold.judged].min()
        before = np.sort(np.concatenate([fold.train, fold.validation]))
        assert np.array_equal(before, np.flatnonzero(times < times[fold.judged].min()))
    starts = [int(times[fold.judged].min()) for fold in parts.folds]
    assert starts == sorted(starts, reverse=True)
    assert max(times[fold.judged].max() for fold in parts.folds) < times[parts.test].min()


def test_folds_validate_each_row_once(table_of: Callable[..., Table]) -> None:
    """Without structure the folds cut all rows but the test rows, each class by its share."""
    table = table_of(300)
    parts = split(table, spec=_spec("kfold", folds=5), seed=0)
    rest = np.setdiff1d(np.arange(300), parts.test)
    validated = np.concatenate([fold.judged for fold in parts.folds])
    assert np.array_equal(np.sort(validated), rest)
    for fold in parts.folds:
        assert np.array_equal(np.sort(np.concatenate([fold.train, fold.validation, fold.judged])), rest)
    assert np.array_equal(parts.train, np.setdiff1d(rest, parts.folds[0].judged))
    classes = table.frame["y"].to_numpy()
    shares = [np.mean(classes[validation] == "a") for validation in (fold.judged for fold in parts.folds)]
    assert max(shares) - min(shares) < 0.05


@pytest.mark.parametrize(
    ("kind", "more", "columns", "text"),
    [
        ("random", {}, {"y": ["a", "b"]}, "split\n  2 rows, too few for 3 parts"),
        (
            "kfold",
            {"folds": 5},
            {"y": ["a"] * 5},
            "split.folds\n  5 rows, too few for 6 folds and the test part",
        ),
        (
            "stratified",
            {},
            {"y": ["a"] * 10 + ["b"] * 2 + ["c"]},
            "y\n  the class 'c' has 1 row, fewer than the 3 parts of the split (the rarest of 2 such classes)\n"
            "  try: fewer parts, or join such classes in the data",
        ),
        (
            "group",
            {},
            {"y": ["a"] * 5, "g": [1] * 5},
            "g\n  1 distinct group, fewer than the 3 parts of the split",
        ),
        (
            "time",
            {},
            {"y": ["a"] * 5, "t": [1, 1, 2, 2, 2]},
            "t\n  2 distinct times, fewer than the 3 parts of the split",
        ),
        (
            "time",
            {},
            {"y": ["a"] * 5, "t": [1, None, 2, 2, None]},
            "t\n  nullable false: 2 rows are null (rows 2, 5)",
        ),
        (
            "group",
            {},
            {"y": ["a"] * 5, "g": [None] * 4 + [1]},
            "g\n  nullable false: 4 rows are null (rows 1, 2, 3)",
        ),
        ("group", {}, {"y": ["a"] * 5}, "split.kind\n  the split needs a column with role: group"),
        ("kfold", {}, {"y": ["a"] * 5}, "split.folds\n  kfold needs a number of folds"),
    ],
)
def test_what_can_not_be_split_is_refused(
    kind: str,
    more: dict[str, object],
    columns: dict[str, list[object]],
    text: str,
    column_of: ColumnOf,
    schema_of: SchemaOf,
) -> None:
    """Too few rows, classes, groups or times, and nulls in them, are data errors."""
    words = {"y": ("category", "target"), "g": ("integer", "group"), "t": ("integer", "time")}
    schema = schema_of(*(column_of(name, *words[name], nullable=True) for name in columns))
    with pytest.raises(DataError) as caught:
        split(_table(schema, pl.DataFrame(columns)), spec=_spec(kind, **more), seed=0)
    assert str(caught.value) == text


_PLAIN = {"x": {"type": "number"}, "y": {"type": "number"}}
_TIMED = {**_PLAIN, "t": {"type": "datetime", "role": "time"}}
_GROUPED = {**_PLAIN, "g": {"type": "text", "role": "group"}}


@pytest.mark.parametrize(
    ("columns", "cut", "texts"),
    [
        (_PLAIN, {}, []),
        (_PLAIN, {"kind": "kfold", "folds": 5}, []),
        (_TIMED, {"kind": "time"}, []),
        (_TIMED, {"kind": "kfold", "folds": 5}, []),
        (_TIMED, {"kind": "random", "ignore_structure": True}, []),
        (_GROUPED, {"kind": "group"}, []),
        (
            _TIMED,
            {"kind": "random"},
            [
                "schema.columns.t.role\n  't' has the role time, and a random split would put the future into "
                "training\n  try: split: time in defaults; split.ignore_structure: true says that this is meant"
            ],
        ),
        (
            _GROUPED,
            {"kind": "stratified"},
            [
                "schema.columns.g.role\n  'g' has the role group, and a stratified split would put rows of one "
                "group into several parts\n  try: split: group in defaults; split.ignore_structure: true says "
                "that this is meant"
            ],
        ),
        (
            {**_PLAIN, "d": {"type": "datetime"}},
            {"kind": "time"},
            [
                "split.kind\n  a time split needs a column with role: time, and none is declared\n  allowed: d\n  try: schema.columns.d.role: time, or another split in defaults"
            ],
        ),
        (
            {**_PLAIN, "u": {"type": "category"}},
            {"kind": "group"},
            [
                "split.kind\n  a group split needs a column with role: group, and none is declared\n  allowed: u\n  try: schema.columns.u.role: group, or another split in defaults"
            ],
        ),
        (
            _PLAIN,
            {"kind": "kfold"},
            [
                "split.kind\n  kfold needs a number of folds; the option kfold has one, and kind alone has none\n"
                "  try: split: kfold in defaults, or split.folds: 5"
            ],
        ),
        (_PLAIN, {"test": 0.0}, ["split.test\n  test is 0: without test rows nothing can be judged"]),
        (
            _PLAIN,
            {"test": 0.5, "validation": 0.5},
            ["split.test\n  test and validation take all rows (0.5 + 0.5); none are left to train on"],
        ),
        (
            {**_TIMED, **_GROUPED},
            {"kind": "kfold", "folds": 5},
            ["split.kind\n  kfold can respect 't' (time) or 'g' (group), not both\n  did you mean 'time'?"],
        ),
    ],
)
def test_the_recipes_split_is_checked(
    columns: dict[str, object], cut: dict[str, object], texts: list[str], spec_of: SpecOf
) -> None:
    """Each mistake in the recipe's split has its whole message, and right ones have none."""
    assert [str(message) for message in check_split(spec_of(columns, split=cut))] == texts
