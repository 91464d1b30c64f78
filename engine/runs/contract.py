"""What a bundle says of itself in `schema.json`: task, target, threshold, limits, the table's contract."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from engine.errors import BundleError
from engine.recipe.strict import Scalar
from engine.tasks.task import TargetKind

FORMAT = 1


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one request to the service may ask: records, MiB of body, seconds; and how it is answered.

    A bundle of an earlier engine says nothing of the fields that have a default: as it was answered then.
    """

    max_records: int
    max_body_mib: float
    timeout_s: float
    max_concurrent: int = 64
    abstain_below: float | None = None
    pipeline: Literal["front", "inside"] = "inside"


class TargetFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The target, as `engine.tasks.task.Target` has it."""

    name: str
    kind: TargetKind
    classes: tuple[Scalar, ...]


class TextFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the text of the training data was read, as `engine.recipe.spec_table.DataSpec` has it."""

    format: str
    delimiter: str
    decimal: Literal[".", ","]
    encoding: Literal["utf-8", "utf-16", "latin-1", "cp1252"]
    null_values: tuple[str, ...]


class Contract(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of `schema.json`."""

    format: int
    task: str
    target: TargetFacts
    threshold: float | None
    tolerance: float
    limits: Limits
    data: TextFacts
    schema: dict[str, object]


def read_contract(folder: Path, content: bytes) -> Contract:
    """Return the content of the `schema.json` in `folder`, read strictly.

    Raises
    ------
    BundleError
        If it is not JSON, has other keys or types, or another format.
    """
    path = str(folder / "schema.json")
    try:
        contract = msgspec.json.decode(content, type=Contract)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise BundleError.of(f"this file can't be read: {exc}", file=path) from None
    if contract.format != FORMAT:
        raise BundleError.of(f"this file has format {contract.format}, this engine reads {FORMAT}", file=path)
    return contract
