"""What people broke in a shop is put back by a policy, proved by users' errors, and by nobody else.

Some shops, a fault in each: the operator knows none of them, has the chart's own rights, and is
told of alerts as anywhere.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from bench.exam import operating
from lab.cluster import Lab
from lab.shop import faults, injection, lifecycle
from tests.e2e.harness.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

Document = dict[str, Any]
FAULTS = {
    "wrong-target-port": ("product-catalog", "Patch"),
    "blocking-network-policy": ("harden-shipping", "Delete"),
    "deleted-service": ("currency", "Create"),
    "wrong-environment-variable": ("checkout", "Patch"),
}
"""The object that each breaks, and how it is put back."""
KINDS = ["Service", "NetworkPolicy", "Deployment"]
USUAL_SECONDS = 80
BY = "sum by (namespace, deployment)"
REQUESTS = "http_server_request_duration_seconds_count"


def policy(shop: str) -> Document:
    """As in docs/actions.md, with windows of the lab."""
    errors = f'{REQUESTS}{{http_response_status_code=~"5.."}}[20s]'
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {"name": "put-back", "namespace": f"{shop}-core"},
        "spec": {
            "mode": "Live",
            "interval": "5s",
            "target": {"name": "checkout"},
            "trigger": {
                "incident": {
                    "causeKind": ["Networking", "Configuration", "Quota", "Access", "Unknown"],
                    "changeWithin": "30m",
                }
            },
            "signals": [
                {
                    "name": "errors",
                    "ratio": {
                        "bad": f"{BY} (rate({errors}))",
                        "total": f"{BY} (rate({REQUESTS}[20s]))",
                        "minimum": 5,
                    },
                    "threshold": {"above": 0.05},
                    "for": "10s",
                }
            ],
            "steps": [{"restore": {"kinds": KINDS, "undoCreated": True}}],
            "guards": {"cooldown": "1m"},
            "verify": {"within": "60s", "samples": 2},
        },
    }


def enable(lab: Lab, *kinds: str) -> None:
    """Give the operator the rights to restore these kinds."""
    chosen = ",".join(["actions.restore=true", *(f"restore.kinds.{kind}=true" for kind in kinds)])
    chart = str(operating.ROOT / "charts" / "prunella")
    arguments = ("upgrade", "--install", operating.ACCOUNT, chart, "--namespace", operating.HOME)
    lab.helm(*arguments, "--set", chosen)


@pytest.fixture
def shops(lab: Lab) -> Iterator[dict[str, str]]:
    """A fresh shop for each fault, deleted after the test."""
    names = {fault: f"s{uuid.uuid4().hex[:6]}" for fault in FAULTS}
    lifecycle.up(lab, list(names.values()))
    yield names
    lifecycle.down(lab, list(names.values()))


def records(lab: Lab, shop: str) -> list[Document]:
    """The Remediations of a shop, oldest first."""
    found: list[Document] = lab.get("-n", f"{shop}-core", "remediations")["items"]
    return sorted(found, key=lambda each: str(each["spec"]["decidedAt"]))


def warnings(lab: Lab) -> list[str]:
    """What the API server's type checker has against the chart's admission policies."""
    found = lab.get("validatingadmissionpolicies")["items"]
    checks = [each.get("status", {}).get("typeChecking", {}) for each in found]
    return [str(each) for check in checks for each in check.get("expressionWarnings", ())]


def refused(lab: Lab, shop: str) -> list[str]:
    """Why nothing is done, by the policy's status."""
    found = lab.get("-n", f"{shop}-core", "remediationpolicies", "put-back")
    return [str(each.get("refused", "")) for each in found.get("status", {}).get("sick", ())]


def told(lab: Lab, shop: str) -> str:
    """What there is to see when a wait ends in vain."""
    status = lab.get("-n", f"{shop}-core", "remediationpolicies", "put-back").get("status", {})
    incidents = lab.get("-A", "incidents")["items"]
    suspects = [
        [(s["object"]["name"], s["confidence"]) for s in each.get("status", {}).get("suspects", ())]
        for each in incidents
    ]
    return yaml.safe_dump([status.get("sick"), suspects, records(lab, shop)])


def phases(lab: Lab, shop: str) -> list[tuple[str, str]]:
    """The Remediations of a shop in short."""
    found = records(lab, shop)
    return [(each["spec"]["action"], each.get("status", {}).get("phase", "")) for each in found]


def test_shops_are_put_back(lab: Lab, shops: dict[str, str]) -> None:
    """Without the right the API server refuses it; with it each is healed by one restore."""
    items = operating.lists(lab)
    with operating.operating(lab, items):
        enable(lab, "NetworkPolicy")
        for shop in shops.values():
            lab.apply(yaml.safe_dump(policy(shop)))
        time.sleep(USUAL_SECONDS)
        for name, shop in shops.items():
            injection.inject(lab, faults.load(faults.FOLDER / name, shop))

        first, by_policy, *_ = shops.values()
        wait_until(
            lambda: "ForbiddenByServer" in refused(lab, first), 180, lambda: told(lab, first)
        )
        wait_until(
            lambda: phases(lab, by_policy) == [("restore", "Succeeded")],
            240,
            lambda: told(lab, by_policy),
        )
        enable(lab, *KINDS)
        for name, shop in shops.items():
            wait_until(
                lambda shop=shop: phases(lab, shop) == [("restore", "Succeeded")],  # type: ignore[misc]
                240,
                lambda shop=shop: told(lab, shop),  # type: ignore[misc]
            )
            (effect,) = records(lab, shop)[0]["spec"]["effects"]
            assert FAULTS[name] == (effect["name"], effect["verb"])
        assert [] == warnings(lab)
