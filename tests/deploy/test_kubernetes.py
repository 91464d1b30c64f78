"""What `deploy=kubernetes` writes: what Kubernetes' and KServe's own schemas take, the same bytes each time."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import kubernetes_validate
import msgspec
import pytest
import yaml

from engine.deploy import kubernetes, peak
from engine.deploy.kubernetes import (
    DEPLOYMENT,
    check_cluster,
    label_of,
    on_kserve,
    on_kubernetes,
    workload_of,
)
from engine.deploy.listen import listen
from engine.errors import EngineError, RecipeError
from engine.recipe import text
from engine.recipe.find import shipped
from engine.recipe.redeploying import redeploy
from engine.recipe.spec import DeploySpec
from engine.runs.bundle import load_bundle

# The earliest and the latest that the schemas are there for; the oldest cluster has all kinds that are written.
VERSIONS = ("1.25", "1.37")


def deploy_spec(*overrides: str) -> DeploySpec:
    """Return what a recipe with `deploy: bento` says, changed as `engine package` changes it."""
    option = text.read(shipped("conf") / "deploy" / "bento.yaml").mapping()
    return redeploy(DeploySpec.model_validate_json(json.dumps(option)), ["deploy=kubernetes", *overrides])


@pytest.fixture(scope="module")
def kserve_schema() -> dict[str, Any]:
    """Give KServe's schema of an InferenceService with a predictor of its own containers, unknown keys refused."""

    def close(node: dict[str, Any]) -> None:
        if "properties" in node:
            node["additionalProperties"] = False
        for inner in node.get("properties", {}).values():
            close(inner)
        for name in ("items", "additionalProperties"):
            if isinstance(node.get(name), dict):
                close(node[name])

    schema: dict[str, Any] = json.loads(Path(__file__).with_name("kserve_v1beta1.json").read_bytes())
    for name, node in schema["properties"].items():
        if name != "metadata":
            close(node)
    return schema


@pytest.fixture
def manifests(bundle_folder: Path) -> Callable[..., tuple[list[dict[str, Any]], dict[str, Any]]]:
    """Give the function from overrides to the manifests of the tiny bundle: for a cluster, and for KServe."""

    def make(*overrides: str, folder: Path = bundle_folder) -> tuple[list[Any], Any]:
        cluster = deploy_spec(*overrides).kubernetes
        assert cluster is not None
        workload = workload_of(load_bundle(folder), cluster, memory_mib=256)
        return on_kubernetes(workload), on_kserve(workload)[0]

    return make


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "overrides", [(), ("deploy.kubernetes.requests_per_s=0.5", "deploy.kubernetes.namespace=a")]
)
def test_kubernetes_takes_them(manifests: Any, overrides: tuple[str, ...], version: str) -> None:
    """Each manifest is what the schema of its kind takes, which knows every key of it."""
    documents, _ = manifests(*overrides)
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)
    kinds = ["Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"]
    assert [document["kind"] for document in documents] == kinds
    wrong = copy.deepcopy(documents[0])
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_kserve_takes_it(manifests: Any, kserve_schema: dict[str, Any]) -> None:
    """The InferenceService is what KServe's own resource takes, and says that it speaks the open protocol."""
    _, service = manifests("deploy.kubernetes.namespace=models")
    validator = jsonschema.Draft7Validator(kserve_schema)
    assert list(validator.iter_errors(service)) == []
    container = service["spec"]["predictor"]["containers"][0]
    assert (container["name"], {"name": "PROTOCOL", "value": "v2"} in container["env"]) == (
        "kserve-container",
        True,
    )
    container["readynessProbe"] = {}
    service["spec"]["predictor"]["scaleTarget"] = "70"
    assert len(list(validator.iter_errors(service))) == 2


def pods(documents: list[dict[str, Any]], service: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the spec of a copy, as a Deployment has it and as KServe does."""
    yield documents[0]["spec"]["template"]["spec"]
    yield service["spec"]["predictor"]


def test_a_pod_may_do_nothing_that_it_needs_not(manifests: Any) -> None:
    """Both ways the pod meets the pod security standard `restricted`, writes to one folder and has no token."""
    for pod in pods(*manifests()):
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 1034
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
        }
        assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]  # noqa: S108
        assert container["resources"]["limits"] == {"memory": "256Mi"}


def test_a_log_has_a_place(manifests: Any, tiny: ModuleType, tmp_path: Path) -> None:
    """A service that logs requests has a volume where its recipe says, below the folder that it works in."""
    from engine.recipe.spec import LogSpec

    log = LogSpec(folder="seen/requests", share=1.0, max_rows=10, max_s=1.0)
    folder = tiny.write_tiny(tmp_path / "bundle", log=log)
    for pod in pods(*manifests(folder=folder)):
        mounted = pod["containers"][0]["volumeMounts"][1]
        assert mounted == {"name": "log", "mountPath": "/home/bentoml/bento/src/seen/requests"}
        assert pod["volumes"][1] == {"name": "log", "emptyDir": {}}


def test_keys_are_said(manifests: Any) -> None:
    """Registry, image, copies, cores and bounds are what the keys say; the tag is the run's."""
    documents, service = manifests(
        "deploy.kubernetes.registry=registry.example.com:5000/models",
        "deploy.kubernetes.image=teams/income",
        "deploy.kubernetes.min_replicas=3",
        "deploy.kubernetes.max_replicas=9",
        "deploy.kubernetes.cpu=0.25",
        "deploy.kubernetes.cpu_percent=55",
        "deploy.kubernetes.requests_per_s=300",
    )
    for pod in pods(documents, service):
        (container,) = pod["containers"]
        image = "registry.example.com:5000/models/teams/income:20261122-181213-0a1b2c3d"
        assert container["image"] == image
        assert container["resources"]["requests"] == {"cpu": "250m", "memory": "256Mi"}
    scaler = documents[2]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 9)
    assert [metric["type"] for metric in scaler["metrics"]] == ["Resource", "Pods"]
    assert scaler["metrics"][0]["resource"]["target"]["averageUtilization"] == 55
    assert scaler["metrics"][1]["pods"]["metric"] == {"name": "engine_requests"}
    assert service["spec"]["predictor"]["scaleTarget"] == 55
    assert {document["metadata"]["name"] for document in documents} == {"tiny-income"}


def test_the_least_amount_is_not_nothing(manifests: Any) -> None:
    """A thousandth is the finest that Kubernetes has; less, which would be written as none, is refused."""
    documents, service = manifests("deploy.kubernetes.cpu=0.001", "deploy.kubernetes.requests_per_s=0.001")
    for pod in pods(documents, service):
        assert pod["containers"][0]["resources"]["requests"]["cpu"] == "1m"
    assert documents[2]["spec"]["metrics"][1]["pods"]["target"]["averageValue"] == "1m"
    for key in ("cpu", "requests_per_s"):
        with pytest.raises(RecipeError, match=r"at least 0\.001"):
            deploy_spec(f"deploy.kubernetes.{key}=0.0001")


def test_probes_are_what_a_service_answers(server: Any, manifests: Any, record: dict[str, object]) -> None:
    """The pages that the probes and the scraper ask are there, and have the metric that copies are added by."""
    documents, _ = manifests()
    template = documents[0]["spec"]["template"]
    (container,) = template["spec"]["containers"]
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert server.ask("GET", container[name]["httpGet"]["path"]).status == 200
    assert server.post({"records": [record]}).status == 200
    metrics = server.ask("GET", template["metadata"]["annotations"]["prometheus.io/path"])
    assert b"engine_requests_total" in metrics.body


@pytest.mark.parametrize(
    ("name", "label"),
    [("2026", "model-2026"), ("A_b..c", "a-b-c"), ("___", "model"), ("x" * 80, "x" * 50)],
)
def test_names_are_labels(name: str, label: str, tiny: ModuleType, tmp_path: Path) -> None:
    """Whatever a recipe is called, its names on the cluster and in a registry are such as these take."""
    assert label_of(name) == label
    bundle = load_bundle(tiny.write_tiny(tmp_path / "bundle"))
    named = replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, name=name))
    cluster = deploy_spec().kubernetes
    assert cluster is not None
    image = workload_of(named, cluster, memory_mib=64).image.partition(":")[0]
    assert deploy_spec(f"deploy.kubernetes.image='{image}'").kubernetes == cluster.model_copy(
        update={"image": image}
    )


def test_wrong_words_of_a_cluster() -> None:
    """Fewer copies at most than at least, and no cluster at all, are told with their keys."""
    with pytest.raises(RecipeError) as caught:
        redeploy(deploy_spec(), ["deploy.kubernetes.registry=http://a.b", "deploy.kubernetes.namespace=A_b"])
    assert str(caught.value) == (
        "command line: deploy.kubernetes.registry\n"
        "  expected a host and a path, in small letters or null, got 'http://a.b'\n"
        "  did you mean 'a.b'?\n"
        "  try: engine options deploy.kubernetes.registry\n\n"
        "command line: deploy.kubernetes.namespace\n"
        "  expected a name of small letters, digits and '-', at most 63 or null, got 'A_b'\n"
        "  did you mean 'a-b'?\n"
        "  try: engine options deploy.kubernetes.namespace"
    )
    (few,) = check_cluster(deploy_spec("deploy.kubernetes.max_replicas=1").kubernetes)
    assert (
        str(few)
        == "deploy.kubernetes.max_replicas\n  max_replicas is 1, and min_replicas 2\n  did you mean '2'?"
    )
    (none,) = check_cluster(None)
    assert str(none) == (
        "deploy.kubernetes\n  deploy.kind is kubernetes, and nothing is said of the cluster\n"
        "  try: deploy: kubernetes in defaults"
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["deploy.kubernetes.cpu=2"],
            "command line: deploy.kubernetes.cpu\n  deploy=bento has no part in a cluster\n"
            "  try: the same command with deploy=kubernetes",
        ),
        (
            ["deploy=kubernets"],
            "command line: deploy\n  'kubernets' is not an option of deploy\n  did you mean 'kubernetes'?\n"
            "  allowed: bento, kubernetes\n  try: engine options deploy",
        ),
        (
            ["deploy=bento,kubernetes"],
            "command line: deploy\n  'deploy=bento,kubernetes' has several values, and a Bento is packaged in one way",
        ),
    ],
)
def test_wrong_overrides_are_told(overrides: list[str], message: str) -> None:
    """What can't be said of a finished run's deployment is refused with the whole message."""
    option = text.read(shipped("conf") / "deploy" / "bento.yaml").mapping()
    with pytest.raises(RecipeError) as caught:
        redeploy(DeploySpec.model_validate_json(json.dumps(option)), overrides)
    assert str(caught.value) == message


@pytest.mark.slow
def test_a_package_has_a_bento_and_manifests(bundle_folder: Path, manifests: Any, tmp_path: Path) -> None:
    """One call writes the Bento and both files, of which the memory was measured; nothing is written over.

    A Bento that does not start has no peak: that is told with the key that does without.
    """
    made = DEPLOYMENT.package(bundle_folder, tmp_path / "one", deploy=deploy_spec())
    stem = "tiny_income-20261122-181213-0a1b2c3d"
    assert [path.name for path in made.manifests] == [f"{stem}.kubernetes.yaml", f"{stem}.kserve.yaml"]
    documents = list(yaml.safe_load_all(made.manifests[0].read_text()))
    (container,) = documents[0]["spec"]["template"]["spec"]["containers"]
    memory = container["resources"]["limits"]["memory"]
    # Two processes with BentoML in each take more than the first, and a tiny model no more than the second.
    assert memory in [f"{n}Mi" for n in range(256, 1025, 128)]
    text_of_them = made.manifests[0].read_text().replace(memory, "256Mi")
    assert list(yaml.safe_load_all(text_of_them)) == manifests()[0]
    assert text_of_them.startswith("# image: bentoml containerize tiny_income:20261122-181213-0a1b2c3d -t ")
    with pytest.raises(RecipeError, match=r"kubernetes\.yaml exists already and is never written over"):
        DEPLOYMENT.package(bundle_folder, tmp_path / "one", deploy=deploy_spec())
    (made.folder / "src" / "service.py").write_text("raise ValueError('broken')\n")
    with pytest.raises(EngineError) as caught:
        peak.peak_mib(made.folder, load_bundle(bundle_folder))
    message = caught.value.messages[0]
    assert message.what.startswith("the Bento's memory can't be measured: it does not answer: ")
    assert message.try_ == "the same command with deploy.kubernetes.memory_mib=512, or what it needs"


def test_a_measure_is_rounded_up() -> None:
    """A quarter more than the peak, in whole steps, so that two measures that are near give the same bytes."""
    assert [kubernetes.rounded_mib(peak) for peak in (102.0, 103.0, 384.1, 400.9)] == [128, 256, 512, 512]


def test_a_peak_is_of_requests_that_were_answered() -> None:
    """Where not all that may be at work side by side are answered, there is no peak, and it is said why."""
    with listen("127.0.0.1", 0) as gone:
        port = int(gone.getsockname()[1])
    with pytest.raises(
        EngineError, match="of 3 of the largest requests side by side it answered 3 with no answer"
    ):
        peak.ask_side_by_side(port, b"{}", 3)


def test_the_largest_body_is_within_the_limits(tiny: ModuleType, tmp_path: Path) -> None:
    """What is asked to measure is as many rows as the limits let through, and is answered."""
    few = load_bundle(tiny.write_tiny(tmp_path / "few", max_records=7))
    assert len(json.loads(peak.largest_body(few))["records"]) == 7
    small = load_bundle(tiny.write_tiny(tmp_path / "small", max_body_mib=0.01))
    body = peak.largest_body(small)
    assert 0.8 * 0.01 * 2**20 < len(body) <= 0.01 * 2**20
