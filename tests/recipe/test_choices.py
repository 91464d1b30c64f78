from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import RecipeError
from engine.recipe import text
from engine.recipe.compose import Composition, compose
from engine.recipe.load import to_spec

RECIPE = """\
name: small
data: {path: table.csv}
schema: {target: y, columns: {g: {type: text, role: group}, x: {type: number}, y: {type: category}}}
split:
  kind: random
  test: 0.3
  folds: 3
model: {params: {num_leaves: 9}}
compute: {device: cuda, parallel_runs: 2}
evaluation: {bootstrap: 7, confidence: 0.9}
tune: {kind: random, trials: 4, max_seconds: 60}
"""


@pytest.fixture(autouse=True)
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work beside a recipe and the same recipe composed, as a run stores it."""
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text("g,x,y\n1,1,a\n2,2,b\n")
    Path("small.yaml").write_text(RECIPE)
    stored = compose("small.yaml").stored
    Path("stored.yaml").write_text(text.write({"defaults": ["_self_"], **stored}))


def value(composition: Composition, key: str) -> object:
    """Return the value of a dotted key."""
    node: object = composition.plain
    for part in key.split("."):
        assert isinstance(node, dict)
        node = node[part]
    return node


@pytest.mark.parametrize("name", ["small.yaml", "stored.yaml"])
@pytest.mark.parametrize(
    ("override", "expected", "left_out"),
    [
        ("split=group", {"split.kind": "group", "split.test": 0.3, "split.folds": None}, "split.kind, split.folds"),
        ("split=stratified", {"split.kind": "stratified", "split.folds": None}, "split.kind, split.folds"),
        ("split=kfold", {"split.kind": "kfold", "split.test": 0.3, "split.folds": 5}, "split.kind, split.folds"),
        ("compute=cpu", {"compute.device": "cpu", "compute.parallel_runs": 2}, "compute.device"),
        ("evaluation=quick", {"evaluation.bootstrap": 0, "evaluation.confidence": 0.9}, "evaluation.bootstrap"),
        ("tune=none", {"tune.kind": "none", "tune.max_seconds": 60}, "tune.kind, tune.trials"),
        ("model=logistic", {"model.family": "logistic", "model.params": {"C": 1.0, "max_iter": 1000}}, "model.params"),
    ],
)  # fmt: skip
def test_a_chosen_option_is_the_one_that_counts(
    name: str, override: str, expected: dict[str, object], left_out: str
) -> None:
    """What would make another option of it is left out of the recipe, with a note; what no option says stays."""
    composition = compose(name, [override])
    assert {key: value(composition, key) for key in expected} == expected
    (note,) = composition.notes
    assert note.startswith(f"{override}: left out of the recipe, as of another option: ")
    assert set(left_out.split(", ")) <= set(note.rpartition(": ")[2].split(", "))
    if name == "small.yaml":
        assert note.rpartition(": ")[2] == left_out


def test_an_option_that_was_chosen_already_leaves_the_recipe_whole() -> None:
    """`model=lightgbm` for a recipe of lightgbm changes nothing, so that it may stand in a list of models."""
    again = compose("small.yaml", ["model=lightgbm", "evaluation=standard"])
    assert (again.plain, again.notes) == (compose("small.yaml").plain, ())


def test_the_command_line_still_wins_over_the_option() -> None:
    """A key that was left out of the recipe can be said beside the option."""
    assert value(compose("small.yaml", ["split=kfold", "split.folds=4"]), "split.folds") == 4


@pytest.mark.parametrize("name", ["small.yaml", "stored.yaml"])
def test_the_origin_of_what_was_left_out_is_the_option(name: str) -> None:
    """A value is placed in the file that it was taken from, and never on the line that was left out."""
    places = compose(name, ["split=kfold", "model=logistic"]).places
    assert Path(places.find(("split", "kind"))[0]).name == "kfold.yaml"
    assert Path(places.find(("model", "params", "C"))[0]).name == "logistic.yaml"
    assert places.find(("split", "test"))[0] == name


def test_a_mistake_in_a_chosen_option_stands_in_its_file() -> None:
    """A stored recipe with an option of the user's own is not blamed for what that file says."""
    Path("conf/split").mkdir(parents=True)
    Path("conf/split/x.yaml").write_text(
        "kind: random\ntest: lots\nvalidation: 0.1\nfolds: null\nrepeats: 1\ngap: 0\nembargo: 0\nignore_structure: false\n"
    )
    with pytest.raises(RecipeError) as error:
        to_spec(compose("stored.yaml", ["split=x"]))
    assert str(error.value) == (
        "conf/split/x.yaml:2: split.test\n  expected a number, got 'lots'\n  try: engine options split.test"
    )
