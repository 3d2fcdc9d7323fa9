"""restore of each kind: its field is put back, or it is made again as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from prunella import settings as settings_module
from prunella.adapters.simulated.faults import Crash, Point
from prunella.core import model
from tests.engine import harness, restoring
from tests.engine.harness import NAMESPACE, Phase, Story
from tests.engine.restoring import Shop

Manifest = dict[str, Any]
KINDS = [
    "Ingress",
    "LimitRange",
    "PodDisruptionBudget",
    "StatefulSet",
    "DaemonSet",
    "CronJob",
    "HorizontalPodAutoscaler",
]
RESTORED = [("restore", Phase.SUCCEEDED)]
DB = model.Ref("StatefulSet", NAMESPACE, "db")
BACKEND = {"service": {"name": "cart", "port": {"number": 80}}}
SPECS: dict[str, Manifest] = {
    "Ingress": {"rules": [{"host": "shop.example", "http": {"paths": [{"backend": BACKEND}]}}]},
    "LimitRange": {"limits": [{"type": "Container", "max": {"cpu": "2"}}]},
    "PodDisruptionBudget": {"minAvailable": 1, "selector": {"matchLabels": {"app": "cart"}}},
    "HorizontalPodAutoscaler": {
        "minReplicas": 2,
        "maxReplicas": 5,
        "scaleTargetRef": {"kind": "Deployment", "name": "cart"},
    },
}


def put(*path: str | int, value: Any) -> Callable[[Manifest], None]:
    """What writes one field."""

    def change(manifest: Any) -> None:
        for part in path[:-1]:
            manifest = manifest[part]
        manifest[path[-1]] = value

    return change


POD = ("spec", "template", "spec")
HARMS = {
    "Ingress": put("spec", "rules", 0, "host", value="shpo.example"),
    "LimitRange": put("spec", "limits", 0, "max", "cpu", value="10m"),
    "PodDisruptionBudget": put("spec", "minAvailable", value=9),
    "HorizontalPodAutoscaler": put("spec", "maxReplicas", value=2),
    "StatefulSet": put(*POD, "dnsPolicy", value="None"),
    "DaemonSet": put(*POD, "dnsPolicy", value="None"),
    "CronJob": put("spec", "schedule", value="* * * * *"),
}


def policy() -> Manifest:
    """A policy that may restore all of them, by the errors of Deployments alone."""
    own = 'app_http_requests_total{deployment!=""'
    by = "sum by (namespace, deployment)"
    bad = f'{by} (rate({own}, code=~"5.."}}[15s]))'
    ratio = {"bad": bad, "total": f"{by} (rate({own}}}[15s]))"}
    signal = {**harness.errors(), "ratio": ratio}
    return restoring.policy(restore={"kinds": KINDS, "undoCreated": True}, signals=[signal])


def added(shop: Shop, kind: str) -> model.Ref:
    """An object of a kind that has long been there."""
    ref = model.Ref(kind, NAMESPACE, "it")
    if kind in SPECS:
        metadata = {"name": "it", "namespace": NAMESPACE}
        return shop.add({"kind": kind, "metadata": metadata, "spec": SPECS[kind]})
    if kind == "CronJob":
        return shop.cluster.cron_jobs.add(NAMESPACE, "it", "shop/it:v1")
    return shop.cluster.add_workload(ref, "shop/it:v1")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_field_is_put_back(story: Story, kind: str) -> None:
    """And nothing else of the object."""
    shop = await restoring.opened(story, policy())
    ref = added(shop, kind)
    await story.run(30)
    before: Any = shop.seen(ref)
    change = shop.edit(ref, HARMS[kind])
    wrong: Any = shop.seen(ref)
    shop.broken_while(lambda: (shop.seen(ref) or {}).get("spec") == wrong["spec"])
    shop.incident((ref, change))
    await story.until(lambda: story.phases() == RESTORED)
    after: Any = shop.seen(ref)
    assert (before["spec"], [ref]) == (
        after["spec"],
        [effect.target for effect, _ in story.world.cluster.sent],
    )


@pytest.mark.parametrize("kind", SPECS)
async def test_what_was_deleted_is_made_again(story: Story, kind: str) -> None:
    """Kinds that run no pods are objects to be made and deleted."""
    shop = await restoring.opened(story, policy())
    ref = added(shop, kind)
    before: Any = shop.seen(ref)
    shop.broken_while(lambda: shop.seen(ref) is None)
    shop.incident((ref, shop.delete(ref)))
    await story.until(lambda: story.phases() == RESTORED)
    after: Any = shop.seen(ref)
    assert before["spec"] == after["spec"]


@pytest.fixture
async def impatient() -> AsyncIterator[Story]:
    """An operator that takes a rollout for stuck after a minute without progress."""
    limits = settings_module.Limits(rollout_seconds=60.0)
    async with harness.telling(settings_module.Settings(limits=limits)) as told:
        yield told


async def held_up(story: Story) -> None:
    """Given a StatefulSet that its own new template holds up; an incident suspects that change."""
    signal = {
        "name": "reporting",
        "prometheus": {"query": 'count by (namespace, statefulset) (app_up{statefulset!=""})'},
        "threshold": {"below": 3},
        "for": "10s",
    }
    target = {"kind": "StatefulSet", "name": "db"}
    document = {**policy(), "target": target, "signals": [signal]}
    story.world.cluster.add_workload(DB, "shop/db:v1")
    shop = await restoring.opened(story, document)
    image = put(*POD, "containers", 0, "image", value="shop/db:v2-broken")
    change = shop.edit(DB, image)
    await story.run(90)
    shop.incident((DB, change), symptoms=(DB,))


async def test_the_pod_that_holds_up_a_stateful_set_goes_with_it(impatient: Story) -> None:
    """Kubernetes would wait for it for ever, though the template is as before."""
    await held_up(impatient)
    await impatient.until(lambda: impatient.phases() == RESTORED)
    sent = [(effect.verb, effect.target.name) for effect, _ in impatient.world.cluster.sent]
    assert [(model.Verb.PATCH, "db"), (model.Verb.EVICT, "db-2")] == sent
    assert ("shop/db:v1", 3) == (impatient.image(DB), impatient.workload(DB).available)


async def test_a_death_between_the_two_leaves_no_half(impatient: Story) -> None:
    """What was put back is seen by its fields, and the eviction follows."""
    await held_up(impatient)

    def die(point: Point) -> None:
        if point is Point.AFTER_SEND and impatient.world.cluster.sent:
            impatient.faults.watch = lambda _: None
            impatient.faults.once(Point.AFTER_SEND, Crash("here"))

    impatient.faults.watch = die
    for _ in range(40):
        await impatient.run(5)
        if not impatient.alive:
            impatient.start()
    sent = [(effect.verb, effect.target.name) for effect, _ in impatient.world.cluster.sent]
    assert ([(model.Verb.PATCH, "db"), (model.Verb.EVICT, "db-2")], RESTORED, 1) == (
        sent,
        impatient.phases(),
        impatient.deaths,
    )
