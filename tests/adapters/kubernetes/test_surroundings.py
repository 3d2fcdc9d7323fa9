"""Views of a cluster: what is asked for, how often, and what is left out."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest

from prunella.adapters.kubernetes import client, surroundings
from prunella.core import model
from prunella.core.changes.values import Change
from prunella.core.incidents import anomalies
from tests.adapters.kubernetes import fake_server
from tests.adapters.kubernetes.fake_server import Answer, Request

NOW = datetime.datetime(2026, 3, 2, 12, 0, tzinfo=datetime.UTC)
CART, FRONT = model.Ref("Deployment", "shop", "cart"), model.Ref("Deployment", "web", "front")
SHOP = "/api/v1/namespaces/shop"
NAMESPACED = 5 + 6 + 2
"""Lists of one namespace without a journal: states, wishes, Events."""


class Journal:
    """A journal that watches Services and Deployments."""

    def __init__(self, *refs: model.Ref) -> None:
        self.refs = refs
        self.asked: list[tuple[Collection[str], datetime.datetime]] = []

    def changes(self, namespaces: Collection[str], since: datetime.datetime) -> Sequence[Change]:
        """None, and a note of what was asked for."""
        self.asked.append((namespaces, since))
        return ()

    def manifests(self, namespaces: Collection[str]) -> Mapping[model.Ref, Mapping[str, object]]:
        """What is watched of the namespaces."""
        return {ref: {"told": "journal"} for ref in self.refs if ref.namespace in namespaces}

    async def refer(self, change: Change, incidents: Sequence[str]) -> None:
        """Nobody refers to anything here."""
        raise NotImplementedError


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        """The seconds."""
        return self.at


def listed(*names: str, namespace: str = "shop") -> Answer:
    """A list of objects of these names, with managedFields."""
    items = [
        {"metadata": {"name": name, "namespace": namespace, "managedFields": [{"manager": "x"}]}}
        for name in names
    ]
    return Answer(body={"metadata": {"resourceVersion": "7"}, "items": items})


def serve_all(server: fake_server.FakeServer, *namespaces: str) -> None:
    """Answer every list of some namespaces and of the cluster with nothing."""
    for kind in surroundings.CLUSTER_WIDE:
        server.rules[f"GET {kind.path(None)}"] = listed()
    server.rules[f"GET {surroundings.kinds.LEASE.path('kube-node-lease')}"] = listed()
    for namespace in namespaces:
        for kind in (*surroundings.STATES, *surroundings.WISHES, surroundings.kinds.EVENT):
            server.rules[f"GET {kind.path(namespace)}"] = listed()


def live(
    api: client.KubeApi,
    journal: Journal | None = None,
    calls: Mapping[model.Ref, Collection[model.Ref]] | None = None,
    **options: Any,
) -> surroundings.LiveSurroundings:
    """Surroundings with a given call graph."""

    async def topology(_now: datetime.datetime) -> surroundings.Links:
        return (calls or {}, {})

    made: Any = surroundings.LiveSurroundings
    return made(api, journal, topology, **options)  # type: ignore[no-any-return]


async def test_objects_are_listed_without_managed_fields(
    server: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """Objects have their kind, which items of a list lack, and not half their size of owners."""
    serve_all(server, "shop")
    server.rules[f"GET {SHOP}/pods"] = listed("cart-1")
    view = await live(api).view(["shop"], NOW)
    pod = model.Ref("Pod", "shop", "cart-1")
    assert {pod: {"kind": "Pod", "metadata": {"name": "cart-1", "namespace": "shop"}}} == (
        view.objects
    )
    assert NOW.timestamp() == view.at


async def test_secrets_are_never_asked_for(
    server: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """No list of a view is of Secrets, and none of ConfigMaps, which the journal shows."""
    serve_all(server, "shop")
    await live(api).view(["shop"], NOW)
    paths = [each.path for each in server.requests]
    assert [] == [path for path in paths if path.endswith(("secrets", "configmaps"))]
    assert NAMESPACED + len(surroundings.CLUSTER_WIDE) + 1 == len(paths)


async def test_views_made_side_by_side_share_their_lists(
    server: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """A list that is on its way is waited for, not asked for again."""
    serve_all(server, "shop")
    found = live(api)
    one, other = await asyncio.gather(found.view(["shop"], NOW), found.view(["shop"], NOW))
    assert one == other
    assert NAMESPACED + len(surroundings.CLUSTER_WIDE) + 1 == len(server.requests)


async def test_who_waits_no_longer_takes_no_list_from_others(
    server: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """A view that is given up does not end the lists that another view waits for."""
    arrived = asyncio.Event()

    def pods(_: Request) -> Answer:
        arrived.set()
        return listed("cart-1")

    serve_all(server, "shop")
    server.rules[f"GET {SHOP}/pods"] = pods
    found = live(api)
    given_up = asyncio.create_task(found.view(["shop"], NOW))
    kept = asyncio.create_task(found.view(["shop"], NOW))
    await arrived.wait()
    given_up.cancel()
    assert model.Ref("Pod", "shop", "cart-1") in (await kept).objects


async def test_what_is_journalled_is_not_listed(
    server: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """Services come from the journal; Deployments are listed for their status and win."""
    serve_all(server, "shop")
    server.rules["GET /apis/apps/v1/namespaces/shop/deployments"] = listed("cart")
    service = model.Ref("Service", "shop", "cart")
    gone = model.Ref("Deployment", "shop", "gone")
    journal = Journal(service, CART, gone)
    found = live(api, journal, journalled=lambda: {"Service", "Deployment"})
    view = await found.view(["shop"], NOW)
    assert {service, CART} == set(view.objects)
    assert {"told": "journal"} == view.objects[service]
    assert "Deployment" == view.objects[CART]["kind"]
    assert [] == [each.path for each in server.requests if each.path.endswith("/services")]
    assert [(("shop",), NOW - surroundings.HISTORY)] == journal.asked


async def test_a_kind_is_complete_only_when_it_was_seen_whole_everywhere(
    server: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """A refused list makes a kind incomplete: what is not seen of it may be there."""
    serve_all(server, "shop", "web")
    server.rules["GET /api/v1/namespaces/web/services"] = Answer(403, {"message": "forbidden"})
    view = await live(api).view(["shop", "web"], NOW)
    assert "Service" not in view.complete
    assert {"Pod", "NetworkPolicy", "Node", "PersistentVolumeClaim"} <= view.complete
    assert "Event" not in view.complete


async def test_namespaces_of_callees_and_callers_are_looked_at(
    server: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """A cause in the callee's namespace is in the view of the caller's incident."""
    serve_all(server, "shop", "web")
    await live(api, calls={FRONT: [CART]}).view(["web"], NOW)
    assert f"{SHOP}/pods" in [each.path for each in server.requests]


async def test_namespaces_that_events_name_are_looked_at(
    server: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """Whose pod pushed others off their nodes is in the view, before any topology knows it."""
    serve_all(server, "shop", "batch")
    preempted = listed("cart-1.18ec")
    related = {"kind": "Pod", "namespace": "batch", "name": "report-1"}
    preempted.body["items"][0] |= {"reason": "Preempted", "related": related}
    server.rules[f"GET {surroundings.kinds.EVENT.path('shop')}"] = preempted
    server.rules["GET /api/v1/namespaces/batch/pods"] = listed("report-1", namespace="batch")
    server.rules["GET /api/v1/namespaces/batch/services"] = Answer(403, {"message": "forbidden"})
    journal = Journal()
    view = await live(api, journal).view(["shop"], NOW)
    assert model.Ref("Pod", "batch", "report-1") in view.objects
    assert {"Pod"} == view.complete & {"Pod", "Service"}
    assert [(("shop", "batch"), NOW - surroundings.HISTORY)] == journal.asked


async def test_lists_are_kept_for_seconds(
    server: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """Several incidents of one round share lists; later ones look anew at what may change."""
    serve_all(server, "shop")
    clock = Clock()
    found = live(api, clock=clock)
    await found.view(["shop"], NOW)
    first = len(server.requests)
    await found.view(["shop"], NOW)
    assert first == len(server.requests)
    clock.at += 5
    await found.view(["shop"], NOW)
    paths = [each.path for each in server.requests[first:]]
    assert f"{SHOP}/pods" in paths
    assert "/apis/storage.k8s.io/v1/storageclasses" not in paths


async def test_events_are_chosen_by_the_server(
    server: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """Warnings, and preemptions, which are Normal: no other Events are carried."""
    serve_all(server, "shop")
    await live(api).view(["shop"], NOW)
    chosen = {each.query.get("fieldSelector") for each in server.requests if "events" in each.path}
    assert {"type=Warning", "reason=Preempted"} == chosen


async def test_a_long_list_is_cut_and_incomplete(
    server: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """A namespace with thousands of pods costs a bounded number of pages."""
    serve_all(server, "shop")

    def page(request: Request) -> Answer:
        at = int(request.query.get("continue", "0"))
        body = {"metadata": {"continue": str(at + 1)}, "items": [
            {"metadata": {"name": f"pod-{at}", "namespace": "shop"}}]}  # fmt: skip
        return Answer(body=body)

    server.rules[f"GET {SHOP}/pods"] = page
    view = await live(api).view(["shop"], NOW)
    assert surroundings.looks.MOST_PAGES == sum(ref.kind == "Pod" for ref in view.objects)
    assert "Pod" not in view.complete


async def test_nothing_is_listed_when_lists_are_off(
    server: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """Without the rights only what is watched is in a view."""
    service = model.Ref("Service", "shop", "cart")
    found = live(api, Journal(service), journalled=lambda: {"Service"}, lists=False)
    view = await found.view(["shop"], NOW)
    assert ([service], {"Service"}, 0) == (
        list(view.objects), view.complete, len(server.requests)
    )  # fmt: skip


@pytest.mark.parametrize("fault", ["close", "truncate"])
async def test_a_view_never_raises(
    server: fake_server.FakeServer, api: client.KubeApi, fault: str
) -> None:
    """What can't be read is not in it."""
    serve_all(server, "shop")
    server.rules[f"GET {SHOP}/pods"] = Answer(body={}, fault=fault)
    view = await live(api).view(["shop"], NOW)
    assert "Pod" not in view.complete


async def test_measurements_are_of_the_wider_namespaces(
    server: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """What is called in other namespaces is measured too."""
    serve_all(server, "shop", "web")
    asked = []

    class Measured:
        async def measurements(
            self, namespaces: Collection[str], now: datetime.datetime
        ) -> tuple[anomalies.Measurement, ...]:
            asked.append((set(namespaces), now))
            return ()

    telemetry = surroundings.Telemetry(Measured())
    await live(api, calls={FRONT: [CART]}, telemetry=telemetry).view(["web"], NOW)
    assert [({"shop", "web"}, NOW)] == asked


async def test_a_slow_metrics_source_holds_up_no_view(
    server: fake_server.FakeServer, api: client.KubeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view does without measurements that are not there in time."""
    serve_all(server, "shop")
    monkeypatch.setattr(surroundings, "METRICS_SECONDS", 0.05)

    class Slow:
        async def measurements(
            self, namespaces: Collection[str], now: datetime.datetime
        ) -> tuple[anomalies.Measurement, ...]:
            del namespaces, now
            await asyncio.Event().wait()
            return ()

    view = await live(api, telemetry=surroundings.Telemetry(Slow())).view(["shop"], NOW)
    assert () == view.measurements


async def test_a_slow_topology_holds_up_the_first_view_at_most(
    server: fake_server.FakeServer, api: client.KubeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later views go on with what is known while it is asked anew."""
    serve_all(server, "web", "shop")
    monkeypatch.setattr(surroundings, "FIRST_SECONDS", 0.05)
    answered = asyncio.Event()

    async def topology(_now: datetime.datetime) -> surroundings.Links:
        await answered.wait()
        return ({FRONT: [CART]}, {})

    found = surroundings.LiveSurroundings(api, None, topology)
    first = await found.view(["web"], NOW)
    answered.set()
    await asyncio.sleep(0)
    second = await found.view(["web"], NOW)
    assert ({}, {FRONT: [CART]}) == (first.calls, second.calls)


async def test_a_topology_that_fails_once_is_asked_again(
    server: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """Until then views go on with what is known."""
    serve_all(server, "web", "shop")
    clock, answers = Clock(), [None, {FRONT: [CART]}, None]

    async def topology(_now: datetime.datetime) -> surroundings.Links:
        answer = answers.pop(0)
        if answer is None:
            raise RuntimeError("changed while it was read")
        return (answer, {})

    found = surroundings.LiveSurroundings(api, None, topology, clock=clock)
    seen = []
    for _ in range(3):
        await found.view(["web"], NOW)
        await asyncio.sleep(0)
        seen.append((await found.view(["web"], NOW)).calls)
        clock.at += surroundings.TOPOLOGY_SECONDS
    assert [{}, {FRONT: [CART]}, {FRONT: [CART]}] == seen
