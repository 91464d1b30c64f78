"""MLServer with a runtime of one's own: `python peer_mlserver.py BUNDLE PORT [WORKERS]`.

With as many worker processes as it has by itself, or as named: 0 has the model in the process of the server.

Asked by the open inference protocol, a tensor a column, at `/v2/models/bundle/infer`.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import numpy as np
from graph import Graph
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Runtime(MLModel):
    """The model."""

    async def load(self) -> bool:
        """Load the graph."""
        self.graph = Graph(Path(sys.argv[1]))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Predict."""
        columns = {each.name: list(each.data) for each in payload.inputs}
        predictions = self.graph.predict_columns(columns)
        rows = [[each["probabilities"][name] for name in self.graph.classes] for each in predictions]
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                StringCodec.encode_output("prediction", [each["prediction"] for each in predictions]),
                NumpyCodec.encode_output("probabilities", np.array(rows)),
            ],
        )


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def main() -> None:
    """Serve until ended."""
    own = {"parallel_workers": int(sys.argv[3])} if len(sys.argv) > 3 else {}
    settings = Settings(
        host="127.0.0.1",
        http_port=int(sys.argv[2]),
        grpc_port=free_port(),
        metrics_port=free_port(),
        **own,
        debug=False,
        logging_settings=None,
    )
    await MLServer(settings).start([ModelSettings(name="bundle", implementation=Runtime)])


if __name__ == "__main__":
    asyncio.run(main())
