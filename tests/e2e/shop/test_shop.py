"""A shop on a real control plane: what people change has consequences in Prometheus."""

from __future__ import annotations

import json

import pytest

from lab.cluster import Lab
from tests.e2e.harness.waiting import wait_until

pytestmark = pytest.mark.timeout(300)


def _error_ratio(lab: Lab, shop: str, server: str) -> float | None:
    """The share of requests to a service that failed in the last 15 s; None without requests."""
    failed, total = (
        f'sum(rate(traces_service_graph_request{part}{{server="{server}",'
        f'server_k8s_namespace_name=~"{shop}-.*"}}[15s]))'
        for part in ("_failed_total", "_total")
    )
    found = lab.query(f"({failed} or vector(0)) / ({total} > 5)")
    return float(found[0]["value"][1]) if found else None


def _select(lab: Lab, shop: str, label: str) -> None:
    patch = {"spec": {"selector": {"app.kubernetes.io/name": label}}}
    where = ("--namespace", f"{shop}-core", "patch", "service", "cart")
    lab.kubectl(*where, "--type=merge", "--patch", json.dumps(patch))


def test_a_wrong_selector_is_felt_by_users_until_it_is_undone(lab: Lab, shop: str) -> None:
    """Errors rise at the frontend, three calls above the Service, and go again."""
    wait_until(lambda: _error_ratio(lab, shop, "frontend") == 0, 90, "the shop sells")

    _select(lab, shop, "carts")
    wait_until(lambda: (_error_ratio(lab, shop, "frontend") or 0) > 0.2, 60, "users get errors")
    _select(lab, shop, "cart")

    wait_until(lambda: _error_ratio(lab, shop, "frontend") == 0, 60, "users get none any more")


def test_a_bad_tag_is_what_a_kubelet_makes_of_it(lab: Lab, shop: str) -> None:
    """The rollout stands still with ImagePullBackOff, and users notice nothing."""
    where = ("--namespace", f"{shop}-core")
    image = "quote=registry.example/shop/quote:9.9.9"
    lab.kubectl(*where, "set", "image", "deployment/quote", image)

    def reasons() -> set[str]:
        pods = lab.get(*where, "pods", "--selector", "app.kubernetes.io/name=quote")["items"]
        held = [each for pod in pods for each in pod["status"].get("containerStatuses", [])]
        return {each["state"]["waiting"]["reason"] for each in held if "waiting" in each["state"]}

    wait_until(lambda: "ImagePullBackOff" in reasons(), 60, reasons)
    waiting = f'kube_pod_container_status_waiting_reason{{namespace="{shop}-core"}} == 1'
    wait_until(lambda: lab.query(waiting), 30, "kube-state-metrics tells it")
    events = lab.get(*where, "events", "--field-selector", "reason=Failed")["items"]
    assert any("quote:9.9.9: not found" in each["message"] for each in events)
    assert (_error_ratio(lab, shop, "frontend") or 0) < 0.01
