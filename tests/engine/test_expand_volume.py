"""expandVolume: a claim grows, that is waited for and proved, and it never shrinks again."""

from __future__ import annotations

from typing import Any

import pytest

from prunella import ports
from prunella.adapters.simulated import faults
from prunella.api import quantities, reasons
from prunella.core import model
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Refused = reasons.Refused
FILES = model.Ref("PersistentVolumeClaim", NAMESPACE, "files")
STEP = {"max": "40Gi", "by": "100%", "allowOneWay": True}


def size(story: Story, field: str = "asks") -> str:
    """What the claim asks for, or has."""
    found: Any = story.world.cluster.object_of(FILES)
    if field == "has":
        return str(found["status"]["capacity"]["storage"])
    return str(found["spec"]["resources"]["requests"]["storage"])


def full(story: Story, enough: str, allowed: bool = True, **changes: Any) -> None:
    """Given checkout, which fails while its volume is too small, and a policy."""
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "files"}}
    containers = [{"name": "app", "image": harness.GOOD}]
    template = {
        "metadata": {"labels": {"app": "checkout"}},
        "spec": {"containers": containers, "volumes": [volume]},
    }
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "checkout"}}, "template": template}
    metadata = {"name": "checkout", "namespace": NAMESPACE, "labels": {"app": "checkout"}}
    cluster = story.world.cluster
    cluster.create({"kind": "Deployment", "metadata": metadata, "spec": spec})
    kind = {"kind": "StorageClass", "allowVolumeExpansion": allowed}
    cluster.add_object({**kind, "metadata": {"name": "fast", "namespace": ""}})
    asks, has = changes.pop("asks", "10Gi"), changes.pop("has", "10Gi")
    claim = {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "files", "namespace": NAMESPACE, **changes.pop("metadata", {})},
        "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": asks}}},
        "status": {"phase": "Bound", "capacity": {"storage": has}},
    }
    cluster.add_object(claim)

    def look() -> None:
        small = quantities.read(size(story, "has")) < quantities.read(enough)
        story.world.apps.surge(CHECKOUT, errors=0.5 if small else None)

    look()
    story.world.clock.every(1.0, look)
    steps = changes.pop("steps", [{"expandVolume": STEP}])
    verify = {"within": "40s", "samples": 2}
    story.apply(harness.spec(*steps, **{"verify": verify, **changes}))


async def test_a_larger_volume_heals_and_that_is_proved(story: Story) -> None:
    """One write; the proof begins when the volume is that large."""
    full(story, enough="20Gi")
    await story.until(lambda: story.phases() == [("expandVolume", Phase.VERIFYING)])
    assert ("20Gi", "10Gi") == (size(story), size(story, "has"))
    await story.run(7)
    (waiting,) = story.records()
    assert ("Expanding", None) == (waiting.status.reason, waiting.status.verification)
    assert "it asks for 20Gi and has 10Gi" in waiting.status.message
    await story.until(lambda: story.phases() == [("expandVolume", Phase.SUCCEEDED)])
    (record,) = story.records()
    assert record.status.verification is not None
    assert record.status.verification.synced_at is not None
    assert 1 == len(story.world.cluster.sent)
    assert "20Gi" == size(story, "has")


async def test_what_does_not_help_stays_and_a_person_is_called(story: Story) -> None:
    """Nothing undoes it, so nothing is sent again."""
    full(story, enough="1Ti")
    await story.until(lambda: story.phases() == [("expandVolume", Phase.UNHELPFUL)])
    await story.run(120)
    assert [("expandVolume", Phase.UNHELPFUL)] == story.phases()
    assert ("20Gi", 1) == (size(story), len(story.world.notifier.escalations))


async def test_after_it_the_next_step_is_tried(story: Story) -> None:
    """A volume that stays as it was is no proof of anything: the driver may need a restart."""
    full(story, enough="20Gi", steps=[{"expandVolume": STEP}, {"restart": {}}])
    story.world.cluster.volumes.grow = False
    await story.until(lambda: len(story.phases()) == 2)
    assert [("expandVolume", Phase.UNHELPFUL), "restart"] == [
        story.phases()[0],
        story.phases()[1][0],
    ]
    first = story.records()[0].status
    assert "NotExpanded" == first.reason
    assert "PersistentVolumeClaim/files: it asks for 20Gi and has 10Gi" in first.message


async def test_it_is_never_raised_twice_while_a_resize_is_pending(story: Story) -> None:
    """Given two steps that expand, when the first one's volume does not come, it is waited for."""
    full(story, enough="1Ti", steps=[{"expandVolume": STEP}, {"expandVolume": STEP}])
    story.world.cluster.volumes.grow = False
    await story.until(lambda: story.phases() == [("expandVolume", Phase.UNHELPFUL)])
    await story.run(120)
    assert [("expandVolume", Phase.UNHELPFUL)] == story.phases()
    assert (Refused.RESIZE_PENDING, "20Gi") == (story.sick().refused, size(story))


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_lost_answer_leads_to_one_write(story: Story, arrived: bool) -> None:
    """Whether it was written the claim itself tells, though nothing undoes it."""
    full(story, enough="20Gi")
    if arrived:
        story.lose_answer_to_action()
    else:
        lose_second_request(story)
    await story.until(lambda: ("expandVolume", Phase.SUCCEEDED) in story.phases())
    before = [] if arrived else [("expandVolume", Phase.NOT_SENT)]
    assert [*before, ("expandVolume", Phase.SUCCEEDED)] == story.phases()
    assert (1, "20Gi") == (len(story.world.cluster.sent), size(story))


def lose_second_request(story: Story) -> None:
    """Let the request after the dry run never arrive."""
    seen: list[faults.Point] = []

    def watch(point: faults.Point) -> None:
        seen.append(point)
        if point is faults.Point.BEFORE_SEND and seen.count(point) == 2:
            raise ports.OutcomeUnknown("the connection broke")

    story.faults.watch = watch


async def test_an_edit_while_it_grows_is_a_veto(story: Story) -> None:
    """Somebody else has taken it into his hands: no next step follows."""
    full(story, enough="1Ti", steps=[{"expandVolume": STEP}, {"restart": {}}])
    await story.until(lambda: story.phases() == [("expandVolume", Phase.VERIFYING)])

    def more(claim: Any) -> None:
        claim["spec"]["resources"]["requests"]["storage"] = "30Gi"

    story.world.cluster.edit_object(FILES, more)
    await story.run(200)
    assert 1 == len(story.world.cluster.sent)
    assert Refused.CHANGED_BY_OTHERS == story.sick().refused


@pytest.mark.parametrize("why", ["class", "bound", "pending", "GitOps", "no right"])
async def test_it_is_refused(story: Story, why: str) -> None:
    """Nothing is sent, and the status says why."""
    marks = {"annotations": {"argocd.argoproj.io/tracking-id": "x"}} if why == "GitOps" else {}
    asks = {"bound": "40Gi", "pending": "20Gi"}.get(why, "10Gi")
    has = "40Gi" if why == "bound" else "10Gi"
    full(story, "1Ti", allowed=why != "class", asks=asks, has=has, metadata=marks)
    if why == "no right":
        story.world.cluster.forbid("restore")
    await story.run(60)
    refused = {
        "class": Refused.NOT_WRITABLE,
        "bound": Refused.AT_BOUND,
        "pending": Refused.RESIZE_PENDING,
        "GitOps": Refused.OWNED_BY_GITOPS,
        "no right": Refused.FORBIDDEN,
    }
    assert (refused[why], [], asks) == (story.sick().refused, story.sent(), size(story))
