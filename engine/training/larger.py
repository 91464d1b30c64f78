"""Whether a table is larger than the memory that a run may use, and what can then be done with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.data.schema import Schema
from engine.errors import Message, RecipeError
from engine.models.family import Family, Streaming
from engine.names import FAMILIES
from engine.recipe.spec import Spec

if TYPE_CHECKING:
    from engine.data.crew import Crew
    from engine.data.opened import Header
    from engine.data.progress import Tell
    from engine.data.table import Table

# A run in memory takes so many times its table in doubles, and so many MiB besides: `costs.json` has at most
# 9 times, of the steps that grow with it.
TIMES_TABLE = 9
ALONE_MIB = 320
# Bytes a row that LightGBM keeps besides its bins: target, gradients, scores, and where a row lies.
_BESIDE_BINS = 45
_MIB = 2**20
_SAMPLE = "data.sample: 0.1, which is fitted in memory"
_STREAMED = "of a table that is larger than compute.memory_mib"


def is_streamed(spec: Spec, schema: Schema, header: Header) -> bool:
    """Tell whether a table is larger than a run in memory may be, from its header alone."""
    cap = spec.compute.memory_mib
    if cap is None or spec.data.sample is not None:
        return False
    n_columns = sum(column.role != "ignore" for column in schema.columns)
    return ALONE_MIB + TIMES_TABLE * header.n_rows * n_columns * 8 / _MIB > cap


def check_streamed(spec: Spec, schema: Schema, header: Header) -> None:
    """Refuse what can't be done with a table that is never whole in memory.

    Raises
    ------
    RecipeError
        With one message for each thing that is asked for and needs all rows at once; or if the least that a
        family holds of each row is more than may be.
    """
    found = [*_needing_all_rows(spec, schema)] or [*_needing_too_much(spec, schema, header)]
    messages = [spec.places.locate(message) for message in found]
    if messages:
        raise RecipeError(messages)


def binned_mib(n_rows: float, n_features: float) -> float:
    """Return what a family holds that goes through its training rows once: bins, and what is beside."""
    return n_rows * (n_features + _BESIDE_BINS) / _MIB


def streaming_families() -> tuple[str, ...]:
    """Return the families that learn from blocks of rows."""
    return tuple(name for name in FAMILIES.names() if isinstance(FAMILIES.load(name), Streaming))


def read_table(spec: Spec, schema: Schema, *, tell: Tell | None = None, crew: Crew | None = None) -> Table:
    """Read and check the table of a recipe: whole, or, where it is larger than memory, as a stream.

    Parameters
    ----------
    crew
        Who reads the parts of a stream; else this process does.

    Raises
    ------
    DataError
        As `read`, and, where it is streamed, as `split`.
    RecipeError
        As `check_streamed`.
    """
    from engine.data.header import read_header
    from engine.data.source import read

    if spec.compute.memory_mib is None:
        return read(spec.data, schema, tell=tell)
    header = read_header(spec.data)
    if not is_streamed(spec, schema, header):
        return read(spec.data, schema, tell=tell)
    from engine.data.streamed import read_streamed

    check_streamed(spec, schema, header)
    return read_streamed(
        spec.data, schema, cut=spec.split, seed=spec.seed, folder=disk(spec), tell=tell, crew=crew
    )


def disk(spec: Spec) -> Path:
    """Return the folder on whose disk rows are laid aside: that of the runs, or the nearest above it."""
    folder = Path(spec.runs).absolute()
    while not folder.is_dir():
        folder = folder.parent
    return folder


def _needing_too_much(spec: Spec, schema: Schema, header: Header) -> Iterator[Message]:
    family, cap = cast("Streaming", FAMILIES.load(spec.model.family)), spec.compute.memory_mib
    n_rows = header.n_rows * spec.split.shares[0]
    held = 0.0 if family.goes_again else binned_mib(n_rows, len(schema.features))
    if cap is not None and held > cap:
        what = f"{spec.model.family} holds {n_rows:,.0f} training rows in {held:,.1f} MiB at least"
        try_ = f"model=sgd, which holds a block of them; or {_SAMPLE}"
        yield Message(f"{what}, and {cap:,} are allowed", "compute.memory_mib", try_=try_)


def _needing_all_rows(spec: Spec, schema: Schema) -> Iterator[Message]:
    from engine.data.deal import DEALT_BY

    family = cast("Family", FAMILIES.load(spec.model.family))
    if not isinstance(family, Streaming):
        what = f"{family.name} needs all rows in memory, and can't learn {_STREAMED}"
        yield Message(what, "model.family", allowed=streaming_families(), try_=_SAMPLE)
    if spec.model.fairness is not None and spec.model.fairness.kind != "thresholds":
        what = "rows of groups are weighed with all of them in memory"
        yield Message(what, "model.fairness", try_=_SAMPLE)
    if spec.model.balance is not None:
        what = f"classes can't be evened out in the training rows {_STREAMED}"
        yield Message(what, "model.balance", try_=_SAMPLE)
    if spec.split.kind not in DEALT_BY:
        what = f"a {spec.split.kind} split needs all rows at once, and can't be cut {_STREAMED}"
        yield Message(what, "split.kind", allowed=tuple(DEALT_BY), try_=_SAMPLE)
    if spec.tune.kind != "none":
        what = f"a search needs all rows in memory, and can't go on {_STREAMED}"
        yield Message(what, "tune.kind", try_="tune=none, with params that a search on data.sample found")
    for column in schema.features:
        if column.encode == "target" or column.unseen == "error":
            key, word = ("encode", "target") if column.encode == "target" else ("unseen", "error")
            what = f"{key} {word} needs all training rows at once, and can't be had {_STREAMED}"
            yield Message(what, f"schema.columns.{column.name}.{key}", try_=_SAMPLE)
    for column in schema.of_role("time"):
        if spec.split.kind == "time" and column.storage == "float64":
            what = f"times that are no whole numbers can't be counted {_STREAMED}"
            yield Message(what, f"schema.columns.{column.name}.type", try_=_SAMPLE)
