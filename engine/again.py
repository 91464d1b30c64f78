"""A run once more: finished where it was interrupted, or done again and compared."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from engine.data.schema import declare
from engine.data.source import read
from engine.errors import DataError
from engine.lifecycle import run
from engine.plan import load_checked
from engine.runs.folder import PARTIAL, RECIPE
from engine.runs.run import Run
from engine.runs.same import compare_files
from engine.runs.steps import Listener


def resume(folder: Path, *, listener: Listener | None = None, roots: Sequence[str | Path] = ()) -> Run:
    """Finish an interrupted run under its own id; the same recipe on the same data gives the same run."""
    spec = load_checked(folder / RECIPE, roots=roots, runs=folder.parent.parent)
    return run(spec, listener=listener, resume_id=folder.name.removesuffix(PARTIAL))


def verify(
    finished: Run, *, listener: Listener | None = None, roots: Sequence[str | Path] = ()
) -> dict[str, bool]:
    """Run again from a run's folder, aside, and tell file by file whether it came out the same.

    A run's recipe is a recipe like any other: a table that lies elsewhere needs its folder among the `roots`.

    Raises
    ------
    DataError
        If the data is not what the run read.
    BundleError
        If the run's own bundle is not what its manifest says.
    """
    with tempfile.TemporaryDirectory(prefix="engine-verify-") as aside:
        spec = load_checked(finished.path / RECIPE, roots=roots, runs=aside)
        compare_files(finished, finished)
        if read(spec.data, declare(spec)).source.sha256 != finished.facts["data_sha256"]:
            raise DataError.of("the data has changed since the run", file=spec.data.shown, key="data.path")
        return compare_files(finished, run(spec, listener=listener))
