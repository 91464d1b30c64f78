"""What strange requests do: schemathesis asks a service all that its own OpenAPI page allows, and more.

A short form of it is a test; here are many more requests, of every path, with another seed each time. Exits
with 1 on an answer of 5xx, or one that the page does not have; the seed that is printed asks the same again.
"""

from __future__ import annotations

import argparse
import secrets
import subprocess
import tempfile
from pathlib import Path

from serving import PYTHON, bodies, make_bundle, serving

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


def main() -> None:
    """Serve, ask, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="a run that is there already; else penguins are run")
    parser.add_argument("--examples", type=int, default=1000, help="requests a path and phase at most")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        bundle = options.run.resolve() / "bundle" if options.run else make_bundle(folder, recipe="penguins")
        command = [PYTHON, "-m", "engine", "serve", str(bundle.parent), "--port"]
        print(f"seed {options.seed}", flush=True)
        with serving(lambda port: [*command, str(port)], folder=folder, body=bodies(bundle)[1]) as server:
            page = server.url.replace("/predict", "/docs.json")
            asked = [PYTHON, "-m", "schemathesis.cli", "run", page, "--checks", ",".join(CHECKS)]
            asked += ["--phases", "coverage,fuzzing", "--no-color", "--continue-on-failure"]
            asked += ["--max-examples", str(options.examples), "--seed", str(options.seed)]
            ended = subprocess.run(asked, cwd=folder, check=False)
    raise SystemExit(ended.returncode)


if __name__ == "__main__":
    main()
