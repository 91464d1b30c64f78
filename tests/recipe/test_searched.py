"""What the command line sweeps is what a search tries, and the stored recipe says so."""

from pathlib import Path

import pytest

from engine.errors import RecipeError
from engine.recipe.load import load_spec
from engine.recipe.searched import compose_searched, expand_searched, read_swept
from engine.recipe.spec_model import ModelSpec

HERE = Path(__file__).parent / "wrong"
BODY = """\
name: loans
data: {path: loans.csv}
schema:
  target: repaid
  columns:
    amount: {type: number}
    age: {type: integer}
    sex: {type: category}
    repaid: {type: category, values: ["no", "yes"]}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Give a recipe without a search."""
    (tmp_path / "loans.csv").write_bytes((HERE / "loans.csv").read_bytes())
    (tmp_path / "loans.yaml").write_text(BODY)
    return tmp_path / "loans.yaml"


def test_sweeps_are_told_from_other_overrides() -> None:
    """Params and models that list or span values; one value, other keys and odd texts are left as they are."""
    given = [
        "tune=bayes", "model=lightgbm,xgboost", "model.params.num_leaves=7,15", "model.params.subsample=0.5",
        "++model.params.learning_rate=tag(log,interval(0.01,0.3))", "seed=1,2", "model.params.x=interval(",
    ]  # fmt: skip
    swept = read_swept(given)
    assert swept.models == ("lightgbm", "xgboost")
    assert swept.space == {"num_leaves": "7,15", "learning_rate": "tag(log,interval(0.01,0.3))"}
    assert swept.rest == (
        "tune=bayes", "model=lightgbm", "model.params.subsample=0.5", "seed=1,2", "model.params.x=interval(",
    )  # fmt: skip


def test_a_swept_param_is_all_that_is_searched(recipe: Path) -> None:
    """The sweep stands in `tune.space`, and the family's own space is as it was."""
    spec = load_spec(recipe, ["tune=random", "model.params.num_leaves=int(interval(4,9))"])
    assert spec.tune.space == {"num_leaves": "int(interval(4,9))"}
    assert "learning_rate" in spec.model.space


def test_quotes_and_commas_of_a_sweep_survive(recipe: Path) -> None:
    """A list of texts is the same list in the recipe that is stored."""
    swept = "choice('a b','it\\'s, so')"
    spec = load_spec(recipe, ["tune=random", f"model.params.boosting_type={swept}"])
    assert spec.tune.space == {"boosting_type": swept}


def test_models_that_are_swept_stand_whole_in_the_recipe(recipe: Path) -> None:
    """Each has its option's params and space; what the command line sets is in each that it was set for."""
    spec = load_spec(recipe, ["tune=bayes", "model=lightgbm,xgboost", "model.params.learning_rate=0.07"])
    assert isinstance(spec.tune.models, dict)
    assert [model.family for model in spec.tune.models.values()] == ["lightgbm", "xgboost"]
    assert [model.params["learning_rate"] for model in spec.tune.models.values()] == [0.07, 0.07]
    assert "num_leaves" in spec.tune.models["lightgbm"].params
    assert "max_depth" in spec.tune.models["xgboost"].params
    assert spec.model == spec.tune.models["lightgbm"]


def test_a_recipe_can_name_the_models_itself(recipe: Path) -> None:
    """`tune.models: [a, b]` is the same as `model=a,b`."""
    recipe.write_text("defaults: [base, tune: bayes, _self_]\ntune: {models: [logistic, mlp]}\n" + BODY)
    spec = load_spec(recipe)
    assert isinstance(spec.tune.models, dict)
    assert all(isinstance(model, ModelSpec) for model in spec.tune.models.values())
    assert list(spec.tune.models) == ["logistic", "mlp"]


def test_the_stored_recipe_is_the_same_search(recipe: Path, tmp_path: Path) -> None:
    """Written out and read again it composes to the same, to its identity."""
    from engine.recipe import text

    given = ["tune=bayes", "model=lightgbm,xgboost", "model.params.learning_rate=tag(log,interval(1e-3,0.3))"]
    spec = load_spec(recipe, given)
    stored = tmp_path / "stored.yaml"
    stored.write_text(text.write({"defaults": ["_self_"], **spec.to_plain()}))
    again = load_spec(stored)
    assert again.sha256() == spec.sha256()
    assert again.tune == spec.tune


def test_a_multirun_lists_and_each_run_searches(recipe: Path) -> None:
    """Lists make runs, also of strategies; a range of a param is what each of them searches."""
    given = ["tune=random,bayes", "seed=1,2", "model.params.learning_rate=interval(0.01,0.2)"]
    found = expand_searched(recipe, given)
    assert len(found) == 4
    assert all(one[-1] == given[-1] for one in found)
    assert load_spec(recipe, found[0]).tune.space == {"learning_rate": "interval(0.01,0.2)"}


def test_without_a_search_a_sweep_is_refused(recipe: Path) -> None:
    """One run takes one value, and the message names what takes several."""
    with pytest.raises(RecipeError, match="tune=bayes with it, to search"):
        load_spec(recipe, ["model.params.learning_rate=interval(0.01,0.2)"])


def test_a_wrong_name_among_the_models_is_said_once(recipe: Path) -> None:
    """With the key under which it stands, and the near name."""
    (said,) = compose_searched(recipe, ["tune=bayes", "model=lightgbm,xgbost"]).mistakes
    assert (said.key, said.suggestion) == ("tune.models", "xgboost")


@pytest.mark.parametrize(
    ("given", "key", "expected"),
    [
        ("model.space.C=tag(log,interval(0.01,1))", "model", {"C": "tag(log,interval(0.01,1))"}),
        ("model.space.C=0.1,1", "model", {"C": "0.1,1"}),
        ("model.space.C='interval(0.01,1)'", "model", {"C": "interval(0.01,1)"}),
        ("tune.space.C=interval(0.01,1)", "tune", {"C": "interval(0.01,1)"}),
    ],
)
def test_a_space_may_stand_bare_on_the_command_line(
    given: str, key: str, expected: dict[str, str], recipe: Path
) -> None:
    """What sweeps a key that holds a space is the text of that space, with -m too."""
    spec = load_spec(recipe, ["tune=bayes", "model=logistic", given])
    assert getattr(spec, key).space == expected
    (one, other) = expand_searched(recipe, ["tune=bayes", "model=logistic", "seed=0,1", given])
    assert getattr(load_spec(recipe, one), key).space == expected
    assert getattr(load_spec(recipe, other), key).space == expected
