"""Whether two runs came to the same numbers, bit for bit."""

from __future__ import annotations

import json

import polars as pl

from engine.runs.run import Run


def compare_files(first: Run, second: Run) -> dict[str, bool]:
    """Compare what a run decided: scores, predictions, and every model file of the bundle.

    What can't be the same twice (times, latency, ids) is not compared.
    """
    return {
        "metrics.json": _bytes(first, "metrics.json") == _bytes(second, "metrics.json"),
        "predictions.parquet": _frame(first).equals(_frame(second)),
        **{f"bundle/{name}": _models(first)[name] == _models(second).get(name) for name in _models(first)},
    }


def _bytes(run: Run, file: str) -> bytes:
    return (run.path / file).read_bytes()


def _frame(run: Run) -> pl.DataFrame:
    return pl.read_parquet(run.path / "predictions.parquet")


def _models(run: Run) -> dict[str, str]:
    files = json.loads(_bytes(run, "bundle/manifest.json"))["files"]
    return {name: facts["sha256"] for name, facts in files.items() if name.endswith((".onnx", ".skops"))}
