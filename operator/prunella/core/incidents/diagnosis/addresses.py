"""Addresses of Services in the environments of containers, such as ``cart.shop:8080``."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping

from prunella.core import model
from prunella.core.incidents.diagnosis import faults, read

_NAME = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_HOST = re.compile(
    rf"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?:[^/@\s]*@)?"
    rf"(?P<host>{_NAME}(?:\.{_NAME})*)(?::(?P<port>[0-9]{{1,5}}))?(?:[/?#].*)?"
)
_KEY = re.compile(
    r"(ADDR|ADDRESS|HOST|URL|URI|ENDPOINT|SERVICE|SERVER|BROKERS?|UPSTREAM|DSN)", re.IGNORECASE
)
_PORTS = {"http": 80, "https": 443}


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """One address: who is given it, by which variable, and the Service that it names."""

    workload: model.Ref
    variable: str
    source: model.Ref
    """The object that holds the value: the workload, or a ConfigMap."""
    field: str
    """Path of the value in the source."""
    text: str
    service: model.Ref
    port: int | None
    plain: bool
    """True when it is a bare name: it may also be a host outside the cluster."""


def find(
    workload: model.Ref, template: read.Raw, config: Mapping[model.Ref, read.Raw]
) -> Iterator[Address]:
    """The addresses that a workload's containers are given."""
    for container in read.items(template, "spec", "containers"):
        name = read.text(container, "name")
        for variable, source, field, value in variables(workload, name, container, config):
            for part in value.split(","):
                parsed = parse(variable, part.strip(), workload.namespace)
                if parsed is not None:
                    service, port, plain = parsed
                    yield Address(workload, variable, source, field, part, service, port, plain)


def variables(
    workload: model.Ref, name: str, container: read.Raw, config: Mapping[model.Ref, read.Raw]
) -> Iterator[tuple[str, model.Ref, str, str]]:
    """Variables of a container whose values are known: name, holder, path there, value."""
    for each in read.items(container, "env"):
        key, text = read.text(each, "name"), read.text(each, "value")
        if text:
            path = faults.container_path(name, f"env[name={key}].value")
            yield key, workload, path, text
        reference = read.mapping(each, "valueFrom", "configMapKeyRef")
        holder = model.Ref("ConfigMap", workload.namespace, read.text(reference, "name"))
        entry = read.text(reference, "key")
        found = read.text(config.get(holder), "data", entry)
        if found:
            yield key, holder, faults.child("data", entry), found
    for each in read.items(container, "envFrom"):
        holder = model.Ref("ConfigMap", workload.namespace, read.text(each, "configMapRef", "name"))
        for entry, found in read.labels(config.get(holder), "data").items():
            yield read.text(each, "prefix") + entry, holder, faults.child("data", entry), found


def parse(variable: str, text: str, namespace: str) -> tuple[model.Ref, int | None, bool] | None:
    """The Service and the port that a value names; None when it is no address in a cluster.

    A name with ``svc`` in its place is one for sure.  ``NAME:PORT`` and ``NAME.NAMESPACE:PORT``
    are, when they have a port or a scheme, or the variable's name says that it is an address.
    """
    match = _HOST.fullmatch(text)
    if match is None or match["host"].replace(".", "").isdigit() or match["host"] == "localhost":
        return None
    parts = match["host"].split(".")
    port = int(match["port"]) if match["port"] else _PORTS.get(match["scheme"] or "")
    if len(parts) >= 3 and parts[2] == "svc":
        return model.Ref("Service", parts[1], parts[0]), port, False
    if len(parts) > 2 or not (match["port"] or match["scheme"]):
        return None
    if not (_KEY.search(variable) or match["scheme"]):
        return None
    where = parts[1] if len(parts) == 2 else namespace
    return model.Ref("Service", where, parts[0]), port, True
