"""A container's environment, as the kubelet puts it together when the container starts."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lab.shop.objects import Object, Picture


class ConfigError(Exception):
    """What the kubelet says when a container cannot be configured."""


_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


def resolve(picture: Picture, pod: Object, container: Mapping[str, Any]) -> dict[str, str]:
    """Every variable of a container with its value now; ConfigError as the kubelet words it."""
    found: dict[str, str] = {}
    namespace = pod["metadata"]["namespace"]
    for source in container.get("envFrom") or []:
        prefix = source.get("prefix", "")
        for key, value in _all_of(picture, namespace, source):
            found[prefix + key] = value
    for each in container.get("env") or []:
        if (text := _value(picture, pod, each)) is not None:
            found[each["name"]] = expand(text, found)
    return found


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` where NAME is known."""
    return _REFERENCE.sub(lambda match: variables.get(match[1], match[0]), text)


def _all_of(
    picture: Picture, namespace: str, source: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        if (reference := source.get(field)) is None:
            continue
        found = picture.get(kind, namespace, reference["name"])
        if found is not None:
            yield from data(kind, found).items()
        elif not reference.get("optional"):
            raise ConfigError(f'{kind.lower()} "{reference["name"]}" not found')


def _value(picture: Picture, pod: Object, variable: Mapping[str, Any]) -> str | None:
    source = variable.get("valueFrom")
    if source is None:
        return str(variable.get("value", ""))
    if (field := source.get("fieldRef")) is not None:
        return _field(pod, field["fieldPath"])
    for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if (reference := source.get(key)) is not None:
            return _key(picture, pod["metadata"]["namespace"], kind, reference)
    return ""


def _key(picture: Picture, namespace: str, kind: str, reference: Mapping[str, Any]) -> str | None:
    name, key = reference["name"], reference["key"]
    found = picture.get(kind, namespace, name)
    values = data(kind, found) if found is not None else {}
    if key in values:
        return values[key]
    if reference.get("optional"):
        return None
    if found is None:
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    raise ConfigError(f"couldn't find key {key} in {kind} {namespace}/{name}")


def data(kind: str, found: Object) -> dict[str, str]:
    """What a ConfigMap or Secret holds, decoded."""
    held = found.get("data") or {}
    if kind != "Secret":
        return dict(held)
    return {key: _decode(value) for key, value in held.items()}


def _decode(text: str) -> str:
    try:
        return base64.b64decode(text).decode(errors="replace")
    except binascii.Error:
        return text


def _field(pod: Object, path: str) -> str:
    known: dict[str, str] = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"]["namespace"],
        "metadata.uid": pod["metadata"].get("uid", ""),
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", ""),
        "status.podIP": pod.get("status", {}).get("podIP", ""),
    }
    return known.get(path, "")
