"""What each step was measured to cost for a unit of its work: `costs.json`, read once.

`benchmarks/throughput.py` writes the file from real runs. Seconds are those of one thread; `parallel` is the
share that more threads divide of what is not done once (Amdahl 1967); where threads get into each other's way
it is below 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from engine.estimate.drivers import Drivers
from engine.estimate.growth import Typical
from engine.estimate.workload import Assumed

COSTS = Path(__file__).with_name("costs.json")

# Units of which no thread takes a part: loading a library, writing a file.
ALONE = ("start", "once")

Law = dict[str, float]


class MeasuredOn(msgspec.Struct, frozen=True):
    """The machine, the date and the engine's version that the costs were measured with."""

    date: str
    processor: str
    cores: int
    engine_version: str


class Costs(msgspec.Struct, frozen=True):
    """All of `costs.json`: laws by name, each a cost for every unit that it counts."""

    measured_on: MeasuredOn
    n_classes: int
    levels: int
    rounds: dict[str, Typical]
    seconds: dict[str, Law]
    parallel: dict[str, float]
    peak_mib: dict[str, Law]

    def assumed(self) -> Assumed:
        """Return what is taken to be so where nobody has said."""
        return Assumed(n_classes=self.n_classes, levels=self.levels, rounds=self.rounds)

    def seconds_of(self, law: str, counted: Drivers, *, threads: int) -> float | None:
        """Return the wall seconds of a step, or None where its law was never measured."""
        total = _applied(self.seconds.get(law), counted)
        if total is None:
            return None
        alone = sum(self.seconds[law].get(unit, 0.0) * counted.get(unit, 0.0) for unit in ALONE)
        share = self.parallel.get(law, 0.0)
        return alone + (total - alone) * (1 - share + share / threads)

    def peak_mib_of(self, law: str, counted: Drivers) -> float | None:
        """Return the peak resident memory of a step in MiB, or None where its law was never measured."""
        return _applied(self.peak_mib.get(law), counted)


def _applied(law: Mapping[str, float] | None, counted: Drivers) -> float | None:
    if law is None:
        return None
    return sum(law.get(unit, 0.0) * number for unit, number in counted.items())


@cache
def shipped() -> Costs:
    """Read the costs that the engine comes with."""
    return msgspec.json.decode(COSTS.read_bytes(), type=Costs)
