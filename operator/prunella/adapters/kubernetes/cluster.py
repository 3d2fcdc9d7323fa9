"""The Cluster port on a real API server. The only place that changes anything in a cluster.

An effect on a workload is one JSON patch that tests UID and generation and leaves a mark.
The API server answers 200 to the first and 422 to any repeat, so it is the server itself that
sees to it that an effect happens at most once.  An effect that tests what it replaces needs no
mark; a creation is refused by the name that is taken, a deletion by UID and resourceVersion.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from prunella import ports
from prunella.adapters.kubernetes import (
    admission,
    client,
    job_runs,
    kinds,
    live_read,
    parse,
    parse_node,
    switches,
)
from prunella.adapters.kubernetes import owners as owners_module
from prunella.adapters.kubernetes import store as store_module
from prunella.core import model, objects, pointers, progressive
from prunella.core.decisions import halts, started

ANNOTATIONS = "/metadata/annotations"
MARK_PATH = f"{ANNOTATIONS}/{pointers.part(objects.MARK)}"


class KubernetesCluster:
    """Workloads of a real cluster (`ports.Cluster`)."""

    def __init__(
        self,
        api: client.KubeApi,
        stores: store_module.Stores,
        operator_namespace: str,
        allowed: Iterable[kinds.Kept] = (),
    ) -> None:
        """``allowed`` are kinds of which administrators let policies write fields."""
        self._written = {**kinds.kept(allowed), **kinds.WRITTEN}
        self._api = api
        self._stores = stores
        self._operator_namespace = operator_namespace
        self._owners = owners_module.Owners(api)

    def workloads(self, namespace: str) -> Collection[model.Workload]:
        """The watched workloads of a namespace, nodes of none; costs no request."""
        if not namespace:
            return self._stores.nodes.all()
        return [found for store in self._stores.workloads.values() for found in store.of(namespace)]

    async def owners(self, namespace: str, pods: Collection[str]) -> Mapping[str, model.Ref | None]:
        """The workload of each named pod, None for one without any. Raises ClusterError."""
        return await self._owners.find(namespace, pods)

    async def live_state(self, target: model.Ref) -> model.LiveState | None:
        """A live look at one target, or None when it is gone. Raises ClusterError."""
        return await live_read.live_state(self._api, target)

    async def read_object(self, ref: model.Ref) -> Mapping[str, Any] | None:
        """An object that may be written, or of a kind that is only read; None when it is gone.

        What is cluster-wide has an empty namespace.  Raises ClusterError.
        """
        kind = kinds.READ.get(ref.kind) or self._kind(ref)
        path = kind.path(ref.namespace or None, ref.name)
        reply = await self._api.exchange("GET", path, mutating=False)
        if reply.status == 404:
            return None
        if not reply.ok:
            raise client.refusal(reply, mutating=False)
        return {"apiVersion": kind.api_version, "kind": kind.name, **reply.body}

    async def job(self, ref: model.Ref) -> started.Run | None:
        """A Job by name, with the end of its log; None when it is gone. Raises ClusterError."""
        return await job_runs.look(self._api, ref)

    async def paused(self) -> model.PauseState:
        """What the ConfigMap pauses; only its clear absence means nothing."""
        return await switches.paused(self._api, self._operator_namespace)

    async def freeze(self, namespace: str) -> halts.Freeze:
        """What a namespace says of being frozen; unreadable is told as such."""
        return await switches.freeze(self._api, namespace)

    async def send(self, effect: model.Effect, mark: str, *, dry_run: bool) -> ports.Receipt:
        """Carry out one effect at most once, leaving ``mark`` on the object. Never raises.

        An evicted pod carries no mark: its UID can't be evicted twice. A dry run has no effect
        that could be in doubt, so a lost answer to it is a refusal.
        """
        try:
            match effect.verb:
                case model.Verb.EVICT:
                    return await self._evict(effect, dry_run=dry_run)
                case model.Verb.CREATE:
                    return await self._create(effect, mark, dry_run=dry_run)
                case model.Verb.DELETE:
                    return await self._delete(effect, dry_run=dry_run)
                case _:
                    return await self._patch(effect, mark, dry_run=dry_run)
        except ports.OutcomeUnknown as error:
            outcome = ports.Outcome.REFUSED if dry_run else ports.Outcome.UNKNOWN
            refuser = admission.refuser(str(error))
            return ports.Receipt(outcome, str(error), status=error.status, refused_by=refuser)
        except ports.ClusterError as error:
            refuser = admission.refuser(str(error))
            text = str(error) if refuser else _refusal_text(error)
            return ports.Receipt(
                ports.Outcome.REFUSED, text, status=error.status, refused_by=refuser
            )

    async def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        """The labels of a Namespace, as they are now. Raises ClusterError, also when it is gone."""
        path = kinds.NAMESPACE.path(None, namespace)
        _, raw = await self._api.request("GET", path, mutating=False)
        meta = raw.get("metadata") if isinstance(raw, dict) else None
        if not isinstance(meta, dict) or meta.get("name") != namespace:
            raise ports.ClusterError(f"{path}: the answer is not Namespace {namespace}")
        return dict(meta.get("labels") or {})

    async def give_back(self, target: model.Ref, uid: str) -> None:
        """Take the operator's entries out of managedFields. Raises ClusterError.

        Entries are found by their place, and the patch tests that they are still there: another
        writer in between is a refusal, and the next sweep tries again.
        """
        path = self._kind(target).path(target.namespace or None, target.name)
        reply = await self._api.exchange("GET", path, mutating=False)
        if reply.status == 404:
            return
        if not reply.ok:
            raise client.refusal(reply, mutating=False)
        places, found = own_entries(reply.body), reply.body["metadata"]["uid"]
        if not places or uid not in {"", found}:
            return
        query = _query(dry_run=False)
        _, raw = await self._api.request(
            "PATCH", path, query, without_entries(found, places), client.JSON_PATCH, mutating=True
        )
        self._note(target, raw)

    async def _patch(self, effect: model.Effect, mark: str, *, dry_run: bool) -> ports.Receipt:
        target = effect.target
        subresource = _subresource(effect)
        path = self._kind(target).path(target.namespace or None, target.name, subresource)
        annotated = effect.tested or await self._has_annotations(target, path)
        status, raw = await self._api.effect(
            "PATCH",
            path,
            _query(dry_run=dry_run),
            patch(effect, mark, has_annotations=annotated),
            client.JSON_PATCH,
        )
        if not dry_run:
            self._note(target, raw)
        try:
            workload = _shown(target.kind, raw)
        except parse.Unreadable as error:
            message = f"{target} can't be read: {error}"
            if dry_run:
                raise ports.ClusterError(message) from error
            # It is written, and nobody can tell how it has come out.
            raise ports.OutcomeUnknown(message) from error
        return ports.Receipt(_success(dry_run=dry_run), f"{target} patched", workload, status)

    def _kind(self, ref: model.Ref) -> kinds.Kind:
        """Where objects of a kind are. Raises ClusterError for one that is never written."""
        kind = self._written.get(ref.kind)
        if kind is None:
            raise ports.ClusterError(f"{ref}: the operator reads and writes no {ref.kind}")
        return kind

    def _note(self, target: model.Ref, raw: Any) -> None:
        """What is watched is seen at once, as the answer shows it."""
        if target.kind in {*kinds.TARGETS, kinds.NODE.name}:
            self._stores.apply(target.kind, {"type": "MODIFIED", "object": raw})

    async def _create(self, effect: model.Effect, mark: str, *, dry_run: bool) -> ports.Receipt:
        """The API server has room for one of a name; that of a Job follows from what it repeats."""
        target = effect.target
        path = self._kind(target).path(target.namespace)
        body = effect.manifest if effect.tested else marked(effect.manifest, mark)
        query = _query(dry_run=dry_run)
        status, _ = await self._api.effect("POST", path, query, body)
        return ports.Receipt(_success(dry_run=dry_run), f"{target} created", status=status)

    async def _delete(self, effect: model.Effect, *, dry_run: bool) -> ports.Receipt:
        target = effect.target
        conditions = {"uid": effect.uid, "resourceVersion": effect.resource_version}
        options: dict[str, Any] = {"preconditions": conditions}
        if dry_run:
            options["dryRun"] = ["All"]
        path = self._kind(target).path(target.namespace, target.name)
        status, _ = await self._api.effect("DELETE", path, {}, options)
        return ports.Receipt(_success(dry_run=dry_run), f"{target} deleted", status=status)

    async def _has_annotations(self, target: model.Ref, path: str) -> bool:
        """Almost always known from the watch; where it saw none, the object itself is asked."""
        known = self._stores.workloads[target.kind].get(target.namespace, target.name)
        if known is not None and known.annotations:
            return True
        _, raw = await self._api.request("GET", path, mutating=False)
        return bool(raw["metadata"].get("annotations"))

    async def _evict(self, effect: model.Effect, *, dry_run: bool) -> ports.Receipt:
        target = effect.target
        options: dict[str, Any] = {"preconditions": {"uid": effect.uid}}
        if effect.forced:
            options["gracePeriodSeconds"] = 0
        if dry_run:
            options["dryRun"] = ["All"]
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": target.namespace, "name": target.name},
            "deleteOptions": options,
        }
        path = kinds.POD.path(target.namespace, target.name, "eviction")
        status, _ = await self._api.effect("POST", path, _query(dry_run=dry_run), body)
        return ports.Receipt(_success(dry_run=dry_run), f"{target} evicted", status=status)


def _shown(kind: str, raw: Any) -> model.Workload | None:
    """The target as the API server has answered; None of other objects. Raises Unreadable."""
    if kind == kinds.NODE.name:
        return parse_node.node(raw)
    return parse.workload(kind, raw) if kind in kinds.TARGETS else None


def _subresource(effect: model.Effect) -> str:
    """Where a patch is sent; Argo Rollouts is told by a Rollout's status."""
    told = effect.target.kind == kinds.ROLLOUT.name and progressive.tells(effect.patch)
    return "status" if told else kinds.SUBRESOURCES.get(effect.target.kind, "")


def patch(effect: model.Effect, mark: str, *, has_annotations: bool) -> list[dict[str, object]]:
    """The whole JSON patch of an effect: tests, mark, change.

    Generation says nothing about annotations. Where there are none, the map has to be made, and
    making it would wipe one that was made meanwhile; the API server's JSON patch lets a test for
    null pass only where nothing is, so that race is refused.
    """
    operations: list[dict[str, object]] = [_test("/metadata/uid", effect.uid)]
    if effect.generation is not None:
        operations.append(_test("/metadata/generation", effect.generation))
    if effect.resource_version:
        operations.append(_test("/metadata/resourceVersion", effect.resource_version))
    if effect.tested:
        return operations + [dict(operation) for operation in effect.patch]
    if not has_annotations:
        operations.append(_test(ANNOTATIONS, None))
        operations.append({"op": "add", "path": ANNOTATIONS, "value": {}})
    operations.append({"op": "add", "path": MARK_PATH, "value": mark})
    return operations + [dict(operation) for operation in effect.patch]


def marked(manifest: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """An object to create, with the mark on it."""
    metadata = manifest["metadata"]
    annotations = {**(metadata.get("annotations") or {}), objects.MARK: mark}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def own_entries(raw: Mapping[str, Any]) -> list[int]:
    """The places in managedFields of what the operator wrote, the last one first."""
    entries = raw["metadata"].get("managedFields") or ()
    own = [
        place
        for place, entry in enumerate(entries)
        if entry.get("manager") == objects.FIELD_MANAGER and not entry.get("subresource")
    ]
    return own[::-1]


def without_entries(uid: str, places: Iterable[int]) -> list[dict[str, object]]:
    """The JSON patch that takes these entries out of managedFields, the last one first."""
    operations: list[dict[str, object]] = [_test("/metadata/uid", uid)]
    for place in places:
        entry = f"/metadata/managedFields/{place}"
        operations.append(_test(f"{entry}/manager", objects.FIELD_MANAGER))
        operations.append({"op": "remove", "path": entry})
    return operations


def _test(path: str, value: object) -> dict[str, object]:
    return {"op": "test", "path": path, "value": value}


def _query(*, dry_run: bool) -> dict[str, str | int]:
    query: dict[str, str | int] = {"fieldManager": objects.FIELD_MANAGER}
    return query | {"dryRun": "All"} if dry_run else query


def _success(*, dry_run: bool) -> ports.Outcome:
    return ports.Outcome.WOULD_SUCCEED if dry_run else ports.Outcome.EFFECTIVE


def _refusal_text(error: ports.ClusterError) -> str:
    if error.status == 403:
        return f"forbidden by the API server: {error}"
    if error.status == 422:
        return f"changed since it was planned, or not valid: {error}"
    return str(error)
