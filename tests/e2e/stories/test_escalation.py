"""Sick and refused for good, or healed again and again: a person is called, once."""

from __future__ import annotations

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story
from tests.e2e.harness.waiting import stays

pytestmark = pytest.mark.timeout(400)

OLD_RELEASE: Document = {"rollback": {"whenChangedWithin": "1s"}}
LONG_ENOUGH = 20.0


def _calls(story: Story) -> list[tuple[str, str]]:
    """Policy and target of the alerts that Alertmanager holds, sorted."""
    found = [each["labels"] for each in story.alerts()]
    own = [each for each in found if each["alertname"] == "PrunellaEscalation"]
    return sorted((each["policy"], each["target"]) for each in own)


def test_refused_for_good_calls_a_person_once_also_over_a_restart(story: Story) -> None:
    """Given nothing that may be done, when 15 s pass, then one call; a killed operator adds none.

    No release that is known to be good, an old release, and a field that an autoscaler owns.
    """
    steps = {"unknown": {"rollback": {}}, "old": OLD_RELEASE, "scaled": {"scale": {"by": 1}}}
    reasons = {
        "unknown": "NoKnownGoodRevision",
        "old": "NotChangedRecently",
        "scaled": "OwnedByAutoscaler",
    }
    story.run(*(manifests.workload(name, "v1-bad", replicas=1) for name in steps))
    story.apply(manifests.autoscaler("scaled"))
    story.apply(*(manifests.policy(n, s, escalateAfter="15s") for n, s in steps.items()))
    operator = story.start_operator()

    for name, reason in reasons.items():
        words = story.becomes(name, reason, "Escalated")
        assert f"{name} is sick and nothing is done since" in words
        assert ("False", reason) == _ready(story, name)
    expected = sorted((name, name) for name in steps)
    story.wait(lambda: _calls(story) == expected, "each is an alert")
    called = {name: story.status(name)["unattended"] for name in steps}
    assert all("calledAt" in entries[0] for entries in called.values())

    operator.kill()
    story.start_operator()
    stays(
        lambda: called == {name: story.status(name)["unattended"] for name in steps},
        LONG_ENOUGH,
        "nobody is called again",
    )
    notices = [each for each in story.events() if each["reason"] == "Escalated"]
    assert expected == sorted((each["regarding"]["name"],) * 2 for each in notices)
    assert [] == story.records()

    story.release("old", "v2")
    story.becomes("old", "Healthy")
    story.wait(lambda: "unattended" not in _full(story, "old"), "it ends when the target recovers")
    story.becomes("old", "NothingToEscalate", "Escalated")


def _ready(story: Story, name: str) -> tuple[str, str]:
    found = story.condition(name)
    return found["status"], found["reason"]


def _full(story: Story, name: str) -> Document:
    """The status without its empty lists."""
    return {key: value for key, value in story.status(name).items() if value != []}


def test_what_a_person_has_stopped_calls_nobody(story: Story) -> None:
    """Given a suspended policy, when its target stays sick, then nobody is called for it."""
    story.run(manifests.workload("checkout", "v1-bad"))
    story.apply(
        manifests.policy("checkout", {"rollback": {}}, suspend=True, escalateAfter="5s"),
    )
    story.start_operator()

    story.refused("checkout", "Suspended")
    stays(lambda: _calls(story) == [], LONG_ENOUGH, "a person's will pages nobody")
    assert "unattended" not in _full(story, "checkout")


def test_a_remedy_that_is_needed_again_and_again_is_left_to_a_person(story: Story) -> None:
    """Given two a day, when the third is needed, then a person is called; resume goes on."""
    guards = {"maxSameRemedyPerDay": 2}
    story.run(manifests.workload("checkout", "v1"))
    story.apply(manifests.policy("checkout", {"restart": {}}, guards=guards))
    story.start_operator()
    story.becomes("checkout", "Healthy")
    for done in (1, 2):
        story.annotate_pods("checkout", errors="0.5")
        story.wait(lambda done=done: story.phases("checkout") == ["Succeeded"] * done, "healed")
    story.annotate_pods("checkout", errors="0.5")

    words = story.refused("checkout", "SameRemedyLimit")
    assert "restart was done 2 times to Deployment/checkout in 24 h, the limit is 2" in words
    story.wait(lambda: _calls(story) == [("checkout", "checkout")], "a person is called")
    assert ("False", "SameRemedyLimit") == _ready(story, "checkout")
    stays(lambda: len(story.records()) == 2, LONG_ENOUGH, "nothing more is done")

    said = story.prunella("resume", "checkout", "--namespace", story.namespace)
    assert "stopped for checkout" in said
    story.wait(lambda: story.phases("checkout") == ["Succeeded"] * 3, "it is done again")
    assert 3 == len(story.writes("checkout"))


def test_records_are_found_by_their_labels(story: Story) -> None:
    """Given two policies, when both have acted, then kubectl finds each record by its labels.

    A name that is too long for a label is cut and hashed; the spec holds it whole.
    """
    long = "checkout-with-a-name-that-is-longer-than-the-63-characters-of-a-label"
    story.run(manifests.workload("checkout", "v1"))
    story.apply(
        manifests.policy("checkout", {"restart": {}}),
        manifests.policy(long, {"rollback": {}}, mode="Advise", target={"name": "checkout"}),
    )
    story.start_operator()
    story.becomes("checkout", "Healthy")
    story.annotate_pods("checkout", errors="0.5")
    story.wait(lambda: story.phases("checkout") == ["Succeeded"], "healed")

    def found(selector: str) -> int:
        arguments = ("--namespace", story.namespace, "get", "rem", "-o", "name", "-l", selector)
        return len(story.lab.kubectl(*arguments).stdout.split())

    own = "prunella.dev/policy=checkout,prunella.dev/target=checkout"
    story.wait(
        lambda: found(f"{own},prunella.dev/action=restart,prunella.dev/phase=Succeeded") == 1,
        "the label follows the phase",
    )
    assert (1, 0) == (found(own), found(f"{own},prunella.dev/phase=Verifying"))
    for record in story.records(long):
        assert long[:50] == record["metadata"]["labels"]["prunella.dev/policy"][:50]
        assert 63 == len(record["metadata"]["labels"]["prunella.dev/policy"])
        assert long == record["spec"]["policy"]["name"]
    name = story.records("checkout")[0]["metadata"]["name"]
    change = ("label", "rem", name, "prunella.dev/phase=Failed", "--overwrite")
    refused = story.lab.kubectl("--namespace", story.namespace, *change, check=False)
    assert "only" in refused.stderr
    assert "writes remediations" in refused.stderr
