"""Whether two runs came to the same numbers, bit for bit."""

from __future__ import annotations

import io

import polars as pl

from engine.errors import EngineError
from engine.evaluation.gates import MEASURED_BY_CLOCK
from engine.runs.manifest import read_verified
from engine.runs.run import Run


def compare_files(first: Run, second: Run) -> dict[str, bool]:
    """Compare what a run decided: scores, predictions, and every model file of the bundle.

    What can't be the same twice (times, latency, ids) is not compared.

    Raises
    ------
    BundleError
        If a bundle is not what its manifest says.
    EngineError
        If a file of a run is missing.
    """
    models = _models(first), _models(second)
    trials = {"trials.parquet": _trials(first).equals(_trials(second))} if _has_trials(first) else {}
    return {
        **trials,
        "metrics.json": _bytes(first, "metrics.json") == _bytes(second, "metrics.json"),
        "predictions.parquet": _frame(first).equals(_frame(second)),
        **{f"bundle/{name}": content == models[1].get(name) for name, content in models[0].items()},
    }


def _bytes(run: Run, file: str) -> bytes:
    try:
        return (run.path / file).read_bytes()
    except OSError as error:
        raise EngineError.of(f"{run.path / file} can't be read: {error.strerror}") from error


def _frame(run: Run) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(_bytes(run, "predictions.parquet")))


def _has_trials(run: Run) -> bool:
    return (run.path / "trials.parquet").is_file()


def _trials(run: Run) -> pl.DataFrame:
    """Return what came of a search, without what a clock says."""
    frame = pl.read_parquet(io.BytesIO(_bytes(run, "trials.parquet")))
    timed = [name for name in frame.columns if name.partition(".")[2] in MEASURED_BY_CLOCK]
    return frame.drop("seconds", *timed, *(["is_feasible"] if timed else []))


def _models(run: Run) -> dict[str, bytes]:
    _, files = read_verified(run.path / "bundle")
    return {name: content for name, content in files.items() if name.endswith((".onnx", ".skops"))}
