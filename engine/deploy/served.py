"""A bundle made ready to answer: what is compiled once stands here, so that a swap is one assignment."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

import msgspec
import polars as pl

from engine.data.bodies import TableKind, read_table
from engine.data.compiled import Compiled
from engine.data.schema import to_json
from engine.data.source import conform
from engine.data.text import null_texts
from engine.deploy.envelope import as_columns, read_rows
from engine.deploy.page import page
from engine.deploy.refusal import RefusedError
from engine.errors import DataError
from engine.runs.bundle import Bundle
from engine.tasks.task import Scores

_ENCODER = msgspec.json.Encoder()


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

    def answer(self, scores: Scores) -> bytes:
        """Return the body that tells scores."""
        predictions = self.answers(scores)
        return _ENCODER.encode({"model_version": self.bundle.model_version, "predictions": predictions})

    def score(self, body: bytes) -> Scores:
        """Return the scores of a JSON body's rows.

        Raises
        ------
        RefusedError
            With all that is wrong with the body.
        EngineError
            If the model gives a value that is not finite.
        """
        read = self._compiled.decode(body)
        if read is not None:
            n_rows, columns = read
            return self.bundle.score_columns(n_rows, columns)
        records, by_column = read_rows(body, schema=self.bundle.schema, max_records=self.limits.max_records)
        return self.score_records(records, by_column=by_column)

    def score_records(self, records: Sequence[Mapping[str, object]], *, by_column: bool) -> Scores:
        """Return the scores of rows that are not judged yet.

        Raises
        ------
        RefusedError
            With all that is wrong with them, keyed by column and row where they came `by_column`.
        """
        try:
            return self.bundle.score_records(records)
        except DataError as error:
            messages = as_columns(error.messages) if by_column else error.messages
            raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, messages) from None

    def score_table(self, body: bytes, kind: TableKind) -> Scores:
        """Return the scores of a body that is an Arrow stream or a Parquet file.

        Raises
        ------
        RefusedError
            With all that is wrong with the table, rows counted from 1 as in a file.
        """
        try:
            frame = read_table(body, kind, max_rows=self.limits.max_records, max_bytes=self.max_bytes)
            return self.bundle.score(conform(frame, schema=self.bundle.schema))
        except DataError as error:
            raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, error.messages) from None

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
    del limits["pipeline"]
    return {
        "model_version": bundle.model_version,
        "task": bundle.task_name,
        "target": {"name": bundle.target.name, "kind": bundle.target.kind, "classes": bundle.target.classes},
        "limits": limits,
        **to_json(features),
    }


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
