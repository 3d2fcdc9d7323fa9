"""resize: a limit is raised in pods or in their template, proved, and put back when in vain."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.api import reasons
from prunella.core import model
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Refused = reasons.Refused
WHERE = ["Template", "InPlace"]


def limits(story: Story, where: str) -> set[str]:
    """The memory limits of the pods, or of the template."""
    cluster = story.world.cluster
    if where == "Template":
        specs: list[Any] = [story.workload().template["spec"]]
    else:
        found = cluster.read(CHECKOUT)
        assert found is not None
        refs = [model.Ref("Pod", NAMESPACE, pod.name) for pod in found.pods]
        specs = [shown["spec"] for ref in refs if (shown := cluster.object_of(ref)) is not None]
    return {each["containers"][0]["resources"]["limits"]["memory"] for each in specs}


def tight(story: Story, where: str, enough: str, **options: Any) -> None:
    """Given checkout, which fails while its limit is too low, and a policy."""
    resources = {"limits": {"memory": "512Mi"}, "requests": {"memory": "512Mi"}}
    containers = [{"name": "app", "image": harness.GOOD, "resources": resources}]
    template = {"metadata": {"labels": {"app": "checkout"}}, "spec": {"containers": containers}}
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "checkout"}}, "template": template}
    metadata = {"name": "checkout", "namespace": NAMESPACE, "labels": {"app": "checkout"}}
    manifest = {"kind": "Deployment", "metadata": metadata, "spec": spec}
    story.world.cluster.create(manifest, **options)

    def look() -> None:
        share = None if limits(story, where) == {enough} else 0.5
        story.world.apps.surge(CHECKOUT, errors=share)

    look()
    story.world.clock.every(1.0, look)
    step = {"where": where, "memory": {"by": "50%", "max": "1Gi"}}
    story.apply(harness.spec({"resize": step}))


@pytest.mark.parametrize("where", WHERE)
async def test_more_memory_heals_and_that_is_proved(story: Story, where: str) -> None:
    """In place no pod is replaced; the template's change replaces them all."""
    tight(story, where, enough="768Mi")
    await story.run(1)
    before = story.world.cluster.read(CHECKOUT)
    await story.until(lambda: story.phases() == [("resize", Phase.SUCCEEDED)])
    after = story.world.cluster.read(CHECKOUT)
    assert before is not None
    assert after is not None
    assert {"768Mi"} == limits(story, where)
    same = {pod.uid for pod in before.pods} == {pod.uid for pod in after.pods}
    assert same == (where == "InPlace")
    assert (3 if where == "InPlace" else 1) == len(story.records()[0].spec.effects)


@pytest.mark.parametrize("where", WHERE)
async def test_what_does_not_help_is_put_back(story: Story, where: str) -> None:
    """To the limits that were there before."""
    tight(story, where, enough="never")
    undone = [("resize", Phase.UNHELPFUL), ("revert", Phase.SUCCEEDED)]
    await story.until(lambda: story.phases() == undone)
    assert {"512Mi"} == limits(story, where)


@pytest.mark.parametrize("where", WHERE)
async def test_without_the_right_the_server_refuses(story: Story, where: str) -> None:
    """Given the action off, then nothing is written."""
    tight(story, where, enough="never")
    story.world.cluster.forbid("resize" if where == "InPlace" else "restore")
    await story.run(60)
    assert (Refused.FORBIDDEN, []) == (story.sick().refused, story.sent())
    assert {"512Mi"} == limits(story, where)


async def test_a_template_that_others_deploy_is_left_to_them(story: Story) -> None:
    """What goes with the pods is nobody's; the template is that of who deploys."""
    tight(story, "Template", enough="never", manager="argocd-controller")
    await story.run(60)
    assert (Refused.OWNED_BY_GITOPS, []) == (story.sick().refused, story.sent())
