"""One file for the edge: the bundle's graph from raw columns to predictions, and a script that needs only it.

What is exported is held against the bundle on its golden rows before it is put in place, and a note beside it
says how near the answers are, how large the file is and how long a row takes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import polars as pl

from engine.data.schema import Column
from engine.data.text import null_texts
from engine.deploy.sinks import checked_place
from engine.durable import publish_file, write_json
from engine.errors import EngineError, RecipeError, nearest
from engine.evaluation.latency import latency
from engine.features.feed import NULL, n_terms
from engine.models.assemble import Artifact
from engine.models.scorer import Scorer
from engine.runs.bundle import Bundle

Format = Literal["onnx", "onnx-int8"]
FORMATS: tuple[Format, ...] = get_args(Format)
_N_TIMED = 200


@dataclass(frozen=True, slots=True)
class Exported:
    """The three files, and what the note says."""

    model: Path
    script: Path
    note: Path
    told: Mapping[str, object]


def export(bundle: Bundle, output: Path, *, to: str) -> Exported:
    """Write `output`, a script `output.py` and a note `output.json` beside it, never over what is there.

    Parameters
    ----------
    bundle
        A verified bundle whose gates were met.
    output
        Where the graph goes; ends in `.onnx`.
    to
        `onnx`: the graph as it is. `onnx-int8`: its matrices of float32 rounded to 8 bits, dynamically
        (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).

    Raises
    ------
    RecipeError
        If the format is unknown, the output has another suffix, no folder or one of a run or a bundle, one of
        the three files exists, or the model has nothing that the format could hold.
    EngineError
        If the exported graph gives a value that is not finite.
    """
    _check(bundle, output, to)
    graph = (bundle.folder / "model.onnx").read_bytes()
    with tempfile.TemporaryDirectory(prefix=".export-", dir=output.resolve().parent) as made:
        staged = Path(made)
        (staged / "model.onnx").write_bytes(graph)
        if to == "onnx-int8":
            _to_int8(staged / "model.onnx", graph)
        exported = (staged / "model.onnx").read_bytes()
        told = {
            "format": to,
            "model_version": bundle.model_version,
            "bytes": len(exported),
            "bytes_of_the_bundle": len(graph),
            **_compared(bundle, exported),
        }
        write_json(staged / "note.json", told)
        (staged / "script.py").write_text(_script(bundle, output.name), encoding="utf-8")
        script, note = output.with_suffix(".py"), output.with_suffix(".json")
        for name, place in (("script.py", script), ("note.json", note), ("model.onnx", output)):
            publish_file(staged / name, place)
    return Exported(output, script, note, told)


def _check(bundle: Bundle, output: Path, to: str) -> None:
    where = "command line"
    if to not in FORMATS:
        raise RecipeError.of(
            f"'{to}' is no format of an export",
            file=where,
            key="--to",
            suggestion=nearest(to, FORMATS),
            allowed=FORMATS,
        )
    if output.suffix != ".onnx":
        raise RecipeError.of(f"'{output}' does not end in .onnx", file=where, key="-o")
    checked_place(output, "-o")
    for path in (output, output.with_suffix(".py"), output.with_suffix(".json")):
        if path.exists() or path.is_symlink():
            raise RecipeError.of(
                f"{path} exists already and is never written over",
                file=where,
                key="-o",
                try_=f"engine export RUN --to {to} -o OTHER.onnx",
            )
    if "model.skops" in bundle.manifest.files:
        what = f"{bundle.model_version} holds an estimator of scikit-learn, which is no graph"
        raise RecipeError.of(what, try_="engine package RUN")


def _to_int8(path: Path, graph: bytes) -> None:
    import logging

    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load_from_string(graph)
    fixed = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    matrices = [
        node
        for node in model.graph.node
        if node.op_type in ("MatMul", "Gemm") and fixed.get(node.input[1]) == onnx.TensorProto.FLOAT
    ]
    if not matrices:
        what = "this model multiplies no matrix of float32: there is nothing to round to 8 bits"
        raise RecipeError.of(what, file="command line", key="--to", try_="engine export RUN --to onnx")
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        quantize_dynamic(path, path, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"])
    finally:
        logging.disable(before)


def _compared(bundle: Bundle, graph: bytes) -> dict[str, object]:
    """Return how the exported graph answers the golden rows, and how long one row takes."""
    features = bundle.schema.features
    rows = bundle.golden.select([column.name for column in features])
    scorer = Scorer(Artifact(graph), schema_columns=features, kind=bundle.target.kind, threads=1)
    ours, theirs, one = scorer.score(rows), bundle.score(rows), rows.head(1)
    differs = np.abs(ours.values - theirs.values)
    same = bundle.to_frame(ours)["prediction"].eq_missing(bundle.to_frame(theirs)["prediction"])
    if not bundle.target.classes:
        same = pl.Series(differs <= bundle.tolerance * np.maximum(1.0, np.abs(theirs.values)))
    return {
        "golden_rows": rows.height,
        "largest_difference": float(differs.max(initial=0.0)),
        "same_predictions": int(same.sum()) / rows.height if rows.height else 1.0,
        "ms_a_row": round(latency(lambda: scorer.score(one), n=_N_TIMED).p50_ms, 4),
    }


# In the script: the seconds since 1970 of a date, written as its column declares or as ISO 8601 has it.
_DATED = (
    "from datetime import datetime",
    "def moment(t, form):",
    "    try: t = datetime.strptime(t, form)",
    "    except ValueError: pass",
    "    return float(np.datetime64(t, 's').astype('int64'))",
)


def _script(bundle: Bundle, model: str) -> str:
    """Return the script: NumPy, ONNX Runtime, and how each column's text becomes what the graph takes."""
    inputs = {column.name: _reader(column, bundle.data.decimal) for column in _read_by(bundle)}
    readers = "".join(f"    {name!a}: {reader},\n" for name, reader in inputs.items())
    nulls = ("", *null_texts(bundle.data))
    data = bundle.data
    modules = "csv, json, pathlib, re, sys, zlib" if "zlib" in readers else "csv, json, pathlib, re, sys"
    is_dated = any(column.format is not None for column in _read_by(bundle))
    opened = f"open(sys.argv[1], newline='', encoding={data.encoding!r})"
    lines = [
        "# Answers the rows of a CSV file with the graph beside this file: python THIS.py ROWS.csv",
        f"import {modules}",
        "import numpy as np, onnxruntime",
        f"NULL, NULLS = {NULL!a}, {sorted(set(nulls))!a}",
        *(_DATED if is_dated else ()),
        f"READ = {{\n{readers}}}",
        f"rows = list(csv.DictReader({opened}, delimiter={data.delimiter!a}))",
        f"model = onnxruntime.InferenceSession(str(pathlib.Path(__file__).with_name({model!a})))",
        "feeds = {}",
        "for i in model.get_inputs():",
        "    cells = [READ[i.name](None if row[i.name] in NULLS else row[i.name]) for row in rows]",
        "    kind = object if 'string' in i.type else np.float64",
        "    feeds[i.name] = np.array(cells, dtype=kind).reshape(-1, 1)",
        "names = [output.name for output in model.get_outputs()]",
        "answers = [np.asarray(answer).tolist() for answer in model.run(names, feeds)]",
        "for row in zip(*answers):",
        "    print(json.dumps(dict(zip(names, row))))",
    ]
    return "\n".join(lines) + "\n"


def _read_by(bundle: Bundle) -> list[Column]:
    import onnx

    model = onnx.load_from_string((bundle.folder / "model.onnx").read_bytes())
    known = {column.name: column for column in bundle.schema.features}
    names = [value.name for value in model.graph.input]
    missing = [name for name in names if name not in known]
    if missing:
        raise EngineError.of(f"the model reads '{missing[0]}', which the schema lacks")
    return [known[name] for name in names]


def _reader(column: Column, decimal: str) -> str:
    """Return the source of a function from a text, None where there is none, to the graph's input."""
    if column.type == "text":
        words = r"re.findall(r'\w\w+', (t or '').lower())"
        if column.encode == "hashing":
            words = f"('#%d' % (zlib.crc32(w.encode()) % {n_terms(column)}) for w in {words})"
        return f"lambda t: NULL + ' ' + ' '.join({words})"
    if column.type == "category":
        lower = ".lower()" if column.storage == "boolean" else ""
        return f"lambda t: NULL if t is None else t{lower}"
    if column.storage == "datetime":
        if column.format is not None:
            return f"lambda t: np.nan if t is None else moment(t, {column.format!a})"
        return "lambda t: np.nan if t is None else float(np.datetime64(t, 's').astype('int64'))"
    if column.storage == "boolean":
        return "lambda t: np.nan if t is None else float(t.lower() in ('true', '1'))"
    point = "" if decimal == "." else ".replace(',', '.')"
    return f"lambda t: np.nan if t is None else float(t{point})"
