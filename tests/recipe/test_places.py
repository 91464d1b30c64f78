from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import Message, RecipeError
from engine.recipe.compose import compose
from engine.recipe.load import load_spec
from engine.recipe.places import COMMAND_LINE, Layer, Places

RECIPE = """\
defaults: [base, task: classification, model: logistic, _self_]
name: small
data: {path: table.csv}
schema:
  target: y
  columns:
    a: {type: number}
    a.b: {type: number}
    a b.c: {type: number, min: 0}
    y: {type: category}
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a recipe whose columns have dots in their names, and work beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(RECIPE)
    return tmp_path / "small.yaml"


def places(*lines: tuple[str, ...], command_line: tuple[tuple[str, ...], ...] = ()) -> Places:
    """Make places of one recipe with a key on each line, and of keys on the command line."""
    recipe = Layer("r.yaml", {path: line for line, path in enumerate(lines, start=1)}, ())
    return Places((Layer.of_command_line(command_line), recipe))


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("schema.columns.a.type", ("schema", "columns", "a", "type")),
        ("schema.columns.a.b.type", ("schema", "columns", "a.b", "type")),
        ("schema.columns.a.b.nin", ("schema", "columns", "a.b", "nin")),
        ("schema.columns.a b.c.min", ("schema", "columns", "a b.c", "min")),
        ("schema.columns.zz.type", ("schema", "columns", "zz", "type")),
        ("model.family", ("model", "family")),
        ("model.params.C", ("model", "params", "C")),
        ("nothing.at.all", ("nothing", "at", "all")),
    ],
)
def test_a_dotted_key_is_split_as_it_was_written(recipe: Path, key: str, path: tuple[str, ...]) -> None:
    """A name that holds dots stays whole: the split that knows the most parts counts."""
    assert compose(recipe).places.path_of(key) == path


def test_a_message_of_a_column_with_dots_has_its_line(recipe: Path) -> None:
    """What a room says of `schema.columns.a.b.type` stands on the line of the column `a.b`."""
    located = compose(recipe).places.locate(Message("wrong", "schema.columns.a.b.type"))
    assert (located.file, located.line) == ("small.yaml", 8)
    located = compose(recipe).places.locate(Message("wrong", "schema.columns.a.type"))
    assert (located.file, located.line) == ("small.yaml", 7)


def test_the_winner_is_found_first_then_the_nearest_key_above() -> None:
    """The command line wins over the recipe; a key that nobody wrote stands where its mapping does."""
    found = places(("a",), ("a", "b"), command_line=(("a", "b"), ("c", "d")))
    assert found.find(("a", "b")) == (COMMAND_LINE, None)
    assert found.find(("a", "x")) == ("r.yaml", 1)
    assert found.find(("c", "x")) == (COMMAND_LINE, None)
    assert found.find(("x",)) == ("r.yaml", None)


ALLOWED = "\n  allowed: hist_gradient_boosting, lightgbm, logistic, mlp, random_forest, sgd, sklearn, xgboost\n  try: engine options model"
MISSING = "is missing: it has no default"


@pytest.mark.parametrize(
    ("change", "overrides", "message"),
    [
        (("", ""), ["model=ridge"], f"command line: model\n  ridge does not do classification{ALLOWED}"),
        (("logistic", "ridge"), [], f"small.yaml:1: model\n  ridge does not do classification{ALLOWED}"),
        (("", ""), ["split=group"], "command line: split\n  a group split needs a column with role: group, and none is declared"),
        (("logistic,", "logistic, split: time,"), [], "small.yaml:1: split\n  a time split needs a column with role: time, and none is declared"),
        (("logistic", "sklearn"), [], "small.yaml:1: model.estimator\n  the sklearn family needs the class name of an estimator"),
        (("", ""), ["model=sklearn"], "command line: model.estimator\n  the sklearn family needs the class name of an estimator"),
        (("name: small\n", ""), [], f"small.yaml: name\n  'name' {MISSING}\n  try: engine options name"),
        (("  target: y\n", ""), [], f"small.yaml:4: schema.target\n  'target' {MISSING}\n  try: engine options schema.target"),
        (("", ""), ["schema.columns.zz.min=3"], "command line: schema.columns.zz\n  'zz' is not a column of the recipe, and a new one needs its type\n  allowed: a, a.b, a b.c, y\n"),
        (("", ""), ["~seed"], "command line: seed\n  'seed' is taken out, and a recipe needs it\n  try: engine options seed"),
    ],
)  # fmt: skip
def test_a_mistake_stands_where_it_was_made(
    recipe: Path, change: tuple[str, str], overrides: list[str], message: str
) -> None:
    """A wrong option stands where it was chosen, and a key that is missing in the recipe that has to say it."""
    from engine.plan import load_checked

    recipe.write_text(RECIPE.replace(*change) if change[0] else RECIPE)
    (recipe.parent / "table.csv").write_text("a,a.b,a b.c,y\n1,2,3,no\n1,2,3,yes\n")
    with pytest.raises(RecipeError) as error:
        load_checked(recipe, overrides)
    assert str(error.value).startswith(message)


def test_keys_that_an_option_lacks_are_missing_in_its_file(recipe: Path) -> None:
    """An empty option's file is the one that is blamed."""
    (recipe.parent / "conf" / "model").mkdir(parents=True)
    (recipe.parent / "conf" / "model" / "empty.yaml").touch()
    with pytest.raises(RecipeError) as error:
        load_spec(recipe, ["model=empty"])
    assert str(error.value) == (
        f"conf/model/empty.yaml: model.family\n  'family' {MISSING}\n  try: engine options model.family"
    )
