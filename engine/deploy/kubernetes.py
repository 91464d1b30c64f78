"""The deployment `kubernetes`: a Bento, and beside it the manifests that run its image on a cluster.

Two files, of which one is applied: `.kubernetes.yaml` on any cluster, `.kserve.yaml` where KServe is. What
they say follows from the recipe, the bundle and one measure of memory; no cluster and no registry is asked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.deploy.bento import DEPLOYMENT as BENTO
from engine.deploy.bento import Packaged, refuse_to_write_over
from engine.deploy.tag import tag_name, tag_version
from engine.durable import remove_folder, write_text
from engine.errors import Message, RecipeError

if TYPE_CHECKING:
    from engine.recipe.spec import DeploySpec
    from engine.recipe.spec_kubernetes import KubernetesSpec
    from engine.runs.bundle import Bundle

Document = dict[str, object]

PORT = 3000
# The user that BentoML's Dockerfile makes; a name would not show the cluster that it is not root.
_USER = 1034
# All that a service writes to; the rest of its container can't be written.
_WRITTEN = "/tmp"  # noqa: S108  the container's own
_WRITTEN_MIB = 64
# What is measured is not all that will ever be asked; whole steps, that two measures give the same manifest.
_ROOM, _STEP_MIB = 1.25, 128
# Where BentoML's Dockerfile puts the Bento's source, in which the service works.
_SOURCE = "/home/bentoml/bento/src"
# Until no balancer of the cluster sends a request any more; and besides what those at work may take.
_LEAVE_S, _END_S = 5, 20
_LONGEST_NAME = 50  # KServe makes longer names of it, of which each is a label of 63 letters at most


class Deployment:
    """The deployment of this module, under the name `kubernetes`."""

    name = "kubernetes"
    serve = staticmethod(BENTO.serve)

    def package(
        self, bundle: Path, output: Path, *, hashes: bool = False, deploy: DeploySpec | None = None
    ) -> Packaged:
        """Build a Bento as the deployment `bento` does, and write the manifests for its image beside it.

        The same bundle, keys and memory give the same bytes.

        Raises
        ------
        EngineError
            As the deployment `bento`; or if the Bento's memory can't be measured, where no key says it.
        """
        from engine.deploy.peak import peak_mib
        from engine.runs.bundle import load_deployable

        assert deploy is not None
        cluster = deploy.kubernetes
        wrong = list(check_cluster(cluster))
        if wrong:
            raise RecipeError([replace(message, file="command line") for message in wrong])
        assert cluster is not None
        loaded = load_deployable(bundle)
        stem = f"{tag_name(loaded.manifest.name)}-{tag_version(loaded.model_version)}"
        paths = (output / f"{stem}.kubernetes.yaml", output / f"{stem}.kserve.yaml")
        refuse_to_write_over(*paths)
        packaged = BENTO.package(bundle, output, hashes=hashes)
        try:
            memory = cluster.memory_mib or rounded_mib(peak_mib(packaged.folder, loaded))
            workload = workload_of(loaded, cluster, memory_mib=memory)
            for path, documents in zip(paths, (on_kubernetes(workload), on_kserve(workload)), strict=True):
                write_text(path, _in_yaml(documents, workload, path.name))
        except BaseException:
            remove_folder(packaged.folder)
            for path in (packaged.archive, *paths):
                path.unlink(missing_ok=True)
            raise
        return replace(packaged, manifests=paths)


DEPLOYMENT = Deployment()


@dataclass(frozen=True, slots=True)
class Workload:
    """What runs: one image, and what its copies are given."""

    name: str
    version: str
    tag: str
    image: str
    recipe_sha256: str
    grace_s: int
    log: str | None
    memory_mib: int
    cluster: KubernetesSpec


def check_cluster(cluster: KubernetesSpec | None) -> Iterator[Message]:
    """Yield what is wrong with how a Bento is to run on a cluster; keys are relative to the recipe."""
    key = "deploy.kubernetes"
    if cluster is None:
        what = "deploy.kind is kubernetes, and nothing is said of the cluster"
        yield Message(what, key, try_="deploy: kubernetes in defaults")
    elif cluster.min_replicas > cluster.max_replicas:
        what = f"max_replicas is {cluster.max_replicas}, and min_replicas {cluster.min_replicas}"
        yield Message(what, f"{key}.max_replicas", suggestion=str(cluster.min_replicas))


def rounded_mib(peak: float) -> int:
    """Return the memory that a copy is given whose peak was measured.

    Examples
    --------
    >>> rounded_mib(167.6)
    256
    """
    return math.ceil(peak * _ROOM / _STEP_MIB) * _STEP_MIB


def label_of(name: str) -> str:
    """Return a name as Kubernetes takes it.

    Examples
    --------
    >>> label_of("Churn 2026.v1")
    'churn-2026-v1'
    """
    label = re.sub(r"[^a-z0-9]+", "-", name.lower())[:_LONGEST_NAME].strip("-")
    # What runs is named like a host, which may not begin with a digit.
    return label if label[:1].isalpha() else f"model-{label}".strip("-")


def workload_of(bundle: Bundle, cluster: KubernetesSpec, *, memory_mib: int) -> Workload:
    """Return what runs of a bundle."""
    name, version = tag_name(bundle.manifest.name), tag_version(bundle.model_version)
    # Of separators a registry takes fewer in a row than BentoML does.
    image = cluster.image or re.sub(r"[_-]{2,}", "-", name)
    repository = image if cluster.registry is None else f"{cluster.registry}/{image}"
    return Workload(
        name=label_of(bundle.manifest.name),
        version=version,
        tag=f"{name}:{version}",
        image=f"{repository}:{version}",
        recipe_sha256=bundle.manifest.recipe_sha256,
        # A body that is still sent, and its answer.
        grace_s=_LEAVE_S + _END_S + math.ceil(2 * bundle.limits.timeout_s),
        log=None if bundle.limits.log is None else bundle.limits.log.folder,
        memory_mib=memory_mib,
        cluster=cluster,
    )


def on_kubernetes(workload: Workload) -> list[Document]:
    """Return the manifests for any cluster: what runs, how it is reached, scaled, kept and closed off."""
    cluster, selector = workload.cluster, {"app.kubernetes.io/name": workload.name}
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector},
    }
    scraped = {"scrape": "true", "path": "/metrics", "port": str(PORT)}
    pod = {
        "metadata": {
            "labels": _labels(workload),
            "annotations": {f"prometheus.io/{name}": value for name, value in scraped.items()},
        },
        "spec": {
            **_pod(workload, container="service", port="http"),
            "topologySpreadConstraints": [spread],
        },
    }
    deployment = {
        "selector": {"matchLabels": selector},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": pod,
    }
    port = {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
    scaler = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name},
        "minReplicas": cluster.min_replicas,
        "maxReplicas": cluster.max_replicas,
        "metrics": list(_metrics(cluster)),
    }
    closed = {
        "podSelector": {"matchLabels": selector},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": "http", "protocol": "TCP"}]}],
        # A service asks nobody anything.
        "egress": [],
    }
    specs = {
        ("apps/v1", "Deployment"): deployment,
        ("v1", "Service"): {"type": "ClusterIP", "selector": selector, "ports": [port]},
        ("autoscaling/v2", "HorizontalPodAutoscaler"): scaler,
        ("policy/v1", "PodDisruptionBudget"): {"maxUnavailable": 1, "selector": {"matchLabels": selector}},
        ("networking.k8s.io/v1", "NetworkPolicy"): closed,
    }
    return [
        {"apiVersion": api, "kind": kind, "metadata": _metadata(workload), "spec": spec}
        for (api, kind), spec in specs.items()
    ]


def on_kserve(workload: Workload) -> list[Document]:
    """Return the one manifest that KServe makes all others of; clients ask by the open inference protocol."""
    cluster = workload.cluster
    predictor = {
        "minReplicas": cluster.min_replicas,
        "maxReplicas": cluster.max_replicas,
        "scaleMetric": "cpu",
        "scaleTarget": cluster.cpu_percent,
        # Names that KServe looks for: of the container, of its port, and of the protocol that it speaks.
        **_pod(workload, container="kserve-container", port="http1", env={"PROTOCOL": "v2"}),
    }
    metadata = _metadata(workload)
    metadata["annotations"] = {
        **metadata["annotations"],  # type: ignore[dict-item]
        "serving.kserve.io/deploymentMode": "Standard",
    }
    return [
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": metadata,
            "spec": {"predictor": predictor},
        }
    ]


def _labels(workload: Workload) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": workload.name,
        "app.kubernetes.io/version": workload.version,
        "app.kubernetes.io/managed-by": "declarative-engine",
    }


def _metadata(workload: Workload) -> Document:
    namespace = workload.cluster.namespace
    return {
        "name": workload.name,
        **({} if namespace is None else {"namespace": namespace}),
        "labels": _labels(workload),
        "annotations": {"declarative-engine/recipe-sha256": workload.recipe_sha256},
    }


def _metrics(cluster: KubernetesSpec) -> Iterator[Document]:
    utilization = {"type": "Utilization", "averageUtilization": cluster.cpu_percent}
    yield {"type": "Resource", "resource": {"name": "cpu", "target": utilization}}
    if cluster.requests_per_s is not None:
        # By its rate, as the usual adapter of Prometheus gives a counter.
        value = {"type": "AverageValue", "averageValue": f"{round(cluster.requests_per_s * 1000)}m"}
        yield {"type": "Pods", "pods": {"metric": {"name": "engine_requests"}, "target": value}}


def _pod(workload: Workload, *, container: str, port: str, env: Mapping[str, str] | None = None) -> Document:
    """Return the spec of one copy, which meets the standard `restricted` of Kubernetes for pods."""
    memory = f"{workload.memory_mib}Mi"
    variables = {"BENTOML_HOME": f"{_WRITTEN}/bentoml", "HOME": _WRITTEN, **(env or {})}
    runs: dict[str, Any] = {
        "name": container,
        "image": workload.image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": port, "containerPort": PORT, "protocol": "TCP"}],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "resources": {
            "requests": {"cpu": f"{round(workload.cluster.cpu * 1000)}m", "memory": memory},
            "limits": {"memory": memory},
        },
        "startupProbe": _probe("/readyz", every_s=2, tries=60),
        "readinessProbe": _probe("/readyz", every_s=5, tries=2),
        "livenessProbe": _probe("/healthz", every_s=10, tries=3),
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(_LEAVE_S)]}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": "written", "mountPath": _WRITTEN}],
    }
    volumes = [{"name": "written", "emptyDir": {"sizeLimit": f"{_WRITTEN_MIB}Mi"}}]
    if workload.log is not None:
        runs["volumeMounts"].append({"name": "log", "mountPath": f"{_SOURCE}/{workload.log}"})
        volumes.append({"name": "log", "emptyDir": {}})
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": workload.grace_s,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [runs],
        "volumes": volumes,
    }


def _probe(path: str, *, every_s: int, tries: int) -> Document:
    asked = {"path": path, "port": PORT}
    return {"httpGet": asked, "periodSeconds": every_s, "timeoutSeconds": 5, "failureThreshold": tries}


def _in_yaml(documents: list[Document], workload: Workload, file: str) -> str:
    import yaml

    words = (
        f"# image: bentoml containerize {workload.tag} -t {workload.image}, once the archive is imported\n"
        f"# apply: kubectl apply -f {file}\n"
    )
    if workload.log is not None:
        words += (
            "# log:   in the volume 'log', which goes with its pod: give it a claim of your own to keep it\n"
        )
    # Aliases are YAML, but few people's.
    dumper = type("Plain", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True})
    return words + str(yaml.dump_all(documents, Dumper=dumper, sort_keys=False, explicit_start=True))
