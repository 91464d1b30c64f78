"""What a bundle says of itself in `schema.json`: task, target, threshold, limits, the table's contract."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from engine.data.schema import Schema
from engine.errors import BundleError
from engine.models.thresholds import GroupThresholds
from engine.recipe.strict import BELOW, MAX_ROWS_HELD, MAX_S_HELD, Scalar
from engine.tasks.task import TargetKind

FORMAT = 1


class CacheFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many rows' answers the service keeps, and for how many seconds."""

    entries: Annotated[int, msgspec.Meta(ge=1, le=MAX_ROWS_HELD)]
    ttl_s: float


class LogFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where requests are logged below the working directory, which share, and what makes a file."""

    folder: Annotated[str, msgspec.Meta(pattern=BELOW)]
    share: float
    max_rows: Annotated[int, msgspec.Meta(ge=1, le=MAX_ROWS_HELD)]
    max_s: Annotated[float, msgspec.Meta(gt=0, le=MAX_S_HELD)]


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
    batching: Literal["auto", "always", "never"] = "never"
    cache: CacheFacts | None = None
    log: LogFacts | None = None


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


class OwnThreshold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The threshold of one group, by the values of the columns that make it."""

    values: tuple[Scalar, ...]
    threshold: float


class ThresholdFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The thresholds of groups, as `engine.models.thresholds.GroupThresholds` has them."""

    by: tuple[str, ...]
    overall: float
    own: tuple[OwnThreshold, ...]


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
    thresholds: ThresholdFacts | None = None


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


def read_groups(contract: Contract, schema: Schema, folder: Path) -> GroupThresholds | None:
    """Return the thresholds of groups that a contract tells, None where all are decided for alike.

    Raises
    ------
    BundleError
        If the schema lacks a column that makes them, or a group is not told by a value of each.
    """
    facts = contract.thresholds
    if facts is None:
        return None
    known = {column.name: column for column in schema.features}
    if missing := [name for name in facts.by if name not in known]:
        what = f"groups are decided for by columns that the schema lacks: {', '.join(missing)}"
        raise BundleError.of(what, file=str(folder / "schema.json"))
    if any(len(one.values) != len(facts.by) for one in facts.own):
        what = f"a group that is decided for has not one value of each of {', '.join(facts.by)}"
        raise BundleError.of(what, file=str(folder / "schema.json"))
    own = {one.values: one.threshold for one in facts.own}
    return GroupThresholds(tuple(known[name] for name in facts.by), facts.overall, own)
