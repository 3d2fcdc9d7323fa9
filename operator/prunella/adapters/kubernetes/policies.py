"""The Policies port on the policies of both kinds of a real API server."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from prunella.adapters.kubernetes import client, kinds, parse
from prunella.adapters.kubernetes import store as store_module
from prunella.api import policy_status
from prunella.core import objects


class KubernetesPolicies:
    """Policies of namespaces and of the cluster (`ports.Policies`)."""

    def __init__(self, api: client.KubeApi, stores: store_module.Stores) -> None:
        self._api = api
        self._stores = stores

    def all(self) -> Collection[objects.Policy]:
        """The watched policies; costs no request."""
        return [*self._stores.policies.all(), *self._stores.cluster_policies.all()]

    async def read(self, key: objects.Key) -> objects.Policy | None:
        """A policy as it is now, or None when it is gone. Raises ClusterError."""
        path = _kind(key).path(key.namespace or None, key.name)
        reply = await self._api.exchange("GET", path, mutating=False)
        if reply.status == 404:
            return None
        if not reply.ok:
            raise client.refusal(reply, mutating=False)
        self._keep(key, reply.body)
        return parse.policy(reply.body)

    async def write_status(
        self, policy: objects.Policy, status: policy_status.RemediationPolicyStatus
    ) -> None:
        """Write the status, if the policy is as it was read. Raises ClusterError.

        A policy that has changed, or is gone, is judged anew in the next round anyway.
        """
        body = {
            "apiVersion": kinds.POLICY.api_version,
            "kind": _kind(policy.key).name,
            "metadata": {
                **({"namespace": policy.key.namespace} if policy.key.namespace else {}),
                "name": policy.key.name,
                "uid": policy.uid,
                "resourceVersion": policy.resource_version,
            },
            "status": status.model_dump(mode="json", by_alias=True, exclude_none=True),
        }
        place = policy.key.namespace or None
        path = _kind(policy.key).path(place, policy.key.name, "status")
        query = {"fieldManager": objects.FIELD_MANAGER}
        reply = await self._api.exchange("PUT", path, query, body, mutating=True)
        if reply.ok:
            self._keep(policy.key, reply.body)
        elif reply.status not in {404, 409}:
            raise client.refusal(reply, mutating=True)

    def _keep(self, key: objects.Key, raw: Mapping[str, Any]) -> None:
        stores = self._stores
        (stores.policies if key.namespace else stores.cluster_policies).put(raw)


def _kind(key: objects.Key) -> kinds.Kind:
    return kinds.POLICY if key.namespace else kinds.CLUSTER_POLICY
