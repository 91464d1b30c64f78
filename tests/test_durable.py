from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from engine import durable
from engine.errors import EngineError


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """A write that breaks off leaves what was there, and nothing beside it."""
    path = tmp_path / "a.json"
    durable.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        durable.write_json(path, {"a": float("nan")})
    with pytest.raises(RuntimeError), durable.writing(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_text() == '{\n  "a": 1\n}\n'
    assert os.listdir(tmp_path) == ["a.json"]


def test_kill_midway_never_shows_half_a_file(tmp_path: Path) -> None:
    """After kill -9 in the middle of a write, the final name holds the old content."""
    path = tmp_path / "a.txt"
    durable.write_text(path, "old")
    script = (
        "import os, signal\nfrom pathlib import Path\nfrom engine import durable\n"
        f"with durable.writing(Path({str(path)!r})) as file:\n"
        "    file.write(b'new' * 1000); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_published_folder_is_never_written_over(tmp_path: Path) -> None:
    """Publishing onto a folder that exists is refused and changes nothing."""
    for name in ("staged", "final"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(name)
    with pytest.raises(EngineError, match="never written over"):
        durable.publish_folder(tmp_path / "staged", tmp_path / "final")
    assert (tmp_path / "final" / "f").read_text() == "final"


def test_a_lock_that_was_removed_is_nobodys(tmp_path: Path) -> None:
    """Who waits for a lock whose file its owner removes holds that of a new file, as all who come then."""
    lock, is_held = tmp_path / "lock", threading.Event()

    def own() -> None:
        with durable.locked(lock):
            is_held.set()
            time.sleep(0.03)
            lock.unlink()

    owner = threading.Thread(target=own)
    owner.start()
    assert is_held.wait(5)
    with durable.locked(lock):
        owner.join()
        assert durable.is_locked(lock)
        with pytest.raises(EngineError, match="another process"), durable.locked(lock):
            pass


def test_lock_has_one_owner_and_ends_with_it(tmp_path: Path) -> None:
    """A second owner is refused; a killed owner's lock is free at once."""
    lock = tmp_path / ".lock"
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom engine import durable\n"
        f"with durable.locked(Path({str(lock)!r})):\n    print('held', flush=True); time.sleep(60)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"held\n"
    assert durable.is_locked(lock)
    with pytest.raises(EngineError, match="another process"), durable.locked(lock):
        pass
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert not durable.is_locked(lock)
    with durable.locked(lock):
        assert durable.is_locked(lock)


def test_journal_survives_a_cut_last_line(tmp_path: Path) -> None:
    """A journal whose last line was cut by a kill reads as the lines before it."""
    path = tmp_path / "journal"
    assert durable.read_journal(path) == []
    durable.append_journal(path, {"n": 1})
    durable.append_journal(path, {"n": 2})
    with path.open("ab") as file:
        file.write(b'{"n": 3')
    assert durable.read_journal(path) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("line", [b"no JSON", b'["a list"]', b"\xff"])
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes) -> None:
    """A whole line that is no entry is told by file and line, with what to do."""
    path = tmp_path / "journal"
    path.write_bytes(b'{"n": 1}\n' + line + b"\n")
    with pytest.raises(EngineError) as caught:
        durable.read_journal(path)
    assert str(caught.value) == (
        f"{path}:2\n  line 2 of this journal is damaged: it is no object of JSON\n"
        "  try: take that line out, and look at the one before"
    )


def test_a_line_for_which_there_is_no_room_is_left_out_whole(tmp_path: Path) -> None:
    """Where the system takes a part of a line, that is an error, and the journal is as it was."""
    path = tmp_path / "journal"
    durable.append_journal(path, {"n": 1})
    small, handler = path.stat().st_size + 5, signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (small, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            durable.append_journal(path, {"n": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    durable.append_journal(path, {"n": 3})
    assert durable.read_journal(path) == [{"n": 1}, {"n": 3}]


def test_a_journal_is_gone_on_with_after_a_cut(tmp_path: Path) -> None:
    """What a kill has cut short is cut off, so that the next entry does not join it; a whole one stays."""
    path = tmp_path / "journal"
    durable.mend_journal(path)
    assert not path.exists()
    durable.append_journal(path, {"n": 1})
    whole = path.read_bytes()
    durable.mend_journal(path)
    assert path.read_bytes() == whole
    path.write_bytes(whole + b'{"n": 2')
    durable.mend_journal(path)
    durable.append_journal(path, {"n": 3})
    assert durable.read_journal(path) == [{"n": 1}, {"n": 3}]
