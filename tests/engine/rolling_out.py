"""Rollouts of Argo Rollouts for the engine's tests: a canary in steps, and a policy about it."""

from __future__ import annotations

from typing import Any

from prunella.core import model
from tests.engine import harness
from tests.engine.harness import NAMESPACE, Story

WEB = model.Ref("Rollout", NAMESPACE, "web")
GOOD, BAD, BROKEN = "shop/web:v1", "shop/web:v2-bad", "shop/web:v2-broken"
CANARY = {"canary": {"steps": [{"setWeight": 40}, {"pause": {}}, {"setWeight": 80}, {"pause": {}}]}}
BLUE_GREEN = {"blueGreen": {"activeService": "web", "autoPromotionEnabled": False}}


def errors(above: float = 0.05) -> dict[str, Any]:
    """The share of failed requests in 15 seconds, by the Rollout's own label."""
    by = "sum by (namespace, rollout)"
    return {
        "name": "errors",
        "ratio": {
            "bad": f'{by} (rate(app_http_requests_total{{code=~"5.."}}[15s]))',
            "total": f"{by} (rate(app_http_requests_total[15s]))",
        },
        "threshold": {"above": above},
        "for": "10s",
    }


def manifest(strategy: dict[str, Any] | None = None) -> dict[str, Any]:
    """A Rollout of five pods."""
    labels = {"app": "web"}
    return {
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": 5,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "app", "image": GOOD}]},
            },
            "strategy": strategy or CANARY,
        },
    }


def policy(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A Live policy on the Rollout by its error ratio."""
    target = {"kind": "Rollout", "name": "web"}
    return harness.spec(*steps, **{"target": target, "signals": [errors()], **changes})


async def given(
    story: Story,
    *steps: dict[str, Any],
    strategy: dict[str, Any] | None = None,
    image: str = BAD,
    **changes: Any,
) -> None:
    """Given a Rollout with good history and a policy, when another release begins."""
    story.world.cluster.create(manifest(strategy))
    story.apply(policy(*steps, **changes), "web")
    await story.run(harness.QUIET)
    if image:
        story.release(image, WEB)


def images(story: Story) -> dict[str, int]:
    """How many pods run which image."""
    found: dict[str, int] = {}
    for workload in story.world.cluster.states(NAMESPACE):
        for pod in workload.active:
            found[pod.image] = found.get(pod.image, 0) + 1
    return found


def delivery(story: Story) -> Any:
    """How far the Rollout is."""
    return story.workload(WEB).delivery


def telling(story: Story, **fields: Any) -> None:
    """A person's `kubectl argo rollouts`: fields of the status; None takes one away."""
    shown = story.world.cluster.object_of(WEB)
    assert shown is not None
    status = dict(shown["status"])
    for field, value in fields.items():
        if value is None:
            status.pop(field, None)
        else:
            status[field] = value
    story.world.cluster.write_status(WEB, status)
