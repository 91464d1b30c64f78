"""Progress goes to stderr: of a search trials done, the best so far and the time left, but not too often."""

import pytest

from engine.cli import output
from engine.cli.output import Watcher
from engine.runs.steps import SEARCH


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give the time that the watcher sees, to be moved by hand."""
    now = [100.0]
    monkeypatch.setattr(output.time, "monotonic", lambda: now[0])
    return now


def test_a_search_is_told_every_ten_seconds(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody watches a terminal a search tells its progress in a line, at most every ten seconds."""
    watcher = Watcher(quiet=False)
    watcher.started(SEARCH)
    for done in range(1, 21):
        clock[0] += 3.0
        watcher.progressed(done, 100, 0.91234567)
    watcher.finished(SEARCH, 60.0)
    assert capsys.readouterr().err.splitlines() == [
        "tune: 4/100  best 0.91235  0:04:48 left",
        "tune: 8/100  best 0.91235  0:04:36 left",
        "tune: 12/100  best 0.91235  0:04:24 left",
        "tune: 16/100  best 0.91235  0:04:12 left",
        "tune: 20/100  best 0.91235  0:04:00 left",
        "tune                            60.00 s",
    ]


def test_time_left_is_by_the_pace_of_this_process(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    """Trials that a resumed search found done do not count as done at no cost."""
    watcher = Watcher(quiet=False)
    watcher.started(SEARCH)
    for done in (801, 802):
        clock[0] += 10.0
        watcher.progressed(done, 1000, None)
    assert capsys.readouterr().err.splitlines() == ["tune: 801/1000", "tune: 802/1000  0:33:00 left"]


def test_short_steps_and_quiet_say_nothing(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """A fit of a few seconds tells no progress without a terminal, and --quiet silences a search too."""
    for watcher, step, seconds in (
        (Watcher(quiet=False), "fit mlp", 2.0),
        (Watcher(quiet=True), SEARCH, 20.0),
    ):
        watcher.started(step)
        for done in range(1, 5):
            clock[0] += seconds
            watcher.progressed(done, 5, 0.5)
    assert capsys.readouterr().err == ""
