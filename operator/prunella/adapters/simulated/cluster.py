"""The Cluster port over the simulated API server."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Final

from prunella import ports
from prunella.adapters.simulated import (
    cert_manager,
    faults,
    helm,
    nodes,
    rollouts,
    server,
    state,
)
from prunella.adapters.simulated import clock as clocks
from prunella.api import restore as restore_api
from prunella.core import model, progressive
from prunella.core.decisions import certificates, gitops, halts, started

TARGETS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet", "CronJob", "Rollout"})
_DONE: Final = {
    model.Verb.EVICT: "evicted",
    model.Verb.PATCH: "patched",
    model.Verb.CREATE: "created",
    model.Verb.DELETE: "deleted",
}


class SimulatedCluster(server.Server):
    """A cluster in memory, with a watch that can break and faults that can be armed."""

    def __init__(
        self, clock: clocks.VirtualClock, switchboard: faults.Faults | None = None
    ) -> None:
        super().__init__(clock)
        self._clock = clock
        self.faults = switchboard or faults.Faults()
        self.allowed_kinds = {
            "Certificate",
            "HTTPRoute",
            "Node",
            "PersistentVolumeClaim",
            "Pod",
            "ScaledObject",
            "StorageClass",
            "VirtualService",
        }
        """Further kinds that may be written: those whose fields administrators allow."""
        self.sent: list[tuple[model.Effect, str]] = []
        """Effects that were carried out, with their marks: what an audit log would show."""
        self.cert_manager = cert_manager.CertManager(clock, self.edit_object)
        self.labels_of_namespaces: dict[str, dict[str, str]] = {}
        self._views: dict[model.Ref, model.Workload] = {}
        self._pod_owners: dict[tuple[str, str], model.Ref | None] = {}
        self.deployers: dict[model.Ref, Callable[[], Mapping[str, object]]] = {}
        """What deploys workloads from Git, as it is now."""
        self._watching = True
        self._pause = model.PauseState(paused=False)
        self.freezes: dict[str, halts.Freeze] = {}
        """What namespaces say of being frozen."""

    def workloads(self, namespace: str) -> Collection[model.Workload]:
        """The watched workloads of a namespace, nodes of none; costs no request."""
        if not namespace:
            return self.nodes.views()
        if self._watching:
            self.relist()
        return [view for ref, view in self._views.items() if ref.namespace == namespace]

    async def owners(self, namespace: str, pods: Collection[str]) -> Mapping[str, model.Ref | None]:
        """The workload of each named pod, of gone ones too if they were ever asked about."""
        self.faults.reach(faults.Point.OWNERS)
        for workload in self.states(namespace):
            for pod in workload.pods:
                self._pod_owners[namespace, pod.name] = workload.ref
        for bare in self.bare_pods(namespace):
            self._pod_owners[namespace, bare.name] = None
        known = self._pod_owners
        return {pod: known[namespace, pod] for pod in pods if (namespace, pod) in known}

    async def live_state(self, target: model.Ref) -> model.LiveState | None:
        """A live look at one target, or None when it is gone. Raises ClusterError."""
        self.faults.reach(faults.Point.LIVE_STATE)
        if target.kind == nodes.KIND:
            return self.nodes.look(target.name)
        return self.read(target)

    async def read_object(self, ref: model.Ref) -> Mapping[str, object] | None:
        """An object as it is now, or None when it is gone. Raises ClusterError."""
        if ref.kind in gitops.OWNERS:
            self.faults.reach(faults.Point.LIVE_STATE)
            return self.deployers[ref]() if ref in self.deployers else None
        if ref.kind not in TARGETS | set(restore_api.RestoredKind) | self.allowed_kinds:
            raise ports.ClusterError(f"{ref}: the operator reads and writes no {ref.kind}")
        self.faults.reach(faults.Point.LIVE_STATE)
        return self.object_of(ref)

    async def job(self, ref: model.Ref) -> started.Run | None:
        """A Job by name, or None when it is gone. Raises ClusterError."""
        self.faults.reach(faults.Point.LIVE_STATE)
        return self.jobs.runs.get(ref) or self.cron_jobs.job(ref)

    async def paused(self) -> model.PauseState:
        """The pause switch; unreadable means paused."""
        try:
            self.faults.reach(faults.Point.PAUSED)
        except ports.ClusterError as error:
            return model.PauseState(paused=True, message=f"the pause switch is unreadable: {error}")
        return dataclasses.replace(self._pause, server_time=self._clock.now())

    async def freeze(self, namespace: str) -> halts.Freeze:
        """What a namespace says; unreadable means frozen."""
        try:
            self.faults.reach(faults.Point.FREEZE)
        except ports.ClusterError as error:
            return halts.Freeze(problem=str(error))
        return self.freezes.get(namespace, halts.NOT_FROZEN)

    async def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        """The labels of a Namespace; one that was never labelled has none. Raises ClusterError."""
        self.faults.reach(faults.Point.NAMESPACE)
        return self.labels_of_namespaces.get(namespace, {})

    async def send(self, effect: model.Effect, mark: str, *, dry_run: bool) -> ports.Receipt:
        """Carry out one effect at most once, leaving ``mark`` on the object. Never raises.

        A lost answer to a dry run is a refusal: it had no effect that could be in doubt.
        """
        try:
            self.faults.reach(faults.Point.BEFORE_SEND)
            workload = self._carry_out(effect, mark, dry_run=dry_run)
            self.faults.reach(faults.Point.AFTER_SEND)
        except ports.OutcomeUnknown as error:
            outcome = ports.Outcome.REFUSED if dry_run else ports.Outcome.UNKNOWN
            return ports.Receipt(outcome, str(error))
        except server.DeniedError as error:
            return ports.Receipt(
                ports.Outcome.REFUSED, str(error), status=error.status, refused_by=error.webhook
            )
        except ports.ClusterError as error:
            return ports.Receipt(ports.Outcome.REFUSED, str(error), status=error.status)
        outcome = ports.Outcome.WOULD_SUCCEED if dry_run else ports.Outcome.EFFECTIVE
        done = {model.Verb.EVICT: 201, model.Verb.CREATE: 201}.get(effect.verb, 200)
        told = f"{effect.target} {_DONE[effect.verb]}"
        return ports.Receipt(outcome, told, workload, done)

    async def give_back(self, target: model.Ref, uid: str) -> None:
        """Take the operator out of the owners of a workload's fields."""
        self.faults.reach(faults.Point.GIVE_BACK)
        self.disown(target, uid)

    def _carry_out(
        self, effect: model.Effect, mark: str, *, dry_run: bool
    ) -> model.Workload | None:
        workload = None
        if effect.verb is model.Verb.EVICT:
            self.evict(effect, dry_run=dry_run)
        elif effect.target.kind == "Job":
            self.create_job(effect, mark, dry_run=dry_run)
        elif effect.target.kind == "Pod":
            self.resize(effect, dry_run=dry_run)
        elif effect.target.kind == nodes.KIND:
            workload = self.patch_node(effect, dry_run=dry_run)
        elif effect.target.kind not in TARGETS:
            self.restore(effect, dry_run=dry_run)
            if effect.target.kind == certificates.CERTIFICATE and not dry_run:
                self.cert_manager.saw(effect.target)
        elif effect.target.kind == progressive.KIND and progressive.tells(effect.patch):
            workload = self.tell_rollout(effect, dry_run=dry_run)
        else:
            workload = self.patch(effect, mark, dry_run=dry_run)
        if not dry_run:
            self.sent.append((effect, mark))
        return workload

    def patch_node(self, effect: model.Effect, *, dry_run: bool) -> model.Workload:
        """Patch a node. Raises ClusterError."""
        self._authorize("cordon", effect.target)
        self._admit(dry_run=dry_run)
        return self.nodes.patch(effect, dry_run=dry_run)

    def tell_rollout(self, effect: model.Effect, *, dry_run: bool) -> model.Workload:
        """Patch the subresource ``status`` of a Rollout. Raises ClusterError."""
        found = self._workloads.get(effect.target)
        if found is None:
            raise ports.ClusterError(f"{effect.target} not found", status=404)
        told = rollouts.told(found.manifest, effect)
        self._authorize(rollouts.action(effect), effect.target)
        self._admit(dry_run=dry_run)
        if dry_run:
            return found.view(told)
        self.write_status(found.ref, told["status"])
        return found.view()

    def write_status(self, ref: model.Ref, status: state.Manifest) -> None:
        """Let somebody, or the operator, write the status of a Rollout."""
        found = self._workloads[ref]
        found.progress = {key: status[key] for key in rollouts.FIELDS if key in status}
        found.manifest["status"] = status
        found.manifest["metadata"]["resourceVersion"] = self._controllers.version()
        self._controllers.notice(found)

    def create_job(self, effect: model.Effect, mark: str, *, dry_run: bool) -> None:
        """Create a Job, of a CronJob or of a template. Raises ClusterError."""
        owned = "ownerReferences" in effect.manifest["metadata"]
        made = "helmRollback" if helm.runs_helm(effect.manifest) else "runJob"
        self._authorize("rerunJob" if owned else made, effect.target)
        self._admit(dry_run=dry_run)
        make = self.cron_jobs.create_job if owned else self.jobs.create
        make(effect, mark, dry_run=dry_run)

    def budgets(self, namespace: str) -> list[tuple[model.Budget, list[model.Ref]]]:
        """The PodDisruptionBudgets of a namespace, with the workloads whose pods each selects."""
        states = self.states(namespace)
        return [
            (
                self._budget_view(budget),
                [
                    each.ref
                    for each in states
                    if state.selects(budget.selector, each.template["metadata"]["labels"])
                ],
            )
            for budget in self._budgets
            if budget.namespace == namespace
        ]

    def relist(self) -> None:
        """Bring the watched view up to date; a whole watch does so by itself."""
        fresh: dict[model.Ref, model.Workload] = {}
        for workload in self.states():
            known = self._views.get(workload.ref)
            version = workload.manifest["metadata"]["resourceVersion"]
            if known is None or known.resource_version != version:
                known = workload.view()
            fresh[workload.ref] = known
        fresh |= {view.ref: view for view in self.cron_jobs.views()}
        self._views = fresh

    def break_watch(self) -> None:
        """Let the watched view stay as it is, until `mend_watch`."""
        self.relist()
        self._watching = False

    def mend_watch(self) -> None:
        """Let the watched view follow again."""
        self._watching = True

    def pause(self, message: str, scope: str = "") -> None:
        """Pause the operator, or a scope of it (`halts.scope`)."""
        if scope:
            scopes = {**self._pause.scopes, scope: message}
            self._pause = dataclasses.replace(self._pause, scopes=scopes)
        else:
            self._pause = model.PauseState(paused=True, message=message)

    def resume(self) -> None:
        """End the pause."""
        self._pause = model.PauseState(paused=False)

    def deny(self, webhook: str, message: str, *, dry_runs_too: bool = True) -> None:
        """Let an admission webhook refuse whatever the operator changes."""
        self._denials[webhook, dry_runs_too] = message

    def forbid(self, action: str) -> None:
        """Take the right to an action from the operator: 403."""
        self.forbidden.add(action)

    def lose_answer_once(self) -> None:
        """Carry out the next effect, and lose the answer."""
        lost = ports.OutcomeUnknown("the connection broke before the answer came")
        self.faults.once(faults.Point.AFTER_SEND, lost)

    def fail_before_send_once(self) -> None:
        """Let the next effect not even reach the API server."""
        self.faults.once(faults.Point.BEFORE_SEND, ports.ClusterError("connection refused"))

    def crash_before_send_once(self) -> None:
        """Let the operator die just before its next effect is sent."""
        self.faults.once(faults.Point.BEFORE_SEND, faults.Crash("before send"))

    def crash_after_send_once(self) -> None:
        """Let the operator die just after its next effect was carried out."""
        self.faults.once(faults.Point.AFTER_SEND, faults.Crash("after send"))
