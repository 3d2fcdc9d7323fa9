"""Storms that stories are told with: a real Alertmanager posts every alert of them."""

from __future__ import annotations

import collections
import pathlib
import time
from collections.abc import Iterator

import pytest

from tests.e2e.harness import storms
from tests.e2e.harness.alertmanager import OwnAlertmanager, Webhook
from tests.e2e.harness.storms import Alert, Pod
from tests.e2e.harness.waiting import wait_until

RACKS = {"n1": "r1", "n2": "r1", "n3": "r2"}


def _pod(name: str, node: str) -> Pod:
    return {"metadata": {"namespace": "shop", "name": name}, "spec": {"nodeName": node}}


PODS = [_pod(f"p{number}", f"n{number % 3 + 1}") for number in range(30)]
NODES = [{"metadata": {"name": node, "labels": {storms.RACK: r}}} for node, r in RACKS.items()]


def _distinct(alerts: list[Alert]) -> int:
    return len({tuple(sorted(each["labels"].items())) for each in alerts})


@pytest.fixture
def alertmanager(tmp_path: pathlib.Path) -> Iterator[OwnAlertmanager]:
    """An Alertmanager that is not started yet."""
    made = OwnAlertmanager(tmp_path / "alertmanager")
    yield made
    made.stop()


def test_alerts_of_a_release_are_of_its_pods_and_all_different() -> None:
    """300 alerts of 6 pods; Alertmanager would take two with the same labels for one."""
    found = storms.of_release(PODS[:6], 300, at=0.0)

    assert (300, 300) == (len(found), _distinct(found))
    pods = collections.Counter(each["labels"]["pod"] for each in found)
    assert {f"p{number}" for number in range(6)} == pods.keys()
    assert max(pods.values()) - min(pods.values()) <= 1


def test_alerts_of_a_rack_are_of_its_nodes_and_of_nobody_else() -> None:
    """400 alerts of 2 nodes and the 20 pods on them; the other rack is quiet."""
    caller = {"metadata": {"namespace": "shop", "name": "web"}}
    found = storms.of_racks(NODES, PODS, ["r1"], 400, at=0.0, callers=[caller])

    assert (400, 400) == (len(found), _distinct(found))
    callers = [each for each in found if each["labels"].get("deployment") == "web"]
    assert set(storms.CALLER_ALERTS) == {each["labels"]["alertname"] for each in callers}
    assert {"n1", "n2"} == {node for each in found if (node := each["labels"].get("node"))}
    pods = {pod for each in found if (pod := each["labels"].get("pod"))}
    assert {each["metadata"]["name"] for each in PODS if each["spec"]["nodeName"] != "n3"} == pods


def test_rack_without_pods_has_only_its_nodes() -> None:
    """An empty rack drops nobody's packets, and the storm ends."""
    assert len(storms.of_racks(NODES, [], ["r2"], 400, at=0.0)) == len(storms.NODE_ALERTS)


def test_release_changes_image_and_commit_only() -> None:
    """What a suspicion should name: field and commit."""
    (sound,) = storms.fleet(1, "aaaa111")
    patch = storms.release_patch("svc-00", "v2-bad", "bbbb222")

    template = patch["spec"]["template"]
    assert template["spec"]["containers"] == [
        {"name": "app", "image": "shop.example/svc-00:v2-bad"}
    ]
    key = "app.kubernetes.io/commit"
    before = sound["spec"]["template"]["metadata"]["annotations"][key]
    assert ("aaaa111", "bbbb222") == (before, template["metadata"]["annotations"][key])


def test_every_alert_reaches_the_webhook_and_its_end_too(alertmanager: OwnAlertmanager) -> None:
    """Given 300 alerts, then all of them arrive, none cut off, and all of them resolved later."""
    with Webhook() as hook:
        alertmanager.start(hook.url)
        alerts = storms.of_release(PODS[:6], 300, at=time.time() - 5)
        alertmanager.post(alerts)
        wait_until(lambda: len(hook.alerts()) == 300, 30, lambda: len(hook.alerts()))
        alertmanager.post(storms.resolved(alerts, time.time()))
        wait_until(lambda: len(hook.alerts("resolved")) == 300, 60, lambda: len(hook.alerts()))

        assert {0} == {body["truncatedAlerts"] for body in hook.bodies}
        assert set(storms.RELEASE_ALERTS) == {
            body["groupLabels"]["alertname"] for body in hook.bodies
        }
