from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from engine.data.schema import declare
from engine.estimate.costs import Costs, MeasuredOn, shipped
from engine.estimate.drivers import drivers, memory
from engine.estimate.estimate import Took, estimate
from engine.estimate.growth import MEASURED, Typical
from engine.estimate.workload import Size, Workload, workload
from engine.recipe.spec import Spec

MakeSpec = Callable[[Mapping[str, object]], Spec]
COSTS = Costs(
    measured_on=MeasuredOn(date="2026-11-22", processor="a processor", cores=2, engine_version="1.0"),
    n_classes=2,
    levels=10,
    rounds=dict.fromkeys(MEASURED, Typical(1.0, 1.0, 0.5)),
    seconds={
        "start": {"once": 1.0},
        "read and check": {"once": 0.5, "MiB of text": 0.25},
        "split": {"million rows": 1000.0},
        "profile": {"once": 0.0},
        "fit logistic": {"start": 2.0, "million cells": 100.0},
        "write the graph logistic": {"once": 0.1},
        "time one row logistic": {"once": 0.1},
        "evaluate logistic": {"once": 0.1},
        "bundle": {"once": 0.1},
        "report": {"once": 0.1},
    },
    parallel={"fit logistic": 0.5},
    peak_mib={
        **{step: {"once": 100.0} for step in ("read and check", "split", "profile")},
        **{
            f"{step} logistic": {"once": 200.0, "MiB of table": 1.0}
            for step in ("fit", "write the graph", "time one row", "evaluate", "bundle", "report")
        },
    },
)


@pytest.fixture
def work_of(make_spec: MakeSpec) -> Callable[..., Workload]:
    """Give a function from a number of rows to a workload of two numbers on `cores` cores."""

    def make(n_rows: int = 1000, *, cores: int = 1, family: str = "logistic") -> Workload:
        columns = {"a": {"type": "number"}, "b": {"type": "number"}, "repaid": {"type": "boolean"}}
        named = {"model.family": family, "model.estimator": "GaussianNB" if family == "sklearn" else None}
        changes = {"schema.columns": columns, "schema.positive": None, "compute.threads": None, **named}
        spec = make_spec(changes)
        return workload(
            spec,
            declare(spec),
            Size(n_rows, n_rows * 2**10, is_text=True),
            assumed=COSTS.assumed(),
            cores=cores,
        )

    return make


def test_costs_times_counts(work_of: Callable[..., Workload]) -> None:
    """By hand: 1000 rows of 1 KiB, 700 of them with two columns in the fit."""
    found = estimate(work_of(), device="cpu", costs=COSTS)
    seconds = {name: cost.seconds for name, cost in found.steps.items()}
    assert seconds["read and check"] == pytest.approx(0.5 + 0.25 * 1000 / 1024)
    assert seconds["split"] == pytest.approx(1.0)
    assert seconds["fit logistic"] == pytest.approx(2.0 + 100 * 1400 / 1e6)
    assert found.seconds == pytest.approx(found.start_s + sum(filter(None, seconds.values())))
    assert found.peak_mib == pytest.approx(200 + 1000 * 3 * 8 / 2**20)
    assert found.unmeasured == ()
    assert found.basis == (
        "costs measured 2026-11-22 on a processor, 2 cores, with engine 1.0; scaled to this data and 1 thread"
    )


def test_threads_divide_their_share_of_what_is_not_done_once(work_of: Callable[..., Workload]) -> None:
    """Half of the fit is shared: of four threads it takes half, and an eighth; loading takes what it takes."""
    one, four = (estimate(work_of(cores=cores), device="cpu", costs=COSTS).steps for cores in (1, 4))
    alone = one["fit logistic"].seconds
    assert alone is not None
    assert four["fit logistic"].seconds == pytest.approx(2.0 + (alone - 2.0) * (0.5 + 0.5 / 4))
    assert four["split"] == one["split"]


@pytest.mark.parametrize(("family", "device"), [("sklearn", "cpu"), ("logistic", "cuda")])
def test_what_was_never_measured_is_said(family: str, device: str, work_of: Callable[..., Workload]) -> None:
    """Without a measure of the fit there is no whole; on cpu the other steps are told."""
    found = estimate(work_of(family=family), device=device, costs=COSTS)
    assert found.seconds is None
    assert found.peak_mib is None
    assert f"fit {family}" in found.unmeasured
    assert ("read and check" in found.unmeasured) == (device == "cuda")
    assert found.known_s >= found.start_s


def took(work: Workload | None, *, n_rows: int, factor: float) -> Took:
    """Return a run that took a multiple of what the laws say of 1000 rows, but for its report."""
    steps = ("read and check", "split", "fit logistic")
    return Took(
        run="20260101-000000-00000000",
        n_rows=n_rows,
        work=work,
        seconds={"read and check": factor * 0.5, "split": factor * 1.0, "fit logistic": factor * 2.0},
        peak_mib=dict.fromkeys(steps, 1000.0),
    )


def test_an_earlier_run_of_the_same_size_is_what_it_took(work_of: Callable[..., Workload]) -> None:
    """The same rows take the same; a step that it did not have takes what its law says, times their ratio."""
    work = work_of()
    before = took(work, n_rows=1000, factor=3.0)
    found = estimate(work, device="cpu", earlier=before, costs=COSTS)
    assert found.steps["fit logistic"].seconds == pytest.approx(6.0)
    assert found.steps["fit logistic"].peak_mib == pytest.approx(1000.0)
    said = {step: COSTS.seconds_of(*drivers(work)[step], threads=1) for step in before.seconds}
    speed = sum(before.seconds.values()) / sum(filter(None, said.values()))
    assert found.steps["report"].seconds == pytest.approx(0.1 * speed)
    assert found.start_s == pytest.approx(speed)
    assert found.run == before.run
    assert found.guesses == ()
    assert found.basis == f"what run {before.run} of this recipe took, on as many rows; 1 thread"


def test_an_earlier_run_of_another_size_is_scaled_by_the_laws(work_of: Callable[..., Workload]) -> None:
    """Ten times the rows take ten times as long where a step's law says so, and not where it is a constant."""
    before = took(work_of(), n_rows=1000, factor=3.0)
    found = estimate(work_of(10_000), device="cpu", earlier=before, costs=COSTS)
    assert found.steps["split"].seconds == pytest.approx(30.0)
    small, large = (COSTS.seconds_of(*drivers(work_of(n))["fit logistic"], threads=1) for n in (1000, 10_000))
    assert small is not None
    assert large is not None
    assert found.steps["fit logistic"].seconds == pytest.approx(6.0 * large / small)
    assert "on 1000 rows, scaled to this data" in found.basis


def test_without_laws_an_earlier_run_is_scaled_by_rows(work_of: Callable[..., Workload]) -> None:
    """An estimator of scikit-learn that has had a run takes as many times as long as there are rows."""
    work = work_of(3000, family="sklearn")
    steps = dict.fromkeys(work.steps(), 2.0)
    before = Took("20260101-000000-00000000", 1000, None, steps, steps)
    found = estimate(work, device="cpu", earlier=before, costs=COSTS)
    assert {cost.seconds for cost in found.steps.values()} == {6.0}
    assert found.seconds is not None
    assert found.peak_mib == 6.0


def test_the_shipped_costs_know_every_law() -> None:
    """Each measured family has laws for each of its steps; threads divide no more than there is."""
    costs = shipped()
    steps = ("fit", "write the graph", "time one row", "evaluate", "baselines")
    for family in MEASURED:
        assert {f"{step} {family}" for step in steps} <= set(costs.seconds)
        assert {f"{step} {family}" for step in (*steps, "bundle", "report")} <= set(costs.peak_mib)
        assert costs.parallel.get(f"fit {family}", 0.0) <= 1
    assert {"start", "read and check", "split", "profile", "bundle", "report"} <= set(costs.seconds)
    assert all(
        cost >= 0
        for laws in (costs.seconds, costs.peak_mib)
        for law in laws.values()
        for cost in law.values()
    )


def test_every_unit_of_a_law_is_counted(make_spec: MakeSpec) -> None:
    """No cost of `costs.json` is of a unit that no workload counts."""
    costs = shipped()
    network = {"hidden_sizes": [8], "n_bins": 4, "embedding_size_max": 4, "max_epochs": 9, "patience": 2}
    counted: dict[str, set[str]] = {}
    for family in MEASURED:
        for target, kind in (("boolean", "classification"), ("number", "regression")):
            changes = {
                "task.kind": kind,
                "schema.positive": None,
                "schema.columns": {"a": {"type": "number"}, "repaid": {"type": target}},
                "model.family": family,
                "model.params": {**network, "batch_size": 8} if family == "mlp" else {},
                "evaluation.baselines": True,
            }
            spec = make_spec(changes)
            for is_text in (True, False):
                size = Size(1000, 2**20, is_text=is_text)
                work = workload(spec, declare(spec), size, assumed=costs.assumed(), cores=1)
                for law, units in (*drivers(work).values(), *memory(work).values()):
                    counted.setdefault(law, set()).update(units)
    for laws in (costs.seconds, costs.peak_mib):
        assert {
            law: set(units) - counted[law] for law, units in laws.items() if set(units) - counted[law]
        } == {}
