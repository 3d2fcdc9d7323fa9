"""Values: every one is documented, has a type, and a wrong one is refused by its name."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from prunella.api import steps as steps_api

Document = dict[str, Any]
Helm = Callable[..., subprocess.CompletedProcess[str]]
CHART = pathlib.Path(__file__).parents[2] / "charts" / "prunella"
SECRET = {"apiVersion": "v1", "kind": "Secret", "resource": "secrets", "path": "data.a", "max": 1}
FIELDS = {
    "patchField": {"fields": [{"apiVersion": "v1", "kind": "A", "resource": "as"}, SECRET]},
}

BAD: dict[str, tuple[Document, str, str]] = {
    "unknown top level": ({"replica": 2}, "", "'replica' not allowed"),
    "unknown action": ({"actions": {"reboot": True}}, "/actions", "'reboot' not allowed"),
    "action as text": ({"actions": {"restart": "yes"}}, "/actions/restart", "want boolean"),
    "namespace in capitals": ({"namespaces": ["Shop", "Shop"]}, "/namespaces/0", "pattern"),
    "namespace twice": ({"namespaces": ["Shop", "Shop"]}, "/namespaces", "equal"),
    "source without a URL": ({"sources": {"a": {}}}, "/sources/a", "missing property 'url'"),
    "source with a typo": (
        {"sources": {"b": {"url": "http://p:9090", "token": "x"}}},
        "/sources/b",
        "'token' not allowed",
    ),
    "source by file": ({"sources": {"c": {"url": "file:///etc"}}}, "/sources/c/url", "pattern"),
    "relative token file": (
        {"sources": {"d": {"url": "http://p", "bearerTokenFile": "token"}}},
        "/sources/d/bearerTokenFile",
        "pattern",
    ),
    "signature without a region": (
        {"sources": {"e": {"url": "http://p", "sigV4": {}}}},
        "/sources/e/sigV4",
        "missing property 'region'",
    ),
    "tenant of entra": (
        {"sources": {"f": {"url": "http://p", "entra": {"tenantId": "x"}}}},
        "/sources/f/entra",
        "'tenantId' not allowed",
    ),
    "google without scopes": (
        {"sources": {"g": {"url": "http://p", "google": {"scopes": []}}}},
        "/sources/g/google/scopes",
        "minItems",
    ),
    "number in the environment": ({"env": {"A": 1}}, "/env/A", "want string"),
    "alertmanager without scheme": (
        {"alertmanager": {"url": "alertmanager:9093"}},
        "/alertmanager/url",
        "pattern",
    ),
    "a field without bounds": (FIELDS, "/patchField/fields/0", "missing property 'path'"),
    "a field that gives rights": (FIELDS, "/patchField/fields/1/resource", "'not' failed"),
    "a route of another kind": (
        {"shiftTraffic": {"kinds": {"Ingress": True}}},
        "/shiftTraffic/kinds",
        "'Ingress' not allowed",
    ),
    "a selector with one side": (
        {"shiftTraffic": {"selectors": {"version": ["blue"]}}},
        "/shiftTraffic/selectors/version",
        "minItems",
    ),
    "no action in an hour": (
        {"limits": {"actionsPerClusterPerHour": 0}},
        "/limits/actionsPerClusterPerHour",
        "minimum",
    ),
    "level in small letters": (
        {"operator": {"logLevel": "info"}},
        "/operator/logLevel",
        "must be one of",
    ),
    "too many threads": (
        {"operator": {"kubernetesThreads": 65}},
        "/operator/kubernetesThreads",
        "maximum",
    ),
    "digest that is none": ({"image": {"digest": "latest"}}, "/image/digest", "pattern"),
    "port out of range": (
        {"networkPolicy": {"apiServer": {"ports": [70000]}}},
        "/networkPolicy/apiServer/ports/0",
        "maximum",
    ),
    "address without mask": (
        {"networkPolicy": {"apiServer": {"cidrs": ["10.0.0.1"]}}},
        "/networkPolicy/apiServer/cidrs/0",
        "pattern",
    ),
    "open to everything": (
        {"networkPolicy": {"prometheus": {"to": []}}},
        "/networkPolicy/prometheus/to",
        "minItems",
    ),
    "certificate without a key": (
        {"intake": {"webhook": {"tls": {"certFile": "/tls.crt"}}}},
        "/intake/webhook/tls",
        "keyFile",
    ),
    "queue for nobody": ({"intake": {"webhook": {"queue": 1}}}, "/intake/webhook/queue", "minimum"),
    "secret without a name": (
        {"credentials": [{"name": "prometheus"}]},
        "/credentials/0",
        "missing property 'secretName'",
    ),
}


@pytest.fixture(scope="session")
def complaints(helm: Helm) -> str:
    """What helm says about all bad values at once; one run is enough."""
    values: Document = {}
    for bad, _, _ in BAD.values():
        _merge(values, bad)
    done = helm("template", "prunella", values=values)
    assert done.returncode != 0
    return done.stderr


def _merge(into: Document, values: Document) -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


@pytest.mark.parametrize("name", BAD)
def test_bad_values_are_refused_by_name(complaints: str, name: str) -> None:
    """Helm itself refuses a wrong value, says which one it is and what is wrong with it."""
    _, where, what = BAD[name]
    told = [line for line in complaints.splitlines() if f"at '{where}': " in line]
    assert any(what in line for line in told), complaints


def test_an_open_webhook_is_refused(helm: Helm) -> None:
    """A port that anybody could post to is not opened."""
    done = helm("template", "prunella", values={"intake": {"webhook": {"enabled": True}}})
    assert done.returncode != 0
    assert "enabled without bearerTokenFile or tls.clientCaFile: give one" in done.stderr


def test_verdicts_without_a_port_are_refused(helm: Helm) -> None:
    """Helm says what is needed to be asked for verdicts, before anything is installed."""
    done = helm("template", "prunella", values={"intake": {"analysis": {"enabled": True}}})
    assert done.returncode != 0
    assert "intake.analysis.enabled needs intake.webhook.enabled" in done.stderr


@pytest.mark.parametrize("token", ["", "/hook"], ids=["none", "the webhook's"])
def test_verdicts_without_a_token_of_their_own_are_refused(helm: Helm, token: str) -> None:
    """It is in the hands of tenants, and the webhook's may post alerts."""
    hook = {"enabled": True, "bearerTokenFile": "/hook"}
    intake = {"webhook": hook, "analysis": {"enabled": True, "bearerTokenFile": token}}
    done = helm("template", "prunella", values={"intake": intake})
    assert done.returncode != 0
    assert "needs an intake.analysis.bearerTokenFile of its own" in done.stderr


def test_users_without_a_port_are_refused(helm: Helm) -> None:
    """Helm says what the audit webhook needs, before anything is installed."""
    done = helm("template", "prunella", values={"journal": {"audit": {"enabled": True}}})
    assert done.returncode != 0
    assert "journal.audit.enabled needs journal.enabled and intake.webhook.enabled" in done.stderr


def test_policies_on_nodes_need_all_namespaces(helm: Helm) -> None:
    """Helm says so before anything is installed: a Role gives no right to nodes."""
    values = {"clusterPolicies": {"enabled": True}, "namespaces": ["shop"]}
    done = helm("template", "prunella", values=values)
    assert done.returncode != 0
    assert "clusterPolicies.enabled needs all namespaces" in done.stderr


def test_two_kinds_of_credentials_are_refused(helm: Helm) -> None:
    """Helm says which source, what was found and what is wanted, before anything is installed."""
    source = {"url": "http://p", "entra": {}, "bearerTokenFile": "/token"}
    done = helm("template", "prunella", values={"sources": {"default": source}})
    kinds = "bearerTokenFile, basicAuth, sigV4, entra, google"
    expected = f"sources.default: found bearerTokenFile and entra: give at most one of {kinds}"
    assert done.returncode != 0
    assert expected in done.stderr


def test_lint_is_clean(helm: Helm) -> None:
    """`helm lint --strict` finds nothing, with everything switched on."""
    values = {
        "actions": dict.fromkeys(steps_api.ACTIONS, True),
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "alertmanager": {"url": "http://alertmanager:9093"},
    }
    done = helm("lint", "--strict", values=values)
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout


def test_every_value_has_a_comment() -> None:
    """No value is without a word of explanation in the line before it, or its parent's."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r" {0,2}[a-zA-Z]+:", line)
        and not before.lstrip().startswith("#")
        and not re.match(r" *[a-zA-Z]+:$", line)
    ]
    documented_by_parent = {"cpu", "memory", "requests", "limits", "severity"}
    assert [line for line in bare if line.split(":")[0].strip() not in documented_by_parent] == []


def _objects(schema: Document, path: str = "") -> list[tuple[str, Document]]:
    found = [(path, schema)] if schema.get("type") == "object" and "properties" in schema else []
    for group in ("properties", "definitions"):
        for name, part in schema.get(group, {}).items():
            found += _objects(part, f"{path}/{name}")
    return found


def test_schema_is_closed() -> None:
    """Every object with named fields refuses all other names."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    open_ones = [
        path for path, part in _objects(schema) if part.get("additionalProperties") is not False
    ]
    assert open_ones == []


def test_schema_and_values_have_the_same_names() -> None:
    """What can be set is in values.yaml, with its default, and the other way round."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(schema["properties"]) - {"global"} == set(values)
