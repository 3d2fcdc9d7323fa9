"""restore for what is sick in other namespaces: who leads, what proves it, what is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from prunella.core import model
from tests.engine import harness, restoring
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story
from tests.engine.restoring import FLAGS, QUOTA, WALL, Shop

ELSEWHERE = "front-of-house"
FRONTEND = model.Ref("Deployment", ELSEWHERE, "frontend")
SERVICE = model.Ref("Service", NAMESPACE, "checkout")
WEB = model.Ref("Deployment", NAMESPACE, "web")
ALL = {"selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}
RESTORED = [("restore", Phase.SUCCEEDED)]


def anywhere(**changes: Any) -> dict[str, Any]:
    """A policy of the suspect's namespace for what is sick wherever it is."""
    step = {"undoCreated": True, **changes.pop("restore", {})}
    return restoring.policy(trigger={"symptoms": "Anywhere"}, restore=step, **changes)


async def opened(story: Story, document: dict[str, Any] | None = None) -> Shop:
    """Given a caller in another namespace, and a Service in front of checkout."""
    shop = restoring.stocked(story, document or anywhere())
    shop.add(restoring.service("checkout"))
    shop.add(_caller())
    for ref in (CHECKOUT, model.Ref("Deployment", NAMESPACE, "cart")):
        shop.edit(ref, lambda m: m["metadata"].setdefault("annotations", {}).update(seen="1"))
    await story.run(harness.QUIET)
    return shop


def _caller() -> dict[str, Any]:
    """The workload of another namespace that calls checkout."""
    env = [{"name": "CHECKOUT_ADDR", "value": f"checkout.{NAMESPACE}.svc.cluster.local:80"}]
    template = {"metadata": {}, "spec": {"containers": [{"name": "app", "env": env}]}}
    return {
        "kind": "Deployment",
        "metadata": {"name": "frontend", "namespace": ELSEWHERE},
        "spec": {"template": template},
    }


def wrong_port(shop: Shop) -> str:
    """Let the Service send to a port where nobody listens."""
    return shop.edit(SERVICE, lambda m: m["spec"]["ports"][0].update(targetPort=9999))


def wrong_selector(shop: Shop) -> str:
    """Let the Service select nobody: who was behind it, only the Change tells."""
    return shop.edit(SERVICE, lambda m: m["spec"]["selector"].update(app="chekcout"))


def no_selector(shop: Shop) -> str:
    """Delete the Service: the Change alone tells whom it served."""
    return shop.delete(SERVICE)


def walled(shop: Shop) -> str:
    """Let nobody in to checkout."""
    manifest = restoring.network_policy()
    manifest["spec"]["podSelector"] = {"matchLabels": {"app": "checkout"}}
    return shop.create(manifest)


def small(shop: Shop) -> str:
    """Lower the quota, which serves no workload: checkout is what the sick one calls."""
    shop.add(restoring.quota("40"))
    return shop.edit(QUOTA, lambda m: m["spec"]["hard"].update(pods="4"))


LED = [
    pytest.param(wrong_port, SERVICE, id="behind a Service"),
    pytest.param(wrong_selector, SERVICE, id="behind it before the change"),
    pytest.param(no_selector, SERVICE, id="behind it before it was deleted"),
    pytest.param(walled, WALL, id="selected by a NetworkPolicy"),
    pytest.param(small, QUOTA, id="called by what is sick"),
]


@pytest.mark.parametrize(("harm", "suspect"), LED)
async def test_what_the_suspect_serves_leads(
    story: Story, harm: Callable[[Shop], str], suspect: model.Ref
) -> None:
    """Sick is a caller elsewhere; the target of the suspect's own namespace proves the restore."""
    shop = await opened(story)
    change = harm(shop)
    sick = shop.seen(suspect)
    shop.broken_while(lambda: shop.seen(suspect) == sick)
    shop.incident((suspect, change), symptoms=(FRONTEND,))
    await story.until(lambda: story.phases() == RESTORED)
    assert ([CHECKOUT], [restoring.NAME]) == (
        [record.target for record in story.records()],
        [record.spec.incident for record in story.records()],
    )
    await story.run(120)
    assert (1, []) == (len(story.records()), story.pages())


async def test_nothing_of_the_other_namespace_is_told(story: Story) -> None:
    """Neither the record, nor the policy's status, nor an Event names what is sick elsewhere."""
    shop = await opened(story)
    shop.broken_while(lambda: True)
    summary = f"Service/checkout: {ELSEWHERE}/frontend misses its port"
    shop.incident((SERVICE, wrong_port(shop)), symptoms=(FRONTEND,), summary=summary)
    await story.until(lambda: len(story.records()) == 2)
    told = [each.spec.model_dump_json() + each.status.model_dump_json() for each in story.records()]
    told += [story.status().model_dump_json(), *map(str, story.world.notifier.events)]
    assert [] == [text for text in told if ELSEWHERE in text or "frontend" in text]
    assert "together with what is outside this namespace" in told[0]


async def test_the_default_is_what_is_sick_here(story: Story) -> None:
    """Without the word of the policy a target leads only for what it suffers from itself."""
    shop = await opened(story, restoring.policy())
    shop.broken_while(lambda: True)
    shop.incident((SERVICE, wrong_port(shop)), symptoms=(FRONTEND,))
    await story.run(40)
    assert ("NotTheCause", []) == (story.sick().refused, story.records())
    assert "trigger.incident.symptoms is Target" in story.sick().refusal


UNFIT = [
    pytest.param(WEB, {}, True, "nor is called by what is sick", id="it has nothing to do with it"),
    pytest.param(SERVICE, {"signals": [harness.errors(hold="60s")]}, True, "60", id="a flicker"),
    pytest.param(SERVICE, {}, False, "", id="its own signals see nothing to heal"),
]


@pytest.mark.parametrize(("suspect", "spec", "sick", "told"), UNFIT)
async def test_who_does_not_lead(
    story: Story, suspect: model.Ref, spec: dict[str, Any], sick: bool, told: str
) -> None:
    """An experiment that nothing can prove is not made."""
    shop = await opened(story, anywhere(**spec))
    story.world.cluster.add_deployment(NAMESPACE, "web", harness.GOOD)
    change = shop.edit(WEB, lambda m: m["metadata"].setdefault("annotations", {}).update(a="1"))
    if suspect == SERVICE:
        change = wrong_port(shop)
    shop.broken_while(lambda: sick)
    caller = FRONTEND if suspect == SERVICE else FRONTEND._replace(name="other")
    shop.incident((suspect, change), symptoms=(caller,))
    await story.run(40)
    assert [] == story.records()
    assert [told] == [told for each in story.status().sick if told in each.refusal] or not sick


async def test_the_sick_target_leads_before_another(story: Story) -> None:
    """Of two targets one is sick in the incident itself; the other is only behind the Service.

    The other's own signals have been bad for longer.
    """
    shop = await opened(story, anywhere(target=ALL, guards={"stopWhenUnhealthy": "100%"}))
    shop.broken_while(lambda: True)
    await story.run(20)
    cart = model.Ref("Deployment", NAMESPACE, "cart")
    story.world.apps.surge(cart, errors=0.5)
    await story.run(15)
    shop.incident((SERVICE, wrong_port(shop)), symptoms=(FRONTEND, cart))
    await story.until(lambda: bool(story.records()))
    assert [cart] == [record.target for record in story.records()]


async def test_a_symptom_that_another_policy_sees_healthy_is_no_obstacle(story: Story) -> None:
    """Web is sick by the incident: that its errors are few does not spare the suspect."""
    shop = await opened(story)
    story.world.cluster.add_deployment(NAMESPACE, "web", harness.GOOD)

    def call(manifest: Any) -> None:
        env = [{"name": "CHECKOUT_ADDR", "value": "checkout:80"}]
        manifest["spec"]["template"]["spec"]["containers"][0]["env"] = env

    shop.edit(WEB, call)
    story.apply(harness.spec({"restart": {}}, target={"name": "web"}), "web")
    await story.run(40)
    shop.broken_while(lambda: True)
    change = wrong_port(shop)
    shop.incident((SERVICE, change), symptoms=(FRONTEND, WEB))
    await story.until(lambda: bool(story.records()))
    assert [CHECKOUT] == [record.target for record in story.records()]


async def test_what_did_not_help_elsewhere_is_put_back(story: Story) -> None:
    """The next suspect of the namespace is tried, as ever."""
    shop = await opened(story)

    def walled_in() -> bool:
        return shop.seen(WALL) is not None

    harmless = shop.edit(FLAGS, lambda m: m["data"].update(mode="slow"))
    edited = shop.seen(FLAGS)
    change = walled(shop)
    shop.broken_while(walled_in)
    shop.incident((FLAGS, harmless), (WALL, change), symptoms=(FRONTEND,))
    phases = [
        ("restore", Phase.UNHELPFUL),
        ("revert", Phase.SUCCEEDED),
        ("restore", Phase.SUCCEEDED),
    ]
    await story.until(lambda: story.phases() == phases, limit=400)
    assert edited == shop.seen(FLAGS)
