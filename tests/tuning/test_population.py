"""Population based training: who goes on from whom is a function of whole generations, and so is the winner."""

import json
import math
import random
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from engine.again import resume, verify
from engine.data.schema import declare
from engine.data.source import read
from engine.lifecycle import run
from engine.names import TASKS
from engine.plan import load_checked, make_plan
from engine.recipe.space import Choices, Span, read_space
from engine.recipe.spec import Spec
from engine.recipe.spec_model import ModelSpec
from engine.runs.folder import STATES, TRIALS
from engine.runs.steps import Silence
from engine.tasks.task import Task
from engine.training.parts import divide
from engine.tuning.candidates import Candidate, Candidates, candidates
from engine.tuning.journal import Journal
from engine.tuning.objective import Objective
from engine.tuning.population import Population, _moved
from engine.tuning.size import n_whole
from engine.tuning.states import States
from engine.tuning.strategy import Random
from engine.tuning.trial import Outcome, Trial
from engine.tuning.tune import Before, lessons
from tests import warm

# Three generations of four members, and one refit of each of the two best.
SEARCH = (
    "model=mlp", "tune=pbt", "tune.trials=12", "tune.population=4", "tune.interval=2", "tune.finalists=2",
    "tune.repeats=1", "model.params.hidden_sizes=choice([8],[16,8])",
    "model.params.learning_rate=tag(log,interval(1e-3,1e-1))", "model.params.dropout=interval(0.0,0.4)",
)  # fmt: skip
ALONE = "compute.executor=local"


def population(n_trials: int = 40, size: int = 8) -> Population:
    """Make a population of networks that differ in a width, a rate and a dropout."""
    texts = {
        "hidden_sizes": "choice([8],[16])",
        "learning_rate": "tag(log,interval(0.001,0.1))",
        "batch_size": "choice(16,32,64)",
    }
    params = {"hidden_sizes": (8,), "learning_rate": 0.01, "batch_size": 32, "dropout": 0.1}
    model = ModelSpec.model_validate({"family": "mlp", "params": params, "space": texts})
    axes = {name: read_space(text) for name, text in texts.items()}
    found = Candidates((Candidate("mlp", model, axes),))
    return Population(Random(found, n_trials, 3), size, 0.25, (0.8, 1.2), maximize=True)


def breed(one: Population, score: Callable[[Trial], float | None]) -> list[tuple[Trial, Outcome]]:
    """Go through all generations, as a search does."""
    done: list[tuple[Trial, Outcome]] = []
    for index in range(one.n_trials):
        told = done[: one.n_known(index, window=99)]
        model, params = one.propose(index, told=told, pending=[])
        start = one.start(index, told=told)
        past = () if start is None else done[start][0].stages
        trial = Trial(index, model, params, 0, start=start, past=past)
        value = score(trial)
        done.append((trial, Outcome(index, "failed" if value is None else "done", value)))
    return done


def by_rate(trial: Trial) -> float:
    """Score by the nearness of the learning rate to 0.02; the longer it was trained the better."""
    rate = trial.params.get("learning_rate", 0.01)
    assert isinstance(rate, float)
    return len(trial.past) - abs(math.log(rate / 0.02))


def test_the_worst_go_on_from_the_best_and_the_others_as_they_are() -> None:
    """Two of eight take weights and params of one of the two best; what can't change meanwhile stays."""
    one = population()
    done = breed(one, by_rate)
    for first in range(8, 40, 8):
        before = sorted(done[first - 8 : first], key=lambda pair: (-(pair[1].score or 0), pair[0].index))
        best = [trial.index for trial, _ in before[:2]]
        worst = [trial.index for trial, _ in before[-2:]]
        for trial, _ in done[first : first + 8]:
            own = trial.index - 8
            origin = done[cast("int", trial.start)][0]
            assert trial.past == (*origin.past, origin.params)
            if own in worst:
                assert origin.index in best
                assert trial.params != origin.params
                assert trial.params["hidden_sizes"] == origin.params.get("hidden_sizes", [8])
            else:
                assert (origin.index, trial.params) == (own, origin.params)
    scores = [outcome.score or 0.0 for _, outcome in done]
    assert max(scores[-8:]) > max(scores[:8]) + 3
    rates = {cast("float", trial.params.get("learning_rate", 0.01)) for trial, _ in done}
    assert all(0.001 <= rate <= 0.1 for rate in rates)


def test_a_generation_is_a_function_of_the_one_before() -> None:
    """Asked again, in another order and by another object, each member says the same."""
    done = breed(population(), by_rate)
    indices = list(range(40))
    random.Random(1).shuffle(indices)  # noqa: S311 (no secret)
    for index in indices:
        told = done[: index // 8 * 8]
        fresh = population()
        assert fresh.propose(index, told=told, pending=[]) == (done[index][0].model, done[index][0].params)
        assert fresh.start(index, told=told) == done[index][0].start


def test_who_failed_goes_on_from_another_and_where_all_did_they_begin_anew() -> None:
    """A fit that diverged has no weights; nobody goes on from it."""
    done = breed(population(), lambda trial: None if trial.index % 8 > 2 else by_rate(trial))
    starts = [cast("int", trial.start) for trial, _ in done[8:]]
    assert all(start % 8 <= 2 for start in starts)
    none = breed(population(16), lambda trial: None if trial.index < 8 else by_rate(trial))
    assert [trial.start for trial, _ in none] == [None] * 16
    assert none[9][0].params != none[1][0].params


@pytest.mark.parametrize(
    ("value", "axis", "allowed"),
    [
        (0.01, Span(0.001, 0.1, is_log=True), {0.008, 0.012}),
        (0.1, Span(0.001, 0.1, is_log=True), {0.08000000000000002, 0.1}),
        (50, Span(16, 55, is_log=False), {40, 55}),
        (32, Choices((16, 32, 64)), {16, 64}),
        (64, Choices((16, 32, 64)), {32, 64}),
    ],
)
def test_a_move_is_small_and_within_the_axis(
    value: object, axis: Span | Choices, allowed: set[object]
) -> None:
    """A number is multiplied by a factor and kept within bounds; a choice goes to its neighbour."""
    import numpy as np

    rng = np.random.default_rng(0)
    assert {_moved(value, axis, (0.8, 1.2), rng) for _ in range(50)} == allowed  # type: ignore[arg-type]


def entries(folder: Path) -> list[dict[str, object]]:
    """Read a journal but for the seconds, which no two runs share."""
    found = [json.loads(line) for line in (folder / TRIALS).read_text().splitlines()]
    for entry in found:
        entry.get("outcome", {}).pop("seconds", None)
    return found


@pytest.fixture(scope="module")
def whole(small: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Spec, Path]:
    """Give a finished run, and its recipe."""
    spec = load_checked(small, [*SEARCH, ALONE], runs=tmp_path_factory.mktemp("whole"))
    return spec, run(spec).path


def test_the_winner_is_the_model_of_the_run(whole: tuple[Spec, Path]) -> None:
    """Its stages are gone through once more to the very score; what was kept meanwhile is gone."""
    _, folder = whole
    search = json.loads((folder / "facts.json").read_text())["search"]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["validation"]["roc_auc"]["value"] == search["winner"]["score"]
    assert (search["strategy"], search["trials"], search["repeats"]) == ("pbt", 13, 3)
    assert (search["winner"]["seeds"], search["gain"]["seeds"]) == (2, 2)
    assert search["winner"]["stages"][-1] == search["winner"]["params"]
    assert not (folder / STATES).exists()


def test_the_params_as_they_stand_are_trained_as_long(whole: tuple[Spec, Path]) -> None:
    """What the winner is held against has kept the recipe's own params through all stages, and is a finalist."""
    _, folder = whole
    search = json.loads((folder / "facts.json").read_text())["search"]
    trials = Journal(folder / TRIALS).trials
    assert trials[search["standing"]].stages == ({}, {}, {})
    assert search["standing"] in {trial.repeats for trial in trials.values()}
    notes = json.loads((folder / "facts.json").read_text())["notes"]
    own = load_own(folder)
    said = f"the model's own max_epochs {own['max_epochs']} and patience {own['patience']} end nothing"
    assert f"pbt trains for 6 epochs, in stages: {said}" in notes


def load_own(folder: Path) -> dict[str, int]:
    """Read the params that stand in a run's recipe."""
    params: dict[str, int] = json.loads((folder / "recipe.json").read_text())["model"]["params"]
    return params


def test_the_time_left_counts_whole_fits_as_their_stages(whole: tuple[Spec, Path], tmp_path: Path) -> None:
    """A refit goes through three generations, and the progress ends where it is said to end."""
    told: list[tuple[int, int]] = []

    class Ear(Silence):
        def progressed(self, done: int, total: int, score: float | None) -> None:
            if score is not None and (not told or done > told[-1][0]):
                told.append((done, total))

    spec, folder = whole
    before = Before("x", folder / TRIALS, is_done_again=True)
    run(spec.model_copy(update={"runs": str(tmp_path)}), listener=Ear(), before=before)
    search = [one for one in told if one[1] >= 12]
    assert search[0] == (1, 12 + 3 + 3 * 3)
    assert search[-1] == (24, 24)


def test_what_was_kept_saves_time_and_changes_nothing(whole: tuple[Spec, Path], tmp_path: Path) -> None:
    """A trial of the third generation is worth the same from files, from cut ones, and from nothing."""
    spec, folder = whole
    kept = Journal(folder / TRIALS)
    trial = next(one for one in kept.trials.values() if len(one.past) == 2)
    parts = divide(read(spec.data, declare(spec)), task=cast("Task", TASKS.load(spec.task.kind)), spec=spec)
    states = States(tmp_path / "states")
    measuring = Objective(
        spec, declare(spec), parts.target, lessons(parts, spec), candidates(spec), threads=1, states=states
    )
    expected = kept.outcomes[trial.index].score
    for change in ("nothing", "whole", "cut"):
        if change == "whole":
            before = replace(trial, past=trial.past[:1], params=trial.past[1])
            shutil.rmtree(tmp_path / "states")
            measuring.evaluate(before)
            assert states.load(trial, 2) is not None
        for file in (tmp_path / "states").glob("*") if change == "cut" else ():
            file.write_bytes(file.read_bytes()[:-300])
        assert measuring.evaluate(trial).score == expected


def test_a_plan_counts_stages_as_shares_of_a_fit(whole: tuple[Spec, Path]) -> None:
    """Twelve trials of a third of a fit, what stands, three refits, and a fit that no validation row ends."""
    plan = make_plan(whole[0])
    assert (plan.fits.trials, n_whole(whole[0], n_folds=0)) == (16, 8.0)
    does = {step.name: step.does for step in plan.steps}
    assert does["tune"].startswith(
        "pbt: 12 trials, 3 generations of 2 epochs (the model's own max_epochs and patience end nothing), over "
    )
    assert does["fit mlp"] == "mlp, 6 epochs"


def test_verify_holds_bit_for_bit(whole: tuple[Spec, Path]) -> None:
    """The same search, winner and model once more."""
    from engine.runs.run import Run

    spec, folder = whole
    found = verify(Run(folder), roots=[spec.data_path().parent])
    assert found
    assert all(found.values()), found


def test_a_kill_at_any_moment_changes_nothing(whole: tuple[Spec, Path], small: Path, tmp_path: Path) -> None:
    """Killed twice, once with all that was kept lost: no trial twice, and the run of the undisturbed."""
    arguments: tuple[object, ...] = (small, *SEARCH, ALONE)
    dice = random.Random(4)  # noqa: S311 (no secret)
    for turn in range(2):
        process = warm.start("run", *arguments, "--runs", tmp_path, cwd=small.parent)
        n_before = _n_lines(tmp_path)
        while _n_lines(tmp_path) < n_before + 3 and process.poll() is None:
            time.sleep(0.005)
        time.sleep(dice.uniform(0, 0.1))
        process.kill()
        assert process.wait() != 0
        (left,) = (tmp_path / "small").glob("[0-9]*.partial")
        if turn == 1:
            shutil.rmtree(left / STATES, ignore_errors=True)
        arguments = ("--resume", "small@latest", "--root", small.parent)
    done = resume(left, roots=[small.parent]).path
    ran = [cast("Mapping[str, int]", entry["trial"])["index"] for entry in entries(done) if "trial" in entry]
    assert ran == sorted(set(ran))
    assert entries(done) == entries(whole[1])
    assert (done / "metrics.json").read_bytes() == (whole[1] / "metrics.json").read_bytes()


def _n_lines(runs: Path) -> int:
    return sum(len(path.read_text().splitlines()) for path in runs.glob(f"small/*/{TRIALS}"))
