"""Who reaches whom: names, Services, endpoints and ports."""

from __future__ import annotations

from typing import Any

import pytest

from lab.shop import ingress
from lab.shop.network import (
    BAD_ADDRESS,
    REFUSED,
    TIMEOUT,
    UNKNOWN_HOST,
    Network,
    Route,
)
from lab.shop.objects import Object
from tests.lab.shop.cluster import endpoints, namespace, picture, pod, policy, service

CALLER = pod("caller", address="10.64.0.1")
CALLEE = pod("cart-1", address="10.64.0.2")
CLUSTER_IP = "10.0.0.77"


def _network(
    services: list[Object] | None = None,
    slices: list[Object] | None = None,
    policies: list[Object] | None = None,
) -> Network:
    found = picture(
        Namespace=[namespace("shop-core"), namespace("shop-data")],
        Pod=[CALLER, CALLEE],
        Service=services or [service("cart", clusterIP=CLUSTER_IP)],
        EndpointSlice=slices if slices is not None else [endpoints("cart", CALLEE)],
        NetworkPolicy=policies or [],
    )
    return Network(found, lambda _pod, port, _protocol: port == 8080, lambda _pod: True)


def _failure(route: Route) -> str | None:
    """What stands in the way: of all, or of the first endpoint."""
    return route.failure or route.endpoints[0].failure


ADDRESSES = [
    pytest.param("cart.shop-core.svc.cluster.local:8080", None, id="full name"),
    pytest.param("cart.shop-core.svc.cluster.local.:8080", None, id="full name with its dot"),
    pytest.param("cart.shop-core.svc:8080", None, id="short for svc"),
    pytest.param("cart.shop-core:8080", None, id="name and namespace"),
    pytest.param("cart:8080", None, id="name alone, in its own namespace"),
    pytest.param(f"{CLUSTER_IP}:8080", None, id="cluster IP"),
    pytest.param("10.64.0.2:8080", None, id="pod's address"),
    pytest.param("10.64.0.2:8081", REFUSED, id="pod's address and a port nobody listens on"),
    pytest.param("10.64.9.9:8080", TIMEOUT, id="nobody's address"),
    pytest.param("carts:8080", UNKNOWN_HOST, id="no such Service"),
    pytest.param("cart.shop-data:8080", UNKNOWN_HOST, id="not in that namespace"),
    pytest.param("cart.shop-core.svc.cluster.example:8080", UNKNOWN_HOST, id="other domain"),
    pytest.param("cart.shop-core:9090", TIMEOUT, id="port that the Service does not have"),
    pytest.param("cart.shop-core", BAD_ADDRESS, id="no port"),
    pytest.param("cart.shop-core:http", BAD_ADDRESS, id="port that is no number"),
    pytest.param("http://cart.shop-core:8080", UNKNOWN_HOST, id="URL where a host belongs"),
    pytest.param("", BAD_ADDRESS, id="empty"),
]


@pytest.mark.parametrize(("address", "failure"), ADDRESSES)
def test_address(address: str, failure: str | None) -> None:
    """What a pod of shop-core gets for an address."""
    assert failure == _failure(_network().route(CALLER, address))


SERVICES = [
    pytest.param(
        service("cart", ports=[{"port": 8080, "protocol": "UDP"}]), TIMEOUT, id="wrong protocol"
    ),
    pytest.param(
        service("cart", ports=[{"port": 80, "targetPort": 8080}]), TIMEOUT, id="wrong port"
    ),
    pytest.param(
        service("cart", ports=[{"port": 8080, "name": "web"}]), REFUSED, id="no such port in slice"
    ),
    pytest.param(
        service("cart", type="ExternalName", externalName="basket.shop-core.svc.cluster.local"),
        UNKNOWN_HOST,
        id="alias of nothing",
    ),
    pytest.param(
        service("cart", internalTrafficPolicy="Local"), None, id="local, with a pod on the node"
    ),
]


@pytest.mark.parametrize(("found", "failure"), SERVICES)
def test_service(found: Object, failure: str | None) -> None:
    """What the Service's own fields do."""
    assert failure == _failure(_network([found]).route(CALLER, "cart.shop-core:8080"))


SLICES = [
    pytest.param([], REFUSED, id="no endpoints"),
    pytest.param([endpoints("cart", CALLEE, ready=False)], REFUSED, id="not ready"),
    pytest.param([endpoints("cart", CALLEE, port=8081)], REFUSED, id="nobody listens there"),
    pytest.param([endpoints("other", CALLEE)], REFUSED, id="of another Service"),
    pytest.param([endpoints("cart", pod("gone"))], TIMEOUT, id="pod is gone"),
]


@pytest.mark.parametrize(("slices", "failure"), SLICES)
def test_endpoints(slices: list[Object], failure: str) -> None:
    """What kube-proxy makes of the EndpointSlices."""
    assert failure == _failure(_network(slices=slices).route(CALLER, "cart.shop-core:8080"))


def test_endpoint_written_by_hand_is_found_by_its_address() -> None:
    """A Service without selector has endpoints without targetRef."""
    piece = endpoints("cart", CALLEE)
    piece["endpoints"] = [{"addresses": ["10.64.0.2"], "conditions": {}}]

    assert _failure(_network(slices=[piece]).route(CALLER, "cart.shop-core:8080")) is None


@pytest.mark.parametrize(
    ("port", "failure"), [pytest.param(8080, None, id="its own"), pytest.param(80, REFUSED, id="x")]
)
def test_headless_service_stands_for_its_pods(port: int, failure: str | None) -> None:
    """No port is translated: the caller must name the pod's."""
    headless = service("cart", clusterIP="None", ports=[{"port": 80, "targetPort": 8080}])

    assert failure == _failure(_network([headless]).route(CALLER, f"cart.shop-core:{port}"))


DNS = [
    pytest.param({}, None, id="as usual"),
    pytest.param({"dnsPolicy": "Default"}, UNKNOWN_HOST, id="the node's"),
    pytest.param({"dnsPolicy": "None"}, UNKNOWN_HOST, id="none"),
    pytest.param(
        {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.10"]}},
        None,
        id="none, but the cluster's server by hand",
    ),
    pytest.param(
        {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["8.8.8.8"]}}, UNKNOWN_HOST, id="other"
    ),
    pytest.param({"hostNetwork": True}, UNKNOWN_HOST, id="host network without the policy for it"),
    pytest.param(
        {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}, None, id="host network"
    ),
    pytest.param(
        {"hostAliases": [{"ip": "10.64.9.9", "hostnames": ["cart.shop-core.svc.cluster.local"]}]},
        TIMEOUT,
        id="an alias that leads nowhere",
    ),
]


@pytest.mark.parametrize(("spec", "failure"), DNS)
def test_name_resolution(spec: dict[str, Any], failure: str | None) -> None:
    """What the caller's own DNS settings do."""
    caller = pod("caller", address="10.64.0.1", **spec)

    route = _network().route(caller, "cart.shop-core.svc.cluster.local:8080")
    assert failure == _failure(route)


def test_egress_policy_without_dns_stops_names_but_not_addresses() -> None:
    """The classic: the rule allows the callee and forgets the name server."""
    spec = {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{"to": [{"podSelector": {}}], "ports": [{"port": 8080}]}],
    }
    network = _network(policies=[policy(spec)])

    assert _failure(network.route(CALLER, "cart:8080")) == "name resolution timed out"
    assert _failure(network.route(CALLER, f"{CLUSTER_IP}:8080")) is None


def test_a_node_without_power_answers_nobody() -> None:
    """Neither as a caller nor as a callee."""
    network = _network()
    dark = Network(network.picture, network.listens, lambda each: each is not CALLEE)

    assert _failure(dark.route(CALLER, "cart:8080")) == TIMEOUT


def _ingress(**backend: Any) -> Object:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": backend}}
    return {
        "metadata": {"name": "shop", "namespace": "shop-core"},
        "spec": {"rules": [{"host": "shop.example", "http": {"paths": [path]}}]},
    }


INGRESSES = [
    pytest.param([_ingress(name="cart", port={"number": 8080})], None, id="by number"),
    pytest.param([], ingress.NO_RULE, id="none"),
    pytest.param([_ingress(name="carts", port={"number": 8080})], ingress.NO_BACKEND, id="name"),
    pytest.param([_ingress(name="cart", port={"number": 80})], ingress.NO_BACKEND, id="port"),
    pytest.param([_ingress(name="cart", port={"name": "x"})], ingress.NO_BACKEND, id="port's name"),
]


@pytest.mark.parametrize(("found", "failure"), INGRESSES)
def test_ingress(found: list[Object], failure: str | None) -> None:
    """Users come through an Ingress to the Service that it names."""
    network = _network()
    for each in found:
        network.picture.put("Ingress", each)

    assert failure == _failure(ingress.route(network, "shop-core", "shop.example"))


def test_ingress_of_another_host_is_not_ours() -> None:
    """A rule counts for its host only."""
    network = _network()
    network.picture.put("Ingress", _ingress(name="cart", port={"number": 8080}))

    assert ingress.route(network, "shop-core", "other.example").failure == ingress.NO_RULE
