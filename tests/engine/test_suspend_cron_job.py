"""A CronJob is suspended: proved, undone when it does not help, and left to people's hands."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.api import reasons
from prunella.core import model
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Refused = reasons.Refused
NIGHTLY = model.Ref("CronJob", NAMESPACE, "nightly")


def overload(story: Story, **changes: Any) -> None:
    """Given a CronJob whose runs overload a database, and a policy that suspends it."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.cluster.cron_jobs.add(NAMESPACE, "nightly", "shop/nightly:v1")
    story.world.apps.surge(CHECKOUT, load=3.0)
    signal = {
        "name": "load",
        "prometheus": {"query": "max(app_load)"},
        "mapping": {"single": True},
        "threshold": {"above": 1},
        "for": "5s",
    }
    target = {"kind": "CronJob", "name": "nightly"}
    steps = {"suspendCronJob": {}}
    story.apply(harness.spec(steps, target=target, signals=[signal], **changes), "nightly")


def suspended(story: Story) -> bool:
    """Whether the CronJob is, as the API server has it."""
    return story.workload(NIGHTLY).suspended


async def test_what_it_did_ends_and_that_is_proved(story: Story) -> None:
    """Given a load that its runs make, when it is suspended, then the load's end is the proof."""
    overload(story)
    await story.until(lambda: suspended(story))
    assert story.phases() == [("suspendCronJob", Phase.VERIFYING)]
    story.world.apps.surge(CHECKOUT, load=0.1)
    await story.until(lambda: story.phases() == [("suspendCronJob", Phase.SUCCEEDED)])

    assert suspended(story), "to let it go on is for a person"
    assert 1 == len(story.sent())
    assert {"kubectl-create"} >= story.workload(NIGHTLY).field_owners["spec.suspend"]


async def test_what_does_not_help_is_undone(story: Story) -> None:
    """Given a load of somebody else's, when the suspension does not help, then it goes on."""
    overload(story)
    undone = [("suspendCronJob", Phase.UNHELPFUL), ("revert", Phase.SUCCEEDED)]
    await story.until(lambda: story.phases() == undone)
    assert not suspended(story)
    assert "undo: suspend CronJob/nightly" in story.records()[1].spec.effects[0].summary


async def test_a_person_who_lets_it_go_on_is_not_fought(story: Story) -> None:
    """Given a person who ends the suspension, then it is theirs: not proved, not undone."""
    overload(story)
    await story.until(lambda: suspended(story))
    story.world.cluster.cron_jobs.suspend(NIGHTLY, suspended=False)
    await story.until(lambda: story.phases() == [("suspendCronJob", Phase.SUPERSEDED)])
    await story.run(120)
    assert (1, False) == (len(story.sent()), suspended(story))


async def test_a_lost_answer_is_settled_by_looking(story: Story) -> None:
    """Given a suspension whose answer is lost, then the mark on the CronJob tells."""
    overload(story)
    story.lose_answer_to_action()
    await story.until(lambda: suspended(story))
    story.world.apps.surge(CHECKOUT, load=0.1)
    await story.until(lambda: story.phases() == [("suspendCronJob", Phase.SUCCEEDED)])
    assert 1 == len(story.sent())


@pytest.mark.parametrize("how", ["suspended", "GitOps", "no right"])
async def test_it_is_refused(story: Story, how: str) -> None:
    """Given a CronJob that is suspended, owned by others or forbidden, then it says so."""
    overload(story)
    cluster = story.world.cluster
    if how == "suspended":
        cluster.cron_jobs.suspend(NIGHTLY, suspended=True)
    elif how == "GitOps":
        for value in (True, False):
            cluster.cron_jobs.suspend(NIGHTLY, suspended=value, manager="argocd-controller")
    else:
        cluster.forbid("suspendCronJob")
    await story.run(60)
    refused = {
        "suspended": Refused.AT_BOUND,
        "GitOps": Refused.OWNED_BY_GITOPS,
        "no right": Refused.FORBIDDEN,
    }
    assert (refused[how], []) == (story.sick("nightly").refused, story.sent())
