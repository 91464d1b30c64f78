"""Other servers for the same graph, each at home in a virtual environment of its own.

What can't be installed is left out, and said.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

# The graph's runtime is the same in all, by version.
SHARED = [f"{name}=={version(name)}" for name in ("numpy", "onnxruntime")]


@dataclass(frozen=True)
class Peer:
    """What a server needs installed, the script that starts it, what it is asked at, and what it is told."""

    requirements: tuple[str, ...]
    script: str
    path: str = "/predict"
    options: tuple[str, ...] = ()


# MLServer speaks the open inference protocol; the others take the body that ours takes.
OPEN_PROTOCOL = "/v2/models/bundle/infer"
# Under a later uvloop its worker process ends before it begins.
_MLSERVER = ("mlserver==1.7.1", "uvloop<0.22")
PEERS: Mapping[str, Peer] = {
    "LitServe": Peer(("litserve==0.2.19",), "peer_litserve.py"),
    # As it comes, with a worker process; and without one, which is faster for a model as small as this.
    "MLServer": Peer(_MLSERVER, "peer_mlserver.py", OPEN_PROTOCOL),
    "MLServer, in one process": Peer(_MLSERVER, "peer_mlserver.py", OPEN_PROTOCOL, ("0",)),
    # Of a later protobuf it does not know the names.
    "Ray Serve": Peer(("ray[serve]==2.60.0", "protobuf<7"), "peer_ray.py"),
}


def interpreters(folder: Path, names: list[str]) -> dict[str, str]:
    """Return the interpreter of each peer that could be installed; what is in the folder is used again."""
    found = {}
    for name in names:
        peer, home = PEERS[name], folder / name.partition(",")[0].replace(" ", "_").lower()
        python = str(home / "bin" / "python")
        if not (home / "installed").exists():
            print(f"installing {name} …", file=sys.stderr)
            venv.create(home, with_pip=True, clear=True)
            command = [python, "-m", "pip", "install", "--quiet", *peer.requirements, *SHARED]
            done = subprocess.run(command, text=True, capture_output=True, check=False)
            if done.returncode:
                said = done.stderr.strip().splitlines() or ["no words"]
                print(f"LEFT OUT: {name} can't be installed: {said[-1]}", file=sys.stderr)
                continue
            (home / "installed").touch()
        found[name] = python
    return found
