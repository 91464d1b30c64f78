"""Fits a model on training rows that lie on disk: prepared block by block, and never whole in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl

from engine.data.crew import Crew
from engine.data.parts import PartData
from engine.data.schema import Schema
from engine.data.shelf import Nameless, Shelf
from engine.features.merged import prepare_streamed
from engine.features.prepare import Preparation
from engine.machine import n_threads
from engine.models.calibration import calibrate
from engine.models.family import Array, Course, Family, ParamValue, Problem, Progress, Rows, Streaming
from engine.names import FAMILIES
from engine.recipe.spec import Spec
from engine.tasks.task import Target, Task
from engine.training.fit import Candidate, fit_candidate
from engine.training.larger import disk
from engine.training.parts import Divided

_COUNTED_ROWS = 500_000
_MOST_ROWS, _LEAST_ROWS = 65_536, 1_024
_MOST_CELLS = 2**23
# Blocks that other processes have at a time.
_AT_ONCE = 64


@dataclass
class PreparedBlocks:
    """All training rows as a family takes them: prepared once, in blocks, then read again from disk.

    Attributes
    ----------
    classes
        Of all training rows, sorted; none of a continuous target.
    folder
        On a disk with room for the prepared rows.
    is_kept
        Whether they will be asked for again, and are written there.
    crew
        Who prepares them; else this process does.
    """

    shelf: Shelf
    preparation: Preparation
    task: Task
    target: Target
    weight: str | None
    classes: Array
    folder: Path
    is_kept: bool
    progress: Progress | None = None
    crew: Crew | None = None
    _kept: _Kept | None = field(default=None, init=False)

    @property
    def n_rows(self) -> int:
        """Number of training rows."""
        return self.shelf.n_rows

    def __iter__(self) -> Iterator[Rows]:
        """Yield the rows in the order of their hashes."""
        if self._kept is not None:
            yield from self._kept.blocks()
            return
        kept = None
        if self.is_kept:
            kept = _Kept(Nameless(self.folder), len(self.preparation.feature_names))
        wide = max(len(self.preparation.feature_names), 1)
        n_rows = min(max(_MOST_CELLS // wide, _LEAST_ROWS), _MOST_ROWS)
        n_done = 0
        for rows in self._prepared(frame for frame, _ in self.shelf.frames(n_rows)):
            if kept is not None:
                kept.put(rows)
            n_done += len(rows.y)
            if self.progress is not None:
                self.progress(n_done, self.n_rows, None)
            yield rows
        self._kept = kept

    def close(self) -> None:
        """Give the room on disk back."""
        if self._kept is not None:
            self._kept.file.close()

    def _prepared(self, frames: Iterator[pl.DataFrame]) -> Iterator[Rows]:
        work = _Preparing(self.preparation, self.task, self.target, self.weight)
        return map(work, frames) if self.crew is None else self.crew.each(frames, work, at_once=_AT_ONCE)


@dataclass(frozen=True)
class _Preparing:
    """What is done to a block of raw rows, here or in another process."""

    preparation: Preparation
    task: Task
    target: Target
    weight: str | None

    def __call__(self, frame: pl.DataFrame) -> Rows:
        y = self.task.encode(frame[self.target.name], self.target)
        weights = None if self.weight is None else frame[self.weight].to_numpy().astype(np.float64)
        return Rows(self.preparation.transform(frame), y, weights)


@dataclass
class _Kept:
    """Blocks of prepared rows in a file without a name, in doubles."""

    file: Nameless
    n_features: int
    _sizes: list[tuple[int, bool, np.dtype[np.generic]]] = field(default_factory=list)

    def put(self, rows: Rows) -> None:
        self._sizes.append((len(rows.y), rows.weights is not None, rows.y.dtype))
        for array in (rows.x, rows.y, *([] if rows.weights is None else [rows.weights])):
            self.file.append(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)

    def blocks(self) -> Iterator[Rows]:
        at = 0
        for n_rows, is_weighed, dtype in self._sizes:
            x, at = self._read(n_rows * self.n_features, np.dtype(np.float64), at)
            y, at = self._read(n_rows, dtype, at)
            weights = None
            if is_weighed:
                weights, at = self._read(n_rows, np.dtype(np.float64), at)
            yield Rows(x.reshape(n_rows, self.n_features), y, weights)

    def _read(self, n: int, dtype: np.dtype[np.generic], at: int) -> tuple[Array, int]:
        n_bytes = n * dtype.itemsize
        return np.frombuffer(self.file.read(at, n_bytes), dtype), at + n_bytes


def fit_divided(
    divided: Divided,
    *,
    schema: Schema,
    task: Task,
    spec: Spec,
    progress: Progress | None = None,
    course: Course | None = None,
    crew: Crew | None = None,
) -> Candidate:
    """Fit the recipe's model on the training rows, wherever they lie.

    Parameters
    ----------
    crew
        Who prepares rows that lie on disk; else this process does.

    Raises
    ------
    EngineError
        If the library fails or the fit diverges.
    """
    if divided.streamed is not None:
        return fit_streamed(
            divided,
            schema=schema,
            task=task,
            spec=spec,
            folder=disk(spec),
            progress=progress,
            crew=crew,
        )
    return fit_candidate(
        spec.model,
        train=divided.train,
        validation=divided.validation,
        schema=schema,
        target=divided.target,
        spec=spec,
        progress=progress,
        course=course,
    )


def fit_streamed(
    divided: Divided,
    *,
    schema: Schema,
    task: Task,
    spec: Spec,
    folder: Path,
    progress: Progress | None,
    crew: Crew | None = None,
) -> Candidate:
    """Prepare all training rows and fit a model of a family that learns from blocks.

    Parameters
    ----------
    divided
        Of a table whose rows lie on disk; its training part is a sample of them.
    folder
        On a disk with room for the prepared rows.

    Raises
    ------
    EngineError
        If the library fails or the fit diverges.
    """
    family = cast("Family", FAMILIES.load(spec.model.family))
    assert isinstance(family, Streaming)
    assert divided.streamed is not None
    target, model = divided.target, spec.model
    shelf = divided.streamed.shelves["train"]
    seen = _Seen(shelf, task, target, progress)
    train, validation = divided.train, divided.validation
    preparation = prepare_streamed(seen, train.frame, schema=schema, needs=family.needs(model))
    weights = schema.of_role("weight")
    blocks = PreparedBlocks(
        shelf=shelf,
        preparation=preparation,
        task=task,
        target=target,
        weight=weights[0].name if weights else None,
        classes=np.array(sorted(seen.classes), np.int64),
        folder=folder,
        is_kept=family.goes_again,
        progress=progress,
        crew=crew,
    )
    problem = Problem(
        train=_rows(train, preparation),
        validation=_rows(validation, preparation) if validation.n_rows else None,
        kind=target.kind,
        n_classes=target.n_outputs,
        feature_names=preparation.feature_names,
        category_sizes=preparation.category_sizes,
        estimator=model.estimator,
        params=cast("Mapping[str, ParamValue]", model.params),
        seed=spec.seed,
        threads=n_threads(spec.compute),
        device=spec.compute.device,
        max_iterations=spec.compute.max_iterations,
    )
    try:
        fitted = family.fit_blocks(problem, blocks, progress)
        fitted = calibrate(fitted, model.calibration, problem.validation, target=target)
        return Candidate(fitted, preparation, family)
    finally:
        blocks.close()
        divided.streamed.close()


@dataclass
class _Seen:
    """The training rows as they lie on disk, and which classes they were seen to have."""

    shelf: Shelf
    task: Task
    target: Target
    progress: Progress | None
    classes: set[int] = field(default_factory=set)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        n_done = 0
        for frame, _ in self.shelf.frames(_COUNTED_ROWS):
            n_done += frame.height
            if self.progress is not None:
                self.progress(n_done, self.shelf.n_rows, None)
            if self.target.classes:
                self.classes |= set(
                    np.unique(self.task.encode(frame[self.target.name], self.target)).tolist()
                )
            yield frame


def _rows(part: PartData, preparation: Preparation) -> Rows:
    return Rows(preparation.transform(part.frame), part.y, part.weights)
