"""Tables on servers: a recipe from a stranger makes the engine call nowhere, and holds no password."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import RecipeError
from engine.recipe.grants import grant
from engine.recipe.load import load_spec
from engine.recipe.urls import is_below, password_in, without_password
from engine.redaction import redact

BODY = "name: t\nschema: {target: y, columns: {y: {type: category}, x: {type: number}}}\n"
S3 = "s3://bucket/loans/2026/t.parquet"
DB = "postgresql://host/shop"
ON_A_SERVER = "is on a server, and a recipe may not have the engine call one"
PARTLY = "a URL comes from the environment as a whole, or not at all: no part of it is the recipe's"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of one's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(data: str, *overrides: str, roots: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Return key and words of each message with which a recipe with some data is refused."""
    Path("t.yaml").write_text(f"{BODY}data: {data}\n")
    try:
        load_spec("t.yaml", overrides, roots=roots)
    except RecipeError as error:
        return [(message.key, message.what) for message in error.messages]
    return []


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("url", [S3, DB, "s3://bucket", "postgresql:///shop", "S3://bucket/x"])
def test_a_recipe_alone_calls_nowhere(url: str) -> None:
    """Whatever the URL; a joined table is a table too."""
    assert refused(f"{{path: '{url}'}}") == [("data.path", f"'{url}' {ON_A_SERVER}")]
    joined = f"{{path: t.csv, join: [{{path: '{url}', on: x}}]}}"
    assert refused(joined) == [("data.join.0.path", f"'{url}' {ON_A_SERVER}")]


@pytest.mark.usefixtures("here")
def test_the_whole_message() -> None:
    """It names the root that would allow it, and what is allowed already."""
    Path("t.yaml").write_text(f"{BODY}data: {{path: '{S3}'}}\n")
    with pytest.raises(RecipeError) as caught:
        load_spec("t.yaml", roots=["s3://other/place"])
    assert str(caught.value) == (
        "t.yaml:3: data.path\n"
        f"  '{S3}' {ON_A_SERVER}\n"
        "  allowed: s3://other/place\n"
        "  try: the same command with --root s3://bucket/loans/2026"
    )


@pytest.mark.usefixtures("here")
def test_what_the_user_typed_is_called() -> None:
    """Whole, on the command line, and no part of it taken from the recipe."""
    assert refused("{path: t.csv}", f"data.path='{S3}'") == []
    assert refused("{path: t.csv}", f"data.join=[{{path:'{S3}',on:[x]}}]") == []
    assert refused("{path: 's3://evil/x'}", "data.path=${.other}", "+data.other=x") != []


@pytest.mark.usefixtures("here")
def test_a_root_allows_what_lies_below() -> None:
    """By bucket and folders, by host and database; nothing beside it."""
    assert refused(f"{{path: '{S3}'}}", roots=("s3://bucket/loans",)) == []
    assert refused(f"{{path: '{S3}'}}", roots=("s3://bucket",)) == []
    assert refused(f"{{path: '{DB}'}}", roots=("postgresql://host",)) == []
    for root in (
        "s3://bucket/loan",
        "s3://bucke",
        "s3://bucket2/loans",
        "postgresql://host/shop2",
        "postgresql://ho",
    ):
        path = DB if root.startswith("p") else S3
        assert refused(f"{{path: '{path}'}}", roots=(root,)) == [("data.path", f"'{path}' {ON_A_SERVER}")]


@pytest.mark.usefixtures("here")
def test_the_projects_own_roots_count() -> None:
    """`[tool.engine] roots` of the working directory may name a place on a server."""
    Path("pyproject.toml").write_text('[tool.engine]\nroots = ["s3://bucket/loans"]\n')
    assert refused(f"{{path: '{S3}'}}") == []
    assert refused("{path: 's3://bucket/other/t.parquet'}") != []


def test_what_init_was_given_is_remembered(here: Path) -> None:
    """A table that the user named for this folder, and no other of the same place."""
    grant(S3, [here])
    assert refused(f"{{path: '{S3}'}}") == []
    assert refused("{path: 's3://bucket/loans/2026/u.parquet'}") != []


@pytest.mark.usefixtures("here")
def test_the_environment_gives_a_whole_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its password, which is shown nowhere."""
    monkeypatch.setenv("SHOP", "postgresql://ann:canary-2718@host/shop")
    assert refused("{path: '${oc.env:SHOP}'}") == []
    Path("t.yaml").write_text(f"{BODY}data: {{path: '${{oc.env:SHOP}}'}}\n")
    spec = load_spec("t.yaml")
    assert spec.data.shown == "${oc.env:SHOP}"
    assert "canary" not in redact(
        "what a library says: canary-2718, or postgresql://ann:canary-2718@host/shop"
    )
    assert "canary" not in spec.canonical() + str(spec.to_plain())


@pytest.mark.usefixtures("here")
def test_a_part_of_a_url_is_not_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a stranger's recipe would have a secret sent to a stranger's host."""
    monkeypatch.setenv("SECRET", "canary-2718")
    for url in (
        "s3://evil/${oc.env:SECRET}",
        "postgresql://evil/${oc.env:SECRET}",
        "${oc.env:NONE,'s3://evil/x'}",
    ):
        assert refused(f'{{path: "{url}"}}') == [("data.path", PARTLY)], url
    assert [what for _, what in refused("{path: 'postgresql://ann:${oc.env:SECRET}@evil/x'}")] == [
        "'postgresql://ann:${oc.env:SECRET}@evil/x' holds a password: a recipe names a variable of the environment that has the URL"
    ]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:canary-2718@host/shop",
        "postgresql://host/shop?password=canary-2718",
        "postgresql://host/shop?sslmode=require&sslpassword=canary-2718",
        "s3://key:canary-2718@bucket/t.csv",
        "s3://bucket/t.csv?X-Amz-Signature=canary-2718",
    ],
)
def test_a_password_in_a_recipe_is_refused_and_not_shown(url: str) -> None:
    """In the recipe and typed, for what is typed is written into the run; most before anything is composed."""
    for found in (refused(f"{{path: '{url}'}}"), refused("{path: t.csv}", f"data.path='{url}'")):
        ((key, what),) = found
        assert key == "data.path"
        assert "holds a password" in what or what == "a secret is refused, as it would be stored"
        assert "canary" not in what


def test_a_query_leads_elsewhere() -> None:
    """Libpq takes a host from it, so a URL with one is below no root."""
    assert not is_below("postgresql://host/shop?host=evil", "postgresql://host/shop")
    assert not is_below("postgresql://host/shop?hostaddr=1.2.3.4", "postgresql://host")
    assert not is_below("postgresql:///shop", "postgresql:///shop2")
    assert not is_below("s3://bucket/loans/../secret", "s3://bucket/loans")
    assert not is_below("s3://bucket/loans/%2e%2e/secret", "s3://bucket/loans")
    assert is_below("postgresql://ann@HOST/shop", "postgresql://host/shop")


def test_what_may_be_shown() -> None:
    """User, host and database."""
    assert (
        without_password("postgresql://ann:x@host:5433/shop?sslmode=require")
        == "postgresql://ann@host:5433/shop"
    )
    assert password_in("postgresql://ann:@host/shop") == ":"
    assert password_in("postgresql://host/shop?sslmode=require") == ""
    assert password_in("s3://bucket/part-?.parquet") == ""
