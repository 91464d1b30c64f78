"""Where trials run is chosen by what it saves, and changes nothing of what they find."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import cast

import pytest

from engine.errors import RecipeError
from engine.lifecycle import run
from engine.recipe.spec import Spec
from engine.runs.folder import TRIALS
from engine.tuning import execute
from engine.tuning.execute import Pace, n_slots
from engine.tuning.journal import Journal
from engine.tuning.local import run_here
from engine.tuning.objective import Objective
from engine.tuning.ray_session import NoRayError
from engine.tuning.search import Heard, Search
from engine.tuning.trial import Outcome

Load = Callable[..., Spec]
LATENCY = "goal.gates={latency_p95_ms: {max: 1000}}"


@pytest.mark.parametrize(
    ("seconds", "n_left", "slots", "max_seconds", "is_slow"),
    [
        (1.0, 40, 2, None, True),
        (1.0, 30, 2, None, False),
        (1.0, 30, 4, None, True),
        (0.01, 1000, 2, None, False),
        (1.0, 400, 2, 20.0, False),
        (1.0, 400, 2, 2000.0, True),
    ],
)
def test_ray_is_started_where_that_is_clearly_repaid(
    seconds: float, n_left: int, slots: int, max_seconds: float | None, is_slow: bool
) -> None:
    """What side by side saves is to be more than twice what the start takes."""
    search = SimpleNamespace(n_total=n_left + 1, n_done=1)
    pace = Pace(cast("Search", search), slots, max_seconds=max_seconds)
    assert pace.is_slow(Outcome(0, "done", 0.5, seconds=seconds)) is is_slow


@pytest.mark.parametrize(
    ("changes", "threads", "expected"),
    [
        ({}, 1, 4),
        ({"tune.max_concurrent_trials": 16}, 1, 8),
        ({}, 3, 2),
        ({}, 8, 1),
        ({}, 16, 1),
        ({"compute.parallel_runs": 4}, 1, 2),
        ({"compute.parallel_runs": None}, 1, 1),
        ({"compute.address": "10.0.0.7:6379"}, 8, 4),
    ],
)
def test_slots_follow_from_cores_and_threads(
    changes: Mapping[str, object],
    threads: int,
    expected: int,
    make_spec: Callable[[Mapping[str, object]], Spec],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Eight cores are shared by the runs of a multirun, and no more trials run than a proposal waits for."""
    monkeypatch.setattr(execute, "usable_cores", lambda: 8)
    assert n_slots(make_spec({"tune.max_concurrent_trials": 4, **changes}), threads=threads) == expected


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str | None]]:
    """Make Ray's start free, and run its trials here; give the slots and address of each start."""
    starts: list[tuple[int, str | None]] = []

    def run_elsewhere(
        search: Search,
        objective: Objective,
        *,
        heard: Heard,
        max_seconds: float | None,
        slots: int,
        address: str | None,
    ) -> None:
        starts.append((slots, address))
        run_here(search, objective, heard=heard, max_seconds=max_seconds)

    monkeypatch.setattr("engine.tuning.ray_tune.run_on_ray", run_elsewhere)
    monkeypatch.setattr(execute, "START_S", 0.0)
    monkeypatch.setattr(execute, "usable_cores", lambda: 4)
    return starts


def test_auto_goes_over_to_ray_after_the_first_trial(
    load_small: Load, elsewhere: list[tuple[int, str | None]]
) -> None:
    """What was found here is kept, the rest is found there, and the run says so."""
    over = run(load_small())
    alone = run(load_small("compute.executor=local"))
    assert elsewhere == [(4, None)]
    assert "trials are slow enough for Ray: after the first 1 they ran 4 at a time" in str(
        over.facts["notes"]
    )
    assert Journal(over.path / TRIALS).trials == Journal(alone.path / TRIALS).trials
    assert over.metrics == alone.metrics
    assert over.facts["recipe_sha256"] == alone.facts["recipe_sha256"]


def test_auto_goes_on_here_where_ray_does_not_start(
    load_small: Load, elsewhere: list[tuple[int, str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody asked for Ray, so nothing is lost but time; who asks for it is told."""

    def fail(*_: object, **__: object) -> None:
        raise NoRayError.of("Ray did not start: no room")

    alone = run(load_small("compute.executor=local"))
    monkeypatch.setattr("engine.tuning.ray_tune.run_on_ray", fail)
    done = run(load_small())
    assert elsewhere == []
    assert "trials ran one at a time: Ray did not start: no room" in str(done.facts["notes"])
    assert done.metrics == alone.metrics
    with pytest.raises(NoRayError, match="no room"):
        run(load_small("compute.executor=ray"))


@pytest.mark.parametrize(
    "overrides",
    [
        ("compute.executor=local",),
        (LATENCY,),
        ("compute.parallel_runs=4",),
        ("tune.max_concurrent_trials=1",),
    ],
)
def test_auto_stays_where_ray_is_of_no_use(
    overrides: tuple[str, ...], load_small: Load, elsewhere: list[tuple[int, str | None]]
) -> None:
    """A latency would be taken amid other trials; runs side by side have the cores already."""
    done = run(load_small("tune.trials=3", *overrides))
    assert elsewhere == []
    assert "Ray" not in str(done.facts["notes"])


def test_what_is_asked_is_taken(load_small: Load, elsewhere: list[tuple[int, str | None]]) -> None:
    """`ray`, or an address, is no question of cost; latencies are then said to be doubtful."""
    run(load_small("tune.trials=2", "compute=ray"))
    done = run(load_small("tune.trials=2", "compute.address=10.0.0.7:6379", LATENCY))
    assert elsewhere == [(4, None), (4, "10.0.0.7:6379")]
    assert "latencies of trials were taken with up to 4 at a time" in str(done.facts["notes"])


def test_nothing_starts_without_a_search(load_small: Load, elsewhere: list[tuple[int, str | None]]) -> None:
    """Ray is for searches alone."""
    run(load_small("tune=none", "compute=ray"))
    assert elsewhere == []


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("junk", "'junk' is not host:port"),
        (
            "ray://10.0.0.7:10001",
            "'ray://10.0.0.7:10001' is Ray Client's, through which no search runs: be on a machine of the cluster",
        ),
    ],
)
def test_an_address_is_host_and_port(address: str, what: str, load_small: Load) -> None:
    """Of another form it is refused before anything is read."""
    with pytest.raises(RecipeError) as error:
        load_small("compute=ray", f"compute.address={address}")
    assert str(error.value) == (
        f"command line: compute.address\n  {what}\n  try: compute.address=127.0.0.1:6379"
    )


def test_where_trials_run_is_no_part_of_a_recipe(load_small: Load) -> None:
    """A run is the same run, and is gone on with, wherever its trials ran."""
    local, ray = load_small("compute.executor=local"), load_small("compute.executor=ray")
    assert local.sha256() == ray.sha256() == load_small("compute.address=10.0.0.7:6379").sha256()
