"""Writing the operator's own objects: created once, their status replaced, deleted under a UID."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from prunella.adapters.kubernetes import client, kinds
from prunella.core import objects

Json = Mapping[str, Any]
AS_OPERATOR: Final = {"fieldManager": objects.FIELD_MANAGER}


class Identified(Protocol):
    """What must be known of an object to delete it, and no other of its name."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def namespace(self) -> str:
        """Its namespace."""

    @property
    def uid(self) -> str:
        """Its UID."""


class Written(Identified, Protocol):
    """An object as it was read: a status is written under its resourceVersion."""

    @property
    def resource_version(self) -> str:
        """Its resourceVersion."""


class OwnObjects:
    """The objects of one of the operator's kinds."""

    def __init__(self, api: client.KubeApi, kind: kinds.Kind) -> None:
        self._api = api
        self._kind = kind

    async def create(
        self, namespace: str, name: str, spec: Json, labels: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Take a name. Raises Conflict when it is taken, OutcomeUnknown, ClusterError."""
        metadata: dict[str, Any] = {"namespace": namespace, "name": name}
        if labels is not None:
            metadata["labels"] = labels
        body = self._body(metadata, spec)
        path = self._kind.path(namespace)
        _, raw = await self._api.request("POST", path, AS_OPERATOR, body, mutating=True)
        made: dict[str, Any] = raw
        return made

    async def write_status(self, found: Written, spec: Json, status: Json) -> dict[str, Any]:
        """Replace the status under the resourceVersion, beside the ``spec`` as it is.

        Raises Conflict when the object has changed, OutcomeUnknown, ClusterError.
        """
        metadata = {
            "namespace": found.namespace,
            "name": found.name,
            "uid": found.uid,
            "resourceVersion": found.resource_version,
        }
        body = {**self._body(metadata, spec), "status": status}
        path = self._kind.path(found.namespace, found.name, "status")
        _, raw = await self._api.request("PUT", path, AS_OPERATOR, body, mutating=True)
        made: dict[str, Any] = raw
        return made

    async def delete(self, found: Identified) -> None:
        """Delete one under its UID; one that is gone already is no error.

        Raises Conflict when another has its name, OutcomeUnknown, ClusterError.
        """
        path = self._kind.path(found.namespace, found.name)
        body = {"preconditions": {"uid": found.uid}}
        reply = await self._api.exchange("DELETE", path, body=body, mutating=True)
        if not reply.ok and reply.status != 404:
            raise client.refusal(reply, mutating=True)

    def _body(self, metadata: Json, spec: Json) -> dict[str, Any]:
        return {
            "apiVersion": self._kind.api_version,
            "kind": self._kind.name,
            "metadata": metadata,
            "spec": spec,
        }
