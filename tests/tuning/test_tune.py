"""A search on real fits: what its trials are worth, what a run makes of it, and what a kill can't change."""

import json
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import polars as pl
import pytest

from engine.again import go_on, resume, verify
from engine.cli import main
from engine.data.schema import declare
from engine.data.source import read
from engine.errors import EngineError, RecipeError
from engine.lifecycle import run
from engine.names import TASKS
from engine.plan import load_checked
from engine.recipe.spec import Spec
from engine.runs import facts
from engine.runs.finished import find_finished
from engine.runs.folder import PARTIAL, TRIALS
from engine.runs.run import Run
from engine.runs.same import compare_files
from engine.tasks.task import Task
from engine.training.parts import Divided, divide
from engine.tuning.candidates import candidates
from engine.tuning.objective import Objective
from engine.tuning.trial import Trial
from engine.tuning.tune import NoneScoredError, lessons
from tests import warm

Load = Callable[..., Spec]
# Side by side the same trials end in another order.
ALONE = "compute.executor=local"


def divided(spec: Spec) -> Divided:
    """Read and divide a recipe's rows."""
    return divide(read(spec.data, declare(spec)), task=cast("Task", TASKS.load(spec.task.kind)), spec=spec)


def objective(spec: Spec) -> Objective:
    """Make what measures a recipe's trials."""
    parts = divided(spec)
    return Objective(spec, declare(spec), parts.target, lessons(parts, spec), candidates(spec), threads=1)


def trials(folder: Path) -> list[dict[str, object]]:
    """Read a journal but for the seconds, which no two runs share."""
    entries = [json.loads(line) for line in (folder / TRIALS).read_text().splitlines()]
    for entry in entries:
        entry.get("outcome", {}).pop("seconds", None)
    return entries


@pytest.mark.parametrize(("kind", "model"), [("random", "logistic"), ("bayes", "lightgbm")])
def test_a_search_finds_what_the_run_then_reports(kind: str, model: str, load_small: Load) -> None:
    """The winner's score is the run's own validation score to the bit, and no worse than the params as they stand."""
    done = run(load_small(f"tune={kind}", "tune.trials=5", "tune.repeats=0", f"model={model}"))
    outcomes = [entry["outcome"] for entry in trials(done.path) if "outcome" in entry]
    scores = [cast("dict[str, float]", outcome)["score"] for outcome in outcomes]
    validation = cast("dict[str, dict[str, dict[str, float]]]", done.metrics)["validation"]
    assert validation["roc_auc"]["value"] == max(scores)
    assert max(scores) >= scores[0]


def test_equal_searches_are_equal_to_the_bit(load_small: Load) -> None:
    """The same recipe and data: the same trials, the same outcomes, the same winner."""
    first, second = (
        run(load_small("tune=bayes", "tune.trials=14", "tune.repeats=1", ALONE)) for _ in range(2)
    )
    assert trials(first.path) == trials(second.path)
    assert (
        cast("dict[str, object]", first.facts["model"])["params"]
        == cast("dict[str, object]", second.facts["model"])["params"]
    )


def test_a_trial_is_worth_the_same_whatever_came_before(load_small: Load) -> None:
    """What trials share is prepared once and changes none of them."""
    spec = load_small("model=lightgbm")
    first, second = (Trial(n, "lightgbm", {"num_leaves": 4 + n}, 3) for n in range(2))
    worn = objective(spec)
    worn.evaluate(second)
    fresh = objective(spec).evaluate(first)
    again = worn.evaluate(first)
    assert (again.score, again.measured) == (fresh.score, fresh.measured)


def test_folds_score_a_trial_by_their_mean(load_small: Load) -> None:
    """With `objective: folds` a trial is fitted once a fold, and the mean is its score."""
    spec = load_small("split=kfold", "tune.objective=folds")
    whole = objective(spec)
    assert len(whole.lessons) == spec.split.folds
    each = [
        Objective(spec, whole.schema, whole.target, (lesson,), whole.candidates, threads=1)
        .evaluate(Trial(0, "logistic", {"C": 0.1}, 0))
        .score
        for lesson in whole.lessons
    ]
    assert whole.evaluate(Trial(0, "logistic", {"C": 0.1}, 0)).score == pytest.approx(
        sum(map(float, each)) / len(each), abs=1e-15
    )  # type: ignore[arg-type]


def test_a_gate_is_measured_on_each_trial(load_small: Load) -> None:
    """What the recipe bounds is measured on the rows of the objective, and how far it is missed is said."""
    spec = load_small(
        "goal.gates={roc_auc: {min: 0.99}, f1: {min: 0.1}, bundle_mib: {max: 1}, latency_p95_ms: {max: 1000}}"
    )
    found = objective(spec).evaluate(Trial(0, "logistic", {}, 0))
    assert set(found.measured) == {"roc_auc", "f1", "bundle_mib", "latency_p50_ms", "latency_p95_ms"}
    assert found.score is not None
    assert found.missed == {"roc_auc": pytest.approx((0.99 - found.score) / 0.99)}


def test_a_bound_on_the_size_is_kept_to(load_small: Load) -> None:
    """What scores better and is larger than the gate allows does not win; the run meets the gate."""
    small = "{num_leaves: 'int(interval(2,40))', n_estimators: '5,20'}"
    asked = ("model=lightgbm", "tune.trials=12", "tune.repeats=0", f"tune.space={small}")
    free = run(load_small(*asked, "goal.gates={bundle_mib: {max: 9}}"))
    sizes = pl.read_parquet(free.path / "trials.parquet").sort("score", descending=True)[
        "measured.bundle_mib"
    ]
    bound = (sizes[0] + sizes.min()) / 2
    done = run(load_small(*asked, f"goal.gates={{bundle_mib: {{max: {bound}}}}}"))
    tried = pl.read_parquet(done.path / "trials.parquet")
    winner = cast("dict[str, dict[str, int]]", done.facts["search"])["winner"]["trial"]
    feasible = tried.filter(pl.col("measured.bundle_mib") <= bound)
    assert 0 < feasible.height < tried.height
    assert feasible.filter(pl.col("trial") == winner)["score"][0] == feasible["score"].max()
    assert done.passed


def test_what_a_library_refuses_is_the_failure_of_its_trial(load_small: Load) -> None:
    """One trial fails with a reason in a line; where all fail, the run says so."""
    spec = load_small("model=mlp", "model.params.learning_rate=1e30", "tune.trials=1", "tune.repeats=0")
    found = objective(spec).evaluate(Trial(0, "mlp", {"learning_rate": 1e30}, 0))
    assert (found.state, found.score) == ("failed", None)
    assert found.error
    with pytest.raises(EngineError, match="the one trial could not be scored"):
        run(spec)


def test_a_search_that_comes_to_nothing_is_a_failed_run(
    load_small: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is listed as failed, its trials are kept, and `--resume` says why there is nothing to resume."""
    with pytest.raises(NoneScoredError) as error:
        run(
            load_small(
                "model=mlp", "model.params.learning_rate=1e30", "tune.space={dropout: 'choice(0.1,0.2)'}"
            )
        )
    why = error.value.messages[0].what
    (left,) = (tmp_path / "runs" / "small").glob("2*")
    assert (left / TRIALS).exists()
    runs = ("--runs", str(tmp_path / "runs"))
    assert main(["runs", "--json", *runs]) == 0
    said = capsys.readouterr().out
    assert [one["state"] for one in json.loads(said)] == ["failed"]
    run_id = left.name.removesuffix(PARTIAL)
    for given, what in (
        (run_id, f"run {run_id} has failed, and there is nothing to resume: {why}"),
        ("small@latest", "no run of 'small' was interrupted: one has failed, and there is nothing to resume"),
    ):
        assert main(["run", "--resume", given, *runs]) == 2
        assert capsys.readouterr().err.splitlines()[0] == what


@pytest.mark.parametrize(("model", "key"), [("lightgbm", "metric"), ("xgboost", "eval_metric")])
def test_asha_goes_by_a_metric_that_is_better_when_larger(model: str, key: str, load_small: Load) -> None:
    """A rung's loss is then the negative metric: the least is the best so far, and cuts hold as ever."""
    spec = load_small(f"model={model}", "tune=asha", f"+model.params.{key}=auc")
    found = objective(spec).evaluate(Trial(0, model, {}, 0, cuts=(None, None)))
    assert found.state == "done"
    assert all(-1 < loss < -0.5 for loss in found.losses)
    assert list(found.losses) == sorted(found.losses, reverse=True)
    assert objective(spec).evaluate(Trial(1, model, {}, 0, cuts=(-0.99, None))).state == "stopped"


UNDISTURBED = ("model=lightgbm", "tune=bayes", "tune.trials=24", "tune.max_concurrent_trials=2", ALONE)


@pytest.fixture(scope="module")
def whole(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give the run that nobody disturbed."""
    return run(load_checked(small, UNDISTURBED, runs=tmp_path_factory.mktemp("whole")))


def test_a_kill_at_any_moment_changes_nothing(whole: Run, small: Path, tmp_path: Path) -> None:
    """Four times killed and resumed: the trials and the winner of the run that nobody disturbed."""
    command: tuple[object, ...] = (small, *UNDISTURBED)
    dice = random.Random(0)  # noqa: S311 (no secret)
    n_kills = 0
    while n_kills < 4:
        process = warm.start("run", *command, "--runs", tmp_path / "killed", cwd=small.parent)
        folder = _begun(tmp_path / "killed", process)
        if folder is not None:
            time.sleep(dice.uniform(0, 0.15))
        process.kill()
        if process.wait() == 0:
            break
        n_kills += 1
        if folder is not None:
            command = ("--resume", "small@latest")
    (left,) = (tmp_path / "killed" / "small").glob("[0-9]*")
    done = left if not left.name.endswith(".partial") else resume(left, roots=[small.parent]).path
    assert trials(done) == trials(whole.path)
    assert json.loads((done / "metrics.json").read_text()) == whole.metrics
    ran = [entry["trial"]["index"] for entry in trials(done) if "trial" in entry]  # type: ignore[index]
    assert ran == sorted(set(ran))


def _begun(runs: Path, process: warm.Command) -> Path | None:
    """Wait until another trial is in the journal, and return the run's folder; None where the process has ended."""
    before = {path: path.stat().st_size for path in runs.glob(f"small/*/{TRIALS}")}
    while process.poll() is None:
        for path in runs.glob(f"small/*/{TRIALS}"):
            if path.stat().st_size > before.get(path, 0):
                return path.parent
        time.sleep(0.01)
    return None


@pytest.fixture(scope="module")
def stopped(small: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, str]:
    """Give a run whose search was stopped by SIGTERM, and what the command said."""
    runs = tmp_path_factory.mktemp("stopped")
    process = warm.start("run", small, *UNDISTURBED, "--runs", runs, cwd=small.parent)
    folder = _begun(runs, process)
    assert folder is not None
    while (folder / TRIALS).read_text().count('"outcome"') < 3:
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    assert process.poll() == 130, err
    return Run(folder.with_name(folder.name.removesuffix(PARTIAL))), out


def test_a_stop_keeps_the_best_so_far(
    stopped: tuple[Run, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that the user stops ends as a run, marked as such, with the command that goes on with it."""
    done, out = stopped
    runs = done.path.parent.parent
    n = sum("outcome" in entry for entry in trials(done.path))
    assert 3 <= n < 24
    notes = cast("list[str]", done.facts["notes"])
    assert f"stopped by the user after {n} trials: the best so far has won" in notes
    assert f"go on    engine run --resume {done.id} --runs {runs}\n" in out
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["runs", "--runs", str(runs)]) == 0
    said = capsys.readouterr().out
    assert ", stopped by the user" in said
    assert "engine run --resume RUN goes on, in a new run, with one whose search was stopped" in said
    assert find_finished({0: load_checked(done.path / "recipe.yaml", roots=["/"], runs=runs)}) == {}


def test_a_stopped_search_is_verified_as_far_as_it_came(stopped: tuple[Run, str], small: Path) -> None:
    """Just the trials that had ended are done again, and the same comes out of them."""
    same = verify(stopped[0], roots=[small.parent])
    assert list(same)[:2] == ["trials.parquet", "metrics.json"]
    assert all(same.values()), same


def test_a_stopped_search_is_gone_on_with(stopped: tuple[Run, str], whole: Run, small: Path) -> None:
    """A new run takes over what had ended, and comes out as the run that nobody stopped, to the bit."""
    first = stopped[0]
    runs = first.path.parent.parent
    before = {path: path.stat().st_mtime_ns for path in first.path.rglob("*")}
    assert (
        main(["run", "--resume", "small@latest", "--runs", str(runs), "--root", str(small.parent), "--quiet"])
        == 0
    )
    assert {path: path.stat().st_mtime_ns for path in first.path.rglob("*")} == before
    (done,) = (Run(path) for path in first.path.parent.iterdir() if path.is_dir() and path != first.path)
    assert compare_files(whole, done) == dict.fromkeys(compare_files(whole, whole), True)
    n = sum("outcome" in entry for entry in trials(first.path))
    assert trials(done.path)[: 2 * n] == trials(first.path)[: 2 * n]
    assert f"{n} trials of run {first.id}, which was stopped, taken over" in cast(
        "list[str]", done.facts["notes"]
    )
    # What was gone on with is not the latest any more.
    assert main(["run", "--resume", "small@latest", "--runs", str(runs)]) == 2


def test_a_stopped_search_of_other_code_is_refused(
    stopped: tuple[Run, str], small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What other code would propose next is another search; the message says what has changed."""
    monkeypatch.setattr(facts, "code_sha256", lambda: "0" * 64)
    with pytest.raises(RecipeError) as error:
        go_on(stopped[0], roots=[small.parent])
    what = f"code has changed since the search of run {stopped[0].id} was stopped"
    assert error.value.messages[0].what == what


@pytest.mark.parametrize("model", ["lightgbm", "xgboost", "mlp"])
def test_asha_stops_what_is_behind_and_the_same_trials_again(model: str, load_small: Load) -> None:
    """Some trials end early, without a score; what came to its end is worth what it is worth alone."""
    overrides = (
        "tune=asha",
        f"model={model}",
        "tune.trials=12",
        "tune.repeats=0",
        "compute.max_iterations=27",
        ALONE,
    )
    first, second = (run(load_small(*overrides)) for _ in range(2))
    assert trials(first.path) == trials(second.path)
    outcomes = [
        cast("dict[str, object]", entry["outcome"]) for entry in trials(first.path) if "outcome" in entry
    ]
    stopped = [outcome for outcome in outcomes if outcome["state"] == "stopped"]
    done = [outcome for outcome in outcomes if outcome["state"] == "done"]
    assert stopped
    assert done
    assert all(outcome["score"] is None for outcome in stopped)
    spec = load_small(*overrides)
    begun = {
        cast("int", trial["index"]): Trial.from_json(trial)
        for trial in (
            cast("dict[str, object]", entry["trial"]) for entry in trials(first.path) if "trial" in entry
        )
    }
    one = done[-1]
    alone = objective(spec).evaluate(replace(begun[cast("int", one["index"])], cuts=()))
    assert alone.score == one["score"]
