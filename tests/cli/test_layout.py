from __future__ import annotations

import pytest
from rich.cells import cell_len

from engine.cli.layout import lay_out, spared
from engine.cli.output import print_table, print_text, say

RUN = "20261123-005043-5544ab9c"
ROWS = [
    ["run", "model", "test log_loss", "differs in"],
    [RUN, "ExtraTreesClassifier", "0.025345 [0.019013, 0.072642]", "log_loss.max=0.065 seed=0"],
    [RUN, "random_forest", "0.5", ""],
]


def widths(rows: list[list[str]]) -> list[int]:
    """Return how many cells each column takes."""
    return [
        max(cell_len(line) for cell in column for line in cell.split("\n"))
        for column in zip(*rows, strict=True)
    ]


@pytest.mark.parametrize("room", [200, 85, 70, 60, 52, 45])
def test_columns_fit_and_no_word_is_broken(room: int) -> None:
    """Whatever the room, columns fit into it, cells hold what they held or end in `…`, and ids stay whole."""
    laid = lay_out(ROWS, room=room, kept=0)
    assert sum(widths(laid)) <= room
    assert [row[0] for row in laid] == [row[0] for row in ROWS]
    for given, found in zip(ROWS, laid, strict=True):
        for cell, folded in zip(given, found, strict=True):
            if "…" not in folded:
                assert "".join(folded.split()) == "".join(cell.split())


@pytest.mark.parametrize(
    ("cell", "room", "folded"),
    [
        ("a table of words", 9, "a table\nof words"),
        ("[0.019013, 0.072642]", 11, "[0.019013,\n0.072642]"),
        ("/one/two/three.yaml:12", 14, "/one/two/\nthree.yaml:12"),
        ("model.params.C=0.25", 13, "model.params.\nC=0.25"),
        ("two\nlines", 9, "two\nlines"),
        ("ExtraTreesClassifier", 10, "ExtraTrees\nClassifier"),
        ("0.0123456789", 8, "0.01234…"),
        ("多語言文字", 6, "多語…"),
    ],
)
def test_where_a_cell_is_folded(cell: str, room: int, folded: str) -> None:
    """Between words first, inside of names next; a number is never folded at its point."""
    assert lay_out([[cell]], room=room) == [[folded]]


def test_spare_columns_go_before_words_are_broken() -> None:
    """The first spare column is left out first, and none where all words have room."""
    rows = [["run", "seconds", "gates"], ["model=logistic", "1.25", "passed"]]
    found = [[*spared(rows, spare=["seconds", "gates"], room=room, between=3)[0]] for room in (36, 28, 20)]
    assert found == [["run", "seconds", "gates"], ["run", "gates"], ["run"]]


def test_a_terminal_obeys_nothing_of_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Controls and marks of direction in names and values stand there escaped; lines stay lines."""
    print_table("", ["name", "value"], [["a\x1b[2Jb", "\u202eabc\x07"]])
    print_text("one\ntw\x1bo")
    say("th\x9bree")
    said = capsys.readouterr()
    assert "a\\x1b[2Jb" in said.out
    assert "\\u202eabc\\x07" in said.out
    assert "one\ntw\\x1bo\n" in said.out
    assert said.err == "th\\x9bree\n"
