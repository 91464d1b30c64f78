"""Batches scored by the workers of a Ray cluster, with the bytes that this process would give.

The data is read and checked here, and what is scored is written here, in the file's order; a worker is given
one batch at a time, loads the bundle from the same folder once, and is replaced by Ray where it dies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from engine.deploy.shards import PassingError, Shards
from engine.errors import BundleError, EngineError, RecipeError
from engine.runs.bundle import Bundle, load_bundle
from engine.runs.manifest import MANIFEST

# What batches on their way take in the object store, about.
_STORE_BYTES = 256 << 20
# One to work at and one to go on with.
_AHEAD = 2
_THREADS = 1

Score = Callable[[Bundle, pl.DataFrame], pl.DataFrame]
Answer = Callable[[], pl.DataFrame]


@dataclass(frozen=True)
class Cluster:
    """The workers of one session of Ray.

    Attributes
    ----------
    n_ahead
        Batches under way at most.
    """

    n_ahead: int
    _ray: Any
    _folder: str
    _sha256: str
    _score: Score
    _work: Any

    def submit(self, place: int, frame: pl.DataFrame, *, shards: Shards) -> Answer:
        """Have a batch scored, and return what waits for its answer, which is then kept.

        Raises
        ------
        EngineError
            By what is returned: what a worker raised; that Ray has lost its workers, which may pass.
        """
        kept = shards.path_of(place, frame)
        found = shards.find(kept, frame)
        if found is not None:
            return lambda: found
        asked = self._work.remote(self._score, self._folder, self._sha256, frame)

        def wait() -> pl.DataFrame:
            try:
                scored = self._ray.get(asked)
            except self._ray.exceptions.RayTaskError:
                # A fault of ours, with the worker's own traceback.
                raise
            except self._ray.exceptions.RayError as error:
                said = str(error).strip().splitlines()
                what = f"Ray lost its workers: {said[0] if said else type(error).__name__}"
                raise PassingError.of(what, try_="the same command, which goes on") from error
            if isinstance(scored, EngineError):
                raise scored
            shards.keep(kept, scored)
            return scored  # type: ignore[no-any-return]

        return wait


@contextmanager
def cluster_of(bundle: Bundle, score: Score, *, address: str | None) -> Iterator[Cluster]:
    """Start Ray for one scoring, or join the cluster at an address, whose machines see the bundle's folder.

    Parameters
    ----------
    score
        A function of a module, by which each worker scores a batch.

    Raises
    ------
    EngineError
        If the address is none; and as `engine.tuning.ray_session.session`.
    """
    from engine.machine import usable_cores
    from engine.tuning.check import wrong_address
    from engine.tuning.ray_session import quiet_ray, session

    wrong = None if address is None else wrong_address(address)
    if wrong is not None:
        raise RecipeError([replace(wrong, file="command line")])
    # A cluster has its own number of cores, which bounds this one.
    slots = usable_cores() if address is None else 1 << 10
    with (
        quiet_ray(address=address, threads=_THREADS) as ray,
        session(
            ray, address=address, slots=slots, threads=_THREADS, uses_gpu=False, n_bytes=_STORE_BYTES
        ) as workers,
    ):
        work = ray.remote(num_cpus=_THREADS)(_answer)
        folder = str(bundle.folder.resolve())
        yield Cluster(_AHEAD * workers.slots, ray, folder, sha256_of(bundle), score, work)


def _answer(score: Score, folder: str, sha256: str, frame: pl.DataFrame) -> pl.DataFrame | EngineError:
    """Return the answer to a batch; what is wrong with it, or with the bundle, is returned too."""
    try:
        return score(_loaded(folder, sha256), frame)
    except EngineError as error:
        return error


@lru_cache(maxsize=1)
def _loaded(folder: str, sha256: str) -> Bundle:
    bundle = load_bundle(Path(folder))
    if sha256_of(bundle) != sha256:
        raise BundleError.of("this worker finds another bundle here than the one that scores", file=folder)
    return bundle


def sha256_of(bundle: Bundle) -> str:
    """Return the hash of a bundle's manifest, which has the hash of all else."""
    return hashlib.sha256((bundle.folder / MANIFEST).read_bytes()).hexdigest()
