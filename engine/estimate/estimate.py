"""What a run will take: from a run of the same recipe and family before, else from the costs that we ship.

A step that was measured before takes what it took, times the ratio of what the laws say of the two workloads;
so the laws' own error cancels. A step that the earlier run did not have takes what its law says, times how
the run compares with the laws: another machine is slower or faster in all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from engine.estimate.costs import Costs, shipped
from engine.estimate.drivers import drivers, memory
from engine.estimate.workload import Workload

START = "start"


@dataclass(frozen=True, slots=True)
class Took:
    """What steps of an earlier run took, and its sizes; None for `work` where they can't be told any more.

    Attributes
    ----------
    seconds, peak_mib
        By step, as in `facts.json`.
    """

    run: str
    n_rows: int
    work: Workload | None
    seconds: Mapping[str, float]
    peak_mib: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one step takes: wall seconds, and the process's peak resident memory in MiB; None: no measure."""

    seconds: float | None
    peak_mib: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run takes.

    Attributes
    ----------
    seconds
        Wall seconds of the whole run, `start_s` for starting and composing among them; None where a step has
        no measure.
    known_s
        Wall seconds of the steps that have a measure.
    peak_mib
        The largest of the steps' peaks; None where one has no measure.
    steps
        By name, in order.
    run
        The earlier run that it is measured on, or None.
    basis
        What it is measured on, for people.
    guesses
        What is taken to be so where neither recipe nor data says.
    """

    seconds: float | None
    known_s: float
    peak_mib: float | None
    start_s: float
    steps: Mapping[str, Cost]
    run: str | None
    basis: str
    guesses: tuple[str, ...] = field(default=())

    @property
    def unmeasured(self) -> tuple[str, ...]:
        """The steps of which there is no measure."""
        return tuple(name for name, cost in self.steps.items() if cost.seconds is None)

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON form: seconds with two decimals, MiB without."""
        whole = asdict(self)
        del whole["steps"]
        rounded = {
            key: round(value, 2) if isinstance(value, float) else value for key, value in whole.items()
        }
        return {**rounded, "unmeasured": list(self.unmeasured), "guesses": list(self.guesses)}


def estimate(
    work: Workload, *, device: str, earlier: Took | None = None, costs: Costs | None = None
) -> Estimate:
    """Estimate the seconds and the memory of a run.

    Parameters
    ----------
    device
        `compute.device`; what we ship is measured on processors.
    earlier
        A run of the same recipe and family, if there is one.
    costs
        In the place of those that we ship.
    """
    costs = costs or shipped()
    has_laws = device == "cpu"
    said = _by_laws(work, costs) if has_laws else {}
    took = earlier if earlier is not None and set(work.steps()) & set(earlier.seconds) else None
    before = _by_laws(took.work, costs) if took is not None and took.work is not None and has_laws else {}
    speed = 1.0 if took is None else _speed(took, before)
    nothing = Cost(None, None)
    steps = {}
    for step in work.steps():
        law = said.get(step, nothing)
        if took is not None and step in took.seconds:
            steps[step] = _scaled(took, step, law, before.get(step, nothing), work)
        else:
            steps[step] = Cost(None if law.seconds is None else law.seconds * speed, law.peak_mib)
    start_s = (costs.seconds_of(*drivers(work)[START], threads=1) or 0.0) * speed
    known = [cost.seconds for cost in steps.values() if cost.seconds is not None]
    peaks = [cost.peak_mib for cost in steps.values() if cost.peak_mib is not None]
    is_whole = len(known) == len(steps)
    return Estimate(
        seconds=start_s + sum(known) if is_whole else None,
        known_s=start_s + sum(known),
        peak_mib=max(peaks) if peaks and is_whole else None,
        start_s=start_s,
        steps=steps,
        run=None if took is None else took.run,
        basis=_basis(work, costs, took),
        guesses=work.guesses if took is None else (),
    )


def _speed(took: Took, before: Mapping[str, Cost]) -> float:
    """Return how an earlier run's steps, all together, compare with what the laws say of them."""
    both = [
        (took.seconds[step], cost.seconds)
        for step, cost in before.items()
        if cost.seconds is not None and step in took.seconds
    ]
    said = sum(law for _, law in both)
    return sum(seconds for seconds, _ in both) / said if said else 1.0


def _by_laws(work: Workload, costs: Costs) -> dict[str, Cost]:
    times, peaks = drivers(work), memory(work)
    return {
        step: Cost(
            costs.seconds_of(*times[step], threads=work.threads) if step in times else None,
            costs.peak_mib_of(*peaks[step]) if step in peaks else None,
        )
        for step in work.steps()
    }


def _scaled(took: Took, step: str, now: Cost, before: Cost, work: Workload) -> Cost:
    """Return what a step took, times the laws' ratio; where there is no law, times the rows' ratio."""
    by_rows = work.size.n_rows / max(took.n_rows, 1)
    seconds, peak = took.seconds[step], took.peak_mib.get(step)
    return Cost(
        seconds * _ratio(now.seconds, before.seconds, default=by_rows),
        # What a process holds does not shrink below what its libraries take.
        None if peak is None else peak * _ratio(now.peak_mib, before.peak_mib, default=max(by_rows, 1.0)),
    )


def _ratio(now: float | None, before: float | None, *, default: float) -> float:
    return now / before if now is not None and before else default


def _basis(work: Workload, costs: Costs, earlier: Took | None) -> str:
    threads = f"{work.threads} thread" + ("" if work.threads == 1 else "s")
    if earlier is not None:
        if earlier.n_rows == work.size.n_rows:
            return f"what run {earlier.run} of this recipe took, on as many rows; {threads}"
        rows = f"{earlier.n_rows} rows, scaled to this data"
        return f"what run {earlier.run} of this recipe took on {rows}; {threads}"
    on = costs.measured_on
    return (
        f"costs measured {on.date} on {on.processor}, {on.cores} cores, with engine {on.engine_version}; "
        f"scaled to this data and {threads}"
    )
