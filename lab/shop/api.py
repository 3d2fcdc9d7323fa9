"""The API server, as a kubelet talks to it: lists and watches, statuses, events, leases."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import pathlib
import ssl
import tempfile
import time
from collections.abc import Mapping
from typing import Any, Self

import aiohttp
import orjson
import yaml

from lab.shop.objects import KINDS, Object, Picture, key_of

Headers = Mapping[str, str]
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
MERGE = {"Content-Type": "application/merge-patch+json"}
JSON = {"Content-Type": "application/json"}
_WATCH_SECONDS = 3600
_EXPECTED = (403, 404, 409)
"""The object has gone or changed meanwhile, or its namespace is going."""
_HEAVY = ("managedFields",)
_log = logging.getLogger("lab.shop")


class ApiServer:
    """One API server, reached with a kubeconfig; use it as an async context manager."""

    def __init__(self, kubeconfig: pathlib.Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        current = _named(document["contexts"], document["current-context"])["context"]
        cluster = _named(document["clusters"], current["cluster"])["cluster"]
        user = _named(document["users"], current["user"])["user"]
        self._url = cluster["server"].rstrip("/")
        self._ssl = _tls(cluster, user)
        self._headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        self._session: aiohttp.ClientSession | None = None
        self.seen_at = time.monotonic()
        """When the API server was last heard of."""

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._ssl, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, headers=self._headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The open session."""
        assert self._session is not None  # noqa: S101 - entered
        return self._session

    async def follow(self, kind: str, picture: Picture, first: asyncio.Event) -> None:
        """Keep a kind of the picture up to date for ever; ``first`` is set by the first list."""
        while True:
            try:
                version = await self._list(kind, picture)
                first.set()
                await self._watch(kind, picture, version)
            except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
                _log.debug("watching %s: %s", kind, error)
                await asyncio.sleep(1)

    async def _list(self, kind: str, picture: Picture) -> str:
        async with self.session.get(self._url + KINDS[kind]) as answer:
            answer.raise_for_status()
            found = orjson.loads(await answer.read())
        picture.replace(kind, [_light(each) for each in found["items"]])
        self.seen_at = time.monotonic()
        return str(found["metadata"]["resourceVersion"])

    async def _watch(self, kind: str, picture: Picture, version: str) -> None:
        query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        patience = aiohttp.ClientTimeout(total=None, sock_read=_WATCH_SECONDS)
        url = self._url + KINDS[kind]
        async with self.session.get(url, params=query, timeout=patience) as answer:
            answer.raise_for_status()
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if not _take(kind, picture, orjson.loads(line)):
                        return

    async def write(
        self, method: str, path: str, body: Object | None, headers: Headers = JSON
    ) -> int:
        """Send one write; returns the status code, 0 when nobody answered."""
        data = orjson.dumps(body) if body is not None else None
        patience = aiohttp.ClientTimeout(total=10)
        try:
            async with self.session.request(
                method, self._url + path, data=data, headers=headers, timeout=patience
            ) as answer:
                self.seen_at = time.monotonic()
                if answer.status >= 400 and answer.status not in _EXPECTED:
                    _log.warning("%s %s: %s", method, path, (await answer.text())[:300])
                return answer.status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            _log.debug("%s %s: %s", method, path, error)
            return 0

    async def answers(self) -> bool:
        """Whether the API server is there."""
        with contextlib.suppress(aiohttp.ClientError, OSError, asyncio.TimeoutError):
            patience = aiohttp.ClientTimeout(total=5)
            async with self.session.get(f"{self._url}/livez", timeout=patience):
                self.seen_at = time.monotonic()
                return True
        return False


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(each for each in entries if each["name"] == name)


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    """The server's authority and the client's certificate, from files or from the text."""
    context = ssl.create_default_context()
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif "certificate-authority-data" in cluster:
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context.load_verify_locations(cadata=authority)
    else:
        context.load_verify_locations(cluster["certificate-authority"])
    if "client-certificate" in user:
        context.load_cert_chain(user["client-certificate"], user["client-key"])
    elif "client-certificate-data" in user:
        with tempfile.NamedTemporaryFile() as pair:
            for part in ("client-certificate-data", "client-key-data"):
                pair.write(base64.b64decode(user[part]))
            pair.flush()
            context.load_cert_chain(pair.name)
    return context


def _take(kind: str, picture: Picture, event: Mapping[str, Any]) -> bool:
    """Apply one watch event; False when the watch is no good any more."""
    match event["type"]:
        case "ADDED" | "MODIFIED":
            picture.put(kind, _light(event["object"]))
        case "DELETED":
            picture.drop(kind, key_of(event["object"]))
        case "ERROR":
            return False
    return True


def _light(found: Object) -> Object:
    """Without the parts that nobody here reads."""
    for each in _HEAVY:
        found["metadata"].pop(each, None)
    return found
