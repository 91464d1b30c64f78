"""The service itself: a BentoML service over one bundle, and a server of one process for it.

Imported only by what serves (the constant `service.py` of a Bento, and `engine serve`), so BentoML and
uvicorn stand at the top.
"""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bentoml
import uvicorn

from engine.deploy.docs import answer_model, request_model
from engine.deploy.door import Door
from engine.deploy.listen import listen
from engine.deploy.tag import tag_name
from engine.errors import EngineError
from engine.runs.bundle import load_deployable

# The door's own limits come first; BentoML's timeout is the net below them.
_TIMEOUT_NET_S = 5.0
# BentoML writes these into the Dockerfile: in a container the service must be reached from outside. Elsewhere
# they come too late to have a say, and a Bento listens on 127.0.0.1 until told otherwise.
_CONTAINER = {"BENTOML_HOST": "0.0.0.0", "BENTOML_DO_NOT_TRACK": "True", "ORT_DISABLE_TELEMETRY": "1"}  # noqa: S104


def create(folder: Path) -> bentoml.Service[Any]:
    """Return the BentoML service of the bundle in `folder`, which is verified and replayed before.

    Raises
    ------
    BundleError
        If a file was changed, or a golden row is not predicted as stored.
    GateError
        If the bundle's gates were missed.
    """
    bundle = load_deployable(folder)

    class Predictor:
        @bentoml.api(input_spec=request_model(bundle), output_spec=answer_model(bundle))  # type: ignore[untyped-decorator]
        def predict(self, **request: Any) -> Any:
            raise AssertionError("POST /predict is answered by the door")

    Predictor.predict.doc = f"Predict {bundle.target.name} with {bundle.model_version}."
    decorate = bentoml.service(
        name=tag_name(bundle.manifest.name),
        description=f"Predicts {bundle.target.name} with {bundle.model_version}.",
        envs=[{"name": name, "value": value} for name, value in _CONTAINER.items()],
        workers=1,
        traffic={"timeout": 2 * bundle.limits.timeout_s + _TIMEOUT_NET_S},
        logging={"access": {"enabled": False}},
        tracing={"excluded_urls": ".*"},
        http={"host": "127.0.0.1"},
    )
    service: bentoml.Service[Any] = decorate(Predictor)
    service.add_asgi_middleware(Door, bundle=bundle)
    return service


def run(folder: Path, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the bundle in `folder` from this process until SIGTERM, which ends it cleanly, or SIGINT.

    Parameters
    ----------
    port
        0 lets the system choose.
    on_ready
        Called once with the URL, when requests are answered.

    Raises
    ------
    RecipeError
        If the address can't be listened on.
    EngineError
        If the service does not start, or as `create`.
    KeyboardInterrupt
        On SIGINT, after the requests at work are answered.
    """
    service = create(folder)
    listening = listen(host, port)
    bound = listening.getsockname()
    shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
    config = uvicorn.Config(
        _asgi(service),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=30,
    )
    # uvicorn raises the signal again when it is done; this handler makes of it an ordinary end.
    previous = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        server = _Server(config)
        server.announce = lambda: on_ready(f"http://{shown}:{bound[1]}")
        server.run(sockets=[listening])
    finally:
        signal.signal(signal.SIGTERM, previous)
        listening.close()
    if not server.started:
        raise EngineError.of("the service did not start; its log says why")


class _Server(uvicorn.Server):
    announce: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.announce()


def _asgi(service: bentoml.Service[Any]) -> Any:
    from bentoml._internal.context import server_context

    # What BentoML's own worker sets before it makes the app: the labels of its metrics.
    server_context.service_name = service.name
    server_context.service_type = "entry_service"
    server_context.service_routes = [method.route for method in service.apis.values()]
    server_context.bento_name = service.name
    server_context.bento_version = "not available"
    logging.getLogger("bentoml").setLevel(logging.WARNING)
    return service.to_asgi()
