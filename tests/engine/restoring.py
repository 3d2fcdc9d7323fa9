"""The stage of restores: a shop whose journal sees what people change, and incidents about it."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable
from typing import Any

from prunella.api import incident as incident_api
from prunella.core import model
from prunella.core.changes import entry, kinds
from prunella.core.changes.values import Change
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Story

Manifest = dict[str, Any]
CART = model.Ref("Service", NAMESPACE, "cart")
FLAGS = model.Ref("ConfigMap", NAMESPACE, "flags")
QUOTA = model.Ref("ResourceQuota", NAMESPACE, "small")
WALL = model.Ref("NetworkPolicy", NAMESPACE, "wall")
NAME = "inc-0123456789"
RULES = entry.Journalling()


def policy(**changes: Any) -> Manifest:
    """A policy that restores what an incident suspects, and proves it by checkout's errors."""
    kinds_ = ["Service", "NetworkPolicy", "ConfigMap", "ResourceQuota", "Deployment"]
    step = {"kinds": kinds_, **changes.pop("restore", {})}
    incident = {"causeKind": ["Configuration", "Networking", "Quota"], **changes.pop("trigger", {})}
    return harness.spec({"restore": step}, trigger={"incident": incident}, **changes)


def service(name: str = "cart", port: int = 8080, **metadata: Any) -> Manifest:
    """A Service that sends to the pods of its name."""
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": port}]
    spec = {"selector": {"app": name}, "ports": ports, "clusterIP": "10.0.0.7"}
    return {"kind": "Service", "metadata": _meta(name, metadata), "spec": spec}


def config_map(name: str = "flags", **data: str) -> Manifest:
    """A ConfigMap."""
    return {"kind": "ConfigMap", "metadata": _meta(name, {}), "data": data}


def network_policy(name: str = "wall") -> Manifest:
    """A policy that lets nobody in to cart."""
    spec = {"podSelector": {"matchLabels": {"app": "cart"}}, "policyTypes": ["Ingress"]}
    return {"kind": "NetworkPolicy", "metadata": _meta(name, {}), "spec": spec}


def quota(pods: str) -> Manifest:
    """A ResourceQuota."""
    return {
        "kind": "ResourceQuota",
        "metadata": _meta("small", {}),
        "spec": {"hard": {"pods": pods}},
    }


def _meta(name: str, more: Manifest) -> Manifest:
    return {"name": name, "namespace": NAMESPACE, **more}


class Shop:
    """A story's cluster in which every change of an object is journalled at once."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.cluster = story.world.cluster
        self.journal = story.world.journal.server

    def seen(self, ref: model.Ref) -> Manifest | None:
        """An object without what the API server itself counts."""
        found = self.cluster.object_of(ref)
        if found is not None:
            for field in ("resourceVersion", "managedFields", "generation"):
                found["metadata"].pop(field, None)
        return found

    def add(self, manifest: Manifest, **options: Any) -> model.Ref:
        """An object that has long been there."""
        ref = self.cluster.add_object(manifest, **options)
        self._watch(ref)
        return ref

    def create(self, manifest: Manifest) -> str:
        """Let somebody create an object; returns the Change's name."""
        ref = self.add(manifest)
        sight, raw = self._sight(ref)
        kind = kinds.BY_NAME[ref.kind]
        return self._note(entry.created(kind, sight, self._occasion(raw), RULES))

    def edit(
        self, ref: model.Ref, change: Callable[[Manifest], object], manager: str = "kubectl-edit"
    ) -> str:
        """Let somebody edit an object; returns the Change's name."""
        was, _ = self._sight(ref)
        if ref.kind == "CronJob":
            self.cluster.cron_jobs.edit(ref, change, manager)
        elif ref.kind in {"Deployment", "StatefulSet", "DaemonSet"}:
            self.cluster.edit(ref, change, manager)
        else:
            self.cluster.edit_object(ref, change, manager)
        sight, raw = self._sight(ref)
        self._watch(ref)
        kind = kinds.BY_NAME[ref.kind]
        made = entry.modified(kind, was, sight, self._occasion(raw), RULES)
        assert made is not None
        by = made.spec.by.model_copy(update={"manager": manager})
        spec = made.spec.model_copy(update={"by": by})
        return self._note(Change(made.name, made.namespace, spec))

    def delete(self, ref: model.Ref) -> str:
        """Let somebody delete an object; returns the Change's name."""
        was, _ = self._sight(ref)
        self.cluster.delete_object(ref)
        self.journal.manifests.pop(ref, None)
        now = self.story.world.clock.now()
        gone = entry.deleted(kinds.BY_NAME[ref.kind], was, now, RULES, late=False)
        return self._note(gone)

    def _note(self, change: Change) -> str:
        self.journal.create(change)
        return change.name

    def _sight(self, ref: model.Ref) -> tuple[entry.Sight, Manifest]:
        raw = self.cluster.object_of(ref)
        assert raw is not None
        return entry.sight(kinds.BY_NAME[ref.kind], raw, RULES), raw

    def _occasion(self, raw: Manifest) -> entry.Occasion:
        now = self.story.world.clock.now()
        metadata = {**raw["metadata"], "creationTimestamp": now.isoformat(), "managedFields": []}
        return entry.Occasion({**raw, "metadata": metadata}, now, late=False)

    def _watch(self, ref: model.Ref) -> None:
        found = self.cluster.object_of(ref)
        if found is not None:
            self.journal.manifests[ref] = copy.deepcopy(found)

    def broken_while(self, broken: Callable[[], bool]) -> None:
        """Let half of checkout's requests fail as long as something is so."""

        def look() -> None:
            share = 0.5 if broken() else None
            self.story.world.apps.surge(CHECKOUT, errors=share)

        look()
        self.story.world.clock.every(1.0, look)

    def incident(self, *suspects: tuple[model.Ref, str], **fields: Any) -> None:
        """An open incident; suspects with their Changes' names.

        Checkout is a symptom of it, and what else is ``sick``; or else ``symptoms`` alone.
        """
        now = self.story.world.clock.now()
        symptoms = fields.pop("symptoms", (CHECKOUT, *fields.pop("sick", ())))
        told = {
            "title": "HighErrorRate",
            "startedAt": now,
            "namedAt": now,
            "members": [
                {"object": _object(ref), "name": "HighErrorRate", "first": now} for ref in symptoms
            ],
            "suspects": [_suspect(ref, change, now, fields) for ref, change in suspects],
        }
        status = incident_api.IncidentStatus.model_validate(told)
        server = self.story.world.incident_server
        spec = incident_api.IncidentSpec(opened_at=now)
        server.update(server.create(NAMESPACE, NAME, spec), status)


def _object(ref: model.Ref) -> Manifest:
    return {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name}


def _suspect(ref: model.Ref, change: str, now: datetime.datetime, fields: Manifest) -> Manifest:
    return {
        "object": _object(ref),
        "causeKind": "Networking",
        "confidence": "High",
        "score": 0.9,
        "summary": f"{ref} was changed",
        "change": change,
        "changedAt": now - datetime.timedelta(seconds=40),
        **fields,
    }


async def opened(story: Story, document: Manifest | None = None) -> Shop:
    """Given checkout, a Service, a ConfigMap and a policy that restores, all of them well."""
    shop = stocked(story, document)
    await story.run(harness.QUIET)
    return shop


def stocked(story: Story, document: Manifest | None = None) -> Shop:
    """The same before any time has passed."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.cluster.add_deployment(NAMESPACE, "cart", harness.GOOD)
    shop = Shop(story)
    shop.add(service())
    shop.add(config_map(mode="fast"))
    story.apply(policy() if document is None else document)
    return shop
