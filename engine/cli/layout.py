"""Fitting a table's cells into a width: folded where a reader expects it, shortened only where nothing folds.

Rich would break words in their middle as soon as a column is narrower than its longest word, and to load its
tables takes longer than to compose a recipe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from rich.cells import cell_len, set_cell_size

# Where a cell is folded first: at blanks, behind commas and slashes.
_WORD = re.compile(r"[^\s,/]*[,/]+|[^\s,/]+")
# And where that is not enough, behind the marks that hold names together, and before a capital inside of a
# name; a number's point holds.
_PART = re.compile(r".+?(?:[_=:-]+|\.(?=[^\d.])|(?<=[a-z])(?=[A-Z])|$)")
# What a column keeps where even parts of names don't fit.
_LEAST = 6


def lay_out(rows: Sequence[Sequence[str]], *, room: int, kept: int | None = None) -> list[list[str]]:
    r"""Fold the cells of a table, its header among the rows, so that its columns take `room` cells together.

    Parameters
    ----------
    rows
        Shape (n_rows, n_columns), at least one; cells may hold line feeds.
    room
        Cells of the terminal, without what separates columns.
    kept
        The column that is never folded or shortened.

    Returns
    -------
    list
        The same shape, with a line feed where a cell is folded. Wider than `room` only where the table has
        too many columns for it.

    Examples
    --------
    >>> lay_out([["seed", "model.params.C=0.5, seed=1"]], room=24)
    [['seed', 'model.params.C=0.5,\nseed=1']]
    >>> lay_out([["expected_calibration_error"]], room=21)
    [['expected_calibration_\nerror']]
    >>> lay_out([["supercalifragilistic"]], room=8)
    [['superca…']]
    """
    columns = list(zip(*rows, strict=True))
    widths = [max(cell_len(line) for cell in column for line in cell.split("\n")) for column in columns]
    words = [_longest(column, _WORD) for column in columns]
    parts = [max((_longest(_WORD.findall(cell), _PART) for cell in column), default=0) for column in columns]
    for least in (words, parts, [min(part, _LEAST) for part in parts]):
        _narrow(widths, [0 if index == kept else least[index] for index in range(len(least))], room, kept)
    return [[_folded(cell, width) for cell, width in zip(row, widths, strict=True)] for row in rows]


def draw(rows: Sequence[Sequence[str]], *, right: Sequence[bool], styles: Sequence[Sequence[str]]) -> str:
    r"""Draw a table of cells that were laid out, its header first, within lines.

    Parameters
    ----------
    rows
        Shape (n_rows, n_columns), from `lay_out`.
    right
        Shape (n_columns,): whose cells stand on the right.
    styles
        Shape (n_rows, n_columns): what `styled` says of each cell.

    Examples
    --------
    >>> print(draw([["name", "n"], ["a", "12"]], right=[False, True], styles=[["", ""]] * 2), end="")
    ┏━━━━━━┳━━━━┓
    ┃ name ┃  n ┃
    ┡━━━━━━╇━━━━┩
    │ a    │ 12 │
    └──────┴────┘
    """
    widths = [
        max(cell_len(line) for cell in column for line in cell.split("\n"))
        for column in zip(*rows, strict=True)
    ]
    lines = [_rule("┏━┳┓", widths)]
    for index, (row, style) in enumerate(zip(rows, styles, strict=True)):
        bar = "│" if index else "┃"
        for pieces in zip_longest(*(cell.split("\n") for cell in row), fillvalue=""):
            told = [_set(*cell) for cell in zip(pieces, widths, right, strict=True)]
            shown = (f"{bar} {styled(words, sgr)} " for words, sgr in zip(told, style, strict=True))
            lines.append("".join(shown) + bar)
        if not index:
            lines.append(_rule("┡━╇┩", widths))
    return "\n".join([*lines, _rule("└─┴┘", widths)]) + "\n"


def styled(words: str, sgr: str) -> str:
    """Return words as a terminal shows them in a style, a parameter of SGR (ECMA-48); "" is as they are."""
    return f"\x1b[{sgr}m{words}\x1b[0m" if sgr else words


def _rule(marks: str, widths: Sequence[int]) -> str:
    first, line, between, last = tuple(marks)
    return first + between.join(line * (width + 2) for width in widths) + last


def _set(words: str, width: int, is_right: bool) -> str:
    blanks = " " * (width - cell_len(words))
    return blanks + words if is_right else words + blanks


def spared(
    rows: Sequence[Sequence[str]], *, spare: Sequence[str], room: int, between: int
) -> list[list[str]]:
    """Leave out columns, named in the first row, until no word of the others must be broken or none is spare.

    `between` is what a column takes besides its own cells.
    """
    left = [list(row) for row in rows]
    for name in spare:
        columns = list(zip(*left, strict=True))
        if sum(_longest(column, _WORD) + between for column in columns) <= room:
            break
        index = left[0].index(name)
        left = [row[:index] + row[index + 1 :] for row in left]
    return left


def _narrow(widths: list[int], least: Sequence[int], room: int, kept: int | None) -> None:
    """Take from the widest column, cell by cell, until all fit or all are at their least."""
    while sum(widths) > room:
        wide = [index for index, width in enumerate(widths) if index != kept and width > least[index]]
        if not wide:
            return
        widths[max(wide, key=widths.__getitem__)] -= 1


def _longest(cells: Sequence[str], piece: re.Pattern[str]) -> int:
    return max((cell_len(found) for cell in cells for found in piece.findall(cell)), default=0)


def _folded(cell: str, width: int) -> str:
    return "\n".join(line for given in cell.split("\n") for line in _fold(given, width))


def _fold(text: str, width: int) -> list[str]:
    if cell_len(text) <= width:
        return [text]
    lines = [""]
    for blanks, piece in _pieces(text, width):
        if cell_len(lines[-1] + blanks + piece) <= width:
            lines[-1] += blanks + piece
        else:
            lines.append(
                piece if cell_len(piece) <= width else set_cell_size(piece, width - 1).rstrip() + "…"
            )
    return lines[0 if lines[0] else 1 :]


def _pieces(text: str, width: int) -> Iterator[tuple[str, str]]:
    """Yield the words, each with the blanks before it; one that is too long for a line in its parts."""
    for found in re.finditer(rf"(\s*)({_WORD.pattern})", text):
        blanks, word = found.groups()
        if cell_len(word) <= width:
            yield blanks, word
            continue
        for part in _PART.findall(word):
            yield blanks, part
            blanks = ""
