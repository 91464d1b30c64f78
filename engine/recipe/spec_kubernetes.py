"""What a recipe may say of a Kubernetes cluster; whether one is there is nothing that it knows."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import Field
from pydantic.fields import FieldInfo

from engine.recipe.strict import SAID, Strict

# RFC 1123, as Kubernetes names things.
LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_PART = r"[a-z0-9]+([._-]+[a-z0-9]+)*"
_REGISTRY = rf"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{{1,5}})?(/{_PART})*$"
_IMAGE = rf"^{_PART}(/{_PART})*$"
# The finest that Kubernetes has of an amount; less would be none.
_MILLI = 0.001


def _text(pattern: str, said: str) -> FieldInfo:
    return cast("FieldInfo", Field(pattern=pattern, max_length=200, json_schema_extra={SAID: said}))


Registry = Annotated[str, _text(_REGISTRY, "a host and a path, in small letters")]
Image = Annotated[str, _text(_IMAGE, "a name as images have, in small letters")]
Namespace = Annotated[str, _text(LABEL, "a name of small letters, digits and '-', at most 63")]


class KubernetesSpec(Strict):
    """How a Bento runs on a cluster."""

    registry: Registry | None = Field(
        description="where the nodes pull the image from; null: the image's name alone",
        examples=["registry.example.com/models"],
    )
    image: Image | None = Field(
        description="the image's name; its tag is the Bento's version. null: the Bento's name",
        examples=["teams/churn"],
    )
    namespace: Namespace | None = Field(
        description="where on the cluster; null: where kubectl is", examples=["models"]
    )
    min_replicas: int = Field(ge=1, description="the fewest copies that answer side by side", examples=[3])
    max_replicas: int = Field(ge=1, description="the most copies that answer side by side", examples=[20])
    cpu: float = Field(ge=_MILLI, description="cores that are kept free for each copy", examples=[0.5])
    memory_mib: Annotated[int, Field(ge=64)] | None = Field(
        description="MiB of memory that each copy is given, and may not go beyond; null: what the Bento took "
        "at most when it was asked the largest requests on the machine that packages, and a quarter more",
        examples=[512],
    )
    cpu_percent: int = Field(
        ge=1,
        le=100,
        description="copies are added where they use more of their cores than this",
        examples=[50],
    )
    requests_per_s: Annotated[float, Field(ge=_MILLI)] | None = Field(
        description="copies are added where one answers more requests a second than this, by its own metric "
        "engine_requests; needs a cluster whose Prometheus is asked for metrics. null: by the cores alone",
        examples=[500],
    )
