"""Who calls whom and what stands on what, by manifests and by measured calls."""

from __future__ import annotations

import math

import pytest

from prunella.core import model
from prunella.core.incidents import links, picture
from tests.unit.core.incidents import cluster

CART = cluster.ref("Deployment/shop-core/cart")
CORE = [
    cluster.workload("Deployment/shop-core/cart"),
    cluster.service("shop-core/cart"),
    cluster.workload("Deployment/shop-data/cache"),
    cluster.service("shop-data/cache"),
    cluster.workload("StatefulSet/shop-data/postgres"),
    cluster.service("shop-data/postgres"),
]
VALUES = [
    pytest.param("CART_ADDR", "http://cart.shop-core.svc.cluster.local:8080", {CART}, id="a URL"),
    pytest.param("CART_ADDR", "cart.shop-core.svc.cluster.local:8080", {CART}, id="host and port"),
    pytest.param("CART_ADDR", "cart.shop-core:8080", {CART}, id="a short name with a port"),
    pytest.param("CART_HOST", "cart.shop-core.svc", {CART}, id="a name without a port"),
    pytest.param("CART_HOST", "cart.shop-core", {CART}, id="by the variable's name"),
    pytest.param("MODE", "cart.shop-core", set(), id="a word that may be anything"),
    pytest.param("CART_ADDR", "cart:8080", set(), id="a bare name is of the own namespace"),
    pytest.param("CART_ADDR", "cart.other.svc:80", set(), id="another namespace"),
    pytest.param("CART_ADDR", "cart.shop-core.example.com:80", set(), id="a name outside"),
    pytest.param(
        "DSN",
        "postgres://user:pa%23ss@postgres.shop-data.svc:5432/db?sslmode=off",
        {cluster.ref("StatefulSet/shop-data/postgres")},
        id="a URL with credentials",
    ),
    pytest.param(
        "SERVERS",
        "cart.shop-core:1,cache.shop-data:2",
        {CART, cluster.ref("Deployment/shop-data/cache")},
        id="two in a list",
    ),
    pytest.param("EMPTY", "", set(), id="nothing"),
    pytest.param("BLOB", "cart.shop-core " * 2000, set(), id="a long text"),
]


@pytest.mark.parametrize(("name", "value", "expected"), VALUES)
def test_environment(name: str, value: str, expected: set[model.Ref]) -> None:
    """A variable that names a known Service is a call of the workload behind it."""
    caller = cluster.workload("Deployment/shop-web/front", env={name: value})
    calls = links.from_manifests(dict([*CORE, caller])).calls
    assert expected == set(calls.get(caller[0], ()))


def test_bare_name_in_the_own_namespace() -> None:
    """``cart:8080`` is the cart of the caller's namespace."""
    caller = cluster.workload("Deployment/shop-core/checkout", env={"CART_ADDR": "cart:8080"})
    assert {CART} == links.from_manifests(dict([*CORE, caller])).calls[caller[0]]


def test_arguments_and_config_maps() -> None:
    """Addresses in commands, in a ConfigMap's key and in a whole ConfigMap are calls, too."""
    container = {
        "args": ["--cart=cart.shop-core:8080"],
        "env": [
            {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "cache"}}},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "conf", "key": "cache"}}},
        ],
        "envFrom": [{"configMapRef": {"name": "all"}}],
    }
    caller = cluster.workload("Deployment/shop-web/front", container=container)
    conf = cluster.other("ConfigMap/shop-web/conf", data={"cache": "cache.shop-data:6379"})
    everything = cluster.other("ConfigMap/shop-web/all", data={"DB_HOST": "postgres.shop-data"})
    calls = links.from_manifests(dict([*CORE, caller, conf, everything])).calls
    names = {"cart", "cache", "postgres"}
    assert names == {each.name for each in calls[caller[0]]}


def test_service_of_several_workloads_stands_between() -> None:
    """Of stable and canary nobody knows which is called: both are, by way of the Service."""
    objects = dict(
        [
            cluster.workload("Deployment/shop/web"),
            cluster.workload("Deployment/shop/canary"),
            cluster.service("shop/web", {"tier": "web"}),
            cluster.workload("Deployment/shop/front", env={"WEB_ADDR": "web:80"}),
        ]
    )
    for name in ("web", "canary"):
        template = objects[cluster.ref(f"Deployment/shop/{name}")]["spec"]["template"]
        template["metadata"]["labels"]["tier"] = "web"
    between = cluster.ref("Service/shop/web")
    calls = links.from_manifests(objects).calls
    assert {between} == calls[cluster.ref("Deployment/shop/front")]
    assert {"web", "canary"} == {each.name for each in calls[between]}


def test_endpoint_slices_tell_of_a_service_without_a_selector() -> None:
    """What its slices point to is behind it."""
    slices = cluster.other(
        "EndpointSlice/shop/web-1", endpoints=[{"targetRef": {"name": "web-6f-x"}}]
    )
    slices[1]["metadata"]["labels"] = {"kubernetes.io/service-name": "outside"}
    objects = dict(
        [
            cluster.service("shop/outside", {}),
            slices,
            cluster.pod("shop/web-6f-x", "ReplicaSet/web-6f"),
            cluster.workload("Deployment/shop/front", env={"ADDR": "outside:80"}),
        ]
    )
    expected = {cluster.ref("Deployment/shop/web")}
    calls = links.from_manifests(objects).calls
    assert expected == calls[cluster.ref("Deployment/shop/front")]


def test_ingress_and_route() -> None:
    """What comes in from outside calls, too."""
    path = {"backend": {"service": {"name": "cart"}}}
    ingress = cluster.other("Ingress/shop-core/in", spec={"rules": [{"http": {"paths": [path]}}]})
    backend = {"name": "cart", "namespace": "shop-core"}
    route = cluster.other("HTTPRoute/shop-web/out", spec={"rules": [{"backendRefs": [backend]}]})
    calls = links.from_manifests(dict([*CORE, ingress, route])).calls
    assert {CART} == calls[ingress[0]] == calls[route[0]]


def test_places() -> None:
    """Workloads stand on the nodes of their pods, nodes in racks, racks in zones."""
    zone, rack = "topology.kubernetes.io/zone", "topology.kubernetes.io/rack"
    objects = dict(
        [
            cluster.pod("shop/web-6f-a", "ReplicaSet/web-6f", "n1", phase="Running"),
            cluster.pod("shop/web-6f-b", "ReplicaSet/web-6f", "n2", phase="Running"),
            cluster.pod("shop/once-a", "Job/once", "n2", phase="Succeeded"),
            cluster.pod("shop/shell", "", "n2", phase="Running"),
            cluster.node("n1", {zone: "z1", rack: "r1"}),
            cluster.node("n2", {zone: "z1"}),
        ]
    )
    expected = {
        cluster.ref("Deployment/shop/web"): {cluster.ref("Node/n1"), cluster.ref("Node/n2")},
        cluster.ref("Node/n1"): {cluster.ref("Rack/r1")},
        cluster.ref("Rack/r1"): {cluster.ref("Zone/z1")},
        cluster.ref("Node/n2"): {cluster.ref("Zone/z1")},
    }
    assert expected == links.from_manifests(objects).places


FRONT, BACK = cluster.ref("Deployment/w/front"), cluster.ref("Deployment/c/cart")
GRAPHS = [
    pytest.param(
        {
            "client": "front",
            "server": "cart",
            "client_k8s_namespace_name": "w",
            "server_k8s_namespace_name": "c",
            "client_k8s_deployment_name": "front",
            "server_k8s_deployment_name": "cart",
        },
        {FRONT: {BACK}},
        id="Deployments by name",
    ),
    pytest.param(
        {
            "client": "front",
            "server": "cart",
            "client_service_namespace": "w",
            "server_service_namespace": "c",
        },
        {FRONT: {BACK}},
        id="services by namespace",
    ),
    pytest.param({"client": "front", "server": "cart"}, {FRONT: {BACK}}, id="names alone"),
    pytest.param(
        {"client": "front", "server": "mail.example.com"},
        {FRONT: {cluster.ref("Service/mail.example.com")}},
        id="a server outside",
    ),
    pytest.param({"server": "cart"}, {}, id="no client"),
    pytest.param({"client": "cart", "server": "cart"}, {}, id="itself"),
    pytest.param(
        {
            "source_workload": "front",
            "source_workload_namespace": "w",
            "destination_workload": "cart",
            "destination_workload_namespace": "c",
        },
        {FRONT: {BACK}},
        id="a mesh",
    ),
]


@pytest.mark.parametrize(("labels", "expected"), GRAPHS)
def test_service_graph(labels: dict[str, str], expected: dict[model.Ref, set[model.Ref]]) -> None:
    """Each convention of labels leads to the same workloads."""
    known = picture.of(
        dict(
            [
                cluster.workload("Deployment/w/front"),
                cluster.workload("Deployment/c/cart"),
                cluster.service("c/cart"),
            ]
        )
    )
    assert expected == links.from_service_graph([model.Sample(labels, 1.0)], known)


@pytest.mark.parametrize("value", [0.0, math.nan])
def test_calls_that_are_not_made(value: float) -> None:
    """A pair of names without a request in the window is no call."""
    labels = {"client": "front", "server": "cart"}
    assert {} == links.from_service_graph([model.Sample(labels, value)])


def test_name_in_two_namespaces_is_nobodys() -> None:
    """A name alone that several have is not led to any one of them."""
    known = picture.of(
        dict([cluster.workload("Deployment/a/cart"), cluster.workload("Deployment/b/cart")])
    )
    labels = {"client": "front", "server": "cart"}
    found = links.from_service_graph([model.Sample(labels, 1)], known)
    assert {cluster.ref("Service/front"): {cluster.ref("Service/cart")}} == found


def test_pod_info() -> None:
    """kube-state-metrics tells which workload stands where; pods without an owner are left out."""
    samples = [
        model.Sample(
            {
                "namespace": "shop",
                "node": node,
                "created_by_kind": kind,
                "created_by_name": name,
            },
            1.0,
        )
        for node, kind, name in [
            ("n1", "ReplicaSet", "web-6f5d"),
            ("n2", "StatefulSet", "db"),
            ("n3", "Node", "n3"),
            ("", "DaemonSet", "log"),
        ]
    ]
    expected = {
        cluster.ref("Deployment/shop/web"): {cluster.ref("Node/n1")},
        cluster.ref("StatefulSet/shop/db"): {cluster.ref("Node/n2")},
    }
    assert expected == links.from_pod_info(samples)


def test_joined() -> None:
    """Links of several sources are one set."""
    one = links.Pair({FRONT: {BACK}}, {})
    two = links.Pair({FRONT: {CART}}, {BACK: {cluster.ref("Node/n1")}})
    found = links.joined(one, two)
    assert {FRONT: {BACK, CART}} == found.calls
    assert {BACK: {cluster.ref("Node/n1")}} == found.places
    assert 4 == len(found.topology())
