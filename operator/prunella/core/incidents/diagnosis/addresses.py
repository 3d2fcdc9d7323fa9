"""Addresses of Services in the environments of containers, such as ``cart.shop:8080``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from prunella.core import model
from prunella.core.incidents import environment
from prunella.core.incidents.diagnosis import faults, read


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
        for variable in environment.variables(workload.namespace, container, config):
            source, field = _where(workload, read.text(container, "name"), variable)
            for each in environment.named(variable.text, workload.namespace):
                if each.alone and each.is_address(variable.name, known=False):
                    yield Address(
                        *(workload, variable.name, source, field),
                        *(each.text, each.service, each.port, not each.sure),
                    )


def _where(
    workload: model.Ref, container: str, variable: environment.Variable
) -> tuple[model.Ref, str]:
    """The object that holds a variable's value, and the path there."""
    if variable.holder is not None:
        return variable.holder, faults.child("data", variable.entry)
    return workload, faults.container_path(container, f"env[name={variable.name}].value")
