"""The deployment that a run names; apart from the reading of recipes, which takes long to import."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from engine.names import DEPLOYMENTS
from engine.runs.run import Run

if TYPE_CHECKING:
    from engine.deploy.bento import Deployment


def deployment_of(run: Run) -> Deployment:
    """Return the deployment that the run's recipe names."""
    recipe = run.read("recipe.json")
    return deployment(str(cast("dict[str, object]", recipe["deploy"])["kind"]))


def deployment(kind: str) -> Deployment:
    """Return a deployment by its name."""
    return cast("Deployment", DEPLOYMENTS.load(kind))
