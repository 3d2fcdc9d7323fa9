"""patchField: an allowed field of another object is written, proved, and put back when in vain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from prunella import settings
from prunella.api import reasons
from prunella.core import model
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story
from tests.engine.restoring import Shop

Refused = reasons.Refused
POOL = model.Ref("Pooler", NAMESPACE, "checkout")
CNPG = "postgresql.cnpg.io/v1"
SIZE = "spec.size"
ALLOWED = {
    "apiVersion": CNPG,
    "kind": "Pooler",
    "resource": "poolers",
    "path": SIZE,
    "min": 1,
    "max": 100,
}
STEP = {"apiVersion": CNPG, "kind": "Pooler", "path": SIZE, "by": 10, "min": 1, "max": 60}
ENOUGH = {"query": "count(app_memory_bytes) * 0 + $value - $current", "atMost": 20}


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    """A story whose administrators allow the size of pools."""
    allowed = settings.Settings.model_validate({"patchField": {"fields": [ALLOWED]}})
    async with harness.telling(allowed) as told:
        yield told


def size(shop: Shop) -> Any:
    """The size of the pool as the API server has it."""
    found = shop.seen(POOL)
    return None if found is None else found["spec"]["size"]


def pooled(story: Story, enough: int, **params: Any) -> Shop:
    """Given checkout, which fails while its pool is smaller than enough, and a policy."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    shop = Shop(story)
    metadata = {"name": "checkout", "namespace": NAMESPACE, **params.pop("metadata", {})}
    pool = {"apiVersion": CNPG, "kind": "Pooler", "metadata": metadata, "spec": {"size": 20}}
    shop.cluster.add_object(pool, manager=params.pop("manager", "kubectl-create"))
    shop.broken_while(lambda: size(shop) < enough)
    story.apply(harness.spec({"patchField": {**STEP, **params}}))
    return shop


async def test_a_wider_pool_heals_and_that_is_proved(story: Story) -> None:
    """One write of one field of the pool; the target is what was sick."""
    shop = pooled(story, enough=30, require=[ENOUGH])
    await story.until(lambda: story.phases() == [("patchField", Phase.SUCCEEDED)])
    (record,) = story.records()
    (effect,) = record.spec.effects
    assert 30 == size(shop)
    assert (CHECKOUT, "Pooler", "checkout") == (record.target, effect.kind, effect.name)
    assert "set spec.size of Pooler/checkout from 20 to 30" == effect.summary
    await story.run(200)
    assert (1, 30) == (len(story.records()), size(shop))


async def test_what_does_not_help_is_put_back(story: Story) -> None:
    """To what it was before, and a person is called: there is no other step."""
    shop = pooled(story, enough=1000)
    undone = [("patchField", Phase.UNHELPFUL), ("revert", Phase.SUCCEEDED)]
    await story.until(lambda: story.phases() == undone)
    assert 20 == size(shop)
    assert "undo: set spec.size" in story.records()[1].spec.effects[0].summary


async def test_a_later_edit_is_not_fought(story: Story) -> None:
    """Given a person who chose another size meanwhile, then theirs stays."""
    shop = pooled(story, enough=1000)
    await story.until(lambda: size(shop) == 30)
    shop.cluster.edit_object(POOL, lambda pool: pool["spec"].update(size=25))
    await story.until(lambda: story.phases() == [("patchField", Phase.SUPERSEDED)])
    await story.run(60)
    assert (25, Refused.CHANGED_BY_OTHERS) == (size(shop), story.sick().refused)


@pytest.mark.parametrize("edited", [True, False])
async def test_the_next_step_does_not_overtake_a_person(story: Story, *, edited: bool) -> None:
    """Given another size during the proof, then nobody restarts what a person is working on."""
    verify = {"within": "20s", "samples": 2, "otherwise": "Continue"}
    shop = pooled(story, enough=1000)
    story.apply(harness.spec({"patchField": STEP}, {"restart": {}}, verify=verify))
    await story.until(lambda: size(shop) == 30)
    if edited:
        shop.cluster.edit_object(POOL, lambda pool: pool["spec"].update(size=25))
    await story.run(180)
    actions = [action for action, _ in story.phases()]
    assert actions == (["patchField"] if edited else ["patchField", "restart"])
    if edited:
        told = "Pooler/checkout was changed by somebody else after"
        assert (25, Refused.CHANGED_BY_OTHERS) == (size(shop), story.sick().refused)
        assert told in story.sick().refusal


async def test_two_targets_of_one_cause_widen_it_once(story: Story) -> None:
    """Given checkout and cart that share a pool, then it grows by one step, which heals both."""
    shop = pooled(story, enough=30)
    story.world.cluster.add_deployment(NAMESPACE, "cart", harness.GOOD)
    cart = model.Ref("Deployment", NAMESPACE, "cart")

    def look() -> None:
        story.world.apps.surge(cart, errors=0.5 if size(shop) < 30 else None)

    look()
    story.world.clock.every(1.0, look)
    step = {"patchField": {**STEP, "name": "checkout"}}
    story.apply(harness.spec(step, target={"name": "cart"}), "cart")
    await story.run(120)
    assert (["patchField"], 30) == ([action for action, _ in story.phases()], size(shop))


async def test_a_lost_answer_is_settled_by_looking(story: Story) -> None:
    """Given a write whose answer is lost, then the field itself tells."""
    shop = pooled(story, enough=30)
    story.lose_answer_to_action()
    await story.until(lambda: story.phases() == [("patchField", Phase.SUCCEEDED)])
    assert (1, 30) == (len(story.sent()), size(shop))


REFUSED: dict[str, tuple[dict[str, Any], reasons.Refused, str]] = {
    "too much for what is behind it": (
        {"by": 30, "require": [ENOUGH]},
        Refused.REQUIREMENT_NOT_MET,
        "count(app_memory_bytes) * 0 + (50) - (20) is 30, required is at most 20",
    ),
    "nobody knows what is behind it": (
        {"require": [{"query": "sum(no_such_metric) + $value", "atMost": 90}]},
        Refused.REQUIREMENT_NOT_MET,
        "required, and not known: sum(no_such_metric) + (30): no data",
    ),
    "several answers": (
        {"require": [{"query": "app_memory_bytes", "atLeast": 1}]},
        Refused.REQUIREMENT_NOT_MET,
        "it yields 3 series, not one",
    ),
    "not allowed": (
        {"path": "spec.instances"},
        Refused.FIELD_NOT_ALLOWED,
        "(chart value patchField.fields): spec.size of postgresql.cnpg.io/v1 Pooler",
    ),
    "no such object": ({"name": "other"}, Refused.NOT_WRITABLE, "Pooler/other is not there"),
    "a tool that deploys marks it": (
        {"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}},
        Refused.OWNED_BY_GITOPS,
        "Pooler/checkout carries kustomize.toolkit.fluxcd.io/name",
    ),
    "a controller owns it": (
        {"metadata": {"ownerReferences": [{"kind": "Db", "name": "pg", "controller": True}]}},
        Refused.OWNED_BY_CONTROLLER,
        "Db/pg controls Pooler/checkout: change it there instead",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
async def test_it_is_refused(story: Story, why: str) -> None:
    """Nothing is sent, and the status says what was compared."""
    params, reason, message = REFUSED[why]
    shop = pooled(story, enough=1000, **params)
    await story.run(60)
    sick = story.sick()
    assert (reason, [], 20) == (sick.refused, story.sent(), size(shop))
    assert message in sick.refusal


async def test_a_field_of_a_tool_that_deploys_is_left_to_it(story: Story) -> None:
    """By managedFields, without any mark."""
    shop = pooled(story, enough=1000)
    owner = {"manager": "argocd-controller", "fieldsV1": {"f:spec": {"f:size": {}}}}

    def owned(pool: Any) -> None:
        pool["metadata"]["managedFields"] = [owner]

    shop.cluster.edit_object(POOL, owned)
    await story.run(60)
    assert (Refused.OWNED_BY_GITOPS, []) == (story.sick().refused, story.sent())
    assert "argocd-controller owns spec.size of Pooler/checkout" in story.sick().refusal


async def test_without_the_right_the_server_refuses(story: Story) -> None:
    """Given no right to patch pools, then nothing is recorded as done."""
    shop = pooled(story, enough=1000)
    shop.cluster.forbid("restore")
    await story.run(60)
    assert (Refused.FORBIDDEN, [], 20) == (story.sick().refused, story.sent(), size(shop))


async def test_a_requirement_that_is_no_promql_is_told(story: Story) -> None:
    """The policy says which step, and why."""
    pooled(story, enough=1000, require=[{"query": "sum(", "atMost": 1}])
    await story.run(10)
    ready = next(each for each in story.status().conditions if each.type == "Ready")
    assert "steps[0].patchField.require[0]: the query is not PromQL" in ready.message
