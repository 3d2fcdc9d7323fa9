"""raiseQuota: limits that refuse a target's pods are raised, proved, and put back when in vain."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.api import reasons
from tests.engine import harness
from tests.engine.harness import NAMESPACE, Phase, Story
from tests.engine.restoring import QUOTA, Shop

Refused = reasons.Refused


def pods(shop: Shop) -> Any:
    """The quota's limit of pods as the API server has it."""
    found = shop.seen(QUOTA)
    return None if found is None else found["spec"]["hard"]["pods"]


def full(story: Story, enough: int, used: str = "8", **metadata: Any) -> Shop:
    """Given checkout, which fails while its quota is too small, and a policy."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    shop = Shop(story)
    quota = {
        "kind": "ResourceQuota",
        "metadata": {"name": "small", "namespace": NAMESPACE, **metadata},
        "spec": {"hard": {"pods": "8"}},
        "status": {"used": {"pods": used}},
    }
    shop.cluster.add_object(quota)
    shop.broken_while(lambda: int(pods(shop)) < enough)
    story.apply(harness.spec({"raiseQuota": {"ceilings": {"pods": 12}}}))
    return shop


async def test_a_larger_quota_heals_and_that_is_proved(story: Story) -> None:
    """One write of what is short."""
    shop = full(story, enough=10)
    await story.until(lambda: story.phases() == [("raiseQuota", Phase.SUCCEEDED)])
    (effect,) = story.records()[0].spec.effects
    assert ("10", "ResourceQuota", "small") == (pods(shop), effect.kind, effect.name)


async def test_what_does_not_help_is_put_back(story: Story) -> None:
    """To what it was before."""
    shop = full(story, enough=1000)
    undone = [("raiseQuota", Phase.UNHELPFUL), ("revert", Phase.SUCCEEDED)]
    await story.until(lambda: story.phases() == undone)
    assert "8" == pods(shop)


async def test_who_writes_the_suspect_does_not_wait_for_it_to_be_treated(story: Story) -> None:
    """Given an incident that names the quota first, then raising it is the treatment."""
    shop = full(story, enough=10)
    shop.incident((QUOTA, ""))
    await story.until(lambda: story.phases() == [("raiseQuota", Phase.SUCCEEDED)])
    assert "10" == pods(shop)


@pytest.mark.parametrize("why", ["room", "ceiling", "GitOps", "no right"])
async def test_it_is_refused(story: Story, why: str) -> None:
    """Nothing is sent, and the status says why."""
    marks = {"annotations": {"argocd.argoproj.io/tracking-id": "x"}} if why == "GitOps" else {}
    used = {"room": "3", "ceiling": "12"}.get(why, "8")
    shop = full(story, enough=1000, used=used, **marks)
    if why == "no right":
        shop.cluster.forbid("restore")
    await story.run(60)
    refused = {
        "room": Refused.NOT_THE_LIMIT,
        "ceiling": Refused.AT_BOUND,
        "GitOps": Refused.OWNED_BY_GITOPS,
        "no right": Refused.FORBIDDEN,
    }
    assert (refused[why], [], "8") == (story.sick().refused, story.sent(), pods(shop))
