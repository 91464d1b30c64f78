"""What a Bento needs installed: the few packages that serving imports, and all they need, each pinned.

Pins are the versions of the environment that trained, judged and replayed the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution

SERVING = ("httptools", "msgspec", "numpy", "onnx", "onnxruntime", "polars", "pydantic", "uvloop")
ESTIMATOR = ("scikit-learn", "skops")
# BentoML adds the requirement on itself when it builds.
SERVER = "bentoml"


def requirements(*, estimator: bool) -> list[str]:
    """Return pinned requirements, sorted, without BentoML's own.

    Parameters
    ----------
    estimator
        Whether the bundle holds an estimator in skops' format, which needs scikit-learn.
    """
    pins: dict[str, str] = {}
    wanted = [SERVER, *SERVING, *(ESTIMATOR if estimator else ())]
    seen: set[tuple[str, frozenset[str]]] = set()
    queue = [(name, frozenset[str]()) for name in wanted]
    while queue:
        name, extras = queue.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            found = distribution(name)
        except PackageNotFoundError:
            # A dependency that this environment serves without.
            continue
        pins[name] = found.version
        queue += _needs(found.requires or [], extras)
    del pins[SERVER]
    return [f"{name}=={pins[name]}" for name in sorted(pins)]


def _needs(lines: list[str], extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    for line in lines:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield canonicalize_name(requirement.name), frozenset(requirement.extras)
