"""The service in a Bento: its bundle, and beside it what the bundle's recipe asks for.

Imported only by the constant `service.py` of a Bento, so BentoML stands at the top.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from bentoml import Service

from engine.deploy.door import Door
from engine.deploy.service import service_of
from engine.errors import RecipeError
from engine.operate.files import writable
from engine.operate.life import Life, logging_of
from engine.runs.bundle import load_deployable

logger = logging.getLogger("engine.serve")

# What a Bento has beside its bundle.
_OWN = ("bundle", "engine", "service.py", "bentofile.yaml")
_KEY = "deploy.log.folder"


def create(folder: Path) -> Service[Any]:
    """Return the BentoML service of the bundle in `folder`, which is verified and replayed before.

    Raises
    ------
    BundleError
        If a file was changed, or a golden row is not predicted as stored.
    GateError
        If the bundle's gates were missed.
    RecipeError
        If the log would be written into what the Bento is made of.
    """
    bundle = load_deployable(folder)
    life = Life(tell=logger.warning, log=logging_of(bundle, None))
    if life.log is not None:
        _require_apart(life.log.folder.resolve(), folder.resolve().parent)

    def begin(door: Door) -> None:
        # Not before: a Bento that is built imports this too, and would have the folder in it.
        if life.log is not None:
            writable(life.log.folder, key=_KEY)
        life.begin(door)

    return service_of(bundle, begin=begin)


def _require_apart(log: Path, source: Path) -> None:
    if own := next((name for name in _OWN if log.is_relative_to(source / name)), None):
        what = f"'{log}' is the Bento's own '{own}', which is never written to"
        raise RecipeError.of(what, key=_KEY, try_=f"{_KEY}: log")
