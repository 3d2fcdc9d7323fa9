"""The simulated API server: what it stores, what it refuses, and the people who work on it."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable, Mapping
from typing import Final, TypedDict, Unpack

from prunella import ports
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import (
    controllers,
    cron_jobs,
    helm,
    jobs,
    nodes,
    others,
    patches,
    resizing,
    state,
    volumes,
)
from prunella.core import model, progressive

OPERATOR: Final = "prunella"
"""Field manager of the operator's own changes."""
STARTUP_SECONDS: Final = 5.0
"""Time that a new pod takes to become ready, by default."""


class Options(TypedDict, total=False):
    """What a new workload may be given beside its name and image."""

    replicas: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    pod_annotations: Mapping[str, str]
    startup_seconds: float
    age: datetime.timedelta
    manager: str


class DeniedError(ports.ClusterError):
    """An admission webhook said no; ``webhook`` is its name."""

    def __init__(self, webhook: str, message: str) -> None:
        super().__init__(f'admission webhook "{webhook}" denied the request: {message}', status=403)
        self.webhook = f"admission webhook {webhook}"


class Server:
    """Workloads, pods, budgets and autoscalers, moved by a virtual clock."""

    def __init__(self, clock: clocks.VirtualClock) -> None:
        self.forbidden: set[str] = set()
        """Actions that the operator's account has no right to: refused with 403."""
        self._controllers = controllers.Controllers(clock)
        self._workloads: dict[model.Ref, state.WorkloadState] = {}
        self.cron_jobs = cron_jobs.CronJobs(self._controllers)
        self.helm = helm.Helm(self.object_of, self.edit)
        self.jobs = jobs.Jobs(self._controllers, self.helm.run)
        self._budgets: list[state.BudgetState] = []
        self._autoscalers: dict[str, model.Ref] = {}
        self._bare_pods: list[state.PodState] = []
        self._denials: dict[tuple[str, bool], str] = {}
        self._others = others.Others()
        self.volumes = volumes.Volumes(self._others, self._controllers)
        self.nodes = nodes.Nodes(self._others, self._controllers, self.states)
        self.asked = 0
        """Changes that the operator has asked for, dry runs and refused ones too."""
        self._created = 0

    def states(self, namespace: str | None = None) -> list[state.WorkloadState]:
        """All workloads with their pods, or those of one namespace."""
        found = self._workloads.values()
        return [each for each in found if namespace in {None, each.ref.namespace}]

    def read(self, target: model.Ref) -> model.LiveState | None:
        """A workload with all that belongs to it, newest revision first."""
        if target in self.cron_jobs:
            return self.cron_jobs.look(target)
        found = self._workloads.get(target)
        if found is None:
            return None
        revisions = sorted(found.revisions, key=lambda each: -each.number)
        labels = found.template["metadata"]["labels"]
        return model.LiveState(
            workload=self._others.refusing(found.view()),
            pods=tuple(volumes.mounted(found, pod) for pod in found.pods),
            revisions=tuple(each.view(found.template) for each in revisions),
            budgets=tuple(self._budgets_for(target.namespace, labels)),
            autoscalers=self._others.scalers_of(target, self._autoscalers),
        )

    # The operator's requests.

    def object_of(self, ref: model.Ref) -> state.Manifest | None:
        """A workload, pod or another object as the API server shows it; None: not there."""
        if ref.kind == "Pod":
            return resizing.shown(self.states(ref.namespace), ref.name)
        if (workload := self._workloads.get(ref)) is not None:
            group = "argoproj.io/v1alpha1" if ref.kind == progressive.KIND else "apps/v1"
            return {"apiVersion": group, "kind": ref.kind, **workload.shown()}
        if (found := self.cron_jobs.get(ref)) is not None:
            return {"apiVersion": "batch/v1", "kind": ref.kind, **copy.deepcopy(found.manifest)}
        return self._others.get(ref)

    def restore(self, effect: model.Effect, *, dry_run: bool) -> None:
        """Create, delete or patch an object that is no workload. Raises ClusterError."""
        self._authorize("restore", effect.target)
        self._admit(dry_run=dry_run)
        changed = self._others.after(effect, self._controllers.version)
        self.volumes.admit(effect.target, changed)
        if not dry_run:
            self._others.put(effect.target, changed)
            self.volumes.notice(effect.target)

    def patch(self, effect: model.Effect, mark: str, *, dry_run: bool) -> model.Workload:
        """Patch a workload under its preconditions. Raises ClusterError."""
        if effect.target in self.cron_jobs:
            return self._patch_cron_job(effect, mark, dry_run=dry_run)
        found = self._workloads.get(effect.target)
        if found is None:
            raise ports.ClusterError(f"{effect.target} not found", status=404)
        patched = patches.apply(found.manifest, effect, mark)
        patches.check(found.manifest, patched)
        action = patches.action(found.manifest, patched)
        if effect.tested and action != "restart":
            action = "restore"
        self._authorize(action, effect.target)
        self._admit(dry_run=dry_run)
        if dry_run:
            return found.view(patches.next_version(found.ref.kind, found.manifest, patched))
        self._store(found, patched, OPERATOR)
        return found.view()

    def _patch_cron_job(self, effect: model.Effect, mark: str, *, dry_run: bool) -> model.Workload:
        patched = self.cron_jobs.patched(effect, mark)
        self._authorize("restore" if effect.tested else "suspendCronJob", effect.target)
        self._admit(dry_run=dry_run)
        return self.cron_jobs.take(effect.target, patched, OPERATOR, dry_run=dry_run)

    def resize(self, effect: model.Effect, *, dry_run: bool) -> None:
        """Write the resources of a pod's containers. Raises ClusterError."""
        self._authorize("resize", effect.target)
        self._admit(dry_run=dry_run)
        resizing.resize(self._find_pod(effect.target)[1], effect, dry_run=dry_run)

    def evict(self, effect: model.Effect, *, dry_run: bool) -> None:
        """Evict a pod under its UID and its budget. Raises ClusterError."""
        self._authorize("evictPod", effect.target)
        self._admit(dry_run=dry_run)
        owner, pod = self._find_pod(effect.target)
        if pod.uid != effect.uid:
            message = f"the UID in the precondition ({effect.uid}) is not that of {pod.name}"
            raise ports.Conflict(f"{message} ({pod.uid})", status=409)
        if pod.deleting:
            if effect.forced and not dry_run:
                self._controllers.forget_pod(owner, pod)
            return
        self._ask_budgets(owner, pod)
        if not dry_run:
            self._controllers.delete_pod(owner, pod)

    def disown(self, target: model.Ref, uid: str) -> None:
        """Take the operator out of managedFields; the values stay."""
        found = self._workloads.get(target) or self.cron_jobs.get(target)
        if found is None:
            self._others.disown(target, OPERATOR)
            return
        if found.manifest["metadata"]["uid"] != uid:
            return
        if any(OPERATOR in names for names in found.owners.values()):
            for names in found.owners.values():
                names.discard(OPERATOR)
            found.manifest["metadata"]["resourceVersion"] = self._controllers.version()

    def _admit(self, *, dry_run: bool) -> None:
        """Ask the admission webhooks. Raises DeniedError."""
        self.asked += 1
        for (webhook, dry_runs_too), message in self._denials.items():
            if dry_runs_too or not dry_run:
                raise DeniedError(webhook, message)

    def _authorize(self, action: str, target: model.Ref) -> None:
        if action in self.forbidden:
            raise ports.ClusterError(f"{action} of {target} is forbidden", status=403)

    def _find_pod(self, ref: model.Ref) -> tuple[state.WorkloadState, state.PodState]:
        for workload in self.states(ref.namespace):
            for pod in workload.pods:
                if pod.name == ref.name:
                    return workload, pod
        raise ports.ClusterError(f"pod {ref.name} not found", status=404)

    def _ask_budgets(self, owner: state.WorkloadState, pod: state.PodState) -> None:
        """Refuse as the Eviction API does; a sick pod may go while the healthy are enough."""
        found = self._budgets_for(owner.ref.namespace, pod.labels)
        if pod.pending or (not pod.ready and self._may_always_go(owner.ref.namespace, pod.labels)):
            return
        if len(found) > 1:
            raise ports.ClusterError("the pod has more than one PodDisruptionBudget", status=500)
        for budget in found:
            spare = not pod.ready and budget.current_healthy >= budget.desired_healthy > 0
            if budget.disruptions_allowed < 1 and not spare:
                raise ports.ClusterError(
                    f"the disruption budget {budget.name} needs {budget.desired_healthy} healthy"
                    f" pods and has {budget.current_healthy}",
                    status=429,
                )

    def _budgets_for(self, namespace: str, labels: Mapping[str, str]) -> list[model.Budget]:
        return [self._budget_view(budget) for budget in self._selecting(namespace, labels)]

    def _selecting(self, namespace: str, labels: Mapping[str, str]) -> list[state.BudgetState]:
        own = (budget for budget in self._budgets if budget.namespace == namespace)
        return [budget for budget in own if state.selects(budget.selector, labels)]

    def _may_always_go(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether all budgets of a pod let it go when it is not ready."""
        found = [budget.always_allow for budget in self._selecting(namespace, labels)]
        return bool(found) and all(found)

    def _budget_view(self, budget: state.BudgetState) -> model.Budget:
        expected = healthy = 0
        for workload in self.states(budget.namespace):
            if state.selects(budget.selector, workload.template["metadata"]["labels"]):
                expected += workload.view().replicas
                healthy += sum(pod.ready for pod in workload.pods)
        return budget.view(expected, healthy)

    def _store(self, found: state.WorkloadState, new: state.Manifest, manager: str) -> None:
        patches.take_fields(found.owners, found.manifest, new, manager)
        stored = patches.next_version(found.ref.kind, found.manifest, new)
        if stored == found.manifest:
            return
        stored["metadata"]["resourceVersion"] = self._controllers.version()
        found.manifest = stored
        self._controllers.notice(found)

    # People and their tools.

    def add_deployment(
        self, namespace: str, name: str, image: str, **options: Unpack[Options]
    ) -> model.Ref:
        """Create a Deployment, of 3 replicas by default, as `add_workload` does."""
        return self.add_workload(model.Ref("Deployment", namespace, name), image, **options)

    def add_workload(self, ref: model.Ref, image: str, **options: Unpack[Options]) -> model.Ref:
        """Create a workload whose only container has this image.

        Its selector, and its pods' only label, is ``app`` with its name, as in the lab.
        """
        selector = {"app": ref.name}
        template: state.Manifest = {
            "metadata": {"labels": dict(selector)},
            "spec": {"containers": [{"name": "app", "image": image}]},
        }
        metadata: state.Manifest = {"name": ref.name, "namespace": ref.namespace}
        metadata["labels"] = {**selector, **options.get("labels", {})}
        if "annotations" in options:
            metadata["annotations"] = dict(options["annotations"])
        if "pod_annotations" in options:
            template["metadata"]["annotations"] = dict(options["pod_annotations"])
        spec: state.Manifest = {"selector": {"matchLabels": selector}, "template": template}
        if "replicas" in options:
            spec["replicas"] = options["replicas"]
        elif ref.kind != "DaemonSet":
            spec["replicas"] = 3
        return self.create({"kind": ref.kind, "metadata": metadata, "spec": spec}, **options)

    def create(self, manifest: state.Manifest, **options: Unpack[Options]) -> model.Ref:
        """Create a workload from its manifest, rolled out already, and so for ``age``.

        Of the options ``age``, ``manager`` and ``startup_seconds`` count here.
        """
        manifest = copy.deepcopy(manifest)
        metadata = manifest["metadata"]
        ref = model.Ref(manifest["kind"], metadata["namespace"], metadata["name"])
        if ref in self._workloads:
            raise ports.Conflict(f"{ref} already exists", status=409)
        self._created += 1
        metadata["uid"] = f"uid-{state.digest(self._created, str(ref), length=20)}"
        metadata["generation"] = 1
        metadata["resourceVersion"] = self._controllers.version()
        stored = {"metadata": metadata, "spec": manifest["spec"], "status": {}}
        if ref.kind != "DaemonSet":
            stored["spec"].setdefault("replicas", 1)
        patches.check(stored, stored)
        manager = options.get("manager", "kubectl-create")
        owners = {field: {manager} for field in state.FIELDS}
        startup_seconds = options.get("startup_seconds", STARTUP_SECONDS)
        created = state.WorkloadState(ref, stored, startup_seconds, owners)
        self._workloads[ref] = created
        self._controllers.start_settled(created, options.get("age", datetime.timedelta()))
        return ref

    def edit(
        self,
        ref: model.Ref,
        change: Callable[[state.Manifest], object],
        manager: str = "kubectl-edit",
    ) -> None:
        """Let somebody change a manifest in place. Raises ClusterError as the API server would."""
        found = self._workloads[ref]
        manifest = copy.deepcopy(found.manifest)
        change(manifest)
        patches.check(found.manifest, manifest)
        self._store(found, manifest, manager)

    def set_image(self, ref: model.Ref, image: str, manager: str = "kubectl-set") -> None:
        """Release a new image."""

        def change(manifest: state.Manifest) -> None:
            manifest["spec"]["template"]["spec"]["containers"][0]["image"] = image

        self.edit(ref, change, manager)

    def scale(self, ref: model.Ref, replicas: int, manager: str = "kubectl-scale") -> None:
        """Change the number of replicas."""
        self.edit(ref, lambda manifest: manifest["spec"].update(replicas=replicas), manager)

    def add_object(self, manifest: state.Manifest, manager: str = "kubectl-create") -> model.Ref:
        """Create an object that is no workload, such as a Service."""
        return self._others.add(manifest, manager, self._controllers.version)

    def edit_object(
        self,
        ref: model.Ref,
        change: Callable[[state.Manifest], object],
        manager: str = "kubectl-edit",
    ) -> None:
        """Let somebody change such an object in place."""
        self._others.edit(ref, change, manager, self._controllers.version)

    def delete_object(self, ref: model.Ref) -> None:
        """Let somebody delete such an object."""
        self._others.put(ref, None)

    def lose_node(self, node: str) -> None:
        """Let a node stop answering, with all pods on it."""
        self._controllers.lose_node(node, self.states())

    def delete(self, ref: model.Ref) -> None:
        """Delete a workload and its pods."""
        self._controllers.remove(self._workloads.pop(ref))

    def add_bare_pod(self, namespace: str, name: str, image: str) -> None:
        """Create a pod that belongs to no workload, such as a Job's; it is ready at once."""
        self._created += 1
        template: state.Manifest = {"spec": {"containers": [{"name": "app", "image": image}]}}
        self._bare_pods.append(
            state.PodState(
                name=name,
                uid=f"pod-{state.digest(self._created, name, length=20)}",
                revision="",
                created=self._controllers.now(),
                template=template,
                labels={},
                node=state.NODES[0],
                namespace=namespace,
                ready=True,
            )
        )

    def bare_pods(self, namespace: str | None = None) -> list[state.PodState]:
        """Pods that belong to no workload, of all namespaces or of one."""
        return [each for each in self._bare_pods if namespace in {None, each.namespace}]

    def delete_pod(self, namespace: str, name: str) -> None:
        """Let somebody delete a pod; what controls it makes another."""
        self._bare_pods = [
            each for each in self._bare_pods if (each.namespace, each.name) != (namespace, name)
        ]
        for workload in self.states(namespace):
            for pod in workload.active:
                if pod.name == name:
                    self._controllers.delete_pod(workload, pod)

    def add_budget(
        self,
        namespace: str,
        name: str,
        selector: Mapping[str, str],
        *,
        min_available: int | None = None,
        max_unavailable: int | None = None,
        always_allow: bool = False,
    ) -> None:
        """Create a PodDisruptionBudget with one limit; evicting the unhealthy by choice."""
        if (min_available is None) == (max_unavailable is None):
            raise ValueError("give min_available or max_unavailable, and not both")
        budget = state.BudgetState(name, namespace, dict(selector), min_available, max_unavailable)
        budget.always_allow = always_allow
        self._budgets.append(budget)

    def add_autoscaler(self, target: model.Ref, kind: str = "HorizontalPodAutoscaler") -> None:
        """Create an autoscaler that targets a workload; it only is there, it does not scale."""
        self._autoscalers[f"{kind}/{target.name}"] = target
