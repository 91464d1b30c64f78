"""Batch scoring on a real Ray: the bytes of one process, whatever dies on the way."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import ModuleType

import pytest

from engine.deploy import batch
from engine.deploy.batch import predict, reading_for
from engine.errors import RecipeError
from engine.runs.bundle import Bundle, load_bundle

# Ray's own warnings are Ray's.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

# Small batches, so that there are many to lose.
N_ROWS = 500


@pytest.fixture(scope="module")
def bundle(bundle_folder: Path) -> Bundle:
    """Give the tiny bundle, loaded."""
    return load_bundle(bundle_folder)


def workers() -> list[int]:
    """Return the processes of Ray's workers that score for this process, or have done so."""
    import psutil

    below = psutil.Process().children(recursive=True)
    return [each.pid for each in below if each.name() in ("ray::_answer", "ray::IDLE")]


def cut(_: int) -> None:
    """End a call after its first batch, as Ctrl-C does."""
    raise KeyboardInterrupt


def test_what_dies_costs_no_row(
    bundle: Bundle, tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is killed is replaced, a call that was ended is gone on with: the bytes of one process.

    A cluster that is away costs nothing of what was scored.
    """
    monkeypatch.setattr(batch, "BATCH_ROWS", N_ROWS)
    data, output = tmp_path / "rows.parquet", tmp_path / "out.parquet"
    tiny.tiny_frame(20 * N_ROWS + 7, seed=21).write_parquet(data)
    predict(bundle, data, tmp_path / "alone.parquet")
    with pytest.raises(KeyboardInterrupt):
        predict(bundle, data, output, workers=1, progress=cut)
    killed: list[int] = []

    def kill(n_done: int) -> None:
        # More than an earlier call has kept, and less than all that are begun: others are to score the rest.
        if n_done == 5 * N_ROWS:
            killed.extend(workers())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    counts = predict(bundle, data, output, reading=reading_for(bundle, ["compute=ray"]), progress=kill)
    assert killed
    assert counts.n_rows == 20 * N_ROWS + 7
    assert counts.n_found >= N_ROWS
    assert output.read_bytes() == (tmp_path / "alone.parquet").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        predict(bundle, data, output, workers=1, progress=cut)
    away = reading_for(bundle, ["compute.address='127.0.0.1:1'"])
    with pytest.raises(RecipeError, match=r"no Ray cluster answers at 127\.0\.0\.1:1"):
        predict(bundle, data, output, reading=away)
    with pytest.raises(RecipeError) as caught:
        predict(bundle, data, output, reading=reading_for(bundle, ["compute.address=nowhere"]))
    assert str(caught.value) == (
        "command line: compute.address\n  'nowhere' is not host:port\n  try: compute.address=127.0.0.1:6379"
    )
    assert predict(bundle, data, output).n_found >= N_ROWS
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "alone.parquet",
        "out.parquet",
        "rows.parquet",
    ]
