"""Rows laid aside come back, each once, in the order of their hashes."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.data.shelf import Shelf, require_room
from engine.errors import EngineError


def filled(folder: Path, *, n_bytes: int, step: int, n: int = 5000) -> tuple[Shelf, np.ndarray]:
    """Return a shelf with rows put `step` at a time, and their hashes."""
    order = np.random.default_rng(0).integers(0, 2**64, n, dtype=np.uint64)
    frame = pl.DataFrame({"order": [f"text {row}" for row in range(n)], "value": range(n)})
    shelf = Shelf(folder, n_bytes=n_bytes)
    for start in range(0, n, step):
        places = np.arange(start, min(start + step, n))
        shelf.put(frame.slice(start, step), order=order[start : start + step], places=places)
    return shelf, order


@pytest.mark.parametrize(("n_bytes", "step"), [(0, 5000), (2**30, 777), (2**34, 100)])
@pytest.mark.parametrize("n_rows", [1, 999, 10_000])
def test_rows_come_back_in_the_order_of_their_hashes(
    n_bytes: int, step: int, n_rows: int, tmp_path: Path
) -> None:
    """However they were put, cut into drawers and taken, also when they are taken twice; names are no matter."""
    if n_rows == 1 and n_bytes:
        n_rows = 37
    shelf, order = filled(tmp_path, n_bytes=n_bytes, step=step, n=5000 if n_rows > 1 else 50)
    for _ in range(2):
        taken = list(shelf.frames(n_rows))
        assert [frame.height for frame, _ in taken[:-1]] == [n_rows] * (len(taken) - 1)
        places = np.concatenate([at for _, at in taken])
        assert places.tolist() == np.argsort(order, kind="stable").tolist()
        whole = pl.concat([frame for frame, _ in taken])
        assert whole.columns == ["order", "value"]
        assert whole["value"].to_list() == places.tolist()
        assert whole["order"][0] == f"text {places[0]}"


def test_the_file_has_no_name_and_is_given_back(tmp_path: Path) -> None:
    """Nothing is seen in the folder, and closing lets the room go."""
    shelf, _ = filled(tmp_path, n_bytes=0, step=1000)
    assert list(tmp_path.iterdir()) == []
    assert shelf.n_bytes > 0
    n_open = len(os.listdir("/proc/self/fd"))
    shelf.close()
    assert len(os.listdir("/proc/self/fd")) == n_open - 1


def test_a_full_disk_is_told_with_the_folder(tmp_path: Path) -> None:
    """What the system refuses to write names where, and does not go on with half of the rows."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as error:
            filled(tmp_path, n_bytes=0, step=1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert error.value.filename == str(tmp_path)


def test_what_the_disk_has_no_room_for_is_not_begun(tmp_path: Path) -> None:
    """What is needed, what is free, and what to do."""
    require_room(tmp_path, 1)
    with pytest.raises(EngineError) as error:
        require_room(tmp_path, 2**70)
    (message,) = error.value.messages
    assert message.what.startswith(
        "rows that are laid aside take about 1,125,899,906,842,624 MiB of the disk of"
    )
    assert message.key == "runs"


def test_equal_hashes_are_ordered_by_key(tmp_path: Path) -> None:
    """With a key the place in the file decides nothing."""
    frame = pl.DataFrame({"k": [3, 1, 2]})
    shelf = Shelf(tmp_path, n_bytes=0, key=["k"])
    shelf.put(frame, order=np.zeros(3, np.uint64), places=np.arange(3))
    assert next(shelf.frames(10))[0]["k"].to_list() == [1, 2, 3]
