"""What a run takes whose rows stay on disk: passes over them, memory, room on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from engine.data.held import PACKED_BYTES, PART_ROWS, n_held
from engine.estimate.estimate import Cost, Estimate
from engine.estimate.workload import Workload
from engine.runs.steps import READING
from engine.training.larger import ALONE_MIB, TIMES_TABLE, binned_mib

_MIB = 2**20
# Reading, dealing and checking part by part has some parts in memory, and the writer's copies of them.
_PARTS = 8
# CPU seconds a million cells, on the machine of `costs.json`: to hash, deal, count and lay aside; and to take
# the training rows up again twice, to count their levels and to prepare them.
_ASIDE_S, _TAKEN_S = 0.15, 0.15


@dataclass(frozen=True, slots=True)
class Passes:
    """How a table that is larger than memory is gone through.

    Attributes
    ----------
    passes
        What is done in each pass over the rows, in order.
    n_held
        Rows of all parts, at most, that are held in memory to be described and judged.
    peak_mib
        Memory, about.
    disk_mib
        Room on the disk of the run's folder while it fits, about.
    cap_mib
        `compute.memory_mib`.
    """

    passes: tuple[str, ...]
    n_held: int
    peak_mib: float
    disk_mib: float
    cap_mib: int

    @property
    def is_beyond(self) -> bool:
        """Tell whether even so it takes more than it should."""
        return self.peak_mib > self.cap_mib

    def to_json(self) -> dict[str, object]:
        """Return the form of `engine plan --json`."""
        whole = asdict(self)
        return {**whole, "peak_mib": round(self.peak_mib), "disk_mib": round(self.disk_mib)}


def n_held_of(n_rows: int, n_columns: int, shares: tuple[float, float, float]) -> int:
    """Return how many rows are held in memory, those of all parts together."""
    most = n_held(n_columns)
    return sum(min(round(n_rows * share), most) for share in shares)


def passes(work: Workload, *, held: int, in_time: bool, goes_again: bool, cap_mib: int, by: str) -> Passes:
    """Say how many passes a run makes, and what it holds in memory and on disk.

    Parameters
    ----------
    work
        Of all rows.
    held
        From `n_held_of`.
    in_time
        Whether the times are counted first, to find where the parts begin.
    goes_again
        Whether the family goes through the rows more than once; else it holds their bins.
    by
        Who reads and prepares, such as " on Ray"; empty where this process does.
    """
    rows, n_columns = work.rows, work.n_columns
    prepared = rows.train * (work.n_features + 2) * 8
    found = ["count the times"] if in_time else []
    found += [
        f"check every row{by}, deal it to its part, lay it aside on disk",
        "count levels, means and deviations of the training rows",
        f"prepare the training rows, block by block{by}",
    ]
    of_family = 0.0
    if not goes_again:
        prepared = 0.0
        of_family = binned_mib(rows.train, work.n_features)
        found[-1] += ", and bin them"
    else:
        found.append("an epoch each, over the prepared blocks on disk")
    table = TIMES_TABLE * held * n_columns * 8
    parts = _PARTS * min(PART_ROWS, work.size.n_rows) * n_columns * 8
    return Passes(
        passes=tuple(found),
        n_held=held,
        peak_mib=ALONE_MIB + table / _MIB + max(parts / _MIB, of_family),
        disk_mib=(work.size.n_rows * n_columns * PACKED_BYTES + prepared) / _MIB,
        cap_mib=cap_mib,
    )


def streamed(whole: Estimate, held: Estimate, found: Passes, work: Workload) -> Estimate:
    """Return what a run takes of which only reading and fitting see all rows.

    Parameters
    ----------
    whole, held
        As if all rows, and those alone that are held, were in memory.
    work
        Of all rows.
    """
    cells = work.size.n_rows * work.n_columns / 1e6
    more = {
        READING: cells * _ASIDE_S,
        f"fit {work.family}": cells * _TAKEN_S * work.rows.train / work.size.n_rows,
    }
    seconds = {name: (whole if name in more else held).steps[name].seconds for name in whole.steps}
    if whole.run is None:
        # An earlier run has had these passes.
        seconds = {name: s if s is None else s + more.get(name, 0.0) for name, s in seconds.items()}
    steps: Mapping[str, Cost] = {name: Cost(s, found.peak_mib) for name, s in seconds.items()}
    known = whole.start_s + sum(cost.seconds for cost in steps.values() if cost.seconds is not None)
    is_whole = all(cost.seconds is not None for cost in steps.values())
    return replace(
        whole, seconds=known if is_whole else None, known_s=known, peak_mib=found.peak_mib, steps=steps
    )
