"""CustomResourceDefinitions from the models, as the files in ``crds/`` and the chart hold them."""

from __future__ import annotations

import dataclasses
from typing import Any, Final, Literal

import pydantic
import yaml

from prunella.api import schema

HEADER: Final = "# Generated from the models in prunella.api; do not edit.\n"

_API_VERSION: Final = (
    "APIVersion defines the versioned schema of this representation of an object. Servers convert "
    "recognized schemas to the latest internal value, and may reject unrecognized values."
)
_KIND: Final = "Kind is the type of the object, in CamelCase. It can't be changed."


@dataclasses.dataclass(frozen=True, slots=True)
class PrinterColumn:
    """A column of ``kubectl get``; those with a priority above 0 only show with ``-o wide``."""

    name: str
    json_path: str
    type: Literal["boolean", "date", "integer", "number", "string"] = "string"
    priority: int = 0
    description: str = ""

    def manifest(self) -> dict[str, Any]:
        """The column as it stands in a CRD."""
        optional = {"description": self.description, "priority": self.priority}
        return {
            "name": self.name,
            "type": self.type,
            "jsonPath": self.json_path,
            **{key: value for key, value in optional.items() if value},
        }


@dataclasses.dataclass(frozen=True, slots=True)
class CustomResource:
    """A kind with its models; ``description`` is what ``kubectl explain KIND`` says first.

    A resource without a status model has no ``status`` subresource.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    scope: Literal["Namespaced", "Cluster"]
    description: str
    spec: type[pydantic.BaseModel]
    status: type[pydantic.BaseModel] | None = None
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[PrinterColumn, ...] = ()

    @property
    def name(self) -> str:
        """Name of the CRD, such as ``remediationpolicies.prunella.dev``."""
        return f"{self.plural}.{self.group}"

    @property
    def api_version(self) -> str:
        """What objects of the kind write as ``apiVersion``."""
        return f"{self.group}/{self.version}"


def manifest(resource: CustomResource) -> dict[str, Any]:
    """The CRD as plain data (apiextensions.k8s.io/v1).

    Raises ``schema.CrdError`` when a field of a model has no equal in a CRD.
    """
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": resource.name},
        "spec": {
            "group": resource.group,
            "names": _names(resource),
            "scope": resource.scope,
            "versions": [_version(resource)],
        },
    }


def render(resource: CustomResource) -> str:
    """The CRD as YAML; equal models give equal text, byte for byte."""
    return HEADER + yaml.dump(
        manifest(resource), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )


class _Dumper(yaml.SafeDumper):
    """Writes shared parts out in full: anchors and aliases are hard to read and to diff."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def _names(resource: CustomResource) -> dict[str, Any]:
    names: dict[str, Any] = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.singular,
    }
    if resource.short_names:
        names["shortNames"] = list(resource.short_names)
    if resource.categories:
        names["categories"] = list(resource.categories)
    return names


def _version(resource: CustomResource) -> dict[str, Any]:
    version: dict[str, Any] = {"name": resource.version, "served": True, "storage": True}
    if resource.status is not None:
        version["subresources"] = {"status": {}}
    if resource.columns:
        version["additionalPrinterColumns"] = [column.manifest() for column in resource.columns]
    version["schema"] = {"openAPIV3Schema": _root(resource)}
    return version


def _root(resource: CustomResource) -> schema.Schema:
    properties: schema.Schema = {
        "apiVersion": {"description": _API_VERSION, "type": "string"},
        "kind": {"description": _KIND, "type": "string"},
        "metadata": {"type": "object"},
        "spec": schema.lower(resource.spec, f"{resource.kind}.spec"),
    }
    if resource.status is not None:
        properties["status"] = schema.lower(resource.status, f"{resource.kind}.status")
    return {
        "description": resource.description,
        "type": "object",
        "properties": properties,
        "required": ["spec"],
    }
