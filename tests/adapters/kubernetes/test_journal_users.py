"""Users in the journal: known before the Change, while it is written, after it, after a restart."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella import ports
from prunella.adapters import telemetry
from prunella.adapters.kubernetes import client
from prunella.adapters.kubernetes.journal import recorder, users
from prunella.adapters.simulated import clock as clocks
from prunella.api.change import Author, Verb
from prunella.core.changes import audit
from tests.adapters.kubernetes import fake_server
from tests.adapters.kubernetes.fake_server import Answer
from tests.adapters.kubernetes.test_journal_recorder import (
    CHANGES,
    CONFIG,
    MAPS,
    OWN,
    changed,
    flags,
    listed,
)
from tests.unit.core.changes import objects

REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
ACCOUNT = "system:serviceaccount:prunella-system:prunella"
BEGINNING = objects.NOW - datetime.timedelta(days=1)


class ApiServer:
    """The Changes of the shop as an API server keeps them."""

    def __init__(self, fake: fake_server.FakeServer) -> None:
        self.fake = fake
        self.kept: dict[str, Any] = {}
        self.versions = 0
        fake.rules |= {
            f"POST {REVIEW}": Answer(201, {"status": {"userInfo": {"username": ACCOUNT}}}),
            f"GET {OWN}/changes": lambda _: listed(*self.kept.values()),
            f"GET {OWN}/journalsnapshots": listed(),
            f"GET {MAPS}": listed(flags("blue", 10)),
            f"POST {CHANGES}": self.create,
            f"POST {OWN}/namespaces/shop/journalsnapshots": self.create,
        }

    def create(self, request: fake_server.Request) -> Answer:
        """Keep a Change, without a status; it may be read and its status replaced."""
        name = request.body["metadata"]["name"]
        if request.path == CHANGES:
            self.fake.rules[f"GET {CHANGES}/{name}"] = lambda _: Answer(200, self.kept[name])
            self.fake.rules[f"PUT {CHANGES}/{name}/status"] = self.restate
        return self._keep(request, 201, {})

    def restate(self, request: fake_server.Request) -> Answer:
        """Replace a status under the resourceVersion."""
        meta = request.body["metadata"]
        if meta["resourceVersion"] != self.kept[meta["name"]]["metadata"]["resourceVersion"]:
            return Answer(409, {"message": "changed meanwhile"})
        return self._keep(request, 200, request.body["status"])

    def _keep(self, request: fake_server.Request, code: int, status: Any) -> Answer:
        self.versions += 1
        meta = {**request.body["metadata"], "uid": "u", "resourceVersion": str(self.versions)}
        found = {**request.body, "metadata": meta, "status": status}
        if "changes" in request.path:
            self.kept[meta["name"]] = found
        return Answer(code, found)


@pytest.fixture
def api_server(server: fake_server.FakeServer) -> ApiServer:
    """One with an empty journal and one ConfigMap."""
    return ApiServer(server)


async def begun(api: client.KubeApi) -> recorder.Recorder:
    """A recorder that hears of users."""
    chosen = recorder.Options(kinds=(CONFIG,), audit=True)
    clock = clocks.VirtualClock(objects.NOW)
    found = recorder.Recorder(api, clock, telemetry.PrometheusTelemetry(), chosen)
    await found.begin()
    return found


def write(user: str = "ada", **fields: Any) -> audit.Write:
    """An update of ConfigMap flags at this moment."""
    now = objects.NOW.timestamp()
    made = audit.Write("1", Verb.MODIFIED, "ConfigMap", "shop", "flags", user, "", now, now)
    return made._replace(**fields)


def by(found: recorder.Recorder) -> Author:
    """Who made the only Change."""
    [change] = found.journal.changes(["shop"], BEGINNING)
    return change.by


ADA = Author(user="ada")


async def test_an_event_before_the_change(api_server: ApiServer, api: client.KubeApi) -> None:
    """The user stands in the spec, and in the sentence: one request is enough."""
    found = await begun(api)
    assert (1, 0) == (found.told([write()]), found.told([write()]))
    changed(found)
    await found.write()
    await found.name_users()
    [kept] = api_server.kept.values()
    assert {"user": "ada"} == kept["spec"]["by"]
    assert "ConfigMap flags: data.colour blue -> red, by ada" == kept["spec"]["summary"]
    assert (ADA, 0) == (by(found), api_server.fake.count("PUT"))


async def test_an_event_after_the_change(api_server: ApiServer, api: client.KubeApi) -> None:
    """The Change does not wait: its user is written into its status, its spec stays."""
    found = await begun(api)
    changed(found)
    await found.write()
    before = by(found)
    found.told([write()])
    await found.name_users()
    await found.name_users()
    [kept] = api_server.kept.values()
    assert (Author(), ADA, 1) == (before, by(found), api_server.fake.count("PUT"))
    assert {"incidents": [], "by": {"user": "ada", "own": False}} == kept["status"]
    assert "by" not in kept["spec"]


async def test_an_event_while_the_change_is_written(
    api_server: ApiServer, api: client.KubeApi
) -> None:
    """What comes between the look and the answer is not lost."""
    found = await begun(api)
    changed(found)

    def create(request: fake_server.Request) -> Answer:
        found.told([write()])
        return api_server.create(request)

    api_server.fake.rules[f"POST {CHANGES}"] = create
    await found.write()
    await found.name_users()
    assert ADA == by(found)


@pytest.mark.usefixtures("api_server")
async def test_an_event_after_a_restart(api: client.KubeApi) -> None:
    """The API server sends again what found nobody: the Change of before is named."""
    first = await begun(api)
    changed(first)
    await first.write()
    second = await begun(api)
    second.told([write()])
    await second.name_users()
    assert ADA == by(second)
    assert ADA == by(await begun(api))


async def test_references_and_users_leave_each_other_alone(
    api_server: ApiServer, api: client.KubeApi
) -> None:
    """Both are in the status, and each write keeps what the other has written."""
    found = await begun(api)
    changed(found)
    await found.write()
    [change] = found.journal.changes(["shop"], BEGINNING)
    await found.journal.refer(change, ["shop/inc-1"])
    found.told([write()])
    await found.name_users()
    await found.journal.refer(change, ["shop/inc-2"])
    [change] = found.journal.changes(["shop"], BEGINNING)
    assert (("shop/inc-2",), ADA) == (change.incidents, change.by)
    assert 3 == api_server.fake.count("PUT")


FAULTS = [
    pytest.param(Answer(409, {"message": "changed"}), False, id="another has written meanwhile"),
    pytest.param(Answer(503, {"message": "busy"}), True, id="no answer"),
]


@pytest.mark.parametrize(("fault", "raises"), FAULTS)
async def test_a_user_that_could_not_be_written_is_tried_again(
    api_server: ApiServer, api: client.KubeApi, fault: Answer, *, raises: bool
) -> None:
    """The next time does it."""
    found = await begun(api)
    changed(found)
    await found.write()
    [name] = api_server.kept
    path = f"PUT {CHANGES}/{name}/status"
    good, api_server.fake.rules[path] = api_server.fake.rules[path], fault
    found.told([write()])
    raised = False
    try:
        await found.name_users()
    except ports.ClusterError:
        raised = True
    api_server.fake.rules[path] = good
    await found.name_users()
    assert (raises, ADA) == (raised, by(found))


async def test_a_refused_user_holds_nothing_up(api_server: ApiServer, api: client.KubeApi) -> None:
    """What the API server will never take is asked once."""
    found = await begun(api)
    changed(found)
    await found.write()
    [name] = api_server.kept
    api_server.fake.rules[f"PUT {CHANGES}/{name}/status"] = Answer(403, {"message": "no"})
    found.told([write()])
    await found.name_users()
    await found.name_users()
    assert (Author(), 1) == (by(found), api_server.fake.count("PUT"))


async def test_the_operator_s_own_account_is_its_own(
    api_server: ApiServer, api: client.KubeApi
) -> None:
    """It asks the API server who it is; a deletion by it is no suspect then."""
    found = await begun(api)
    found.told([write(ACCOUNT, verb=Verb.DELETED)])
    found.apply(CONFIG, {"type": "DELETED", "object": flags("blue", 11)})
    await found.write()
    [kept] = api_server.kept.values()
    assert "ConfigMap flags: deleted, by prunella" == kept["spec"]["summary"]
    assert Author(user=ACCOUNT, own=True) == by(found)


async def test_an_old_api_server_does_not_tell_who_we_are(
    api_server: ApiServer, api: client.KubeApi
) -> None:
    """Users are named nevertheless; when there is no answer at all, the start is tried again."""
    api_server.fake.rules[f"POST {REVIEW}"] = Answer(404, {"message": "not found"})
    found = await begun(api)
    found.told([write(ACCOUNT)])
    changed(found)
    await found.write()
    assert Author(user=ACCOUNT) == by(found)
    api_server.fake.rules[f"POST {REVIEW}"] = Answer(500, {"message": "etcd"})
    with pytest.raises(ports.ClusterError):
        await begun(api)


async def test_what_waits_is_bounded(
    api_server: ApiServer, api: client.KubeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users of more Changes than there is room for are left out; the Changes are not."""
    monkeypatch.setattr(users, "MOST_WAITING", 0)
    found = await begun(api)
    changed(found)
    await found.write()
    found.told([write()])
    await found.name_users()
    assert (Author(), 0) == (by(found), api_server.fake.count("PUT"))
