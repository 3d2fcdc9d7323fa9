"""An escalation arrives at Alertmanager as an alert, or is known not to have arrived."""

from __future__ import annotations

import concurrent.futures
import datetime
import json
import logging
import pathlib
import re
from collections.abc import Iterator

import pytest

from prunella import ports, settings
from prunella.adapters.prometheus import alertmanager
from prunella.adapters.simulated import clock as clocks
from prunella.core import model, objects
from tests.adapters.prometheus import faultserver

START = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
ESCALATION = ports.Escalation(
    policy=objects.Key("shop", "checkout"),
    target=model.Ref("Deployment", "shop", "cart"),
    record="deployment-cart-abc-1",
    summary="checkout could not heal Deployment/cart",
    description="errors 0.12, above 0.05",
    labels={"team": "shop", "severity": "warning", "policy": "forged"},
)


@pytest.fixture
def executor() -> Iterator[concurrent.futures.Executor]:
    """One thread for posting."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        yield pool


def poster(
    url: str | None, executor: concurrent.futures.Executor, **fields: object
) -> alertmanager.Alertmanager:
    """An Alertmanager at an address."""
    wanted = settings.Alertmanager.model_validate({"url": url, **fields})
    return alertmanager.Alertmanager(wanted, clocks.VirtualClock(START), executor)


async def test_the_alert(executor: concurrent.futures.Executor, tmp_path: pathlib.Path) -> None:
    """It names policy and target, carries the settings' labels, and lasts for hours."""
    token = tmp_path / "token"
    token.write_text("secret")
    with faultserver.serve(faultserver.send(b"")) as server:
        labels = {"severity": "critical", "alertname": "Forged", "cluster": "eu-1"}
        post = poster(f"{server.url}/am/", executor, labels=labels, bearer_token_file=token)

        assert await post.escalate(ESCALATION)
        post.close()

    (request,) = server.requests
    assert request.path == "/am/api/v2/alerts"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer secret"
    assert json.loads(request.body) == [
        {
            "labels": {
                "alertname": "PrunellaEscalation",
                "namespace": "shop",
                "policy": "checkout",
                "target_kind": "Deployment",
                "target": "cart",
                "severity": "warning",
                "cluster": "eu-1",
                "team": "shop",
            },
            "annotations": {
                "summary": "checkout could not heal Deployment/cart",
                "description": "errors 0.12, above 0.05",
                "remediation": "deployment-cart-abc-1",
            },
            "startsAt": "2026-03-01T12:00:00+00:00",
            "endsAt": "2026-03-01T16:00:00+00:00",
        }
    ]


FAULTS = {
    "refused": (faultserver.send(b'{"message":"bad label"}', 400), "HTTP 400.*bad label"),
    "down": (faultserver.send(b"", 503), "HTTP 503"),
    "redirect": (faultserver.send(b"", 302, Location="/login"), "HTTP 302"),
    "hung up": (faultserver.hang_up, "can't reach 127.0.0.1"),
    "another protocol": (faultserver.garbage, "can't reach 127.0.0.1"),
}


@pytest.mark.parametrize(("behaviour", "words"), FAULTS.values(), ids=FAULTS)
async def test_not_arrived(
    executor: concurrent.futures.Executor,
    caplog: pytest.LogCaptureFixture,
    behaviour: faultserver.Behaviour,
    words: str,
) -> None:
    """False, once, with the reason in the log: the engine tries again later."""
    with faultserver.serve(behaviour) as server, caplog.at_level(logging.WARNING):
        assert not await poster(server.url, executor).escalate(ESCALATION)

    assert len(server.requests) == 1
    assert "escalation of shop/checkout was not posted" in caplog.text
    assert re.search(words, caplog.text)


async def test_nobody_listens(executor: concurrent.futures.Executor) -> None:
    """An Alertmanager that is not there raises nothing."""
    with faultserver.closed_port() as url:
        assert not await poster(url, executor).escalate(ESCALATION)


async def test_missing_token(executor: concurrent.futures.Executor) -> None:
    """Without its credentials nothing is posted."""
    with faultserver.serve(faultserver.send(b"")) as server:
        post = poster(server.url, executor, bearer_token_file=pathlib.Path("/absent"))

        assert not await post.escalate(ESCALATION)
        assert server.requests == []


async def test_none_configured(executor: concurrent.futures.Executor) -> None:
    """Nothing to post to is not a failure to be repeated."""
    assert await poster(None, executor).escalate(ESCALATION)
