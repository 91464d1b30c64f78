"""What a table holds, as one hash: the same for the same values, whatever file they were read from."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

from engine.data.schema import Schema

# Raised when the same values begin to hash otherwise.
_VERSION = b"1"
# Columns are hashed in blocks of so many rows, so that no copy of a whole one is made.
_BLOCK_ROWS = 1_000_000


def content_sha256(frame: pl.DataFrame, schema: Schema) -> str:
    """Return the SHA-256 (hex) of the values of a table.

    Columns count in the order of their names. Rows count in the order of the frame: that of the schema's key
    where it has one, so that the order of the file is nothing, else that of the file.

    Parameters
    ----------
    frame
        Each column exactly of its storage's dtype; columns that the schema does not name are left out.

    Notes
    -----
    A column is its name, its storage, which rows are null, and its values: numbers and moments (µs since
    1970) as 8 bytes, little end first; booleans as one; texts as UTF-8, after all lengths. -0.0 is 0.0.
    """
    digest = hashlib.sha256(_VERSION)
    storages = {column.name: column.storage for column in schema.columns}
    for name in sorted(set(storages) & set(frame.columns)):
        for word in (name, storages[name]):
            digest.update(_sized(word.encode()))
        for start in range(0, frame.height, _BLOCK_ROWS):
            nulls, *contents = encoded(frame[name].slice(start, _BLOCK_ROWS))
            for content in (np.packbits(nulls).tobytes(), *contents):
                digest.update(content)
    return digest.hexdigest()


def encoded(values: pl.Series) -> tuple[np.ndarray, bytes, bytes]:
    """Return which values are null, how many bytes each text has (nothing of others), and the values."""
    nulls = values.is_null().to_numpy()
    if values.dtype == pl.String:
        filled = values.fill_null("")
        lengths = filled.str.len_bytes().to_numpy().astype("<u8").tobytes()
        return nulls, lengths, "".join(filled.to_list()).encode()
    if values.dtype == pl.Boolean:
        return nulls, b"", values.fill_null(value=False).to_numpy().astype("u1").tobytes()
    if values.dtype.is_float():
        # Adding 0 makes 0 of -0, which is equal to it and has other bytes.
        return nulls, b"", (values.fill_null(0.0).to_numpy() + 0.0).astype("<f8").tobytes()
    return nulls, b"", values.to_physical().fill_null(0).to_numpy().astype("<i8").tobytes()


def _sized(content: bytes) -> bytes:
    return len(content).to_bytes(8, "little") + content
