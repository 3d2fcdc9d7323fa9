"""Captures on a real API: what is asked for, and what is left out."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import http.server
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from prunella import ports
from prunella.adapters.kubernetes import captures, client
from prunella.api import capture as api_capture
from prunella.core.outcomes import capturing
from tests.adapters.kubernetes.fake_server import Answer, FakeServer
from tests.unit.core import builders

NOW = builders.NOW


class Dump(http.server.BaseHTTPRequestHandler):
    """A pod that gives a dump."""

    answer: ClassVar[tuple[int, bytes]] = (200, b"goroutine 1\npassword=hunter2\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer."""
        status, content = self.answer
        self.send_response(status)
        self.send_header("Location", "http://169.254.169.254/")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a pod that answers on this machine, which may be asked here."""
    monkeypatch.setattr(captures, "_local", lambda _: False)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Dump)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] - some hang up early
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


LONG = b"".join(b"goroutine %d\n" % number for number in range(100_000))
DUMPS = {
    "text": ((200, b"goroutine 1"), "goroutine 1", ""),
    "the end of a long one": ((200, LONG), LONG[-3 * 4096 :].decode(), ""),
    "a character that is cut in two": (
        (200, b"x" + "é".encode() * 6200 + b"x"),
        "é" * 6143 + "x",
        "",
    ),
    "one that is far too long": (
        (200, b"x" * (captures.MOST_DUMP + 1)),
        "",
        "more than 16777216 bytes",
    ),
    "not text": ((200, b"\xff\xfe\x00"), "", "it is not text"),
    "a redirect": ((302, b""), "", "answered 302"),
}


@pytest.mark.parametrize(("answer", "text", "problem"), DUMPS.values(), ids=DUMPS)
async def test_a_dump_is_kept_if_it_is_text(
    api: client.KubeApi,
    pod: int,
    monkeypatch: pytest.MonkeyPatch,
    answer: tuple[int, bytes],
    text: str,
    problem: str,
) -> None:
    """No redirect is followed; what is not text can't be searched for credentials."""
    monkeypatch.setattr(Dump, "answer", answer)
    limits = api_capture.CapturePolicy.model_validate(
        {"http": {"port": pod, "path": "/dump"}, "maxBytes": 4096}
    )
    port = captures.KubernetesCaptures(api)
    found: list[capturing.Part] = []
    raw: dict[str, Any] = {"status": {"podIP": "127.0.0.1"}}
    await captures._add(found, "dump", port._dump(raw, limits))
    assert text == found[0].text
    assert problem in found[0].problem


@pytest.mark.parametrize("dripped", [b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_a_dump_without_end_is_left(
    api: client.KubeApi, monkeypatch: pytest.MonkeyPatch, dripped: bytes
) -> None:
    """Given a pod that drips its headers or its body, then that ends with the time."""
    monkeypatch.setattr(captures, "_local", lambda _: False)

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(dripped)
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        number = server.sockets[0].getsockname()[1]
        asked = {"http": {"port": number, "path": "/dump"}, "timeout": "1s"}
        limits = api_capture.CapturePolicy.model_validate(asked)
        found: list[capturing.Part] = []
        raw: dict[str, Any] = {"status": {"podIP": "127.0.0.1"}}
        port = captures.KubernetesCaptures(api)
        await captures._add(found, "dump", port._dump(raw, limits))
    assert ("", "no answer, or no end of it, in time") == (found[0].text, found[0].problem)


LOCAL = ("127.0.0.1", "169.254.169.254", "::", "224.0.0.1", "::1", "fe80::1")
LOCAL += ("::ffff:169.254.169.254", "fd00:ec2::254", "168.63.129.16", "not-an-address")
LOCAL += (
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "::ffff:127.0.0.1",
    "2852039166",
    "0xa9fea9fe",
)


@pytest.mark.parametrize("address", LOCAL)
async def test_only_pods_are_asked_for_a_dump(
    api: client.KubeApi, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Who may write a pod's status doesn't make the operator ask a cloud for credentials."""
    asked: list[str] = []

    async def fetched(url: str, _: object) -> bytes:
        asked.append(url)
        return b"secret"

    monkeypatch.setattr(captures, "_fetched", fetched)
    limits = api_capture.CapturePolicy.model_validate({"http": {"port": 80, "path": "/latest"}})
    found: list[capturing.Part] = []
    port = captures.KubernetesCaptures(api)
    await captures._add(found, "dump", port._dump({"status": {"podIP": address}}, limits))
    assert ("", []) == (found[0].text, asked)
    assert f"{address} is no address of a pod" in found[0].problem


async def test_each_part_that_can_not_be_had_says_why(
    server: FakeServer, api: client.KubeApi
) -> None:
    """Given an API server that refuses, then there are parts with its words, and no error."""
    limits = api_capture.CapturePolicy.model_validate({"logs": "Previous"})
    found: list[capturing.Part] = []
    refused = Answer(403, {"message": "not for you"})
    server.rules["GET /apis/apps/v1/namespaces/shop/deployments/checkout"] = refused
    await captures.KubernetesCaptures(api).look(builders.record("R"), limits, found)
    assert ["Deployment/checkout", "Deployment/checkout events", "pods"] == [
        part.name for part in found
    ]
    assert all(part.problem for part in found)


async def test_it_is_owned_by_its_record(server: FakeServer, api: client.KubeApi) -> None:
    """So that it goes with it; a second one is refused by its name."""
    path = "POST /apis/prunella.dev/v1alpha1/namespaces/shop/captures"
    server.rules[path] = Answer(201, {})
    port = captures.KubernetesCaptures(api)
    record = builders.record("R")
    limits = api_capture.CapturePolicy()
    spec = await port.pack(record, [capturing.Part("a", "x")], limits, NOW)
    await port.keep(record, spec)
    (owner,) = server.requests[-1].body["metadata"]["ownerReferences"]
    assert ("Remediation", "R", record.uid) == (owner["kind"], owner["name"], owner["uid"])
    server.rules[path] = Answer(409, {"message": "exists"})
    with pytest.raises(ports.Conflict):
        await port.keep(record, spec)


async def test_what_has_expired_is_deleted(server: FakeServer, api: client.KubeApi) -> None:
    """Under its UID, and nothing that has time left."""
    meta = {"namespace": "shop", "uid": "u"}
    soon = (NOW + datetime.timedelta(seconds=1)).isoformat()
    items = [
        {"metadata": {**meta, "name": "old"}, "spec": {"expiresAt": NOW.isoformat()}},
        {"metadata": {**meta, "name": "new"}, "spec": {"expiresAt": soon}},
    ]
    root = "/apis/prunella.dev/v1alpha1"
    server.rules[f"GET {root}/captures"] = Answer(200, {"metadata": {}, "items": items})
    server.rules[f"DELETE {root}/namespaces/shop/captures/old"] = Answer(200, {})
    await captures.KubernetesCaptures(api).expire(NOW)
    deleted = [each for each in server.requests if each.method == "DELETE"]
    assert [f"{root}/namespaces/shop/captures/old"] == [each.path for each in deleted]
    assert {"preconditions": {"uid": "u"}} == deleted[0].body
