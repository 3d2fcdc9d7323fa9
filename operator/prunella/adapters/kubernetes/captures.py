"""The Captures port: pods' logs, Events and manifests from the API server, dumps from the pods."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import yaml

from prunella import ports
from prunella.adapters.kubernetes import client, kinds, live_read, own_objects, pod_logs
from prunella.api import capture as api
from prunella.core import model, objects
from prunella.core.changes import redact
from prunella.core.outcomes import capturing

MOST_LINES = 2000
MOST_CONTAINERS, MOST_EVENTS = 4, 50
MOST_DUMP = 16 * 1024 * 1024
"""Bytes of a dump that are read, to keep the end of it."""
_CONTINUED = bytes(range(0x80, 0xC0))
"""What no character of UTF-8 begins with."""
_CLOUDS = frozenset({"fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "168.63.129.16"})
"""Where AWS, Google and Azure answer their machines, other than at link-local addresses."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses that a gateway leads to the IPv4 address of their last four bytes (RFC 6052)."""
Parts = list[capturing.Part]
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class KubernetesCaptures:
    """Captures of a real cluster (`ports.Captures`)."""

    def __init__(self, kube: client.KubeApi, namespaces: Sequence[str] = ()) -> None:
        self._api = kube
        self._places: Sequence[str | None] = namespaces or (None,)

    async def look(self, record: objects.Record, limits: api.CapturePolicy, found: Parts) -> None:
        """Add each part as it is read; one that can't be says why. Never raises."""
        target = record.target
        if limits.describe:
            path = kinds.TARGETS[target.kind].path(target.namespace, target.name)
            await _add(found, str(target), self._described(path))
        if limits.events:
            await _add(found, f"{target} events", self._events(target))
        for name in await self._pods(record, limits, found):
            await self._look_at_pod(model.Ref("Pod", target.namespace, name), limits, found)

    async def pack(
        self,
        record: objects.Record,
        parts: Sequence[capturing.Part],
        limits: api.CapturePolicy,
        now: datetime.datetime,
    ) -> api.CaptureSpec:
        """In a thread: a large one takes its time."""
        return await asyncio.to_thread(capturing.pack, record, parts, limits, now)

    async def keep(self, record: objects.Record, spec: api.CaptureSpec) -> None:
        """Write it, owned by its record. Raises Conflict when it is there, ClusterError."""
        owner = {
            "apiVersion": kinds.RECORD.api_version,
            "kind": kinds.RECORD.name,
            "name": record.name,
            "uid": record.uid,
        }
        body = {
            "apiVersion": kinds.CAPTURE.api_version,
            "kind": kinds.CAPTURE.name,
            "metadata": {
                "name": record.name,
                "namespace": record.namespace,
                "ownerReferences": [owner],
            },
            "spec": spec.model_dump(mode="json", by_alias=True),
        }
        path, query = kinds.CAPTURE.path(record.namespace), own_objects.AS_OPERATOR
        await self._api.request("POST", path, query, body, mutating=True)

    async def expire(self, now: datetime.datetime) -> None:
        """Delete those whose time is over. Raises ClusterError."""
        for place in self._places:
            for raw in await self._api.items(kinds.CAPTURE.path(place)):
                if datetime.datetime.fromisoformat(raw["spec"]["expiresAt"]) <= now:
                    meta = raw["metadata"]
                    path = kinds.CAPTURE.path(meta["namespace"], meta["name"])
                    body = {"preconditions": {"uid": meta["uid"]}}
                    await self._api.exchange("DELETE", path, body=body, mutating=True)

    async def _pods(
        self, record: objects.Record, limits: api.CapturePolicy, found: Parts
    ) -> list[str]:
        try:
            live_state = await live_read.live_state(self._api, record.target)
        except ports.ClusterError as error:
            found.append(capturing.Part("pods", problem=str(error)))
            return []
        evicted = [each.name for each in record.spec.effects if each.verb == "Evict"]
        pods = live_state.pods if live_state is not None else ()
        return capturing.worst(pods, evicted, limits.pods)

    async def _look_at_pod(self, pod: model.Ref, limits: api.CapturePolicy, found: Parts) -> None:
        raw: dict[str, Any] = {}
        try:
            _, raw = await self._api.request(
                "GET", kinds.POD.path(pod.namespace, pod.name), mutating=False
            )
        except ports.ClusterError as error:
            found.append(capturing.Part(str(pod), problem=str(error)))
            return
        if limits.describe:
            found.append(capturing.Part(str(pod), _shown(raw)))
        if limits.logs is not None:
            for container in raw["spec"]["containers"][:MOST_CONTAINERS]:
                name = f"{pod}/{container['name']} {limits.logs.value.lower()} log"
                await _add(found, name, self._log(pod, container["name"], limits))
        if limits.events:
            await _add(found, f"{pod} events", self._events(pod))
        if limits.http is not None:
            await _add(found, f"{pod} {limits.http.path}", self._dump(raw, limits))

    async def _described(self, path: str) -> str:
        _, raw = await self._api.request("GET", path, mutating=False)
        return _shown(raw)

    async def _events(self, about: model.Ref) -> str:
        chosen = f"involvedObject.kind={about.kind},involvedObject.name={about.name}"
        path = kinds.CORE_EVENT.path(about.namespace)
        raws = await self._api.items(path, {"fieldSelector": chosen})
        lines = sorted(
            f"{each.get('lastTimestamp') or each.get('eventTime') or ''} {each.get('type')} "
            f"{each.get('reason')} x{each.get('count') or 1}: {each.get('message')}"
            for each in raws
        )
        return "\n".join(lines[-MOST_EVENTS:])

    async def _log(self, pod: model.Ref, container: str, limits: api.CapturePolicy) -> str:
        path = kinds.POD.path(pod.namespace, pod.name, "log")
        query: dict[str, str | int] = {"container": container}
        if limits.logs is api.CaptureLogs.PREVIOUS:
            query["previous"] = "true"
        return await pod_logs.end(self._api, path, query, MOST_LINES, limits.max_bytes)

    async def _dump(self, raw: Mapping[str, Any], limits: api.CapturePolicy) -> str:
        address = (raw.get("status") or {}).get("podIP")
        if limits.http is None or not address:
            raise ports.ClusterError("the pod has no address")
        if _local(address):
            why = f"{address} is no address of a pod: it is this machine's or the cloud's own"
            raise ports.ClusterError(why)
        host = f"[{address}]" if ":" in address else address
        url = f"http://{host}:{limits.http.port}{limits.http.path}"
        try:
            content = await _fetched(url, limits)
        except TimeoutError as error:
            raise ports.ClusterError("no answer, or no end of it, in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ports.ClusterError(f"no answer: {type(error).__name__}") from error
        try:
            return content.lstrip(_CONTINUED).decode()
        except UnicodeDecodeError as error:
            why = "it is not text, so that credentials can't be found in it: nothing is kept"
            raise ports.ClusterError(why) from error


async def _fetched(url: str, limits: api.CapturePolicy) -> bytes:
    """The end of what a pod answers. Raises ClusterError, and what aiohttp does.

    No thread waits for it: of a pod that never ends its answer nothing is left when the time is
    over.  More is given than is kept, so that the cut is made where a line begins.
    """
    seconds = aiohttp.ClientTimeout(total=limits.timeout.total_seconds(), sock_connect=3.0)
    plain = {"Accept-Encoding": "identity"}
    read, kept, most = 0, bytearray(), 3 * limits.max_bytes
    async with (
        aiohttp.ClientSession(timeout=seconds, auto_decompress=False) as session,
        session.get(url, headers=plain, allow_redirects=False) as answer,
    ):
        if answer.status != 200:
            raise ports.ClusterError(f"answered {answer.status}")
        async for piece in answer.content.iter_any():
            read += len(piece)
            if read > MOST_DUMP:
                raise ports.ClusterError(f"it has more than {MOST_DUMP} bytes")
            kept += piece
            if len(kept) > 2 * most:  # Not with each piece: a pod may send them byte by byte.
                del kept[:-most]
    return bytes(kept[-most:])


def _local(address: str) -> bool:
    """Whether it can't be a pod's, as the API server has it for its proxy.

    Whoever may write a pod's status could have the operator ask for a node's credentials.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return True
    found = _meant(found)
    own = found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified
    return own or str(found) in _CLOUDS


def _meant(found: _Address) -> _Address:
    """The IPv4 address within an IPv6 one: mapped, or behind a gateway (RFC 3056, RFC 6052)."""
    if found.version == 4:
        return found
    if found in _NAT64:
        return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found.ipv4_mapped or found.sixtofour or found


async def _add(found: Parts, name: str, reading: Any) -> None:
    """Add what is read, or why it can't be."""
    try:
        found.append(capturing.Part(name, await reading))
    except ports.ClusterError as error:
        found.append(capturing.Part(name, problem=str(error)))


def _shown(raw: Mapping[str, Any]) -> str:
    """A manifest as YAML, without bookkeeping and credentials."""
    metadata = {k: v for k, v in raw["metadata"].items() if k != "managedFields"}
    whole = redact.redact({**raw, "metadata": metadata}, metadata.get("uid", ""))
    return yaml.safe_dump(whole, sort_keys=False)
