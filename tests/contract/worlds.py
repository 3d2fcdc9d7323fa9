"""Two clusters behind one face: the simulated one, and the lab's real API server.

A contract test plays the operator through ``cluster``, ``ledger`` and the other ports; the
methods of a world are what people and their tools do meanwhile.
"""

# ruff: noqa: D102 - the Protocol says what each method does
from __future__ import annotations

import asyncio
import dataclasses
import datetime
import json
import time
from typing import Any, Protocol

import yaml

from lab import argo_rollouts
from lab.cluster import Lab
from prunella import ports
from prunella.adapters.kubernetes import client, credentials, relist, store, switches
from prunella.adapters.kubernetes import cluster as kubernetes_cluster
from prunella.adapters.kubernetes import incidents as kubernetes_incidents
from prunella.adapters.kubernetes import ledger as kubernetes_ledger
from prunella.adapters.kubernetes.journal import changes as kubernetes_journal
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import cluster as simulated_cluster
from prunella.adapters.simulated import incidents as simulated_incidents
from prunella.adapters.simulated import journal as simulated_journal
from prunella.adapters.simulated import ledger as simulated_ledger
from prunella.core import model
from prunella.core.changes import swaps
from prunella.core.decisions import halts, started

Manifest = dict[str, Any]
START = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)


class World(Protocol):
    """A cluster with one namespace that is ours."""

    namespace: str
    cluster: ports.Cluster

    def new_ledger(self) -> ports.Ledger:
        """The ledger as another operator's process would see it."""

    def new_incidents(self) -> ports.Incidents:
        """The incidents as another operator's process would see them."""

    def new_journal(self) -> ports.Journal:
        """The journal as another operator's process would see it, before it has read anything."""

    async def add(self, ref: model.Ref, replicas: int = 2, image: str = "shop/app:v1") -> None:
        """Create a workload with label and selector ``app: NAME`` and wait until it runs."""

    async def set_image(self, ref: model.Ref, image: str) -> None:
        """Release an image and wait until it is rolled out."""

    async def scale(self, ref: model.Ref, replicas: int) -> None:
        """Let somebody scale a workload."""

    async def delete(self, ref: model.Ref) -> None:
        """Let somebody delete a workload."""

    async def add_budget(self, app: str, min_available: int) -> None:
        """Create a PodDisruptionBudget for the pods of a workload."""

    async def add_autoscaler(self, ref: model.Ref) -> None:
        """Create a HorizontalPodAutoscaler, named as its target."""

    async def lose_pod(self) -> model.Pod:
        """A pod in deletion whose node does not answer."""

    async def report_resources(self) -> None:
        """Let the kubelets say that they can resize: they report what containers may use."""

    async def has_pod(self, name: str) -> bool:
        """Whether the API server knows a pod of this name."""

    async def delete_pod(self, name: str) -> None:
        """Let somebody delete a pod."""

    async def add_cron_job(self, name: str) -> None:
        """Create a CronJob that never starts a Job by itself."""

    async def fail_job(self, name: str) -> None:
        """Let a CronJob's Job have run, and have failed."""

    async def add_account(self, name: str) -> None:
        """Create a ServiceAccount."""

    async def job_ends(self, ref: model.Ref) -> started.Run:
        """The Job once it has ended."""

    async def suspend(self, name: str, *, suspended: bool) -> None:
        """Let somebody suspend a CronJob, or let it go on."""

    async def add_bare_pod(self, name: str) -> None:
        """Create a pod that belongs to no workload."""

    async def add_object(self, manifest: Manifest) -> None:
        """Create an object that is no workload, from a manifest without a namespace."""

    async def add_volume(self, name: str, *, expandable: bool = True) -> None:
        """Create a claim of 1Gi, bound, of a class that allows it to grow or does not."""

    async def volume_grows(self, name: str) -> None:
        """Let the driver give a claim what it asks for."""

    async def edit_object(self, ref: model.Ref, *patch: Manifest) -> None:
        """Let somebody patch such an object, by a JSON patch."""

    async def set_frozen(self, value: str | None) -> None:
        """Annotate the namespace as frozen, or (None) take that away."""

    async def set_paused(self, *, reason: str | None) -> None:
        """Pause the operator with a reason, or (None) end the pause."""

    async def settle(self) -> None:
        """Let the controllers finish what they do, and the watch catch up."""


def volume(namespace: str, name: str, *, expandable: bool) -> tuple[Manifest, Manifest, Manifest]:
    """A StorageClass, a volume of it that was made by hand, and the claim that it is for."""
    class_ = f"{namespace}-{name}"
    size = {"storage": "1Gi"}
    claimed: Manifest = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    spec = {"storageClassName": class_, "accessModes": ["ReadWriteMany"]}
    for_ = {**claimed, "namespace": namespace, "name": name}
    return (
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": class_},
            "provisioner": "example.com/none",
            "allowVolumeExpansion": expandable,
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": class_},
            "spec": {**spec, "capacity": size, "claimRef": for_, "hostPath": {"path": "/none"}},
        },
        {
            **claimed,
            "metadata": {"name": name},
            "spec": {**spec, "resources": {"requests": size}, "volumeName": class_},
        },
    )


class SimulatedWorld:
    """The simulated API server in virtual time."""

    namespace = "shop"

    def __init__(self) -> None:
        self._clock = clocks.VirtualClock(START)
        self.cluster = simulated_cluster.SimulatedCluster(self._clock)
        self._records = simulated_ledger.LedgerServer(self._clock)
        self._incidents = simulated_incidents.IncidentServer()
        self._changes = simulated_journal.JournalServer()

    def new_ledger(self) -> ports.Ledger:
        return simulated_ledger.SimulatedLedger(self._records)

    def new_incidents(self) -> ports.Incidents:
        return simulated_incidents.SimulatedIncidents(self._incidents)

    def new_journal(self) -> ports.Journal:
        return simulated_journal.SimulatedJournal(self._changes)

    async def add(self, ref: model.Ref, replicas: int = 2, image: str = "shop/app:v1") -> None:
        options: Any = {} if ref.kind == "DaemonSet" else {"replicas": replicas}
        if ref.kind == "Rollout":
            self.cluster.create(rollout(ref, replicas, image))
            await self.settle()
            return
        self.cluster.add_workload(ref, image, **options)
        await self.settle()

    async def set_image(self, ref: model.Ref, image: str) -> None:
        self.cluster.set_image(ref, image)
        await self.settle()

    async def scale(self, ref: model.Ref, replicas: int) -> None:
        self.cluster.scale(ref, replicas)

    async def delete(self, ref: model.Ref) -> None:
        self.cluster.delete(ref)

    async def add_budget(self, app: str, min_available: int) -> None:
        self.cluster.add_budget(self.namespace, app, {"app": app}, min_available=min_available)

    async def add_autoscaler(self, ref: model.Ref) -> None:
        self.cluster.add_autoscaler(ref)

    async def lose_pod(self) -> model.Pod:
        ref = model.Ref("StatefulSet", self.namespace, "db")
        await self.add(ref, 1)
        pod = self.cluster.states(self.namespace)[0].pods[0]
        self.cluster.lose_node(pod.node)
        self.cluster.delete_pod(self.namespace, pod.name)
        return pod.view()

    async def report_resources(self) -> None:
        """Simulated kubelets always can."""

    async def has_pod(self, name: str) -> bool:
        pods = [pod for state in self.cluster.states(self.namespace) for pod in state.pods]
        return any(pod.name == name for pod in pods)

    async def delete_pod(self, name: str) -> None:
        self.cluster.delete_pod(self.namespace, name)

    async def add_cron_job(self, name: str) -> None:
        self.cluster.cron_jobs.add(self.namespace, name, "shop/job:v1")

    async def fail_job(self, name: str) -> None:
        self.cluster.cron_jobs.run(
            model.Ref("CronJob", self.namespace, name), model.JobState.FAILED
        )

    async def add_account(self, name: str) -> None:
        """Nobody asks for it here."""

    async def job_ends(self, ref: model.Ref) -> started.Run:
        await self.settle()
        found = await self.cluster.job(ref)
        assert found is not None
        return found

    async def suspend(self, name: str, *, suspended: bool) -> None:
        self.cluster.cron_jobs.suspend(
            model.Ref("CronJob", self.namespace, name), suspended=suspended
        )

    async def add_bare_pod(self, name: str) -> None:
        self.cluster.add_bare_pod(self.namespace, name, "shop/job:v1")

    async def add_object(self, manifest: Manifest) -> None:
        metadata = {**manifest["metadata"], "namespace": self.namespace}
        self.cluster.add_object({**manifest, "metadata": metadata})

    async def add_volume(self, name: str, *, expandable: bool = True) -> None:
        class_, _, claim = volume(self.namespace, name, expandable=expandable)
        self.cluster.add_object({**class_, "metadata": {**class_["metadata"], "namespace": ""}})
        metadata = {**claim["metadata"], "namespace": self.namespace}
        status = {"phase": "Bound", "capacity": {"storage": "1Gi"}}
        self.cluster.add_object({**claim, "metadata": metadata, "status": status})

    async def volume_grows(self, name: str) -> None:
        assert self.cluster.object_of(model.Ref("PersistentVolumeClaim", self.namespace, name))
        await self.settle()

    async def edit_object(self, ref: model.Ref, *patch: Manifest) -> None:
        def change(manifest: Manifest) -> None:
            changed = swaps.apply(patch, manifest)
            manifest.clear()
            manifest.update(changed)

        if ref.kind == "CronJob":
            self.cluster.cron_jobs.edit(ref, change)
        elif ref.kind in {"Deployment", "StatefulSet", "DaemonSet", "Rollout"}:
            self.cluster.edit(ref, change)
        else:
            self.cluster.edit_object(ref, change)

    async def set_frozen(self, value: str | None) -> None:
        self.cluster.freezes[self.namespace] = halts.Freeze(annotation=value)

    async def set_paused(self, *, reason: str | None) -> None:
        if reason is None:
            self.cluster.resume()
        else:
            self.cluster.pause(reason)

    async def settle(self) -> None:
        await self._clock.advance(120)


@dataclasses.dataclass
class LabWorld:
    """A namespace of the lab; people work with kubectl, the operator with its own client."""

    lab: Lab
    namespace: str
    api: client.KubeApi

    def __post_init__(self) -> None:
        self._stores = store.Stores(lambda *_: None)
        self._argo: argo_rollouts.ArgoRollouts | None = None
        self.cluster = kubernetes_cluster.KubernetesCluster(self.api, self._stores, self.namespace)

    def new_ledger(self) -> ports.Ledger:
        stores = store.Stores(lambda *_: None)
        return kubernetes_ledger.KubernetesLedger(self.api, stores)

    def new_incidents(self) -> ports.Incidents:
        stores = store.Stores(lambda *_: None)
        return kubernetes_incidents.KubernetesIncidents(self.api, stores)

    def new_journal(self) -> ports.Journal:
        return kubernetes_journal.KubernetesJournal(self.api)

    async def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the namespace."""
        command = ("--namespace", self.namespace, *arguments)
        return (await asyncio.to_thread(self.lab.kubectl, *command)).stdout

    async def apply(self, manifest: dict[str, Any]) -> None:
        """Create or change an object."""
        document = {**manifest, "metadata": {**manifest["metadata"], "namespace": self.namespace}}
        await asyncio.to_thread(self.lab.apply, yaml.safe_dump(document))

    async def add(self, ref: model.Ref, replicas: int = 2, image: str = "shop/app:v1") -> None:
        if ref.kind == "Rollout":
            await asyncio.to_thread(argo_rollouts.install, self.lab)
            self._argo = argo_rollouts.ArgoRollouts(self.lab, self.namespace)
            await self.apply(rollout(ref, replicas, image))
            await self.settle()
            return
        spec: dict[str, Any] = {
            "selector": {"matchLabels": {"app": ref.name}},
            "template": {
                "metadata": {"labels": {"app": ref.name}},
                "spec": {"containers": [{"name": "app", "image": image}]},
            },
        }
        if ref.kind != "DaemonSet":
            spec["replicas"] = replicas
        if ref.kind == "StatefulSet":
            spec["serviceName"] = ref.name
        await self.apply(
            {
                "apiVersion": "apps/v1",
                "kind": ref.kind,
                "metadata": {"name": ref.name},
                "spec": spec,
            }
        )
        await self.settle()

    async def set_image(self, ref: model.Ref, image: str) -> None:
        if ref.kind == "Rollout":
            path = "/spec/template/spec/containers/0/image"
            patch = json.dumps([{"op": "replace", "path": path, "value": image}])
            await self.kubectl("patch", "rollout", ref.name, "--type=json", "--patch", patch)
            await self.settle()
            return
        await self.kubectl("set", "image", f"{ref.kind.lower()}/{ref.name}", f"app={image}")
        await self.settle()

    async def scale(self, ref: model.Ref, replicas: int) -> None:
        await self.kubectl("scale", f"{ref.kind.lower()}/{ref.name}", f"--replicas={replicas}")

    async def delete(self, ref: model.Ref) -> None:
        await self.kubectl("delete", f"{ref.kind.lower()}/{ref.name}", "--cascade=foreground")

    async def add_budget(self, app: str, min_available: int) -> None:
        selector = {"matchLabels": {"app": app}}
        await self.apply(
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": {"name": app},
                "spec": {"minAvailable": min_available, "selector": selector},
            }
        )
        path = "jsonpath={.status.observedGeneration}=1"
        await self.kubectl("wait", f"poddisruptionbudget/{app}", f"--for={path}", "--timeout=30s")

    async def add_autoscaler(self, ref: model.Ref) -> None:
        target = {"apiVersion": "apps/v1", "kind": ref.kind, "name": ref.name}
        await self.apply(
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": ref.name},
                "spec": {"minReplicas": 2, "maxReplicas": 5, "scaleTargetRef": target},
            }
        )

    async def lose_pod(self) -> model.Pod:
        containers = [{"name": "app", "image": "shop/db:v1"}]
        await self.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "db-0"},
                "spec": {"containers": containers, "nodeName": "that-is-not-there"},
            }
        )
        uid = await self.kubectl("get", "pod", "db-0", "--output=jsonpath={.metadata.uid}")
        await self.kubectl("delete", "pod", "db-0", "--wait=false")
        return model.Pod("db-0", uid, ready=False, deleting=True)

    async def report_resources(self) -> None:
        found = json.loads(await self.kubectl("get", "pods", "--output=json"))["items"]
        for pod in found:
            (container,) = pod["spec"]["containers"]
            where = "/status/containerStatuses/0/resources"
            told = json.dumps([{"op": "add", "path": where, "value": container["resources"]}])
            name = pod["metadata"]["name"]
            how = ("--subresource=status", "--type=json", "--patch", told)
            await self.kubectl("patch", "pod", name, *how)

    async def has_pod(self, name: str) -> bool:
        found = await self.kubectl("get", "pods", "--output=jsonpath={.items[*].metadata.name}")
        return name in found.split()

    async def delete_pod(self, name: str) -> None:
        await self.kubectl("delete", "pod", name, "--wait=false")

    async def add_cron_job(self, name: str) -> None:
        containers = [{"name": "app", "image": "shop/job:v1"}]
        # No node takes its pods, so each of its Jobs has failed a second after it began.
        pod = {"containers": containers, "restartPolicy": "Never", "nodeSelector": {"no": "node"}}
        job = {"activeDeadlineSeconds": 1, "template": {"spec": pod}}
        await self.apply(
            {
                "apiVersion": "batch/v1",
                "kind": "CronJob",
                "metadata": {"name": name},
                "spec": {"schedule": "0 0 30 2 *", "jobTemplate": {"spec": job}},
            }
        )
        await self.settle()

    async def fail_job(self, name: str) -> None:
        await self.kubectl("create", "job", f"{name}-1", f"--from=cronjob/{name}")
        await self.kubectl("wait", f"job/{name}-1", "--for=condition=Failed", "--timeout=30s")

    async def add_account(self, name: str) -> None:
        await self.kubectl("create", "serviceaccount", name)

    async def job_ends(self, ref: model.Ref) -> started.Run:
        for _ in range(60):
            found = await self.cluster.job(ref)
            if found is not None and found.state is not started.RunState.RUNNING:
                return found
            await asyncio.sleep(0.5)
        raise AssertionError(f"{ref} has not ended: {found}")

    async def suspend(self, name: str, *, suspended: bool) -> None:
        change = json.dumps({"spec": {"suspend": suspended}})
        await self.kubectl("patch", "cronjob", name, "--type=merge", "--patch", change)
        await self.settle()

    async def add_bare_pod(self, name: str) -> None:
        containers = [{"name": "app", "image": "shop/job:v1"}]
        await self.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name},
                "spec": {"containers": containers},
            }
        )

    async def add_object(self, manifest: Manifest) -> None:
        await self.apply(manifest)

    async def add_volume(self, name: str, *, expandable: bool = True) -> None:
        class_, made, claim = volume(self.namespace, name, expandable=expandable)
        for cluster_wide in (class_, made):
            await asyncio.to_thread(self.lab.apply, yaml.safe_dump(cluster_wide))
        await self.apply(claim)
        bound = "--for=jsonpath={.status.phase}=Bound"
        await self.kubectl("wait", f"persistentvolumeclaim/{name}", bound, "--timeout=60s")

    async def volume_grows(self, name: str) -> None:
        asked = "jsonpath={.spec.resources.requests.storage}"
        size = await self.kubectl("get", "persistentvolumeclaim", name, f"--output={asked}")
        told = json.dumps({"status": {"capacity": {"storage": size}}})
        how = ("--subresource=status", "--type=merge", "--patch", told)
        await self.kubectl("patch", "persistentvolumeclaim", name, *how)

    async def edit_object(self, ref: model.Ref, *patch: Manifest) -> None:
        name = f"{ref.kind.lower()}/{ref.name}"
        await self.kubectl("patch", name, "--type=json", f"--patch={json.dumps(patch)}")

    async def set_frozen(self, value: str | None) -> None:
        change = f"{halts.FREEZE}-" if value is None else f"{halts.FREEZE}={value}"
        await self.kubectl("annotate", "namespace", self.namespace, change)

    async def set_paused(self, *, reason: str | None) -> None:
        name = switches.PAUSE
        if reason is None:
            await self.kubectl("delete", "configmap", name)
        else:
            await self.kubectl("create", "configmap", name, f"--from-literal=reason={reason}")

    async def settle(self) -> None:
        """Wait, on the real clock, for at most 60 s."""
        deadline = time.monotonic() + 60
        while True:
            if self._argo is not None:
                await asyncio.to_thread(self._argo.reconcile)
            await relist.relist(self.api, self._stores, [self.namespace])
            found = self.cluster.workloads(self.namespace)
            if all(_settled(workload) for workload in found):
                return
            assert time.monotonic() < deadline, f"not rolled out: {found}"
            await asyncio.sleep(0.3)


def rollout(ref: model.Ref, replicas: int, image: str) -> Manifest:
    """A Rollout whose canary waits with a quarter of its pods, and again before the end."""
    labels = {"app": ref.name}
    steps = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": ref.name, "namespace": ref.namespace, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"canary": {"steps": steps}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "app", "image": image}]},
            },
        },
    }


def _settled(workload: model.Workload) -> bool:
    """Rolled out; a Rollout has an end or waits at a step."""
    delivery = workload.delivery
    if delivery is None:
        return workload.rolled_out
    ended = delivery.waiting or delivery.aborted or not delivery.under_way
    return workload.rolled_out and ended and bool(delivery.stable)


def connect(lab: Lab) -> client.KubeApi:
    """The operator's client, with the administrator's rights."""
    return client.KubeApi(credentials.Credentials(kubeconfig=lab.kubeconfig), threads=8)
