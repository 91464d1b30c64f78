"""Everything that a run does before it fits anything: the rows are read, checked and divided.

Of a large table every row is checked as it passes by, and a sample is kept to be divided and looked over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from engine.data.schema import Schema
from engine.errors import DataError
from engine.names import TASKS
from engine.recipe.spec import Spec
from engine.tasks.task import Task

if TYPE_CHECKING:
    from engine.data.progress import Tell
    from engine.data.table import Table
    from engine.training.parts import Divided

_MAX_NAMED = 3
# Cells that are held at once without asking; of more a sample is kept.
_MAX_CELLS = 10_000_000
_MIN_SAMPLED = 20_000


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What the rows were found to be.

    Attributes
    ----------
    sizes
        Rows of each part.
    n_classes
        Of the target, 0 for a number.
    levels
        Distinct values of the features that are categories.
    notes
        What does not stop a run, and a person should know, a sentence each.
    n_sampled
        How many of the rows the parts, classes, levels and notes are told of; all are checked.
    """

    n_rows: int
    sha256: str
    sizes: Mapping[str, int]
    n_classes: int
    levels: Mapping[str, int]
    notes: tuple[str, ...]
    n_sampled: int

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON form."""
        return {
            "n_rows": self.n_rows,
            "sha256": self.sha256,
            "sizes": dict(self.sizes),
            "n_classes": self.n_classes,
            "notes": list(self.notes),
            "n_sampled": self.n_sampled,
        }


def rehearse(spec: Spec, schema: Schema, *, tell: Tell | None = None) -> Rehearsal:
    """Read, check and divide the rows of a recipe; of a large table, divide a sample of them.

    Parameters
    ----------
    tell
        Is given how many rows of a large table have come, and how many there are, now and then.

    Raises
    ------
    DataError
        With the very messages of a run: values that break the contract, a target that can't be learnt, too
        few rows for the split, training rows of one class.
    RecipeError
        If the data's number of classes rules out the goal's metric, its value or a gate.
    """
    n_checked, table = _read(spec, schema, tell)
    try:
        found = _divided(table, spec)
    except DataError as error:
        if n_checked is None:
            raise
        # A class or a group that the sample lacks the whole may have.
        what = f"a sample of {table.n_rows} rows can't be divided as all may be: {error.messages[0].what}"
        found = Rehearsal(0, "", {}, 0, {}, (what,), 0)
    if n_checked is None:
        return found
    return replace(found, n_rows=n_checked, sha256=table.source.sha256, n_sampled=table.n_rows)


def _read(spec: Spec, schema: Schema, tell: Tell | None) -> tuple[int | None, Table]:
    """Return the rows that are looked over; where they are a sample drawn here, how many were checked."""
    from engine.data.header import read_header
    from engine.data.source import read, validate

    n_columns = sum(column.role != "ignore" for column in schema.columns)
    most = max(_MAX_CELLS // max(n_columns, 1), _MIN_SAMPLED)
    if spec.data.sample is not None or read_header(spec.data).n_rows <= most:
        return None, read(spec.data, schema, tell=tell)
    n_rows = validate(spec.data, schema, tell=tell)
    drawn = spec.data.model_copy(update={"sample": most // 10})
    return n_rows, read(drawn, schema, tell=tell)


def _divided(table: Table, spec: Spec) -> Rehearsal:
    from engine.data.pointers import differing
    from engine.training.parts import divide
    from engine.training.quality import alarms, look_over, tracked

    schema = table.schema
    divided = divide(table, task=cast("Task", TASKS.load(spec.task.kind)), spec=spec)
    _, quality = look_over(table, divided, spec=spec)
    categories = [column.name for column in table.schema.features if column.type == "category"]
    left_out = [table.left_out] if table.left_out else []
    left_out += differing(tracked(table, spec=spec))
    n_between = table.n_rows - sum(divided.parts.sizes.values())
    if n_between:
        left_out.append(f"{n_between} rows lie in the gap between the parts, and are in none")
    return Rehearsal(
        n_rows=table.n_rows,
        sha256=table.source.sha256,
        sizes=divided.parts.sizes,
        n_classes=len(divided.target.classes),
        levels={name: table.frame[name].n_unique() for name in categories},
        notes=(*left_out, *_missing_classes(divided, schema), *alarms(quality, spec=spec)),
        n_sampled=table.n_rows,
    )


def _missing_classes(divided: Divided, schema: Schema) -> tuple[str, ...]:
    """Return a sentence for each part that lacks classes: what is not learnt, or not judged."""
    hidden = schema.target.sensitive or schema.target.pii
    parts = {"training": divided.train, "validation": divided.validation, "test": divided.test}
    notes = []
    for name, part in parts.items():
        there = set(part.y.tolist()) if divided.target.classes else set()
        lacking = [label for code, label in enumerate(divided.target.class_names) if code not in there]
        if not lacking or not part.n_rows:
            continue
        named = ", ".join(f"'{label}'" for label in lacking[:_MAX_NAMED])
        rest = f" and {len(lacking) - _MAX_NAMED} more" if len(lacking) > _MAX_NAMED else ""
        which = f"{len(lacking)} of the classes" if hidden else f"class {named}{rest}"
        notes.append(f"no {name} row is of {which}")
    return tuple(notes)
