from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import RecipeError
from engine.recipe import text
from engine.recipe.compose import compose
from engine.recipe.load import load_spec
from engine.recipe.places import Places
from engine.recipe.references import UnsoundReferenceError
from engine.recipe.resolve import MAX_DEPTH, Resolved, resolve

RECIPE = """\
defaults: [base, model: logistic, _self_]
name: small
data: {path: table.csv}
schema: {target: y, columns: {x: {type: number}, y: {type: category}}}
"""
LITERALS = st.text(st.sampled_from("\\${}ab.'\":, \ue000"), max_size=10)
PIECES = st.sampled_from(
    [
        "\\", "a", "$", "{", "}", "'", '"', " ", ":", ",", ".", "\ue000", "\\${", "\\\\\\${", "${other}",
        "${oc.env:GIVEN}", "${oc.env:NOT_GIVEN,x}", "${oc.env:NOT_GIVEN,'a, b'}", "${oc.env:NOT_GIVEN,null}",
        "${oc.env:NOT_GIVEN,'\\${a}'}", '${oc.env:NOT_GIVEN,"x\\\\"}', "${oc.env:NOT_GIVEN,'q\\'x'}",
    ]
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def environment() -> object:
    """Give one variable, whose value has a backslash and a dollar in it, and not the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIVEN", "sec\\r${e}t\\")
        patch.delenv("NOT_GIVEN", raising=False)
        yield


def resolved(plain: dict[str, text.Plain]) -> Resolved:
    """Resolve a mapping as a composed recipe is."""
    return resolve(plain, Places(()))


@given(LITERALS)
def test_plain_text_reads_back_and_never_asks_for_anything(literal: str) -> None:
    """Whatever a text looks like, escaped it is stored as text and reads back as the same text."""
    first = resolved({"key": literal.replace("\\", "").replace("${", "\\${")})
    again = resolved(first.stored)
    assert again.plain == first.plain
    assert again.stored == first.stored
    assert first.from_environment == frozenset()


@given(st.lists(PIECES, max_size=6).map("".join))
def test_what_is_stored_reads_back_to_the_same_recipe(value: str) -> None:
    """References to the environment stay references, with their defaults; all else stays what it is."""
    try:
        first = resolved({"key": value, "other": "o${oc.env:GIVEN}\\"})
    except UnsoundReferenceError:
        return
    again = resolved(first.stored)
    assert replace(again, referring=first.referring) == first
    assert "sec" not in str(first.stored)
    if "${oc.env" not in value and "${other}" not in value:
        assert ("key",) not in first.from_environment


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a recipe in a folder of its own, and work there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(RECIPE)
    return tmp_path / "small.yaml"


def rerun(recipe: Path, stored: object) -> Path:
    """Write a composed recipe as a run does."""
    path = recipe.with_name("again.yaml")
    path.write_text(text.write({"defaults": ["_self_"], **stored}))  # type: ignore[dict-item]
    return path


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("'\\${oc.env:GIVEN}'", "${oc.env:GIVEN}"),
        ("'a \\${x} b'", "a ${x} b"),
        ("'\\\\\\${x}'", "\\${x}"),
        ('"\\\\${seed}"', "${seed}"),
        ("'${seed} and \\${seed}'", "0 and ${seed}"),
    ],
)
def test_a_literal_dollar_is_never_interpolated_on_a_second_run(
    recipe: Path, statement: str, value: str
) -> None:
    """compose, write, compose gives the same spec; a text that looks like a reference is not read from anywhere."""
    recipe.write_text(f"{RECIPE}goal: {{statement: {statement}}}\n")
    first = load_spec(recipe)
    assert first.goal.statement == value
    again = load_spec(rerun(recipe, first.to_plain()))
    assert again.model_dump() == first.model_dump()
    assert again.sha256() == first.sha256()
    assert first.from_environment == frozenset()


def test_a_reference_is_kept_and_known(recipe: Path) -> None:
    """A value of the environment is stored as its name, also where another key refers to it."""
    recipe.write_text(
        RECIPE.replace("table.csv", "'${oc.env:GIVEN}'") + "goal: {statement: '${data.path}'}\n"
    )
    composed = compose(recipe)
    assert composed.stored["data"] == {**composed.plain["data"], "path": "${oc.env:GIVEN}"}  # type: ignore[dict-item]
    assert composed.stored["goal"]["statement"] == "${oc.env:GIVEN}"  # type: ignore[index,call-overload]
    assert composed.from_environment == {("data", "path"), ("goal", "statement")}
    assert compose(rerun(recipe, composed.stored)).plain == composed.plain


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("goal: {statement: '${goal.statement}'}", "small.yaml:5: goal.statement\n  the interpolation refers to itself"),
        ("goal: {statement: 'a ${b'}", "small.yaml:5: goal.statement\n  '${' opens what is no sound ${other.key}; as plain text it is written \\${"),
        ("seed: ${oc.env:GIVEN}", "small.yaml:5: seed\n  expected a whole number, got a text from the environment\n  try: engine options seed"),
        ("name: ${oc.env:GIVEN}", "small.yaml:5: name\n  expected letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 100, got a text from the environment\n  try: engine options name"),
        ("data: {format: '${oc.env:GIVEN}'}", "small.yaml:5: data.format\n  a text from the environment is not allowed\n  allowed: auto, arrow, csv, delta, ndjson, parquet, sql\n  try: engine options data"),
    ],
)  # fmt: skip
def test_interpolations_that_are_refused(recipe: Path, lines: str, message: str) -> None:
    """Each message is whole, at its place, and tells no value of the environment."""
    key = lines.partition(":")[0]
    kept = [line for line in RECIPE.splitlines() if not line.startswith(f"{key}:")]
    recipe.write_text("\n".join([*kept, *["#"] * (4 - len(kept)), lines]))
    with pytest.raises(RecipeError) as error:
        load_spec(recipe)
    assert message in str(error.value)
    assert "sec" not in str(error.value)


def chain(n_links: int) -> dict[str, text.Plain]:
    """Return a mapping in which each of so many keys refers to the next; `a0` refers furthest."""
    return {**{f"a{i}": f"${{a{i + 1}}}" for i in range(n_links)}, f"a{n_links}": "end"}


@pytest.mark.parametrize("backwards", [False, True])
def test_references_follow_each_other_twenty_times(backwards: bool) -> None:
    """A chain of 20 is followed from whichever end; one of 21 is refused, and so is one of thousands."""

    def ordered(n_links: int) -> dict[str, text.Plain]:
        links = chain(n_links)
        return dict(reversed(links.items())) if backwards else links

    assert set(resolved(ordered(MAX_DEPTH)).plain.values()) == {"end"}
    for n_links in (MAX_DEPTH + 1, 5000):
        with pytest.raises(RecipeError, match="references follow each other further than 20"):
            resolved(ordered(n_links))


@pytest.mark.parametrize(
    "double",
    [
        lambda i: f"${{a{i}}}${{a{i}}}",
        lambda i: {"x": f"${{a{i}}}", "y": f"${{a{i}}}"},
        lambda i: [f"${{a{i}}}", f"${{a{i}}}"],
    ],
    ids=["texts", "mappings", "lists"],
)
def test_what_references_expand_to_is_bounded(double: Callable[[int], text.Plain]) -> None:
    """Twice the one before, nineteen times over, is refused before it is built."""
    bomb: dict[str, text.Plain] = {"a0": "x", **{f"a{i + 1}": double(i) for i in range(19)}}
    start = time.process_time()
    with pytest.raises(RecipeError, match="references expand to more than 65536 characters"):
        resolved(bomb)
    assert time.process_time() - start < 0.5
    small: dict[str, text.Plain] = {"a0": "x", **{f"a{i + 1}": double(i) for i in range(9)}}
    assert len(str(resolved(small).plain["a9"])) >= 2**9


@pytest.mark.parametrize(
    ("tree", "value"),
    [
        ({"a": "${b.c}", "b": {"c": [1, 2]}}, [1, 2]),
        ({"a": "${b}", "b": {"c": "${d}"}, "d": None}, {"c": None}),
        ({"a": "x${b}y${c}${d}", "b": True, "c": 1.5, "d": None}, "xtruey1.5null"),
        ({"a": "${b[1]}", "b": [1, 2]}, 2),
        ({"a": "${b[c.d]}", "b": {"c.d": 3}}, 3),
        ({"b": {"c": 4}, "a": {"e": "${..b.c}", "f": "${.e}"}}, {"e": 4, "f": 4}),
        ({"a": "${b}", "b": "\\${c}"}, "${c}"),
    ],
)
def test_a_reference_has_the_value_of_its_key(tree: dict[str, text.Plain], value: object) -> None:
    """Alone it is the value, of whatever type; within a text it is written as a recipe writes it."""
    assert resolved(tree).plain["a"] == value


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a": "${b}", "b": "${a}"}, "b\n  the interpolation refers to itself"),
        ({"a": {"b": "${a}"}}, "a.b\n  the interpolation refers to itself"),
        ({"a": "${thre}", "three": 3}, "a\n  '${thre}' refers to nothing: there is no key 'thre'\n  did you mean '${three}'?"),
        ({"a": "${b.d}", "b": {"c": 1}}, "a\n  '${b.d}' refers to nothing: there is no key 'b.d'"),
        ({"a": "${b[2]}", "b": [1, 2]}, "a\n  '${b.2}' refers to nothing: there is no key 'b.2'"),
        ({"a": "${...b}"}, "a\n  '${...b}' leads above the recipe"),
        ({"a": "x ${b}", "b": {"c": 1}}, "a\n  a text can't hold the keys that it refers to"),
        ({"a": "${b}", "b": "???"}, "a\n  '${b}' refers to a key that has no value"),
        ({"a": "${oc.env:NOT_GIVEN}"}, "a\n  the environment variable NOT_GIVEN is not set"),
    ],
)  # fmt: skip
def test_what_can_not_be_resolved_is_said_once(tree: dict[str, text.Plain], message: str) -> None:
    """A key that can't be resolved is left out with those that need it, and the rest is there."""
    found = resolved({**tree, "needs": "${a}", "fine": 1})
    assert [str(mistake) for mistake in found.mistakes] == [message]
    assert found.plain["fine"] == 1
    assert found.plain.get("needs", {}) == {}


def test_what_the_environment_gives_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that looks like a reference is not followed: not now, not through another key, not when read again."""
    monkeypatch.setenv("TRICKY", "${oc.env:HOME}${other}\\${x}")
    first = resolved({"a": "${oc.env:TRICKY}", "b": "<${a}>", "other": "secret"})
    assert first.plain["a"] == "${oc.env:HOME}${other}\\${x}"
    assert first.plain["b"] == "<${oc.env:HOME}${other}\\${x}>"
    assert first.stored == {"a": "${oc.env:TRICKY}", "b": "<${oc.env:TRICKY}>", "other": "secret"}
    assert first.from_environment == {("a",), ("b",)}
    assert first.referring == {("b",)}
