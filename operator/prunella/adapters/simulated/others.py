"""Objects of the simulated API server that are no workloads: kept, shown, nothing moves them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping

from prunella import ports
from prunella.adapters.simulated import patches, state
from prunella.api import quantities
from prunella.core import model
from prunella.core.decisions import quotas

SCALERS = frozenset({"HorizontalPodAutoscaler", "ScaledObject"})
Version = Callable[[], str]


class Others:
    """Services, NetworkPolicies, ConfigMaps and the like, as manifests."""

    def __init__(self) -> None:
        self._objects: dict[model.Ref, state.Manifest] = {}
        self._created = 0

    def get(self, ref: model.Ref) -> state.Manifest | None:
        """An object as the API server shows it; None: not there."""
        return copy.deepcopy(self._objects.get(ref))

    def scalers_of(self, target: model.Ref, bare: Mapping[str, model.Ref]) -> tuple[str, ...]:
        """The autoscalers that target a workload, as ``Kind/name``, with those of no manifest."""
        found = {name for name, ref in bare.items() if ref == target}
        for ref, manifest in self._objects.items():
            if ref.kind in SCALERS and ref.namespace == target.namespace:
                # KEDA: without a kind it is a Deployment.
                scaled = {"kind": "Deployment", **manifest["spec"].get("scaleTargetRef", {})}
                if (scaled["kind"], scaled.get("name")) == (target.kind, target.name):
                    found.add(f"{ref.kind}/{ref.name}")
        return tuple(sorted(found))

    def refusing(self, workload: model.Workload) -> model.Workload:
        """The workload as its controller would show it, where a quota refuses its pods."""
        for ref, quota in self._objects.items():
            if (ref.kind, ref.namespace) != ("ResourceQuota", workload.ref.namespace):
                continue
            for each in quotas.short(quota, workload):
                asked = f"{each.resource}={quantities.write(each.requested, each.hard)}"
                told = f"exceeded quota: {ref.name}, requested: {asked}, used: {each.used:g}"
                return dataclasses.replace(workload, failure=told)
        return workload

    def put(self, ref: model.Ref, manifest: state.Manifest | None) -> None:
        """Store an object, or (None) remove it."""
        if manifest is None:
            self._objects.pop(ref, None)
        else:
            self._objects[ref] = manifest

    def add(self, manifest: state.Manifest, manager: str, version: Version) -> model.Ref:
        """Create an object from its manifest. Raises Conflict when its name is taken."""
        metadata = manifest["metadata"]
        ref = model.Ref(manifest["kind"], metadata["namespace"], metadata["name"])
        self.put(ref, self._new(ref, manifest, manager, version))
        return ref

    def edit(
        self,
        ref: model.Ref,
        change: Callable[[state.Manifest], object],
        manager: str,
        version: Version,
    ) -> None:
        """Change an object in place."""
        changed = copy.deepcopy(self._objects[ref])
        change(changed)
        self.put(ref, _written(changed, manager, version))

    def after(self, effect: model.Effect, version: Version) -> state.Manifest | None:
        """An object after the operator's effect. Raises ClusterError as the API server would."""
        ref, there = effect.target, self._objects.get(effect.target)
        if effect.verb is model.Verb.CREATE:
            return self._new(ref, dict(effect.manifest), "prunella", version)
        if there is None:
            raise ports.ClusterError(f"{ref} not found", status=404)
        if effect.verb is model.Verb.DELETE:
            metadata = there["metadata"]
            wanted = (effect.uid, effect.resource_version)
            if (metadata["uid"], metadata["resourceVersion"]) != wanted:
                message = f"the precondition is {wanted[0]} in version {wanted[1]}"
                raise ports.Conflict(f"{ref}: {message}, it is another", status=409)
            return None
        return _written(patches.tested(there, effect), "prunella", version)

    def disown(self, ref: model.Ref, manager: str) -> None:
        """Take a manager out of managedFields."""
        found = self._objects.get(ref)
        if found is not None:
            managed = found["metadata"]["managedFields"]
            kept = [each for each in managed if each["manager"] != manager]
            found["metadata"]["managedFields"] = kept

    def _new(
        self, ref: model.Ref, manifest: state.Manifest, manager: str, version: Version
    ) -> state.Manifest:
        if ref in self._objects:
            raise ports.Conflict(f"{ref} already exists", status=409)
        self._created += 1
        made = copy.deepcopy(manifest)
        uid = f"uid-{state.digest(self._created, str(ref), length=20)}"
        made["metadata"] = {**made["metadata"], "uid": uid, "managedFields": []}
        return _written(made, manager, version)


def _written(manifest: state.Manifest, manager: str, version: Version) -> state.Manifest:
    """The object in a new version, and a manager noted; of which fields is not simulated."""
    metadata = manifest["metadata"]
    metadata["resourceVersion"] = version()
    if all(each["manager"] != manager for each in metadata["managedFields"]):
        metadata["managedFields"].append({"manager": manager, "operation": "Update"})
    return manifest
