"""What a search chooses among: which trials are the same, which stand, which space is whose."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.lifecycle import run
from engine.recipe.spec import Spec
from engine.report import record, search
from engine.tuning.candidates import candidates, space_of
from engine.tuning.size import describe, n_repeats, n_searched
from engine.tuning.trial import Trial

Load = Callable[..., Spec]


def test_a_trial_stands_where_it_says_what_the_recipe_has(load_small: Load) -> None:
    """A whole number is a number, a default of the library is known, and one value apart is another trial."""
    found = candidates(
        load_small("model=logistic", "tune.space={C: '1,2', max_iter: '1000,50', tol: '1e-4,1'}")
    )
    own = found.members[0].model.params
    assert own["C"] == 1.0
    assert "tol" not in own
    stands = [{}, {"C": 1}, {"C": 1.0, "tol": 1e-4}, {"max_iter": own["max_iter"], "tol": 0.0001}]
    assert all(found.stands(Trial(0, "logistic", params, 0)) for params in stands)
    assert len({found.tried(Trial(n, "logistic", params, n)) for n, params in enumerate(stands)}) == 1
    assert not found.stands(Trial(0, "logistic", {"C": 2}, 0))


def test_a_fraction_is_no_count(load_small: Load) -> None:
    """Where a library means a share by 1.0 and a number of rows by 1 the two are not the same trial."""
    found = candidates(load_small("model=random_forest", "tune.space={max_samples: '1,2'}"))
    one, other = (found.tried(Trial(0, "random_forest", {"max_samples": x}, 0)) for x in (1, 1.0))
    assert one != other


@pytest.mark.parametrize(
    ("overrides", "ignores"),
    [
        (("model=logistic",), True),
        (("model=logistic", "+model.params.solver=saga"), False),
        (("model=lightgbm",), False),
        (("model=sklearn", "model.estimator=KNeighborsClassifier", "tune.space={n_neighbors: '3,5'}"), True),
        (("model=sklearn", "model.estimator=ExtraTreesClassifier", "tune.space={max_depth: '3,5'}"), False),
    ],
)
def test_who_makes_no_random_choice_is_not_fitted_again(
    overrides: tuple[str, ...], ignores: bool, load_small: Load
) -> None:
    """A solver that shuffles, and an estimator that takes a random state, are fitted with other seeds."""
    spec = load_small("tune=random", "tune.trials=9", *overrides)
    found = candidates(spec)
    assert found.ignores_seed(Trial(0, found.members[0].name, {}, 0)) is ignores
    assert n_repeats(spec) == (0 if ignores else (spec.tune.finalists + 1) * spec.tune.repeats)
    assert n_searched(spec, n_folds=0) == 9 + n_repeats(spec)


def test_a_model_without_the_swept_param_keeps_its_own_space(load_small: Load) -> None:
    """What is swept is searched in the models that have it; the plan says what is searched in each."""
    spec = load_small("tune=bayes", "model=lightgbm,xgboost", "model.params.num_leaves=int(interval(4,9))")
    assert isinstance(spec.tune.models, dict)
    spaces = {name: space_of(spec, model) for name, model in spec.tune.models.items()}
    assert spaces["lightgbm"] == {"num_leaves": "int(interval(4,9))"}
    assert spaces["xgboost"] == dict(spec.tune.models["xgboost"].space)
    n = spec.tune.trials
    assert describe(spec) == (
        f"bayes: {n} trials of lightgbm over num_leaves; "
        "xgboost over learning_rate, max_depth, min_child_weight, subsample and 4 more"
    )
    grid = load_small("tune=grid", "model=lightgbm,xgboost", "model.params.num_leaves=4,9")
    assert describe(grid) == "grid: 3 trials of lightgbm over num_leaves; xgboost as it stands"


def test_a_grid_knows_the_params_as_they_stand_among_its_points(load_small: Load) -> None:
    """The winner is held against them; what is left of the grid is said."""
    spec = load_small("model=logistic", "tune=grid", "model.params.C=1e-5,1,10", "tune.trials=2")
    assert describe(spec) == "grid: the first 2 of 3 combinations, over C"
    done = run(spec)
    found = done.facts["search"]
    assert isinstance(found, dict)
    assert (found["standing"], found["winner"]["trial"], found["repeats"]) == (1, 1, 0)
    said = search.read(record.read(done.path))
    assert said is not None
    assert said.verdict.endswith(" on the validation rows, the params as they stand: no other was better")
    notes = done.facts["notes"]
    assert isinstance(notes, list)
    assert "tune.trials is 2: of a grid of 3 combinations the first 2 are tried" in notes
    assert "tune.finalists is 3, and there are 2 trials: all of them are finalists" in notes


def test_a_gain_within_the_noise_is_said(small: Path, tmp_path: Path) -> None:
    """On 40 rows a gain is told with the bounds of resampled rows; loud where they hold 0."""
    from engine.plan import load_checked

    wanted = ("model=logistic", "model.params.C=0.001", "tune.trials=6", "evaluation.bootstrap=200")
    done = run(load_checked(small, [*wanted, "tune.space={C: 'interval(0.002,0.02)'}"], runs=tmp_path))
    found = done.facts["search"]
    assert isinstance(found, dict)
    gain = found["gain"]
    assert gain["value"] > 0
    assert gain["low"] <= gain["value"] <= gain["high"]
    is_noise = gain["low"] <= 0
    notes = done.facts["notes"]
    assert isinstance(notes, list)
    assert any(note.startswith("the winner's gain is within the noise of ") for note in notes) is is_noise
    assert is_noise
