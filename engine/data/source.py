"""Tables read whole or streamed: by name, held as the schema says, checked on values, hashed as read.

`read` takes a whole table and reports everything that is wrong with it at once; `batches` streams one that is
only scored. Neither changes a value in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from engine.data.check import check
from engine.data.columns import NO_ROWS, check_columns, required_columns
from engine.data.held import PART_ROWS
from engine.data.key import by_key
from engine.data.missing_target import targets_may_miss, with_cure, with_targets
from engine.data.opened import Header, Opened, Part
from engine.data.progress import Progress, Tell
from engine.data.quarantine import Set, sound_rows
from engine.data.rules import rules_of
from engine.data.schema import Column, Schema
from engine.data.sources import open_table
from engine.data.sources.limits import bounded, check_room, check_size, is_limited
from engine.data.sources.sampled import EMPTY_SAMPLE, Sample
from engine.data.storage import Held, Refused, dtypes, hold, is_open, resolve
from engine.data.table import Table
from engine.data.tally import Tally
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

_MIN_BATCH_ROWS = 40_000
# Fewer rows are read before anyone could look how far it is.
_MIN_TOLD_ROWS = 200_000
# How columns that the schema does not name are left out, once a run has made the schema final.
_IN_SCORING = "a finished run can't be changed; schema.extra=ignore leaves such columns out of this scoring"
_IN_FRAME = "a finished run can't be changed; leave it out of the frame"


def read(
    data: DataSpec,
    schema: Schema,
    *,
    need_target: bool = True,
    resolved: bool = False,
    tell: Tell | None = None,
) -> Table:
    """Read a whole table and check it against its contract.

    Parameters
    ----------
    data
        Where the table is; an empty CSV field, quoted or not, and each of `null_values` is null.
    schema
        The contract; the order of the file's columns does not matter.
    need_target
        Whether the target column must be there.
    resolved
        Whether `schema` is that of a table read before, so that no category is resolved anew.
    tell
        Is given how many rows of a large table have come, and how many there are, now and then.

    Raises
    ------
    DataError
        If the file is missing, malformed or empty, columns are missing or extra, or values break the
        contract: all values' violations in one report.
    """
    opened = open_table(data)
    shown = opened.shown
    waiting = () if resolved else tuple(column.name for column in schema.columns if is_open(column, schema))
    tally = Tally(contract_of(opened, schema, need_target=need_target, waiting=waiting))
    check_size(opened.header(), data)
    check_room(opened.header(), data, tally.schema.columns)
    sample = None if data.sample is None else Sample(data.sample, seed=data.seed, key=schema.key)
    held = _held_whole(opened, tally, data, sample, _progress(opened.header(), tell))
    if held.frame.height == 0:
        raise DataError.of(NO_ROWS if sample is None or not sample.n_rows else EMPTY_SAMPLE, file=shown)
    tally.refuse(lambda violation: with_cure(violation, schema=schema))
    frame, schema = _resolve(held.frame, schema, waiting)
    table = Table(frame=frame, schema=schema, source=opened.source())
    if sample is not None:
        table = replace(table, kept=sample.places(), n_not_drawn=sample.n_rows - frame.height)
    if need_target and schema.missing_target == "drop" and frame[schema.target.name].null_count():
        kept, places = with_targets(frame, schema=schema, shown=shown)
        n_missing = frame.height - kept.height
        table = replace(table, frame=kept, kept=table.places(places), n_missing_target=n_missing)
    return by_key(table, shown=shown)


def validate(data: DataSpec, schema: Schema, *, tell: Tell | None = None) -> int:
    """Check every row of a table against its contract, in one pass and in bounded memory.

    Parameters
    ----------
    tell
        As in `read`.

    Returns
    -------
    int
        The number of rows.

    Raises
    ------
    DataError
        As `read`; what is wrong is found in a second pass, and counted over the whole table.

    Notes
    -----
    Of the columns only those are kept of which the table as a whole must hold something, such as `unique`.
    """
    opened = open_table(data)
    waiting = tuple(column.name for column in schema.columns if is_open(column, schema))
    tally = Tally(contract_of(opened, schema, need_target=True, waiting=waiting))
    check_size(opened.header(), data)
    progress = _progress(opened.header(), tell)
    query = opened.lazily(tally.schema.columns, hashed=False) if not is_limited(data) else None
    n_rows = query.n_sound(progress) if query is not None else None
    if n_rows is None:
        n_rows = _count_in_parts(opened, tally, data, progress)
        tally.refuse(lambda violation: with_cure(violation, schema=schema))
    if not n_rows:
        raise DataError.of(NO_ROWS, file=opened.shown)
    return n_rows


def batches(
    path: str | Path,
    *,
    schema: Schema,
    data: DataSpec | None,
    n_rows: int,
    set_aside: Set | None = None,
) -> Iterator[pl.DataFrame]:
    """Stream the feature and id columns of a file in bounded memory, `n_rows` at a time.

    Other declared columns, the target among them, may be there and are not read; id columns are kept where
    they are there. A table without rows gives one batch without rows. `unique` is a rule on a whole table and
    is not judged here.

    Parameters
    ----------
    schema
        The contract of a table that was read: storages are taken as they are.
    data
        How the text is read; its `path` is not used. None: a comma delimits, only an empty field is null.
    set_aside
        Takes the rows that break a rule, as `engine.data.quarantine` gives them; the others are yielded.
        None: such a row is an error.

    Raises
    ------
    DataError
        As `read`, at the first batch with something wrong; what came before was in order.
    """
    if data is None:
        data = DataSpec(
            path=str(path), format="auto", delimiter=",", decimal=".", encoding="utf-8", null_values=()
        )
    opened = open_table(data.elsewhere(path))
    check_size(opened.header(), data)
    names = opened.header().columns
    required = {column.name for column in schema.features}
    check_columns(names, schema=schema, required=required, file=opened.shown, cure=_IN_SCORING)
    present = _present(schema.only(["feature", "id"]).columns, names)
    found = opened.parts(present, n_rows=max(n_rows, _MIN_BATCH_ROWS))
    parts = bounded(found, data, shown=opened.shown, is_kept=False)
    if set_aside is not None:
        yield from _regroup(_sound(parts, present, schema, set_aside), n_rows)
        return
    yield from _regroup(_checked(parts, present, schema), n_rows)


def conform(frame: pl.DataFrame, *, schema: Schema, file: str = "") -> pl.DataFrame:
    """Hold a frame of typed columns as the schema says and check it, as `batches` does with a file's.

    Raises
    ------
    DataError
        If columns are missing or extra, or values break the contract.
    """
    required = {column.name for column in schema.features}
    check_columns(frame.columns, schema=schema, required=required, file=file, cure=_IN_FRAME)
    wanted = schema.only(["feature", "id"]).columns
    present = tuple(column for column in wanted if column.name in frame.columns)
    part = Part(hold(frame, present, decimal=None), file, 0)
    *_, checked = _checked([part], present, schema)
    return checked


def contract_of(opened: Opened, schema: Schema, *, need_target: bool, waiting: tuple[str, ...]) -> Schema:
    """Return the contract of the columns that are read, as the table's own types have it.

    Parameters
    ----------
    waiting
        The categories of which no value is declared.

    Raises
    ------
    DataError
        If columns are missing or extra.
    """
    names = opened.header().columns
    required = required_columns(schema, need_target=need_target)
    check_columns(names, schema=schema, required=required, file=opened.shown)
    wanted = tuple(column for column in schema.columns if column.role != "ignore")
    found = tuple(_as_found(column, opened, waiting) for column in _present(wanted, names))
    contract = replace(schema, columns=found)
    return targets_may_miss(contract) if need_target and schema.missing_target == "drop" else contract


def _progress(header: Header, tell: Tell | None) -> Progress | None:
    """Return what counts the rows of a large table as they come."""
    return None if tell is None or header.n_rows < _MIN_TOLD_ROWS else Progress(tell, header.n_rows)


def _held_whole(
    opened: Opened, tally: Tally, data: DataSpec, sample: Sample | None, progress: Progress | None
) -> Held:
    """Read all rows at once where nothing is wrong with them, else part by part, and count what is.

    Of a sample, which is filled, all rows are judged, and those that are drawn are kept.
    """
    columns = tally.schema.columns
    query = opened.lazily(columns) if sample is None and not is_limited(data) else None
    frame = query.frame(progress) if query is not None else None
    if frame is not None and not check(frame, schema=tally.schema):
        return Held(frame)
    parts = []
    for part in _judged(opened, tally, data, progress, is_kept=sample is None):
        if sample is None:
            parts.append(part.held)
        else:
            sample.take(part)
    held = _join(parts if sample is None else sample.held(), columns)
    tally.judge_whole(held, file=opened.shown)
    return held


def _count_in_parts(opened: Opened, tally: Tally, data: DataSpec, progress: Progress | None) -> int:
    """Return the number of rows, all of them judged part by part; the frame is never whole."""
    columns = tally.schema.columns
    kept = tuple(column for column in columns if any(rule.whole for rule in rules_of(column)))
    n_rows = 0
    parts = []
    for part in _judged(opened, tally, data, progress, is_kept=False):
        n_rows += part.held.frame.height
        parts.append(part.held.only([column.name for column in kept]))
    if kept:
        tally.judge_whole(_join(parts, kept), file=opened.shown)
    return n_rows


def _judged(
    opened: Opened, tally: Tally, data: DataSpec, progress: Progress | None, *, is_kept: bool
) -> Iterator[Part]:
    """Yield the parts of a table, as many as there may be, once the rules on rows were counted in each."""
    if progress is not None:
        progress.begin()
    found = opened.parts(tally.schema.columns, n_rows=PART_ROWS)
    for part in bounded(found, data, shown=opened.shown, is_kept=is_kept):
        tally.judge(part)
        if progress is not None:
            progress.came(part.held.frame.height)
        yield part


def _as_found(column: Column, opened: Opened, waiting: tuple[str, ...]) -> Column:
    """Return a column that waits for the data with the storage that the source's types give it."""
    storage = opened.category_storage(column.name) if column.name in waiting else None
    return column if storage is None else replace(column, storage=storage)


def _present(wanted: tuple[Column, ...], names: Iterable[str]) -> tuple[Column, ...]:
    known = frozenset(names)
    return tuple(column for column in wanted if column.name in known)


def _empty(columns: tuple[Column, ...]) -> Held:
    return Held(pl.DataFrame(schema={column.name: dtypes()[column.storage] for column in columns}))


def _checked(parts: Iterable[Part], columns: tuple[Column, ...], schema: Schema) -> Iterator[pl.DataFrame]:
    """Yield the frames of parts that keep the contract, the first of them without rows."""
    yield _empty(columns).frame
    tally = Tally(schema)
    for part in parts:
        if not tally.judge(part):
            tally.refuse()
        yield part.held.frame


def _sound(
    parts: Iterable[Part], columns: tuple[Column, ...], schema: Schema, set_aside: Set
) -> Iterator[pl.DataFrame]:
    """Yield the rows of parts that keep the contract, the first of the frames without rows."""
    yield _empty(columns).frame
    for part in parts:
        yield sound_rows(part, schema=schema, set_aside=set_aside)


def _regroup(frames: Iterator[pl.DataFrame], n_rows: int) -> Iterator[pl.DataFrame]:
    """Cut and join frames to `n_rows` each; the last may be shorter, and there is always one."""
    waiting = next(frames)
    n_given = 0
    for frame in frames:
        waiting = pl.concat([waiting, frame]) if waiting.height else frame
        while waiting.height >= n_rows:
            yield waiting.head(n_rows).rechunk()
            n_given += 1
            waiting = waiting.slice(n_rows)
    if waiting.height or not n_given:
        yield waiting.rechunk()


def _join(parts: list[Held], columns: tuple[Column, ...]) -> Held:
    if not parts:
        return _empty(columns)
    frame = pl.concat([part.frame for part in parts], rechunk=True)
    refused = {}
    for name in {name for part in parts for name in part.refused}:
        masks = [
            part.refused[name].mask
            if name in part.refused
            else pl.repeat(value=False, n=part.frame.height, eager=True)
            for part in parts
        ]
        # What stood there was told part by part.
        refused[name] = Refused(pl.concat(masks), ())
    return Held(frame, refused)


def _resolve(frame: pl.DataFrame, schema: Schema, opened: tuple[str, ...]) -> tuple[pl.DataFrame, Schema]:
    columns = {column.name: column for column in schema.columns}
    for name in opened:
        if name in frame.columns:
            series, storage = resolve(frame[name])
            frame = frame.with_columns(series)
            columns[name] = replace(columns[name], storage=storage)
    return frame, replace(schema, columns=tuple(columns.values()))
