"""The Leases port on one Lease (coordination.k8s.io/v1) in the operator's own namespace."""

from __future__ import annotations

from typing import Any, Final

from prunella import ports
from prunella.adapters.kubernetes import client, credentials, kinds, own_objects
from prunella.core.election import lease as leases

RELEASED: Final = "prunella.dev/released"
"""The epoch whose leader has given the Lease back; an edited Lease does not have it."""
TIMEOUT: Final = (1.0, 1.5)
ANSWER_SECONDS: Final = 2.0
THREADS: Final = 4
"""Requests that hang keep theirs for a while; the next one must find another."""


class KubernetesLeases:
    """One Lease (`leadership.Leases`), by a connection of its own."""

    def __init__(self, api: client.KubeApi, namespace: str, name: str) -> None:
        self._api = api
        self._namespace, self._name = namespace, name

    async def read(self) -> leases.Lease | None:
        """The Lease as it is, None when there is none. Raises ClusterError."""
        path = kinds.LEASE.path(self._namespace, self._name)
        reply = await self._api.exchange("GET", path, mutating=False)
        if reply.denies(self._name):
            return None
        if not reply.ok:
            raise client.refusal(reply, mutating=False)
        return parse(reply.body)

    async def write(self, wanted: leases.Lease) -> leases.Lease:
        """Write it under its version, or create it without one; returns it as it is then.

        A merge patch: labels of whoever installed it stay.  Raises Conflict, OutcomeUnknown,
        ClusterError.
        """
        if not wanted.version:
            return await self._create(wanted)
        path = kinds.LEASE.path(self._namespace, self._name)
        released = str(wanted.released) if wanted.released else None
        metadata = {"resourceVersion": wanted.version, "annotations": {RELEASED: released}}
        body = {"metadata": metadata, "spec": _spec(wanted)}
        query = own_objects.AS_OPERATOR
        _, raw = await self._api.request(
            "PATCH", path, query, body, client.MERGE_PATCH, mutating=True
        )
        return parse(raw)

    async def _create(self, wanted: leases.Lease) -> leases.Lease:
        body = {
            "apiVersion": kinds.LEASE.api_version,
            "kind": kinds.LEASE.name,
            "metadata": {"namespace": self._namespace, "name": self._name},
            "spec": _spec(wanted),
        }
        path = kinds.LEASE.path(self._namespace)
        _, raw = await self._api.request("POST", path, own_objects.AS_OPERATOR, body, mutating=True)
        return parse(raw)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()


def connect(access: credentials.Credentials, namespace: str, name: str) -> KubernetesLeases:
    """The Lease of that name. Raises ClusterError without access."""
    api = client.KubeApi(access, THREADS, timeout=TIMEOUT, deadline=ANSWER_SECONDS)
    return KubernetesLeases(api, namespace, name)


def parse(raw: Any) -> leases.Lease:
    """A Lease as read. Raises ClusterError for what is none."""
    try:
        meta, spec = raw["metadata"], raw.get("spec") or {}
        released = (meta.get("annotations") or {}).get(RELEASED) or ""
        return leases.Lease(
            holder=spec.get("holderIdentity") or "",
            transitions=int(spec.get("leaseTransitions") or 0),
            renewed=spec.get("renewTime") or "",
            duration=float(spec.get("leaseDurationSeconds") or 0),
            released=int(released) if released.isdecimal() else 0,
            version=meta["resourceVersion"],
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ports.ClusterError(f"what was read is no Lease: {error!r}") from error


def _spec(wanted: leases.Lease) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "holderIdentity": wanted.holder,
        "leaseDurationSeconds": max(1, round(wanted.duration)),
        "leaseTransitions": wanted.transitions,
        "renewTime": wanted.renewed,
    }
    if wanted.taken:
        spec["acquireTime"] = wanted.renewed
    return spec
