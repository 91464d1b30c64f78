"""What an editor gets: a schema that knows what the engine knows, tested by a validator in the editor's place."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from engine.editor import editor_line, language, schema_text, write_schema
from engine.errors import RecipeError
from engine.names import FAMILIES, TASKS
from engine.recipe import text
from engine.recipe.compose import compose
from engine.recipe.find import shipped
from engine.recipe.known import Node
from engine.recipe.load import load_spec
from engine.recipe.text import KeyPath, Plain

HERE = Path(__file__).parent
RECIPES = sorted(shipped("recipes").rglob("*.yaml"))
CONF = sorted(shipped("conf").rglob("*.yaml"))
SCHEMAS: dict[str, Draft202012Validator] = {}
BASE: dict[str, Plain] = {
    "name": "small",
    "data": {"path": "t.csv"},
    "schema": {"target": "y", "columns": {"x": {"type": "number"}, "y": {"type": "category"}}},
}


def validator(of: str) -> Draft202012Validator:
    """Return the validator of recipes or of the files of a group, made once."""
    if of not in SCHEMAS:
        SCHEMAS[of] = Draft202012Validator(json.loads(schema_text(HERE, of=of)))
    return SCHEMAS[of]


def kind_of(path: Path) -> str:
    """Return which schema a file of ours has."""
    if path.is_relative_to(shipped("recipes")):
        return "recipe"
    return "base" if path.stem == "base" else path.parent.name


def errors(value: Plain, of: str = "recipe") -> list[ValidationError]:
    """Return what a validator finds."""
    return list(validator(of).iter_errors(value))


def key_paths(value: Plain, above: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the path of every key."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*above, key)
            yield from key_paths(inner, (*above, key))


def misspelt(value: Plain, path: KeyPath) -> Plain:
    """Return a copy in which the last key of the path has one letter more."""
    value = copy.deepcopy(value)
    node = value
    for part in path[:-1]:
        assert isinstance(node, dict)
        node = node[part]
    assert isinstance(node, dict)
    items = list(node.items())
    node.clear()
    node.update({f"{key}x" if key == path[-1] else key: inner for key, inner in items})
    return value


@pytest.mark.parametrize("of", ["recipe", "base", "model", "task", "data", "split", "goal", "schema"])
def test_a_schema_is_a_schema_of_its_draft(of: str) -> None:
    """Each schema is sound by the meta-schema of draft 2020-12, and of a size that an editor bears."""
    written = schema_text(HERE, of=of)
    Draft202012Validator.check_schema(json.loads(written))
    assert json.loads(written)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert len(written.encode()) < 400 * 1024


@pytest.mark.parametrize("path", [*RECIPES, *CONF], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_file_of_ours_is_valid_and_a_misspelt_key_is_not(path: Path) -> None:
    """Each recipe and each file of `conf/` passes; each of its keys, misspelt, is flagged where it stands."""
    value, of = text.read(path).value, kind_of(path)
    assert errors(value, of) == []
    free = ("schema", "columns")
    keys = [keys for keys in key_paths(value) if keys[:-1] != free]
    assert keys
    for keys_ in keys:
        found = errors(misspelt(value, keys_), of)
        at = [error for error in found if list(error.absolute_path)[: len(keys_) - 1] == list(keys_[:-1])]
        assert any(f"{keys_[-1]}x" in error.message for error in at), (keys_, found)


def test_the_walk_finds_everything() -> None:
    """The walk above looks at every file there is."""
    assert len(RECIPES) == 4
    assert len(CONF) == 37


def completions(node: Node) -> list[str]:
    """Return what an editor offers for a value: the words of its `enum`, there or in its `anyOf`."""
    kinds = node.get("anyOf", [node])
    assert isinstance(kinds, list)
    words = [word for kind in kinds if isinstance(kind, dict) for word in kind.get("enum", [])]
    return [word for word in words if isinstance(word, str)]


def at(schema: Node, *path: str) -> Node:
    """Return the part of a schema that describes a key, as an editor goes down to it."""
    node: Plain = schema
    for part in path:
        assert isinstance(node, dict)
        inner = node.get("properties")
        node = inner[part] if isinstance(inner, dict) and part in inner else node["additionalProperties"]
    assert isinstance(node, dict)
    return node


def test_completions_are_what_there_is() -> None:
    """An editor completes options, kinds, types, roles and metrics as folders and rooms hold them."""
    schema = json.loads(schema_text(HERE))
    entry = schema["properties"]["defaults"]["items"]["anyOf"]
    assert entry[0]["enum"] == ["base", "_self_"]
    groups = {path.name for path in shipped("conf").iterdir() if path.is_dir()}
    offered = {name for name in entry[1]["properties"] if not name.startswith("override ")}
    assert offered == groups
    for group in groups:
        options = sorted(path.stem for path in (shipped("conf") / group).glob("*.yaml"))
        assert completions(entry[1]["properties"][group]) == options
        assert completions(entry[1]["properties"][f"override {group}"]) == options
    assert completions(at(schema, "task", "kind")) == list(TASKS.names())
    assert completions(at(schema, "model", "family")) == list(FAMILIES.names())
    types = ["integer", "number", "boolean", "category", "text", "datetime", "image"]
    assert completions(at(schema, "schema", "columns", "x", "type")) == types
    roles = ["feature", "target", "ignore", "id", "group", "time", "weight", "part", "value"]
    assert completions(at(schema, "schema", "columns", "x", "role")) == roles
    assert {"roc_auc", "rmse", "profit"} <= set(completions(at(schema, "goal", "metric")))
    assert "latency_p95_ms" not in completions(at(schema, "goal", "metric"))
    assert {"roc_auc", "latency_p95_ms", "equalized_odds_ratio"} <= set(
        at(schema, "goal", "gates")["properties"]
    )


@pytest.mark.parametrize("path", [("goal",), ("schema", "columns"), ("compute", "threads"), ("seed",)])
def test_an_editor_shows_what_a_key_means(path: tuple[str, ...]) -> None:
    """Meaning and default stand beside the key."""
    node = at(json.loads(schema_text(HERE)), *path)
    assert node["description"]
    assert ("default" in node) == (path[0] in ("compute", "seed"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
@pytest.mark.parametrize("family", FAMILIES.names())
def test_a_composed_recipe_is_valid(path: Path, family: str) -> None:
    """What a run stores is a recipe, whatever the family, and passes as one."""
    plain = compose(path, [f"model={family}"]).stored
    assert errors({"defaults": ["_self_"], **plain}) == []


VALID: list[tuple[str, dict[str, Plain]]] = [
    ("nothing chosen", {}),
    ("params of the base's family", {"model": {"params": {"num_leaves": 63}}}),
    ("params by another name", {"model": {"params": {"eta": 0.1, "reg_lambda": None}}}),
    ("params of the chosen family", {"defaults": ["base", {"model": "mlp"}], "model": {"params": {"dropout": 0.1}}}),
    ("override spelt out", {"defaults": ["base", {"override model": "mlp"}], "model": {"params": {"dropout": 0.1}}}),
    ("an estimator", {"defaults": ["base", {"model": "sklearn"}], "model": {"estimator": "Ridge", "params": {"alpha": 2}}}),
    ("interpolations", {"seed": "${compute.threads}", "split": {"test": "${split.validation}"}, "model": {"params": {"num_leaves": "${seed}"}}}),
    ("left to the command line", {"name": "???", "compute": {"threads": "???"}}),
    ("a whole section", {"split": "${goal}"}),
    ("gates", {"goal": {"gates": {"roc_auc": {"min": 0.9}, "equalized_odds_ratio": {"by": ["sex", "race"], "min": 0.8}}}}),
    ("no gates", {"goal": {"gates": None}}),
    ("regression", {"defaults": ["base", {"task": "regression"}], "goal": {"metric": "mae", "gates": {"r2": {"min": 0.5}}}}),
    ("any name of a column", {"schema": {"target": "a b", "columns": {"a b": {"type": "number"}, "x.y": {"type": "text"}, "{": {"type": "text"}}}}),
    ("space", {"model": {"space": {"num_leaves": "int(interval(8, 64))"}}}),
]  # fmt: skip
WRONG: list[tuple[str, dict[str, Plain], list[str]]] = [
    ("params of the base's family", {"model": {"params": {"num_leafs": 63}}}, ["model", "params"]),
    ("params of another family", {"defaults": ["base", {"model": "mlp"}], "model": {"params": {"num_leaves": 63}}}, ["model", "params"]),
    ("override spelt out", {"defaults": ["base", {"override model": "mlp"}], "model": {"params": {"num_leaves": 1}}}, ["model", "params"]),
    ("range of a param", {"model": {"params": {"num_leaves": 1}}}, ["model", "params", "num_leaves"]),
    ("type of a param", {"defaults": ["base", {"model": "mlp"}], "model": {"params": {"dropout": "much"}}}, ["model", "params", "dropout"]),
    ("a param that the engine sets", {"model": {"params": {"random_state": 1}}}, ["model", "params"]),
    ("params of the estimator", {"defaults": ["base", {"model": "sklearn"}], "model": {"estimator": "Ridge", "params": {"alfa": 2}}}, ["model", "params"]),
    ("an estimator that is none", {"defaults": ["base", {"model": "sklearn"}], "model": {"estimator": "Rigde"}}, ["model", "estimator"]),
    ("no estimator", {"defaults": ["base", {"model": "sklearn"}]}, []),
    ("family in the body", {"defaults": [], "model": {"family": "mlp", "params": {"num_leaves": 3}}}, ["model", "params"]),
    ("space of another family", {"model": {"space": {"dropout": "interval(0, 1)"}}}, ["model", "space"]),
    ("metric of another task", {"goal": {"metric": "rmse"}}, ["goal", "metric"]),
    ("metric of the chosen task", {"defaults": ["base", {"task": "regression"}], "goal": {"metric": "roc_auc"}}, ["goal", "metric"]),
    ("gate of another task", {"goal": {"gates": {"rmse": {"max": 1}}}}, ["goal", "gates"]),
    ("gate of no metric", {"goal": {"gates": {"roc_acu": {"min": 0.9}}}}, ["goal", "gates"]),
    ("gate without by", {"goal": {"gates": {"equalized_odds_ratio": {"min": 0.9}}}}, ["goal", "gates", "equalized_odds_ratio"]),
    ("by of a plain metric", {"goal": {"gates": {"roc_auc": {"min": 0.9, "by": "sex"}}}}, ["goal", "gates", "roc_auc"]),
    ("key of another task", {"defaults": ["base", {"task": "regression"}], "task": {"threshold": 0.5}}, ["task", "threshold"]),
    ("option of a group", {"defaults": ["base", {"model": "lightgmb"}]}, ["defaults", 1]),
    ("group", {"defaults": ["base", {"modle": "lightgbm"}]}, ["defaults", 1]),
    ("a type", {"schema": {"target": "y", "columns": {"y": {"type": "categry"}}}}, ["schema", "columns", "y", "type"]),
    ("a column without a type", {"schema": {"target": "y", "columns": {"y": {}}}}, ["schema", "columns", "y"]),
    ("a text for a number", {"seed": "soon"}, ["seed"]),
    ("a version of a later engine", {"recipe_version": 2}, ["recipe_version"]),
    ("no place of the data", {"data": {}}, ["data"]),
]  # fmt: skip


@pytest.mark.parametrize("change", [change for _, change in VALID], ids=[name for name, _ in VALID])
def test_what_may_be_written(change: dict[str, Plain]) -> None:
    """A recipe says only what it changes, by any of the names and forms that the engine takes."""
    assert errors({**BASE, **change}) == []


@pytest.mark.parametrize(("change", "place"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_is_flagged_and_where(change: dict[str, Plain], place: list[str]) -> None:
    """A mistake is flagged at its own place."""
    assert place in [list(error.absolute_path) for error in errors({**BASE, **change})]


def test_wrong_recipes_and_their_right_twins() -> None:
    """No right recipe of the table of wrong ones is flagged; of the wrong ones most are, before any run."""
    flagged = []
    for path in sorted((HERE / "recipe" / "wrong").glob("*.yaml")):
        try:
            value = text.read(path).value
        except RecipeError:
            continue
        found = errors(value)
        if path.name.endswith(".right.yaml"):
            assert found == [], path.name
        elif found:
            flagged.append(path.stem)
    assert len(flagged) >= 100


def test_options_of_ones_own(tmp_path: Path) -> None:
    """An option beside the recipe is offered, and its family and estimator say what its params are."""
    folder = tmp_path / "conf" / "model"
    folder.mkdir(parents=True)
    (folder / "trees.yaml").write_text(
        "family: sklearn\nestimator: ExtraTreesClassifier\nparams: {}\nspace: {}\n"
    )
    (folder / "leaves.yaml").write_text("family: lightgbm\nparams: {}\nspace: {}\n")
    (tmp_path / "conf" / "data").mkdir()
    (tmp_path / "conf" / "data" / "loans.yaml").write_text("path: loans.csv\n")
    own = Draft202012Validator(json.loads(schema_text(tmp_path)))

    def places(option: str, params: dict[str, Plain]) -> list[list[str | int]]:
        recipe = {**BASE, "defaults": ["base", {"model": option}], "model": {"params": params}}
        return [list(error.absolute_path) for error in own.iter_errors(recipe)]

    assert places("trees", {"n_estimators": 300, "max_depth": None}) == []
    assert ["model", "params"] in places("trees", {"num_leaves": 3})
    assert places("leaves", {"num_leaves": 3}) == []
    assert ["model", "params"] in places("leaves", {"n_neighbors": 3})
    without = {name: value for name, value in BASE.items() if name != "data"}
    assert list(own.iter_errors({**without, "defaults": ["base", {"data": "loans"}]})) == []


def test_what_the_engine_takes_the_schema_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a recipe passes the schema and is given no other way, the engine's own types pass too."""
    monkeypatch.chdir(tmp_path)
    for name, change in VALID:
        if name in ("interpolations", "left to the command line", "a whole section"):
            continue
        Path("small.yaml").write_text(text.write({**BASE, **change}))
        assert load_spec("small.yaml").name == "small", name


def test_write_schema_is_one_file_beside_the_recipe(tmp_path: Path) -> None:
    """The schema lies in `.engine` beside the recipe, whole, and is left alone where nothing differs."""
    path = write_schema(tmp_path)
    assert path == tmp_path / ".engine" / "recipe.schema.json"
    assert path.read_text(encoding="utf-8") == schema_text(tmp_path)
    before = path.stat()
    assert write_schema(tmp_path) == path
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    path.write_text("{}")
    write_schema(tmp_path)
    assert path.read_text(encoding="utf-8") == schema_text(tmp_path)
    assert [file.name for file in path.parent.iterdir()] == ["recipe.schema.json"]


def test_the_line_names_the_schema_from_the_recipe(tmp_path: Path) -> None:
    """The line is relative, so that recipe and schema can move together, and is a comment of YAML."""
    line = editor_line(tmp_path / "churn.yaml", tmp_path / ".engine" / "recipe.schema.json")
    assert line == "# yaml-language-server: $schema=.engine/recipe.schema.json"
    deeper = editor_line(tmp_path / "recipes" / "churn.yaml", tmp_path / ".engine" / "recipe.schema.json")
    assert deeper == "# yaml-language-server: $schema=../.engine/recipe.schema.json"
    assert text.parse(f"{line}\nname: x\n", file="").value == {"name": "x"}


def test_no_file_of_ours_names_a_path_of_a_machine() -> None:
    """The schema and the recipes that we ship say nothing of where they were made."""
    assert str(shipped("conf").parent) not in schema_text(HERE)
    for path in RECIPES:
        assert "$schema" not in path.read_text(encoding="utf-8")


def test_a_group_that_is_none() -> None:
    """A wrong `--for` names the nearest."""
    with pytest.raises(RecipeError) as error:
        schema_text(HERE, of="modle")
    assert str(error.value).startswith(
        "command line: --for\n  'modle' is not a group of files that have a schema\n  did you mean 'model'?\n"
        "  allowed: recipe, base, goal, governance, task, data, "
    )


def test_the_language_is_read_once_for_all_schemas() -> None:
    """The keys that the schemas describe are those of the reference, in its order."""
    keys = [key.name for key in language(HERE).keys]
    assert list(json.loads(schema_text(HERE))["properties"]) == ["defaults", *keys]
