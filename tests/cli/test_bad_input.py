"""What a stranger gets wrong: each a message with its place, the right exit code, nothing left behind."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from engine.cli import main


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mixed: ModuleType) -> Path:
    """Write the mixed table and its recipe, and work beside them."""
    monkeypatch.chdir(tmp_path)
    path: Path = mixed.write(tmp_path)
    return path


def change(**columns: pl.Expr | None) -> None:
    """Change columns of the table; None takes one out."""
    table = pl.read_csv("mixed.csv", infer_schema=False)
    for name, expression in columns.items():
        table = table.drop(name) if expression is None else table.with_columns(expression.alias(name))
    table.write_csv("mixed.csv")


def put(column: str, row: int, value: str | None) -> None:
    """Put one value into the table; rows count from 1."""
    table = pl.read_csv("mixed.csv", infer_schema=False)
    cells = table[column].to_list()
    cells[row - 1] = value
    table.with_columns(pl.Series(column, cells)).write_csv("mixed.csv")


RECIPE_MISTAKES = [
    (
        ["modle=logistic"],
        "command line: modle\n  'modle' is not a key of a recipe\n  did you mean 'model'?\n"
        "  allowed: compute, data, deploy, evaluation, goal, governance, model, name, recipe_version, runs and 6 more\n"
        "  try: engine options\n",
    ),
    (
        ["schema.columns.size.mni=0"],
        "command line: schema.columns.size.mni\n  'mni' is not a key of schema.columns.size\n  did you mean 'min'?\n"
        "  allowed: changes, description, encode, format, impute, max, max_length, min, nullable, pattern and 11 more\n"
        "  try: engine options schema.columns.size\n",
    ),
    (
        ["model=lightgmb"],
        "command line: model\n  'lightgmb' is not an option of model\n  did you mean 'lightgbm'?\n"
        "  allowed: hist_gradient_boosting, lightgbm, logistic, mlp, random_forest, ridge, sgd, sklearn, xgboost\n"
        "  try: engine options model\n",
    ),
    (
        ["model.family=lightgmb"],
        "command line: model.family\n  'lightgmb' is not a known family\n  did you mean 'lightgbm'?\n"
        "  allowed: hist_gradient_boosting, lightgbm, logistic, mlp, random_forest, ridge, sgd, sklearn, xgboost\n"
        "  try: engine options model\n",
    ),
    (
        ["model=random_forest", "model.params.n_estimator=3"],
        "command line: model.params.n_estimator\n  'n_estimator' is not a parameter of random_forest\n"
        "  did you mean 'n_estimators'?\n"
        "  allowed: bootstrap, ccp_alpha, class_weight, criterion, max_depth, max_features, max_leaf_nodes, max_samples, "
        "min_impurity_decrease, min_samples_leaf and 5 more\n  try: engine options model/random_forest\n",
    ),
    (
        ["model=ridge"],
        "command line: model\n  ridge does not do classification\n"
        "  allowed: hist_gradient_boosting, lightgbm, logistic, mlp, random_forest, sgd, sklearn, xgboost\n"
        "  try: engine options model\n",
    ),
    (
        ["schema.positive=maybe", "schema.columns.outcome.values=[no,yes]"],
        "command line: schema.positive\n  'maybe' is not a declared value of 'outcome'\n  allowed: no, yes\n",
    ),
    (["seed=soon"], "command line: seed\n  expected a whole number, got 'soon'\n  try: engine options seed\n"),
    (
        ["schema.columns.since.role=time"],
        "command line: schema.columns.since.role\n"
        "  'since' has the role time, and a stratified split would put the future into training\n"
        "  try: split: time in defaults; split.ignore_structure: true says that this is meant\n",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("overrides", "message"), RECIPE_MISTAKES, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("verb", ["plan", "run"])
def test_a_wrong_recipe(
    verb: str, overrides: list[str], message: str, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake in the recipe or on the command line: exit 2, the whole message, no traceback, no folder."""
    assert main([verb, str(recipe), "--quiet", *overrides]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert normal(said.err) == message
    assert "Traceback" not in said.err
    assert not Path("runs").exists()


def normal(text: str) -> str:
    """Return a message with our own `conf/` named the same wherever it is installed."""
    from engine.recipe.find import shipped

    return text.replace(str(shipped("conf")), "CONF")


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (lambda: Path("mixed.csv").unlink(), ["data.path", "mixed.csv"]),
        (lambda: Path("mixed.csv").write_bytes(b""), ["mixed.csv", "empty"]),
        (lambda: change(size=None), ["size", "missing"]),
        (lambda: change(sise=pl.col("size"), size=None), ["sise", "size", "did you mean 'sise'?"]),
        (lambda: put("size", 3, "11.5"), ["size", "max", "row 3", "11.5"]),
        (lambda: put("size", 7, "many"), ["size", "row 7", "many"]),
        (lambda: put("count", 9, "1.9"), ["count", "integer", "row 9", "1.9"]),
        (lambda: put("count", 4, None), ["count", "null", "row 4"]),
        (lambda: put("code", 5, "9"), ["code", "values", "row 5", "9"]),
        (lambda: put("size", 2, "inf"), ["size", "row 2", "inf"]),
        (lambda: change(outcome=pl.lit("yes")), ["outcome", "one class"]),
    ],
    ids=["missing file", "empty file", "missing column", "extra column", "above max", "text in number",
         "fraction in integer", "null", "not in values", "infinite", "one class"],
)  # fmt: skip
def test_wrong_data(
    spoil: object, parts: list[str], recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Data that is not what the recipe declares: exit 3, column, rule and rows, no traceback, no folder."""
    assert callable(spoil)
    spoil()
    assert main(["run", str(recipe), "--quiet"]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert [part for part in parts if part not in said.err] == [], said.err
    assert "Traceback" not in said.err
    assert not list(Path().glob("runs/*/*"))


def test_fewer_rows_than_folds(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """More folds than rows: exit 3, with both numbers."""
    table = pl.read_csv("mixed.csv", infer_schema=False)
    table.group_by("outcome", maintain_order=True).head(4).write_csv("mixed.csv")
    assert main(["run", str(recipe), "--quiet", "split=kfold", "split.folds=20"]) == 3
    assert capsys.readouterr().err == (
        "mixed.csv: split.folds\n  8 rows, too few for 21 folds and the test part\n"
    )


def test_an_error_is_one_json_document(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json an error is the documented document on stdout, and nothing else."""
    assert main(["run", str(recipe), "--json", "seed=x", "name=3"]) == 2
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["error"]["code"] == 2
    assert [message["key"] for message in document["error"]["messages"]] == ["name", "seed"]
    assert set(document["error"]["messages"][0]) == {"file", "line", "key", "what", "suggestion", "allowed"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "command line\n  'rnu' is not a command\n  did you mean 'run'?\n  allowed: init, plan, run, runs, show, diff, verify, predict, explain, promote and 7 more\n  try: engine --help\n"),
        (["run"], "command line\n  a recipe is needed\n  try: engine run RECIPE\n"),
        (["show", "x@latest"], "there is no finished run of 'x' in runs\n  try: engine runs\n"),
        (["techdoc", "x@latest", "-o", "x.pdf"], "command line: -o\n  'x.pdf' ends in none of the forms of this document\n  allowed: .md, .html, .json\n"),
        (["promote", "x@latest", "--why", "caf\udce9"], "command line\n  'caf\\udce9' is no text in UTF-8\n"),
        (["run", "r", "--frist"], "command line\n  unrecognized arguments: --frist\n  try: engine run --help\n"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("recipe")
def test_a_wrong_command(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command line that can't be understood: exit 2 and what to type instead."""
    assert main(arguments) == 2
    assert capsys.readouterr().err == message
