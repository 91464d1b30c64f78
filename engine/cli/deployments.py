"""The deployment that a run names; apart from the reading of recipes, which takes long to import."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from engine.errors import EngineError
from engine.names import DEPLOYMENTS
from engine.runs.run import Run

if TYPE_CHECKING:
    from engine.deploy.bento import Deployment


def deployment_of(run: Run) -> Deployment:
    """Return the deployment that the run's recipe names.

    Raises
    ------
    EngineError
        If the recipe beside the run can't be read, or names none.
    """
    deploy = run.read("recipe.json").get("deploy")
    kind = deploy.get("kind") if isinstance(deploy, dict) else None
    if not isinstance(kind, str):
        raise EngineError.of(f"{run.path / 'recipe.json'} is damaged: it names no deployment")
    return deployment(kind)


def deployment(kind: str) -> Deployment:
    """Return a deployment by its name."""
    return cast("Deployment", DEPLOYMENTS.load(kind))
