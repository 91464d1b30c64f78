"""Composed recipes of earlier engines: what they could not say yet is said as it was then."""

from __future__ import annotations

from collections.abc import Mapping

from engine.recipe import text
from engine.recipe.defaults import base_choices
from engine.recipe.find import shipped
from engine.recipe.text import Plain

# Keys that came after the first recipes were stored; what the base chooses for them changes nothing of a run.
_ADDED: Mapping[str, tuple[str, ...]] = {
    "tune": (
        "trials",
        "max_seconds",
        "max_concurrent_trials",
        "objective",
        "finalists",
        "repeats",
        "reduction_factor",
        "rungs",
        "models",
        "space",
    ),
    "compute": ("executor", "address"),
}


def complete(body: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return a composed recipe with the keys that were added since, where it lacks them."""
    chosen = base_choices(text.read(shipped("conf") / "base.yaml").mapping())
    found = dict(body)
    for group, names in _ADDED.items():
        section = found.get(group)
        if isinstance(section, dict) and not set(names) <= set(section):
            option = text.read(shipped("conf") / group / f"{chosen[group]}.yaml").mapping()
            added = {name: option[name] for name in names if name not in section}
            found[group] = {**section, **added}
    return found
