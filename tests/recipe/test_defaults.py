from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import RecipeError
from engine.recipe.find import shipped
from engine.recipe.load import load_spec

BODY = """\
name: small
data: {path: table.csv}
schema: {target: y, columns: {x: {type: number}, y: {type: category}}}
"""


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty `conf/` with a folder for models, and work beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "model").mkdir(parents=True)
    return tmp_path / "conf"


def write(defaults: str) -> str:
    """Write a recipe with a defaults list, or without one."""
    Path("small.yaml").write_text((f"defaults: {defaults}\n" if defaults else "") + BODY)
    return "small.yaml"


def refusal(recipe: str, *overrides: str) -> str:
    """Return the whole report of a recipe that is refused."""
    with pytest.raises(RecipeError) as error:
        load_spec(recipe, overrides)
    return str(error.value)


CURE = "  try: defaults: [base, model: lightgbm, _self_]"


@pytest.mark.parametrize(
    ("defaults", "message"),
    [
        ("[base, model: ridge, model: logistic, _self_]", f"small.yaml:1: defaults\n  'model' stands twice\n{CURE}"),
        ("[base, model: ridge, override model: ridge]", f"small.yaml:1: defaults\n  'model' stands twice\n{CURE}"),
        ("[base, _self_, base]", f"small.yaml:1: defaults\n  'base' stands twice\n{CURE}"),
        ("[_self_, base]", f"small.yaml:1: defaults\n  '_self_' stands before 'base': the defaults would win over the recipe\n{CURE}"),
        ("[bas]", f"small.yaml:1: defaults\n  'bas' is not 'base', '_self_' or 'group: option'\n  did you mean 'base'?\n{CURE}"),
        ("base", "small.yaml:1: defaults\n  'defaults' is a list such as [base, model: lightgbm, _self_]"),
        (
            "[base, model: null]",
            "small.yaml:1: model\n  'null' is not an option of model\n"
            "  allowed: hist_gradient_boosting, lightgbm, logistic, mlp, random_forest, ridge, sgd, sklearn, xgboost\n  try: engine options model",
        ),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("conf")
def test_wrong_lists(defaults: str, message: str) -> None:
    """A list that says something twice, in the wrong order, or nothing known, is refused at its line."""
    assert refusal(write(defaults)) == message


@pytest.mark.parametrize(
    "defaults", ["", "[base, _self_]", "[base]", "[base, _self_, override model: lightgbm]"]
)
@pytest.mark.usefixtures("conf")
def test_lists_that_mean_the_same(defaults: str) -> None:
    """Without a list a recipe stands on the base, and wins over it."""
    assert (
        load_spec(write(defaults)).model_dump()
        == load_spec(write("[base, model: lightgbm, _self_]")).model_dump()
    )


@pytest.mark.parametrize("defaults", ["[]", "[_self_]"])
@pytest.mark.usefixtures("conf")
def test_a_closed_recipe_has_all_in_itself(defaults: str) -> None:
    """An empty list, like `[_self_]`, takes no default from anywhere."""
    missing = [line for line in refusal(write(defaults)).splitlines() if "is missing" in line]
    assert len(missing) == 12 + 5 + 3  # keys of the recipe, of data, of schema
    assert "  'seed' is missing: it has no default" in missing


def test_a_group_that_the_base_does_not_choose(conf: Path) -> None:
    """A user's group for a key of a recipe stands over the base and under the recipe; another is no key."""
    (conf / "goal").mkdir()
    (conf / "goal" / "strict.yaml").write_text("statement: strictly\ngates: {log_loss: {max: 1}}\n")
    (conf / "mine").mkdir()
    (conf / "mine" / "x.yaml").write_text("a: 1\n")
    spec = load_spec(write(""), ["goal=strict"])
    assert (spec.goal.statement, list(spec.goal.gates or ())) == ("strictly", ["log_loss"])
    own = Path(write("[base, goal: strict, _self_]"))
    own.write_text(own.read_text() + "goal: {statement: mine}\n")
    assert load_spec(own).goal.statement == "mine"
    allowed = "compute, data, deploy, evaluation, goal, model, split, task, tracking, tune"
    for override in ("mine=x", "+mine=x"):
        assert refusal(write(""), override) == (
            f"command line: mine\n  'mine' is a group, and not a key of a recipe\n  allowed: {allowed}\n  try: engine options"
        )


def test_defaults_that_lead_back_to_themselves(conf: Path) -> None:
    """A file that includes itself, straight or through another, is named."""
    (conf / "model" / "self.yaml").write_text("family: ridge\ndefaults: [self]\n")
    (conf / "model" / "a.yaml").write_text("defaults: [b, _self_]\n")
    (conf / "model" / "b.yaml").write_text("defaults: [a, _self_]\n")
    what = "defaults\n  the defaults of this file lead back to itself"
    assert refusal(write(""), "model=self") == f"conf/model/self.yaml:2: {what}"
    assert refusal(write(""), "model=a") == f"conf/model/a.yaml:1: {what}\n\nconf/model/b.yaml:1: {what}"


def test_an_option_may_extend_another(conf: Path) -> None:
    """A file's own defaults bring in another option of its group, which it then changes."""
    (conf / "model" / "sure.yaml").write_text("defaults: [logistic, _self_]\nparams: {C: 0.5}\n")
    spec = load_spec(write(""), ["model=sure"])
    assert (spec.model.family, spec.model.params["C"], spec.model.params["max_iter"]) == (
        "logistic",
        0.5,
        1000,
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"family: \xff\n", "conf/model/mine.yaml:1\n  byte 8 is not UTF-8 after 'family:': save the file as UTF-8"),
        (b"family: [\n", "conf/model/mine.yaml:1\n  not valid YAML: the [ that opens here is not closed, or a ',' is missing after it"),
        (b"- a\n", "conf/model/mine.yaml:1\n  a recipe is a mapping of keys to values, such as 'name: adult', and this is a list"),
        (b"family: ${x\n", "conf/model/mine.yaml:1: family\n  '${' opens what is no sound ${other.key}; as plain text it is written \\${"),
    ],
)  # fmt: skip
def test_a_broken_option_is_named(conf: Path, content: bytes, message: str) -> None:
    """What can't be read of a user's own files is said of that file."""
    (conf / "model" / "mine.yaml").write_bytes(content)
    assert refusal(write(""), "model=mine") == message


def test_a_base_of_the_users_own(conf: Path) -> None:
    """A whole copy of the base counts in its place; one that leaves out keys is named."""
    base = conf / "base.yaml"
    base.write_text((shipped("conf") / "base.yaml").read_text().replace("seed: 0", "seed: 9"))
    assert load_spec(write("")).seed == 9
    base.write_text("defaults: [model: logistic]\nseed: 1\n")
    assert refusal(write("")) == (
        "conf/base.yaml\n  this file stands in for the engine's own base.yaml, and leaves out compute, deploy, evaluation, "
        "goal, governance, recipe_version, runs, split, task, tracking, tune\n  try: another name for it, or a copy of the engine's"
    )


@pytest.mark.parametrize("name", ["recipes/small", "small", "recipes/small.YAML", "recipes/other.yml"])
def test_recipes_are_found(name: str, conf: Path) -> None:
    """RECIPE is a path with any usual suffix, or a name, with or without its folder."""
    (conf.parent / "recipes").mkdir()
    suffix = Path(name).suffix or ".yaml"
    (conf.parent / "recipes" / f"{Path(name).stem}{suffix}").write_text(BODY)
    assert load_spec(name).name == "small"
    assert load_spec("recipes/penguins").name == "penguins"
