"""Events: what they say, and how often."""

from __future__ import annotations

import datetime

import pytest

from prunella import ports
from prunella.adapters.kubernetes import client, notifier, parse
from prunella.core import model, objects
from tests.adapters.kubernetes import builders
from tests.adapters.kubernetes.fake_server import Answer, FakeServer

START = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
PATH = "/apis/events.k8s.io/v1/namespaces/shop/events"
POLICY = parse.policy(builders.policy())
RECORD = parse.record(builders.record())


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime.datetime:
        """The time that it was moved to."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Move the time."""
        self.time += datetime.timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    """A clock at noon."""
    return Clock()


@pytest.fixture
def port(server: FakeServer, api: client.KubeApi, clock: Clock) -> notifier.KubernetesNotifier:
    """A notifier before a server that takes Events."""
    server.rules[f"POST {PATH}"] = Answer(201, {})
    return notifier.KubernetesNotifier(api, clock, "prunella-0")


def notice(
    message: str = "refused", reason: str = "Cooldown", about: objects.Policy = POLICY
) -> ports.Notice:
    """Something to tell about a policy."""
    return ports.Notice(about, ports.Severity.WARNING, reason, message)


@pytest.mark.parametrize(
    ("about", "kind", "name"),
    [(POLICY, "RemediationPolicy", "checkout"), (RECORD, "Remediation", "web-1")],
    ids=["policy", "record"],
)
def test_event_body(about: objects.Policy | objects.Record, kind: str, name: str) -> None:
    """An Event names its object, its reason and who reports it."""
    told = ports.Notice(about, ports.Severity.NORMAL, "Healed", "it is well again")

    body = notifier.event_body(told, START, "prunella-0")

    assert {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": kind,
        "namespace": "shop",
        "name": name,
        "uid": f"{name}-uid",
        "resourceVersion": "10",
    } == body["regarding"]
    assert ("Normal", "Healed", "it is well again") == (body["type"], body["reason"], body["note"])
    assert ("prunella", "prunella-0") == (body["reportingController"], body["reportingInstance"])
    assert "2026-03-01T12:00:00.000000Z" == body["eventTime"]


def test_long_texts_are_cut() -> None:
    """A text that the API server would refuse is cut rather than lost."""
    body = notifier.event_body(notice("x" * 5000, "R" * 500), START, "i")

    assert (1024, 128) == (len(body["note"]), len(body["reason"]))


REPEATS: dict[str, tuple[list[ports.Notice], float, int]] = {
    "the same": ([notice(), notice()], 1, 1),
    "the same with other numbers": (
        [notice("held 12 s of 60.0 s"), notice("held 13 s of 60 s")],
        1,
        1,
    ),
    "another object by name": ([notice("web-1 is sick"), notice("web-2 is sick")], 1, 2),
    "another reason": ([notice(), notice(reason="Paused")], 1, 2),
    "another policy": (
        [notice(), notice(about=parse.policy(builders.policy("other")))],
        1,
        2,
    ),
    "after ten minutes": ([notice(), notice()], 600, 2),
    "just before": ([notice(), notice()], 599, 1),
}


@pytest.mark.parametrize("case", REPEATS)
async def test_repeats(
    server: FakeServer, port: notifier.KubernetesNotifier, clock: Clock, case: str
) -> None:
    """The same notice is posted once in ten minutes; numbers do not make it another."""
    notices, seconds, expected = REPEATS[case]

    for each in notices:
        await port.event(each)
        await clock.sleep(seconds)

    assert expected == len(server.requests)


async def test_lost_event_raises_nothing_and_is_tried_again(
    server: FakeServer, port: notifier.KubernetesNotifier
) -> None:
    """An Event that was not posted does not count as told."""
    server.rules[f"POST {PATH}"] = [Answer(403, {"message": "no"}), Answer(201, {})]

    await port.event(notice())
    await port.event(notice())
    await port.event(notice())

    assert 2 == len(server.requests)


ESCALATION = ports.Escalation(
    objects.Key("shop", "checkout"), model.Ref("Deployment", "shop", "web"), "web-1", "s", "d"
)


@pytest.mark.parametrize("arrived", [True, False])
async def test_escalation_is_handed_on(api: client.KubeApi, clock: Clock, arrived: bool) -> None:
    """Whether an alert arrived is for the one who posts it to say."""
    posted = []

    async def post(escalation: ports.Escalation) -> bool:
        posted.append(escalation)
        return arrived

    port = notifier.KubernetesNotifier(api, clock, "prunella-0", post)

    assert arrived is await port.escalate(ESCALATION)
    assert [ESCALATION] == posted


async def test_without_alertmanager_there_is_no_more_to_try(
    port: notifier.KubernetesNotifier,
) -> None:
    """Without a place for alerts, condition and Event are all, and it is not tried again."""
    assert await port.escalate(ESCALATION)
