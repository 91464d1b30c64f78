from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import RecipeError
from engine.plan import load_checked
from engine.recipe.compose import expand_overrides
from engine.recipe.load import load_spec

RECIPE = """\
defaults: [base, model: lightgbm, _self_]
name: small
data: {path: table.csv}
model: {params: {num_leaves: 7}}
schema:
  target: y
  columns:
    x: {type: number, min: 0}
    y: {type: category, values: [a, b]}
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a recipe and its table in a folder of their own, and work there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("x,y\n1,a\n2,b\n")
    (tmp_path / "small.yaml").write_text(RECIPE)
    return tmp_path / "small.yaml"


def refusal(recipe: Path, *overrides: str) -> str:
    """Return the whole report of a recipe that is refused."""
    with pytest.raises(RecipeError) as error:
        load_spec(recipe, overrides)
    return str(error.value)


def test_defaults_come_from_conf_and_overrides_win(recipe: Path) -> None:
    """A group's values stand under the recipe's, and those under the command line's."""
    spec = load_spec(recipe, ["seed=7", "model.params.max_depth=3", "schema.columns.x.max=10"])
    assert spec.seed == 7
    assert spec.model.family == "lightgbm"
    assert spec.model.params["num_leaves"] == 7
    assert spec.model.params["max_depth"] == 3
    assert spec.model.params["learning_rate"] == load_spec(recipe).model.params["learning_rate"]
    assert spec.schema_.columns["x"].max == 10
    assert spec.split.kind == "stratified"
    assert spec.goal.metric == "roc_auc"
    assert Path(spec.data.path) == recipe.parent / "table.csv"


def test_another_family_drops_the_old_ones_params(recipe: Path) -> None:
    """Nothing that the recipe says of one family survives `model=` another."""
    spec = load_spec(recipe, ["model=logistic"])
    assert spec.model.family == "logistic"
    assert "num_leaves" not in spec.model.params
    assert load_spec(recipe, ["model=lightgbm"]).model.params["num_leaves"] == 7


def test_a_users_option_is_found_beside_the_recipe_and_in_the_working_folder(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`conf/` of the working directory wins over the recipe's, and that over ours."""
    (recipe.parent / "conf" / "model").mkdir(parents=True)
    mine = recipe.parent / "conf" / "model" / "mine.yaml"
    mine.write_text("family: ridge\nparams: {alpha: 2.0}\nspace: {}\n")
    assert load_spec(recipe, ["model=mine"]).model.params == {"alpha": 2.0}
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "conf" / "model").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    assert load_spec(recipe, ["model=mine"]).model.params == {"alpha": 2.0}
    (elsewhere / "conf" / "model" / "mine.yaml").write_text(
        "family: ridge\nparams: {alpha: 3.0}\nspace: {}\n"
    )
    assert load_spec(recipe, ["model=mine"]).model.params == {"alpha": 3.0}


def test_an_option_of_ones_own_may_be_a_family_alone(recipe: Path) -> None:
    """Without params and a space an option is whole: the library's defaults, and nothing to search."""
    folder = recipe.parent / "conf" / "model"
    folder.mkdir(parents=True)
    (folder / "trees.yaml").write_text("family: sklearn\nestimator: ExtraTreesClassifier\n")
    model = load_spec(recipe, ["model=trees"]).model
    assert (model.family, model.estimator, model.params, model.space) == (
        "sklearn",
        "ExtraTreesClassifier",
        {},
        {},
    )


def test_all_mistakes_in_one_report_in_file_order(recipe: Path) -> None:
    """Mistakes of the command line, of several sections and of params come together, each at its place."""
    text = RECIPE.replace("num_leaves", "num_leafs").replace(
        "{type: number, min: 0}", "{type: nmber, nin: 0}"
    )
    recipe.write_text(text.replace("name: small", "name: 3\nsplitt: {test: 0.1}"))
    with pytest.raises(RecipeError) as error:
        load_checked(recipe, ["split.test=2", "seed=x"])
    report = str(error.value)
    assert [line for line in report.splitlines() if line and not line.startswith(" ")] == [
        "command line: split.test",
        "command line: seed",
        "small.yaml:2: name",
        "small.yaml:3: splitt",
        "small.yaml:5: model.params.num_leafs",
        "small.yaml:9: schema.columns.x.type",
        "small.yaml:9: schema.columns.x.nin",
    ]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["sead=3"],
            "command line: sead\n  'sead' is not a key of a recipe\n  did you mean 'seed'?\n"
            "  allowed: compute, data, deploy, evaluation, goal, governance, model, name, recipe_version, runs and 6 more\n"
            "  try: engine options",
        ),
        (
            ["goal.metrik=f1"],
            "command line: goal.metrik\n  'metrik' is not a key of goal\n  did you mean 'goal.metric'?\n"
            "  allowed: gates, interpretable, metric, statement, value\n  try: engine options goal",
        ),
        (
            ["split=stratifed"],
            "command line: split\n  'stratifed' is not an option of split\n  did you mean 'stratified'?\n"
            "  allowed: group, kfold, predefined, purged, random, stratified, stratified_group, time\n  try: engine options split",
        ),
        (
            ["seed=1,2"],
            "command line: seed\n  'seed=1,2' has several values: one run takes one value\n"
            "  try: the same command with -m for one run a value",
        ),
        (
            ["hydra.run.dir=/x"],
            "command line: hydra.run.dir\n  Hydra's own settings are not part of a recipe",
        ),
        (
            ["+model.params._target_=os.system"],
            "command line: model.params._target_\n  '_target_' is refused: a recipe is data, not code",
        ),
        (
            ["model.params={_target_: os.system}"],
            "command line: model.params\n  '_target_' is refused: a recipe is data, not code",
        ),
        (["a b"], "command line\n  'a b' is not an override: it has no '='\n  try: key=value, +key=value or ~key"),
        (["seed=null"], "command line: seed\n  expected a whole number, got null\n  try: engine options seed"),
        (["seed=1.5"], "command line: seed\n  expected a whole number, got 1.5\n  try: engine options seed"),
        (
            ["schema.extra=eror"],
            "command line: schema.extra\n  'eror' is not allowed\n  did you mean 'error'?\n"
            "  allowed: error, ignore\n  try: engine options schema.extra",
        ),
        (["~seed"], "command line: seed\n  'seed' is taken out, and a recipe needs it\n  try: engine options seed"),
        (["name=${foo}"], "command line: name\n  '${foo}' refers to nothing: there is no key 'foo'"),
        (["name=${oc.env:NO_SUCH_THING}"], "command line: name\n  the environment variable NO_SUCH_THING is not set"),
    ],
)  # fmt: skip
def test_whole_messages(recipe: Path, overrides: list[str], message: str) -> None:
    """Each mistake on the command line is refused with its whole message."""
    assert refusal(recipe, *overrides) == message


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("hydra: {run: {dir: x}}", "small.yaml:11: hydra\n  'hydra' is refused: Hydra's own settings are not part of a recipe"),
        ("goal: {_target_: os.system}", "small.yaml:11: goal._target_\n  '_target_' is refused: a recipe is data, not code"),
        ("goal: {statement: '${oc.decode:x}'}", "small.yaml:11: goal.statement\n  '${oc.decode:…}' is refused: only ${oc.env:NAME} and ${other.key} are resolved"),
    ],
)  # fmt: skip
def test_code_in_a_recipe_is_refused(recipe: Path, lines: str, message: str) -> None:
    """A recipe names no code and reaches no setting of Hydra's."""
    recipe.write_text(f"{RECIPE}\n{lines}\n")
    assert refusal(recipe) == message


@pytest.mark.parametrize("default", ["/etc/passwd", "../secret", "hydra/job_logging: none", "model@x: ridge"])
def test_odd_defaults_are_refused(recipe: Path, default: str) -> None:
    """A defaults list names groups and options; no path, package or Hydra group."""
    recipe.write_text(RECIPE.replace("model: lightgbm", default))
    assert refusal(recipe).startswith("small.yaml:1: defaults\n")


def test_the_environment_is_used_and_never_stored(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value from the environment is in the spec and in nothing that is written."""
    monkeypatch.setenv("CANARY", "table.csv")
    spec = load_spec(recipe, ["data.path=${oc.env:CANARY}", "goal.statement='a ${oc.env:CANARY} b'"])
    assert Path(spec.data.path) == recipe.parent / "table.csv"
    assert spec.goal.statement == "a table.csv b"
    assert "table.csv" not in str(spec.to_plain())
    assert "${oc.env:CANARY}" in spec.canonical()
    assert os.environ["CANARY"] == "table.csv"


def test_identity_is_of_the_recipe_not_of_its_place(recipe: Path, tmp_path: Path) -> None:
    """The same recipe elsewhere, with its keys in another order, has the same identity; a changed one has not."""
    other = tmp_path / "b"
    other.mkdir()
    lines = RECIPE.splitlines()
    (other / "small.yaml").write_text("\n".join([lines[0], lines[2], lines[1], *lines[3:]]))
    first = load_spec(recipe).sha256()
    assert load_spec(other / "small.yaml").sha256() == first
    assert load_spec(recipe, ["seed=1"]).sha256() != first


def test_a_recipe_is_found_by_name_or_the_nearest_is_told(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RECIPE is a path or a name in ./recipes; a wrong one gets the nearest."""
    (recipe.parent / "recipes").mkdir()
    recipe.rename(recipe.parent / "recipes" / "small.yaml")
    (recipe.parent / "recipes" / "table.csv").write_text("x,y\n1,a\n")
    monkeypatch.chdir(recipe.parent)
    assert load_spec("small").name == "small"
    with pytest.raises(RecipeError) as error:
        load_spec("recipes/smal.yaml")
    assert str(error.value).startswith(
        "no recipe at 'recipes/smal.yaml'\n  did you mean 'recipes/small.yaml'?"
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("small", "no recipe at 'small'\n  did you mean 'small.yaml'?"),
        ("penguin", "no recipe at 'penguin'\n  did you mean 'penguins'?"),
        ("sub/other", "no recipe at 'sub/other'\n  did you mean 'sub/othr.yaml'?"),
        (
            "zzzz",
            "no recipe at 'zzzz' (the engine's own: adult, adult_fair, diamonds, penguins)\n"
            "  allowed: adult, adult_fair, diamonds, mine, penguins\n"
            "  try: engine init DATA --target COLUMN writes one",
        ),
    ],
)
def test_a_name_without_its_ending_finds_the_file_beside_it(
    given: str, words: str, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name meant for a file beside the user gets that file told; of names it is said which are ours."""
    monkeypatch.chdir(recipe.parent)
    for file in ("recipes/mine.yaml", "sub/othr.yaml"):
        Path(file).parent.mkdir(exist_ok=True)
        Path(file).touch()
    with pytest.raises(RecipeError) as error:
        load_spec(given)
    assert str(error.value) == words


def test_multirun_is_the_product_in_hydras_grammar(recipe: Path) -> None:
    """Lists and ranges are multiplied out in order; a continuous range is refused."""
    given = ["model=logistic,ridge", "seed=range(0,3)", "name=x"]
    assert expand_overrides(recipe, given) == tuple(
        (f"model={model}", f"seed={seed}", "name=x") for model in ("logistic", "ridge") for seed in range(3)
    )
    with pytest.raises(RecipeError, match="a multirun needs a list of values"):
        expand_overrides(recipe, ["seed=interval(0,1)"])
