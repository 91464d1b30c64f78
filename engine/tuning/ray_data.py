"""Reading and preparing on Ray: pieces of a table go through Ray Data, and come back in their order."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from engine.data.crew import Crew, Done, Item
from engine.errors import EngineError
from engine.recipe.spec import Spec
from engine.tuning.ray_session import quiet_ray, session

# What pieces on their way take in the object store, about.
_STORE_BYTES = 512 << 20
_GIVEN, _DONE = "given", "done"


def crew_of(spec: Spec) -> Crew | None:
    """Return who reads and prepares for a run where the recipe asks for Ray, else None."""
    if spec.compute.executor != "ray":
        return None
    return RayCrew(spec.compute.address, threads=spec.compute.threads or 1)


@dataclass(frozen=True)
class RayCrew:
    """The workers of a Ray cluster that runs already, or of one that lasts as long as the work."""

    address: str | None
    threads: int

    def each(self, items: Iterable[Item], work: Callable[[Item], Done], *, at_once: int) -> Iterator[Done]:
        """Do some work on each item, as `Crew` says."""
        from engine.machine import usable_cores

        slots = max(usable_cores() // self.threads, 1)
        with (
            quiet_ray(address=self.address, threads=self.threads) as ray,
            session(
                ray,
                address=self.address,
                slots=slots,
                threads=self.threads,
                uses_gpu=False,
                n_bytes=_STORE_BYTES,
            ),
        ):
            import ray.data as ray_data

            context = ray_data.DataContext.get_current()
            context.execution_options.preserve_order = True
            context.enable_progress_bars = False
            logging.getLogger("ray.data").setLevel(logging.CRITICAL)
            waiting = iter(items)
            while group := [pickle.dumps(item) for item in islice(waiting, at_once)]:
                yield from self._done(ray_data, group, work)

    def _done(self, ray_data: Any, group: list[bytes], work: Callable[[Item], Done]) -> Iterator[Done]:
        rows = ray_data.from_items([{_GIVEN: item} for item in group], override_num_blocks=len(group))
        done = rows.map_batches(_Work(work), batch_size=None, batch_format="pyarrow", num_cpus=self.threads)
        for batch in done.iter_batches(batch_size=None, batch_format="pyarrow"):
            for cell in batch[_DONE]:
                found = pickle.loads(cell.as_buffer())  # noqa: S301 (of our own workers, as Ray's own results)
                if isinstance(found, EngineError):
                    raise found
                yield found


@dataclass(frozen=True)
class _Work:
    """Does the work on the items of a batch; a mistake of the data is what came of it."""

    work: Callable[[Any], Any]

    def __call__(self, batch: Any) -> Any:
        import pyarrow as pa

        found = [pickle.dumps(self._one(cell.as_buffer())) for cell in batch[_GIVEN]]
        return pa.table({_DONE: pa.array(found, pa.large_binary())})

    def _one(self, given: Any) -> object:
        try:
            found: object = self.work(pickle.loads(given))  # noqa: S301 (of the run that sent it)
        except EngineError as error:
            return error
        return found
