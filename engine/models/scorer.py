"""Runs a deployed model: raw rows in, scores out; the same for evaluation, batch and service.

Trusts no content: a graph that names other files is refused, and an estimator is read from a closed list of
types. Whether the bytes are those that were written is checked before they come here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
import polars as pl

from engine.data.schema import Column
from engine.errors import BundleError, EngineError
from engine.features.feed import feed, feed_columns, feed_records
from engine.features.prepare import Preparation
from engine.models.assemble import Artifact
from engine.models.family import Fitted
from engine.tasks.task import Scores, TargetKind

if TYPE_CHECKING:
    import onnx
    import onnxruntime

# Text columns are Python strings while they are fed: about 100 MiB at a dozen columns.
_CHUNK_ROWS = 65_536
# Without this key no tensor keeps data in another file; and the mark of onnxruntime's own format.
_EXTERNAL, _ORT_FORMAT = b"location", b"ORTM"


@dataclass(frozen=True, slots=True)
class Parity:
    """How near the deployed model is to the library's own answers.

    `largest` is the largest absolute difference of any value, infinite where the library's is not finite;
    `n_beyond` counts the rows that differ by more than tolerance * max(1, the largest |library's value|):
    a sum of float32 terms is as exact as its largest term, not as its result.
    """

    largest: float
    n_rows: int
    n_beyond: int


class Scorer:
    """A deployed model, loaded.

    Parameters
    ----------
    artifact
        The model, its bytes verified.
    schema_columns
        The contract's columns, at least those that the model reads.
    kind
        Kind of the target.
    threads
        How many threads one call may use. Calls from several threads at once are safe.

    Raises
    ------
    BundleError
        If a graph is no ONNX or can't be run, keeps data in other files, reads a column that is not given, or
        has other answers than the target's kind; or if the estimator holds types outside the closed list.
    """

    def __init__(
        self, artifact: Artifact, *, schema_columns: tuple[Column, ...], kind: TargetKind, threads: int
    ) -> None:
        self._continuous = kind == "continuous"
        self._graph = open_session(artifact.graph, threads=threads)
        by_name = {column.name: column for column in schema_columns}
        self._estimator: object = None
        answers, decides_by = self._graph, []
        if artifact.estimator is not None and artifact.decision is not None:
            self._estimator = _estimator(artifact.estimator, threads=threads)
            answers = open_session(artifact.decision, threads=threads)
            *decides_by, self._values = (value.name for value in answers.get_inputs())
        self._answers, self._decides_by = answers, tuple(decides_by)
        self._prepared = tuple(value.name for value in self._graph.get_inputs())
        reads = dict.fromkeys([*self._prepared, *self._decides_by])
        if missing := [name for name in reads if name not in by_name]:
            raise BundleError.of(f"the model reads columns that the schema lacks: {', '.join(missing)}")
        self._columns = tuple(by_name[name] for name in reads)
        # By order: a name may have been taken by a column. Of classes, the predicted values are not needed.
        outputs = answers.get_outputs()
        shape = outputs[0].shape if outputs else []
        if len(shape) != 2 - self._continuous or not (self._continuous or isinstance(shape[1], int)):
            raise BundleError.of(f"the stored model has no answers for a target that is {kind}")
        self._names = [output.name for output in outputs[: 1 if self._continuous else 2]]
        self.n_outputs = 1 if self._continuous else int(shape[1])

    def score(self, frame: pl.DataFrame) -> Scores:
        """Score the rows of a checked frame, in memory that does not grow with the text in it.

        Parameters
        ----------
        frame
            Shape (n, any), each column that the model reads in the dtype of its storage. n may be 0.

        Raises
        ------
        EngineError
            If a value is not finite.
        """
        return self._score(
            frame.height, lambda start: feed(frame.slice(start, _CHUNK_ROWS), columns=self._columns)
        )

    def score_records(self, records: Sequence[Mapping[str, object]]) -> Scores:
        """Score checked records, as `engine.features.feed.feed_records` takes them; the service's way in.

        Raises
        ------
        EngineError
            If a value is not finite.
        """
        return self._score(
            len(records),
            lambda start: feed_records(records[start : start + _CHUNK_ROWS], columns=self._columns),
        )

    def score_columns(self, n_rows: int, columns: Mapping[str, Sequence[object]]) -> Scores:
        """Score checked values by column, each of n_rows values as `feed_records` takes them.

        Raises
        ------
        EngineError
            If a value is not finite.
        """
        return self._score(
            n_rows,
            lambda start: feed_columns(
                columns, columns=self._columns, rows=slice(start, start + _CHUNK_ROWS)
            ),
        )

    def _score(self, n_rows: int, inputs_from: Callable[[int], dict[str, np.ndarray]]) -> Scores:
        chunks = [self._run(inputs_from(start)) for start in range(0, n_rows, _CHUNK_ROWS)]
        if len(chunks) == 1:
            return require_finite(chunks[0])
        if not chunks:
            shape = (0,) if self._continuous else (0, self.n_outputs)
            return Scores(np.empty(shape), np.empty(0, np.float64 if self._continuous else np.int64))
        values = np.concatenate([chunk.values for chunk in chunks])
        if self._continuous:
            return require_finite(Scores(values, values))
        return require_finite(Scores(values, np.concatenate([chunk.decisions for chunk in chunks])))

    def _run(self, inputs: dict[str, np.ndarray]) -> Scores:
        if self._estimator is not None:
            from engine.models.sklearn_graph import answer

            x = self._graph.run(None, {name: inputs[name] for name in self._prepared})[0]
            answered = answer(self._estimator, x, n_classes=self.n_outputs)
            decided_by = {name: inputs[name] for name in self._decides_by}
            inputs = {**decided_by, self._values: answered.reshape(len(x), -1)}
        answers = self._answers.run(self._names, inputs)
        return Scores(answers[0], answers[-1])


def require_finite(scores: Scores) -> Scores:
    """Return the same scores: every one of them is a number that can be written, compared and averaged.

    Raises
    ------
    EngineError
        If a value is NaN or infinite, as of a model whose fit overflowed.
    """
    if not np.isfinite(scores.values).all():
        n_rows = len(scores.values)
        n_wrong = n_rows - int(np.isfinite(scores.values.reshape(n_rows, -1)).all(axis=1).sum())
        raise EngineError.of(f"the model gave a value that is not finite for {n_wrong} of {n_rows} rows")
    return scores


def parity(
    scorer: Scorer,
    fitted: Fitted,
    preparation: Preparation,
    frame: pl.DataFrame,
    *,
    tolerance: float = 1e-9,
) -> Parity:
    """Hold the deployed model against the library's own answers on the rows of a checked frame.

    Raises
    ------
    EngineError
        If the deployed model gives a value that is not finite, whether or not the library does too.
    """
    if not frame.height:
        return Parity(largest=0.0, n_rows=0, n_beyond=0)
    ours = scorer.score(frame).values
    theirs = fitted.predict(preparation.transform(frame))
    with np.errstate(invalid="ignore"):
        differences = np.abs(ours - theirs)
    differences = np.where(np.isnan(differences), np.inf, differences)
    scale = max(1.0, float(np.abs(np.nan_to_num(theirs)).max(initial=0.0)))
    beyond = differences > tolerance * scale
    return Parity(
        largest=float(differences.max()),
        n_rows=frame.height,
        n_beyond=int(np.count_nonzero(beyond.reshape(frame.height, -1).any(axis=1))),
    )


def open_session(content: bytes, *, threads: int) -> onnxruntime.InferenceSession:
    """Return what runs a graph, on one or more threads that don't spin.

    Raises
    ------
    BundleError
        If the content is no graph, one that can't be run, or one that keeps data in other files.
    """
    import onnxruntime

    _refuse_external_data(content)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Threads that spin while idle would take the cores from whatever runs beside us.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as exc:
        # Its exceptions have no class in common but this one.
        if type(exc).__name__ == "InvalidProtobuf":
            raise BundleError.of("the stored model is not an ONNX graph") from exc
        raise BundleError.of(f"the stored model can't be run: {str(exc).splitlines()[0][:200]}") from exc


def _refuse_external_data(content: bytes) -> None:
    """Refuse a graph that keeps data in other files: onnxruntime would open paths that the graph chooses."""
    if content[4:8] == _ORT_FORMAT:
        # onnxruntime would read it too, with other rules of where data may be.
        raise BundleError.of("the stored model is not an ONNX graph")
    if _EXTERNAL not in content:
        # It can name no file. Nearly every model ends here, and needs no onnx, which takes long to import.
        return
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError:
        raise BundleError.of("the stored model is not an ONNX graph") from None
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise BundleError.of("the stored model keeps data in other files, which is never read")


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Walk every tensor of a model, in bodies and functions too."""
    graphs = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            nodes += graph.node
            continue
        for attribute in nodes.pop().attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            graphs += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _estimator(content: bytes, *, threads: int) -> object:
    """Read an estimator whose every type is on the closed list: skops' own, or a class of scikit-learn."""
    import skops.io

    try:
        named = skops.io.get_untrusted_types(data=content)
        if strange := sorted(name for name in named if not _is_trusted(name)):
            raise BundleError.of(f"the stored model holds types that are not trusted: {', '.join(strange)}")
        estimator = skops.io.loads(content, trusted=named)
        if "n_jobs" in estimator.get_params():
            estimator.set_params(n_jobs=threads)
    except (AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError, BadZipFile) as exc:
        raise BundleError.of(f"the stored model is no estimator of skops: {exc}") from exc
    loaded: object = estimator
    return loaded


def _is_trusted(name: str) -> bool:
    """Say whether skops may build what `name` stands for; a function, which could be made to act, never."""
    module, _, attribute = name.rpartition(".")
    is_class = attribute.lstrip("_")[:1].isupper()
    ours = module.startswith("sklearn.") and not module.startswith("sklearn.externals.")
    return ours and is_class and "__" not in name
