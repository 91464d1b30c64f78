"""Tables from files: read by name, held as the schema says, checked on values, hashed as read.

`read` takes a whole table and reports everything that is wrong with it at once; `batches` streams one that is
only scored. Neither changes a value in silence.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from engine.data import delimited, parquet
from engine.data.check import check, to_error
from engine.data.columns import NO_ROWS, check_columns, required_columns
from engine.data.missing_target import targets_may_miss, with_cure, with_targets
from engine.data.schema import Column, Schema
from engine.data.storage import Held, Refused, dtypes, hold, is_open, resolve, type_violations
from engine.data.text import typed_blocks
from engine.data.violation import Violation, counted
from engine.errors import DataError, nearest
from engine.recipe.spec import DataSpec

Format = Literal["csv", "parquet"]
_PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})
_PARQUET_MAGIC = b"PAR1"
_BATCH_BLOCK_BYTES = 4 * 2**20
# How columns that the schema does not name are left out, once a run has made the schema final.
_IN_SCORING = "a finished run can't be changed; schema.extra=ignore leaves such columns out of this scoring"
_IN_FRAME = "a finished run can't be changed; leave it out of the frame"


@dataclass(frozen=True, slots=True)
class Source:
    """What was read: the file, and the SHA-256 (hex) of its bytes."""

    path: str
    format: Format
    n_bytes: int
    sha256: str

    def to_json(self) -> dict[str, object]:
        """Return the form of `data.json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Table:
    """A checked table.

    Attributes
    ----------
    frame
        Shape (n_rows, n_columns): the declared columns but those of role `ignore`, in the schema's order,
        each exactly of its storage's dtype. A missing value is null, never NaN.
    schema
        The contract with every storage resolved.
    kept
        Where rows were left out because their target is missing: the places, from 0, that the other rows
        have in the file, int64, shape (n_rows,), rising. None: every row of the file is here.
    n_missing_target
        How many rows were left out for that.
    """

    frame: pl.DataFrame
    schema: Schema
    source: Source
    kept: np.ndarray | None = None
    n_missing_target: int = 0

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.frame.height

    @property
    def n_rows_read(self) -> int:
        """Number of rows of the file, those that were left out among them."""
        return self.n_rows + self.n_missing_target

    @property
    def left_out(self) -> str:
        """One sentence on the rows that were left out, empty where none was."""
        if not self.n_missing_target:
            return ""
        rows = f"left out: {self.n_missing_target} of {counted(self.n_rows_read, 'row')}"
        return f"{rows}, the target '{self.schema.target.name}' missing (schema.missing_target: drop)"

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Return where some rows, given by their int64 indices, stand in the file, from 0."""
        return rows if self.kept is None else self.kept[rows]


def read(data: DataSpec, schema: Schema, *, need_target: bool = True, resolved: bool = False) -> Table:
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

    Raises
    ------
    DataError
        If the file is missing, malformed or empty, columns are missing or extra, or values break the
        contract: all values' violations in one report.
    """
    path, shown = find(data)
    wanted = tuple(column for column in schema.columns if column.role != "ignore")
    required = required_columns(schema, need_target=need_target)
    opened = () if resolved else tuple(column.name for column in wanted if is_open(column, schema))
    if format_of(path, data) == "csv":
        source, held = _read_csv(path, shown, data, schema, required, wanted)
    else:
        source, held = _read_parquet(path, shown, schema, required, wanted, opened)
    if held.frame.height == 0:
        raise DataError.of(NO_ROWS, file=shown)
    frame, schema = _resolve(held.frame, schema, opened)
    drops = need_target and schema.missing_target == "drop"
    violations = [
        *type_violations(held.refused, schema=schema),
        *check(frame, schema=targets_may_miss(schema) if drops else schema, refused=held.refused),
    ]
    if violations:
        cured = [with_cure(violation, schema=schema) for violation in _in_order(violations, schema)]
        raise to_error(cured, file=shown)
    if not drops or not frame[schema.target.name].null_count():
        return Table(frame=frame, schema=schema, source=source)
    kept, places = with_targets(frame, schema=schema, shown=shown)
    return Table(
        frame=kept, schema=schema, source=source, kept=places, n_missing_target=frame.height - kept.height
    )


def batches(
    path: str | Path, *, schema: Schema, data: DataSpec | None, n_rows: int
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

    Raises
    ------
    DataError
        As `read`, at the first batch with something wrong; what came before was in order.
    """
    if data is None:
        data = DataSpec(
            path=str(path), format="auto", delimiter=",", decimal=".", encoding="utf-8", null_values=()
        )
    data = data.model_copy(update={"path": str(path)})
    found, shown = find(data)
    required = {column.name for column in schema.features}
    wanted = schema.only(["feature", "id"]).columns
    parts = (
        _csv_parts(found, shown, data, schema, required, wanted)
        if format_of(found, data) == "csv"
        else _parquet_parts(found, shown, schema, required, wanted, n_rows)
    )
    yield from _regroup(_checked(parts, schema, shown), n_rows)


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
    held = hold(frame, present, decimal=None)
    return next(iter(_checked([held], schema, file)))


def find(data: DataSpec) -> tuple[Path, str]:
    """Return the path of the data file, and how messages show it.

    Raises
    ------
    DataError
        If there is no such file.
    """
    path, shown = Path(data.path), data.shown
    if data.reference is None and path.is_absolute() and path.is_relative_to(Path.cwd()):
        shown = os.path.relpath(path)
    if path.is_dir():
        raise DataError.of(f"'{shown}' is a folder, not a file", key="data.path")
    if path.exists() and not path.is_file():
        raise DataError.of(f"'{shown}' is no regular file", key="data.path")
    if not path.is_file():
        names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        near = nearest_file(path.name, names) if data.reference is None else ""
        suggestion = os.path.join(os.path.dirname(shown), near) if near else ""
        raise DataError.of(f"there is no file '{shown}'", key="data.path", suggestion=suggestion)
    return path, shown


def nearest_file(name: str, names: Iterable[str]) -> str:
    """Return the file whose name was most likely meant: its stem is near, whatever the suffix; or nothing.

    Examples
    --------
    >>> nearest_file("nope.csv", ["new_ok.csv"]), nearest_file("laons.csv", ["loans.parquet", "loans.csv"])
    ('', 'loans.csv')
    """
    wanted = Path(name)
    files = [Path(other) for other in sorted(names)]
    # A recipe is called as its table is, and is none.
    tables = [file for file in files if file.suffix.lower() not in {".yaml", ".yml"}]
    alike = [file for file in tables if file.suffix == wanted.suffix]
    for among in (alike, tables):
        stems = {file.stem: file.name for file in among}
        if near := nearest(wanted.stem, stems):
            return stems[near]
    return ""


def format_of(path: Path, data: DataSpec) -> Format:
    """Return the file's format: as declared, else by suffix, else by its first bytes.

    Raises
    ------
    DataError
        If a Parquet file is declared, and neither name nor first bytes are of one.
    """
    if data.format == "parquet" and path.suffix.lower() not in _PARQUET_SUFFIXES and not _is_parquet(path):
        raise DataError.of("the table is no Parquet file", key="data.format", suggestion="csv")
    if data.format != "auto":
        return data.format
    if path.suffix.lower() in _PARQUET_SUFFIXES:
        return "parquet"
    return "parquet" if _is_parquet(path) else "csv"


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == _PARQUET_MAGIC


def _read_csv(
    path: Path, shown: str, data: DataSpec, schema: Schema, required: set[str], wanted: tuple[Column, ...]
) -> tuple[Source, Held]:
    with path.open("rb") as raw:
        file = delimited.Hashed(raw)
        text = delimited.open_text(file, data, shown=shown)
        check_columns(text.columns, schema=schema, required=required, file=shown)
        present = _present(wanted, text.columns)
        parts = list(typed_blocks(text, present, data))
        source = Source(str(path), "csv", file.n_bytes, file.hexdigest())
    return source, _join(parts, present)


def _read_parquet(
    path: Path,
    shown: str,
    schema: Schema,
    required: set[str],
    wanted: tuple[Column, ...],
    opened: tuple[str, ...],
) -> tuple[Source, Held]:
    before = path.stat()
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    names = parquet.columns(path, shown=shown)
    check_columns(names, schema=schema, required=required, file=shown)
    present = _present(wanted, names)
    frame = parquet.frame(path, [column.name for column in present], shown=shown)
    after = path.stat()
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        raise DataError.of("the file changed while it was read", file=shown)
    as_found = tuple(
        replace(column, storage=parquet.category_storage(frame[column.name]))
        if column.name in opened
        else column
        for column in present
    )
    return Source(str(path), "parquet", after.st_size, sha256), hold(frame, as_found, decimal=None)


def _csv_parts(
    path: Path, shown: str, data: DataSpec, schema: Schema, required: set[str], wanted: tuple[Column, ...]
) -> Iterator[Held]:
    with path.open("rb") as file:
        text = delimited.open_text(file, data, shown=shown, block_bytes=_BATCH_BLOCK_BYTES)
        check_columns(text.columns, schema=schema, required=required, file=shown, cure=_IN_SCORING)
        present = _present(wanted, text.columns)
        yield _empty(present)
        yield from typed_blocks(text, present, data)


def _parquet_parts(
    path: Path,
    shown: str,
    schema: Schema,
    required: set[str],
    wanted: tuple[Column, ...],
    n_rows: int,
) -> Iterator[Held]:
    names = parquet.columns(path, shown=shown)
    check_columns(names, schema=schema, required=required, file=shown, cure=_IN_SCORING)
    present = _present(wanted, names)
    yield _empty(present)
    for frame in parquet.frames(path, [column.name for column in present], n_rows=n_rows, shown=shown):
        yield hold(frame, present, decimal=None)


def _present(wanted: tuple[Column, ...], names: Iterable[str]) -> tuple[Column, ...]:
    known = frozenset(names)
    return tuple(column for column in wanted if column.name in known)


def _empty(columns: tuple[Column, ...]) -> Held:
    return Held(pl.DataFrame(schema={column.name: dtypes()[column.storage] for column in columns}))


def _checked(parts: Iterable[Held], schema: Schema, shown: str) -> Iterator[pl.DataFrame]:
    first_row = 0
    for held in parts:
        violations = [
            *type_violations(held.refused, schema=schema, first_row=first_row),
            *check(held.frame, schema=schema, first_row=first_row, refused=held.refused, whole=False),
        ]
        if violations:
            raise to_error(_in_order(violations, schema), file=shown)
        first_row += held.frame.height
        yield held.frame


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
        examples = tuple(
            text for part in parts if name in part.refused for text in part.refused[name].examples
        )
        notes = frozenset().union(*(part.refused[name].notes for part in parts if name in part.refused))
        refused[name] = Refused(pl.concat(masks), examples[:3], notes)
    return Held(frame, refused)


def _resolve(frame: pl.DataFrame, schema: Schema, opened: tuple[str, ...]) -> tuple[pl.DataFrame, Schema]:
    columns = {column.name: column for column in schema.columns}
    for name in opened:
        if name in frame.columns:
            series, storage = resolve(frame[name])
            frame = frame.with_columns(series)
            columns[name] = replace(columns[name], storage=storage)
    return frame, replace(schema, columns=tuple(columns.values()))


def _in_order(violations: list[Violation], schema: Schema) -> list[Violation]:
    order = {column.name: at for at, column in enumerate(schema.columns)}
    return sorted(violations, key=lambda violation: order[violation.column])
