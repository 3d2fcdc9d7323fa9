"""restore: what an incident suspects is put back, proved, and undone when it did not help."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from prunella import allowed
from prunella import settings as settings_module
from prunella.adapters.simulated.faults import Crash, Point
from prunella.api import remediation
from prunella.core import model
from tests.engine import harness, restoring
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story
from tests.engine.restoring import CART, FLAGS, WALL, Shop

DIED = Crash("here")
RESTORED = [("restore", Phase.SUCCEEDED)]


def target_port(manifest: Any, port: int = 9999) -> None:
    """Send the Service's traffic to a port where nobody listens."""
    manifest["spec"]["ports"][0]["targetPort"] = port


def goes_wrong(shop: Shop) -> bool:
    """Whether cart's Service misses its pods."""
    found = shop.seen(CART)
    return found is None or found["spec"]["ports"][0]["targetPort"] != 8080


async def test_a_target_port_is_put_back_and_proved(story: Story) -> None:
    """The field of the Change and no other is written; the incident is on the record."""
    shop = await restoring.opened(story)
    before = shop.seen(CART)
    shop.broken_while(lambda: goes_wrong(shop))
    change = shop.edit(CART, target_port)
    shop.incident((CART, change))
    await story.until(lambda: story.phases() == RESTORED)
    assert before == shop.seen(CART)
    (record,) = story.records()
    (effect,) = record.spec.effects
    assert (restoring.NAME, "Patch", "Service", "cart", CHECKOUT) == (
        record.spec.incident,
        effect.verb,
        effect.kind,
        effect.name,
        record.target,
    )
    assert "restore spec.ports[name=http].targetPort of Service/cart" in effect.summary
    await story.run(300)
    assert (1, []) == (len(story.records()), story.pages())


async def test_a_symptom_leads_once_its_own_signals_have_held(story: Story) -> None:
    """The incident names the cause at once; the fault must last for as long as the policy says."""
    held = restoring.policy(signals=[harness.errors(hold="60s")])
    shop = await restoring.opened(story, held)
    shop.broken_while(lambda: goes_wrong(shop))
    shop.incident((CART, shop.edit(CART, target_port)))
    await story.run(50)
    assert ("NotHeldLongEnough", []) == (story.sick().refused, story.records())
    await story.until(lambda: story.phases() == RESTORED)
    (record,) = story.records()
    since = next(each.since for each in record.spec.evidence if each.signal == "errors")
    assert since is not None
    assert (record.spec.decided_at - since).total_seconds() >= 60


async def test_a_created_network_policy_is_deleted(story: Story) -> None:
    """Only where the policy says so; the inverse on the record would create it again."""
    shop = await restoring.opened(story, restoring.policy(restore={"undoCreated": True}))
    shop.broken_while(lambda: shop.seen(WALL) is not None)
    change = shop.create(restoring.network_policy())
    shop.incident((WALL, change))
    await story.until(lambda: story.phases() == RESTORED)
    assert shop.seen(WALL) is None
    (effect,) = story.records()[0].spec.effects
    assert ("Delete", True) == (effect.verb, '"policyTypes"' in effect.inverse)


async def test_a_deleted_service_is_created_again(story: Story) -> None:
    """As it was, without the address that the API server had given it."""
    shop = await restoring.opened(story)
    before: Any = shop.seen(CART)
    shop.broken_while(lambda: goes_wrong(shop))
    change = shop.delete(CART)
    shop.incident((CART, change))
    await story.until(lambda: story.phases() == RESTORED)
    after: Any = shop.seen(CART)
    assert before["spec"].pop("clusterIP") == "10.0.0.7"
    assert before["spec"] == after["spec"]
    assert before["metadata"].pop("uid") != after["metadata"].pop("uid")
    assert before["metadata"] == after["metadata"]


async def test_a_lowered_quota_is_raised_again(story: Story) -> None:
    """Nobody's running pods depend on a quota."""
    shop = await restoring.opened(story)
    shop.add(restoring.quota("40"))

    def low() -> bool:
        found: Any = shop.seen(restoring.QUOTA)
        return bool(found["spec"]["hard"]["pods"] != "40")

    shop.broken_while(low)
    lowered = shop.edit(restoring.QUOTA, lambda q: q["spec"]["hard"].update(pods="4"))
    shop.incident((restoring.QUOTA, lowered), causeKind="Quota")
    await story.until(lambda: story.phases() == RESTORED)
    assert not low()


async def test_a_wrong_first_suspect_is_put_back_to_the_byte(story: Story) -> None:
    """It did not help: the experiment is undone, and the next suspect is the right one."""
    shop = await restoring.opened(story)
    shop.broken_while(lambda: goes_wrong(shop))
    harmless = shop.edit(FLAGS, lambda m: m["data"].update(mode="slow", extra="1"))
    edited = shop.seen(FLAGS)
    wrong = shop.edit(CART, target_port)
    shop.incident((FLAGS, harmless), (CART, wrong))
    expected = [
        ("restore", Phase.UNHELPFUL),
        ("revert", Phase.SUCCEEDED),
        ("restore", Phase.SUCCEEDED),
    ]
    await story.until(lambda: story.phases() == expected, limit=400)
    assert edited == shop.seen(FLAGS)
    assert not goes_wrong(shop)
    assert [] == story.pages()
    sent = [effect.target for effect, _ in story.world.cluster.sent]
    assert [FLAGS, FLAGS, CART] == sent


BOUNDS = [
    pytest.param({"ceilings": {"pods": 20}}, id="what was there is above"),
    pytest.param({"ceilings": {"pods": 3}}, id="what is there could not be put back"),
]


@pytest.mark.parametrize("stated", BOUNDS)
async def test_a_restore_keeps_the_bounds_of_administrators(stated: dict[str, Any]) -> None:
    """A person may set any quota; the operator stays within what the chart states, both ways."""
    raising = allowed.RaiseQuota.model_validate(stated)
    async with harness.telling(settings_module.Settings(raise_quota=raising)) as story:
        shop = await restoring.opened(story)
        shop.add(restoring.quota("40" if stated["ceilings"]["pods"] == 20 else "2"))
        shop.broken_while(lambda: True)
        edited = shop.edit(restoring.QUOTA, lambda q: q["spec"]["hard"].update(pods="4"))
        shop.incident((restoring.QUOTA, edited), causeKind="Quota")
        await story.run(60)
        assert ("AtBound", []) == (story.sick().refused, story.records())
        assert "(chart value raiseQuota.ceilings)" in story.sick().refusal


WRONG = [
    pytest.param("create", id="an object that was created"),
    pytest.param("delete", id="an object that was deleted"),
]


@pytest.mark.parametrize("what", WRONG)
async def test_a_whole_object_is_put_back(story: Story, what: str) -> None:
    """What was deleted in vain is created again, what was created in vain is deleted."""
    shop = await restoring.opened(story, restoring.policy(restore={"undoCreated": True}))
    shop.broken_while(lambda: True)
    if what == "create":
        ref, change = WALL, shop.create(restoring.network_policy())
    else:
        ref = shop.add(restoring.config_map("old", a="1"))
        change = shop.delete(ref)
    before: Any = shop.seen(ref)
    shop.incident((ref, change))
    undone = [("restore", Phase.UNHELPFUL), ("revert", Phase.SUCCEEDED)]
    await story.until(lambda: story.phases() == undone, limit=400)
    after: Any = shop.seen(ref)
    for each in (before, after):
        if each is not None:
            each["metadata"].pop("uid")
            each.pop("apiVersion", None)
    assert before == after
    await story.run(60)
    assert (undone, 1) == (story.phases(), len(story.pages()))


async def test_an_edit_after_the_restore_is_not_fought(story: Story) -> None:
    """A person takes it in hand while it is proved: nothing is put back over that."""
    shop = await restoring.opened(story)
    shop.broken_while(lambda: True)
    change = shop.edit(CART, target_port)
    shop.incident((CART, change))
    await story.until(lambda: story.phases() == [("restore", Phase.VERIFYING)])
    shop.edit(CART, lambda m: target_port(m, 7))
    superseded = [("restore", Phase.SUPERSEDED)]
    await story.until(lambda: story.phases() == superseded, limit=15)
    message = f"{CART} was changed by somebody else after {story.records()[0].name}"
    assert ("ChangedByOthers", message) == (
        story.records()[0].status.reason,
        story.records()[0].status.message,
    )
    await story.run(60)
    assert ("ChangedByOthers", superseded) == (story.sick().refused, story.phases())
    found: Any = shop.seen(CART)
    assert 7 == found["spec"]["ports"][0]["targetPort"]


async def test_a_deployment_s_field_is_put_back(story: Story) -> None:
    """The sick workload itself: only what the Change wrote, and its rollout is waited for."""
    shop = await restoring.opened(story)

    def env(manifest: Any, value: str) -> None:
        container = manifest["spec"]["template"]["spec"]["containers"][0]
        container["env"] = [{"name": "MODE", "value": value}]

    def wrong() -> bool:
        found: Any = shop.seen(CHECKOUT)
        return "env" in found["spec"]["template"]["spec"]["containers"][0]

    shop.broken_while(wrong)
    change = shop.edit(CHECKOUT, lambda m: env(m, "broken"))
    story.world.cluster.scale(CHECKOUT, 4)
    await story.run(10)
    shop.incident((CHECKOUT, change), causeKind="Configuration")
    await story.until(lambda: story.phases() == RESTORED)
    found: Any = shop.seen(CHECKOUT)
    assert (False, 4) == (wrong(), found["spec"]["replicas"])
    assert [] == [key for key in found["metadata"].get("annotations", {}) if "prunella" in key]


async def test_a_deployment_that_was_restored_in_vain_is_put_back(story: Story) -> None:
    """Its template is as it was found, whoever scales it."""
    shop = await restoring.opened(story)
    shop.broken_while(lambda: True)
    story.world.cluster.add_autoscaler(CHECKOUT)
    change = shop.edit(CHECKOUT, lambda m: m["spec"]["template"]["spec"].update(dnsPolicy="None"))
    await story.run(10)
    edited: Any = shop.seen(CHECKOUT)
    shop.incident((CHECKOUT, change))
    undone = [("restore", Phase.UNHELPFUL), ("revert", Phase.SUCCEEDED)]
    await story.until(lambda: story.phases() == undone, limit=400)
    after: Any = shop.seen(CHECKOUT)
    assert edited["spec"] == after["spec"]
    assert edited["metadata"]["annotations"].keys() == after["metadata"]["annotations"].keys()


async def test_one_target_leads(story: Story) -> None:
    """Two symptoms of one incident: one restore, and the other target waits for its proof."""
    target = {"selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}
    shop = await restoring.opened(story, restoring.policy(target=target))
    shop.broken_while(lambda: goes_wrong(shop))
    change = shop.edit(CART, target_port)
    shop.incident((CART, change), sick=[model.Ref("Deployment", NAMESPACE, "cart")])
    await story.until(lambda: story.phases() == RESTORED)
    await story.run(120)
    assert RESTORED == story.phases()


LOST = [
    pytest.param(Story.lose_answer_to_action, id="carried out, and the answer lost"),
    pytest.param(lambda story: story.faults.once(Point.BEFORE_SEND, DIED), id="died before it"),
    pytest.param(
        lambda story: story.faults.once(Point.AFTER_UPDATE, DIED), id="died at the record"
    ),
]


@pytest.mark.parametrize("arm", LOST)
async def test_a_crash_is_settled_by_looking(story: Story, arm: Callable[[Story], object]) -> None:
    """No mark is left on a Service: its fields tell whether the patch was carried out."""
    shop = await restoring.opened(story)
    before = shop.seen(CART)
    shop.broken_while(lambda: goes_wrong(shop))
    change = shop.edit(CART, target_port)
    arm(story)
    shop.incident((CART, change))
    for _ in range(60):
        await story.run(5)
        if not story.alive:
            story.start()
    assert ("restore", Phase.SUCCEEDED) in story.phases()
    assert (before, 1) == (shop.seen(CART), len(story.sent()))


REFUSED = [
    pytest.param(
        {"kinds": ["ConfigMap"]}, {}, "NotAllowedByPolicy", "kinds is ConfigMap", id="kind"
    ),
    pytest.param(
        {"fields": ["spec.selector"]},
        {},
        "NotAllowedByPolicy",
        "fields is spec.selector",
        id="field",
    ),
    pytest.param({"changeWithin": "30s"}, {"wait": 40}, "NotChangedRecently", "is 30 s", id="old"),
    pytest.param({}, {"again": True}, "ChangedSince", "changed again by kubectl-edit", id="again"),
    pytest.param(
        {}, {"manager": "argocd-controller"}, "OwnedByGitOps", "argocd", id="made by GitOps"
    ),
    pytest.param(
        {},
        {"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}},
        "OwnedByGitOps",
        "carries kustomize.toolkit.fluxcd.io/name",
        id="of GitOps",
    ),
    pytest.param(
        {},
        {"ownerReferences": [{"kind": "Rollout", "name": "cart", "controller": True}]},
        "OwnedByController",
        "Rollout/cart controls Service/cart",
        id="of a controller",
    ),
    pytest.param(
        {}, {"forbidden": True}, "ForbiddenByServer", "restore of Service/cart", id="right"
    ),
]


@pytest.mark.parametrize(("step", "world", "reason", "told"), REFUSED)
async def test_what_is_not_restored(
    story: Story, step: dict[str, Any], world: dict[str, Any], reason: str, told: str
) -> None:
    """Each refusal has a word of its own and the numbers that it compared."""
    shop = await restoring.opened(story, restoring.policy(restore=step))
    shop.broken_while(lambda: True)
    metadata = {k: v for k, v in world.items() if k in {"labels", "ownerReferences"}}
    story.world.cluster.edit_object(CART, lambda m: m["metadata"].update(metadata))
    change = shop.edit(CART, target_port, world.get("manager", "kubectl-edit"))
    if world.get("again"):
        await story.run(1)
        shop.edit(CART, lambda m: target_port(m, 7))
    if world.get("forbidden"):
        story.world.cluster.forbid("restore")
    await story.run(world.get("wait", 0))
    shop.incident((CART, change))
    await story.run(40)
    assert (reason, []) == (story.sick().refused, story.records())
    assert told in story.sick().refusal


async def test_healthy_dependents_are_spared(story: Story) -> None:
    """Another policy sees a caller of the Service Healthy: then it serves well as it is."""
    shop = await restoring.opened(story)
    story.world.cluster.add_deployment(NAMESPACE, "web", harness.GOOD)
    calls = {"name": "CART_ADDR", "value": "cart:80"}

    def call(manifest: Any) -> None:
        manifest["spec"]["template"]["spec"]["containers"][0]["env"] = [calls]

    web = model.Ref("Deployment", NAMESPACE, "web")
    shop.edit(web, call)
    story.apply(harness.spec({"restart": {}}, target={"name": "web"}), "web")
    await story.run(40)
    shop.broken_while(lambda: True)
    change = shop.edit(CART, target_port)
    shop.incident((CART, change))
    await story.run(40)
    assert ("HealthyDependents", []) == (story.sick().refused, story.records())
    assert "1 of 1 other workloads that depend on Service/cart are Healthy" in story.sick().refusal
    story.apply(restoring.policy(restore={"maxHealthyDependents": 1}))
    await story.until(lambda: bool(story.records()))


async def test_advice_says_which_fields(story: Story) -> None:
    """In Advise nothing is written, and the record holds patch and inverse."""
    shop = await restoring.opened(story, restoring.policy(mode="Advise"))
    shop.broken_while(lambda: goes_wrong(shop))
    change = shop.edit(CART, target_port)
    shop.incident((CART, change))
    await story.until(lambda: story.phases() == [("restore", Phase.ADVISED)])
    effect: remediation.EffectSpec = story.records()[0].spec.effects[0]
    assert ("8080" in effect.patch, "9999" in effect.inverse) == (True, True)
    assert goes_wrong(shop)


STRIDE = 1 if os.environ.get("PRUNELLA_SEEDS") else 4
"""Of so many deaths one is tried; each of them when PRUNELLA_SEEDS asks for more."""


async def test_a_death_at_any_request_leaves_each_object_as_it_should_be() -> None:
    """Restored in vain, put back, the next one restored: each effect once, whatever dies."""
    deaths = 0
    for count in range(1, 150, STRIDE):
        async with harness.telling() as story:
            shop = restoring.stocked(story)
            shop.broken_while(lambda told=shop: goes_wrong(told))  # type: ignore[misc]
            harmless = shop.edit(FLAGS, lambda m: m["data"].update(mode="slow"))
            edited = shop.seen(FLAGS)
            shop.incident((FLAGS, harmless), (CART, shop.edit(CART, target_port)))
            story.faults.crash_at(count)
            for _ in range(60):
                await story.run(5)
                if not story.alive:
                    story.start()
            assert story.sent() == list(dict.fromkeys(story.sent())), count
            assert (edited, False) == (shop.seen(FLAGS), goes_wrong(shop)), count
            deaths += story.deaths
            if not story.deaths:
                break
    assert deaths >= 60 / STRIDE
