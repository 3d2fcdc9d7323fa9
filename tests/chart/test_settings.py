"""The settings file in the ConfigMap is the one that the operator reads."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pydantic
import pytest
import yaml

from prunella import allowed, incident_settings, journal_settings, settings
from prunella.api import endpoints
from prunella.api import windows as windows_api

Document = dict[str, Any]
Render = Callable[..., list[Document]]
SCHEMA = json.loads(
    (pathlib.Path(__file__).parents[2] / "charts/prunella/values.schema.json").read_text()
)

OTHER_SOURCES: Document = {
    "long-term": {
        "url": "http://thanos:9090",
        "bearerTokenFile": "/etc/prunella/credentials/thanos/token",
    },
    "amazon": {
        "url": "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1",
        "sigV4": {
            "region": "eu-central-1",
            "service": "aps",
            "roleArn": "arn:aws:iam::123456789012:role/prunella",
        },
    },
    "azure": {
        "url": "https://shop.westeurope.prometheus.monitor.azure.com",
        "entra": {"scope": "api://mine/.default", "clientId": "1234"},
    },
    "azure-by-default": {"url": "https://other.prometheus.monitor.azure.com", "entra": {}},
    "google": {
        "url": "https://monitoring.googleapis.com/v1/projects/shop/location/global/prometheus",
        "google": {"scopes": ["https://example.com/scope"], "quotaProject": "billing"},
    },
}


def _text(documents: list[Document]) -> str:
    [config_map] = [each for each in documents if each["kind"] == "ConfigMap"]
    text: str = config_map["data"]["settings.yaml"]
    return text


def _load(tmp_path: pathlib.Path, documents: list[Document]) -> settings.Settings:
    path = tmp_path / "settings.yaml"
    path.write_text(_text(documents))
    return settings.load(path)


def test_default_values_are_the_operators_defaults(render: Render, tmp_path: pathlib.Path) -> None:
    """A chart without values gives the settings that the operator has without a file."""
    assert settings.Settings() == _load(tmp_path, render())


def test_every_setting_reaches_the_operator(render: Render, tmp_path: pathlib.Path) -> None:
    """Each value of the chart ends in the field of the same name."""
    source = {
        "url": "https://prometheus.example:9443",
        "basicAuth": {"username": "prunella", "passwordFile": "/etc/prunella/credentials/p/w"},
        "headers": {"X-Scope-OrgID": "shop"},
        "tls": {"caFile": "/ca.crt", "certFile": "/tls.crt", "keyFile": "/tls.key"},
        "namespaceLabel": "kubernetes_namespace",
        "matchers": {"cluster": "eu-1"},
        "allowedNamespaces": ["shop"],
        "connectTimeoutSeconds": 1.5,
        "readTimeoutSeconds": 5,
        "maxBodyBytes": 1048576,
        "maxSeries": 100,
        "maxQueriesPerNamespace": 10,
        "maxSecondsPerNamespace": 2.5,
    }
    sources = {"default": source, **OTHER_SOURCES}
    alertmanager = {
        "url": "http://alertmanager.monitoring.svc:9093",
        "bearerTokenFile": "/etc/prunella/credentials/alertmanager/token",
        "tls": {"insecureSkipVerify": True},
        "labels": {"severity": "page"},
    }
    intake = {
        "webhook": {
            "enabled": True,
            "port": 9443,
            "bearerTokenFile": "/etc/prunella/credentials/intake/token",
            "tls": {"certFile": "/tls.crt", "keyFile": "/tls.key", "clientCaFile": "/ca.crt"},
            "maxBodyBytes": 1048576,
            "requestsPerSecond": 10,
            "burst": 20,
            "queue": 1000,
            "oldestEndSeconds": 600,
            "refreshSeconds": 60,
        },
        "analysis": {
            "enabled": True,
            "bearerTokenFile": "/etc/prunella/credentials/analysis/token",
            "namespaces": ["shop"],
        },
        "polls": {
            "sources": ["default"],
            "everySeconds": 15,
            "alertmanager": False,
            "alertmanagerEverySeconds": 30,
            "kubernetes": False,
            "kubernetesEverySeconds": 20,
            "missingSeconds": 90,
        },
        "ignore": ["Watchdog"],
        "serviceGraphSource": "long-term",
    }
    journal = {
        "audit": {"enabled": True, "bearerTokenFile": "/etc/prunella/credentials/audit/token"}
    }
    tracing = {
        "endpoint": "https://collector.example:4318/v1/traces",
        "bearerTokenFile": "/etc/prunella/credentials/otlp/token",
        "headers": {"X-Scope-OrgID": "shop"},
        "tls": {"caFile": "/ca.crt"},
        "timeoutSeconds": 5,
        "attributes": {"k8s.cluster.name": "eu-1"},
    }
    field = {"apiVersion": "v1", "kind": "ConfigMap", "resource": "configmaps"}
    patch_field = {"fields": [{**field, "path": "data.a\\.b", "name": "flags", "values": ["on"]}]}
    limits = {
        "actionsPerNamespacePerHour": 2,
        "actionsPerClusterPerHour": 4,
        "unhelpfulBeforeLatch": 1,
        "rolloutSeconds": 1200,
    }
    windows = {
        "allow": [{"cron": "0 22 * * *", "duration": "8h", "timeZone": "Europe/Berlin"}],
        "deny": [{"cron": "0 0 24 12 *", "duration": "3d"}],
    }
    operator = {
        "gitopsManagers": ["argocd-controller"],
        "gitopsLabels": ["shop.example/owner=robot"],
        "systemNamespaces": ["kube-system", "cert-manager"],
        "relistSeconds": 60,
        "recordRetentionSeconds": 2592000,
        "kubernetesThreads": 4,
        "metricsThreads": 2,
        "logFormat": "text",
        "logLevel": "WARNING",
    }
    documents = render(
        actions={
            "restart": True,
            "evictPod": True,
            "scale": False,
            "rollback": True,
            "restore": False,
        },
        namespaces=["shop", "bank"],
        sources=sources,
        alertmanager=alertmanager,
        intake=intake,
        journal=journal,
        tracing=tracing,
        limits=limits,
        windows=windows,
        patchField=patch_field,
        operator=operator,
        fullnameOverride="healer",
    )
    expected = settings.Settings.model_validate(
        {
            "operatorNamespace": "prunella-system",
            "operatorName": "healer",
            "namespaces": ["shop", "bank"],
            "sources": sources,
            "alertmanager": alertmanager,
            "intake": intake,
            "journal": journal,
            "tracing": tracing,
            "limits": limits,
            "windows": windows,
            "patchField": patch_field,
            **operator,
        }
    )
    assert expected == _load(tmp_path, documents)


def test_bounds_are_told_with_their_action_alone(render: Render, tmp_path: pathlib.Path) -> None:
    """What nobody may write has no bound; what may be restored, too, must keep it."""
    values = {"scaleBounds": {"max": 12}, "raiseQuota": {"ceilings": {"pods": 50, "cpu": "4"}}}
    off = _load(tmp_path, render(**values))
    on = _load(tmp_path, render(**values, actions={"scaleBounds": True, "raiseQuota": True}))
    assert (None, None) == (off.scale_bounds.max, off.raise_quota.ceilings)
    assert (12, {"pods": 50, "cpu": "4"}) == (on.scale_bounds.max, on.raise_quota.ceilings)


def test_every_setting_is_written_out(render: Render) -> None:
    """A setting that is added to the operator must find its place in the chart."""
    names = {str(field.alias) for field in settings.Settings.model_fields.values()}
    assert names == set(yaml.safe_load(_text(render())))


MODELS: dict[str, tuple[Document, type[pydantic.BaseModel]]] = {
    "source": (SCHEMA["definitions"]["source"], settings.Source),
    "tls": (SCHEMA["definitions"]["tls"], settings.Tls),
    "basicAuth": (
        SCHEMA["definitions"]["source"]["properties"]["basicAuth"],
        settings.BasicAuth,
    ),
    "sigV4": (SCHEMA["definitions"]["source"]["properties"]["sigV4"], settings.SigV4),
    "endpoint": (SCHEMA["definitions"]["endpoint"], endpoints.Endpoint),
    "endpoint.sigV4": (
        SCHEMA["definitions"]["endpoint"]["properties"]["sigV4"],
        endpoints.SigV4,
    ),
    "window": (SCHEMA["definitions"]["window"], windows_api.Window),
    "entra": (SCHEMA["definitions"]["source"]["properties"]["entra"], settings.Entra),
    "google": (SCHEMA["definitions"]["source"]["properties"]["google"], settings.Google),
    "alertmanager": (SCHEMA["properties"]["alertmanager"], settings.Alertmanager),
    "limits": (SCHEMA["properties"]["limits"], settings.Limits),
    "patchField": (SCHEMA["properties"]["patchField"], allowed.PatchField),
    "patchField.fields": (
        SCHEMA["properties"]["patchField"]["properties"]["fields"]["items"],
        allowed.AllowedField,
    ),
    "diagnosis": (SCHEMA["properties"]["diagnosis"], incident_settings.Diagnosis),
    "intake": (SCHEMA["properties"]["intake"], settings.Intake),
    "intake.analysis": (
        SCHEMA["properties"]["intake"]["properties"]["analysis"],
        settings.Analysis,
    ),
    "intake.polls": (SCHEMA["properties"]["intake"]["properties"]["polls"], settings.Polls),
    "tracing": (SCHEMA["properties"]["tracing"], settings.Tracing),
    "journal": (SCHEMA["properties"]["journal"], journal_settings.Journal),
    "journal.audit": (
        SCHEMA["properties"]["journal"]["properties"]["audit"],
        journal_settings.Audit,
    ),
    "serverTls": (SCHEMA["definitions"]["serverTls"], settings.ServerTls),
}


@pytest.mark.parametrize("name", MODELS)
def test_schema_has_the_fields_of_the_model(name: str) -> None:
    """The values' schema and the operator's model can't drift apart."""
    schema, model = MODELS[name]
    assert {str(field.alias) for field in model.model_fields.values()} == set(schema["properties"])


def test_schema_has_the_fields_of_the_webhook() -> None:
    """All but the host: the pod always listens on all of its addresses."""
    schema = SCHEMA["properties"]["intake"]["properties"]["webhook"]["properties"]
    fields = {str(field.alias) for field in settings.Webhook.model_fields.values()}
    assert fields - {"host"} == set(schema)


GIT: Document = {
    "repositories": [
        {
            "urlPrefix": "ssh://git@github.com/example/",
            "pushPrefix": "https://github.com/example/",
            "branches": ["main"],
            "mode": "request",
            "allowedNamespaces": ["shop"],
            "otherNamespaces": True,
            "basicAuth": {"username": "prunella", "passwordFile": "/etc/prunella/git/token"},
            "tls": {"caFile": "/etc/prunella/git/ca.crt"},
            "requests": {
                "api": "github",
                "url": "https://api.github.com",
                "tokenFile": "/etc/prunella/git/token",
                "tls": {"caFile": "/etc/prunella/git/ca.crt"},
            },
        }
    ],
    "authorName": "Healer",
    "authorEmail": "healer@example.com",
    "timeoutSeconds": 5,
    "mostCommits": 10,
    "mostBytes": 2048,
    "argocdNamespace": "argo",
}


def test_repositories_are_written_out_with_their_action_alone(
    render: Render, tmp_path: pathlib.Path
) -> None:
    """All that may be written is the administrator's, and nothing while the action is off."""
    off = _load(tmp_path, render(git=GIT))
    on = _load(tmp_path, render(git=GIT, actions={"gitRevert": True}))
    assert () == off.git.repositories
    assert settings.Git.model_validate(GIT) == on.git
