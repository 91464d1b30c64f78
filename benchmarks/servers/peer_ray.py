"""Ray Serve as its tutorials write it: `python peer_ray.py BUNDLE PORT`, one replica."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import ray
from graph import Graph
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=1, max_ongoing_requests=100, logging_config={"enable_access_log": False})
class Predictor:
    """The service."""

    def __init__(self, bundle: str) -> None:
        self.graph = Graph(Path(bundle))

    async def __call__(self, request: Request) -> dict[str, Any]:
        """Predict."""
        return {"predictions": self.graph.predict((await request.json())["records"])}


if __name__ == "__main__":
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"working_dir": str(Path(__file__).parent)},
    )
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
        serve.run(Predictor.bind(sys.argv[1]), route_prefix="/predict", blocking=True)  # type: ignore[attr-defined]
    finally:
        # SIGTERM comes as SystemExit: Ray answers it.
        serve.shutdown()
        ray.shutdown()
