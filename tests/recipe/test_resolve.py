from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import RecipeError
from engine.recipe import text
from engine.recipe.compose import compose
from engine.recipe.load import load_spec
from engine.recipe.places import Places
from engine.recipe.resolve import Resolved, resolve

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
        "${oc.env:NOT_GIVEN,${oc.env:GIVEN}}", "${oc.env:NOT_GIVEN,'q\\'${oc.env:GIVEN}\\\\'}",
        "${oc.env:NOT_GIVEN,'\\${a}'}", '${oc.env:NOT_GIVEN,"x\\\\"}', "${oc.env:NOT_GIVEN,true}",
    ]
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def environment() -> object:
    """Give one variable, whose value has a backslash and a dollar in it, and not the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIVEN", "sec\\r${e}t\\")
        patch.delenv("NOT_GIVEN", raising=False)
        yield


def resolved(plain: object) -> Resolved:
    """Resolve a mapping as a composed recipe is."""
    from omegaconf import OmegaConf

    return resolve(OmegaConf.create(plain), Places(()))  # type: ignore[call-overload]


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
    from omegaconf.errors import GrammarParseError

    try:
        first = resolved({"key": value, "other": "o${oc.env:GIVEN}\\"})
    except (RecipeError, GrammarParseError):
        return
    again = resolved(first.stored)
    assert again == first
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
        ("name: ${oc.env:GIVEN}", "small.yaml:5: name\n  a text from the environment: string should match pattern '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'\n  try: engine options name"),
        ("data: {format: '${oc.env:GIVEN}'}", "small.yaml:5: data.format\n  a text from the environment is not allowed\n  allowed: auto, csv, parquet\n  try: engine options data"),
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
