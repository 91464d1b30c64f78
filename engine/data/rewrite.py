"""One line of polars for a column that is not read yet: what a person runs on the file before `engine init`.

Every column is text then, so that the other columns stay as they stand in the file.
"""

from __future__ import annotations


def ungrouped_line(name: str, *, separator: str) -> str:
    """Return the line that takes the thousands separators out of numbers, and leaves the decimal sign.

    Examples
    --------
    >>> ungrouped_line("Umsatz", separator=".")
    'pl.col("Umsatz").str.replace_all(".", "", literal=True)'
    """
    return f'pl.col("{_quoted(name)}").str.replace_all("{separator}", "", literal=True)'


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')
