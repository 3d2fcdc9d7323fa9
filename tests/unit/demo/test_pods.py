"""The demo's pods on a real cluster: programs that exist, and metrics that the policies ask for."""

from __future__ import annotations

import ast
import pathlib
import runpy
import sys
from collections.abc import Iterator
from typing import Any

import prometheus_client.parser
import pytest
import yaml

import prunella.demo
from prunella.adapters.kubernetes import kinds
from prunella.demo import ground, pods, story

MANIFESTS = pathlib.Path(prunella.demo.__file__).with_name("manifests")
EXPORTER = MANIFESTS / "exporter.py"
SHOP = story.documents("shop.yaml")


def templates() -> Iterator[tuple[str, dict[str, Any]]]:
    """The pod templates of all that the demo runs, by name."""
    for document in [*map(pods.dressed, SHOP), *pods.prometheus()]:
        if document["kind"] == "Deployment":
            yield document["metadata"]["name"], document["spec"]["template"]


TEMPLATES = dict(templates())


def test_what_runs() -> None:
    """Each Deployment of the story is there, and Prometheus beside them."""
    assert {"checkout", "payments", "prometheus"} == TEMPLATES.keys()


@pytest.mark.parametrize("name", TEMPLATES)
def test_images_exist_and_pods_are_restricted(name: str) -> None:
    """No image of the story's fiction is pulled, and the strictest pod standard admits them."""
    pod = TEMPLATES[name]["spec"]
    container = pod["containers"][0]

    assert container["image"].startswith("docker.io/")
    assert not container["image"].endswith((":latest", ":"))
    security = container["securityContext"]
    assert (False, ["ALL"]) == (
        security["allowPrivilegeEscalation"],
        security["capabilities"]["drop"],
    )
    assert (True, "RuntimeDefault") == (
        pod["securityContext"]["runAsNonRoot"],
        pod["securityContext"]["seccompProfile"]["type"],
    )


@pytest.mark.parametrize("name", ["checkout", "payments"])
def test_dressing_keeps_what_the_story_is_about(name: str) -> None:
    """Names, replicas, labels and owners are the manifest's; only the pods' inside is not."""
    plain = next(each for each in SHOP if each["metadata"]["name"] == name)
    dressed = pods.dressed(plain)

    assert plain["metadata"] == dressed["metadata"]
    assert plain["spec"]["replicas"] == dressed["spec"]["replicas"]
    assert plain["spec"]["template"]["metadata"] == dressed["spec"]["template"]["metadata"]
    assert story.GOOD == pods.release_of(dressed["spec"]["template"])
    assert plain["spec"]["template"]["spec"]["containers"][0]["image"].startswith("shop.example/")


def test_release_is_read_back() -> None:
    """What a release writes is what the story reads; it tells the simulated kubelets, too."""
    patch = pods.release_patch(story.BAD)["spec"]["template"]

    assert story.BAD == pods.release_of(patch)
    assert {"lab.prunella.dev/errors": "0.3"} == patch["metadata"]["annotations"]
    good = pods.release_patch(story.GOOD)["spec"]["template"]
    assert {"lab.prunella.dev/errors": "0.0"} == good["metadata"]["annotations"]


PAGES = {
    "good": ("v1", {"200": 600.0}),
    "bad": ("v2-bad", {"200": 420.0, "500": 180.0}),
    "no release": ("", {"200": 600.0}),
}


@pytest.mark.parametrize("name", PAGES)
def test_exporter_reports_its_release(name: str) -> None:
    """After a minute: 600 requests, 30 % of them failed when the release is bad."""
    release, expected = PAGES[name]
    page = runpy.run_path(str(EXPORTER))["page"]

    families = prometheus_client.parser.text_string_to_metric_families(page(release, 60.0))
    samples = [sample for family in families for sample in family.samples]

    counts = {s.labels["code"]: s.value for s in samples if s.name == "app_http_requests_total"}
    assert expected == counts
    assert [1.0] == [s.value for s in samples if s.name == "app_up"]


def test_exporter_needs_the_standard_library_alone() -> None:
    """The image has nothing else."""
    tree = ast.parse(EXPORTER.read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert set() == imported - sys.stdlib_module_names


def test_exporter_is_where_the_pods_look_for_it() -> None:
    """Command, volume and ConfigMap name the same file."""
    (config,) = pods.support()
    pod = TEMPLATES["checkout"]["spec"]
    folder = pod["containers"][0]["volumeMounts"][0]["mountPath"]

    assert config["metadata"]["name"] == pod["volumes"][0]["configMap"]["name"]
    files = [f"{folder}/{name}" for name in config["data"]]
    assert files == pod["containers"][0]["command"][1:]


def test_prometheus_makes_the_labels_that_the_policies_group_by() -> None:
    """It reads the pods' port, in its own namespace alone, and names namespace and deployment."""
    config = next(each for each in pods.prometheus() if each["kind"] == "ConfigMap")
    (job,) = yaml.safe_load(config["data"]["prometheus.yaml"])["scrape_configs"]

    assert [{"role": "pod", "namespaces": {"own_namespace": True}}] == job["kubernetes_sd_configs"]
    rules = job["relabel_configs"]
    assert {"namespace", "pod", "deployment"} == {
        rule["target_label"] for rule in rules if "target_label" in rule
    }
    kept = next(rule for rule in rules if rule.get("action") == "keep")
    port = TEMPLATES["checkout"]["spec"]["containers"][0]["ports"][0]
    assert (kept["regex"], pods.PORT) == (port["name"], port["containerPort"])


def test_everything_stays_in_the_demos_namespace() -> None:
    """What is applied goes with the namespace, which is marked as the demo's own."""
    documents = [*SHOP, *story.documents("policies.yaml"), *pods.support(), *pods.prometheus()]

    namespaces = {each["metadata"].get("namespace", each["metadata"]["name"]) for each in documents}
    assert {story.NAMESPACE} == namespaces
    marked = next(each for each in documents if each["kind"] == "Namespace")
    assert ground.NAMESPACE["metadata"] == marked["metadata"]
    assert f"{kinds.POLICY.path(story.NAMESPACE)}" == ground.PATHS["RemediationPolicy"]
    assert {each["kind"] for each in documents} <= ground.PATHS.keys()
