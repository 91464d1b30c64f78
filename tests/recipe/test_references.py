from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.recipe.references import (
    Piece,
    Reference,
    UnsoundReferenceError,
    Variable,
    Veil,
    read,
    write,
)

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)
TEXTS = st.text(st.sampled_from("\\${}ab.'\": ,\n\ufdd0["), max_size=8)
VARIABLES = st.builds(Variable, NAMES) | st.builds(
    lambda name, default: Variable(name, default, has_default=True), NAMES, st.none() | TEXTS
)


def merged(pieces: list[str | Variable]) -> tuple[str | Variable, ...]:
    """Return the pieces as `read` has them: no empty literal, none beside another."""
    joined: list[str | Variable] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        elif piece != "":
            joined.append(piece)
    return tuple(joined) or ("",)


@given(st.lists(TEXTS | VARIABLES, max_size=5))
@example([Variable("A", "$'{", has_default=True)])
def test_what_is_written_reads_back(pieces: list[str | Variable]) -> None:
    """`write` and `read` are inverse, whatever the literals and the defaults look like."""
    assert read(write(merged(pieces))) == merged(pieces)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", ("",)),
        ("plain $ { }", ("plain $ { }",)),
        ("${a}", (Reference(("a",)),)),
        ("x ${ a.b } y", ("x ", Reference(("a", "b")), " y")),
        ("${.a}${..b.c}", (Reference(("a",), 1), Reference(("b", "c"), 2))),
        ("${a[0].b[c d.e]}", (Reference(("a", "0", "b", "c d.e")),)),
        ("${schema.columns.hours-per-week.max}", (Reference(("schema", "columns", "hours-per-week", "max")),)),
        ("${größe}", (Reference(("größe",)),)),
        ("${oc.env:X}/a", (Variable("X"), "/a")),
        ("${ oc.env : X }", (Variable("X"),)),
        ("${oc.env:X,a b}", (Variable("X", "a b", has_default=True),)),
        ("${oc.env:X, s3://a }", (Variable("X", "s3://a", has_default=True),)),
        ("${oc.env:X,'a, b'}", (Variable("X", "a, b", has_default=True),)),
        ("${oc.env:X,\"it's\"}", (Variable("X", "it's", has_default=True),)),
        ("${oc.env:X,null}", (Variable("X", None, has_default=True),)),
        ("${oc.env:X,'null'}", (Variable("X", "null", has_default=True),)),
        ("${oc.env:X,010}", (Variable("X", "010", has_default=True),)),
        (r"\${a}", ("${a}",)),
        (r"\\${a}", ("\\", Reference(("a",)))),
        (r"\\\${a}", (r"\${a}",)),
        (r"a\b\\c", (r"a\b\\c",)),
        (r"\${oc.env:X} ${oc.env:X}", ("${oc.env:X} ", Variable("X"))),
        (r"\${os.system:x}", ("${os.system:x}",)),
    ],
)  # fmt: skip
def test_a_text_is_split_at_its_references(text: str, pieces: tuple[Piece, ...]) -> None:
    """Each form of reference is read, and a backslash makes `${` plain."""
    assert read(text) == pieces


NO_RESOLVER = "is refused: only ${oc.env:NAME} and ${other.key} are resolved"
NOTHING = "'${' opens what is no sound ${other.key}; as plain text it is written \\${"
NESTED = "'${' inside of another ${…} is refused: a reference is written out"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${oc.create:x}", f"'${{oc.create:…}}' {NO_RESOLVER}"),
        ("${oc.decode:'1'}", f"'${{oc.decode:…}}' {NO_RESOLVER}"),
        ("${oc.dict.values:a}", f"'${{oc.dict.values:…}}' {NO_RESOLVER}"),
        ("${oc.select:a,b}", f"'${{oc.select:…}}' {NO_RESOLVER}"),
        ("${now:%Y}", f"'${{now:…}}' {NO_RESOLVER}"),
        ("${hydra:runtime.cwd}", f"'${{hydra:…}}' {NO_RESOLVER}"),
        ("${python:os.system('x')}", f"'${{python:…}}' {NO_RESOLVER}"),
        ("${ oc.decode : ${a}}", f"'${{oc.decode:…}}' {NO_RESOLVER}"),
        ("${${a}}", NESTED),
        ("${a.${b}}", NESTED),
        ("${oc.env:${a}}", NESTED),
        ("${oc.env:A,${oc.env:B}}", NESTED),
        ("${oc.env:A,'${oc.env:B}'}", NESTED),
        ("${", NOTHING),
        ("${}", NOTHING),
        ("a ${b", NOTHING),
        ("${a b}", NOTHING),
        ("${oc.env:}", NOTHING),
        ("${oc.env:1X}", NOTHING),
        ("${oc.env:X,[1]}", NOTHING),
        ("${a[}", NOTHING),
    ],
)
def test_nothing_else_is_resolved(text: str, message: str) -> None:
    """No other resolver, nothing inside of another, no broken form."""
    with pytest.raises(UnsoundReferenceError) as error:
        read(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "text",
    [
        "\\" * 10**6, "${" * 500_000, "\\${" * 300_000, "${a" + " " * 10**6, "${" + "." * 10**6, "${a" + ".a" * 400_000,
        "${oc.env:A,'" + "x" * 10**6, "${oc.env:A," + "x " * 400_000, "${a" + "[0]" * 300_000,
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_reading_is_linear(text: str) -> None:
    """A megabyte that is made to be slow is read or refused within a second."""
    start = time.process_time()
    with contextlib.suppress(UnsoundReferenceError):
        read(text)
    assert time.process_time() - start < 1


PLAIN = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=60) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=80,
)


@given(st.dictionaries(TEXTS, PLAIN, max_size=4))
def test_what_is_hidden_is_revealed(values: dict[str, object]) -> None:
    """Behind a veil no text holds `${` and no list is long, and nothing is lost."""
    veil = Veil()
    hidden = veil.hide(values)  # type: ignore[arg-type]
    assert veil.reveal(hidden) == values

    def walk(value: object) -> None:
        if isinstance(value, str):
            assert "${" not in value
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(inner)
        assert not isinstance(value, list) or len(value) <= 50

    walk(hidden)
