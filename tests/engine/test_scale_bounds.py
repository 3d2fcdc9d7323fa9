"""scaleBounds: the autoscaler's bound is written, proved, and put back when in vain."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.api import reasons
from prunella.core import model
from tests.engine import harness
from tests.engine.harness import NAMESPACE, Phase, Story
from tests.engine.restoring import Shop

Refused = reasons.Refused
HPA = model.Ref("HorizontalPodAutoscaler", NAMESPACE, "checkout")


def most(shop: Shop) -> Any:
    """The autoscaler's maximum as the API server has it."""
    found = shop.seen(HPA)
    return None if found is None else found["spec"]["maxReplicas"]


def scaled(story: Story, enough: int, wants: int = 10, **metadata: Any) -> Shop:
    """Given checkout, which fails while its autoscaler may make too few pods, and a policy."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    shop = Shop(story)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}
    hpa = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "checkout", "namespace": NAMESPACE, **metadata},
        "spec": {"minReplicas": 2, "maxReplicas": 10, "scaleTargetRef": target},
        "status": {"desiredReplicas": wants},
    }
    shop.cluster.add_object(hpa)
    shop.broken_while(lambda: most(shop) < enough)
    story.apply(harness.spec({"scaleBounds": {"by": 5, "max": 20}}))
    return shop


async def test_a_higher_maximum_heals_and_that_is_proved(story: Story) -> None:
    """One write of one field of the autoscaler."""
    shop = scaled(story, enough=15)
    await story.until(lambda: story.phases() == [("scaleBounds", Phase.SUCCEEDED)])
    (effect,) = story.records()[0].spec.effects
    assert (15, "HorizontalPodAutoscaler") == (most(shop), effect.kind)
    assert "set spec.maxReplicas of HorizontalPodAutoscaler/checkout from 10 to 15" == (
        effect.summary
    )


async def test_what_does_not_help_is_put_back(story: Story) -> None:
    """To what it was before."""
    shop = scaled(story, enough=1000)
    undone = [("scaleBounds", Phase.UNHELPFUL), ("revert", Phase.SUCCEEDED)]
    await story.until(lambda: story.phases() == undone)
    assert 10 == most(shop)


@pytest.mark.parametrize("why", ["it wants no more", "GitOps", "no right"])
async def test_it_is_refused(story: Story, why: str) -> None:
    """Nothing is sent, and the status says why."""
    marks = {"labels": {"argocd.argoproj.io/tracking-id": "x"}} if why == "GitOps" else {}
    shop = scaled(story, enough=1000, wants=4 if why == "it wants no more" else 10, **marks)
    if why == "no right":
        shop.cluster.forbid("restore")
    await story.run(60)
    refused = {
        "it wants no more": Refused.NOT_THE_LIMIT,
        "GitOps": Refused.OWNED_BY_GITOPS,
        "no right": Refused.FORBIDDEN,
    }
    assert (refused[why], [], 10) == (story.sick().refused, story.sent(), most(shop))
