"""Whatever is switched on, the pod stays restricted and its network closed.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from __future__ import annotations

import ipaddress
import json
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.chart import test_rbac as rights

Document = dict[str, Any]
Render = Callable[..., list[Document]]

SIGNED = {
    "kind": "awsLambda",
    "url": "https://lambda.eu-central-1.amazonaws.com",
    "job": "restart-db",
    "namespaces": ["shop"],
    "sigV4": {"region": "eu-central-1"},
}
EVERYTHING: Document = {
    "actions": dict.fromkeys(rights.ACTIONS, True),
    "helmRollback": rights.HELM,
    "alertmanager": {"url": "http://am:9093"},
    "credentials": [{"name": "prometheus", "secretName": "prometheus-token"}],
    "env": {"GOOGLE_APPLICATION_CREDENTIALS": "/etc/prunella/credentials/google/key.json"},
    "intake": {"webhook": {"enabled": True, "port": 9443, "bearerTokenFile": "/token"}},
    "networkPolicy": {"captures": {"ports": [6060]}},
    "offered": {"captures": True, "endpoints": {"restart-db": SIGNED}},
    "sources": {"managed": {"url": "https://p", "google": {}}},
    "tracing": {"endpoint": "http://otel-collector.monitoring.svc:4318/v1/traces"},
}
VALUES = [
    pytest.param({}, id="defaults"),
    pytest.param(EVERYTHING, id="everything"),
    pytest.param({**EVERYTHING, "namespaces": ["shop"]}, id="everything in one namespace"),
]
VOLUMES = {"configMap", "emptyDir", "projected", "secret", "downwardAPI"}
METADATA = ipaddress.ip_network("169.254.0.0/16")
"""Link-local addresses: there the clouds give out credentials."""


def _pods(documents: list[Document]) -> list[Document]:
    return [
        each["spec"]["template"]["spec"] for each in documents if "template" in each.get("spec", {})
    ]


def _containers(pod: Document) -> list[Document]:
    return [*pod["containers"], *pod.get("initContainers", [])]


@pytest.mark.parametrize("values", VALUES)
def test_no_switch_widens_the_pod(render: Render, values: Document) -> None:
    """No user but a plain one, no way out of the container, nothing of the node."""
    pods = _pods(render(**values))
    assert 1 == len(pods)
    for pod in pods:
        user = pod["securityContext"]
        assert (True, {"type": "RuntimeDefault"}) == (user["runAsNonRoot"], user["seccompProfile"])
        assert 0 not in (user["runAsUser"], user["runAsGroup"], user["fsGroup"])
        assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & set(pod)
        assert (False, False) == (pod["automountServiceAccountToken"], pod["enableServiceLinks"])
        assert set() == {kind for each in pod["volumes"] for kind in each} - VOLUMES - {"name"}
        for container in _containers(pod):
            assert {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            } == container["securityContext"]
            assert not any("hostPort" in port for port in container["ports"])
            assert {"cpu", "memory"} == set(container["resources"]["limits"])


@pytest.mark.parametrize("values", VALUES)
def test_no_account_gives_its_token_to_every_pod(render: Render, values: Document) -> None:
    """The account of Helm's Jobs too: a pod that wants it has to say so."""
    accounts = [each for each in render(**values) if each["kind"] == "ServiceAccount"]
    assert accounts
    assert {False} == {each["automountServiceAccountToken"] for each in accounts}


def _policy(documents: list[Document]) -> Document:
    [policy] = [each["spec"] for each in documents if each["kind"] == "NetworkPolicy"]
    found: Document = policy
    return found


@pytest.mark.parametrize("values", VALUES)
def test_every_way_has_ports_and_an_end(render: Render, values: Document) -> None:
    """No rule is open to every port, and only that of the API server to every address."""
    policy = _policy(render(**values))
    assert ["Ingress", "Egress"] == policy["policyTypes"]
    rules = [*policy["ingress"], *policy["egress"]]
    assert all(rule["ports"] for rule in rules)
    assert not any("endPort" in port for rule in rules for port in rule["ports"])
    assert all(rule["from"] for rule in policy["ingress"])
    open_ends = [rule for rule in policy["egress"] if not rule.get("to")]
    assert [[443, 6443]] == [[port["port"] for port in rule["ports"]] for rule in open_ends]


def _reached(rule: Document) -> Iterator[str]:
    """The blocks of addresses of a rule in which link-local ones are."""
    for block in (peer["ipBlock"] for peer in rule.get("to", []) if "ipBlock" in peer):
        without = [ipaddress.ip_network(each) for each in block.get("except", [])]
        hit = METADATA.overlaps(ipaddress.ip_network(block["cidr"]))
        if hit and METADATA not in without:
            yield block["cidr"]


@pytest.mark.parametrize("values", VALUES)
def test_only_one_rule_leads_to_the_metadata_server(render: Render, values: Document) -> None:
    """Neither a repository nor an endpoint can be an address that gives out credentials."""
    egress = _policy(render(**values))["egress"]
    reached = [set(_reached(rule)) for rule in egress]
    given = {"169.254.169.254/32", "169.254.169.252/32", "169.254.170.23/32"}
    assert ([given] if values else []) == [each for each in reached if each]


@pytest.mark.parametrize("values", VALUES)
def test_the_chart_holds_no_secret(render: Render, values: Document) -> None:
    """It makes none, and what it writes into the settings are paths of files."""
    assert "Secret" not in {each["kind"] for each in render(**values)}


SECRET = re.compile(r"(pass(word|phrase)|bearer|token|secret|hmac|api_?key|private)", re.IGNORECASE)
NO_SECRETS = {
    "imagePullSecrets": "names of Secrets",
    "mountToken": "a switch",
    "secret": "the name of a Secret",
    "secretName": "the name of a Secret",
    "tokenExpirationSeconds": "a time",
}


def _names(schema: Any) -> Iterator[str]:
    """The values that a schema knows, at any depth."""
    below = schema.values() if isinstance(schema, dict) else schema
    if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):
        yield from schema["properties"]
    for each in below if isinstance(schema, dict | list) else ():
        yield from _names(each)


def test_no_value_is_a_secret_itself() -> None:
    """What would be one is the path of a file, so that no `helm get values` shows it."""
    root = pathlib.Path(__file__).parents[2]
    schema = json.loads((root / "charts/prunella/values.schema.json").read_text())
    secret = {name for name in _names(schema) if SECRET.search(name)}
    assert NO_SECRETS.keys() == {name for name in secret if not name.endswith("File")}
    assert "bearerTokenFile" in secret
