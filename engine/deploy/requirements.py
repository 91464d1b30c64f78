"""What a Bento needs installed: the few packages that serving imports, and all they need, each pinned.

Pins are the versions of the environment that trained, judged and replayed the model.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution

from engine.errors import EngineError

SERVING = ("httptools", "msgspec", "numpy", "onnx", "onnxruntime", "polars", "pyarrow", "pydantic", "uvloop")
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


def with_hashes(lines: Sequence[str]) -> list[str]:
    """Return pinned requirements in the form that `pip --require-hashes` takes.

    An installed package no longer knows the archive that it came from, so pip is asked which archives of the
    package index it would install here, on this platform.

    Raises
    ------
    EngineError
        If pip can't tell: without its index, it can't.
    """
    command = [sys.executable, "-P", "-m", "pip", "install", "--dry-run", "--ignore-installed"]
    command += ["--no-deps", "--only-binary", ":all:", "--quiet", "--report", "-", *lines]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own interpreter
    if asked.returncode != 0:
        said = asked.stderr.strip().splitlines()
        raise EngineError.of(
            f"pip could not tell the hashes of the requirements: {said[-1] if said else 'no words'}",
            try_="the same command without --hashes",
        )
    found = {}
    for item in json.loads(asked.stdout)["install"]:
        digest = item["download_info"]["archive_info"]["hashes"]["sha256"]
        found[f"{item['metadata']['name']}=={item['metadata']['version']}"] = digest
    return [f"{pin} --hash=sha256:{found[pin]}" for pin in sorted(found, key=str.lower)]


def _needs(lines: list[str], extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    for line in lines:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield canonicalize_name(requirement.name), frozenset(requirement.extras)
