"""helmRollback: a Job of Helm goes back by one revision, and forward again when in vain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from prunella import settings as settings_module
from prunella.adapters.simulated import helm
from prunella.api import reasons
from prunella.core import model
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Refused = reasons.Refused
TEMPLATE: dict[str, Any] = {
    "namespaces": [NAMESPACE],
    "image": f"alpine/helm@sha256:{'0' * 64}",
    "serviceAccount": "prunella-helm",
    "mountToken": True,
    "parameters": {
        "RELEASE": {"pattern": "[a-z0-9-]+"},
        "CHANGED": {"pattern": "[0-9]+"},
        "HOOKS": {"pattern": "Refuse|Run"},
        "EXPECT": {"pattern": "[0-9]*", "default": ""},
        "TO": {"pattern": "[0-9]*", "default": ""},
    },
}
SETTINGS = settings_module.Settings.model_validate({"offered": {"helmRollback": TEMPLATE}})


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    """A world whose operator has the Job of Helm."""
    async with harness.telling(SETTINGS) as told:
        yield told


async def released(story: Story, image: str = harness.BAD, *more: Any, **params: Any) -> Any:
    """Given a release whose new revision fails, and a policy that rolls it back."""
    cluster = story.world.cluster
    cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD, manager=helm.MANAGER)
    release = cluster.helm.install(CHECKOUT, "shop")
    story.apply(harness.spec({"helmRollback": params}, *more))
    await story.run(harness.QUIET)
    cluster.helm.upgrade(NAMESPACE, "shop", image)
    return release


def jobs(story: Story) -> list[model.Ref]:
    """The Jobs that were made."""
    return list(story.world.cluster.jobs.runs)


async def test_it_goes_back_and_that_is_proved(story: Story) -> None:
    """Helm writes a new revision as the one before; the operator has made one Job."""
    release = await released(story)
    await story.until(lambda: story.phases() == [("helmRollback", Phase.SUCCEEDED)])
    (record,) = story.records()
    assert (harness.GOOD, 3, 1) == (story.image(), len(release.revisions), len(story.sent()))
    assert record.status.run is not None
    assert "made revision 3 of shop as revision 1 was, after revision 2" in record.status.run.log
    assert record.spec.leaves


async def test_what_does_not_help_goes_forward_again(story: Story) -> None:
    """By a second Job, which names the revision that the first one has made."""
    release = await released(story)
    story.world.clock.every(1.0, lambda: story.world.apps.surge(CHECKOUT, errors=0.5))
    undone = [("helmRollback", Phase.UNHELPFUL), ("revert", Phase.SUCCEEDED)]
    await story.until(lambda: story.phases() == undone)
    assert (harness.BAD, 4, 2) == (story.image(), len(release.revisions), len(jobs(story)))
    first, second = story.records()
    assert (first.name, True) == (second.spec.follows, "Create" == second.spec.effects[0].verb)
    assert second.status.run is not None
    assert "made revision 4 of shop as revision 2 was" in second.status.run.log
    await story.run(120)
    assert undone == story.phases()


async def test_a_release_in_between_is_a_veto_on_the_way_forward(story: Story) -> None:
    """The second Job finds a revision that nobody of ours has made, and refuses."""
    release = await released(story)
    story.world.clock.every(1.0, lambda: story.world.apps.surge(CHECKOUT, errors=0.5))
    await story.until(lambda: len(release.revisions) == 3)
    story.world.cluster.helm.upgrade(NAMESPACE, "shop", "shop/checkout:v3-bad")
    ended = [("helmRollback", Phase.UNHELPFUL), ("revert", Phase.UNHELPFUL)]
    await story.until(lambda: story.phases() == ended)
    assert ("shop/checkout:v3-bad", 4) == (story.image(), len(release.revisions))
    assert "revision 4 is not revision 3, which was made" in story.records()[1].status.message


async def test_a_job_that_has_said_nothing_is_not_undone(story: Story) -> None:
    """Which revision it has made nobody knows: a person must look."""
    await released(story)
    story.world.cluster.jobs.script = lambda _: (True, "something else\n")
    await story.until(lambda: story.phases() == [("helmRollback", Phase.UNHELPFUL)])
    await story.run(60)
    assert (Refused.NO_STEP_LEFT, 1) == (story.sick().refused, len(jobs(story)))
    assert "does not say which revision it has made" in story.sick().refusal


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"state": "pending-upgrade"},
            "revision 2 is pending-upgrade: another Helm is at work, or was broken off",
            id="another Helm is at work",
        ),
        pytest.param(
            {"hooks": True}, "revision 2 has hooks, and allowHooks is not set", id="hooks"
        ),
    ],
)
async def test_what_helms_storage_tells_the_job_judges(
    story: Story, changes: dict[str, Any], message: str
) -> None:
    """Nothing was done, so nothing is undone, and the next step is tried."""
    release = await released(story, harness.BAD, {"restart": {}})
    for field, value in changes.items():
        setattr(release, field, value)
    await story.until(lambda: len(story.phases()) == 2)
    assert ["helmRollback", "restart"] == [name for name, _ in story.phases()]
    first = story.records()[0]
    assert (Phase.UNHELPFUL, "RunFailed", 2) == (
        first.phase,
        first.status.reason,
        len(release.revisions),
    )
    assert f"it has failed: shop: {message}" == first.status.message


async def test_hooks_run_where_they_are_allowed(story: Story) -> None:
    """As the policy says, and the administrators."""
    release = await released(story, allowHooks=True)
    release.hooks = True
    await story.until(lambda: story.phases() == [("helmRollback", Phase.SUCCEEDED)])


async def test_a_lost_answer_leads_to_one_revision(story: Story) -> None:
    """The Job's name follows from the record's: what was made is found by it."""
    release = await released(story)
    story.lose_answer_to_action()
    await story.until(lambda: story.phases() == [("helmRollback", Phase.SUCCEEDED)])
    assert (1, 3) == (len(jobs(story)), len(release.revisions))


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        ("Flux", Refused.OWNED_BY_GITOPS),
        ("Argo CD", Refused.OWNED_BY_GITOPS),
        ("kubectl", Refused.CHANGED_BY_OTHERS),
        ("another namespace", Refused.NOT_FROM_HELM),
        ("no right", Refused.FORBIDDEN),
        ("not offered", Refused.NOT_OFFERED),
        ("hooks not offered", Refused.BAD_PARAMETERS),
    ],
)
async def test_it_is_refused(why: str, expected: reasons.Refused) -> None:
    """No Job is made, and the status says why."""
    told = {**TEMPLATE, "parameters": {**TEMPLATE["parameters"], "HOOKS": {"pattern": "Refuse"}}}
    if why == "not offered":
        told["namespaces"] = ["blog"]
    settings = settings_module.Settings.model_validate({"offered": {"helmRollback": told}})
    async with harness.telling(settings) as story:
        await released(story, allowHooks=why == "hooks not offered")
        cluster = story.world.cluster

        def mark(manifest: Any) -> None:
            metadata, template = manifest["metadata"], manifest["spec"]["template"]
            if why == "Flux":
                metadata["labels"]["helm.toolkit.fluxcd.io/name"] = "shop"
            elif why == "Argo CD":
                metadata["annotations"]["argocd.argoproj.io/tracking-id"] = "shop"
            elif why == "another namespace":
                metadata["annotations"]["meta.helm.sh/release-namespace"] = "blog"
            elif why == "kubectl":
                template["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]

        cluster.edit(CHECKOUT, mark)
        if why == "no right":
            cluster.forbid("helmRollback")
        await story.run(90)
        assert (expected, []) == (story.sick().refused, jobs(story))
        if expected is Refused.OWNED_BY_GITOPS:
            assert "gitRevert is the step for that" in story.sick().refusal
