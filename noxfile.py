"""The workshop: `nox -s demo tests lint types bench fresh`, in the environment that holds nox itself.

The README's command puts nox into `.venv`; a session then installs the project beside it, once for all.
"""

from __future__ import annotations

import sys

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["tests", "lint", "types"]


def run(session: nox.Session, module: str, *arguments: str) -> None:
    """Run a Python module of this environment."""
    session.run(sys.executable, "-m", module, *arguments)


def install(session: nox.Session) -> None:
    """Install the project and its workshop, at the versions that `constraints.txt` pins."""
    run(session, "pip", "install", "--quiet", "-c", "constraints.txt", "-e", ".[dev]")


@nox.session
def demo(session: nox.Session) -> None:
    """Run the main job: census income, from the table to a packaged model."""
    install(session)
    run(session, "engine", "run", "recipes/adult.yaml", *session.posargs)
    run(session, "engine", "package", "adult@latest", "-o", "bentos")


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test."""
    install(session)
    # Tests start the engine hundreds of times: with its byte code that takes a quarter less.
    session.env["PYTHONDONTWRITEBYTECODE"] = ""
    # Three on two cores: one of them waits as a rule, for a disk, a server or a process that it has started.
    run(session, "pytest", *(session.posargs or ["-n", "3", "--dist", "worksteal"]))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    install(session)
    run(session, "ruff", "check", ".")
    run(session, "ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types."""
    install(session)
    run(session, "mypy")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against plain scripts, and plans against runs; `-- throughput` measures what plans go by."""
    install(session)
    name, *options = session.posargs or [""]
    for benchmark in [name] if name else ["overhead", "estimates"]:
        session.run(sys.executable, f"benchmarks/{benchmark}.py", *options)


@nox.session
def fresh(session: nox.Session) -> None:
    """Serve a Bento in a new environment of its own requirements alone, and ask it its golden rows."""
    install(session)
    session.run(sys.executable, "benchmarks/fresh.py", *session.posargs)
