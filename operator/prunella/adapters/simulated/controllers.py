"""What kube-controller-manager does to workloads, much simplified, in virtual time.

Kept: revisions are reused when a template comes back, update strategies with their limits and
partitions, StatefulSets that wait for a pod that is not ready, evicted pods are replaced, pods of a
lost node stay, and status lags behind the spec.  An image whose tag contains ``broken`` never
becomes ready.  Left out: scheduling, quotas, probes, progress deadlines.
"""

from __future__ import annotations

import copy
import datetime
import itertools
import re
from collections.abc import Callable, Iterable
from typing import Final

from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import rollouts, state
from prunella.core import model, progressive
from prunella.core.decisions import strategies

REACTION_SECONDS: Final = 0.2
"""Time from a change of a spec until its controller has seen it."""
TERMINATION_SECONDS: Final = 1.0
_BROKEN: Final = re.compile(r":[^/]*broken")


class Controllers:
    """Makes pods follow specs."""

    def __init__(self, clock: clocks.VirtualClock) -> None:
        self._clock = clock
        self._serial = itertools.count(1)
        self._versions = itertools.count(1)
        self._lost: set[str] = set()
        self.cordoned: set[str] = set()
        """Nodes on which no pods are placed."""
        self._rollouts = rollouts.Rollouts(
            self.now, self.later, self._start_any, self._terminate, self.reconcile
        )

    def now(self) -> datetime.datetime:
        """The simulated time."""
        return self._clock.now()

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Let something happen later."""
        self._clock.call_later(seconds, call)

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
            case "Rollout":
                while self._rollouts.reconcile(workload, revision):
                    pass
            case _:
                self._deployment(workload, revision)
        self._write_status(workload, revision)

    def start_settled(self, workload: state.WorkloadState, age: datetime.timedelta) -> None:
        """Bring a new workload to its goal at once, as if it had been there for ``age``."""
        self.reconcile(workload)
        while waiting := [pod for pod in workload.pods if not (pod.ready or _broken(pod))]:
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

    def forget_pod(self, workload: state.WorkloadState, pod: state.PodState) -> None:
        """Remove a pod without asking its node."""
        workload.pods.remove(pod)
        self.notice(workload)

    def lose_node(self, node: str, workloads: Iterable[state.WorkloadState]) -> None:
        """Let a node be silent: its pods are not ready, and deleted ones never go."""
        self._lost.add(node)
        for workload in workloads:
            for pod in workload.pods:
                if pod.node == node:
                    pod.ready, pod.stranded = False, model.Stranded.LOST
            self.reconcile(workload)

    def remove(self, workload: state.WorkloadState) -> None:
        """Delete a workload with all its pods."""
        workload.deleted = True
        for pod in workload.active:
            self._terminate(workload, pod)

    def _revision(self, workload: state.WorkloadState) -> state.RevisionState:
        newest = max(workload.revisions, key=lambda each: each.number, default=None)
        if workload.manifest["spec"].get("paused") and newest is not None:
            return newest
        number = newest.number if newest is not None else 0
        found = workload.current()
        if found is None:
            template = copy.deepcopy(workload.template)
            name = f"{workload.ref.name}-{state.generated(template, length=10)}"
            found = state.RevisionState(number + 1, name, self._clock.now(), template)
            workload.revisions.append(found)
        elif found.number < number:
            found.number, found.released = number + 1, self._clock.now()
        if (key := state.REVISIONS.get(workload.ref.kind)) is not None:
            annotations = workload.manifest["metadata"].setdefault("annotations", {})
            annotations[key] = str(found.number)
        return found

    def _deployment(self, workload: state.WorkloadState, revision: state.RevisionState) -> None:
        wanted = int(workload.manifest["spec"]["replicas"])
        recreate = workload.strategy.replacement is model.Replacement.RECREATE
        surge, spare = (0, wanted) if recreate else (_surge(workload), workload.strategy.most_down)
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
        if recreate and any(pod.revision != revision.name for pod in workload.pods):
            return
        room = wanted if not old else wanted + surge - len(workload.active)
        for _ in range(min(wanted - len(new), room)):
            self._start_any(workload, revision)

    def _stateful_set(self, workload: state.WorkloadState, revision: state.RevisionState) -> None:
        """From the first ordinal to the last when pods are missing, backwards when outdated."""
        wanted, strategy = int(workload.manifest["spec"]["replicas"]), workload.strategy
        pods = {pod.ordinal: pod for pod in workload.pods}
        surplus = [pod for pod in workload.active if pod.ordinal >= wanted]
        for ordinal in range(wanted):
            if ordinal not in pods:
                name = f"{workload.ref.name}-{ordinal}"
                kept = ordinal < strategy.partition
                made = self._kept_revision(workload, revision) if kept else revision
                self._start(workload, made, name, ordinal=ordinal)
                return
            if strategy.ordered and not pods[ordinal].ready:
                return
        if surplus:
            self._terminate(workload, max(surplus, key=lambda pod: pod.ordinal))
            return
        if strategy.replacement is model.Replacement.ON_DELETE:
            return
        for ordinal in reversed(range(strategy.partition, wanted)):
            outdated = pods[ordinal].revision != revision.name
            if outdated and not pods[ordinal].deleting:
                self._terminate(workload, pods[ordinal])
            if outdated or not pods[ordinal].ready:
                return

    def _kept_revision(
        self, workload: state.WorkloadState, newest: state.RevisionState
    ) -> state.RevisionState:
        """What a pod below the partition is made of: the revision before the newest."""
        older = [each for each in workload.revisions if each is not newest]
        return max(older, key=lambda each: each.number, default=newest)

    def _daemon_set(self, workload: state.WorkloadState, revision: state.RevisionState) -> None:
        """One pod on each node; as many are replaced at once as may be unavailable."""
        nodes = {pod.node for pod in workload.pods}
        for node in state.NODES:
            if node not in nodes:
                self._start(workload, revision, self._random_name(workload.ref.name), node=node)
        if workload.strategy.replacement is model.Replacement.ON_DELETE:
            return
        outdated = [pod for pod in workload.active if pod.revision != revision.name]
        down = len(state.NODES) - sum(each.ready for each in workload.active)
        for pod in sorted(outdated, key=lambda each: each.ready):
            if not pod.ready:
                self._terminate(workload, pod)
            elif down < workload.strategy.most_down:
                self._terminate(workload, pod)
                down += 1

    def _start_any(self, workload: state.WorkloadState, revision: state.RevisionState) -> None:
        """Make one more pod of a ReplicaSet."""
        self._start(workload, revision, self._random_name(revision.name))

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
            progressive.KIND: {progressive.TEMPLATE_HASH: suffix},
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
            node=node or self._node(serial),
            ordinal=ordinal,
        )
        workload.pods.append(pod)
        if _broken(pod):
            return
        if pod.node in self._lost:
            pod.stranded = model.Stranded.LOST
            return
        self._clock.call_later(workload.startup_seconds, lambda: self._become_ready(workload, pod))

    def _node(self, serial: int) -> str:
        """A node that answers."""
        alive = [each for each in state.NODES if each not in self._lost | self.cordoned]
        return alive[serial % len(alive)]

    def _become_ready(self, workload: state.WorkloadState, pod: state.PodState) -> None:
        if not (pod.ready or pod.deleting or pod.node in self._lost):
            pod.ready = True
            self.reconcile(workload)

    def _terminate(self, workload: state.WorkloadState, pod: state.PodState) -> None:
        pod.ready, pod.deleting, pod.gone_by = False, True, self._clock.now()
        if pod.node in self._lost:
            return

        def gone() -> None:
            if pod in workload.pods:
                workload.pods.remove(pod)
            self.reconcile(workload)

        self._clock.call_later(TERMINATION_SECONDS, gone)

    def _write_status(self, workload: state.WorkloadState, revision: state.RevisionState) -> None:
        active = workload.active
        metadata = workload.manifest["metadata"]
        desired = int(workload.manifest["spec"].get("replicas", len(state.NODES)))
        shown = revision if revision.template == workload.template else None
        updated = sum(shown is not None and pod.revision == shown.name for pod in active)
        if workload.strategy.partition and updated >= desired - workload.strategy.partition:
            updated = len(active)
        status = {
            "observedGeneration": metadata["generation"],
            "desired": desired,
            "updated": updated,
            "available": sum(pod.ready for pod in active),
            "total": len(active),
        }
        if workload.ref.kind == progressive.KIND:
            status |= {"replicas": status["total"], "updatedReplicas": updated}
            status |= {"availableReplicas": status["available"], **copy.deepcopy(workload.progress)}
        if workload.manifest["status"] != status:
            workload.manifest["status"] = status
            metadata["resourceVersion"] = self.version()


def _surge(workload: state.WorkloadState) -> int:
    """How many pods a Deployment may have above its replicas during a rollout."""
    spec = workload.manifest["spec"]
    rolling = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    limit = rolling.get("maxSurge", "25%")
    return strategies.resolve(limit, int(spec["replicas"]), up=True)


def _broken(pod: state.PodState) -> bool:
    return _BROKEN.search(pod.image) is not None
