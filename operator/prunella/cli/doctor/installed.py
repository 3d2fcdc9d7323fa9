"""The operator as it is installed: its settings and its account, found by the chart's labels."""

from __future__ import annotations

import dataclasses
import http
import pathlib
from typing import Any

import pydantic
import yaml

from prunella import settings as settings_module
from prunella.adapters.kubernetes import kinds
from prunella.cli import errors, kube

LABEL = ("app.kubernetes.io/name", "prunella")
KEY = "settings.yaml"


@dataclasses.dataclass(frozen=True, slots=True)
class Installed:
    """What the checks are made for."""

    settings: settings_module.Settings
    told_by: str
    """Where the settings are from, for people."""
    account: str = ""
    """The operator's user name; empty when it was not found."""


def find(
    cluster: kube.Cluster, operator_namespace: str, config: pathlib.Path | None, url: str | None
) -> Installed:
    """Settings of a file or of the operator's ConfigMap, and its account. Raises CliError.

    ``url`` is that of the source ``default`` as it is reached from here.
    """
    settings, told_by = _settings(cluster, operator_namespace, config)
    if url is not None:
        own = settings.sources.get("default", settings_module.Source())
        sources = {**settings.sources, "default": own.model_copy(update={"url": url})}
        settings = settings.model_copy(update={"sources": sources})
    return Installed(settings, told_by, _account(cluster, operator_namespace))


def _settings(
    cluster: kube.Cluster, namespace: str, config: pathlib.Path | None
) -> tuple[settings_module.Settings, str]:
    if config is not None:
        try:
            return settings_module.load(config), str(config)
        except settings_module.SettingsError as error:
            raise errors.CliError(str(error)) from error
    for each in _own(cluster, kinds.CONFIG_MAP, namespace):
        text = (each.get("data") or {}).get(KEY)
        if text is None:
            continue
        name = f"ConfigMap {namespace}/{each['metadata']['name']}"
        try:
            return settings_module.Settings.model_validate(yaml.safe_load(text) or {}), name
        except (yaml.YAMLError, pydantic.ValidationError) as error:
            raise errors.CliError(f"{name} can't be used: {str(error).splitlines()[0]}") from error
    default = settings_module.Settings(operator_namespace=namespace)
    return default, "the defaults: no ConfigMap of the operator was found"


def _account(cluster: kube.Cluster, namespace: str) -> str:
    for each in _own(cluster, kinds.DEPLOYMENT, namespace):
        name = each["spec"]["template"]["spec"].get("serviceAccountName", "default")
        return f"system:serviceaccount:{namespace}:{name}"
    return ""


def _own(cluster: kube.Cluster, kind: kinds.Kind, namespace: str) -> list[dict[str, Any]]:
    """The operator's own objects; none where they may not be read."""
    key, value = LABEL
    try:
        items = cluster.items(kind.path(namespace))
    except kube.KubeError as error:
        if error.status not in {http.HTTPStatus.FORBIDDEN, http.HTTPStatus.NOT_FOUND}:
            raise
        return []
    return [each for each in items if (each["metadata"].get("labels") or {}).get(key) == value]
