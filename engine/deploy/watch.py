"""Follows a name's champion while it is served: another bundle takes over between two requests, or never.

A bundle takes over once it is verified, its gates were met, its golden rows were predicted as stored and in
time, and every request that was right so far stays right.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from engine.data.rules import rules_of
from engine.data.schema import Column
from engine.data.text import null_texts
from engine.deploy.door import Door
from engine.deploy.meters import Meters
from engine.deploy.served import Served
from engine.errors import BundleError, EngineError
from engine.runs.bundle import Bundle, load_deployable
from engine.runs.margins import has_margin

PERIOD_S = 0.5

logger = logging.getLogger("engine.serve")


class Watcher:
    """Looks for another bundle now and then, and puts it in place.

    Parameters
    ----------
    find
        Returns the folder of the bundle that is to be served.
    tell
        Is told of every bundle that took over, and of every one that did not, and why.
    """

    def __init__(
        self, door: Door, *, find: Callable[[], Path], tell: Callable[[str], None], meters: Meters
    ) -> None:
        self._door = door
        self._find = find
        self._tell = tell
        self._meters = meters
        self._looked_at = door.served.bundle.folder
        self._trouble = ""

    async def watch(self) -> None:
        """Look until cancelled; whatever a look meets is told once, and the bundle that serves stays."""
        while True:
            await asyncio.sleep(PERIOD_S)
            try:
                await self.look()
            except EngineError as fault:
                self._troubled(str(fault))
            except Exception as fault:
                if self._troubled(repr(fault)):
                    logger.exception("a look for another bundle failed; the next may not")

    async def look(self) -> None:
        """Look once; finding and loading take place in a thread, beside the requests."""
        folder = await asyncio.to_thread(self._find)
        if folder == self._looked_at:
            self._trouble = ""
            return
        try:
            served = await asyncio.to_thread(_ready, folder, self._door.served.bundle)
        except OSError:
            # What the system refuses now it may give in a moment: the next look tries again.
            raise
        except Exception:
            self._looked_at = folder
            self._meters.swapped("refused")
            raise
        self._looked_at = folder
        self._door.swap(served)
        self._meters.swapped("done")
        self._tell(f"serves {served.bundle.model_version}")

    def _troubled(self, fault: str) -> bool:
        """Tell of a fault, once while it lasts; return whether it is new."""
        is_new = fault != self._trouble
        if is_new:
            self._trouble = fault
            self._tell(f"stays with {self._door.served.bundle.model_version}: {fault}")
        return is_new


def _ready(folder: Path, before: Bundle) -> Served:
    return Served(judged(folder, before))


def judged(folder: Path, before: Bundle) -> Bundle:
    """Load a bundle that may answer what another one answers now.

    Raises
    ------
    BundleError
        If it is damaged, too slow, or would refuse or answer otherwise what was right.
    GateError
        If its gates were missed.
    """
    bundle = load_deployable(folder, within_s=before.limits.timeout_s)
    narrower = what_narrows(before, bundle)
    if narrower:
        raise BundleError.of(f"requests that were right would be refused: {narrower}", file=str(folder))
    return bundle


def what_narrows(before: Bundle, after: Bundle) -> str:
    """Return what one bundle answered and another would refuse, or answer of another kind; else nothing."""
    if other := what_differs(before, after) or _less(before, after):
        return other
    old = {column.name: column for column in before.schema.columns}
    new = {column.name: column for column in after.schema.columns}
    nulls = frozenset(null_texts(before.data)), frozenset(null_texts(after.data))
    # A request may have the columns that name a row, and what it has of them is judged.
    for column in (*after.schema.features, *after.schema.ids):
        if other := _narrower(old.get(column.name), column, *nulls):
            return f"'{column.name}' {other}"
    if after.schema.extra == "error":
        gone = [name for name in old if name not in new]
        if gone or before.schema.extra == "ignore":
            return f"'{gone[0]}' is no longer known" if gone else "columns beside the schema's were left out"
    return ""


def what_differs(before: Bundle, after: Bundle) -> str:
    """Return how the answers of two bundles can't be held against each other; else nothing."""
    if (before.target.kind, before.target.classes) != (after.target.kind, after.target.classes):
        return f"the target '{after.target.name}' is of another kind or has other classes"
    return ""


def _less(before: Bundle, after: Bundle) -> str:
    """Return what a bundle answers less of than another, whatever the columns; or nothing."""
    if has_margin(before) and not has_margin(after):
        return "?explain=true is no longer answered"
    for limit in _LIMITS:
        most, now = getattr(before.limits, limit), getattr(after.limits, limit)
        if now < most:
            return f"{limit} is {now:g}, and was {most:g}"
    return ""


def _narrower(old: Column | None, new: Column, nulls: frozenset[str], nulls_now: frozenset[str]) -> str:
    """Return by what a column takes less than it did, or nothing."""
    if new.role == "feature" and (old is None or old.role != "feature"):
        return "is a new column"
    if old is None:
        return ""
    if old.role not in ("feature", "id"):
        return "was left out, and is judged now"
    if rule := _less_of(old, new):
        return f"has another {rule}"
    if new.storage == "string":
        for text in sorted(nulls ^ nulls_now):
            if _takes(old, text, nulls) and not _takes(new, text, nulls_now):
                return f"no longer takes the text {text!r}"
    return ""


def _less_of(old: Column, new: Column) -> str:
    """Return the rule by which a column takes less than it did, or nothing."""
    if old.storage != new.storage:
        return "type"
    if old.nullable and not new.nullable:
        return "rule nullable"
    if old.format not in (None, new.format):
        return "format"
    for rule, keeps in _KEEPS.items():
        before, after = getattr(old, rule), getattr(new, rule)
        if after is not None and (before is None or not keeps(before, after)):
            return f"rule {rule}"
    return ""


def _takes(column: Column, text: str, nulls: frozenset[str]) -> bool:
    """Tell whether a column takes a text, which may mean null."""
    if text in nulls:
        return column.nullable
    return all(rule.accepts is None or rule.accepts(text) for rule in rules_of(column))


# Each says up to what a request is let in, or waited for.
_LIMITS = ("max_records", "max_body_mib", "timeout_s")
# Whether a rule of now takes all that the rule before took, neither of them None.
_KEEPS: dict[str, Callable[..., bool]] = {
    "min": lambda before, after: after <= before,
    "max": lambda before, after: after >= before,
    "values": lambda before, after: set(before) <= set(after),
    "pattern": lambda before, after: before == after,
    "max_length": lambda before, after: after >= before,
}
