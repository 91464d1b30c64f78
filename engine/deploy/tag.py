"""The tag of a Bento, `name:version`, from words that people chose freely."""

from __future__ import annotations

import re

_MAX_LENGTH = 63  # BentoML's own bound on names and versions


def tag_name(name: str) -> str:
    """Return `name` as a Bento may be called.

    Examples
    --------
    >>> tag_name("Churn 2026.v1")
    'churn_2026_v1'
    """
    return re.sub(r"[^a-z0-9_-]", "_", name.lower())[:_MAX_LENGTH].strip("_-") or "model"


def tag_version(version: str) -> str:
    """Return `version` as a Bento's version may be written.

    Examples
    --------
    >>> tag_version("20261122-181213-0A1B2C3D")
    '20261122-181213-0a1b2c3d'
    """
    return re.sub(r"[^a-z0-9_.-]", "_", version.lower())[:_MAX_LENGTH].strip("_.-") or "0"
