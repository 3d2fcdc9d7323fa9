"""Which Services texts name, and which variables containers have."""

from __future__ import annotations

import pytest

from prunella.core import model
from prunella.core.incidents import environment
from prunella.core.incidents.environment import Variable

CONFIG = model.Ref("ConfigMap", "web", "conf")

ADDRESSES = [
    pytest.param("A", "cart.shop.svc:80", "shop/cart:80", id="svc"),
    pytest.param("A", "http://cart.shop.svc.cluster.local/x", "shop/cart:80", id="a URL"),
    pytest.param("A", "cart.shop.svc.cluster.local.:80", "shop/cart:80", id="the root's dot"),
    pytest.param("A", "redis://cart", "web/cart", id="a scheme without a port of its own"),
    pytest.param("CART_ADDR", "cart:8080", "web/cart:8080", id="a bare name"),
    pytest.param("CART_ADDR", "Cart.Shop:8080", "shop/cart:8080", id="names have no case"),
    pytest.param("UPSTREAM_CART", "cart:8080", "web/cart:8080", id="the variable hints at one"),
    pytest.param("DB", "postgres://u:p@db.shop.svc:5432/x", "shop/db:5432", id="with a user"),
    pytest.param("A_URL", "http://a/?next=b:80", "web/a:80", id="a path is no address"),
    pytest.param("B_URLS", "a:1, b.shop:2", "web/a:1 shop/b:2", id="a list"),
    pytest.param("MODE", "cart:8080", "", id="a variable that is no address"),
    pytest.param("CART_ADDR", "cart", "", id="a word"),
    pytest.param("CART_ADDR", "10.0.0.1:80", "", id="an IP address"),
    pytest.param("CART_ADDR", "localhost:80", "", id="the pod itself"),
    pytest.param("CART_ADDR", "api.example.com:443", "", id="a host outside"),
    pytest.param("CART_ADDR", "see cart:80", "", id="a word in a text"),
    pytest.param("CART_ADDR", "my_cart:80", "", id="a part of a word"),
]


@pytest.mark.parametrize(("variable", "text", "expected"), ADDRESSES)
def test_addresses_name_services(variable: str, text: str, expected: str) -> None:
    """Names of the cluster's DNS are addresses; what may be anything else is not taken for one."""
    found = [
        f"{each.service.namespace}/{each.service.name}" + (f":{each.port}" if each.port else "")
        for each in environment.named(text, "web")
        if each.alone and each.is_address(variable, known=False)
    ]
    assert expected == " ".join(found)


KNOWN = [
    pytest.param("MODE", "cart:8080", True, id="a port is enough"),
    pytest.param("", "--cart=http://cart/x", True, id="a scheme in an argument"),
    pytest.param("CART_HOST", "cart", True, id="a word, and the variable says that it is one"),
    pytest.param("HOST_MODE", "cart", False, id="a word, and the variable speaks of a host"),
    pytest.param("MODE", "cart", False, id="a word"),
]


@pytest.mark.parametrize(("variable", "text", "expected"), KNOWN)
def test_less_is_asked_where_the_service_is_known(variable: str, text: str, expected: bool) -> None:
    """A word that is the name of a Service is no accident with a port beside it."""
    found = [each for each in environment.named(text, "web") if each.service.name == "cart"]
    assert expected == any(each.is_address(variable, known=True) for each in found)


def test_variables_are_those_whose_values_are_known() -> None:
    """Its own, of a key and of a whole ConfigMap with a prefix; never of Secrets."""
    container = {
        "env": [
            {"name": "A", "value": "1"},
            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "b.url"}}},
            {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "gone", "key": "b.url"}}},
            {"name": "D", "valueFrom": {"secretKeyRef": {"name": "conf", "key": "b.url"}}},
        ],
        "envFrom": [{"prefix": "X_", "configMapRef": {"name": "conf"}}, {"secretRef": {}}],
    }
    expected = [
        Variable("A", "1"),
        Variable("B", "2", CONFIG, "b.url"),
        Variable("X_b.url", "2", CONFIG, "b.url"),
    ]
    manifests = {CONFIG: {"data": {"b.url": "2"}}}
    assert expected == list(environment.variables("web", container, manifests))
