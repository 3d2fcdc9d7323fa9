"""What divides traffic: the operator's token writes weights and listed values, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lab import stand_ins
from lab.cluster import Lab
from tests.e2e.chart import toolbox
from tests.e2e.chart.toolbox import op

pytestmark = pytest.mark.timeout(180)

ROUTE, ISTIO, SERVICE = "httproute", "virtualservice", "service"
BACKENDS = [{"name": "canary", "port": 80, "weight": 20}, {"name": "stable", "port": 80}]
OBJECTS: dict[str, toolbox.Document] = {
    ROUTE: {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "spec": {
            "hostnames": ["web.example"],
            "rules": [
                {"matches": [{"path": {"value": "/"}}], "backendRefs": BACKENDS},
                {"backendRefs": BACKENDS[:1]},
            ],
        },
    },
    ISTIO: {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "spec": {
            "hosts": ["web"],
            "http": [
                {
                    "timeout": "3s",
                    "route": [
                        {"destination": {"host": "web", "subset": subset}, "weight": 50}
                        for subset in ("v1", "v2")
                    ],
                }
            ],
        },
    },
    SERVICE: {
        "apiVersion": "v1",
        "kind": "Service",
        "spec": {"selector": {"app": "web", "version": "green"}, "ports": [{"port": 80}]},
    },
}
VALUES = {
    "kinds": {"HTTPRoute": True, "VirtualService": True},
    "selectors": {"version": ["blue", "green"]},
}


@pytest.fixture(scope="module")
def divided(release: Lab, shop: str, operator: toolbox.Kubectl) -> Iterator[str]:
    """The shop with what divides traffic, while the action that writes it is enabled."""
    stand_ins.install(release)
    for document in OBJECTS.values():
        metadata = {"name": "web", "namespace": shop}
        made = toolbox.create(release, {**document, "metadata": metadata})
        assert made.returncode == 0, made.stderr
    _switch(release, on=True)
    toolbox.await_policy(release, "the operator may write only the weights", present=True)
    toolbox.eventually(lambda: all(_is_guarded(operator, shop, name) for name in FIRST))
    try:
        yield shop
    finally:
        _switch(release, on=False)
        toolbox.await_policy(release, "the operator may write only the weights", present=False)
        for kind in OBJECTS:
            release.kubectl("-n", shop, "delete", kind, "web")


def _is_guarded(operator: toolbox.Kubectl, shop: str, name: str) -> bool:
    kind, operation, words = REFUSED[name]
    return words in toolbox.patch(operator, kind, shop, operation).stderr


def _switch(release: Lab, *, on: bool) -> None:
    release.helm(
        *("upgrade", toolbox.RELEASE, str(toolbox.CHART), "--namespace", toolbox.HOME),
        *("--reuse-values", "--wait", "--set", f"actions.shiftTraffic={json.dumps(on)}"),
        *("--set-json", f"shiftTraffic={json.dumps(VALUES)}"),
    )


ALLOWED = {
    "weights of a rule": (
        ROUTE,
        [
            op("replace", "/spec/rules/0/backendRefs/0/weight", 0),
            op("replace", "/spec/rules/0/backendRefs/1/weight", 100),
        ],
    ),
    "weights of all rules": (
        ROUTE,
        [
            op("replace", "/spec/rules/0/backendRefs/0/weight", 5),
            op("replace", "/spec/rules/1/backendRefs/0/weight", 7),
        ],
    ),
    "weights of Istio": (
        ISTIO,
        [
            op("replace", "/spec/http/0/route/0/weight", 100),
            op("remove", "/spec/http/0/route/1/weight"),
        ],
    ),
    "a listed value": (SERVICE, [op("replace", "/spec/selector/version", "blue")]),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_moves_traffic_is_written(operator: toolbox.Kubectl, divided: str, name: str) -> None:
    """Given its action enabled, the operator's token may write it."""
    kind, operations = ALLOWED[name]
    done = toolbox.patch(operator, kind, divided, *operations)
    assert done.returncode == 0, done.stderr


ONLY = "the operator may write only the weights of "
ONLY_VALUES = "the operator may write only spec.selector.version (one of blue, green)"
REFUSED = {
    "another backend": (
        ROUTE,
        op("replace", "/spec/rules/0/backendRefs/0/name", "evil"),
        f"{ONLY}httproutes, of the same backends",
    ),
    "a backend of another namespace": (
        ROUTE,
        op("add", "/spec/rules/0/backendRefs/0/namespace", "evil"),
        f"{ONLY}httproutes, of the same backends",
    ),
    "a further backend": (
        ROUTE,
        op("add", "/spec/rules/0/backendRefs/-", {"name": "evil", "port": 80}),
        f"{ONLY}httproutes, of up to 32 rules",
    ),
    "fewer backends": (
        ROUTE,
        op("remove", "/spec/rules/0/backendRefs/0"),
        f"{ONLY}httproutes, of up to 32 rules",
    ),
    "a match": (
        ROUTE,
        op("replace", "/spec/rules/0/matches/0/path/value", "/evil"),
        f"{ONLY}httproutes, of up to 32 rules",
    ),
    "a filter": (
        ROUTE,
        op("add", "/spec/rules/1/filters", [{"type": "RequestMirror"}]),
        f"{ONLY}httproutes, of up to 32 rules",
    ),
    "a filter of a backend": (
        ROUTE,
        op("add", "/spec/rules/0/backendRefs/1/filters", [{"type": "RequestMirror"}]),
        f"{ONLY}httproutes, of the same backends",
    ),
    "a further rule": (
        ROUTE,
        op("add", "/spec/rules/-", {"backendRefs": BACKENDS}),
        f"{ONLY}httproutes, of up to 32 rules",
    ),
    "no rules": (ROUTE, op("remove", "/spec/rules"), f"{ONLY}httproutes"),
    "a host": (ROUTE, op("replace", "/spec/hostnames/0", "evil"), f"{ONLY}httproutes"),
    "a label": (
        ROUTE,
        op("add", "/metadata/labels", {"a": "b"}),
        "the operator may not change labels",
    ),
    "a host of Istio": (
        ISTIO,
        op("replace", "/spec/http/0/route/0/destination/host", "evil"),
        f"{ONLY}virtualservices, of the same backends",
    ),
    "a timeout of Istio": (
        ISTIO,
        op("replace", "/spec/http/0/timeout", "9s"),
        f"{ONLY}virtualservices, of up to 32 rules",
    ),
    "another value": (SERVICE, op("replace", "/spec/selector/version", "evil"), ONLY_VALUES),
    "another key": (SERVICE, op("replace", "/spec/selector/app", "evil"), ONLY_VALUES),
    "a port": (SERVICE, op("replace", "/spec/ports/0/port", 81), ONLY_VALUES),
}
FIRST = ("another backend", "a host of Istio", "another value")
"""A refusal of each kind."""


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_else_is_written(operator: toolbox.Kubectl, divided: str, name: str) -> None:
    """Given the action enabled, all other fields are refused by the API server."""
    kind, operation, words = REFUSED[name]
    toolbox.assert_refused(toolbox.patch(operator, kind, divided, operation), words)


def test_routes_are_not_deleted(operator: toolbox.Kubectl, divided: str) -> None:
    """Given the action enabled, the token has no right to delete or create."""
    done = operator("-n", divided, "delete", ROUTE, "web", "--dry-run=server")
    toolbox.assert_refused(done, "cannot delete resource")


def test_the_guard_passes_the_type_checker(release: Lab, divided: str) -> None:
    """Given the policies, when the API server checks their types, it warns of none."""
    assert divided
    checks = {
        policy["metadata"]["name"]: policy["status"].get("typeChecking", {})
        for policy in toolbox.policies(release)
        if "-traffic-" in policy["metadata"]["name"]
    }
    names = {f"{toolbox.ACCOUNT}-traffic-{name}" for name in ("httproutes", "virtualservices")}
    assert {name: {} for name in names} == checks
