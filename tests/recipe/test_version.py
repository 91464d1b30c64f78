"""A recipe goes on meaning what its version said, whatever later engines change."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import RecipeError
from engine.recipe.compose import compose
from engine.recipe.find import conf_folders
from engine.recipe.load import to_spec
from engine.recipe.text import parse
from engine.recipe.version import CURRENT, written_version

RECIPE = "{version}name: small\ndata: {{path: t.csv}}\nschema: {{target: y, columns: {{x: {{type: number}}, y: {{type: category}}}}}}\n"
MODEL = "family: ridge\nparams: {{alpha: {alpha}}}\nspace: {{}}\n"
UPGRADE = "  try: pip install --upgrade declarative-engine"


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a `conf/` as it would stand after two changes: the same option said 1, then 2, and says 3 now."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "conf"
    for place, alpha in (("v1", 1), ("v2", 2), (".", 3)):
        (folder / place / "model").mkdir(parents=True, exist_ok=True)
        (folder / place / "model" / "mine.yaml").write_text(MODEL.format(alpha=alpha))
    (folder / "v1" / "model" / "dropped.yaml").write_text(MODEL.format(alpha=7))
    return folder


def alpha(version: str, *, current: int, option: str = "mine") -> object:
    """Compose a recipe that begins with `version` by an engine of version `current`; return the parameter."""
    Path("small.yaml").write_text(RECIPE.format(version=version))
    composition = compose("small.yaml", [f"model={option}"], current=current)
    assert to_spec(composition).recipe_version == composition.plain["recipe_version"]
    return composition.plain["model"]["params"]["alpha"]  # type: ignore[index,call-overload]


@pytest.mark.usefixtures("conf")
@pytest.mark.parametrize(
    ("version", "current", "expected"),
    [
        ("", 1, 3),
        ("", 2, 1),
        ("", 3, 1),
        ("recipe_version: 1\n", 3, 1),
        ("recipe_version: 2\n", 3, 2),
        ("recipe_version: 3\n", 3, 3),
        ("recipe_version: 2\n", 2, 3),
    ],
)
def test_an_option_answers_as_it_did_in_the_version_of_the_recipe(
    version: str, current: int, expected: int
) -> None:
    """What a later version changed is read as it was; a recipe that says no version is of version 1."""
    assert alpha(version, current=current) == expected


@pytest.mark.usefixtures("conf")
def test_an_option_that_was_dropped_is_still_there_for_old_recipes() -> None:
    """An option kept for version 1 alone is none of version 2."""
    assert alpha("recipe_version: 1\n", current=2, option="dropped") == 7
    with pytest.raises(RecipeError, match="'dropped' is not an option of model"):
        alpha("recipe_version: 2\n", current=2, option="dropped")


def test_what_a_version_did_not_change_comes_from_today(conf: Path) -> None:
    """A file kept for version 2 counts for version 1 too, and the folders of today follow."""
    (conf / "v1" / "model" / "mine.yaml").unlink()
    assert alpha("", current=3) == 2
    found = conf_folders(conf.parent / "small.yaml", version=1, current=3)
    assert [folder.name for folder in found[:3]] == ["v1", "v2", "conf"]
    assert conf_folders(conf.parent / "small.yaml")[0].name == "conf"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipe_version: 3", f"r.yaml:1: recipe_version\n  this recipe is of version 3, and this engine reads versions up to 2\n{UPGRADE}"),
        ("a: 1\nrecipe_version: 0", "r.yaml:2: recipe_version\n  a version of the recipe language is a whole number from 1 to 2\n  try: engine options recipe_version"),
        ("recipe_version: true", "r.yaml:1: recipe_version\n  a version of the recipe language is a whole number from 1 to 2\n  try: engine options recipe_version"),
        ("recipe_version: 1.0", "r.yaml:1: recipe_version\n  a version of the recipe language is a whole number from 1 to 2\n  try: engine options recipe_version"),
        ("recipe_version: ${seed}", "r.yaml:1: recipe_version\n  a version of the recipe language is a whole number from 1 to 2\n  try: engine options recipe_version"),
    ],
)  # fmt: skip
def test_a_version_that_is_not_known(text: str, message: str) -> None:
    """A recipe of a later engine says to upgrade; what is no version says what one is."""
    with pytest.raises(RecipeError) as error:
        written_version(parse(text, file="r.yaml"), current=2)
    assert str(error.value) == message


@pytest.mark.usefixtures("conf")
def test_the_command_line_does_not_change_the_version() -> None:
    """The version is the file's: the options have been looked up by it."""
    Path("small.yaml").write_text(RECIPE.format(version=""))
    with pytest.raises(RecipeError) as error:
        to_spec(compose("small.yaml", ["recipe_version=2"], current=2))
    assert str(error.value) == (
        "command line: recipe_version\n  the version stands in the recipe's own file, and is 1 there\n"
        "  try: engine options recipe_version"
    )
    assert compose("small.yaml", ["recipe_version=1"], current=2).plain["recipe_version"] == 1


def test_this_engine_reads_version_1() -> None:
    """The engine's own version is one that it reads."""
    assert written_version(parse(f"recipe_version: {CURRENT}", file="r.yaml")) == CURRENT
    assert written_version(parse("name: x", file="r.yaml")) == 1
