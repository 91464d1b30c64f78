"""The table of a search on a terminal: the best so far, the latest few, and nothing that a terminal obeys."""

import io
import re

from rich.console import Console
from rich.progress import Progress

from engine.cli.search_table import SearchTable, row_of
from engine.tuning.trial import Outcome, Trial


def test_the_best_stands_first_and_the_latest_follow() -> None:
    """Of ten trials the best stays in sight, with the six that ended last, the newest first."""
    said = io.StringIO()
    console = Console(file=said, force_terminal=True, width=90, legacy_windows=False)
    bar = Progress(console=console)
    bar.add_task("tune", total=10)
    table = SearchTable(bar, console)
    table.start()
    for index in range(10):
        trial = Trial(index, "lightgbm", {"learning_rate": 0.1 / (index + 1)}, 0)
        table.tried(trial, Outcome(index, "done", 0.8 + 0.01 * (index == 2)), is_best=index in (0, 2))
    table.stop()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.getvalue())
    last = plain[plain.rfind("trial") :].splitlines()
    assert [line.split()[0] for line in last[1:8]] == ["2", "9", "8", "7", "6", "5", "4"]
    assert re.fullmatch(r" +2 +0\.81 +best +lightgbm  learning_rate=0\.03333 *", last[1])
    # What was shown is taken away again.
    assert said.getvalue().rstrip().endswith("\x1b[2K")


def test_a_row_says_what_came_of_a_trial() -> None:
    """What missed a gate, failed, was stopped or is a refit is said, and escapes stay visible."""
    trial = Trial(3, "mlp", {"hidden_sizes": [16, 8], "note": "\x1b[2J"}, 7, repeats=1)
    assert row_of(trial, Outcome(3, "done", 0.5, missed={"f1": 0.1, "profit": 2.0})) == (
        "3",
        "0.5",
        "misses f1, profit",
        "mlp  trial 1 with seed 7: hidden_sizes=[16,8] note=\\x1b[2J",
    )
    bare = Trial(0, "mlp", {}, 0)
    assert row_of(bare, Outcome(0, "failed", error="x")) == ("0", "", "failed", "mlp  as it stands")
    assert row_of(bare, Outcome(0, "stopped"))[2] == "stopped early"
