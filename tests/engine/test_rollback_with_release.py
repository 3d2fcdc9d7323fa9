"""rollback of more than a template: ConfigMaps go back with it, one-way steps stand in the way."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.adapters.simulated.faults import Crash, Point
from prunella.core import model
from tests.engine import harness, restoring
from tests.engine.harness import BAD, CHECKOUT, GOOD, NAMESPACE, Phase, Story
from tests.engine.restoring import FLAGS, Shop

ROLLED_BACK = [("rollback", Phase.SUCCEEDED)]
CLAIM = model.Ref("PersistentVolumeClaim", NAMESPACE, "orders")
VOLUMES = [
    {"name": "flags", "configMap": {"name": "flags"}},
    {"name": "orders", "persistentVolumeClaim": {"claimName": "orders"}},
]


async def opened(story: Story, **step: Any) -> Shop:
    """Given checkout that mounts a ConfigMap and a claim, and a policy that rolls back."""
    shop = restoring.stocked(story, harness.spec({"rollback": {"configMaps": True, **step}}))
    shop.add(claim())
    shop.edit(CHECKOUT, lambda m: m["spec"]["template"]["spec"].update(volumes=VOLUMES))
    await story.run(harness.QUIET + 150)
    return shop


def claim(size: str = "1Gi") -> dict[str, Any]:
    """The claim."""
    spec = {"resources": {"requests": {"storage": size}}}
    metadata = {"name": "orders", "namespace": NAMESPACE}
    return {"kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def job(name: str, **labels: str) -> dict[str, Any]:
    """A Job that somebody runs."""
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
    return {"kind": "Job", "metadata": metadata, "spec": {"template": {"spec": {}}}}


def switch(shop: Shop, mode: str = "new") -> None:
    """Let somebody change the ConfigMap."""
    shop.edit(FLAGS, lambda m: m["data"].update(mode=mode))


def sent(story: Story) -> list[model.Ref]:
    """The objects that were written, in order."""
    return [effect.target for effect, _ in story.world.cluster.sent]


def mode(shop: Shop) -> str:
    """What the ConfigMap says."""
    found: Any = shop.seen(FLAGS)
    return str(found["data"]["mode"])


async def test_the_config_map_of_that_time_goes_back_first(story: Story) -> None:
    """The pods of the earlier release are made with what it ran with."""
    shop = await opened(story)
    switch(shop)
    await story.run(5)
    story.release(BAD)
    await story.until(lambda: story.phases() == ROLLED_BACK)
    assert ([FLAGS, CHECKOUT], "fast", GOOD) == (sent(story), mode(shop), story.image())
    effects = story.records()[0].spec.effects
    assert effects[0].summary.endswith("which came with the release")
    assert "restore ConfigMap/flags as before" in effects[0].summary


async def left_alone(story: Story, shop: Shop, value: str) -> str:
    """Whether the template alone goes back; returns the effect's words."""
    await story.until(lambda: story.phases() == ROLLED_BACK)
    assert ([CHECKOUT], value) == (sent(story), mode(shop))
    return str(story.records()[0].spec.effects[0].summary)


async def test_without_the_word_it_stays(story: Story) -> None:
    """Who lets the operator write templates has not let it write ConfigMaps."""
    shop = await opened(story, configMaps=False)
    switch(shop)
    story.release(BAD)
    await left_alone(story, shop, "new")


async def test_what_was_changed_long_before_stays(story: Story) -> None:
    """It did not come with the release: the earlier one ran with it, too."""
    shop = await opened(story)
    switch(shop)
    await story.run(150)
    story.release(BAD)
    await left_alone(story, shop, "new")


async def test_what_was_changed_long_after_stays(story: Story) -> None:
    """Whoever did so had the new release in mind."""
    shop = await opened(story)
    story.apply(harness.spec({"rollback": {"configMaps": True}}, suspend=True))
    story.release(BAD)
    await story.run(150)
    switch(shop)
    story.apply(harness.spec({"rollback": {"configMaps": True}}))
    await left_alone(story, shop, "new")


async def test_a_later_decision_stays(story: Story) -> None:
    """Somebody has changed it since; the record says why it is not put back."""
    shop = await opened(story)
    switch(shop)
    story.release(BAD)
    await story.run(1)
    switch(shop, "newer")
    told = await left_alone(story, shop, "newer")
    assert "ConfigMap/flags stays as it is: ConfigMap/flags was changed again" in told


async def test_another_config_map_stays(story: Story) -> None:
    """The earlier template does not name it."""
    shop = await opened(story)
    other = shop.add(restoring.config_map("other", mode="old"))
    shop.edit(other, lambda m: m["data"].update(mode="new"))
    story.release(BAD)
    await left_alone(story, shop, "fast")


REFUSED = [
    pytest.param(
        {"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}, "OwnedByGitOps", id="GitOps"
    ),
    pytest.param({}, "HealthyDependents", id="who is well with it"),
]


@pytest.mark.parametrize(("metadata", "reason"), REFUSED)
async def test_whose_config_map_it_is_counts(
    story: Story, metadata: dict[str, Any], reason: str
) -> None:
    """A tool that deploys would bring it again; others may need it as it is."""
    shop = await opened(story)
    if not metadata:
        cart = model.Ref("Deployment", NAMESPACE, "cart")
        volumes = VOLUMES[:1]
        shop.edit(cart, lambda m: m["spec"]["template"]["spec"].update(volumes=volumes))
        story.apply(harness.spec({"restart": {}}, target={"name": "cart"}), "cart")
        await story.run(60)
    else:
        story.world.cluster.edit_object(FLAGS, lambda m: m["metadata"].update(metadata))
    switch(shop)
    story.release(BAD)
    await story.run(60)
    assert (reason, [], "new") == (story.sick().refused, sent(story), mode(shop))


ONE_WAY = [
    pytest.param(job("checkout-upgrade"), "Job/checkout-upgrade was run", id="of its name"),
    pytest.param(job("db-migrate-42"), "Job/db-migrate-42 was run", id="it says so"),
    pytest.param(job("hook", app="checkout"), "Job/hook was run", id="of its label"),
    pytest.param(job("report", app="cart"), "", id="of another"),
    pytest.param(None, "PersistentVolumeClaim/orders was modified", id="a larger volume"),
]


@pytest.mark.parametrize(("made", "told"), ONE_WAY)
async def test_what_can_t_be_taken_back_stands_in_the_way(
    story: Story, made: dict[str, Any] | None, told: str
) -> None:
    """The earlier release may not run on what a migration has left; who knows better says so."""
    shop = await opened(story)
    if made is None:
        shop.edit(CLAIM, lambda m: m["spec"]["resources"]["requests"].update(storage="2Gi"))
    else:
        shop.create(made)
    story.release(BAD)
    await story.run(60)
    if not told:
        assert GOOD == story.image()
        return
    assert ("OneWayStep", []) == (story.sick().refused, sent(story))
    assert told in story.sick().refusal
    story.apply(harness.spec({"rollback": {"allowOneWay": True}}))
    await story.until(lambda: story.phases() == ROLLED_BACK)
    assert GOOD == story.image()


async def test_a_migration_that_the_journal_has_forgotten_is_seen(story: Story) -> None:
    """The release is older than what the journal is asked about; the Job itself is still there."""
    shop = await opened(story)
    now = story.world.clock.now().isoformat()
    ref = model.Ref("Job", NAMESPACE, "db-migrate-42")
    metadata = {**job(ref.name)["metadata"], "creationTimestamp": now}
    shop.journal.manifests[ref] = {**job(ref.name), "metadata": metadata}
    story.release(BAD)
    await story.run(60)
    assert ("OneWayStep", []) == (story.sick().refused, sent(story))
    assert "Job/db-migrate-42 was created at" in story.sick().refusal


async def test_an_old_migration_is_no_obstacle(story: Story) -> None:
    """The earlier release has run on it."""
    shop = await opened(story)
    shop.create(job("checkout-migrate"))
    await story.run(150)
    story.release(BAD)
    await story.until(lambda: story.phases() == ROLLED_BACK)


async def test_in_vain_it_is_not_undone(story: Story) -> None:
    """Half of it would be: the command to go forward is for a person."""
    shop = await opened(story)
    switch(shop)
    story.release(BAD)
    shop.broken_while(lambda: True)
    await story.until(lambda: story.phases() == [("rollback", Phase.UNHELPFUL)], limit=400)
    await story.run(60)
    assert ([FLAGS, CHECKOUT], "fast") == (sent(story), mode(shop))
    assert 1 == len(story.pages())


async def test_a_death_between_the_two_leaves_no_half(story: Story) -> None:
    """The ConfigMap tells by its fields, the template is patched in the generation it had."""
    shop = await opened(story)

    def die(point: Point) -> None:
        if point is Point.AFTER_SEND and story.world.cluster.sent:
            story.faults.watch = lambda _: None
            story.faults.once(Point.AFTER_SEND, Crash("here"))

    story.faults.watch = die
    switch(shop)
    story.release(BAD)
    for _ in range(40):
        await story.run(5)
        if not story.alive:
            story.start()
    assert ([FLAGS, CHECKOUT], GOOD, 1) == (sent(story), story.image(), story.deaths)
    assert ROLLED_BACK == story.phases()
