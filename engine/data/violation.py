"""A broken rule of the contract: which column, which rule, how many rows, the first of them.

The one place that turns broken rules into words, for files and for records. Knows no frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.errors import DataError, Message, nearest

N_SHOWN = 3
_MAX_SHOWN_CHARACTERS = 40

# What is said of one value and of several; the rule and what it expects stand before it.
COMPLAINTS = {
    "type": ("is not", "are not"),
    "nullable": ("is null", "are null"),
    "finite": ("is not", "are not"),
    "magnitude": ("is beyond it", "are beyond it"),
    "min": ("is below it", "are below it"),
    "max": ("is above it", "are above it"),
    "values": ("is none of them", "are none of them"),
    "pattern": ("does not match it", "do not match it"),
    "max_length": ("is longer", "are longer"),
    "weight": ("is not", "are not"),
    "unique": ("is a duplicate", "are duplicates"),
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that some rows of one column break.

    Attributes
    ----------
    rule
        `type`, or the schema's word: `nullable`, `min`, ….
    first_rows
        Numbers of the first three rows; data rows count from 1.
    examples
        Their values, empty when the column is marked sensitive or pii.
    expected
        What the rule asks for, such as `17` or `integer`.
    allowed
        The values that are allowed, when the rule is `values`.
    note
        What else a reader needs, such as the type that the file holds.
    """

    column: str
    rule: str
    n_rows: int
    first_rows: tuple[int, ...]
    examples: tuple[str, ...]
    expected: str = ""
    allowed: tuple[str, ...] = ()
    note: str = ""

    def to_message(self, *, file: str = "") -> Message:
        """Return the five facts."""
        one = self.n_rows == 1
        rows = f"{counted(self.n_rows, 'row')} {COMPLAINTS[self.rule][0 if one else 1]}"
        numbers = ", ".join(map(str, self.first_rows))
        shown = f": {', '.join(self.examples)}" if self.examples else ""
        where = f" (row{'' if len(self.first_rows) == 1 else 's'} {numbers}{shown})"
        near = nearest(self.examples[0], self.allowed) if self.examples else ""
        what = f"{headline(self.rule, self.expected)}: {rows}{where}"
        return Message(
            f"{what}; {self.note}" if self.note else what,
            self.column,
            file,
            suggestion=near,
            allowed=self.allowed,
        )


def counted(n: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "row"), counted(3, "row")
    ('1 row', '3 rows')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def headline(rule: str, expected: str) -> str:
    """Return a rule and what it expects, as a message begins."""
    return f"{rule} {expected}" if expected else rule


def show(value: object) -> str:
    """Return a cell's value as a message shows it, cut when long."""
    text = f"{value:.10g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else text[: _MAX_SHOWN_CHARACTERS - 1] + "…"


def to_error(violations: Iterable[Violation], *, file: str = "") -> DataError:
    """Gather violations into one error, one message each, in the order given.

    Examples
    --------
    >>> print(to_error([Violation("age", "min", 3, (5, 9, 12), ("3", "2", "1"), "17")], file="adult.csv"))
    adult.csv: age
      min 17: 3 rows are below it (rows 5, 9, 12: 3, 2, 1)
    """
    return DataError([violation.to_message(file=file) for violation in violations])
