"""Broken rules counted over the parts of a table as they come, so that no part is kept for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from engine.data.check import check
from engine.data.opened import Part
from engine.data.schema import Schema
from engine.data.storage import Held, type_violations
from engine.data.violation import N_SHOWN, Violation
from engine.errors import DataError

Key = tuple[str, str, str]


@dataclass
class Tally:
    """What rows broke so far, by file, column and rule.

    Attributes
    ----------
    schema
        The contract, its columns as the parts hold them.
    """

    schema: Schema
    _found: dict[Key, Violation] = field(default_factory=dict)

    def judge(self, part: Part) -> bool:
        """Count what the rows of a part break of the rules on rows; tell whether they keep them all."""
        found = violations_of(part.held, schema=self.schema, first_row=part.first_row)
        self.add(found, file=part.file)
        return not found

    def judge_whole(self, held: Held, *, file: str) -> None:
        """Count what a table breaks of the rules on tables."""
        self.add(check(held.frame, schema=self.schema, refused=held.refused, scope="table"), file=file)

    def add(self, violations: Iterable[Violation], *, file: str) -> None:
        """Count violations, those of the rows of a file in their order."""
        for violation in violations:
            key = (file, violation.column, violation.rule)
            before = self._found.get(key)
            self._found[key] = violation if before is None else _sum(before, violation)

    @property
    def violations(self) -> Mapping[str, tuple[Violation, ...]]:
        """What was broken, by file, in the order of the schema."""
        places = {column.name: at for at, column in enumerate(self.schema.columns)}
        by_file: dict[str, list[Violation]] = {}
        for (file, _, _), violation in self._found.items():
            by_file.setdefault(file, []).append(violation)
        return {
            file: tuple(sorted(found, key=lambda one: places[one.column])) for file, found in by_file.items()
        }

    def refuse(self, cured: Callable[[Violation], Violation] = lambda violation: violation) -> None:
        """Refuse the table if a rule was broken.

        Parameters
        ----------
        cured
            Adds what a reader may do.

        Raises
        ------
        DataError
            With one message for each file, column and rule.
        """
        messages = [
            cured(violation).to_message(file=file)
            for file, found in self.violations.items()
            for violation in found
        ]
        if messages:
            raise DataError(messages)


def violations_of(held: Held, *, schema: Schema, first_row: int) -> tuple[Violation, ...]:
    """Return what some rows break of the rules that single rows can break."""
    return (
        *type_violations(held.refused, schema=schema, first_row=first_row),
        *check(held.frame, schema=schema, first_row=first_row, refused=held.refused, scope="rows"),
    )


def _sum(one: Violation, other: Violation) -> Violation:
    notes = dict.fromkeys(note for note in (*one.note.split("; "), *other.note.split("; ")) if note)
    return replace(
        one,
        n_rows=one.n_rows + other.n_rows,
        first_rows=(*one.first_rows, *other.first_rows)[:N_SHOWN],
        examples=(*one.examples, *other.examples)[:N_SHOWN],
        note="; ".join(sorted(notes)),
    )
