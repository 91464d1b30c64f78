"""The table of wrong recipes: each is refused with its whole message, and its right twin is accepted.

`wrong/NAME.yaml` is a recipe that shows one kind of mistake, `wrong/NAME.right.yaml` is the same without it,
and `wrong/NAME.txt` is all that `engine plan` says, run in `wrong/`. A first line such as
`# overrides: model=logistic seed=1` is what the command line says besides. To add a case, write the two
recipes and run `python tests/recipe/test_wrong.py NAME`, which writes the third file; then read it as its
reader will.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.cli import main

WRONG = Path(__file__).parent / "wrong"
CASES = sorted(str(file.relative_to(WRONG)).removesuffix(".txt") for file in WRONG.rglob("*.txt"))
OVERRIDES = "# overrides: "
# One of each kind: a key, a section with a typo, the command line, YAML itself, and many at once.
MEASURED = ["key_of_column", "params_of_lightgbm", "override_three", "yaml_bracket", "many"]


# What the fixture gives: the least CPU seconds of some tries, and what was said.
LeastCpu = Callable[..., tuple[float, subprocess.CompletedProcess[str]]]


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in the folder of the wrong recipes, with the one variable that they read."""
    monkeypatch.chdir(WRONG)
    monkeypatch.setenv("LOANS_TABLE", "loans.csv")
    monkeypatch.delenv("LOANS_TABEL", raising=False)


def command(recipe: str) -> list[str]:
    """Return what follows `engine` on the command line for a recipe of the table."""
    first = (WRONG / recipe).read_bytes().partition(b"\n")[0].decode(errors="replace")
    overrides = shlex.split(first.removeprefix(OVERRIDES)) if first.startswith(OVERRIDES) else []
    return ["plan", recipe, "--quiet", *overrides]


def expected_code(name: str) -> int:
    """Return the exit code of a case: those whose fault is the data's say so in their name."""
    return 3 if name.startswith("data_") else 2


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_recipe_is_refused_with_its_whole_message(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, or 3 where the data is at fault, nothing on stdout, and on stderr the message as it is kept."""
    code = main(command(f"{name}.yaml"))
    said = capsys.readouterr()
    assert said.err == (WRONG / f"{name}.txt").read_text(encoding="utf-8")
    assert (code, said.out) == (expected_code(name), "")


@pytest.mark.parametrize("name", CASES)
def test_its_right_twin_is_accepted(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What the message asks for is what the engine takes."""
    assert main(command(f"{name}.right.yaml")) == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", CASES[::5])
def test_programs_are_told_the_same(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json` one document has the code and, of each message, what people are told.

    All messages take one way there, so a part of the table tells.
    """
    assert main([*command(f"{name}.yaml"), "--json"]) == expected_code(name)
    said = capsys.readouterr()
    error = json.loads(said.out)["error"]
    assert (error["code"], said.err) == (expected_code(name), "")
    kept = (WRONG / f"{name}.txt").read_text(encoding="utf-8")
    places = [place for line in kept.splitlines() if (place := line) and not line.startswith(" ")]
    assert [where(message) for message in error["messages"]] == places
    assert all(message["what"] in kept for message in error["messages"])


def where(message: dict[str, object]) -> str:
    """Return a message's place as its first line says it."""
    line = f":{message['line']}" if message["line"] else ""
    return ": ".join(str(part) for part in (f"{message['file']}{line}", message["key"]) if part)


def test_the_table_is_whole() -> None:
    """Every case has its three files, and there are as many cases as were promised."""
    recipes = {
        str(file.relative_to(WRONG)).removesuffix(".yaml").removesuffix(".right")
        for file in WRONG.rglob("*.yaml")
        if "conf" not in file.relative_to(WRONG).parts
    }
    assert recipes == set(CASES)
    assert all((WRONG / f"{name}{suffix}").is_file() for name in CASES for suffix in (".yaml", ".right.yaml"))
    assert len(CASES) >= 200


def test_no_message_is_long() -> None:
    """Nobody scrolls: a line fits into a wide terminal, and a message into a few lines."""
    for name in CASES:
        for paragraph in (WRONG / f"{name}.txt").read_text(encoding="utf-8").split("\n\n"):
            assert len(paragraph.splitlines()) <= 5, name
            assert max(map(len, paragraph.splitlines())) <= 180, name


def test_what_to_run_next_can_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Each `try: engine options …` of the table is a command that answers."""
    words = "\n".join((WRONG / f"{name}.txt").read_text(encoding="utf-8") for name in CASES)
    commands = sorted(set(re.findall(r"^  try: engine (options.*)$", words, re.MULTILINE)))
    assert len(commands) > 20
    failed = [given for given in commands if main([*given.split(), "--json"]) != 0]
    assert failed == []
    capsys.readouterr()


@pytest.mark.parametrize("name", MEASURED)
def test_it_is_said_within_a_second(
    name: str, least_cpu_seconds: LeastCpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the start of Python to the end, a wrong recipe takes less than one second of a processor."""
    monkeypatch.setenv("PYTHONPATH", str(WRONG.parents[2]))
    seconds, done = least_cpu_seconds("-m", "engine", *command(f"{name}.yaml"), bound=1.0)
    assert done.returncode == 2
    assert done.stderr == (WRONG / f"{name}.txt").read_text(encoding="utf-8")
    assert seconds < 1.0


if __name__ == "__main__":
    os.chdir(WRONG)
    os.environ["LOANS_TABLE"] = "loans.csv"
    for case in sys.argv[1:]:
        shown = subprocess.run(
            [sys.executable, "-m", "engine", *command(f"{case}.yaml")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        (WRONG / f"{case}.txt").write_text(shown.stderr, encoding="utf-8")
        print(shown.stderr)  # noqa: T201
