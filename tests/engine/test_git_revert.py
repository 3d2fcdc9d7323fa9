"""A bad release that came from Git is reverted there: synced, proved, or left to a person."""

from __future__ import annotations

from typing import Any

import pytest

from prunella import ports
from prunella.adapters.simulated import faults
from prunella.adapters.simulated import repositories as twins
from prunella.api import reasons
from prunella.core import model
from tests.engine import harness
from tests.engine.harness import BAD, CHECKOUT, GOOD, NAMESPACE, Phase, Story

Refused = reasons.Refused


def deployed(story: Story, **policy: Any) -> None:
    """Given a workload that Flux deploys from Git, and a policy that reverts."""
    cluster = story.world.cluster
    cluster.add_deployment(NAMESPACE, "checkout", GOOD, labels=twins.MARKS)
    story.world.repositories.deploy(CHECKOUT, GOOD)
    story.apply(harness.spec({"gitRevert": {}}, **policy))


def release(story: Story, image: str = BAD) -> str:
    """Merge a release."""
    return story.world.repositories.commit("Release v2", {CHECKOUT: image})


async def refused(story: Story, reason: Refused) -> None:
    """Wait until the target is refused for a reason."""
    await story.until(lambda: [reason] == [each.refused for each in story.status().sick])


async def test_a_bad_release_is_reverted_synced_and_proved(story: Story) -> None:
    """One commit in Git, none of ours in the cluster, and the policy's own signal as the proof."""
    deployed(story)
    await story.run(60)
    bad = release(story)

    await story.until(lambda: story.phases() == [("gitRevert", Phase.SUCCEEDED)])

    git, (record,) = story.world.repositories, story.records()
    assert (GOOD, git.head) == (story.image(), record.status.effects[0].commit)
    assert f"{record.namespace}/{record.name}" == git.commits[0].remediation
    change = record.spec.effects[0].git
    assert change is not None
    assert (bad, bad, bad) == (change.revert, change.expected_head, change.applied)
    assert record.status.verification is not None
    assert record.status.verification.synced_at is not None
    assert [] == story.sent(), "nothing is written in the cluster"


async def test_what_was_not_well_before_the_commit_is_not_reverted(story: Story) -> None:
    """A commit that came into an outage is not its cause."""
    deployed(story)
    story.world.repositories.commit("Release v2", {CHECKOUT: BAD})
    await story.run(120)
    story.world.repositories.commit("Release v3", {CHECKOUT: f"{BAD}-again"})
    await refused(story, Refused.NO_KNOWN_GOOD_REVISION)
    assert [] == story.records()


async def test_a_later_commit_on_the_same_files_calls_a_person_at_once(story: Story) -> None:
    """Given a suspended sync with a newer commit in the queue, then nothing is pushed."""
    deployed(story)
    await story.run(60)
    release(story)
    await story.run(16)
    story.world.repositories.broken = True
    fix = story.world.repositories.commit("Another try", {CHECKOUT: f"{BAD}-2"}, author="Bob")

    await refused(story, Refused.LATER_COMMIT)
    await story.until(lambda: bool(story.world.notifier.escalations))

    assert fix == story.world.repositories.head
    assert [] == story.records()
    (called,) = story.world.notifier.escalations
    assert f'{fix[:10]} "Another try" of Bob has changed' in called.description


async def test_a_suspended_kustomization_is_in_a_persons_hand(story: Story) -> None:
    """It would not apply the revert."""
    deployed(story)
    await story.run(60)
    release(story)
    await story.run(16)
    story.world.repositories.suspended = True
    await refused(story, Refused.SYNC_SUSPENDED)
    assert [] == story.records()


async def test_a_revert_that_is_not_applied_ends_unproven(story: Story) -> None:
    """The tool that deploys stays where it is: a person is called, with what it says."""
    deployed(story, verify={"within": "60s", "samples": 2})
    await story.run(60)
    release(story)
    await story.run(16)
    story.world.repositories.broken = True

    await story.until(lambda: story.phases() == [("gitRevert", Phase.UNPROVEN)])

    (record,) = story.records()
    assert "NotSynced" == record.status.reason
    assert "not applied within 60 s" in record.status.message
    assert "BuildFailed: kustomize build failed" in record.status.message
    await story.until(lambda: bool(story.world.notifier.escalations))


async def test_a_lost_answer_is_settled_and_not_pushed_twice(story: Story) -> None:
    """The repository shows what became of it."""
    deployed(story)
    await story.run(60)
    release(story)

    def reverts() -> list[str]:
        return [each.id for each in story.world.repositories.commits if each.remediation]

    def watch(point: faults.Point) -> None:
        if point is faults.Point.AFTER_SEND and reverts():
            story.faults.watch = lambda _: None
            raise ports.OutcomeUnknown("the connection broke before the answer came")

    story.faults.watch = watch
    await story.until(lambda: story.phases() == [("gitRevert", Phase.ACTING)])
    assert 1 == len(reverts())
    await story.until(lambda: story.phases() == [("gitRevert", Phase.SUCCEEDED)])

    assert 1 == len(reverts())
    assert reverts()[0] == story.records()[0].status.effects[0].commit


async def test_a_repository_that_stays_silent_leaves_it_to_a_person(story: Story) -> None:
    """Given a lost answer, and nothing that can be seen afterwards, then nobody knows."""
    deployed(story)
    await story.run(60)
    release(story)

    def watch(point: faults.Point) -> None:
        if point is faults.Point.AFTER_SEND and story.world.repositories.commits[0].remediation:
            story.faults.watch = lambda _: None
            silent = ports.ClusterError("connection refused")
            story.faults.always(faults.Point.REPOSITORY, silent)
            raise ports.OutcomeUnknown("the connection broke before the answer came")

    story.faults.watch = watch
    await story.until(lambda: story.phases() == [("gitRevert", Phase.ACTING)])
    await story.run(500)
    assert story.phases() == [("gitRevert", Phase.ACTING)]
    await story.until(lambda: story.phases() == [("gitRevert", Phase.UNKNOWN)])

    assert "connection refused" in story.records()[0].status.message
    await story.until(lambda: bool(story.world.notifier.escalations))


@pytest.mark.parametrize("point", [faults.Point.BEFORE_SEND, faults.Point.AFTER_SEND])
async def test_a_crash_around_the_push_pushes_once(story: Story, point: faults.Point) -> None:
    """What was begun is settled by looking at the repository, or planned again."""
    deployed(story)
    await story.run(60)
    release(story)

    def watch(reached: faults.Point) -> None:
        if reached is point and story.phases() == [("gitRevert", Phase.ACTING)]:
            story.faults.watch = lambda _: None
            story.faults.once(point, faults.Crash("around the push"))

    story.faults.watch = watch
    await story.until(lambda: not story.alive)
    story.start()
    await story.until(lambda: ("gitRevert", Phase.SUCCEEDED) in story.phases())

    reverts = [each for each in story.world.repositories.commits if each.remediation]
    assert 1 == len(reverts)


async def test_a_protected_branch_ends_as_failed(story: Story) -> None:
    """What the server does not take is for a person."""
    deployed(story)
    story.world.repositories.protected = True
    await story.run(60)
    release(story)

    await story.until(lambda: story.phases() == [("gitRevert", Phase.FAILED)])

    assert "protected branch" in story.records()[0].status.message


async def test_a_request_ends_with_a_person_and_its_address(story: Story) -> None:
    """Nothing is pushed to the branch; it is no failure that stops the policy."""
    deployed(story)
    story.world.repositories.request = True
    await story.run(60)
    bad = release(story)

    await story.until(lambda: story.phases() == [("gitRevert", Phase.UNPROVEN)])
    await story.until(lambda: bool(story.world.notifier.escalations))

    (record,) = story.records()
    url = f"{twins.URL}/pulls/1"
    assert ("Requested", url) == (record.status.reason, record.status.effects[0].url)
    assert url in story.world.notifier.escalations[0].description
    assert bad == story.world.repositories.head


async def test_a_persons_request_for_the_same_is_enough(story: Story) -> None:
    """No second one is opened, and whoever is called gets its address."""
    deployed(story)
    story.world.repositories.request = True
    await story.run(60)
    bad = release(story)
    story.world.repositories.requested[bad] = f"{twins.URL}/pulls/7"

    await refused(story, Refused.REQUEST_OPEN)
    await story.until(lambda: bool(story.world.notifier.escalations), 1200)

    assert ([], {}) == (story.records(), story.world.repositories.requests)
    assert f"{twins.URL}/pulls/7" in story.world.notifier.escalations[0].description


async def test_a_workload_that_is_not_from_git_goes_to_the_next_step(story: Story) -> None:
    """Then its own revisions are what can be undone."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", GOOD)
    story.apply(harness.spec({"gitRevert": {}}, {"rollback": {}}))
    await story.run(60)
    story.world.cluster.set_image(CHECKOUT, BAD)
    await story.until(lambda: story.phases() == [("rollback", Phase.SUCCEEDED)])
    assert GOOD == story.image()


@pytest.mark.parametrize(
    "marks",
    [
        pytest.param({**twins.MARKS, "kustomize.toolkit.fluxcd.io/name": "other"}, id="not there"),
        pytest.param(twins.MARKS, id="not in its inventory"),
    ],
)
async def test_marks_that_somebody_has_copied_lead_nowhere(
    story: Story, marks: dict[str, str]
) -> None:
    """The Kustomization itself must list the workload."""
    cluster = story.world.cluster
    cluster.add_deployment(NAMESPACE, "api", GOOD)
    story.world.repositories.deploy(model.Ref("Deployment", NAMESPACE, "api"), GOOD)
    cluster.add_deployment(NAMESPACE, "checkout", GOOD, labels=marks)
    story.apply(harness.spec({"gitRevert": {}}))
    await story.run(60)
    story.world.cluster.set_image(CHECKOUT, BAD)
    await refused(story, Refused.NOT_FROM_GIT)
    assert [] == story.records()
