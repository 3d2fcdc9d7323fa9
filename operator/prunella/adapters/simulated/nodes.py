"""Nodes of the simulated cluster: conditions, cordons, and who sets them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prunella import ports
from prunella.adapters.simulated import controllers, others, state
from prunella.core import model, node_state
from prunella.core.decisions import nodes

KIND: Final = nodes.KIND
HEALTHY: Final = {"Ready": "True", "MemoryPressure": "False", "DiskPressure": "False"}


class Nodes:
    """The nodes as manifests, kept beside the other objects."""

    def __init__(
        self,
        kept: others.Others,
        moved_by: controllers.Controllers,
        workloads: Callable[[], Iterable[state.WorkloadState]],
    ) -> None:
        self._kept = kept
        self._controllers = moved_by
        self._version = moved_by.version
        self._workloads = workloads
        self._names: list[str] = []

    def views(self) -> list[model.Workload]:
        """All nodes as the core sees them."""
        return [found for name in self._names if (found := self.view(name)) is not None]

    def view(self, name: str) -> model.Workload | None:
        """One node, or None when it is gone."""
        found = self._kept.get(ref(name))
        return None if found is None else nodes.seen(found)

    def look(self, name: str) -> model.LiveState | None:
        """A close look at one, with the pods on it."""
        found = self.view(name)
        if found is None or found.node is None:
            return None
        pods = tuple(
            _pod(workload, pod)
            for workload in self._workloads()
            for pod in workload.pods
            if pod.node == name
        )
        seen = dataclasses.replace(found.node, pods=pods)
        return model.LiveState(dataclasses.replace(found, node=seen), pods_known=False)

    def patch(self, effect: model.Effect, *, dry_run: bool) -> model.Workload:
        """Patch a node under its preconditions. Raises ClusterError."""
        changed = self._kept.after(effect, self._version)
        if changed is None:
            raise ports.ClusterError(f"{effect.target}: a node is not deleted", status=403)
        if not dry_run:
            self._kept.put(effect.target, changed)
            self._place(effect.target.name)
        return nodes.seen(changed)

    # People and their tools.

    def add(
        self, name: str, labels: Mapping[str, str] | None = None, **conditions: str
    ) -> model.Ref:
        """A node that is Ready, and has these conditions beside."""
        metadata = {"name": name, "namespace": "", "labels": dict(labels or {})}
        metadata["annotations"] = {"node.alpha.kubernetes.io/ttl": "0"}
        found = {**HEALTHY, **conditions}
        status = {"conditions": [{"type": t, "status": s} for t, s in found.items()]}
        manifest = {"kind": KIND, "metadata": metadata, "spec": {}, "status": status}
        self._names.append(name)
        return self._kept.add({"apiVersion": "v1", **manifest}, "kubelet", self._version)

    def set_condition(self, name: str, kind: str, status: str, reason: str = "") -> None:
        """Let the kubelet or another reporter write a condition."""

        def change(manifest: state.Manifest) -> None:
            conditions = manifest["status"]["conditions"]
            kept = [each for each in conditions if each["type"] != kind]
            written = {"type": kind, "status": status, "reason": reason}
            manifest["status"]["conditions"] = [*kept, written]

        self._kept.edit(ref(name), change, "kubelet", self._version)

    def cordon(self, name: str) -> None:
        """`kubectl cordon`."""
        self._edit_spec(name, lambda spec: spec.update(unschedulable=True))

    def uncordon(self, name: str) -> None:
        """`kubectl uncordon`: annotations stay as they are."""
        self._edit_spec(name, lambda spec: spec.pop("unschedulable", None))

    def _edit_spec(self, name: str, change: Callable[[state.Manifest], object]) -> None:
        self._kept.edit(
            ref(name), lambda manifest: change(manifest["spec"]), "kubectl", self._version
        )
        self._place(name)

    def _place(self, name: str) -> None:
        """Let the scheduler see whether pods may be placed on a node."""
        found = self.view(name)
        self._controllers.cordoned.discard(name)
        if found is not None and found.node is not None and found.node.unschedulable:
            self._controllers.cordoned.add(name)


def ref(name: str) -> model.Ref:
    """The reference of a node."""
    return model.Ref(KIND, "", name)


def _pod(workload: state.WorkloadState, pod: state.PodState) -> node_state.NodePod:
    """A pod as a drain sees it."""
    return node_state.NodePod(
        namespace=workload.ref.namespace,
        name=pod.name,
        uid=pod.uid,
        controller=f"{workload.ref.kind}/{workload.ref.name}",
        local_storage=any("emptyDir" in each for each in pod.template["spec"].get("volumes", ())),
        deleting=pod.deleting,
    )
