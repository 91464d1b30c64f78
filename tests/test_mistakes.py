from __future__ import annotations

import time
from pathlib import Path

import pytest

from engine.errors import RecipeError
from engine.plan import load_checked

RECIPE = """\
name: small
data: {path: table.csv}
goal: {metric: roc_auc, gates: {roc_auc: {min: 0.8}}}
schema:
  target: y
  columns:
    x: {type: number, min: 0}
    y: {type: category, values: [a, b]}
"""


def keys(folder: Path, text: str, *overrides: str) -> list[str]:
    """Return the keys of all messages, in the order of the report."""
    (folder / "small.yaml").write_text(text)
    (folder / "table.csv").write_text("x,y\n1,a\n2,b\n")
    try:
        load_checked(folder / "small.yaml", overrides)
    except RecipeError as error:
        return [message.key for message in error.messages]
    return []


def test_every_room_is_asked_in_one_go(tmp_path: Path) -> None:
    """Types, schema, split, task, gates, model and space are wrong at once, and are told at once."""
    text = RECIPE.replace("min: 0}", "min: 9, max: 3}").replace("roc_auc: {min", "roc_acu: {min")
    text = text.replace("metric: roc_auc", "metric: rmse") + (
        "split: {test: 0.7, validation: 0.4}\nseed: x\n"
        "model: {params: {num_leafs: 3}, space: {learning_rat: 'choice(1)'}}\ndeploy: {kind: bentoo}\n"
    )
    assert keys(tmp_path, text) == [
        "goal.metric",
        "goal.gates.roc_acu",
        "schema.columns.x.min",
        "split.test",
        "seed",
        "model.params.num_leafs",
        "model.space.learning_rat",
        "deploy.kind",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("type: number", "type: 3"), ["schema.columns.x.type"]),
        (("{type: category, values: [a, b]}", "{typ: category, values: [a, b]}"), ["schema.columns.y.typ"]),
        (("name: small", "name: small\ntask: {kind: clasification}"), ["task.kind"]),
        (("name: small", "name: small\nmodel: {family: lightbgm}"), ["model.family"]),
        (("metric: roc_auc", "metrc: roc_auc"), ["goal.metrc"]),
        (("gates: {roc_auc: {min: 0.8}}", "gates: {roc_auc: {min: high}}"), ["goal.gates.roc_auc.min"]),
    ],
)
def test_no_mistake_follows_from_another(
    tmp_path: Path, change: tuple[str, str], expected: list[str]
) -> None:
    """One mistake is one message, whatever else depends on it."""
    assert change[0] in RECIPE
    assert keys(tmp_path, RECIPE.replace(*change)) == expected


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["model.family=xgboost"], ["model.family"]),
        (["model.family=mlp"], ["model.family"]),
        (["model=xgboost"], []),
        (["model.family=xgboost", "model.params.num_leaves=3"], ["model.params.num_leaves", "model.family"]),
        (["task.kind=regression", "schema.target=x"], ["task.kind", "goal.metric", "goal.gates.roc_auc"]),
    ],
)
def test_a_family_or_task_is_chosen_with_its_option(
    tmp_path: Path, overrides: list[str], expected: list[str]
) -> None:
    """Where the family alone is changed, what its old option leaves behind is one message."""
    assert sorted(keys(tmp_path, RECIPE, *overrides)) == sorted(expected)


def test_a_mistake_in_a_default_is_told_where_it_was_taken(tmp_path: Path) -> None:
    """No message sends anyone into a file of the engine's own."""
    text = (
        RECIPE.replace("metric: roc_auc, ", "").replace(", values: [a, b]", "") + "task: {kind: regression}\n"
    )
    (tmp_path / "table.csv").write_text("x,y\n1,a\n2,b\n")
    (tmp_path / "small.yaml").write_text(text)
    with pytest.raises(RecipeError) as error:
        load_checked(tmp_path / "small.yaml")
    assert {Path(message.file).name for message in error.value.messages} == {"small.yaml"}


@pytest.mark.parametrize(
    "change",
    [
        ("    x: {type: number, min: 0}", "\n".join(f"    c{n}: {{type: nmber}}" for n in range(2000))),
        ("    x: {type: number, min: 0}", "\n".join(f"    c{n}: {{typ: number}}" for n in range(2000))),
        ("    x: {type: number, min: 0}", "\n".join(f"    c{n}: {{type: number, min: 3, max: 1}}" for n in range(2000))),
        ("name: small", "name: small\nmodel:\n  params:\n" + "\n".join(f"    p{n}: 1" for n in range(5000))),
        ("name: small", "name: small\nmodel:\n  space:\n" + "\n".join(f"    p{n}: choice(1)" for n in range(5000))),
        ("name: small", "name: small\n" + "\n".join(f"k{n}: 1" for n in range(5000))),
    ],
)  # fmt: skip
def test_thousands_of_mistakes_are_told_in_a_moment(tmp_path: Path, change: tuple[str, str]) -> None:
    """The first fifty are told, and finding them takes no longer than reading the recipe."""
    assert change[0] in RECIPE
    before = time.process_time()
    found = keys(tmp_path, RECIPE.replace(*change))
    assert (len(found), found[-1]) == (51, "")
    # A comparison of each with each takes ten seconds and more.
    assert time.process_time() - before < 4


def test_a_device_that_is_not_there_is_told_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run on CUDA is refused where no device is seen, in the recipe and on the command line."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert keys(tmp_path, RECIPE, "compute=gpu") == ["compute.device"]
    assert keys(tmp_path, RECIPE + "compute: {device: cuda}\n") == ["compute.device"]
    assert keys(tmp_path, RECIPE + "compute: {device: cuda}\n", "compute=cpu") == []
