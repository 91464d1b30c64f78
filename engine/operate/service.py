"""The service in a Bento: its bundle, and beside it what the bundle's recipe asks for.

Imported only by the constant `service.py` of a Bento, so BentoML stands at the top.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from bentoml import Service

from engine.deploy.service import service_of
from engine.operate.life import Life, logging_of
from engine.runs.bundle import load_deployable

logger = logging.getLogger("engine.serve")


def create(folder: Path) -> Service[Any]:
    """Return the BentoML service of the bundle in `folder`, which is verified and replayed before.

    Raises
    ------
    BundleError
        If a file was changed, or a golden row is not predicted as stored.
    GateError
        If the bundle's gates were missed.
    """
    bundle = load_deployable(folder)
    return service_of(bundle, begin=Life(tell=logger.warning, log=logging_of(bundle, None)).begin)
