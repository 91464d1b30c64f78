"""How values come to be held as the schema says: from text, or from typed columns, never with loss.

A value that can't be held is refused and becomes null; `Held.refused` says which rows and what stood there.
Knows columns of polars, and nothing of files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import polars as pl

from engine.data.datetimes import BEYOND, is_beyond
from engine.data.formats import fitting, moments_of
from engine.data.schema import Column, Schema, Storage
from engine.data.violation import N_SHOWN, Violation, show

# The largest magnitude at which a double still tells neighbouring integers apart.
_EXACT = 2.0**53
_CANONICAL = "^(?:0|-?[1-9][0-9]{0,17})$"
# Enough texts to tell how dates are written.
_N_TRIED = 100
# Lower case; what R, pandas, SQL, Excel and people write where there is no value.
_MISSING = frozenset(
    {"na", "n/a", "#n/a", "<na>", "null", "none", "nil", "missing", "unknown", "?", "-", "--", "."}
)
_POINTS_AND_COMMAS = r"^\s*[+-]?[0-9]*(?:[.,][0-9]+)+(?:[eE][+-]?[0-9]+)?\s*$"
_TRUE, _FALSE = ("true", "1"), ("false", "0")
Decimal = Literal[".", ","]
_WORDS: Mapping[Storage, str] = {
    "float64": "number",
    "int64": "integer",
    "boolean": "boolean",
    "string": "text",
    "datetime": "datetime",
}


@cache
def dtypes() -> Mapping[Storage, pl.DataType]:
    """Return the dtype of each storage."""
    return {
        "float64": pl.Float64(),
        "int64": pl.Int64(),
        "boolean": pl.Boolean(),
        "string": pl.String(),
        "datetime": pl.Datetime("us"),
    }


@dataclass(frozen=True, slots=True)
class Refused:
    """The rows of one column that can't be held: a mask over all rows, the first values, and what helps."""

    mask: pl.Series
    examples: tuple[str, ...]
    notes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Held:
    """A frame as the schema says, and what could not be held, by column."""

    frame: pl.DataFrame
    refused: Mapping[str, Refused] = field(default_factory=dict)

    def only(self, names: list[str]) -> Held:
        """Return some of the columns."""
        frame = pl.DataFrame([self.frame[name] for name in names])
        return Held(frame, {name: self.refused[name] for name in names if name in self.refused})


def is_open(column: Column, schema: Schema) -> bool:
    """Tell whether a column's storage waits for the data: a category of which no value is declared."""
    named = column.values is not None or (column.role == "target" and schema.positive is not None)
    textual = column.pattern is not None or column.max_length is not None
    return column.type == "category" and not named and not textual


def hold(frame: pl.DataFrame, columns: tuple[Column, ...], *, decimal: Decimal | None) -> Held:
    """Hold the columns of a frame as their storage says, in the order of `columns`.

    Parameters
    ----------
    decimal
        What stands before the fraction of a number, where columns are text as it stood in a file; there may
        be columns among them that are held already. None: columns are typed, and a type that can't become
        the declared one refuses all its values.
    """
    held: list[pl.Series] = []
    refused: dict[str, Refused] = {}
    for column in columns:
        # Without its name, because polars reads `*` and `^…$` in a name as patterns.
        given = frame[column.name].alias("")
        if decimal is None:
            series = _from_typed(given, column.storage, column.format)
        else:
            series = _from_text(given, column.storage, decimal, column.format)
        whole = series.fill_nan(None) if column.storage == "float64" else series
        held.append(whole.alias(column.name))
        if series.null_count() > given.null_count():
            mask = given.is_not_null() & series.is_null()
            if given.dtype.is_float():
                mask &= given.is_not_nan()
            if mask.any():
                wrong = given.filter(mask)
                # Python has no word for a moment beyond its years.
                is_told = not (wrong.dtype.is_temporal() and is_beyond(wrong, wrong.dtype).any())
                examples = tuple(map(show, wrong.head(N_SHOWN).to_list())) if is_told else ()
                refused[column.name] = Refused(mask, examples, frozenset(_notes(wrong, column, decimal)))
    return Held(pl.DataFrame(held), refused)


def resolve(series: pl.Series) -> tuple[pl.Series, Storage]:
    """Hold a category of which no value is declared as all its values allow.

    Texts that are all canonical integers (no leading zero, no sign but minus) become integers, all true or
    false booleans; otherwise they stay as they are. A typed column keeps its kind.
    """
    if series.dtype != pl.String:
        return series, "boolean" if series.dtype == pl.Boolean else "int64"
    texts = series.alias("")
    # Most columns are told by their first values; only what may be numbers is looked through.
    for sample in (texts.drop_nulls().head(256), texts):
        kind = kind_of(sample)
        if kind == "string":
            return series, "string"
    return _from_text(texts, kind, ".").alias(series.name), kind


def kind_of(texts: pl.Series) -> Storage:
    """Return what texts are, all together: one that is neither whole nor a boolean makes them text."""
    if texts.null_count() == len(texts):
        return "string"
    if texts.str.contains(_CANONICAL).all():
        return "int64"
    return "boolean" if texts.str.to_lowercase().is_in(["true", "false"]).all() else "string"


def type_violations(
    refused: Mapping[str, Refused], *, schema: Schema, first_row: int = 0
) -> tuple[Violation, ...]:
    """Return a violation of the rule `type` for each column with refused values."""
    found = []
    for column in schema.columns:
        if column.name not in refused:
            continue
        cells = refused[column.name]
        rows = cells.mask.arg_true()
        found.append(
            Violation(
                column=column.name,
                rule="type",
                n_rows=len(rows),
                first_rows=tuple(first_row + row + 1 for row in rows.head(N_SHOWN)),
                examples=() if column.sensitive or column.pii else cells.examples,
                expected=expected_type(column),
                note="; ".join(sorted(cells.notes)),
            )
        )
    return tuple(found)


def expected_type(column: Column) -> str:
    """Return a column's type as a message says it; a category also says what its values are."""
    return f"category of {_WORDS[column.storage]}s" if column.type == "category" else column.type


def _notes(wrong: pl.Series, column: Column, decimal: Decimal | None) -> Iterator[str]:
    """Yield what the file holds, or what the recipe may say for such texts, where that can be told."""
    if decimal is None:
        is_time = column.storage == "datetime" and wrong.dtype in (pl.Date, pl.Datetime)
        yield BEYOND if is_time else f"the column holds {wrong.dtype}"
        return
    if wrong.str.strip_chars().str.to_lowercase().is_in(list(_MISSING)).any():
        yield "data.null_values names the texts that mean a missing value"
    if column.storage == "datetime":
        ways = fitting(wrong.head(_N_TRIED).str.strip_chars().to_list())
        if ways:
            yield "format: {} reads such dates".format(" or ".join(f'"{way}"' for way in ways))
    if column.storage == "boolean":
        other = "values that are text" if column.type == "category" else "type: category"
        yield f"true, false, 1 and 0 are booleans; for other words, {other}"
    if column.storage in {"float64", "int64"}:
        other, word = (",", "comma") if decimal == "." else (".", "point")
        texts = wrong.filter(wrong.str.contains(other, literal=True))
        if texts.str.contains(_POINTS_AND_COMMAS).any():
            yield f"data.decimal: '{other}' reads a decimal {word}; thousands may not be set apart"


def _from_text(texts: pl.Series, storage: Storage, decimal: Decimal, style: str | None = None) -> pl.Series:
    if storage == "string" or texts.dtype == dtypes()[storage]:
        return texts
    stripped = texts.str.strip_chars()
    if storage == "datetime":
        return moments_of(stripped, style)
    if storage == "boolean":
        lower = stripped.str.to_lowercase()
        known = lower.is_in([*_TRUE, *_FALSE])
        return lower.is_in(list(_TRUE)).set(~known.fill_null(value=True), None)
    numbers = _doubles(stripped, decimal)
    if storage == "float64":
        return numbers
    whole = stripped.cast(pl.Int64, strict=False)
    return whole.fill_null(_whole(numbers))


def _doubles(stripped: pl.Series, decimal: Decimal) -> pl.Series:
    if decimal == ",":
        # A point is no part of such a number: 1.234 may well mean 1234. A second comma stays, and is none.
        has_point = stripped.str.contains(".", literal=True).fill_null(value=False)
        stripped = stripped.set(has_point, None).str.replace(",", ".", literal=True)
    return stripped.cast(pl.Float64, strict=False)


def _from_typed(given: pl.Series, storage: Storage, style: str | None) -> pl.Series:
    dtype = given.dtype
    is_number = dtype.is_numeric() or dtype.is_decimal()
    held = None
    if storage == "string" and dtype in (pl.String, pl.Categorical, pl.Enum):
        held = given.cast(pl.String)
    elif storage == "boolean" and is_number:
        held = (given == 1).set(~((given == 0) | (given == 1)).fill_null(value=True), None)
    elif storage == "float64" and is_number:
        held = given.cast(pl.Float64)
    elif storage == "int64" and is_number:
        held = given.cast(pl.Int64, strict=False) if dtype.is_integer() else _whole(given.cast(pl.Float64))
    elif storage == "datetime" and dtype == pl.String:
        held = moments_of(given, style)
    elif storage == "datetime" and dtype in (pl.Date, pl.Datetime):
        given = given.set(is_beyond(given, dtype).fill_null(value=False), None)
        naive = given if dtype == pl.Date else given.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        held = naive.cast(pl.Datetime("us"))
    elif dtype in (dtypes()[storage], pl.Null):
        held = given.cast(dtypes()[storage])
    if held is None:
        return pl.Series(given.name, [None], dtype=dtypes()[storage]).new_from_index(0, len(given))
    return held


def _whole(numbers: pl.Series) -> pl.Series:
    """Return the doubles that are exactly integers; null for the rest."""
    exact = (numbers == numbers.floor()) & (numbers.abs() <= _EXACT)
    return numbers.set(~exact.fill_null(value=True), None).cast(pl.Int64, strict=False)
