"""Verdicts for Argo Rollouts: the last pass as an answer, doubt as one, nobody else let in."""

from __future__ import annotations

import contextlib
import datetime
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from prunella import settings
from prunella.adapters.intake import analysis, server, webhook, wired
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import telemetry
from prunella.core import model, objects
from tests.adapters.intake import bodies, conftest

POLICY = objects.Key("shop", "canary")
WEB, API = model.Ref("Rollout", "shop", "web"), model.Ref("Rollout", "shop", "api")
U, H, N = model.Verdict.UNHEALTHY, model.Verdict.HEALTHY, model.Verdict.UNKNOWN
INTERVAL = datetime.timedelta(seconds=20)


def finding(signal: str, target: model.Ref, verdict: model.Verdict, value: float) -> model.Finding:
    """A finding of a signal."""
    return model.Finding(signal, target, verdict, f"Is{verdict}", f"{value} seen", value)


FINDINGS = (
    finding("errors", WEB, H, 0.01),
    finding("errors", API, U, 0.3),
    finding("shift", WEB, N, 2.0),
    finding("shift", API, H, 1.0),
)
VERDICTS = {WEB: N, API: U}


class Stage:
    """An endpoint in virtual time."""

    def __init__(self, **fields: Any) -> None:
        self.clock = clocks.VirtualClock(bodies.START)
        self.telemetry = telemetry.RecordingTelemetry()
        self.hook = settings.Webhook.model_validate(
            {"host": "127.0.0.1", "port": 0, **fields.pop("webhook", {})}
        )
        wanted = settings.Analysis.model_validate(fields)
        door = webhook.Doorkeeper(self.hook)
        self.endpoint = analysis.Analysis(wanted, door, self.clock, self.telemetry)

    def judge(self) -> None:
        """A pass over the policy."""
        self.endpoint.judged(POLICY, VERDICTS, FINDINGS, INTERVAL)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """The URL, as long as it is listened on."""
        reads = {analysis.PATH: self.endpoint.handle}
        listener = server.Server(self.hook, {}, self.clock, self.telemetry, reads)
        await listener.start()
        try:
            yield f"http://127.0.0.1:{listener.port}{analysis.PATH}"
        finally:
            await listener.stop()


ASKED: dict[str, tuple[dict[str, str], tuple[model.Verdict, str, float | None, int]]] = {
    "the worst of all targets": ({}, (U, "IsUnhealthy", 0.3, 2)),
    "one target, by its name": ({"target": "web"}, (N, "IsUnknown", 2.0, 1)),
    "one target, by kind and name": ({"target": "Rollout/api"}, (U, "IsUnhealthy", 0.3, 1)),
    "one signal": ({"signal": "shift"}, (N, "IsUnknown", 2.0, 2)),
    "one signal of one target": ({"signal": "errors", "target": "web"}, (H, "IsHealthy", 0.01, 1)),
    "no such target": ({"target": "cart"}, (N, "NoTarget", None, 0)),
    "no such signal": ({"signal": "latency"}, (N, "NoSignal", None, 0)),
    "no such policy": ({"policy": "other"}, (N, "NotJudged", None, 0)),
    "another namespace": ({"namespace": "bank"}, (N, "NotJudged", None, 0)),
}


@pytest.mark.parametrize("case", ASKED)
def test_what_is_answered(case: str) -> None:
    """The verdict that was found; what was not judged is Unknown, never Healthy."""
    asked, expected = ASKED[case]
    stage = Stage()
    stage.judge()
    found = stage.endpoint.find(**{"namespace": "shop", "policy": "canary", **asked})
    assert expected == (found.verdict, found.reason, found.value, found.targets)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(60.0, (U, "IsUnhealthy")), (61.0, (N, "TooOld"))],
    ids=["three intervals", "longer"],
)
async def test_what_is_too_old_is_unknown(
    seconds: float, expected: tuple[model.Verdict, str]
) -> None:
    """An operator that hangs, or a policy that is judged no more, proves nothing."""
    stage = Stage()
    stage.judge()
    await stage.clock.advance(seconds)
    found = stage.endpoint.find("shop", "canary")
    assert expected == (found.verdict, found.reason)


def test_a_policy_that_is_gone_is_forgotten() -> None:
    """Nobody judges it any more."""
    stage = Stage()
    stage.judge()
    stage.endpoint.forget(POLICY)
    assert "NotJudged" == stage.endpoint.find("shop", "canary").reason


async def test_an_answer_over_http() -> None:
    """The body that a jsonPath of an AnalysisTemplate reads; never from a cache."""
    stage = Stage()
    stage.judge()
    async with stage.listening() as url, aiohttp.ClientSession() as session:
        query = {"namespace": "shop", "policy": "canary", "target": "api"}
        reply = await session.get(url, params=query)
        body = await reply.json()
    assert (200, "no-store") == (reply.status, reply.headers["Cache-Control"])
    assert {
        "verdict": "Unhealthy",
        "reason": "IsUnhealthy",
        "message": "errors of Rollout/api: 0.3 seen",
        "value": 0.3,
        "targets": 1,
    } == body
    assert 1 == stage.telemetry.value(webhook.COUNTER, path="analysis", outcome="accepted")


async def test_no_number_is_left_out() -> None:
    """What is no number in JSON is not there, rather than wrong."""
    stage = Stage()
    found = finding("errors", WEB, N, float("nan"))
    stage.endpoint.judged(POLICY, {WEB: N}, (found,), INTERVAL)
    async with stage.listening() as url, aiohttp.ClientSession() as session:
        reply = await session.get(url, params={"namespace": "shop", "policy": "canary"})
        assert "value" not in await reply.json()


REFUSED = {
    "no policy": (
        {"namespace": "shop"},
        400,
        "no policy: give namespace and policy, and signal or target or both",
    ),
    "a typo": (
        {"namespace": "shop", "policy": "canary", "targets": "web"},
        400,
        "unknown parameter 'targets': give namespace and policy, and signal or target or both",
    ),
    "a namespace that is not listed": (
        {"namespace": "bank", "policy": "canary"},
        403,
        "policies of that namespace may not be asked about: intake.analysis.namespaces",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_bad_question_is_told_what_is_wrong(case: str) -> None:
    """An AnalysisRun shows the status; curl shows the words."""
    query, status, words = REFUSED[case]
    stage = Stage(namespaces=["shop"])
    async with stage.listening() as url, aiohttp.ClientSession() as session:
        reply = await session.get(url, params=query)
        assert (status, {"error": words}) == (reply.status, await reply.json())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD"])
async def test_nothing_can_be_written(method: str) -> None:
    """It is read with GET, and there is nothing else."""
    async with Stage().listening() as url, aiohttp.ClientSession() as session:
        reply = await session.request(method, url, params={"namespace": "shop", "policy": "a"})
        assert 405 == reply.status


@pytest.mark.parametrize(
    ("header", "status"),
    [
        pytest.param({}, 401, id="no token"),
        pytest.param({"Authorization": "Bearer wrong"}, 401, id="another token"),
        pytest.param({"Authorization": f"Bearer {conftest.TOKEN}"}, 200, id="the token"),
    ],
)
async def test_only_who_has_the_token_is_answered(
    token_file: pathlib.Path, header: dict[str, str], status: int
) -> None:
    """As of all that is asked on that port."""
    stage = Stage(webhook={"enabled": True, "bearer_token_file": token_file})
    async with stage.listening() as url, aiohttp.ClientSession() as session:
        query = {"namespace": "shop", "policy": "canary"}
        reply = await session.get(url, params=query, headers=header)
        assert status == reply.status


async def test_too_many_questions_are_bounded(token_file: pathlib.Path) -> None:
    """Who asks too often is told when to ask again."""
    bounds = {"requests_per_second": 1, "burst": 1}
    hook = {"enabled": True, "bearer_token_file": token_file, **bounds}
    stage = Stage(webhook=hook)
    header = {"Authorization": f"Bearer {conftest.TOKEN}"}
    async with stage.listening() as url, aiohttp.ClientSession() as session:
        query = {"namespace": "shop", "policy": "canary"}
        replies = [await session.get(url, params=query, headers=header) for _ in range(2)]
    assert [200, 503] == [each.status for each in replies]
    assert int(replies[1].headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("token", "status"), [("another-token-than-that", 200), (conftest.TOKEN, 401)]
)
async def test_it_has_a_token_of_its_own(
    token_file: pathlib.Path, tmp_path: pathlib.Path, token: str, status: int
) -> None:
    """Who may ask need not be who may post alerts."""
    other = tmp_path / "other"
    other.write_text("another-token-than-that")
    hook = {"enabled": True, "host": "127.0.0.1", "port": 0, "bearerTokenFile": str(token_file)}
    analysing = {"enabled": True, "bearerTokenFile": str(other)}
    wanted = settings.Settings.model_validate({"intake": {"webhook": hook, "analysis": analysing}})
    stage = Stage(webhook=hook)
    made = wired.analysis_of(wanted, stage.clock, stage.telemetry)
    assert made is not None
    stage.endpoint = made
    async with stage.listening() as url, aiohttp.ClientSession() as session:
        header = {"Authorization": f"Bearer {token}"}
        query = {"namespace": "shop", "policy": "canary"}
        assert status == (await session.get(url, params=query, headers=header)).status


def test_it_is_off_by_default() -> None:
    """Nobody is answered who was not meant to be."""
    stage = Stage()
    assert wired.analysis_of(settings.Settings(), stage.clock, stage.telemetry) is None
