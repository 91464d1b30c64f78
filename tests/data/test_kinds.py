"""What each kind of split asks of a recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from engine.data.kinds import KINDS, check_split, seconds_of
from engine.recipe import text
from engine.recipe.find import shipped
from engine.recipe.spec import Spec
from engine.recipe.spec_table import SplitKind

SpecOf = Callable[..., Spec]
_PLAIN = {"x": {"type": "number"}, "y": {"type": "number"}}
_TIMED = {**_PLAIN, "t": {"type": "datetime", "role": "time"}}
_COUNTED = {**_PLAIN, "t": {"type": "integer", "role": "time"}}
_GROUPED = {**_PLAIN, "g": {"type": "text", "role": "group"}}
_PARTED = {**_PLAIN, "p": {"type": "category", "role": "part"}}


def test_every_kind_has_its_file_and_its_line() -> None:
    """The words of `split.kind`, the table of kinds and the files of `conf/split` name the same."""
    folder: Path = shipped("conf") / "split"
    files = {path.stem: text.read(path).mapping()["kind"] for path in folder.rglob("*.yaml")}
    assert files == {name: name for name in KINDS}
    assert set(KINDS) == set(get_args(SplitKind))
    assert len(files) == 8


@pytest.mark.parametrize(
    ("length", "seconds"),
    [("7d", 604_800), ("1w 2d", 777_600), ("1d12h", 129_600), ("90m", 5400), ("0s", 0), ("30s", 30)]
    + [(wrong, None) for wrong in ("", "d", "7", "7 d", "-7d", "1.5d", "7D", "7d,", "1y", "7d  1h")],
)
def test_lengths_of_time_are_read_or_refused(length: str, seconds: int | None) -> None:
    """A length is whole numbers of weeks, days, hours, minutes and seconds, and nothing else is one."""
    assert seconds_of(length) == seconds


@pytest.mark.parametrize(
    ("columns", "cut", "texts"),
    [
        (_TIMED, {"kind": "time", "gap": "7d"}, []),
        (_COUNTED, {"kind": "time", "gap": 7}, []),
        (_TIMED, {"kind": "kfold", "folds": 5, "gap": "7d"}, []),
        (_TIMED, {"kind": "purged", "folds": 5, "gap": "7d", "embargo": "1d"}, []),
        (_GROUPED, {"kind": "stratified_group"}, []),
        (_GROUPED, {"kind": "stratified_group", "folds": 5, "repeats": 2}, []),
        (_PARTED, {"kind": "predefined"}, []),
        (_PARTED, {"kind": "random", "ignore_structure": True}, []),
        ({**_PARTED, **_TIMED, **_GROUPED}, {"kind": "predefined"}, []),
        (
            _TIMED,
            {"kind": "time", "gap": "a week"},
            [
                "split.gap\n  'a week' is no length of time: whole numbers of w, d, h, m or s\n"
                "  try: split.gap: 7d, or split.gap: 1d 12h"
            ],
        ),
        (
            _TIMED,
            {"kind": "purged", "folds": 3, "embargo": 3},
            ["split.embargo\n  the time 't' is a datetime: write a length of time\n  try: split.embargo: 7d"],
        ),
        (
            _TIMED,
            {"kind": "kfold", "folds": 5, "gap": "7d", "ignore_structure": True},
            [
                "split.gap\n  a gap lies between parts that follow in time, and those of this kfold split do "
                "not\n  try: split: time in defaults, or split.gap: 0"
            ],
        ),
    ],
)
def test_what_a_kind_asks_is_checked(
    columns: dict[str, object], cut: dict[str, object], texts: list[str], spec_of: SpecOf
) -> None:
    """Gaps, embargoes, repeats and parts have their messages where they do not fit, and none where they do."""
    assert [str(message) for message in check_split(spec_of(columns, split=cut))] == texts
