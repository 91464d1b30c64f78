"""A bundle made ready to answer: what is compiled once stands here, so that a swap is one assignment."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from http import HTTPStatus
from threading import Lock

import msgspec
import polars as pl

from engine.data.bodies import TableKind, read_table
from engine.data.compiled import Compiled
from engine.data.schema import to_json
from engine.data.source import conform
from engine.data.text import null_texts
from engine.deploy.batching import WAITING, Batcher, is_slow
from engine.deploy.cache import Cache
from engine.deploy.envelope import as_columns, read_rows
from engine.deploy.meters import meters
from engine.deploy.page import page
from engine.deploy.reasons import Reasons
from engine.deploy.refusal import RefusedError
from engine.deploy.rows import Rows
from engine.errors import DataError
from engine.runs.bundle import Bundle
from engine.tasks.task import Scores

# Up to this a request is read and scored on the event loop: a thread would cost more than the work.
INLINE_BYTES = 64 * 1024
_ENCODER = msgspec.json.Encoder()
# A body that is not as asked for may be twenty times as large once it is read, until it is refused: of large
# ones, which are read in threads, one is read at a time.
_ONE_BY_ONE = Lock()


class Served:
    """A verified bundle with its compiled reader, its answers' shape, and what it says of itself."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.limits = bundle.limits
        self.schema = _ENCODER.encode(describe(bundle))
        self.page = page(bundle)
        self.max_bytes = int(bundle.limits.max_body_mib * 1024 * 1024)
        self._compiled = Compiled(
            bundle.schema, null_texts=null_texts(bundle.data), max_records=bundle.limits.max_records
        )
        self.answers = _answerer(bundle)
        self.reasons = Reasons(bundle)
        self._batcher = _batcher(self) if _is_batched(bundle) else None
        self._cache = _cache(bundle)
        # Whether `score` is all there is to it.
        self.is_at_once = self._batcher is None and self._cache is None

    async def scores(self, rows: Rows) -> Scores:
        """Return the scores of rows given by column, from the cache or a batch where the bundle has such.

        Raises
        ------
        RefusedError
            If too many requests wait for a batch.
        EngineError
            If the model gives a value that is not finite.
        """
        return await (self._fresh(rows) if self._cache is None else self._cache.scores(rows, self._fresh))

    async def _fresh(self, rows: Rows) -> Scores:
        return self.score(rows) if self._batcher is None else await self._batcher.score(rows)

    def answer(self, scores: Scores) -> bytes:
        """Return the body that tells scores."""
        predictions = self.answers(scores)
        return _ENCODER.encode({"model_version": self.bundle.model_version, "predictions": predictions})

    def explain(self, scores: Scores, *, rows: Rows) -> bytes:
        """Return the body that tells scores, and why they are so, of rows for which that can be told."""
        told = zip(self.answers(scores), self.reasons.of(rows, scores), strict=True)
        predictions = [{**answer, "explanation": reasons} for answer, reasons in told]
        return _ENCODER.encode({"model_version": self.bundle.model_version, "predictions": predictions})

    def read(self, body: bytes) -> Rows:
        """Return the checked rows of a JSON body.

        Raises
        ------
        RefusedError
            With all that is wrong with the body.
        """
        read = self._compiled.decode(body)
        if read is not None:
            return Rows(*read)
        with _ONE_BY_ONE if len(body) > INLINE_BYTES else nullcontext():
            most = self.limits.max_records
            records, by_column = read_rows(body, schema=self.bundle.schema, max_records=most)
            return self.read_records(records, by_column=by_column)

    def read_records(self, records: Sequence[Mapping[str, object]], *, by_column: bool) -> Rows:
        """Return the checked rows of records.

        Raises
        ------
        RefusedError
            With all that is wrong with them, keyed by column and row where they came `by_column`.
        """
        try:
            return Rows(len(records), self.bundle.check_records(records))
        except DataError as error:
            messages = as_columns(error.messages) if by_column else error.messages
            raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, messages) from None

    def read_table(self, body: bytes, kind: TableKind) -> Rows:
        """Return the checked rows of a body that is an Arrow stream or a Parquet file.

        Raises
        ------
        RefusedError
            With all that is wrong with the table, rows counted from 1 as in a file.
        """
        try:
            frame = read_table(body, kind, max_rows=self.limits.max_records, max_bytes=self.max_bytes)
            return Rows(frame.height, conform(frame, schema=self.bundle.schema))
        except DataError as error:
            raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, error.messages) from None

    def score(self, rows: Rows) -> Scores:
        """Return the scores of checked rows.

        Raises
        ------
        EngineError
            If the model gives a value that is not finite.
        """
        if isinstance(rows.values, pl.DataFrame):
            return self.bundle.score(rows.values)
        return self.bundle.score_columns(rows.n, rows.values)

    def answer_table(self, scores: Scores, kind: TableKind) -> bytes:
        """Return scores as the prediction columns, as an Arrow stream or a Parquet file."""
        frame = self.bundle.answers(scores)
        written = io.BytesIO()
        if kind == "arrow":
            frame.write_ipc_stream(written, compat_level=pl.CompatLevel.oldest())
        else:
            frame.write_parquet(written)
        return written.getvalue()


def describe(bundle: Bundle) -> dict[str, object]:
    """Return what `GET /schema` answers: the columns of a record, and the limits of a request."""
    features = bundle.schema.only(["feature"])
    limits = msgspec.structs.asdict(bundle.limits)
    # How it is built is nothing that a client could see.
    for name in ("pipeline", "batching", "cache", "log"):
        del limits[name]
    return {
        "model_version": bundle.model_version,
        "task": bundle.task_name,
        "target": {"name": bundle.target.name, "kind": bundle.target.kind, "classes": bundle.target.classes},
        "limits": limits,
        **to_json(features),
    }


def _is_batched(bundle: Bundle) -> bool:
    chosen = bundle.limits.batching
    return chosen == "always" or (chosen == "auto" and is_slow(bundle))


def _batcher(served: Served) -> Batcher:
    limits = served.limits
    return Batcher(
        served.score,
        max_rows=limits.max_records,
        max_requests=WAITING * limits.max_concurrent,
        tell=meters().batched,
    )


def _cache(bundle: Bundle) -> Cache | None:
    asked = bundle.limits.cache
    if asked is None:
        return None
    return Cache(bundle.manifest, entries=asked.entries, ttl_s=asked.ttl_s, tell=meters().looked_up)


def _answerer(bundle: Bundle) -> Callable[[Scores], list[dict[str, object]]]:
    """Return the function from scores to the `predictions` of an answer."""
    classes = bundle.target.classes
    names = bundle.target.class_names

    def of_classes(scores: Scores) -> list[dict[str, object]]:
        rows = zip(scores.decisions.tolist(), scores.values.tolist(), strict=True)
        answers: list[dict[str, object]] = [
            {"prediction": classes[decision], "probabilities": dict(zip(names, row, strict=True))}
            for decision, row in rows
        ]
        is_unsure = bundle.is_unsure(scores)
        if is_unsure is not None:
            for answer, abstained in zip(answers, is_unsure.to_list(), strict=True):
                answer["abstained"] = abstained
                if abstained:
                    answer["prediction"] = None
        return answers

    def of_values(scores: Scores) -> list[dict[str, object]]:
        return [{"prediction": value} for value in scores.decisions.tolist()]

    return of_classes if classes else of_values
