"""`prunella logs`: what was kept before a remediation, and what it has started wrote."""

from __future__ import annotations

import datetime
import json

import pytest

from prunella.api import capture
from prunella.core.outcomes import capturing
from tests.cli import conftest, fakes
from tests.unit.core import builders

PATH = f"{fakes.GROUP}/namespaces/shop/captures/checkout-1"
LIMITS = capture.CapturePolicy(max_bytes=4096)


def kept(*parts: capturing.Part) -> fakes.FakeCluster:
    """A record, what was kept before it, and the log of its Job."""
    spec = capturing.pack(builders.record("checkout-1"), parts, LIMITS, fakes.NOW)
    run = {"state": "Succeeded", "log": "purged 7 keys"}
    status = {"phase": "Succeeded", "capture": "kept 1 parts", "run": run}
    cluster = fakes.cluster(fakes.record("checkout-1", status=status))
    cluster.objects[PATH] = {
        "metadata": {"name": "checkout-1", "namespace": "shop"},
        "spec": spec.model_dump(mode="json", by_alias=True),
    }
    return cluster


PARTS = (
    capturing.Part("Pod/web-1/app previous log", "starting\nout of memory"),
    capturing.Part("Pod/web-1 events", problem="forbidden"),
)


def test_each_part_is_shown_under_its_name(run: conftest.Run) -> None:
    """With why there is none of it, and the log of what was started."""
    result = run("logs", "rem/checkout-1", cluster=kept(*PARTS))
    assert (0, "") == (result.code, result.err)
    for line in ("Pod/web-1/app previous log", "  out of memory", "not there: forbidden"):
        assert line in result.out
    assert result.out.index("forbidden") < result.out.index("purged 7 keys")


def test_json_has_all_of_it(run: conftest.Run) -> None:
    """The texts by name, and what is told of each."""
    result = run("logs", "remediation/checkout-1", "--output", "json", cluster=kept(*PARTS))
    found = json.loads(result.out)
    assert {PARTS[0].name: "starting\nout of memory"} == found["capture"]
    assert ("forbidden", "purged 7 keys") == (found["parts"][1]["problem"], found["runLog"])


def test_nothing_was_kept(run: conftest.Run) -> None:
    """It says why: there is no word of it in the policy, or the record's own reason."""
    cluster = fakes.cluster(fakes.record("checkout-1"))
    assert "its policy has no spec.capture" in run("logs", "rem/checkout-1", cluster=cluster).out
    status = {"phase": "Succeeded", "capture": "nothing is kept: forbidden"}
    cluster = fakes.cluster(fakes.record("checkout-1", status=status))
    assert "nothing is kept: forbidden" in run("logs", "rem/checkout-1", cluster=cluster).out


WRONG = {
    "another kind": ("policy/checkout", 2, "no logs of 'policy/checkout': write remediation/NAME"),
    "no name": ("remediation/", 2, "no logs of 'remediation/': write remediation/NAME"),
    "no such record": ("rem/nothing", 1, "nothing"),
}


@pytest.mark.parametrize(("what", "code", "words"), WRONG.values(), ids=WRONG)
def test_what_has_no_logs(run: conftest.Run, what: str, code: int, words: str) -> None:
    """One line that says what to write."""
    result = run("logs", what, cluster=kept(*PARTS))
    assert (code, True) == (result.code, words in result.err)


def test_a_capture_that_is_broken_is_not_a_traceback(run: conftest.Run) -> None:
    """It says which one."""
    cluster = kept(*PARTS)
    cluster.objects[PATH]["spec"]["content"] = "aGVsbG8="
    result = run("logs", "rem/checkout-1", cluster=cluster)
    assert (2, True) == (result.code, "capture checkout-1 can't be unpacked" in result.err)


def test_the_time_is_told(run: conftest.Run) -> None:
    """When it was taken, and until when it is kept."""
    out = run("logs", "rem/checkout-1", cluster=kept(*PARTS)).out
    assert "taken" in out
    assert f"{fakes.NOW + datetime.timedelta(days=1):%Y-%m-%d}" in out
