"""What a run was made with: versions, code, git state, hardware. Recorded, never inferred later."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from engine.machine import memory_mib, usable_cores

# What decides numbers; a run on other versions of these is another run.
_DECIDING = (
    "numpy", "polars", "scikit-learn", "lightgbm", "xgboost-cpu", "torch", "pytorch-lightning", "onnx",
    "onnxruntime", "skl2onnx", "hydra-core", "omegaconf", "pydantic", "bentoml",
)  # fmt: skip
_MAX_CHANGED = 100


@cache
def engine_version() -> str:
    """Return the installed version of this package, or `source` where it runs without being installed."""
    try:
        return version("declarative-engine")
    except PackageNotFoundError:
        return "source"


@cache
def packages() -> dict[str, str]:
    """Return the versions of the packages that decide numbers; one that is not installed is left out."""
    found = {}
    for name in _DECIDING:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def code_sha256() -> str:
    """Return the SHA-256 of every source file of this package, in hex."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class GitState:
    """The working directory's repository: its commit, and what tracked files hold that it has not.

    `changed` are the first files that differ, `diff` is git's own.
    """

    commit: str
    dirty: bool
    changed: tuple[str, ...]
    diff: bytes


def git_state() -> GitState | None:
    """Return commit and dirty state of the working directory's repository, or None outside one."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    changes = (_git("status", "--porcelain", "--untracked-files=no") or b"").decode("utf-8", "replace")
    changed = tuple(line[3:] for line in changes.splitlines())
    # Neither programs nor filters that the repository's own settings name.
    diff = _git("diff", "--no-color", "--no-ext-diff", "--no-textconv", "HEAD") if changed else None
    return GitState(commit.decode().strip(), bool(changed), changed[:_MAX_CHANGED], diff or b"")


def hardware() -> dict[str, object]:
    """Return what this machine is: processor, cores that may be used, memory in MiB."""
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": usable_cores(),
        "memory_mib": memory_mib(),
        "system": platform.platform(),
    }


def identity(*, recipe_sha256: str, data_sha256: str) -> str:
    """Return the SHA-256, in hex, of recipe, data, code and versions together."""
    parts = [recipe_sha256, data_sha256, code_sha256(), repr(sorted(packages().items()))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _git(*arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, timeout=10, check=True)  # noqa: S603, S607 (fixed words)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
