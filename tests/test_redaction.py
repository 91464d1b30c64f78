from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.redaction import forget_secrets, keep_secret, redact


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    forget_secrets()
    yield
    forget_secrets()


@pytest.mark.parametrize(
    ("value", "text", "words"),
    [
        ("correct-horse", "no file '/x/correct-horse/a.csv'", "no file '/x/<S>/a.csv'"),
        ("correct-horse", "correct-horse correct-horse", "<S> <S>"),
        ('qu"o\\te-älso', r'{"what": "qu\"o\\te-älso"}', '{"what": "<S>"}'),
        ("a\nb-and-more", r"OSError: 'a\nb-and-more'", "OSError: '<S>'"),
        ("data", "the data in 'data/a.csv' of data", "the data in '<S>/a.csv' of data"),
        ("data", "/x/data", "/x/<S>"),
        ("", "nothing", "nothing"),
    ],
)
def test_a_secret_is_shown_by_its_name(value: str, text: str, words: str) -> None:
    """A value is taken out in each form it is written in; a short one only where it is part of a path."""
    keep_secret(value, shown="<S>")
    assert redact(text) == words


def test_the_longest_secret_goes_first() -> None:
    """A path that the environment gave is shown whole, not as its parts."""
    keep_secret("canary-1234", shown="<S>")
    keep_secret("/x/canary-1234/a.csv", shown="<P>")
    assert redact("/x/canary-1234/a.csv and /x/canary-1234/b.csv") == "<P> and /x/<S>/b.csv"


def test_the_folder_one_works_in_is_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`${oc.env:HOME}` does not take the working directory out of every message."""
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path, tmp_path.parent):
        keep_secret(str(folder), shown="<S>")
    assert redact(f"{tmp_path}/runs/a") == f"{tmp_path}/runs/a"


def test_a_new_command_knows_no_secrets() -> None:
    """What one command kept secret another one shows."""
    keep_secret("correct-horse", shown="<S>")
    forget_secrets()
    assert redact("correct-horse") == "correct-horse"
