"""What natural batching gives a wide net: the same bundle served with it and without, asked by wrk in turn.

Three layers of 2,048 units on the census. Printed are medians of requests a second and of p50, at 64
connections and at one, and their ratios. Needs `wrk` on the path.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from msgspec.json import decode
from serving import PYTHON, Load, Server, ask, bodies, make_bundle, median, serving, wrk_script

from engine.runs.manifest import Manifest, write_manifest

BOUNDS = {"requests at 64 connections": 3.0, "p50 at 1 connection": 1.6}
WIDE = (
    *("model=mlp", "model.params.hidden_sizes=[2048,2048,2048]", "compute.max_iterations=1"),
    *("goal.gates=null", "evaluation=quick"),
)


def served_as(run: Path, folder: Path, *, batching: str) -> Path:
    """Copy a run so that its bundle is served with another `deploy.batching`; return the copy."""
    copied = folder / batching
    shutil.copytree(run, copied)
    bundle = copied / "bundle"
    contract = json.loads((bundle / "schema.json").read_bytes())
    contract["limits"]["batching"] = batching
    (bundle / "schema.json").write_text(json.dumps(contract))
    known = decode((bundle / "manifest.json").read_bytes(), type=Manifest)
    (bundle / "manifest.json").unlink()
    write_manifest(
        bundle,
        name=known.name,
        model_version=known.model_version,
        engine_version=known.engine_version,
        recipe_sha256=known.recipe_sha256,
        passed=known.passed,
        missed=known.missed,
    )
    return copied


def measure(servers: dict[str, Server], script: Path, *, rounds: int, seconds: int) -> None:
    """Ask both in turn, `rounds` times, and print."""
    for n_connections in (64, 1):
        seen: dict[str, list[Load]] = {name: [] for name in servers}
        for _ in range(rounds):
            for name, server in servers.items():
                seen[name].append(ask(server, script, n_connections=n_connections, seconds=seconds))
        print(f"\n{n_connections} connections, 1 row{'req/s':>14}{'p50 ms':>10}{'errors':>8}")
        for name, loads in seen.items():
            n_errors = sum(load.n_errors for load in loads)
            cells = f"{median(loads, 'requests_per_s'):>10.0f}{median(loads, 'p50_ms'):>10.2f}{n_errors:>8}"
            print(f"{name:24}{cells}")
        field, name = list(zip(("requests_per_s", "p50_ms"), BOUNDS, strict=True))[n_connections == 1]
        ratio = median(seen["auto"], field) / median(seen["never"], field)
        print(f"{name}: {ratio:.2f} x, the bound is {BOUNDS[name]:g}")


def main() -> None:
    """Make the bundle, serve it both ways, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--run", type=Path, help="a run of a wide net that is there already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        folder = Path(made)
        run = options.run.resolve() if options.run else make_bundle(folder / "runs", *WIDE).parent
        body = bodies(run / "bundle")[1]
        servers = {}
        for batching in ("never", "auto"):
            command = [
                PYTHON,
                "-m",
                "engine",
                "serve",
                str(served_as(run, folder, batching=batching)),
                "--port",
            ]
            started = serving(lambda port, command=command: [*command, str(port)], folder=folder, body=body)
            servers[batching] = stack.enter_context(started)
        script = wrk_script(folder, body, name="wide")
        measure(servers, script, rounds=options.rounds, seconds=options.seconds)


if __name__ == "__main__":
    main()
