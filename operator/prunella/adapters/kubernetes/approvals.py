"""The Approvals port on Approval objects of a real API server."""

from __future__ import annotations

from collections.abc import Collection

from prunella import ports
from prunella.adapters.kubernetes import client, kinds, own_objects, parse, parse_approval
from prunella.adapters.kubernetes import store as store_module
from prunella.api import approval as approval_api
from prunella.api import conditions
from prunella.core import objects


class KubernetesApprovals:
    """Approvals (`outside_ports.Approvals`). People write them; their status is the operator's."""

    def __init__(self, api: client.KubeApi, stores: store_module.Stores) -> None:
        self._api = api
        self._stores = stores
        self._objects = own_objects.OwnObjects(api, kinds.APPROVAL)

    def all(self, namespace: str | None = None) -> Collection[objects.Approval]:
        """The Approvals of a namespace, or of all; costs no request."""
        known = self._stores.approvals
        return known.all() if namespace is None else known.of(namespace)

    async def read(self, namespace: str, name: str) -> objects.Approval | None:
        """One as it is now; None when there is none, or when it can't be read. Raises ClusterError.

        What can't be read has approved nothing.
        """
        path = kinds.APPROVAL.path(namespace, name)
        reply = await self._api.exchange("GET", path, mutating=False)
        if reply.status == 404:
            return None
        if not reply.ok:
            raise client.refusal(reply, mutating=False)
        try:
            return parse_approval.approval(reply.body)
        except parse.Unreadable:
            return None

    async def answer(self, approval: objects.Approval, condition: conditions.Condition) -> None:
        """Write what became of one, under its resourceVersion; one that is gone is no error.

        Raises Conflict when it has changed, OutcomeUnknown, ClusterError.
        """
        merged = conditions.merge(approval.status.conditions, [condition])
        status = approval_api.ApprovalStatus(conditions=merged)
        spec = approval.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        written = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        try:
            raw = await self._objects.write_status(approval, spec, written)
        except ports.ClusterError as error:
            if error.status != 404:
                raise
            self._stores.approvals.remove(approval.namespace, approval.name, approval.uid)
            return
        self._stores.approvals.put(raw)
