"""What kube-controller-manager does to workloads, much simplified, in virtual time.

Kept: revisions are reused when a template comes back, rolling updates surge and spare as the
defaults of each kind say, StatefulSets go one ordinal at a time, evicted pods are replaced, and
status lags behind the spec.  Left out: scheduling, quotas, probes, other strategies.
"""

from __future__ import annotations

import copy
import datetime
import itertools
import math
from typing import Final

from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import state

REACTION_SECONDS: Final = 0.2
"""Time from a change of a spec until its controller has seen it."""
TERMINATION_SECONDS: Final = 1.0
NODES: Final = ("node-0", "node-1", "node-2")


class Controllers:
    """Makes pods follow specs."""

    def __init__(self, clock: clocks.VirtualClock) -> None:
        self._clock = clock
        self._serial = itertools.count(1)
        self._versions = itertools.count(1)

    def now(self) -> datetime.datetime:
        """The simulated time."""
        return self._clock.now()

    def version(self) -> str:
        """A new resourceVersion."""
        return str(next(self._versions))

    def notice(self, workload: state.WorkloadState) -> None:
        """A spec has changed: act on it a moment later."""
        self._clock.call_later(REACTION_SECONDS, lambda: self.reconcile(workload))

    def reconcile(self, workload: state.WorkloadState) -> None:
        """One step towards the spec; pods that become ready or vanish lead to the next."""
        if workload.deleted:
            return
        revision = self._revision(workload)
        match workload.ref.kind:
            case "StatefulSet":
                self._stateful_set(workload, revision)
            case "DaemonSet":
                self._daemon_set(workload, revision)
            case _:
                self._deployment(workload, revision)
        self._write_status(workload, revision)

    def start_settled(self, workload: state.WorkloadState, age: datetime.timedelta) -> None:
        """Bring a new workload to its goal at once, as if it had been there for ``age``."""
        self.reconcile(workload)
        while waiting := [pod for pod in workload.pods if not pod.ready]:
            for pod in waiting:
                pod.ready = True
            self.reconcile(workload)
        for pod in workload.pods:
            pod.created -= age
        for revision in workload.revisions:
            revision.created -= age

    def delete_pod(self, workload: state.WorkloadState, pod: state.PodState) -> None:
        """Begin to delete a pod; its replacement is made when the controller sees it."""
        self._terminate(workload, pod)
        self.notice(workload)

    def remove(self, workload: state.WorkloadState) -> None:
        """Delete a workload with all its pods."""
        workload.deleted = True
        for pod in workload.active:
            self._terminate(workload, pod)

    def _revision(self, workload: state.WorkloadState) -> state.RevisionState:
        newest = max((each.number for each in workload.revisions), default=0)
        found = workload.current()
        if found is None:
            template = copy.deepcopy(workload.template)
            name = f"{workload.ref.name}-{state.generated(template, length=10)}"
            found = state.RevisionState(newest + 1, name, self._clock.now(), template)
            workload.revisions.append(found)
        elif found.number < newest:
            found.number = newest + 1
        if workload.ref.kind == "Deployment":
            annotations = workload.manifest["metadata"].setdefault("annotations", {})
            annotations[state.REVISION] = str(found.number)
        return found

    def _deployment(self, workload: state.WorkloadState, revision: state.RevisionState) -> None:
        wanted = int(workload.manifest["spec"]["replicas"])
        surge, spare = math.ceil(wanted / 4), wanted // 4
        new = [pod for pod in workload.active if pod.revision == revision.name]
        old = [pod for pod in workload.active if pod.revision != revision.name]
        for pod in sorted(new, key=lambda each: each.ready)[: max(0, len(new) - wanted)]:
            self._terminate(workload, pod)
        available = sum(pod.ready for pod in workload.active)
        for pod in sorted(old, key=lambda each: each.ready):
            if not pod.ready:
                self._terminate(workload, pod)
            elif available > wanted - spare:
                self._terminate(workload, pod)
                available -= 1
        room = wanted if not old else wanted + surge - len(workload.active)
        for _ in range(min(wanted - len(new), room)):
            self._start(workload, revision, self._random_name(revision.name))

    def _stateful_set(self, workload: state.WorkloadState, revision: state.RevisionState) -> None:
        """From the first ordinal to the last when pods are missing, backwards when outdated."""
        wanted = int(workload.manifest["spec"]["replicas"])
        pods = {pod.ordinal: pod for pod in workload.pods}
        surplus = [pod for pod in workload.active if pod.ordinal >= wanted]
        for ordinal in range(wanted):
            if ordinal not in pods:
                name = f"{workload.ref.name}-{ordinal}"
                self._start(workload, revision, name, ordinal=ordinal)
                return
            if pods[ordinal].deleting or not (
                pods[ordinal].ready or pods[ordinal].revision != revision.name
            ):
                return
        if surplus:
            self._terminate(workload, max(surplus, key=lambda pod: pod.ordinal))
            return
        for ordinal in reversed(range(wanted)):
            if pods[ordinal].revision != revision.name:
                self._terminate(workload, pods[ordinal])
                return

    def _daemon_set(self, workload: state.WorkloadState, revision: state.RevisionState) -> None:
        """One pod on each node; one at a time is replaced."""
        nodes = {pod.node for pod in workload.pods}
        for node in NODES:
            if node not in nodes:
                self._start(workload, revision, self._random_name(workload.ref.name), node=node)
        outdated = [pod for pod in workload.active if pod.revision != revision.name]
        for pod in sorted(outdated, key=lambda each: each.ready):
            ready = sum(each.ready for each in workload.active)
            if not pod.ready or ready == len(NODES):
                self._terminate(workload, pod)

    def _random_name(self, stem: str) -> str:
        return f"{stem}-{state.generated('pod', next(self._serial), length=5)}"

    def _start(
        self,
        workload: state.WorkloadState,
        revision: state.RevisionState,
        name: str,
        *,
        ordinal: int = 0,
        node: str = "",
    ) -> None:
        serial = next(self._serial)
        suffix = revision.name.removeprefix(f"{workload.ref.name}-")
        mark = {
            "Deployment": {"pod-template-hash": suffix},
            "StatefulSet": {
                "controller-revision-hash": revision.name,
                "statefulset.kubernetes.io/pod-name": name,
            },
        }.get(workload.ref.kind, {"controller-revision-hash": suffix})
        pod = state.PodState(
            name=name,
            uid=f"pod-{state.digest(serial, name, length=20)}",
            revision=revision.name,
            created=self._clock.now(),
            template=revision.template,
            labels={**revision.template["metadata"]["labels"], **mark},
            node=node or NODES[serial % len(NODES)],
            ordinal=ordinal,
        )
        workload.pods.append(pod)
        self._clock.call_later(workload.startup_seconds, lambda: self._become_ready(workload, pod))

    def _become_ready(self, workload: state.WorkloadState, pod: state.PodState) -> None:
        if not (pod.ready or pod.deleting):
            pod.ready = True
            self.reconcile(workload)

    def _terminate(self, workload: state.WorkloadState, pod: state.PodState) -> None:
        pod.ready, pod.deleting = False, True

        def gone() -> None:
            workload.pods.remove(pod)
            self.reconcile(workload)

        self._clock.call_later(TERMINATION_SECONDS, gone)

    def _write_status(self, workload: state.WorkloadState, revision: state.RevisionState) -> None:
        active = workload.active
        metadata = workload.manifest["metadata"]
        status = {
            "observedGeneration": metadata["generation"],
            "desired": int(workload.manifest["spec"].get("replicas", len(NODES))),
            "updated": sum(pod.revision == revision.name for pod in active),
            "available": sum(pod.ready for pod in active),
            "total": len(active),
        }
        if workload.manifest["status"] != status:
            workload.manifest["status"] = status
            metadata["resourceVersion"] = self.version()
