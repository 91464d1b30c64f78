"""The checked rows of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl


class Rows(NamedTuple):
    """The `n` checked rows of a request: every feature's values by its name, or a table with such columns."""

    n: int
    values: Mapping[str, Sequence[object]] | pl.DataFrame

    @property
    def columns(self) -> Mapping[str, Sequence[object]]:
        """The values by column of rows that are no table."""
        assert not isinstance(self.values, pl.DataFrame)
        return self.values
