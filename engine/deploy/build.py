"""Builds one Bento; run as a process of its own, in the build context, by `engine.deploy.bento`.

A process of its own, because BentoML changes the working directory, the import path and its own state while
it builds, and because the engine's source is then imported from the context: what is packed was tried.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def build(options: dict[str, Any]) -> dict[str, str]:
    """Build the Bento of `options`, and return its folder and its tag."""
    import bentoml

    bento = bentoml.build(
        "service:service",
        name=options["name"],
        version=options["version"],
        description=options["description"],
        labels=options["labels"],
        include=["*"],
        python={"packages": options["packages"], "lock_packages": False},
        docker={"python_version": options["python_version"]},
        build_ctx=".",
    )
    folder = Path(bento.path)
    # BentoML makes the folder for its owner only, and a container has another user.
    folder.chmod(0o755)
    return {"folder": str(folder), "tag": str(bento.tag)}


if __name__ == "__main__":
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Path(sys.argv[2]).write_text(json.dumps(build(asked)), encoding="utf-8")
