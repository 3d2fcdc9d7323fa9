"""shiftTraffic: traffic is moved away from a sick side, proved, and moved back when in vain."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.changes import swaps
from tests.engine import harness
from tests.engine.harness import NAMESPACE, Phase, Story
from tests.engine.restoring import Shop

Refused = reasons.Refused
ROUTE = model.Ref("HTTPRoute", NAMESPACE, "web")
SERVICE = model.Ref("Service", NAMESPACE, "web")
STEP = {
    "kind": "HTTPRoute",
    "name": "web",
    "to": {"workload": "stable"},
    "by": 100,
}
BOTH = {"selector": {"matchLabels": {"part": "web"}}}


def service(name: str) -> Any:
    """A Service of the pods of one side."""
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"kind": "Service", "metadata": metadata, "spec": {"selector": {"app": name}}}


def sick_share(shop: Shop) -> int:
    """The weight of the sick side."""
    found = shop.seen(ROUTE)
    assert found is not None
    weight: int = found["spec"]["rules"][0]["backendRefs"][0]["weight"]
    return weight


def divided(
    story: Story,
    *steps: Any,
    helps: bool = True,
    verify: Any = None,
    **metadata: Any,
) -> Shop:
    """Given a sick side with 20 % of the traffic, a Healthy one, and a policy on both."""
    cluster = story.world.cluster
    for name in ("checkout", "stable"):
        cluster.add_deployment(NAMESPACE, name, harness.GOOD, labels={"part": "web"})
    shop = Shop(story)
    backends = [{"name": "checkout", "weight": 20}, {"name": "stable", "weight": 80}]
    shop.cluster.add_object(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "web", "namespace": NAMESPACE, **metadata},
            "spec": {"rules": [{"backendRefs": backends}]},
        }
    )
    for name in ("checkout", "stable"):
        shop.cluster.add_object(service(name))
    shop.broken_while(lambda: sick_share(shop) > 0 if helps else True)
    more = {"verify": verify} if verify is not None else {}
    story.apply(harness.spec(*(steps or ({"shiftTraffic": STEP},)), target=BOTH, **more))
    return shop


async def test_what_is_moved_away_is_proved(story: Story) -> None:
    """One write of both weights; nobody rolls anything out."""
    shop = divided(story)
    await story.until(lambda: story.phases() == [("shiftTraffic", Phase.SUCCEEDED)])
    (effect,) = story.records()[0].spec.effects
    assert (0, "HTTPRoute") == (sick_share(shop), effect.kind)
    assert "rule 0: 20 % to 0 %, and 80 % to 100 %" in effect.summary


async def test_what_does_not_help_is_moved_back(story: Story) -> None:
    """To the weights before."""
    shop = divided(story, helps=False)
    before = shop.seen(ROUTE)
    undone = [("shiftTraffic", Phase.UNHELPFUL), ("revert", Phase.SUCCEEDED)]
    await story.until(lambda: story.phases() == undone)
    assert before == shop.seen(ROUTE)


async def test_weights_that_somebody_has_changed_since_stay(story: Story) -> None:
    """A person's hand wins over the way back."""
    shop = divided(story, helps=False)
    await story.until(lambda: story.phases() == [("shiftTraffic", Phase.VERIFYING)])
    change = {"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 7}

    def edit(manifest: Any) -> None:
        manifest.update(swaps.apply([change], manifest))

    shop.cluster.edit_object(ROUTE, edit)
    await story.run(120)
    assert ([("shiftTraffic", Phase.SUPERSEDED)], 7) == (story.phases(), sick_share(shop))
    assert Refused.CHANGED_BY_OTHERS == story.sick().refused


async def test_a_sick_side_that_is_never_ready_is_no_hindrance(story: Story) -> None:
    """What traffic has left need not be rolled out for the proof."""
    shop = divided(story)
    story.world.cluster.set_image(harness.CHECKOUT, "shop/checkout:v2-broken")
    story.apply(harness.spec({"shiftTraffic": STEP}, target=BOTH))
    await story.until(lambda: story.phases() == [("shiftTraffic", Phase.SUCCEEDED)])
    assert sick_share(shop) == 0
    checkout = await story.world.cluster.live_state(harness.CHECKOUT)
    assert checkout is not None
    assert not checkout.workload.rolled_out


async def test_an_answer_that_is_lost_is_settled_by_the_weights(story: Story) -> None:
    """It was carried out once; nothing is sent again."""
    shop = divided(story)
    story.world.cluster.lose_answer_once()
    await story.until(lambda: story.phases() == [("shiftTraffic", Phase.SUCCEEDED)])
    assert (1, 0) == (len(story.sent()), sick_share(shop))


async def test_the_next_step_is_tried_where_the_other_side_is_sick(story: Story) -> None:
    """Nothing is moved to what is no better."""
    shop = divided(story, {"shiftTraffic": STEP}, {"restart": {}})
    stable = model.Ref("Deployment", NAMESPACE, "stable")
    story.world.apps.surge(stable, errors=0.5)
    await story.until(lambda: bool(story.records()))
    assert {"restart"} == {record.spec.action for record in story.records()}
    assert sick_share(shop) == 20


async def test_a_selector_is_switched_and_switched_back(story: Story) -> None:
    """Of blue and green all is moved at once."""
    cluster = story.world.cluster
    for name in ("checkout", "stable"):
        cluster.add_deployment(NAMESPACE, name, harness.GOOD, labels={"part": "web"})
    shop = Shop(story)
    cluster.add_object({**service("checkout"), "metadata": {"name": "web", "namespace": NAMESPACE}})
    shop.broken_while(lambda: True)
    step = {"kind": "Service", "name": "web", "label": "app", "to": {"workload": "stable"}}
    story.apply(harness.spec({"shiftTraffic": step}, target=BOTH))

    def chosen() -> Any:
        found = shop.seen(SERVICE)
        return None if found is None else found["spec"]["selector"]

    await story.until(lambda: story.phases() == [("shiftTraffic", Phase.VERIFYING)])
    assert {"app": "stable"} == chosen()
    undone = [("shiftTraffic", Phase.UNHELPFUL), ("revert", Phase.SUCCEEDED)]
    await story.until(lambda: story.phases() == undone)
    assert {"app": "checkout"} == chosen()


MARK = {"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}
CANARY = {"ownerReferences": [{"kind": "Canary", "name": "web", "controller": True}]}
WHY: dict[str, tuple[dict[str, Any], Refused, str]] = {
    "GitOps": (MARK, Refused.OWNED_BY_GITOPS, "a step gitRevert takes a bad release back there"),
    "a controller": (CANARY, Refused.OWNED_BY_CONTROLLER, "Canary/web controls HTTPRoute/web"),
    "no right": ({}, Refused.FORBIDDEN, "is forbidden"),
    "no policy on the other side": ({}, Refused.OTHER_SIDE_NOT_HEALTHY, "no policy of shop judges"),
}


@pytest.mark.parametrize("why", WHY)
async def test_it_is_refused(story: Story, why: str) -> None:
    """Nothing is sent, and the status says why."""
    metadata, reason, words = WHY[why]
    shop = divided(story, helps=False, **metadata)
    if why == "no right":
        shop.cluster.forbid("restore")
    if why == "no policy on the other side":
        story.apply(harness.spec({"shiftTraffic": STEP}))
    await story.run(60)
    sick = story.sick()
    assert (reason, [], 20) == (sick.refused, story.sent(), sick_share(shop))
    assert words in sick.refusal


async def test_another_policy_may_judge_the_other_side(story: Story) -> None:
    """What any policy of the namespace has found counts."""
    shop = divided(story)
    story.apply(harness.spec({"shiftTraffic": STEP}))
    story.apply(harness.spec({"restart": {}}, target={"name": "stable"}, mode="Advise"), "stable")
    await story.until(lambda: story.phases() == [("shiftTraffic", Phase.SUCCEEDED)])
    assert sick_share(shop) == 0


async def test_an_old_verdict_of_another_policy_proves_nothing(story: Story) -> None:
    """It was Healthy some time ago: whether it is must be seen again first."""
    shop = divided(story, helps=False)
    story.apply(harness.spec({"shiftTraffic": STEP}))
    shop.broken_while(lambda: False)
    await story.run(60)
    rare = {"target": {"name": "stable"}, "mode": "Advise", "interval": "1h"}
    story.apply(harness.spec({"restart": {}}, **rare), "stable")
    await story.run(300)
    shop.broken_while(lambda: True)
    await story.run(120)
    assert ([], 20) == (story.records(), sick_share(shop))
    assert "Deployment/stable is Unknown" in story.sick().refusal


async def test_who_has_not_judged_yet_is_waited_for(story: Story) -> None:
    """Readiness is enough where nobody judges the side, not where somebody is about to."""
    shop = divided(story, helps=False)
    shop.broken_while(lambda: False)
    story.apply(harness.spec({"shiftTraffic": {**STEP, "judgedBy": "Readiness"}}))
    rare = {"target": {"name": "stable"}, "mode": "Advise", "interval": "1h"}
    story.apply(harness.spec({"restart": {}}, **rare), "stable")
    await story.run(30)
    assert story.engine is not None
    memory = story.engine._passes.memories[objects.Key(NAMESPACE, "stable")]
    memory.verdicts, memory.judged_at = {}, None  # As after a restart of the operator.
    shop.broken_while(lambda: True)
    await story.run(60)
    assert ([], 20) == (story.records(), sick_share(shop))
    assert "Deployment/stable is Unknown" in story.sick().refusal


@pytest.mark.parametrize("otherwise", ["Revert", "Continue"])
async def test_a_shift_that_makes_the_other_side_sick_is_undone(
    story: Story, otherwise: str
) -> None:
    """The target is Healthy without traffic; the one that took it over fails instead."""
    verify = {"within": "60s", "samples": 6, "otherwise": otherwise}
    shop = divided(story, verify=verify)
    await story.until(lambda: story.phases() == [("shiftTraffic", Phase.VERIFYING)])
    story.world.apps.surge(model.Ref("Deployment", NAMESPACE, "stable"), errors=0.5)
    undone = [("shiftTraffic", Phase.UNHELPFUL), ("revert", Phase.SUCCEEDED)]
    await story.until(lambda: story.phases()[:2] == undone, 120)
    shift, _ = story.records()[:2]
    assert ("OtherSideUnhealthy", 20) == (shift.status.reason, sick_share(shop))
    assert "Deployment/stable, which took the traffic over" in shift.status.message


BACK = {
    "after": "5m",
    "by": 8,
    "require": [{"query": 'sum(app_http_requests_total{deployment="checkout"})', "atLeast": 1}],
}
WITH_BACK = {"shiftTraffic": {**STEP, "back": BACK}}


async def test_traffic_comes_back_by_parts_and_each_is_proved(story: Story) -> None:
    """When the side is Healthy, not before the time; the last part writes what was there."""
    shop = divided(story, WITH_BACK)
    before = shop.seen(ROUTE)
    await story.until(lambda: story.phases() == [("shiftTraffic", Phase.SUCCEEDED)])
    shop.broken_while(lambda: False)
    await story.run(200)
    assert sick_share(shop) == 0
    shares = []
    for parts in (1, 2, 3):
        done = ("returnTraffic", Phase.SUCCEEDED)
        wanted = [("shiftTraffic", Phase.SUCCEEDED), *[done] * parts]
        await story.until(lambda wanted=wanted: story.phases() == wanted, 600)
        shares.append(sick_share(shop))
    assert [8, 16, 20] == shares
    assert before == shop.seen(ROUTE)
    await story.run(1200)
    assert 4 == len(story.records())
    first = story.records()[1]
    assert first.spec.follows == story.records()[0].name
    assert "back to checkout from stable: rule 0: 0 % to 8 %" in first.spec.effects[0].summary


@pytest.mark.parametrize("otherwise", ["Revert", "Continue", "Escalate"])
async def test_a_part_that_makes_it_sick_again_is_taken_back_at_once(
    story: Story, otherwise: str
) -> None:
    """Whatever follows a step that did not help. No other part comes: the rest is a person's."""
    shop = divided(story, WITH_BACK, verify={"within": "20s", "samples": 2, "otherwise": otherwise})
    wanted = [
        ("shiftTraffic", Phase.SUCCEEDED),
        ("returnTraffic", Phase.UNHELPFUL),
        ("revert", Phase.SUCCEEDED),
    ]
    await story.until(lambda: story.phases() == wanted, 900)
    _, back, undone = story.records()
    assert back.status.reason == "UnhealthyAgain"
    assert undone.spec.follows == back.name
    assert sick_share(shop) == 0
    await story.run(1200)
    assert wanted == story.phases()


async def test_sickness_between_two_parts_moves_it_away_without_a_cooldown(story: Story) -> None:
    """What came back is moved away by the step itself."""
    shop = divided(story, WITH_BACK)
    broken = {"now": True}
    shop.broken_while(lambda: broken["now"] and sick_share(shop) > 0)
    await story.until(lambda: story.phases() == [("shiftTraffic", Phase.SUCCEEDED)])
    broken["now"] = False
    await story.until(lambda: story.phases()[1:] == [("returnTraffic", Phase.SUCCEEDED)], 600)
    broken["now"] = True
    await story.until(lambda: story.phases()[2:] == [("shiftTraffic", Phase.SUCCEEDED)], 60)
    assert sick_share(shop) == 0


NOT_BACK = {
    "the policy does not say so": "",
    "it is not known to be mended": Refused.REQUIREMENT_NOT_MET,
    "it is not ready": Refused.OTHER_SIDE_NOT_HEALTHY,
    "somebody has written the weights": Refused.CHANGED_BY_OTHERS,
    "GitOps": Refused.OWNED_BY_GITOPS,
    "a step was written above its own": Refused.PLAN_CHANGED,
    "another policy calls it sick": Refused.OTHER_SIDE_NOT_HEALTHY,
}


@pytest.mark.parametrize("why", NOT_BACK)
async def test_nothing_comes_back(story: Story, why: str) -> None:
    """And the policy's condition says why."""
    step: Any = {"shiftTraffic": STEP} if not NOT_BACK[why] else WITH_BACK
    if why == "it is not known to be mended":
        require = [{**BACK["require"][0], "atLeast": 1e12}]
        step = {"shiftTraffic": {**STEP, "back": {**BACK, "require": require}}}
    shop = divided(story, step)
    await story.until(lambda: story.phases() == [("shiftTraffic", Phase.SUCCEEDED)])
    shop.broken_while(lambda: False)
    if why == "it is not ready":
        story.world.cluster.set_image(harness.CHECKOUT, "shop/checkout:v2-broken")
    change = {"op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": 50}
    if why == "somebody has written the weights":
        shop.cluster.edit_object(ROUTE, lambda shown: shown.update(swaps.apply([change], shown)))
    if why == "GitOps":
        shop.cluster.edit_object(ROUTE, lambda shown: shown["metadata"].update(MARK))
    if why == "a step was written above its own":
        story.apply(harness.spec({"restart": {}}, WITH_BACK, target=BOTH))
    if why == "another policy calls it sick":
        odd = {**harness.errors(), "threshold": {"below": 2}}
        story.apply(harness.spec({"restart": {}}, signals=[odd], mode="Advise"), "odd")
    await story.run(600)
    own = [each for each in story.records() if each.policy.name == "checkout"]
    assert (0, 1) == (sick_share(shop), len(own))
    if NOT_BACK[why]:
        assert NOT_BACK[why] in story.condition("Ready")


async def test_a_lost_answer_of_the_way_back_is_settled_by_the_weights(story: Story) -> None:
    """It was sent once, and goes on from there."""
    shop = divided(story, WITH_BACK)
    await story.until(lambda: story.phases() == [("shiftTraffic", Phase.SUCCEEDED)])
    shop.broken_while(lambda: False)
    story.lose_answer_to_action()
    await story.until(lambda: story.phases()[1:] == [("returnTraffic", Phase.SUCCEEDED)], 600)
    assert (8, 2) == (sick_share(shop), len(story.sent()))
