"""Requests and their answers as tables, typed by the bundle's schema; what is sensitive is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import polars as pl

from engine.data.records import Decoder
from engine.data.schema import Column, Schema
from engine.data.storage import dtypes
from engine.data.text import null_texts
from engine.deploy.observe import Asked, Exchange
from engine.deploy.refusal import RefusedError
from engine.runs.bundle import Bundle
from engine.tasks.task import Scores

TIME = pl.Datetime("us", "UTC")


def inputs(exchanges: Iterable[Exchange], columns: Sequence[Column]) -> pl.DataFrame:
    """Return the features of answered requests, one row a row, each in the dtype of its storage."""
    kinds = {column.name: dtypes()[column.storage] for column in columns}
    frames: list[pl.DataFrame] = []
    waiting: dict[str, list[object]] = {name: [] for name in kinds}
    for exchange in exchanges:
        assert exchange.rows is not None
        values = exchange.rows.values
        if isinstance(values, pl.DataFrame):
            frames += [_frame(waiting, kinds), values.select(list(kinds))]
            waiting = {name: [] for name in kinds}
        else:
            for name, cells in waiting.items():
                cells.extend(values[name])
    return pl.concat([*frames, _frame(waiting, kinds)])


def answers(exchanges: Sequence[Exchange], bundle: Bundle) -> pl.DataFrame:
    """Return what users were told of answered requests, one row a row."""
    scores = [exchange.scores for exchange in exchanges if exchange.scores is not None]
    return bundle.answers(
        Scores(
            np.concatenate([each.values for each in scores]),
            np.concatenate([each.decisions for each in scores]),
        )
    )


def requests(exchanges: Sequence[Exchange]) -> pl.DataFrame:
    """Return when and by what answered requests were answered, one row a row."""
    said = {
        "request_time": [int(exchange.moment_s * 1e6) for exchange in exchanges],
        "request_id": [exchange.asked.request_id.decode() for exchange in exchanges],
        "request_seconds": [exchange.seconds for exchange in exchanges],
        "model_version": [exchange.served.bundle.model_version for exchange in exchanges],
    }
    kinds = {"request_time": pl.Int64(), "request_seconds": pl.Float64()}
    frame = pl.DataFrame(said, schema_overrides=kinds).cast({"request_time": TIME})
    return repeated(frame, [exchange.rows.n for exchange in exchanges if exchange.rows is not None])


def repeated(frame: pl.DataFrame, sizes: Sequence[int]) -> pl.DataFrame:
    """Return each row as often as `sizes` says, its copies numbered from 0 in `request_row`."""
    numbers = np.concatenate([np.arange(size, dtype=np.int32) for size in (0, *sizes)])
    whole = frame[np.repeat(np.arange(len(sizes)), sizes)]
    return whole.with_columns(pl.Series("request_row", numbers))


class Keys:
    """Reads the columns that name a row and that no model sees, where a request has them."""

    def __init__(self, bundle: Bundle, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        asked = tuple(replace(column, role="feature", nullable=True) for column in columns)
        schema = Schema(asked, positive=None, extra="ignore", missing_target="drop")
        self._decoder = Decoder(schema, null_texts=null_texts(bundle.data))

    def of(self, exchanges: Iterable[Exchange]) -> pl.DataFrame:
        """Return these columns of answered requests, one row a row; null where a request has none."""
        kinds = {column.name: dtypes()[column.storage] for column in self.columns}
        frames = [self._of(exchange, kinds) for exchange in exchanges] if kinds else []
        return pl.concat([*frames, _frame({}, kinds)])

    def _of(self, exchange: Exchange, kinds: Mapping[str, pl.DataType]) -> pl.DataFrame:
        assert exchange.rows is not None
        values = exchange.rows.values
        if isinstance(values, pl.DataFrame):
            own = [name for name in kinds if name in values.columns]
            found = {name: values[name] for name in own}
            return _frame(found | {name: [None] * values.height for name in kinds if name not in own}, kinds)
        return _frame(self.read(exchange.asked, exchange.rows.n), kinds)

    def read(self, asked: Asked, n_rows: int) -> dict[str, list[object]]:
        """Return these columns of a request of JSON that was judged before."""
        names = [column.name for column in self.columns]
        given = _by_column(msgspec.json.decode(asked.body), asked.endpoint, names)
        whole = {name: given.get(name) or [None] * n_rows for name in names}
        records = [dict(zip(names, row, strict=True)) for row in zip(*whole.values(), strict=True)]
        judged = self._decoder.decode_all(records)
        return {name: [record[name] for record in judged] for name in names}


def is_kept(column: Column) -> bool:
    """Tell whether the values of a column may be written down: they are neither sensitive nor personal."""
    return not (column.sensitive or column.pii)


def keys_of(bundle: Bundle) -> Keys:
    """Return what reads the columns that name a row, and may be written down."""
    return Keys(bundle, [column for column in bundle.schema.ids if is_kept(column)])


def why(refused: RefusedError) -> str:
    """Return the first reason of a refusal in one line."""
    message = refused.messages[0]
    return f"{message.key}: {message.what}" if message.key else message.what


def beside(own: pl.DataFrame, *others: pl.DataFrame) -> pl.DataFrame:
    """Return tables side by side; a column whose name is taken is called `input_NAME`."""
    whole = own
    for other in others:
        names = {name: _free(name, whole.columns) for name in other.columns}
        whole = whole.hstack(other.rename(names))
    return whole


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name = f"input_{name}"
    return name


def _frame(values: Mapping[str, Any], kinds: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame({name: values.get(name, []) for name in kinds}, schema=dict(kinds))


def _by_column(content: Any, endpoint: str, names: Sequence[str]) -> dict[str, list[object]]:
    if endpoint == "infer":
        tensors = {each["name"]: each["data"] for each in content["inputs"] if each["name"] in names}
        return {
            name: [cell[0] if isinstance(cell, list) else cell for cell in data]
            for name, data in tensors.items()
        }
    if "columns" in content:
        return {name: content["columns"][name] for name in names if name in content["columns"]}
    return {name: [record.get(name) for record in content["records"]] for name in names}
