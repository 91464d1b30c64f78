"""Holds a recipe's `governance` against what its class of risk requires."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from engine.errors import Message, nearest
from engine.governance.annex import POINTS
from engine.governance.requirements import Asked, is_written, required
from engine.recipe.spec import Spec

_LISTED = "engine options governance"


def check_governance(spec: Spec, *, metrics: Sequence[str]) -> Iterator[Message]:
    """Yield what a recipe lacks of what its class of risk requires; nothing where it has no `governance`.

    Parameters
    ----------
    metrics
        The metrics that its task has.
    """
    said = spec.governance
    if said is None:
        return
    if said.risk_class == "prohibited":
        what = "Article 5 of Regulation (EU) 2024/1689 prohibits what is of this class: it is not run"
        yield Message(what, "governance.risk_class", try_=_LISTED)
        return
    for key in ("purpose", "risk_reason"):
        if not is_written(getattr(said, key)):
            yield Message(f"'{key}' is blank", f"governance.{key}", try_=f"{_LISTED}.{key}")
    yield from _unknown_points(said.annex_iv)
    asked = Asked(spec, said, tuple(metrics))
    for one in required(said.risk_class):
        if lack := one.lacks(asked):
            what = f"risk class {said.risk_class} asks for {one.what} ({one.article}), and {lack}"
            yield Message(what, one.key, try_=one.write)


def _unknown_points(given: Iterable[str]) -> Iterator[Message]:
    known = tuple(point.id for point in POINTS)
    for name in given:
        if name not in known:
            what = f"'{name}' is not a point of Annex IV"
            yield Message(what, f"governance.annex_iv.{name}", suggestion=nearest(name, known), allowed=known)
