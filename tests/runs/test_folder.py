from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import EngineError, RecipeError
from engine.runs.folder import PARTIAL, TRIALS, draft, is_interrupted


def make(root: Path, digest: str, **options: str | None) -> str:
    """Make and publish a run of one file; return its id."""
    with draft(root, name="n", digest=digest, **options) as made:
        (made.folder / "facts.json").write_text("{}")
    return made.run


def test_ids_sort_as_the_runs_began(tmp_path: Path) -> None:
    """Runs within one second, whatever their hashes, have ids in the order in which they began."""
    digests = ["f" * 8, "0" * 8, "8" * 8, "0" * 8, "a" * 8]
    ids = [make(tmp_path, digest) for digest in digests]
    assert ids == sorted(ids)
    assert [run[-8:] for run in ids] == digests
    assert len({run[:15] for run in ids}) == len(ids)


def test_a_draft_is_published_whole_and_without_its_lock(tmp_path: Path) -> None:
    """While at work the folder is partial and has an owner; afterwards it has its final name and its files."""
    with draft(tmp_path, name="n", digest="1" * 8) as made:
        (made.folder / "a").write_text("x")
        assert made.folder.name == made.run + PARTIAL
        assert not is_interrupted(made.folder)
        assert not made.final.exists()
    assert [entry.name for entry in made.final.iterdir()] == ["a"]
    assert not made.folder.exists()


def test_an_error_removes_and_an_interruption_keeps(tmp_path: Path) -> None:
    """An error leaves nothing; an interruption leaves a partial folder that is resumed under its id."""
    with pytest.raises(EngineError), draft(tmp_path, name="n", digest="1" * 8):
        raise EngineError.of("no")
    assert list((tmp_path / "n").iterdir()) == []
    with pytest.raises(KeyboardInterrupt), draft(tmp_path, name="n", digest="1" * 8) as made:
        (made.folder / "recipe.yaml").write_text("x")
        (made.folder / "half").write_text("x")
        raise KeyboardInterrupt
    assert is_interrupted(made.folder)
    with (
        pytest.raises(RecipeError, match="have changed since"),
        draft(tmp_path, name="n", digest="2" * 8, resume=made.run),
    ):
        pass
    with draft(tmp_path, name="n", digest="1" * 8, resume=made.run) as again:
        assert again.run == made.run
        assert not (again.folder / "half").exists()
    assert again.final.is_dir()
    with (
        pytest.raises(RecipeError, match="is finished"),
        draft(tmp_path, name="n", digest="1" * 8, resume=made.run),
    ):
        pass


def test_asking_for_the_owner_never_costs_a_run(tmp_path: Path) -> None:
    """However often others ask whether a run is at work, its owner gets its lock."""
    script = (
        "import sys\nfrom pathlib import Path\nfrom engine import durable\n"
        "print('asking', flush=True)\n"
        "while True:\n    [durable.is_locked(p) for p in Path(sys.argv[1]).glob('n/.*.lock')]\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as asker:
        assert asker.stdout is not None
        asker.stdout.readline()
        try:
            ids = [make(tmp_path, f"{index:08x}") for index in range(60)]
        finally:
            asker.kill()
    assert len(set(ids)) == 60


def test_a_run_that_is_published_cant_be_taken_over(tmp_path: Path) -> None:
    """A resume at any moment of another's work is refused, and takes nothing from it."""
    with draft(tmp_path, name="n", digest="1" * 8) as made:
        (made.folder / "facts.json").write_text("{}")
        with (
            pytest.raises(EngineError, match="another process is at work"),
            draft(tmp_path, name="n", digest="1" * 8, resume=made.run),
        ):
            pass
        assert (made.folder / "facts.json").exists()
    assert (made.final / "facts.json").exists()


def test_an_error_throws_no_finished_trial_away(tmp_path: Path) -> None:
    """A run that fails leaves nothing; one whose search has begun stays, as interrupted, and can be resumed."""
    with pytest.raises(RuntimeError), draft(tmp_path, name="a", digest="0" * 64):
        raise RuntimeError
    assert list((tmp_path / "a").iterdir()) == []
    with pytest.raises(RuntimeError), draft(tmp_path, name="a", digest="0" * 64) as made:
        (made.folder / TRIALS).write_text("{}\n")
        raise RuntimeError
    assert is_interrupted(made.folder)
    with draft(tmp_path, name="a", digest="0" * 64, resume=made.run) as again:
        assert (again.folder / TRIALS).read_text() == "{}\n"
