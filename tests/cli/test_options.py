"""`engine options` and `engine schema`, as typed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from engine.cli import main
from engine.cli.reference import page_of
from engine.editor import language
from engine.names import FAMILIES
from engine.recipe.find import shipped

ROOT = Path(__file__).parent.parent.parent
TRY = re.compile(r"try: engine options ([A-Za-z_][\w./<>]*)")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what `engine options` prints for people, each run of blanks as one."""
    assert main(["options", *arguments]) == 0
    return re.sub(r"\s+", " ", capsys.readouterr().out)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, list[dict[str, object]]]:
    """Return what `engine options --json` says."""
    assert main(["options", *arguments, "--json"]) == 0
    document: dict[str, list[dict[str, object]]] = json.loads(capsys.readouterr().out)
    return document


def test_everything_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Without an argument: each option of each group with what it is, then each key."""
    words = shown(capsys)
    for path in shipped("conf").glob("*/*.yaml"):
        assert path.stem in words
    for dotted in ("schema.columns.<name>.role", "goal.gates.<metric>.by", "compute.parallel_runs", "seed"):
        assert f"│ {dotted} │" in words
    assert words.index("groups:") < words.index("keys:")
    document = told(capsys)
    assert sorted(document["groups"]) == sorted(p.name for p in shipped("conf").iterdir() if p.is_dir())
    assert len(document["keys"]) > 70
    assert {metric["name"] for metric in document["metrics"]} >= {"roc_auc", "rmse", "bundle_mib"}


def test_a_key_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    """One key: its type, its default and where an option has another, its meaning, an example."""
    assert main(["options", "compute.threads"]) == 0
    assert capsys.readouterr().out == (
        "compute.threads\n"
        "  type     whole number, at least 1; or null\n"
        "  default  null\n"
        "           1 with compute: ray\n"
        "           1 with compute: small\n"
        "  meaning  threads of one fit; null: as many as there are cores\n"
        "  example  threads: 4\n"
    )
    assert told(capsys, "compute.threads") == {
        "keys": [
            {
                "key": "compute.threads",
                "type": "whole number, at least 1; or null",
                "choices": [],
                "required": False,
                "default": None,
                "default_by_option": {"cpu": None, "gpu": None, "ray": 1, "small": 1},
                "meaning": "threads of one fit; null: as many as there are cores",
                "example": 4,
                "only_for": None,
            }
        ]
    }


def test_a_key_and_those_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    """A key with keys below it lists them, whatever name stands for a placeholder."""
    below = [key["key"] for key in told(capsys, "schema.columns")["keys"]]
    assert below[:4] == [
        "schema.columns", "schema.columns.<name>", "schema.columns.<name>.type", "schema.columns.<name>.role",
    ]  # fmt: skip
    assert [key["key"] for key in told(capsys, "schema.columns.age")["keys"]] == below[1:]
    role = told(capsys, "schema.columns.age.role")["keys"][0]
    assert role["choices"] == [
        "feature",
        "target",
        "ignore",
        "id",
        "group",
        "time",
        "weight",
        "part",
        "value",
    ]
    assert "seconds" not in shown(capsys, "schema.columns")


@pytest.mark.parametrize("what", ["goal.gates", "goal.gates.f1", "goal.metric", "goal", "task"])
def test_metrics_are_listed_where_they_are_named(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a metric may be named, all that may be are listed; those that gates alone take, with gates."""
    metrics = {str(metric["name"]): metric for metric in told(capsys, what)["metrics"]}
    assert metrics["roc_auc"]["tasks"] == ["classification"]
    assert metrics["rmse"]["greater_is_better"] is False
    assert ("equalized_odds_ratio" in metrics) == (what in ("goal", "goal.gates", "goal.gates.f1"))
    assert "roc_auc" in shown(capsys, what)


def test_a_group_lists_its_options_and_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """A group that is a section too lists both."""
    document = told(capsys, "split")
    assert [option["name"] for option in document["options"]] == [
        "group", "kfold", "predefined", "purged", "random", "stratified", "stratified_group", "time",
    ]  # fmt: skip
    assert [option["name"] for option in document["options"] if option["is_default"]] == ["stratified"]
    assert [key["key"] for key in document["keys"]][:2] == ["split", "split.kind"]
    words = shown(capsys, "split")
    assert "stratified (default)" in words
    assert "│ split.folds │ whole number, at least 2; or null │ null │" in words


@pytest.mark.parametrize("name", FAMILIES.names())
def test_a_model_lists_its_parameters(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A model's page is its file, then each parameter with type, default, what the file says and its space."""
    assert main(["options", f"model/{name}"]) == 0
    words = capsys.readouterr().out
    assert words.startswith((shipped("conf") / "model" / f"{name}.yaml").read_text().rstrip())
    params = {str(row["name"]): row for row in told(capsys, f"model/{name}")["params"]}
    if name == "sklearn":
        assert params == {}
        assert "ExtraTreesClassifier" in words
        assert "Ridge" in words
    else:
        assert params
        assert all(row["type"] for row in params.values())


def test_a_parameter_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    """A parameter has the library's default, the option's value, its search space and its other names."""
    (rate,) = [p for p in told(capsys, "model/lightgbm")["params"] if p["name"] == "learning_rate"]
    assert rate == {
        "name": "learning_rate",
        "type": "number, above 0; or null",
        "schema": {"anyOf": [{"type": "number", "exclusiveMinimum": 0.0}, {"type": "null"}]},
        "default": 0.1,
        "here": 0.04,
        "space": "tag(log, interval(0.01, 0.3))",
        "aliases": ["eta", "shrinkage_rate"],
    }
    by_family = told(capsys, "model.params.eta")["params"]
    assert [(row["model"], row["name"]) for row in by_family] == [
        ("lightgbm", "learning_rate"), ("xgboost", "learning_rate"),
    ]  # fmt: skip
    estimator = told(capsys, "model/sklearn/Ridge")["params"]
    assert [row["name"] for row in estimator][:2] == ["alpha", "copy_X"]


def test_a_metric_is_told_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    """A metric's page: what it is, which way it points, what it needs, and the keys that name it."""
    assert main(["options", "profit"]) == 0
    assert capsys.readouterr().out == (
        "profit: a metric, which goal.metric and goal.gates can name\n"
        "  meaning  Profit per 1,000 cases, in goal.value.currency\n"
        "  better   higher\n"
        "  task     classification\n"
        "  needs    goal.value\n"
        "  example  goal: {metric: profit}\n"
        "           goal: {gates: {profit: {min: …}}}\n"
        "engine options goal.metric or goal.gates says more, and lists all metrics\n"
    )
    assert told(capsys, "bundle_mib")["used_in"] == ["goal.gates"]
    assert "goal: {gates: {bundle_mib: {max: …}}}" in shown(capsys, "bundle_mib")
    known = [str(metric["name"]) for metric in told(capsys, "goal.gates")["metrics"]]
    assert [told(capsys, name)["metrics"][0]["name"] for name in known] == known
    assert main(["options", "rocauc"]) == 2
    assert "did you mean 'roc_auc'?" in capsys.readouterr().err


def test_an_option_of_ones_own(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An option beside the recipe is listed, shown, and has the parameters of the estimator that it names."""
    folder = here / "conf" / "model"
    folder.mkdir(parents=True)
    (folder / "trees.yaml").write_text(
        "# Many trees.\nfamily: sklearn\nestimator: ExtraTreesClassifier\nparams: {n_estimators: 9}\nspace: {}\n"
    )
    assert "│ trees │ Many trees. │" in shown(capsys, "model")
    (trees,) = [p for p in told(capsys, "model/trees")["params"] if p["name"] == "n_estimators"]
    assert (trees["here"], trees["default"]) == (9, 100)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("modle", "command line\n  'modle' is not a group or a key of a recipe\n  did you mean 'model'?\n  allowed: recipe_version, name, goal, governance, task, data, schema, split, model, tune and 6 more\n  try: engine options\n"),
        ("nullable", "command line\n  'nullable' is not a group or a key of a recipe\n  did you mean 'schema.columns.<name>.nullable'?\n  allowed: recipe_version, name, goal, governance, task, data, schema, split, model, tune and 6 more\n  try: engine options\n"),
        ("schema.colums", "command line\n  'colums' is not a key of schema\n  did you mean 'schema.columns'?\n  allowed: target, positive, missing_target, key, extra, columns\n  try: engine options schema\n"),
        ("goal.gates.f1.mn", "command line\n  'mn' is not a key of goal.gates.<metric>\n  did you mean 'goal.gates.f1.min'?\n  allowed: min, max, by\n  try: engine options goal.gates.f1\n"),
        ("task/classificaton", "command line\n  'classificaton' is not an option of task\n  did you mean 'task/classification'?\n  allowed: classification, regression\n  try: engine options task\n"),
        ("modle/mlp", "command line\n  'modle' is not a group or a key of a recipe\n  did you mean 'model'?\n  allowed: recipe_version, name, goal, governance, task, data, schema, split, model, tune and 6 more\n  try: engine options\n"),
        ("model.params.num_leafs", "command line\n  'num_leafs' is not a parameter of a family that has an option of its own\n  did you mean 'model.params.num_leaves'?\n  try: engine options model\n"),
        ("split/kfold/x", "command line\n  'split/kfold/x' is not a group or a key of a recipe\n  allowed: recipe_version, name, goal, governance, task, data, schema, split, model, tune and 6 more\n  try: engine options\n"),
    ],
)  # fmt: skip
def test_a_name_that_is_none(what: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What there is not: exit 2, the nearest there is, and where to look."""
    assert main(["options", what]) == 2
    assert capsys.readouterr().err == message


def test_an_estimator_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a class of scikit-learn the nearest is told."""
    assert main(["options", "model/sklearn/Rdge"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(
        "command line\n  'Rdge' is not an estimator of model/sklearn\n  did you mean 'model/sklearn/Ridge'?\n"
    )
    assert said.endswith("  try: engine options model/sklearn\n")


def test_each_hint_leads_somewhere() -> None:
    """Whatever an expected message of our tests says to try of `engine options`, there is a page of it."""
    files = [file for file in (ROOT / "tests").rglob("*") if file.suffix in (".py", ".yaml", ".txt", ".md")]
    found = {
        hint for file in files for hint in TRY.findall(file.read_text(encoding="utf-8", errors="replace"))
    }
    hints = sorted(hint for hint in found if not hint.endswith(("/", ".")))
    spoken = language(Path.cwd())
    for hint in hints:
        assert page_of(spoken, hint).blocks
    assert len(hints) > 12


def test_the_schema_to_stdout_and_to_a_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`engine schema` prints it, or writes it and prints where; `--for` gives that of a group's files."""
    assert main(["schema"]) == 0
    printed = capsys.readouterr().out
    Draft202012Validator.check_schema(json.loads(printed))
    assert main(["schema", "-o", "recipe.schema.json"]) == 0
    assert capsys.readouterr().out == "recipe.schema.json\n"
    assert (here / "recipe.schema.json").read_text(encoding="utf-8") == printed
    assert main(["schema", "--for", "split"]) == 0
    assert set(json.loads(capsys.readouterr().out)["properties"]) == {
        "defaults", "kind", "test", "validation", "folds", "repeats", "gap", "embargo", "ignore_structure",
    }  # fmt: skip
    assert main(["schema", "--for", "splt"]) == 2
    assert "did you mean 'split'?" in capsys.readouterr().err
    assert main(["schema", "-o", "none/x.json"]) == 2
