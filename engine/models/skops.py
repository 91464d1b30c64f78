"""Estimators without a graph, in skops' format, written so that equal models give equal bytes.

How such a file is read, and which types it may name, is the scorer's business.
"""

from __future__ import annotations

import io
import json
import zipfile

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def write_skops(estimator: object) -> bytes:
    """Return `estimator` in skops' format; the addresses and times that skops stores are taken out."""
    import skops.io

    dumped = zipfile.ZipFile(io.BytesIO(skops.io.dumps(estimator)))
    schema = json.loads(dumped.read("schema.json"))
    files: dict[str, str] = {}
    _number(schema, ids={}, files=files, count=0)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for old, new in files.items():
            archive.writestr(zipfile.ZipInfo(new, _ZIP_TIME), dumped.read(old))
        archive.writestr(zipfile.ZipInfo("schema.json", _ZIP_TIME), json.dumps(schema))
    return buffer.getvalue()


def _number(node: object, *, ids: dict[int, int], files: dict[str, str], count: int) -> int:
    """Replace every id, which is a memory address, by its place in the file; return how many were seen."""
    if isinstance(node, list):
        for item in node:
            count = _number(item, ids=ids, files=files, count=count)
        return count
    if not isinstance(node, dict):
        return count
    if "__id__" in node:
        count += 1
        # Which equal words and numbers are one object is the interpreter's choice, not the model's.
        immutable = node.get("__loader__") in {"JsonNode", "TypeNode"}
        node["__id__"] = count if immutable else ids.setdefault(node["__id__"], count)
    if isinstance(node.get("file"), str):
        suffix = node["file"].rpartition(".")[2]
        node["file"] = files.setdefault(node["file"], f"{len(files)}.{suffix}")
    for item in node.values():
        count = _number(item, ids=ids, files=files, count=count)
    return count
