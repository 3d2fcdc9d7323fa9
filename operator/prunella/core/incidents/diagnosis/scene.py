"""The objects of a view, indexed: who owns which pod, what selects what, who calls whom."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping

from prunella.core import model
from prunella.core.incidents import picture as pictures
from prunella.core.incidents.diagnosis import addresses, read, values

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Rollout", "Job", "CronJob")
Refs = Mapping[model.Ref, frozenset[model.Ref]]
NOBODY: frozenset[model.Ref] = frozenset()


class Scene:
    """What the finders of faults ask. Built once for a view; nothing of it changes."""

    def __init__(self, view: values.View) -> None:
        self.view = view
        self._by_kind: dict[str, dict[model.Ref, read.Raw]] = defaultdict(dict)
        for ref, manifest in sorted(view.objects.items(), key=lambda each: each[0]):
            self._by_kind[ref.kind][ref] = manifest
        self.workloads: dict[model.Ref, read.Raw] = {}
        for kind in WORKLOADS:
            self.workloads.update(self._by_kind[kind])
        self.namespaces = frozenset(ref.namespace for ref in view.objects if ref.namespace)

    def of(self, kind: str, namespace: str | None = None) -> dict[model.Ref, read.Raw]:
        """Objects of a kind, of one namespace if it is given."""
        found = self._by_kind.get(kind, {})
        if namespace is None:
            return found
        return {ref: raw for ref, raw in found.items() if ref.namespace == namespace}

    def get(self, ref: model.Ref) -> read.Raw:
        """An object; empty when it is not in the view."""
        return self.view.objects.get(ref, read.NOTHING)

    def missing(self, ref: model.Ref) -> bool:
        """Whether it is known that an object is not there, and not just not seen."""
        seen = not ref.namespace or ref.namespace in self.namespaces
        return ref not in self.view.objects and ref.kind in self.view.complete and seen

    def template(self, workload: model.Ref) -> read.Raw:
        """The pod template of a workload."""
        raw = self.workloads.get(workload, read.NOTHING)
        if workload.kind == "CronJob":
            return read.mapping(raw, "spec", "jobTemplate", "spec", "template")
        return read.mapping(raw, "spec", "template")

    def labels(self, workload: model.Ref) -> Mapping[str, str]:
        """Labels that a workload gives its pods."""
        return read.labels(self.template(workload), "metadata", "labels")

    def containers(self, workload: model.Ref) -> tuple[read.Raw, ...]:
        """Containers of a workload's template."""
        return read.items(self.template(workload), "spec", "containers")

    def wanted(self, workload: model.Ref) -> int:
        """How many pods a workload is to have; 1 where it does not say."""
        found = read.whole(self.workloads.get(workload), "spec", "replicas")
        return 1 if found is None else found

    @functools.cached_property
    def owners(self) -> Mapping[model.Ref, model.Ref]:
        """The workload of each pod that has one."""
        objects = self.view.objects
        found = {
            ref: pictures.owner_of_pod(ref.namespace, raw, objects)
            for ref, raw in self._by_kind["Pod"].items()
        }
        return {ref: owner for ref, owner in found.items() if owner is not None}

    @functools.cached_property
    def pods(self) -> Mapping[model.Ref, tuple[model.Ref, ...]]:
        """The pods of each workload."""
        found: dict[model.Ref, list[model.Ref]] = defaultdict(list)
        for pod, owner in self.owners.items():
            found[owner].append(pod)
        return {owner: tuple(sorted(pods)) for owner, pods in found.items()}

    @functools.cached_property
    def nodes_of(self) -> Mapping[model.Ref, frozenset[model.Ref]]:
        """The nodes that each workload has pods on."""
        found: dict[model.Ref, set[model.Ref]] = defaultdict(set)
        for pod, owner in self.owners.items():
            name = read.text(self.get(pod), "spec", "nodeName")
            if name:
                found[owner].add(model.Ref("Node", "", name))
        return {owner: frozenset(nodes) for owner, nodes in found.items()}

    @functools.cached_property
    def waiting(self) -> frozenset[model.Ref]:
        """The workloads with pods that no node takes."""
        return frozenset(
            owner
            for pod, owner in self.owners.items()
            if read.condition(self.get(pod), "PodScheduled").get("status") == "False"
        )

    def on_node(self, node: model.Ref) -> frozenset[model.Ref]:
        """The workloads with pods on a node."""
        return frozenset(each for each, nodes in self.nodes_of.items() if node in nodes)

    @functools.cached_property
    def selected(self) -> Refs:
        """The workloads that each Service's selector selects, by template or by pod."""
        return {service: frozenset(self._chosen(service, raw)) for service, raw in self._services()}

    @functools.cached_property
    def behind(self) -> Refs:
        """The workloads that each Service is meant for: selected ones, or that of its name.

        A Service whose selector is wrong still stands before somebody: the workload of its own
        name, or one that an earlier selector selected.
        """
        return {
            service: self.selected[service] or self._meant(service) for service in self.selected
        }

    def _services(self) -> Iterator[tuple[model.Ref, read.Raw]]:
        yield from self._by_kind["Service"].items()

    @functools.cached_property
    def _labelled(self) -> Mapping[tuple[str, str, str], frozenset[model.Ref]]:
        """The workloads with a label, on their template or a pod, by namespace, key and value."""
        found: dict[tuple[str, str, str], set[model.Ref]] = defaultdict(set)
        for workload, labels in self._all_labels():
            for key, each in labels.items():
                found[workload.namespace, key, each].add(workload)
        return {key: frozenset(some) for key, some in found.items()}

    def _all_labels(self) -> Iterator[tuple[model.Ref, Mapping[str, str]]]:
        for workload in self.workloads:
            yield workload, self.labels(workload)
        for pod, owner in self.owners.items():
            yield owner, read.labels(self.get(pod), "metadata", "labels")

    def _chosen(self, service: model.Ref, raw: read.Raw) -> Iterator[model.Ref]:
        selector = read.labels(raw, "spec", "selector")
        if not selector:
            return
        keys = [(service.namespace, key, each) for key, each in selector.items()]
        for workload in frozenset.intersection(*(self._labelled.get(key, NOBODY) for key in keys)):
            pods = (self.get(pod) for pod in self.pods.get(workload, ()))
            labels = (read.labels(pod, "metadata", "labels") for pod in pods)
            if any(_covers(selector, each) for each in (self.labels(workload), *labels)):
                yield workload

    def _meant(self, service: model.Ref) -> frozenset[model.Ref]:
        return frozenset(
            each
            for each in self.workloads
            if each.namespace == service.namespace and each.name == service.name
        )

    @functools.cached_property
    def services(self) -> Refs:
        """The Services that stand before each workload."""
        found: dict[model.Ref, set[model.Ref]] = defaultdict(set)
        for service, workloads in self.behind.items():
            for each in workloads:
                found[each].add(service)
        return {each: frozenset(services) for each, services in found.items()}

    @functools.cached_property
    def addresses(self) -> tuple[addresses.Address, ...]:
        """The addresses of Services that containers are given in their environment."""
        config = self._by_kind["ConfigMap"]
        return tuple(
            each
            for workload in self.workloads
            for each in addresses.find(workload, self.template(workload), config)
        )

    @functools.cached_property
    def calls(self) -> Refs:
        """Who calls whom: measured calls, and addresses in environments; by workload."""
        found: dict[model.Ref, set[model.Ref]] = defaultdict(set)
        for caller, callees in self.view.calls.items():
            for above in self.workloads_of(caller) or {caller}:
                for callee in callees:
                    found[above] |= self.workloads_of(callee) or {callee}
        for each in self.addresses:
            found[each.workload] |= self.workloads_of(each.service) or {each.service}
        return {caller: frozenset(some - {caller}) for caller, some in found.items()}

    @functools.cached_property
    def callers(self) -> Refs:
        """Who is called by whom."""
        found: dict[model.Ref, set[model.Ref]] = defaultdict(set)
        for caller, callees in self.calls.items():
            for each in callees:
                found[each].add(caller)
        return {callee: frozenset(some) for callee, some in found.items()}

    def workloads_of(self, ref: model.Ref) -> frozenset[model.Ref]:
        """The workloads that an object is, owns, or stands before; empty when there are none."""
        if ref in self.workloads:
            return frozenset({ref})
        if ref.kind in WORKLOADS:
            return self._meant(ref)  # measured calls may have the kind wrong
        if ref.kind == "Service":
            return self.behind.get(ref, self._meant(ref))
        if ref.kind == "Pod":
            return frozenset({self.owners[ref]}) if ref in self.owners else frozenset()
        if ref.kind == "ReplicaSet":
            owner = pictures.controller(ref.namespace, self.get(ref))
            return frozenset({owner}) if owner is not None else frozenset()
        return frozenset()


def _covers(selector: Mapping[str, str], found: Mapping[str, str]) -> bool:
    return bool(selector) and all(found.get(key) == each for key, each in selector.items())
