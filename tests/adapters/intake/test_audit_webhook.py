"""The audit webhook: writes of journalled objects with their users, no trace of anything else."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from prunella import settings
from prunella.adapters.intake import audit_payload, audit_webhook, server, webhook, wired
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import telemetry
from prunella.api.change import Verb
from prunella.core.changes import audit, kinds
from tests.adapters.intake import audits, bodies, conftest, test_webhook
from tests.adapters.intake.audits import event, ref

BEGUN = bodies.START.timestamp() - 1
SCOPE = audit_payload.Scope(closed_namespaces={"kube-system"})


class Stage:
    """An endpoint in virtual time, with the memory that the journal has."""

    def __init__(
        self, wanted: settings.Webhook | None = None, scope: audit_payload.Scope = SCOPE
    ) -> None:
        self.clock, self.telemetry = (
            clocks.VirtualClock(bodies.START),
            telemetry.RecordingTelemetry(),
        )
        self.memory = audit.Writes()
        self.endpoint = audit_webhook.AuditWebhook(
            webhook.Doorkeeper(wanted or settings.Webhook()),
            scope,
            self.told,
            self.clock,
            self.telemetry,
        )

    def told(self, writes: Sequence[audit.Write]) -> int:
        """Take in writes."""
        return len(self.memory.take(writes, self.clock.now().timestamp()))


def written(**fields: Any) -> audit.Write:
    """The write that `audits.event` tells of."""
    made = audit.Write(
        id="7f4fb40d-06ec-4bb6-a7d6-18f5a3b4fe9b",
        verb=Verb.MODIFIED,
        kind="Deployment",
        namespace="shop",
        name="cart",
        user="ada",
        manager="kubectl-edit",
        begun=BEGUN,
        done=pytest.approx(BEGUN + 0.01),  # type: ignore[arg-type]
    )
    return made._replace(**fields)


AFTER = {"kind": "Deployment", "metadata": {"name": "cart", "uid": "u-7", "resourceVersion": "41"}}
GONE = {"status": "Success", "details": {"name": "cart", "uid": "u-7"}, "code": 200}
POST = "/apis/apps/v1/namespaces/shop/deployments"
READ = [
    pytest.param(event(), written(), id="level Metadata"),
    pytest.param(
        event(responseObject=AFTER), written(uid="u-7", version=41), id="level RequestResponse"
    ),
    pytest.param(
        event(verb="update", objectRef=ref(uid="u-7", resourceVersion="40")),
        written(uid="u-7", on_version=40),
        id="an update names the version that it was made on",
    ),
    pytest.param(
        event(requestURI=POST), written(manager="kubectl"), id="the first word of the user agent"
    ),
    pytest.param(
        event(verb="create", requestURI=POST, responseStatus={"code": 201}),
        written(verb=Verb.CREATED, manager="kubectl"),
        id="a creation",
    ),
    pytest.param(
        event(
            verb="create",
            objectRef=ref(name=""),
            responseStatus={"code": 201},
            responseObject=AFTER,
        ),
        written(verb=Verb.CREATED, uid="u-7", version=41),
        id="a name that the API server gave",
    ),
    pytest.param(
        event(responseStatus={"code": 201}),
        written(verb=Verb.CREATED),
        id="server-side apply of a new object",
    ),
    pytest.param(
        event(verb="delete", responseStatus=GONE),
        written(verb=Verb.DELETED, uid="u-7"),
        id="a deletion",
    ),
    pytest.param(
        event(verb="deletecollection", objectRef=ref(name="")),
        written(verb=Verb.DELETED, name=""),
        id="a deletion of all",
    ),
    pytest.param(event(objectRef=ref(subresource="scale")), written(), id="by the scale"),
    pytest.param(
        event(impersonatedUser={"username": "admin"}),
        written(user="ada as admin"),
        id="as somebody else",
    ),
    pytest.param(
        event(user={"username": "a\u001b[31mda\n"}),
        written(user="a[31mda"),
        id="nothing unprintable",
    ),
    pytest.param(event(user={"username": "a" * 999}), written(user="a" * 253), id="a long name"),
    pytest.param(
        event(objectRef={"resource": "nodes", "name": "node-1"}),
        written(kind="Node", namespace="", name="node-1"),
        id="a node",
    ),
    pytest.param(event(stage="RequestReceived"), None, id="another stage"),
    pytest.param(event(stage="Panic"), None, id="a request that failed inside"),
    pytest.param(event(verb="get"), None, id="a read"),
    pytest.param(event(responseStatus={"code": 409}), None, id="a refusal"),
    pytest.param(event(responseStatus=None), None, id="no answer"),
    pytest.param(event(objectRef=None), None, id="no object"),
    pytest.param(event(requestURI=audits.EDIT + "&dryRun=All"), None, id="a dry run"),
    pytest.param(event(objectRef=ref(subresource="status")), None, id="a status"),
    pytest.param(event(objectRef=ref(resource="pods", apiGroup="")), None, id="another kind"),
    pytest.param(event(objectRef=ref(resource="secrets", apiGroup="")), None, id="a Secret"),
    pytest.param(event(objectRef=ref(apiGroup="extensions")), None, id="another group"),
    pytest.param(event(objectRef=ref(namespace="kube-system")), None, id="a closed namespace"),
    pytest.param(event(user={}), None, id="nobody"),
    pytest.param(event(objectRef=ref(name="")), None, id="no name"),
]


@pytest.mark.parametrize(("raw", "expected"), READ)
def test_what_is_read_of_an_event(raw: audits.Raw, expected: audit.Write | None) -> None:
    """Completed, successful writes of journalled objects; all else is left out."""
    body = audit_payload.Reader(SCOPE).read(audits.body(raw))
    assert (1, [expected] if expected is not None else []) == (body.events, body.writes)


def test_only_watched_namespaces_and_journalled_kinds() -> None:
    """Writes of which no Change can come take no memory."""
    some = tuple(kind for kind in kinds.ALL if kind.name != "Service")
    reader = audit_payload.Reader(audit_payload.Scope(some, {"shop"}))
    service = ref(resource="services", apiGroup="")
    events = [event(), event(objectRef=ref(namespace="bank")), event(objectRef=service)]
    node = event(objectRef={"resource": "nodes", "name": "node-1"})
    kept = reader.read(audits.body(*events, node)).writes
    assert [("Deployment", "shop"), ("Node", "")] == [(e.kind, e.namespace) for e in kept]


def test_a_status_counts_where_a_change_can_come_of_it() -> None:
    """What a GitOps tool has applied stands in the status."""
    application = ref(resource="applications", apiGroup="argoproj.io", subresource="status")
    [found] = audit_payload.Reader(SCOPE).read(audits.body(event(objectRef=application))).writes
    assert "Application" == found.kind


def test_no_value_of_an_object_is_kept() -> None:
    """Whatever the level of the audit policy: of bodies only UID, name and version are read."""
    secret = {"data": {"password": "aHVudGVyMg"}}
    stage = Stage()
    told = event(requestObject=secret, responseObject={**AFTER, **secret})
    assert 200 == stage.endpoint.take(audits.body(told)).status
    assert 1 == len(stage.memory)
    assert "aHVudGVyMg" not in repr(stage.memory._kept)


REFUSED = [
    pytest.param(b"{", "Invalid JSON", id="no JSON"),
    pytest.param(b"[]", "the body: Input should be", id="no object"),
    pytest.param(audits.body(kind="Event"), "kind: Input should be 'EventList'", id="another kind"),
    pytest.param(
        audits.body(apiVersion="audit.k8s.io/v1beta1"), "apiVersion: Input should be", id="version"
    ),
    pytest.param(audits.body(items=None), "items: Input should be", id="no list"),
    pytest.param(audits.body(event(), {}), "items.1.auditID: Field required", id="no event"),
    pytest.param(
        audits.body(event(stageTimestamp="soon")), "items.0.stageTimestamp: ", id="no time"
    ),
    pytest.param(audits.body(event(user="ada")), "items.0.user: ", id="no user"),
    pytest.param(bodies.body(bodies.alert()), "kind: Field required", id="alerts"),
]


@pytest.mark.parametrize(("body", "message"), REFUSED)
def test_refused(body: bytes, message: str) -> None:
    """The answer says which field is wrong; nothing is taken, also of what is right."""
    stage = Stage()
    answer = stage.endpoint.take(body)
    assert (400, "malformed", 0) == (answer.status, answer.outcome, len(stage.memory))
    assert answer.message.startswith("not an EventList of audit.k8s.io/v1: ")
    assert message in answer.message


def test_repeats_are_harmless_and_old_bodies_are_refused() -> None:
    """The API server may send again what it got no answer to; a recorded body is refused."""
    stage = Stage()
    first, again = (stage.endpoint.take(audits.body(event(), event(verb="get"))) for _ in range(2))
    old = stage.endpoint.take(audits.body(event(-700)))
    ahead = stage.endpoint.take(audits.body(event(400)))
    idle = stage.endpoint.take(audits.body(event(-700, verb="get")))
    assert (200, "1 writes of 2 events taken, 0 known, 0 old") == (first.status, first.message)
    assert (200, "0 writes of 2 events taken, 1 known, 0 old") == (again.status, again.message)
    assert (409, "replayed", 409, 200) == (old.status, old.outcome, ahead.status, idle.status)
    assert "all 1 writes are older than 600 s, or in the future" in old.message
    assert 1 == len(stage.memory)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An event of which one field is something else."""
    raw = event()
    field = draw(st.sampled_from(sorted(raw)))
    return audits.body({**raw, field: draw(test_webhook.JSON)})


@hypothesis_settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=500),
        damaged(),
        test_webhook.JSON.map(lambda each: json.dumps(each).encode()),
    )
)
def test_any_body_is_taken_or_leaves_no_trace(body: bytes) -> None:
    """Whatever is posted: 200, or a clear 4xx and nothing."""
    stage = Stage()
    answer = stage.endpoint.take(body)
    assert answer.status == 200 or 400 <= answer.status < 500
    assert 0 < len(answer.message) < 1000
    assert len(stage.memory) <= (answer.status == 200)


async def statuses(
    endpoint: audit_webhook.AuditWebhook,
    wanted: settings.Webhook,
    posts: Sequence[tuple[bytes, dict[str, str]]],
) -> list[int]:
    """What bodies with headers are answered with on a real port."""
    clock, counted = clocks.VirtualClock(bodies.START), telemetry.RecordingTelemetry()
    listener = server.Server(wanted, {audit_webhook.PATH: endpoint.handle}, clock, counted)
    await listener.start()
    try:
        found = []
        async with aiohttp.ClientSession() as session:
            for body, headers in posts:
                url = f"http://127.0.0.1:{listener.port}/audit"
                async with session.post(url, data=body, headers=headers) as answer:
                    found.append(answer.status)
        return found
    finally:
        await listener.stop()


def bearer(token: str = conftest.TOKEN, kind: str = "application/json") -> dict[str, str]:
    """Headers with a token."""
    return {"Authorization": f"Bearer {token}", "Content-Type": kind}


async def test_the_same_door(token_file: pathlib.Path) -> None:
    """Token, size and content type are looked at as everywhere; the metric alone remembers."""
    wanted = settings.Webhook(
        enabled=True, host="127.0.0.1", port=0, bearer_token_file=token_file, max_body_bytes=2048
    )
    stage = Stage(wanted)
    good, large = audits.body(event()), audits.body(event(requestURI="/" + "x" * 3000))
    refused = [(good, {}), (large, bearer()), (good, bearer(kind="text/plain"))]
    assert [401, 413, 415] == await statuses(stage.endpoint, wanted, refused)
    assert 0 == len(stage.memory)
    assert [200] == await statuses(stage.endpoint, wanted, [(good, bearer())])
    assert 1 == len(stage.memory)
    counted = {
        outcome: stage.telemetry.value(webhook.COUNTER, path="audit", outcome=outcome)
        for outcome in ("unauthorized", "oversized", "malformed", "accepted")
    }
    assert dict.fromkeys(counted, 1) == counted


OWN = "another-open-sesame"
TOKENS = [
    pytest.param(False, [200, 401], id="that of the webhook"),
    pytest.param(True, [401, 200], id="one of its own"),
]


@pytest.mark.parametrize(("own", "expected"), TOKENS)
async def test_a_token_of_its_own(
    token_file: pathlib.Path, *, own: bool, expected: list[int]
) -> None:
    """Who tells of alerts can't say who did what, where the API server has another token."""
    other = token_file.with_name("other")
    other.write_text(OWN)
    hook = {"enabled": True, "host": "127.0.0.1", "port": 0, "bearer_token_file": token_file}
    audit_too = {"enabled": True, "bearer_token_file": other if own else None}
    wanted = settings.Settings.model_validate(
        {"intake": {"webhook": hook}, "journal": {"audit": audit_too}}
    )
    clock, counted = clocks.VirtualClock(bodies.START), telemetry.RecordingTelemetry()
    told: list[audit.Write] = []

    def take(writes: Sequence[audit.Write]) -> int:
        told.extend(writes)
        return len(writes)

    door = webhook.Doorkeeper(wanted.intake.webhook)
    endpoint = wired.audit_of(wanted, door, take, clock, counted)
    body = audits.body(event(), event(objectRef=ref(namespace="kube-system")))
    posts = [(body, bearer()), (body, bearer(OWN))]
    assert expected == await statuses(endpoint, wanted.intake.webhook, posts)
    assert ["shop"] == [each.namespace for each in told]
