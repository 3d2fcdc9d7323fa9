"""Of a log that is too long the newest lines are read, not those that the API server leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from prunella.adapters.kubernetes import captures, client, job_runs, pod_logs
from prunella.api import capture as api_capture
from prunella.core import model

LOGS = {
    "short": ([f"line {n}" for n in range(9)], 1),
    "more lines than are asked for": ([f"line {n}" for n in range(5000)], 2),
    "long lines": ([f"{'x' * 1000} {n}" for n in range(50)], 2),
    "one line that is longer than all": (["x" * 9000], 2),
    "long lines after many short ones": (["x"] * 1990 + [f"{'x' * 5000} {n}" for n in range(9)], 6),
}


class Logs:
    """The API server's part: the newest lines, and of their text the beginning."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.asked: list[Mapping[str, Any]] = []

    async def text(self, _: object, query: Mapping[str, Any]) -> str:
        """A container's log."""
        self.asked.append(query)
        newest = self.lines[-query["tailLines"] :]
        return "".join(f"{line}\n" for line in newest)[: query["limitBytes"]]


@pytest.mark.parametrize(("lines", "most"), LOGS.values(), ids=LOGS)
async def test_no_more_of_a_log_is_read_than_is_wanted(
    api: client.KubeApi, monkeypatch: pytest.MonkeyPatch, lines: list[str], most: int
) -> None:
    """Given an API server that cuts the newest off, then fewer lines are asked for."""
    logs = Logs(lines)
    monkeypatch.setattr(api, "text", logs.text)
    found = await pod_logs.end(api, "/log", {"container": "app"}, 2000, 8192)
    assert {("app", 8192)} == {(each["container"], each["limitBytes"]) for each in logs.asked}
    assert len(logs.asked) <= most
    assert len(found) <= 8192
    assert lines[-1][:8192] == found.splitlines()[-1]


LONG = [f"{'x' * 3000} {n}" for n in range(100)]


async def test_a_capture_has_the_end_of_a_log(
    api: client.KubeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the containers before their last restart, if the policy says so."""
    logs = Logs(LONG)
    monkeypatch.setattr(api, "text", logs.text)
    limits = api_capture.CapturePolicy.model_validate({"logs": "Previous", "maxBytes": 8192})
    pod = model.Ref("Pod", "shop", "checkout-1")
    found = await captures.KubernetesCaptures(api)._log(pod, "app", limits)
    assert LONG[-1] == found.splitlines()[-1]
    assert {("app", "true")} == {(each["container"], each["previous"]) for each in logs.asked}


async def test_a_jobs_record_has_the_end_of_its_log(
    api: client.KubeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where sixty lines are more than may be read."""
    logs = Logs(LONG)
    monkeypatch.setattr(api, "text", logs.text)

    async def items(*_: object) -> list[dict[str, Any]]:
        return [{"metadata": {"name": "job-1-abcde"}}]

    monkeypatch.setattr(api, "items", items)
    found, why = await job_runs._log(api, model.Ref("Job", "shop", "job-1"), "uid-1")
    assert (LONG[-1], "") == (found.splitlines()[-1], why)
