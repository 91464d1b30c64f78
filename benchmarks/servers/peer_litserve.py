"""LitServe as its tutorials write it: `python peer_litserve.py BUNDLE PORT`, one worker."""

import sys
from pathlib import Path
from typing import Any

import litserve
from graph import Graph


class Api(litserve.LitAPI):
    """The service."""

    def setup(self, device: str) -> None:
        """Load the graph."""
        self.graph = Graph(Path(sys.argv[1]))

    def decode_request(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """Take the records."""
        return request["records"]

    def predict(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Predict."""
        return self.graph.predict(records)

    def encode_response(self, predictions: list[dict[str, Any]]) -> dict[str, Any]:
        """Answer."""
        return {"predictions": predictions}


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=1, timeout=30)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[2]),
        num_api_servers=1,
        log_level="error",
        generate_client_file=False,
        access_log=False,
    )
