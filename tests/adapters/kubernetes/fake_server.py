"""An HTTP server in the test's own loop that answers, or fails, as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import urllib.parse
from collections.abc import AsyncIterator, Callable
from typing import Any

from kubernetes import client as official

from prunella.adapters.kubernetes import client, credentials


@dataclasses.dataclass(frozen=True)
class Request:
    """What arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is sent back; ``fault`` is "hang", "close" or "truncate" in place of a whole answer."""

    status: int = 200
    body: Any = None
    fault: str = ""
    date: str = "Mon, 05 Jan 2026 09:00:00 GMT"
    """The header of that name; empty: there is none."""

    @property
    def content(self) -> bytes:
        """The body as it goes over the wire."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class FakeServer:
    """Answers each request by ``rules``: "METHOD /path" to an answer, or a list to be used up."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.rules: dict[str, Answer | list[Answer] | Callable[[Request], Answer]] = {}
        self.url = ""

    def count(self, method: str) -> int:
        """How many requests of a method arrived."""
        return sum(request.method == method for request in self.requests)

    def _answer(self, request: Request) -> Answer:
        rule = self.rules.get(f"{request.method} {request.path}")
        if rule is None:
            return Answer(404, {"kind": "Status", "message": f"{request.path} not found"})
        if isinstance(rule, list):
            return rule.pop(0)
        return rule if isinstance(rule, Answer) else rule(request)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                request = await _read(reader)
                self.requests.append(request)
                answer = self._answer(request)
                if answer.fault == "hang":
                    await asyncio.Event().wait()
                if answer.fault == "close":
                    break
                writer.write(_head(answer) + answer.content)
                await writer.drain()
                if answer.fault == "truncate":
                    break
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    length = int(headers.get("Content-Length", "0"))
    content = await reader.readexactly(length)
    parts = urllib.parse.urlsplit(target)
    query = dict(urllib.parse.parse_qsl(parts.query))
    body = json.loads(content) if content else None
    return Request(method, parts.path, query, headers, body)


def _head(answer: Answer) -> bytes:
    date = f"Date: {answer.date}\r\n" if answer.date else ""
    length = len(answer.content) + (answer.fault == "truncate") * 10
    return (
        f"HTTP/1.1 {answer.status} X\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n{date}\r\n"
    ).encode()


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[FakeServer]:
    """A server on a free port of 127.0.0.1."""
    fake = FakeServer()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
        await fake.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield fake
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def configuration(url: str) -> official.Configuration:
    """A configuration of the official client, without the proxies of the environment."""
    made = official.Configuration(host=url)
    made.proxy = None
    return made


def api_of(url: str, **options: Any) -> client.KubeApi:
    """A client of a server."""
    given = credentials.explicit(configuration(url))
    return client.KubeApi(given, threads=4, **{"timeout": (1, 5), **options})
