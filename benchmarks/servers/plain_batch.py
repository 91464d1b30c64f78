"""Batch scoring at the least: read Parquet, run a bundle's graph, write Parquet; nothing is checked or kept.

`python plain_batch.py BUNDLE DATA OUTPUT`; two threads score while a third reads and writes.
"""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import polars as pl
import pyarrow as pa
from pyarrow import parquet

N_ROWS = 32_768


def make_score(bundle: Path) -> Callable[[pa.RecordBatch], pa.Table]:
    """Return the function from rows to predictions."""
    contract = json.loads((bundle / "schema.json").read_bytes())
    classes = contract["target"]["classes"]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(bundle / "model.onnx"), options)
    names = [output.name for output in session.get_outputs()[:2]]
    read = [each.name for each in session.get_inputs()]

    def score(batch: pa.RecordBatch) -> pa.Table:
        frame = pl.DataFrame(pl.from_arrow(batch))
        inputs = {}
        for name in read:
            series = frame[name]
            if series.dtype == pl.String:
                inputs[name] = series.fill_null("\ufdd0").to_numpy().reshape(-1, 1)
            else:
                inputs[name] = series.cast(pl.Float64).fill_null(np.nan).to_numpy().reshape(-1, 1)
        probabilities, decisions = session.run(names, inputs)
        columns = {f"probability_{name}": probabilities[:, at] for at, name in enumerate(classes)}
        return pa.table({"prediction": np.array(classes, dtype=object)[decisions], **columns})

    return score


def main() -> None:
    """Score the file."""
    bundle, data, output = map(Path, sys.argv[1:])
    score = make_score(bundle)
    at_work: deque[Future[pa.Table]] = deque()
    writers: list[parquet.ParquetWriter] = []

    def write(table: pa.Table) -> None:
        if not writers:
            writers.append(parquet.ParquetWriter(output, table.schema, compression="zstd"))
        writers[0].write_table(table)

    with ThreadPoolExecutor(2) as pool:
        for batch in parquet.ParquetFile(data).iter_batches(N_ROWS):
            at_work.append(pool.submit(score, batch))
            if len(at_work) > 2:
                write(at_work.popleft().result())
        while at_work:
            write(at_work.popleft().result())
    writers[0].close()


if __name__ == "__main__":
    main()
