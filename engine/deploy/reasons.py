"""`POST /predict?explain=true`: beside each prediction, what every column added to it.

The first such request opens what the bundle keeps of the model's sums; all others are answered as if this
file were not there.
"""

from __future__ import annotations

from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import polars as pl

from engine.deploy.refusal import RefusedError
from engine.deploy.rows import Rows
from engine.errors import Message, nearest
from engine.evaluation.margins import of_decision, unit_of
from engine.models.adder import Adder
from engine.runs.bundle import Bundle
from engine.runs.margins import has_margin, open_margin
from engine.tasks.task import Scores

# A row costs milliseconds of a hundred trees, not the microseconds of its prediction.
MAX_ROWS = 32
# Beyond that a sum of trees takes seconds a row.
_MAX_NODES = 1_000_000
_KEY = "explain"
_MAX_SHOWN = 100
PARAMETER: dict[str, Any] = {
    "name": _KEY,
    "in": "query",
    "required": False,
    "schema": {"type": "boolean", "default": False},
    "description": f"Whether to say what each column adds to the model's own sum for a row; {MAX_ROWS} rows "
    "at most.",
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Exact Shapley values, where they were asked for: base and all that is added sum to the "
    "model's margin, in the unit that is said.",
    "required": ["unit", "base", "added"],
    "properties": {
        "unit": {"type": "string", "example": "log-odds of yes"},
        "base": {"type": "number"},
        "added": {"type": "object", "additionalProperties": {"type": "number"}},
    },
}


def endpoint_of(query: bytes) -> str:
    """Return which endpoint a request to `/predict` with a query means: `predict` or `explain`.

    Raises
    ------
    RefusedError
        If `explain` is neither true nor false, or something else is asked.
    """
    asked = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    unknown = next((key for key in asked if key != _KEY), None)
    if unknown is not None:
        shown = unknown[:_MAX_SHOWN]
        what, close = f"the parameter '{shown}' is not known", nearest(shown, (_KEY,))
        # Without a key: it is no column's, and would be counted as one's.
        message = Message(what, suggestion=close, allowed=(_KEY,))
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, [message])
    given = asked.get(_KEY, ["false"])
    if any(value not in ("true", "false") for value in given):
        raise _unprocessable("this must be true or false")
    return "explain" if given[-1] == "true" else "predict"


class Reasons:
    """What a bundle can say of why it answers so."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def of(self, rows: Rows, scores: Scores) -> list[dict[str, object]]:
        """Return the `explanation` of each row."""
        adder = self._adder
        values = rows.values
        added = (
            adder.added(values) if isinstance(values, pl.DataFrame) else adder.added_columns(rows.n, values)
        )
        found = of_decision(
            added, margin=adder.margin, decided=np.asarray(scores.decisions), columns=adder.columns
        )
        unit = unit_of(adder.margin, self._bundle.target)
        return [
            {"unit": unit, "base": base, "added": dict(zip(found.columns, row, strict=True))}
            for base, row in zip(found.base.tolist(), found.values.tolist(), strict=True)
        ]

    def require(self, n_rows: int) -> None:
        """Refuse what can't be explained here.

        Raises
        ------
        RefusedError
            If there are too many rows, or the model is no sum, or one of too many trees.
        """
        if not has_margin(self._bundle):
            what = "the model is no sum of what its columns add: engine explain asks it for samples"
            raise _unprocessable(what)
        if n_rows > MAX_ROWS:
            raise _unprocessable(f"{n_rows} records are more than {MAX_ROWS}, the most that are explained")
        if self._adder.margin.n_nodes > _MAX_NODES:
            what = f"the model's trees have {self._adder.margin.n_nodes} nodes, more than {_MAX_NODES}"
            raise _unprocessable(f"{what}: engine explain takes its time")

    @cached_property
    def _adder(self) -> Adder:
        return open_margin(self._bundle)


def _unprocessable(what: str) -> RefusedError:
    return RefusedError.of(HTTPStatus.UNPROCESSABLE_ENTITY, what, key=_KEY)
