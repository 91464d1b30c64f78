"""Random edits of a right recipe: whatever a tired hand does to it, the answer is a plan or a message."""

from __future__ import annotations

import contextlib
import copy
import io
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.cli import main
from engine.recipe.text import Plain, write

# A plan takes a fifth of this; a loaded machine gets the rest.
MAX_CPU_S = 2.0
RECIPE: dict[str, Plain] = {
    "defaults": ["base", {"model": "lightgbm"}, "_self_"],
    "name": "loans",
    "goal": {
        "statement": "about ${data.path}",
        "metric": "roc_auc",
        "gates": {"roc_auc": {"min": 0.8}, "demographic_parity_ratio": {"by": ["sex"], "min": 0.5}},
        "value": {"true_positive": 50, "currency": "EUR"},
    },
    "task": {"threshold": 0.5},
    "data": {"path": "loans.csv", "delimiter": ",", "null_values": ["?"]},
    "schema": {
        "target": "repaid",
        "positive": "yes",
        "extra": "error",
        "columns": {
            "amount": {"type": "number", "min": 0, "max": 5000.5},
            "age": {"type": "integer", "min": 18, "nullable": True},
            "sex": {"type": "category", "values": ["female", "male"], "sensitive": True},
            "repaid": {"type": "category", "pattern": "yes|no", "max_length": 3},
        },
    },
    "split": {"kind": "kfold", "folds": 3, "test": 0.2, "validation": 0.1},
    "model": {"params": {"num_leaves": 7}, "space": {"num_leaves": "int(interval(4, 64))"}},
    "evaluation": {"bootstrap": 10, "confidence": 0.9, "pictures": False},
    "compute": {"device": "cpu", "threads": None},
    "seed": 7,
}
ROWS = "amount,age,sex,repaid\n1200,34,female,yes\n300.5,51,male,no\n800,28,female,yes\n99,45,male,no\n"
VALUES: list[Plain] = [
    None, True, False, 0, 1, -1, 2**40, 0.5, 1.0, -2.5, 1e300, "", "yes", "no", "010", "12:30", "1_000", ".nan",
    "number", "integer", "datetime", "time", "group", "target", "classification", "regression", "logistic",
    "kfold", "profit", "rmse", "amount", "interval(1, 2)", "choice(1)", "${seed}", "${goal}", "${no.such}", "${",
    "${oc.env:NO_SUCH_VARIABLE}", "a b", "ünïcode", "../x", "\x07", "x" * 300, [], {}, [1, "a"], [[1]],
    ["sex", "sex"], {"min": 1}, {"a": {"b": [None]}}, {"type": "number"}, [{"model": "mlp"}, "base"],
]  # fmt: skip
NAMES = [
    "min",
    "max",
    "type",
    "role",
    "kind",
    "values",
    "params",
    "name",
    "target",
    "amount",
    "",
    "a.b",
    "modle",
]
OVERRIDES = [
    "seed=1", "model=logistic", "modle=mlp", "split=time", "split.tets=1", "+seed=1", "~seed", "~goal.value",
    "model.params.lr=0.1", "goal.gates.roc_auc.min=x", "schema.columns.age.type=text", "a=b=c", "[", "=", "x",
    'schema.columns."a b".type=number', "seed=1,2", "goal={}", "goal=[1]", "data=null", "task.kind=regression",
    "~schema.columns.repaid", "model.params={}", "+a.b.c=1", "name=${seed}", "++split.folds=null",
]  # fmt: skip


def paths(value: Plain, above: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every key and element."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, child in inner for path in ((*above, key), *paths(child, (*above, key)))]


def edit(recipe: Plain, path: tuple[str | int, ...], how: str, value: Plain, name: str) -> None:
    """Delete, rename or replace what stands at a path, where an earlier edit has left it there."""
    node: Plain = recipe
    for part in path[:-1]:
        is_there = (isinstance(node, dict) and part in node) or (
            isinstance(node, list) and isinstance(part, int) and part < len(node)
        )
        if not is_there:
            return
        node = node[part]  # type: ignore[index, call-overload]
    key = path[-1]
    if isinstance(node, dict) and isinstance(key, str) and key in node:
        old = node.pop(key)
        if how == "rename":
            node[name] = old
        elif how == "misspell":
            node[key[1:] + key[:1]] = old
        elif how == "replace":
            node[key] = value
        elif how == "wrap":
            node[key] = [old]
    elif isinstance(node, list) and isinstance(key, int) and key < len(node):
        node[key] = value


EDITS = st.lists(
    st.tuples(
        st.sampled_from(paths(RECIPE)),
        st.sampled_from(["delete", "rename", "misspell", "replace", "replace", "wrap"]),
        st.sampled_from(VALUES),
        st.sampled_from(NAMES),
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work beside the table of the recipe."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loans.csv").write_text(ROWS)
    return tmp_path


def plan(recipe: Plain, overrides: list[str]) -> tuple[int, str, float]:
    """Return the exit code, the words on stderr and the seconds of processor of `engine plan`."""
    Path("recipe.yaml").write_text(write(recipe), encoding="utf-8")
    out, err = io.StringIO(), io.StringIO()
    before = time.process_time()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["plan", "recipe.yaml", "--quiet", *overrides])
    return code, err.getvalue(), time.process_time() - before


@pytest.mark.usefixtures("home")
def test_the_recipe_itself_is_right() -> None:
    """What is edited is a right recipe."""
    assert plan(RECIPE, [])[:2] == (0, "")


@pytest.mark.usefixtures("home")
@settings(
    derandomize=True, max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # fmt: skip
@given(edits=EDITS, overrides=st.lists(st.sampled_from(OVERRIDES), max_size=2))
def test_an_edited_recipe_is_planned_or_refused(
    edits: list[tuple[tuple[str | int, ...], str, Plain, str]], overrides: list[str]
) -> None:
    """Never a fault of our own, never an empty message, never a long wait."""
    recipe = copy.deepcopy(RECIPE)
    for path, how, value, name in edits:
        edit(recipe, path, how, copy.deepcopy(value), name)
    code, said, seconds = plan(recipe, overrides)
    assert code in (0, 2, 3), said
    assert (code == 0) == (said == ""), said
    assert seconds < MAX_CPU_S, (seconds, said)
