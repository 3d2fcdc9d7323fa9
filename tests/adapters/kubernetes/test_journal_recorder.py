"""The journal at work against an API server that does as it is told."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella import leadership as leaderships
from prunella import ports
from prunella.adapters import telemetry
from prunella.adapters.kubernetes import client
from prunella.adapters.kubernetes.journal import recorder, snapshots
from prunella.adapters.simulated import clock as clocks
from prunella.core.changes import kinds, retention
from tests.adapters.kubernetes import fake_server
from tests.adapters.kubernetes.fake_server import Answer
from tests.unit.core.changes import objects

CONFIG = kinds.BY_NAME["ConfigMap"]
ROUTE = kinds.BY_NAME["HTTPRoute"]
OWN = "/apis/prunella.dev/v1alpha1"
MAPS = "/api/v1/configmaps"
CHANGES = f"{OWN}/namespaces/shop/changes"


def listed(*items: Any) -> Answer:
    """A list of one page."""
    return Answer(200, {"metadata": {"resourceVersion": "100"}, "items": list(items)})


def flags(colour: str, version: int) -> objects.Manifest:
    """ConfigMap flags in a version."""
    return objects.later(objects.config_map(colour=colour), version)


def stored(request: fake_server.Request) -> Answer:
    """A created object as the API server returns it."""
    meta = {**request.body["metadata"], "uid": "u", "resourceVersion": "1"}
    return Answer(201, {**request.body, "metadata": meta})


@pytest.fixture
def server_rules(server: fake_server.FakeServer) -> fake_server.FakeServer:
    """A server with an empty journal and one ConfigMap."""
    server.rules |= {
        f"GET {OWN}/changes": listed(),
        f"GET {OWN}/journalsnapshots": listed(),
        f"GET {MAPS}": listed(flags("blue", 10)),
        f"POST {CHANGES}": stored,
        f"POST {OWN}/namespaces/shop/journalsnapshots": stored,
    }
    return server


def made(api: client.KubeApi, **options: Any) -> recorder.Recorder:
    """A recorder of ConfigMaps and of a kind that is not installed."""
    chosen = recorder.Options(kinds=(CONFIG, ROUTE), **options)
    return recorder.Recorder(
        api, clocks.VirtualClock(objects.NOW), telemetry.PrometheusTelemetry(), chosen
    )


def changed(found: recorder.Recorder, colour: str = "red", version: int = 11) -> None:
    """A watch event."""
    found.apply(CONFIG, {"type": "MODIFIED", "object": flags(colour, version)})


def since(found: recorder.Recorder) -> list[str]:
    """The sentences of the journal of the shop."""
    beginning = objects.NOW - datetime.timedelta(days=1)
    return [each.spec.summary for each in found.journal.changes(["shop"], beginning)]


async def test_only_installed_kinds_are_watched(
    server_rules: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """A custom resource that is not there is left out, one that may not be read, too."""
    found = made(api)
    assert [CONFIG] == list(await found.begin())
    server_rules.rules[f"GET {MAPS}"] = Answer(403, {"message": "forbidden"})
    assert [] == list(await made(api).begin())


async def test_an_unreadable_journal_is_no_empty_one(
    server_rules: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """Without the journal's own objects nothing is begun."""
    server_rules.rules[f"GET {OWN}/changes"] = Answer(500, {"message": "etcd"})
    with pytest.raises(ports.ClusterError):
        await made(api).begin()


async def test_a_change_is_written_and_then_kept(
    server_rules: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """First the Change, then the snapshot that knows of it."""
    found = made(api)
    await found.begin()
    changed(found)
    await found.keep()
    before = [request.path for request in server_rules.requests if request.method == "POST"]
    await found.write()
    await found.keep()
    after = [request.path for request in server_rules.requests if request.method == "POST"]
    assert [] == before
    assert [CHANGES, f"{OWN}/namespaces/shop/journalsnapshots"] == after
    assert ["ConfigMap flags: data.colour blue -> red"] == since(found)
    [kept] = snapshots.unpack(server_rules.requests[-1].body["spec"]["sights"])
    assert {"data": {"colour": "red"}} == kept.content


async def test_what_was_created_is_kept_at_once(
    server_rules: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """After a crash nothing else would tell what a new object was like."""
    found = made(api)
    await found.begin()
    other = objects.config_map(colour="blue")
    other["metadata"] |= {"name": "other", "uid": "u-3", "resourceVersion": "11"}
    found.apply(CONFIG, {"type": "ADDED", "object": other})
    await found.write()
    kept = [
        seen.name
        for request in server_rules.requests
        if request.path.endswith("journalsnapshots") and request.method == "POST"
        for seen in snapshots.unpack(request.body["spec"]["sights"])
    ]
    assert {"flags", "other"} == set(kept)


async def test_a_known_name_is_no_error(
    server_rules: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """Another operator, or this one before a crash, has told it."""
    server_rules.rules[f"POST {CHANGES}"] = Answer(409, {"message": "exists"})
    found = made(api)
    await found.begin()
    changed(found)
    await found.write()
    await found.write()
    assert 1 == server_rules.count("POST")


async def test_a_failed_write_is_tried_again(
    server_rules: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """While the API server does not answer, Changes wait in their order."""
    server_rules.rules[f"POST {CHANGES}"] = [Answer(503, {"message": "busy"}) for _ in range(2)]
    found = made(api)
    await found.begin()
    changed(found)
    changed(found, "green", 12)
    with pytest.raises(ports.ClusterError):
        await found.write()
    server_rules.rules[f"POST {CHANGES}"] = stored
    await found.write()
    assert [
        "ConfigMap flags: data.colour blue -> red",
        "ConfigMap flags: data.colour red -> green",
    ] == sorted(since(found))


async def test_a_refused_write_holds_nothing_up(
    server_rules: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """What the API server will never take is dropped, and the snapshot goes on."""
    server_rules.rules[f"POST {CHANGES}"] = Answer(403, {"message": "exceeded quota"})
    found = made(api)
    await found.begin()
    changed(found)
    await found.write()
    await found.keep()
    assert 2 == server_rules.count("POST")


async def test_a_namespace_that_ends_is_asked_once(
    server_rules: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """All objects of a deleted namespace go: the first refusal is enough, until the next sweep."""
    refused = Answer(403, {"message": "namespace shop is being terminated"})
    server_rules.rules[f"POST {CHANGES}"] = refused
    found = made(api)
    await found.begin()
    for version, colour in enumerate(("red", "green", "blue"), 11):
        changed(found, colour, version)
        await found.write()
    asked = server_rules.count("POST")
    server_rules.rules[f"POST {CHANGES}"] = stored
    await found.sweep()
    changed(found, "pink", 20)
    await found.write()
    assert (1, 2) == (asked, server_rules.count("POST"))


async def test_a_list_finds_what_the_watch_lost(
    server_rules: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """A missed event is told late."""
    found = made(api)
    await found.begin()
    server_rules.rules[f"GET {MAPS}"] = listed(flags("red", 11))
    await found.relist()
    await found.write()
    [change] = found.journal.changes(["shop"], objects.NOW - datetime.timedelta(days=1))
    assert change.spec.late


async def test_retention_deletes_under_the_uid(
    server_rules: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """What is beyond the count of an object is deleted, the newest stays."""
    found = made(api, retention=retention.Retention(per_object=1))
    await found.begin()
    changed(found)
    await found.write()
    changed(found, "green", 12)
    await found.write()
    [old, _] = sorted(found.journal.kept(), key=lambda each: each.version)
    server_rules.rules |= {
        f"DELETE {CHANGES}/{each.name}": Answer(200, {}) for each in found.journal.kept()
    }
    await found.sweep()
    [request] = [each for each in server_rules.requests if each.method == "DELETE"]
    assert {"preconditions": {"uid": "u"}} == request.body
    assert 1 == len(since(found))
    assert old.uid == "u"


class Following(leaderships.Alone):
    """Follows, until it is told to lead."""

    leading = False


async def test_a_follower_keeps_what_the_leader_may_not_have_written(
    server_rules: fake_server.FakeServer, api: client.KubeApi
) -> None:
    """It writes nothing; after two minutes the leader has, and at its turn it writes the rest."""
    told, clock = Following(), clocks.VirtualClock(objects.NOW)
    options = recorder.Options(kinds=(CONFIG, ROUTE))
    found = recorder.Recorder(api, clock, telemetry.PrometheusTelemetry(), options, told)
    await found.begin()
    changed(found, "red", 11)
    await clock.advance(100)
    changed(found, "green", 12)
    await found.follow()
    assert found._sights.waiting == 2
    await clock.advance(30)
    await found.follow()
    await found.end()
    assert (found._sights.waiting, server_rules.count("POST")) == (1, 0)

    told.leading = True
    await found.follow()
    await found.lead()
    await found.write()
    assert since(found) == ["ConfigMap flags: data.colour red -> green"]
