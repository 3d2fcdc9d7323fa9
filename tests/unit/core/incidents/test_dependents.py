"""Which workloads would feel a change of an object, and what refers to it."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.core import model
from prunella.core.incidents import dependents


def ref(kind: str, name: str) -> model.Ref:
    """An object of the shop."""
    return model.Ref(kind, "shop", name)


NIGHTLY = ref("CronJob", "nightly")
CART, WEB, IDLE = (ref("Deployment", name) for name in ("cart", "web", "idle"))


def workload(name: str, env: list[Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A Deployment's manifest."""
    container = {"name": "app", "env": env or []}
    pod = {"containers": [container], **spec}
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"template": template}}


def projected(name: str) -> list[dict[str, Any]]:
    """A volume of several sources."""
    return [{"name": "v", "projected": {"sources": [{"configMap": {"name": name}}]}}]


KEY = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "keys", "key": "a"}}}
WORLD = {
    CART: workload("cart", volumes=projected("flags")),
    WEB: workload("web", [{"name": "CART_ADDR", "value": "cart:80"}, KEY]),
    IDLE: workload("idle"),
    NIGHTLY: {"spec": {"jobTemplate": workload("nightly", volumes=projected("night"))}},
    ref("Service", "cart"): {"spec": {"selector": {"app": "cart"}}},
    ref("NetworkPolicy", "wall"): {"spec": {"podSelector": {"matchLabels": {"app": "cart"}}}},
    ref("NetworkPolicy", "all"): {"spec": {"podSelector": {}}},
    ref("NetworkPolicy", "odd"): {"spec": {"podSelector": {"matchWords": {}}}},
    ref("Ingress", "door"): {
        "spec": {
            "defaultBackend": {"service": {"name": "none"}},
            "rules": [{"http": {"paths": [{"backend": {"service": {"name": "cart"}}}]}}],
        }
    },
    ref("PodDisruptionBudget", "cart"): {"spec": {"selector": {"matchLabels": {"app": "cart"}}}},
    ref("HorizontalPodAutoscaler", "web"): {
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}}
    },
}
DEPENDS = [
    pytest.param(ref("Service", "cart"), {CART, WEB}, id="who is behind and who calls"),
    pytest.param(ref("ConfigMap", "flags"), {CART}, id="who mounts it"),
    pytest.param(ref("ConfigMap", "keys"), {WEB}, id="who reads a key"),
    pytest.param(ref("ConfigMap", "none"), set(), id="nobody"),
    pytest.param(ref("NetworkPolicy", "wall"), {CART}, id="whose pods are selected"),
    pytest.param(ref("NetworkPolicy", "all"), {CART, WEB, IDLE}, id="an empty selector is all"),
    pytest.param(ref("NetworkPolicy", "odd"), {CART, WEB, IDLE}, id="an unknown selector is all"),
    pytest.param(ref("Ingress", "door"), {CART}, id="where an Ingress leads to"),
    pytest.param(ref("Ingress", "gone"), set(), id="an unknown Ingress"),
    pytest.param(ref("HorizontalPodAutoscaler", "web"), {WEB}, id="what it scales"),
    pytest.param(ref("HorizontalPodAutoscaler", "gone"), set(), id="an unknown autoscaler"),
    pytest.param(ref("ResourceQuota", "small"), set(), id="no running pod asks a quota"),
    pytest.param(ref("PodDisruptionBudget", "cart"), set(), id="nor a budget"),
    pytest.param(ref("CronJob", "nightly"), set(), id="nor what runs at night"),
    pytest.param(CART, {CART}, id="a workload itself"),
]


@pytest.mark.parametrize(("of", "expected"), DEPENDS)
def test_who_depends(of: model.Ref, expected: set[model.Ref]) -> None:
    """As far as the namespace's objects tell."""
    assert expected == dependents.dependents(of, WORLD)


FRONT = model.Ref("Deployment", "front", "frontend")
WAS = {"spec": {"selector": {"app": "idle"}}}
LEADERS = [
    pytest.param(ref("Service", "cart"), None, {}, {CART, WEB}, id="who depends on it"),
    pytest.param(ref("Service", "cart"), WAS, {}, {CART, WEB, IDLE}, id="and who did before"),
    pytest.param(ref("Service", "gone"), WAS, {}, {IDLE}, id="it was deleted"),
    pytest.param(ref("ResourceQuota", "q"), None, {FRONT: [IDLE]}, {IDLE}, id="who is called"),
    pytest.param(
        ref("ResourceQuota", "q"), None, {FRONT: [ref("Service", "cart")]}, {CART}, id="by Service"
    ),
    pytest.param(ref("PodDisruptionBudget", "cart"), None, {}, {CART}, id="whom a budget keeps"),
    pytest.param(ref("ResourceQuota", "q"), None, {WEB: [IDLE]}, set(), id="by what is well"),
    pytest.param(
        ref("ResourceQuota", "q"),
        None,
        {FRONT: [model.Ref("Deployment", "front", "ad")]},
        set(),
        id="in another namespace",
    ),
]


@pytest.mark.parametrize(("of", "before", "calls", "expected"), LEADERS)
def test_who_can_prove_a_restore(
    of: model.Ref,
    before: dict[str, Any] | None,
    calls: dict[model.Ref, list[model.Ref]],
    expected: set[model.Ref],
) -> None:
    """For what is sick elsewhere: workloads of the object's own namespace alone."""
    assert expected == dependents.leaders(of, [FRONT], WORLD, before, calls)


def reader(env: Any = None, env_from: Any = None, mount: Any = None) -> dict[str, Any]:
    """A workload whose only init container reads the ConfigMap in one way."""
    found = workload("it", volumes=[{"name": "v", "configMap": {"name": "flags"}}])
    init = {"env": env or [], "envFrom": env_from or [], "volumeMounts": mount or []}
    found["spec"]["template"]["spec"]["initContainers"] = [init]
    return found


KEYS = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "flags", "key": "mode"}}}]
READS = [
    pytest.param(reader(env=KEYS), "start", id="a key as environment"),
    pytest.param(reader(env_from=[{"configMapRef": {"name": "flags"}}]), "start", id="all keys"),
    pytest.param(reader(mount=[{"name": "v", "subPath": "mode"}]), "start", id="a file"),
    pytest.param(reader(mount=[{"name": "v"}]), "live", id="a volume"),
    pytest.param(reader(env=KEYS, mount=[{"name": "v"}]), "start", id="both"),
    pytest.param(reader(), "", id="a volume that no container mounts"),
    pytest.param(reader(mount=[{"name": "other"}]), "", id="another volume"),
    pytest.param(reader(env_from=[{"secretRef": {"name": "flags"}}]), "", id="a Secret"),
    pytest.param(
        reader(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "mode"}}}]),
        "",
        id="a key of another",
    ),
]


@pytest.mark.parametrize(("manifest", "expected"), READS)
def test_who_reads_when(manifest: dict[str, Any], expected: str) -> None:
    """What a container has as environment or by subPath stays as it was at its start."""
    found = dependents.readers(ref("ConfigMap", "flags"), {WEB: manifest}, {"mode"})
    assert found == (
        (WEB,) if expected == "start" else (),
        (WEB,) if expected == "live" else (),
    )


def test_a_key_that_did_not_change_is_none() -> None:
    """Who reads another key has read nothing that was written."""
    found = dependents.readers(ref("ConfigMap", "flags"), {WEB: reader(env=KEYS)}, {"level"})
    assert found == ((), ())


REFERS = [
    pytest.param(ref("Service", "cart"), [WEB, ref("Ingress", "door")], id="a Service is called"),
    pytest.param(ref("ConfigMap", "flags"), [CART], id="a ConfigMap is mounted"),
    pytest.param(ref("ConfigMap", "night"), [NIGHTLY], id="by what runs at night only"),
    pytest.param(ref("NetworkPolicy", "wall"), [], id="nobody names a NetworkPolicy"),
]


@pytest.mark.parametrize(("of", "expected"), REFERS)
def test_what_refers(of: model.Ref, expected: list[model.Ref]) -> None:
    """What would miss it if it were deleted."""
    assert expected == dependents.referrers(of, WORLD)
