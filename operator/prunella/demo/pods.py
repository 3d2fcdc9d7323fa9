"""What the demo's pods are on a real cluster: real programs that report real metrics.

The story's manifests name images that exist nowhere.  Here they become a small exporter that
fails as its release says, so that the same story is told where pods run and where they are
simulated; and, where no Prometheus reads them yet, one of the demo's own.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from typing import Any, Final

import yaml

from prunella.demo import story

IMAGE: Final = "docker.io/library/python:3.11-alpine"
RELEASE: Final = "RELEASE"
ERRORS: Final = "lab.prunella.dev/errors"
"""Where pods are simulated, nothing runs that could read RELEASE: this tells the simulator."""
BAD_SHARE: Final = "0.3"
PORT: Final = 8080
_FOLDER: Final = "/app"
_EXPORTER: Final = "exporter.py"

Document = dict[str, Any]


def dressed(document: Mapping[str, Any]) -> Document:
    """A manifest of the story as it is applied: Deployments run the exporter."""
    if document["kind"] != "Deployment":
        return dict(document)
    template = document["spec"]["template"]
    pod = {**template["spec"], **_pod()}
    return {
        **document,
        "spec": {**document["spec"], "template": {**template, "spec": pod}},
    }


def release_patch(tag: str) -> Document:
    """The strategic merge patch that releases a version, as a person's rollout would."""
    template = {
        "metadata": {"annotations": {ERRORS: BAD_SHARE if "bad" in tag else "0.0"}},
        "spec": {"containers": [{"name": "app", "env": [{"name": RELEASE, "value": tag}]}]},
    }
    return {"spec": {"template": template}}


def release_of(template: Mapping[str, Any]) -> str:
    """The release in a pod template; empty when it names none."""
    variables = template["spec"]["containers"][0].get("env", [])
    return next((str(each["value"]) for each in variables if each["name"] == RELEASE), "")


def support() -> list[Document]:
    """What the pods need: the exporter's program."""
    text = _text(_EXPORTER)
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "exporter", "namespace": story.NAMESPACE},
            "data": {_EXPORTER: text},
        }
    ]


def prometheus() -> list[Document]:
    """A Prometheus that scrapes them."""
    return list(yaml.safe_load_all(_text("prometheus.yaml")))


def _text(name: str) -> str:
    return (importlib.resources.files("prunella.demo") / "manifests" / name).read_text()


def _pod() -> Document:
    """A pod that the restricted Pod Security Standard admits."""
    container = {
        "name": "app",
        "image": IMAGE,
        "command": ["python3", f"{_FOLDER}/{_EXPORTER}"],
        "env": [{"name": RELEASE, "value": story.GOOD}],
        "ports": [{"name": "metrics", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/metrics", "port": "metrics"}, "periodSeconds": 1},
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"memory": "64Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "program", "mountPath": _FOLDER}],
    }
    return {
        "containers": [container],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65534,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "volumes": [{"name": "program", "configMap": {"name": "exporter"}}],
    }
