"""What is read from the API server, and what is written to it, against a stand-in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from lab.shop.api import ApiServer
from lab.shop.containers import Note
from lab.shop.kubelet import Writes
from lab.shop.objects import SHOP_LABEL, Object, Picture
from lab.shop.plane import Second
from lab.shop.writer import Writer
from tests.lab.shop.cluster import START, pod

Asked = tuple[str, str, Any]
"""Method, path and body of a request."""


class StandIn:
    """Answers lists and watches of pods, and keeps what is written."""

    def __init__(self) -> None:
        self.items: list[Object] = []
        self.watches: list[list[bytes]] = []
        """What each watch sends, piece by piece; then it stays open, as real ones do."""
        self.asked: list[Asked] = []
        self.codes: dict[str, int] = {}
        """Codes that are not 200, by method."""
        self.lists = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        if request.method != "GET":
            body = await request.text()
            self.asked.append((request.method, request.path, json.loads(body) if body else None))
            return web.json_response({}, status=self.codes.get(request.method, 200))
        if "watch" not in request.query:
            self.lists += 1
            return web.json_response({"metadata": {"resourceVersion": "7"}, "items": self.items})
        stream = web.StreamResponse()
        await stream.prepare(request)
        for piece in self.watches.pop(0) if self.watches else []:
            await stream.write(piece)
            await asyncio.sleep(0.01)
        await asyncio.sleep(30)
        return stream


@pytest.fixture
async def stand_in() -> StandIn:
    """What the tests tell what to answer."""
    return StandIn()


@pytest.fixture
async def server(stand_in: StandIn, tmp_path: pathlib.Path) -> AsyncIterator[ApiServer]:
    """A client of the stand-in."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", stand_in.answer)
    async with TestServer(application) as running:
        path = tmp_path / "kubeconfig"
        cluster = {"server": str(running.make_url("")), "insecure-skip-tls-verify": True}
        document = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        path.write_text(yaml.safe_dump(document))
        async with ApiServer(path) as client:
            yield client


async def _until(good: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not good():  # noqa: ASYNC110 - the stand-in has no event to wait for
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def _following(server: ApiServer, picture: Picture) -> AsyncIterator[None]:
    first = asyncio.Event()
    task = asyncio.create_task(server.follow("Pod", picture, first))
    await first.wait()
    try:
        yield
    finally:
        task.cancel()


def _event(kind: str, found: Object) -> bytes:
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


async def test_a_picture_follows_the_watch(stand_in: StandIn, server: ApiServer) -> None:
    """Listed, added (in two pieces), changed, deleted; bookmarks are no pods."""
    one, two = pod("one"), pod("two")
    stand_in.items = [{**one, "metadata": {**one["metadata"], "managedFields": [{}]}}]
    added = _event("ADDED", two)
    bookmark = _event("BOOKMARK", {"metadata": {"resourceVersion": "9"}})
    stand_in.watches = [[added[:20], added[20:] + bookmark, _event("DELETED", one)]]
    picture = Picture()

    async with _following(server, picture):
        assert "managedFields" not in picture.all("Pod")[0]["metadata"]
        await _until(lambda: [*picture.kinds["Pod"]] == [("shop-core", "two")])


async def test_a_watch_that_has_expired_begins_with_a_list(
    stand_in: StandIn, server: ApiServer
) -> None:
    """An ERROR event ends it."""
    stand_in.watches = [[_event("ERROR", {"code": 410})], []]
    picture = Picture()

    async with _following(server, picture):
        await _until(lambda: stand_in.lists == 2)


def _second(**parts: Any) -> Second:
    writes = Writes(parts.get("statuses", []), parts.get("notes", []), parts.get("deletions", []))
    return Second(writes, [], {}, {})


async def _sent(stand_in: StandIn, count: int) -> list[Asked]:
    await _until(lambda: len(stand_in.asked) >= count)
    await asyncio.sleep(0.05)
    return stand_in.asked


async def test_the_newest_status_of_a_pod_is_what_stays(
    stand_in: StandIn, server: ApiServer
) -> None:
    """Statuses of one pod go one after another, and those between may be left out."""
    writer, owner = Writer(server), pod("one")
    for phase in ("Pending", "Pending", "Running"):
        writer.send(_second(statuses=[(owner, {"phase": phase})]), [], START)
    asked = await _sent(stand_in, 1)

    method, path, body = asked[-1]
    assert (method, path) == ("PATCH", "/api/v1/namespaces/shop-core/pods/one/status")
    assert body == {"metadata": {"uid": "uid-one"}, "status": {"phase": "Running"}}


async def test_an_event_is_created_once_and_counted_after(
    stand_in: StandIn, server: ApiServer
) -> None:
    """As the kubelet does; not more often than every ten seconds."""
    writer, owner = Writer(server), pod("one")
    note = Note("BackOff", "Back-off restarting failed container", warning=True)
    for second in range(21):
        writer.send(_second(notes=[(owner, note)]), [], START + second)
    asked = await _sent(stand_in, 3)

    assert [method for method, _, _ in asked] == ["POST", "PATCH", "PATCH"]
    created = asked[0][2]
    assert (created["type"], created["reason"]) == ("Warning", "BackOff")
    assert created["involvedObject"]["name"] == "one"
    assert created["source"] == {"component": "kubelet", "host": "shop-node-1"}
    assert sorted(body["count"] for method, _, body in asked if method == "PATCH") == [11, 21]


async def test_a_pod_is_deleted_with_its_uid(stand_in: StandIn, server: ApiServer) -> None:
    """Another pod of the same name must not be hit, and one request is enough."""
    writer = Writer(server)
    for second in range(3):
        writer.send(_second(deletions=[pod("one")]), [], START + second)
    asked = await _sent(stand_in, 1)

    assert [(method, path) for method, path, _ in asked] == [
        ("DELETE", "/api/v1/namespaces/shop-core/pods/one")
    ]
    assert asked[0][2]["preconditions"] == {"uid": "uid-one"}


def _node(**chaos: str) -> Object:
    notes = {f"chaos.lab.prunella.dev/{key}": value for key, value in chaos.items()}
    return {"metadata": {"name": "n1", "labels": {SHOP_LABEL: "shop"}, "annotations": notes}}


async def test_a_node_renews_its_lease_and_says_that_it_is_ready(
    stand_in: StandIn, server: ApiServer
) -> None:
    """A lease that is not there yet is created."""
    stand_in.codes = {"PATCH": 404}
    Writer(server).send(_second(), [_node()], START)
    asked = await _sent(stand_in, 3)

    leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    written = {(method, path): body for method, path, body in asked}
    assert ("PATCH", f"{leases}/n1") in written
    assert written["POST", leases]["spec"]["holderIdentity"] == "n1"
    status = written["PATCH", "/api/v1/nodes/n1/status"]["status"]
    assert ("Ready", "True") in [(c["type"], c["status"]) for c in status["conditions"]]
    assert status["capacity"]["cpu"] == "4"


@pytest.mark.parametrize(
    ("node", "count"),
    [
        pytest.param(_node(node="down"), 0, id="without power"),
        pytest.param(_node(node="kubelet-stopped"), 0, id="without a kubelet"),
        pytest.param(_node(node="runtime-down"), 2, id="without a runtime"),
        pytest.param({"metadata": {"name": "n1"}}, 0, id="of somebody else"),
    ],
)
async def test_which_nodes_say_something(
    stand_in: StandIn, server: ApiServer, node: Object, count: int
) -> None:
    """A silent node becomes NotReady by the real controller, later."""
    Writer(server).send(_second(), [node], START)
    await asyncio.sleep(0.1)

    assert count == len(stand_in.asked)


async def test_refused_writes_end_nothing(stand_in: StandIn, server: ApiServer) -> None:
    """The code is told; an address where nobody answers is 0."""
    stand_in.codes = {"PATCH": 409}

    assert await server.write("PATCH", "/x", {}) == 409
    server._url = "http://127.0.0.1:1"
    assert await server.write("PATCH", "/x", {}) == 0
    assert not await server.answers()
