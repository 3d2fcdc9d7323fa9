"""External changes: written once, or refused with what is wrong."""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from prunella import journal_settings, ports, settings
from prunella.adapters.intake import external_changes, server, webhook
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import telemetry
from prunella.core.changes.values import Change
from tests.adapters.intake import bodies, conftest, test_webhook

JOURNAL = journal_settings.Journal.model_validate(
    {
        "external": {
            "ci": {
                "texts": {
                    "summary": "deployed {app.name} {app.version}",
                    "id": "{run}",
                    "namespace": "{app.namespace}",
                    "author": "{user}",
                },
                "namespaces": ["shop*"],
            },
            "flags": {"format": "CloudEvents"},
        }
    }
)
DEPLOYED = {
    "app": {"name": "cart", "version": "1.5.0", "namespace": "shop"},
    "run": 77,
    "user": "ada",
}
EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "/flags",
    "type": "flag.changed",
    "subject": "cheap-shipping",
    "time": "2026-03-01T11:59:00Z",
}


class Journal:
    """Keeps what is written, or can't."""

    def __init__(self) -> None:
        self.written: dict[str, Change] = {}
        self.error: ports.ClusterError | None = None

    async def record(self, change: Change) -> bool:
        """Write a change once."""
        if self.error is not None:
            raise self.error
        if change.name in self.written:
            return False
        self.written[change.name] = change
        return True


class Stage:
    """An endpoint in virtual time, and its journal."""

    def __init__(self, wanted: settings.Webhook | None = None) -> None:
        chosen = wanted or settings.Webhook()
        self.journal, self.clock = Journal(), clocks.VirtualClock(bodies.START)
        self.telemetry = telemetry.RecordingTelemetry()
        self.endpoint = external_changes.ExternalChanges(
            webhook.Doorkeeper(chosen),
            JOURNAL.mapped,
            self.journal,  # type: ignore[arg-type]
            "prunella-system",
            self.clock,
            self.telemetry,
        )

    async def post(
        self, body: Any, name: str = "ci", headers: dict[str, str] | None = None
    ) -> webhook.Answer:
        """Post a body."""
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.endpoint.take(name, content, headers or {})


async def test_a_deployment_is_written_once() -> None:
    """The same run again is refused, and changes nothing."""
    stage = Stage()
    first, again = await stage.post(DEPLOYED), await stage.post(DEPLOYED)
    assert (200, 409) == (first.status, again.status)
    assert again.message.startswith("replayed: ")
    (change,) = stage.journal.written.values()
    assert ("shop", "ci: deployed cart 1.5.0, by ada") == (change.namespace, change.spec.summary)
    assert first.message == change.name


EVENTS = [
    pytest.param(EVENT, {"Content-Type": "application/cloudevents+json"}, id="structured"),
    pytest.param(
        {"on": True},
        {"Content-Type": "application/json", **{f"Ce-{k.title()}": v for k, v in EVENT.items()}},
        id="binary",
    ),
]


@pytest.mark.parametrize(("body", "headers"), EVENTS)
async def test_cloud_events(body: Any, headers: dict[str, str]) -> None:
    """An event is the same change in both modes, kept at home when it names no namespace."""
    stage = Stage()
    answer = await stage.post(body, "flags", headers)
    assert 200 == answer.status, answer.message
    (change,) = stage.journal.written.values()
    assert "flags: flag.changed cheap-shipping" == change.spec.summary
    assert ("prunella-system", "2026-03-01T11:59:00+00:00") == (
        change.namespace,
        change.at.isoformat(),
    )


REFUSED = [
    pytest.param(DEPLOYED, "unknown", 404, "there is no system 'unknown'", id="unknown system"),
    pytest.param(b"{", "ci", 400, "not JSON", id="no JSON"),
    pytest.param(b"[" * 5000, "ci", 400, "not JSON", id="a deep nest"),
    pytest.param([], "ci", 400, "must be a JSON object", id="a list"),
    pytest.param(
        {**DEPLOYED, "app": {"namespace": "bank", "name": "a"}},
        "ci",
        400,
        "bank",
        id="a namespace that is not its own",
    ),
    pytest.param({"id": "1"}, "flags", 400, "a CloudEvent must have", id="half an event"),
]


@pytest.mark.parametrize(("body", "name", "status", "message"), REFUSED)
async def test_refused(body: Any, name: str, status: int, message: str) -> None:
    """The answer says what is wrong; nothing is written."""
    stage = Stage()
    answer = await stage.post(body, name)
    assert status == answer.status
    assert message in answer.message
    assert {} == stage.journal.written


ERRORS = [
    pytest.param(ports.ClusterError("no such namespace", status=404), 422, id="no namespace"),
    pytest.param(ports.ClusterError("forbidden", status=403), 422, id="not allowed"),
    pytest.param(ports.ClusterError("too long", status=400), 422, id="refused"),
    pytest.param(ports.ClusterError("no connection"), 503, id="no API server"),
    pytest.param(ports.OutcomeUnknown("lost"), 503, id="a lost answer"),
]


@pytest.mark.parametrize(("error", "status"), ERRORS)
async def test_what_can_not_be_written(error: ports.ClusterError, status: int) -> None:
    """What may work later is to be sent again; what never will is refused."""
    stage = Stage()
    stage.journal.error = error
    answer = await stage.post(DEPLOYED)
    assert status == answer.status
    assert (status == 503) == bool(answer.retry_after)


@hypothesis_settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=500), test_webhook.JSON.map(lambda each: repr(each).encode())))
async def test_any_body_is_written_or_refused(body: bytes) -> None:
    """Whatever is posted: a change, or a clear 4xx and nothing."""
    stage = Stage()
    for name in ("ci", "flags"):
        answer = await stage.post(body, name)
        assert answer.status == 200 or 400 <= answer.status < 500
        assert answer.message
        assert (answer.status == 200) == bool(stage.journal.written)
        stage.journal.written.clear()


async def test_the_same_door(token_file: Any) -> None:
    """The token, the size and the rate are those of the webhook, on the same port."""
    wanted = settings.Webhook(
        enabled=True, host="127.0.0.1", port=0, bearer_token_file=token_file, max_body_bytes=1024
    )
    stage = Stage(wanted)
    routes = {external_changes.PATH: stage.endpoint.handle}
    listener = server.Server(wanted, routes, stage.clock, stage.telemetry)
    await listener.start()
    url = f"http://127.0.0.1:{listener.port}/changes/ci"
    bearer = {"Authorization": f"Bearer {conftest.TOKEN}"}
    try:
        async with aiohttp.ClientSession() as session:
            posts = [(DEPLOYED, {}), (DEPLOYED, bearer), ({"x": "y" * 2000}, bearer)]
            statuses = []
            for body, headers in posts:
                async with session.post(url, json=body, headers=headers) as answer:
                    statuses.append(answer.status)
        assert [401, 200, 413] == statuses
        counted = [
            stage.telemetry.value(webhook.COUNTER, path="changes", outcome=outcome)
            for outcome in ("unauthorized", "accepted", "oversized")
        ]
        assert [1, 1, 1] == counted
    finally:
        await listener.stop()
