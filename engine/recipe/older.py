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
        "nested",
        "finalists",
        "repeats",
        "reduction_factor",
        "rungs",
        "population",
        "interval",
        "quantile",
        "perturbation",
        "models",
        "space",
    ),
    "compute": ("executor", "address", "memory_mib"),
    "deploy": ("max_concurrent", "abstain_below", "pipeline", "batching", "cache", "kubernetes", "log"),
    "split": ("repeats", "gap", "embargo"),
    "data": (
        "population",
        "table",
        "version",
        "join",
        "sample",
        "max_rows",
        "max_columns",
        "max_mib",
    ),
}
# The same of sections that have no options: what the base itself says.
_ADDED_TO_BASE: Mapping[str, tuple[str, ...]] = {"schema": ("key",), "goal": ("interpretable",)}
_ADDED_AT_TOP = ("governance",)
# Studies that no engine made then, whatever the depth.
_NOT_MADE: Mapping[str, Plain] = {
    "importance_rows": 0,
    "explain_rows": 0,
    "robustness_rows": 0,
    "learning_curve": [],
    "slices": [],
}


def complete(body: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return a composed recipe with the keys that were added since, where it lacks them."""
    base = text.read(shipped("conf") / "base.yaml").mapping()
    chosen = base_choices(base)
    found = {**{name: base[name] for name in _ADDED_AT_TOP}, **body}
    for group, names in {**_ADDED, **_ADDED_TO_BASE}.items():
        section = found.get(group)
        if isinstance(section, dict) and not set(names) <= set(section):
            option = base.get(group)
            if group in _ADDED:
                option = text.read(shipped("conf") / group / f"{chosen[group]}.yaml").mapping()
            assert isinstance(option, dict)
            added = {name: option[name] for name in names if name not in section}
            found[group] = {**section, **added}
    evaluation = found.get("evaluation")
    if isinstance(evaluation, dict):
        found["evaluation"] = {**_NOT_MADE, **evaluation}
    return found
