"""Nested cross-validation: the search inside a fold sees no row that the fold judges, and is judged honestly."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl
import pytest

from engine.again import verify
from engine.data.schema import declare
from engine.data.source import read
from engine.lifecycle import run
from engine.names import TASKS
from engine.plan import load_checked, make_plan
from engine.recipe.spec import Spec
from engine.report import record, search
from engine.runs.folder import NESTED
from engine.runs.run import Run
from engine.tasks.task import Task
from engine.training.parts import Divided, divide
from engine.tuning.journal import Journal
from engine.tuning.nested import inner_lessons
from engine.tuning.objective import Lesson

Load = Callable[..., Spec]
NOISE = """\
defaults: [base, task: classification, model: sklearn, split: kfold, tune: random, compute: small, _self_]
name: noise
data: {path: noise.csv}
goal: {metric: roc_auc}
model: {estimator: KNeighborsClassifier}
schema:
  target: y
  positive: "yes"
  columns:
    row: {type: integer, role: id}
    day: {type: integer, role: id}
    who: {type: integer, role: id}
    a: {type: number}
    b: {type: number}
    y: {type: category, values: ["no", "yes"]}
split: {folds: 4}
tune: {trials: 12, nested: true, objective: folds, space: {n_neighbors: "int(interval(1,60))"}}
evaluation: {bootstrap: 0, baselines: false, pictures: false}
"""


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the recipe of a search where there is nothing to find: a target of coins."""
    folder = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(1)
    n = 200
    frame = pl.DataFrame(
        {
            "row": np.arange(n),
            "day": np.arange(n) // 4,
            "who": rng.integers(20, size=n),
            "a": rng.normal(size=n),
            "b": rng.normal(size=n),
            "y": np.where(rng.random(n) < 0.5, "yes", "no"),
        }
    )
    frame.write_csv(folder / "noise.csv")
    (folder / "noise.yaml").write_text(NOISE)
    return folder / "noise.yaml"


@pytest.fixture(scope="module")
def nested(noise: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give its run."""
    return run(load_checked(noise, runs=tmp_path_factory.mktemp("runs")))


def divided(spec: Spec) -> Divided:
    """Read and divide a recipe's rows."""
    return divide(read(spec.data, declare(spec)), task=cast("Task", TASKS.load(spec.task.kind)), spec=spec)


def rows_of(lesson: Lesson) -> set[int]:
    """Return all rows of a lesson."""
    parts = (lesson.train, lesson.validation, lesson.judged)
    return {int(row) for part in parts for row in part.frame["row"].to_list()}


@pytest.mark.parametrize("by", ["folds", "validation"])
@pytest.mark.parametrize(
    ("overrides", "n_inner"),
    [
        ((), [3, 3, 3, 3]),
        (("split.repeats=2",), [3] * 8),
        (("split.validation=0",), [3, 3, 3, 3]),
        (("schema.columns.who.role=group",), [3, 3, 3, 3]),
        (("schema.columns.day.role=time",), [3, 2, 1, 0]),
        (("split=purged", "split.folds=4", "schema.columns.day.role=time", "split.gap=2"), [3, 3, 3, 3]),
    ],
)
def test_a_search_inside_a_fold_sees_no_row_that_the_fold_judges(
    overrides: tuple[str, ...], n_inner: list[int], by: str, noise: Path
) -> None:
    """What trains and scores there is of the fold's training rows; groups stay whole, the past comes first."""
    spec = load_checked(noise, overrides)
    parts = divided(spec)
    for index, fold in enumerate(parts.parts.folds):
        found = inner_lessons(parts, index, n_folds=4, by=by)
        assert len(found) == (n_inner[index] if by == "folds" else min(n_inner[index], 1))
        judged = set(parts.whole.take(fold.judged).frame["row"].to_list())
        test = set(parts.test.frame["row"].to_list())
        for lesson in found:
            assert not rows_of(lesson) & (judged | test)
            train, scored = lesson.train.frame, lesson.judged.frame
            assert not set(train["row"]) & set(scored["row"])
            if "role=group" in str(overrides):
                assert not set(train["who"]) & set(scored["who"])
            if overrides == ("schema.columns.day.role=time",):
                assert max(train["day"]) < min(scored["day"])  # type: ignore[type-var, operator]
            if "split.gap=2" in overrides:
                apart = np.abs(np.subtract.outer(train["day"].to_numpy(), scored["day"].to_numpy()))
                assert apart[train["day"].to_numpy() < scored["day"].min()].min(initial=9) > 2


def test_coins_are_coins_where_the_search_is_nested(nested: Run) -> None:
    """The folds that chose flatter the winner; judged by rows that chose nothing it is worth no more than chance."""
    found = nested.facts["search"]
    assert isinstance(found, dict)
    validation = cast("dict[str, dict[str, dict[str, float]]]", nested.metrics)["validation"]["roc_auc"]
    assert found["nested"] is True
    assert found["winner"]["score"] > 0.55
    assert validation["value"] < 0.52
    assert len(cast("list[float]", validation["folds"])) == 4
    said = search.read(record.read(nested.path))
    assert said is not None
    assert said.caution.startswith("The validation scores are of nested cross-validation")
    journals = [Journal(nested.path / NESTED / f"fold-{index}.jsonl") for index in range(4)]
    assert all(len(one.outcomes) == 12 for one in journals)


def test_a_nested_search_is_done_again_bit_for_bit(nested: Run, noise: Path) -> None:
    """All of its searches come to the same."""
    same = verify(nested, roots=[noise.parent])
    assert all(same.values()), same


def test_what_chose_is_said_to_flatter(noise: Path, tmp_path: Path) -> None:
    """Without nesting the folds' score is the winner's own, and no estimate: the report says so."""
    spec = load_checked(noise, ["tune.nested=false"], runs=tmp_path)
    done = run(spec)
    validation = cast("dict[str, dict[str, dict[str, float]]]", done.metrics)["validation"]["roc_auc"]
    found = done.facts["search"]
    assert isinstance(found, dict)
    assert validation["value"] == found["winner"]["score"]
    caution = (
        "The folds chose the params, so their scores flatter the model; the test rows do not. "
        "tune.nested=true estimates it by rows that do not."
    )
    said = search.read(record.read(done.path))
    assert said is not None
    assert said.caution == caution
    for page in ("report.html", "card.md"):
        assert "flatter the model; the test rows do not" in (done.path / page).read_text()
    plans = [make_plan(replace_nested(spec, nested=one)).fits.trials for one in (False, True)]
    assert plans == [12 * 4, 12 * 4 + 12 * 3 * 4]


def replace_nested(spec: Spec, *, nested: bool) -> Spec:
    """Return a recipe with or without nesting."""
    return spec.model_copy(update={"tune": spec.tune.model_copy(update={"nested": nested})})
