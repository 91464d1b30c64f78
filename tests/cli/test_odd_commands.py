"""Commands that a stranger types, and streams that fail: one message each, the right exit code, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import FrameType, ModuleType

import pytest

from engine.cli import main
from tests import warm

ENGINE = [sys.executable, "-m", "engine"]


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mixed: ModuleType) -> Path:
    """Write the mixed table and its recipe, and work beside them."""
    monkeypatch.chdir(tmp_path)
    path: Path = mixed.write(tmp_path)
    return path


def unread(*arguments: str, is_warm: bool = False) -> tuple[int, str]:
    """Run a command whose stdout nobody reads; return its exit code and stderr.

    Each verb begins and ends alike: not all of them need a Python of their own.
    """
    read, write = os.pipe()
    os.close(read)
    try:
        if is_warm:
            process = warm.start(*arguments, out=write)
            said = process.communicate()[1]
            return process.wait(), said
        done = subprocess.run(
            [*ENGINE, *arguments], stdout=write, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(write)
    return done.returncode, done.stderr


def test_a_reader_that_has_gone_changes_nothing(recipe: Path) -> None:
    """Into a closed pipe: the exit code is the verb's own, for a run, a missed gate and an error, without a word."""
    quick = [str(recipe), "--quiet", "evaluation=quick", "compute=small"]
    assert unread("run", *quick) == (0, "")
    assert unread("run", *quick, "goal.gates={roc_auc: {min: 1}}", "--json", is_warm=True) == (4, "")
    assert len(list(Path("runs/mixed").iterdir())) == 2
    assert unread("run", "nofile.yaml", "--json") == (2, "")
    assert unread("runs") == (0, "")
    assert unread("options", is_warm=True) == (0, "")
    assert unread("--help", is_warm=True) == (0, "")
    assert unread("run", "--help") == (0, "")


def test_progress_that_nobody_reads_does_not_stop_a_run(recipe: Path) -> None:
    """A run whose stderr is a closed pipe is finished and published."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*ENGINE, "run", str(recipe), "--json", "evaluation=quick", "compute=small"],
        stdout=subprocess.PIPE,
        stderr=write,
        check=False,
    )
    os.close(write)
    assert done.returncode == 0
    assert Path(json.loads(done.stdout)["path"]).is_dir()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["runs", "--json"], 1, "stdout can't be written: No space left on device\n"),
        (["options"], 1, "stdout can't be written: No space left on device\n"),
        (["run", "no.yaml", "--json"], 2, "no recipe at 'no.yaml'\n  allowed: mixed.yaml\n  try: engine init DATA --target COLUMN writes one\n"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("recipe")
def test_a_full_disk_is_one_message(arguments: list[str], code: int, words: str) -> None:
    """Where stdout can't be written stderr says so, or says the error that stdout was to hold."""
    with Path("/dev/full").open("w") as full:
        done = warm.start(*arguments, out=full.fileno())
        assert (done.wait(), done.communicate()[1]) == (code, words)
        silent = subprocess.run([*ENGINE, *arguments], stdout=full, stderr=full, check=False)
        assert silent.returncode == code


@pytest.mark.parametrize(("verb", "code"), [(["runs"], 0), (["run", "no.yaml"], 2)])
@pytest.mark.usefixtures("recipe")
def test_streams_that_are_closed(verb: list[str], code: int) -> None:
    """Without stdout and stderr a command ends as it would with them."""
    command = " ".join([*ENGINE, *verb])
    assert subprocess.run(["bash", "-c", f"{command} >&- 2>&-"], check=False).returncode == code


def test_a_stop_while_composing_is_a_stop(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C inside OmegaConf, which makes other errors of it, is exit 130 and one line."""
    n_calls, stop_at = 0, 0

    def watch(frame: FrameType, event: str, _: object) -> None:
        nonlocal n_calls
        if event == "call" and "omegaconf" in frame.f_code.co_filename:
            n_calls += 1
            if n_calls == stop_at:
                raise KeyboardInterrupt

    def plan() -> int:
        before = sys.getprofile()
        sys.setprofile(watch)
        try:
            return main(["plan", str(recipe), "--quiet", "--json"])
        finally:
            sys.setprofile(before)

    # The first plan also loads what the others find there.
    assert plan() == 0
    n_calls = 0
    assert plan() == 0
    n_whole = n_calls
    capsys.readouterr()
    for share in (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95):
        stop_at, n_calls = int(n_whole * share), 0
        assert plan() == 130, share
        document = json.loads(capsys.readouterr().out)
        assert [message["what"] for message in document["error"]["messages"]] == ["stopped by the user"], (
            share
        )


NO_RUN = "is not a run folder, a run id, NAME@latest or NAME@champion\n  try: engine runs\n"
NO_PORT = "is not a port: a whole number from 0 to 65535\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "**"], f"command line\n  '**' {NO_RUN}"),
        (["show", "*"], f"command line\n  '*' {NO_RUN}"),
        (["show", "[a]"], f"command line\n  '[a]' {NO_RUN}"),
        (["show", ""], f"command line\n  '' {NO_RUN}"),
        (["show", "@latest"], f"command line\n  '@latest' {NO_RUN}"),
        (["verify", "n" * 300], f"command line\n  '{'n' * 60}…' {NO_RUN}"),
        (["diff", "a", "b*"], f"command line\n  'b*' {NO_RUN}"),
        (["serve", "a", "--port", "99999"], f"command line: --port\n  '99999' {NO_PORT}"),
        (["serve", "a", "--port", "-1"], f"command line: --port\n  '-1' {NO_PORT}"),
        (["serve", "a", "--port", "http"], f"command line: --port\n  'http' {NO_PORT}"),
        (["package", "a", "-o", "mixed.csv"], "command line: -o\n  mixed.csv is a file, and a Bento is a folder\n  try: -o DIR\n"),
        (["predict", "a", "mixed.csv", "-o", "."], "command line: -o\n  . is a folder, and predictions are one file\n  try: engine predict RUN DATA -o FILE\n"),
        (["plan", "n" * 300 + ".yaml"], "n" * 100 + "…: File name too long\n"),
        (["run", "mixed.yaml", "--runs", "mixed.csv", "--quiet"], "mixed.csv/mixed: Not a directory\n"),
        (["run", "mixed.yaml", "runs=mixed.csv", "--quiet"], "mixed.csv/mixed: Not a directory\n"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)  # fmt: skip
@pytest.mark.usefixtures("recipe")
def test_paths_and_names_that_can_not_be(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A path that the user gave and that can't be used is exit 2, and the system's words for it."""
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", message)


@pytest.mark.usefixtures("recipe")
def test_options_of_files_that_are_broken(capsys: pytest.CaptureFixture[str]) -> None:
    """A broken file of the user's own is listed with what is wrong with it, and does not hide the others."""
    folder = Path("conf/model")
    folder.mkdir(parents=True)
    (folder / "latin.yaml").write_bytes(b"family: \xff\n")
    (folder / "open.yaml").write_text("# mine\nfamily: [\n")
    (folder / "sound.yaml").write_text("# mine\nfamily: ridge\n")
    assert main(["options", "model", "--json"]) == 0
    told = {option["name"]: option["summary"] for option in json.loads(capsys.readouterr().out)["options"]}
    assert told["latin"] == "can't be used: byte 8 is not UTF-8 after 'family:': save the file as UTF-8"
    assert (
        told["open"]
        == "can't be used: not valid YAML: the [ that opens here is not closed, or a ',' is missing after it"
    )
    assert told["sound"] == "mine"
    assert told["ridge"].startswith("Ridge: linear regression")
    assert main(["options", "model/latin"]) == 2
    assert capsys.readouterr().err == "conf/model/latin.yaml\n  byte 8 is not UTF-8\n"
    assert main(["options", "model"]) == 0
    assert "model: written as `model: NAME` in defaults, or model=NAME\n" in capsys.readouterr().out
