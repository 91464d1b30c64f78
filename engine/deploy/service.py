"""The service itself: a BentoML service over one bundle.

Imported only by what serves (the constant `service.py` of a Bento, and `engine serve`), so BentoML stands at
the top.
"""

from __future__ import annotations

from typing import Any

import bentoml
from bentoml import Service

from engine.deploy.body import TABLES
from engine.deploy.docs import answer_model, documented, request_model
from engine.deploy.door import Asgi, Begin, Door
from engine.deploy.meters import meters
from engine.deploy.served import Served
from engine.deploy.tag import tag_name
from engine.runs.bundle import Bundle

# The door's own limits come first; BentoML's timeout is the net below them.
_TIMEOUT_NET_S = 5.0
# BentoML writes these into the Dockerfile: in a container the service must be reached from outside. Elsewhere
# they come too late to have a say, and a Bento listens on 127.0.0.1 until told otherwise.
_CONTAINER = {"BENTOML_HOST": "0.0.0.0", "BENTOML_DO_NOT_TRACK": "True", "ORT_DISABLE_TELEMETRY": "1"}  # noqa: S104


class Fronted(Service[Any]):  # type: ignore[misc]
    """A BentoML service whose app stands behind the door instead of around it."""

    bundle: Bundle
    begin: Begin | None = None

    def to_asgi(self, is_main: bool = True) -> Asgi:
        """Return the door, and behind it BentoML's app, which answers health, metrics and docs."""
        app: Asgi = super().to_asgi(is_main=is_main)

        def docs(bundle: Bundle) -> object:
            return documented(self.openapi_spec.asdict(), bundle, tables=TABLES)

        door = Door(app, served=Served(self.bundle), meters=meters(), docs=docs)
        if self.begin is not None:
            self.begin(door)
        return door


class Inner(Door):
    """The door as a middleware of BentoML's pipeline."""

    def __init__(self, app: Asgi, *, bundle: Bundle, begin: Begin | None = None) -> None:
        super().__init__(app, served=Served(bundle), meters=meters())
        if begin is not None:
            begin(self)


def service_of(bundle: Bundle, *, begin: Begin | None = None) -> Service[Any]:
    """Return the BentoML service of a bundle that may be served; `begin` is called with its door."""

    class Predictor:
        @bentoml.api(input_spec=request_model(bundle), output_spec=answer_model(bundle))  # type: ignore[untyped-decorator]
        def predict(self, **request: Any) -> Any:
            raise AssertionError("POST /predict is answered by the door")

    Predictor.predict.doc = f"Predicts {bundle.target.name} with {bundle.model_version}."
    is_fronted = bundle.limits.pipeline == "front"
    decorate = bentoml.service(
        name=tag_name(bundle.manifest.name),
        description=f"Predicts {bundle.target.name} with {bundle.model_version}.",
        envs=[{"name": name, "value": value} for name, value in _CONTAINER.items()],
        service_class=Fronted if is_fronted else Service,
        workers=1,
        traffic={"timeout": 2 * bundle.limits.timeout_s + _TIMEOUT_NET_S},
        logging={"access": {"enabled": False}},
        tracing={"excluded_urls": ".*"},
        http={"host": "127.0.0.1"},
    )
    service: Service[Any] = decorate(Predictor)
    if isinstance(service, Fronted):
        service.bundle, service.begin = bundle, begin
    else:
        service.add_asgi_middleware(Inner, bundle=bundle, begin=begin)
    return service
