"""The Policies port in memory, and what `kubectl apply`, `annotate` and `delete` do to it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Mapping

import pydantic

from prunella.adapters.simulated import faults
from prunella.api import cluster_policy, policy_status
from prunella.api import policy as policy_api
from prunella.core import objects


class SimulatedPolicies:
    """RemediationPolicies with a watched copy that can fall behind."""

    def __init__(self, switchboard: faults.Faults | None = None) -> None:
        self.faults = switchboard or faults.Faults()
        self._stored: dict[objects.Key, objects.Policy] = {}
        self._copy: dict[objects.Key, objects.Policy] = {}
        self._versions = itertools.count(1)
        self._watching = True

    def all(self) -> Collection[objects.Policy]:
        """The watched policies; costs no request."""
        if self._watching:
            self.relist()
        return list(self._copy.values())

    async def read(self, key: objects.Key) -> objects.Policy | None:
        """A policy as it is now, or None when it is gone. Raises ClusterError."""
        self.faults.reach(faults.Point.READ_POLICY)
        return self._stored.get(key)

    async def write_status(
        self, policy: objects.Policy, status: policy_status.RemediationPolicyStatus
    ) -> None:
        """Write the status. Raises ClusterError; a lost race is no error."""
        self.faults.reach(faults.Point.BEFORE_POLICY_STATUS)
        stored = self._stored.get(policy.key)
        if stored is not None and stored.resource_version == policy.resource_version:
            sent = status.model_dump_json(by_alias=True)
            kept = policy_status.RemediationPolicyStatus.model_validate_json(sent)
            self._store(dataclasses.replace(stored, status=kept))
        self.faults.reach(faults.Point.AFTER_POLICY_STATUS)

    def apply(
        self,
        namespace: str,
        name: str,
        spec: policy_api.RemediationPolicySpec | Mapping[str, object],
    ) -> objects.Policy:
        """Create or change a policy, of the cluster without a namespace.

        A spec that is not valid is kept with its problem.
        """
        key = objects.Key(namespace, name)
        parsed, problem = _parse(namespace, spec)
        old = self._stored.get(key)
        if old is None:
            uid = f"policy-{next(self._versions)}"
            return self._store(objects.Policy(key, uid, 1, parsed, problem=problem))
        changed = (old.spec, old.problem) != (parsed, problem)
        generation = old.generation + changed
        return self._store(
            dataclasses.replace(old, spec=parsed, problem=problem, generation=generation)
        )

    def annotate(self, key: objects.Key, name: str, value: str) -> None:
        """Set an annotation, such as `objects.RESUMED`."""
        old = self._stored[key]
        self._store(dataclasses.replace(old, annotations={**old.annotations, name: value}))

    def delete(self, key: objects.Key) -> None:
        """Delete a policy."""
        del self._stored[key]

    def relist(self) -> None:
        """Bring the watched copy up to date; a whole watch does so by itself."""
        self._copy = dict(self._stored)

    def break_watch(self) -> None:
        """See nothing of later changes, until `mend_watch` or `relist`."""
        self.relist()
        self._watching = False

    def mend_watch(self) -> None:
        """Let the copy follow again."""
        self._watching = True

    def _store(self, policy: objects.Policy) -> objects.Policy:
        stored = dataclasses.replace(policy, resource_version=str(next(self._versions)))
        self._stored[policy.key] = stored
        return stored


def _parse(
    namespace: str,
    spec: policy_api.RemediationPolicySpec | Mapping[str, object],
) -> tuple[policy_api.RemediationPolicySpec | None, str]:
    if isinstance(spec, policy_api.RemediationPolicySpec):
        return spec, ""
    try:
        kind = policy_api.RemediationPolicySpec
        kind = kind if namespace else cluster_policy.ClusterRemediationPolicySpec
        return kind.model_validate(spec), ""
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        return None, f"spec.{'.'.join(map(str, first['loc']))}: {first['msg']}"
