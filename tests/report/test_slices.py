"""The slices on the page and in the card."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from engine.report import figures, record, slices
from engine.report.card import card
from engine.report.html import page
from engine.report.written import markdown

Write = Callable[..., Path]
HOSTILE = "<img src=x onerror=alert(1)>"


def _slice(
    name: str, n: int, value: float | None, low: float | None, high: float | None, said: str = ""
) -> dict:
    scored = {"value": value, "low": low, "high": high}
    return {"name": name, "n": n, "said": said, "metrics": {"roc_auc": scored} if n >= 10 else {}}


SLICES = {
    HOSTILE: {
        "by": [HOSTILE],
        "slices": [
            _slice(HOSTILE, 90, 0.7, 0.6, 0.8),
            _slice("fine", 90, 0.95, 0.9, 0.97),
            _slice("sole", 17, None, None, None, "all of class no: what compares classes can't be told"),
            _slice("few", 3, None, None, None, "3 rows: too few to say"),
        ],
        "n_unnamed_slices": 2,
        "n_unnamed_rows": 7,
        "n_more_slices": 1,
        "n_more_rows": 12,
    }
}


def test_the_page_says_what_is_worse_and_what_can_not_be_told(
    write_run: Write, binary: dict, binary_rows: pl.DataFrame
) -> None:
    """Statements stand where numbers have no meaning, names are literal text, and the picture has its table."""
    binary["metrics"]["slices"] = SLICES
    found = record.read(write_run(binary, binary_rows))
    gallery = figures.draw(found)
    html = page(found, gallery)
    assert "<img" not in html
    section = html[html.index('<section id="slices"') :].partition("</section>")[0]
    for said in (
        "ROC AUC is 0.9000 of all test rows; of 2 slices with an interval 1 lies wholly on the worse side of "
        "that: &lt;img src=x onerror=alert(1)&gt; (0.7000).",
        "3 rows: too few to say",
        "all of class no: what compares classes can&#39;t be told",
        "2 slices of 7 rows together",
        "1 slice of 12 rows together",
    ):
        assert said in section
    (figure,) = gallery.slices
    assert [row[:2] for row in figure.rows] == [(HOSTILE, "90"), ("fine", "90")]
    assert "<img" not in figure.svg


def test_the_card_has_a_line_a_slice(write_run: Write, binary: dict, binary_rows: pl.DataFrame) -> None:
    """The goal's metric of each, with its interval or the reason why there is none."""
    binary["metrics"]["slices"] = SLICES
    text = markdown(card(record.read(write_run(binary, binary_rows))))
    assert "| `fine` | 90 | 0.9500 | 0.9000 to 0.9700 |" in text
    assert "| `few` | 3 | - | 3 rows: too few to say |" in text
    assert "<img" not in text


def test_without_slices_there_is_no_word_of_them(
    write_run: Write, binary: dict, binary_rows: pl.DataFrame
) -> None:
    """A recipe that asks for none gets no section."""
    found = record.read(write_run(binary, binary_rows))
    assert 'id="slices"' not in page(found, figures.draw(found))
    assert "Slices" not in markdown(card(found))


def test_many_looks_are_told_as_such(write_run: Write, binary: dict) -> None:
    """Of forty slices one or another lies on the worse side by chance, and the page says how many."""
    many = [_slice(f"s{at}", 90, 0.95, 0.92, 0.97) for at in range(39)] + [_slice("bad", 90, 0.7, 0.6, 0.8)]
    binary["metrics"]["slices"] = {"zip": SLICES[HOSTILE] | {"by": ["zip"], "slices": many}}
    found = record.read(write_run(binary, None))
    (slicing,) = slices.read(found)
    assert slices.behind(found, slicing).endswith("that: bad (0.7000). By chance alone about 2 would.")
