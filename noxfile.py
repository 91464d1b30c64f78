"""The workshop: `nox -s demo tests lint types bench`. One environment serves them all."""

from __future__ import annotations

import sys

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests", "lint", "types"]

# The environment that `nox` itself was installed into by the README's first command.
VENV = ".venv"


def install(session: nox.Session) -> None:
    """Install the project, its workshop and nothing that `constraints.txt` does not pin."""
    session.install("--quiet", "-c", "constraints.txt", "-e", ".[dev]")


@nox.session(venv_location=VENV)
def demo(session: nox.Session) -> None:
    """Run the main job: census income, from the table to a packaged model."""
    install(session)
    session.run("engine", "run", "recipes/adult.yaml", *session.posargs)
    session.run("engine", "package", "adult@latest", "-o", "bentos")


@nox.session(venv_location=VENV)
def tests(session: nox.Session) -> None:
    """Run every test."""
    install(session)
    session.run("python", "-m", "pytest", *(session.posargs or ["-n", "2", "--dist", "worksteal"]))


@nox.session(venv_location=VENV)
def lint(session: nox.Session) -> None:
    """Check style and format."""
    install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(venv_location=VENV)
def types(session: nox.Session) -> None:
    """Check types."""
    install(session)
    session.run("mypy")


@nox.session(venv_location=VENV)
def bench(session: nox.Session) -> None:
    """Measure against plain scripts; prints ratios."""
    install(session)
    session.run("python", "benchmarks/overhead.py", *session.posargs)


if __name__ == "__main__":
    sys.exit("run `nox`, not this file")
