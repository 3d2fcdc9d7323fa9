"""NetworkPolicies, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from lab.shop.policies import Peer, allows
from tests.lab.shop.cluster import namespace, picture, policy

CART = Peer("shop-core", "cart-1", "10.64.0.2", {"app": "cart"}, {("http", "TCP"): 8080})
FRONTEND = Peer("shop-web", "frontend-1", "10.64.0.1", {"app": "frontend"})
NEIGHBOUR = Peer("shop-core", "checkout-1", "10.64.1.3", {"app": "checkout"})
SPACES = [namespace("shop-core", tier="core"), namespace("shop-web", tier="web")]


def _from(*peers: dict[str, Any], ports: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    rule = {"from": list(peers), **({"ports": ports} if ports else {})}
    return {"podSelector": {"matchLabels": {"app": "cart"}}, "ingress": [rule]}


WEB = {"namespaceSelector": {"matchLabels": {"tier": "web"}}}
INGRESS = [
    pytest.param({"podSelector": {}}, False, id="selects all, allows nothing"),
    pytest.param({"podSelector": {"matchLabels": {"app": "ad"}}}, True, id="selects others"),
    pytest.param({"podSelector": {}, "ingress": [{}]}, True, id="an empty rule allows all"),
    pytest.param({"podSelector": {}, "ingress": []}, False, id="no rule allows nothing"),
    pytest.param({"podSelector": {}, "policyTypes": ["Egress"]}, True, id="egress only"),
    pytest.param(_from(WEB), True, id="namespace"),
    pytest.param(_from({"namespaceSelector": {}}), True, id="every namespace"),
    pytest.param(
        _from({"namespaceSelector": {"matchLabels": {"tier": "x"}}}), False, id="other namespace"
    ),
    pytest.param(
        _from({"podSelector": {"matchLabels": {"app": "frontend"}}}),
        False,
        id="pods without a namespace are those of the policy's own",
    ),
    pytest.param(
        _from({**WEB, "podSelector": {"matchLabels": {"app": "frontend"}}}), True, id="both"
    ),
    pytest.param(
        _from({**WEB, "podSelector": {"matchLabels": {"app": "ad"}}}), False, id="both, other pod"
    ),
    pytest.param(
        _from(
            {
                **WEB,
                "podSelector": {
                    "matchExpressions": [{"key": "app", "operator": "In", "values": ["frontend"]}]
                },
            }
        ),
        True,
        id="expression",
    ),
    pytest.param(_from({"ipBlock": {"cidr": "10.64.0.0/24"}}), True, id="address"),
    pytest.param(
        _from({"ipBlock": {"cidr": "10.64.0.0/16", "except": ["10.64.0.0/24"]}}),
        False,
        id="address that is excepted",
    ),
    pytest.param(_from(WEB, ports=[{"port": 8080}]), True, id="port"),
    pytest.param(_from(WEB, ports=[{"port": "http"}]), True, id="port's name"),
    pytest.param(_from(WEB, ports=[{"port": "grpc"}]), False, id="name that no container has"),
    pytest.param(_from(WEB, ports=[{"port": 8081}]), False, id="other port"),
    pytest.param(_from(WEB, ports=[{"port": 8000, "endPort": 8100}]), True, id="range"),
    pytest.param(_from(WEB, ports=[{"port": 8080, "protocol": "UDP"}]), False, id="protocol"),
    pytest.param(_from(WEB, ports=[{"protocol": "TCP"}]), True, id="every port of a protocol"),
]


@pytest.mark.parametrize(("spec", "allowed"), INGRESS)
def test_ingress(spec: dict[str, Any], allowed: bool) -> None:
    """Whether the frontend (shop-web) may reach the cart (shop-core) on TCP 8080."""
    found = picture(Namespace=SPACES, NetworkPolicy=[policy(spec)])

    assert allowed == allows(found, FRONTEND, CART, 8080, "TCP")


def test_policies_add_up() -> None:
    """One that allows is enough, however many deny."""
    deny, allow = policy({"podSelector": {}}, name="deny"), policy(_from(WEB), name="allow")
    found = picture(Namespace=SPACES, NetworkPolicy=[deny, allow])

    assert allows(found, FRONTEND, CART, 8080, "TCP")
    assert not allows(found, NEIGHBOUR, CART, 8080, "TCP")


def test_both_sides_are_asked() -> None:
    """Egress of the caller counts even where the callee lets everybody in."""
    spec = {"podSelector": {}, "egress": [{"to": [{"podSelector": {}}]}]}
    found = picture(Namespace=SPACES, NetworkPolicy=[policy(spec, "shop-web")])

    assert not allows(found, FRONTEND, CART, 8080, "TCP")
    assert allows(found, NEIGHBOUR, CART, 8080, "TCP")


def test_users_are_nobodys_pods() -> None:
    """Only a rule without peers, or one for their addresses, lets them in."""
    found = picture(Namespace=SPACES, NetworkPolicy=[policy(_from({"namespaceSelector": {}}))])
    opened = picture(
        Namespace=SPACES, NetworkPolicy=[policy(_from({"ipBlock": {"cidr": "0.0.0.0/0"}}))]
    )

    assert not allows(found, None, CART, 8080, "TCP")
    assert allows(opened, None, CART, 8080, "TCP")


def test_a_pod_reaches_itself() -> None:
    """No policy stands between a pod and itself."""
    found = picture(Namespace=SPACES, NetworkPolicy=[policy({"podSelector": {}})])

    assert allows(found, CART, CART, 8080, "TCP")
