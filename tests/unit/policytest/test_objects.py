"""Objects in short form and as manifests."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from prunella.policytest import objects

OBJECT: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(objects.Object)


def manifest(written: object) -> dict[str, Any]:
    """What a test file's object stands for."""
    return objects.manifest_of(OBJECT.validate_python(written), "shop")


def test_a_workload_in_short() -> None:
    """Name and image are enough; its pods are found by the label app."""
    found = manifest({"deployment": "checkout", "image": "shop:v1", "labels": {"tier": "web"}})

    assert ("Deployment", 3) == (found["kind"], found["spec"]["replicas"])
    assert {"name": "checkout", "namespace": "shop"}.items() <= found["metadata"].items()
    assert {"app": "checkout", "tier": "web"} == found["metadata"]["labels"]
    assert {"app": "checkout"} == found["spec"]["template"]["metadata"]["labels"]


def test_a_daemon_set_has_no_replicas() -> None:
    """Its pods are as many as the nodes."""
    assert "replicas" not in manifest({"daemonSet": "agent", "image": "a:1"})["spec"]


def test_a_budget_in_short() -> None:
    """It is about the workload of its name."""
    found = manifest({"budget": "checkout", "minAvailable": 2})

    assert {"selector": {"matchLabels": {"app": "checkout"}}, "minAvailable": 2} == found["spec"]


def test_an_autoscaler_in_short() -> None:
    """Only its target matters."""
    found = manifest({"autoscaler": "StatefulSet/db"})

    assert {"kind": "StatefulSet", "name": "db"} == found["spec"]["scaleTargetRef"]


def test_a_manifest_stays_as_it_is() -> None:
    """Its own namespace counts; without one it has the test's."""
    written = {
        "kind": "Deployment",
        "metadata": {"name": "x", "namespace": "other"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{}]}},
        },
    }

    assert written == manifest(written)
    del written["metadata"]["namespace"]  # type: ignore[attr-defined]
    assert "shop" == manifest(written)["metadata"]["namespace"]


REFUSED = {
    "nothing": ({}, "exactly one of deployment"),
    "two kinds": ({"deployment": "a", "daemonSet": "b", "image": "c"}, "exactly one of deployment"),
    "no image": ({"deployment": "a"}, "a Deployment needs an image"),
    "a budget without a limit": ({"budget": "a"}, "exactly one of minAvailable"),
    "a pod": ({"kind": "Pod"}, "is made by its workload"),
    "an unknown kind": ({"kind": "Secret"}, "the kind Secret is not simulated"),
    "no name": ({"kind": "Deployment", "metadata": {}}, "metadata.name is missing"),
    "no selector": (
        {"kind": "Deployment", "metadata": {"name": "x"}, "spec": {}},
        "spec.selector.matchLabels is missing",
    ),
    "no list": ({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "x"}}, "scaleTargetRef"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_object_is_refused(name: str) -> None:
    """The message names the field."""
    written, message = REFUSED[name]
    with pytest.raises(pydantic.ValidationError, match=message):
        OBJECT.validate_python(written)
