"""What is sick is healed, and measured to be so by somebody else than the operator."""

from __future__ import annotations

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.story import Story

pytestmark = pytest.mark.timeout(400)

LEAKED = 115e6


@pytest.mark.slow
@pytest.mark.timeout(720)
def test_good_rollback_is_not_undone_while_old_errors_are_still_in_the_window(
    story: Story,
) -> None:
    """Given a 5 m window, when a rollback was right, then it is proved and nothing else is done."""
    story.run(manifests.workload("checkout", "v1"))
    story.reported("checkout", below=0.01)
    signal = manifests.errors("5m")
    story.apply(
        manifests.policy("checkout", {"rollback": {}}, signal=signal, verify={"samples": 1})
    )
    story.start_operator()
    story.release("checkout", "v2-bad")
    story.phase("checkout", "Verifying")
    story.wait(lambda: story.image("checkout") == "v1", "v1 is back")
    generation = story.generation("checkout")
    story.reported("checkout", below=0.01)

    assert (story.error_ratio("checkout", "5m") or 0.0) > manifests.LIMIT, "no longer a trap"
    story.wait(lambda: story.phases("checkout") != ["Verifying"], "it was judged", 480)

    assert ["Succeeded"] == story.phases("checkout")
    assert generation == story.generation("checkout")
    assert 1 == len(story.writes("checkout"))
    assert "v1" == story.image("checkout")


def test_bad_release_is_rolled_back_to_the_revision_that_was_healthy(story: Story) -> None:
    """Given v1 good, v2 bad and v3 bad, when it is sick, then v1 is back and so is its ratio."""
    story.run(manifests.workload("checkout", "v1"))
    story.reported("checkout", below=0.01)
    story.release("checkout", "v2-bad")
    story.reported("checkout", above=0.25)
    story.release("checkout", "v3-bad")
    story.start_operator()
    story.apply(manifests.policy("checkout", {"rollback": {}}))

    record = story.phase("checkout", "Succeeded")

    assert "v1" == story.image("checkout")
    assert (story.error_ratio("checkout") or 0.0) < manifests.LIMIT
    assert "from revision 3 to 1" in record["spec"]["effects"][0]["summary"]
    assert ["Succeeded"] == story.phases("checkout")
    assert 1 == len(story.writes("checkout"))


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_bad_release_of_another_kind_is_rolled_back(story: Story, kind: str) -> None:
    """Given a StatefulSet or DaemonSet, when its release is bad, then the one before is back."""
    label = kind.lower()
    story.run(manifests.workload("store", "v1", kind=kind))
    story.reported("store", below=0.01, kind=label)
    story.apply(
        manifests.policy(
            "store",
            {"rollback": {}},
            target={"kind": kind, "name": "store"},
            signal=manifests.errors(by=label),
        )
    )
    story.start_operator()
    story.release("store", "v2-bad", kind)

    story.phase("store", "Succeeded")

    assert "v1" == story.image("store", kind)
    assert (story.error_ratio("store", kind=label) or 0.0) < manifests.LIMIT
    assert 1 == len(story.writes("store"))


def test_leak_is_restarted_and_memory_falls(story: Story) -> None:
    """Given a leak, when memory is over its limit, then a restart brings it below, measured."""
    used = f'max(app_memory_bytes{{namespace="{story.namespace}"}})'
    story.run(manifests.workload("cart", "v1-leak"))
    before = story.pod_uids("cart")
    signal = manifests.memory(LEAKED, held="5s")
    story.apply(manifests.policy("cart", {"restart": {}}, signal=signal, verify={"samples": 1}))
    story.start_operator()
    story.wait(lambda: (story.value(used) or 0.0) > LEAKED, "memory has leaked")

    story.phase("cart", "Succeeded")

    assert (story.value(used) or LEAKED) < LEAKED
    assert not before & story.pod_uids("cart")
    assert 1 == len(story.writes("cart"))


def test_saturation_scales_out_to_its_bound_and_no_further(story: Story) -> None:
    """Given saturation, when it is scaled by more than allowed, then it stops at the bound."""
    story.run(manifests.workload("search", "v1", pods={"load": "3"}))
    step = {"scale": {"by": 5, "min": 1, "max": 4}}
    story.apply(manifests.policy("search", step, signal=manifests.saturation(0.9)))
    story.start_operator()

    story.phase("search", "Succeeded")

    saturation = f'app_cpu_saturation{{namespace="{story.namespace}"}}'
    assert 4 == story.replicas("search")
    assert 0.75 == story.value(saturation)

    story.annotate_pods("search", load="9")
    words = story.refused("search", "AtBound")

    assert "4 replicas" in words
    assert 4 == story.replicas("search")
    assert 1 == len(story.writes("search"))


def test_action_that_does_not_help_is_undone_and_a_person_is_called(story: Story) -> None:
    """Given errors that replicas cannot cure, when scaled, then they are put back and it is told.

    Told by the condition, an Event and an alert in Alertmanager.
    """
    story.run(manifests.workload("checkout", "v1-bad"))
    story.apply(
        manifests.policy("checkout", {"scale": {"by": 2, "max": 9}}, verify={"within": "5s"})
    )
    story.start_operator()
    story.wait(lambda: story.replicas("checkout") == 4, "it was scaled")

    story.wait(lambda: story.replicas("checkout") == 2, "the replicas were put back")
    story.wait(lambda: story.condition("checkout", "Escalated").get("status") == "True", "told")
    alert = story.wait(story.alerts, "an alert is in Alertmanager")[0]

    story.phase("checkout", "Succeeded")
    assert ["Unhelpful", "Succeeded"] == story.phases("checkout")
    scaled, revert = story.records("checkout")
    assert ["scale", "revert"] == [scaled["spec"]["action"], revert["spec"]["action"]]
    assert scaled["metadata"]["name"] == revert["spec"]["follows"]
    assert (
        alert["labels"]["target"],
        alert["labels"]["target_kind"],
    ) == ("checkout", "Deployment")
    assert scaled["metadata"]["name"] == alert["annotations"]["remediation"]
    story.wait(
        lambda: any(
            each["reason"] == "Escalated" and "scale on Deployment/checkout" in each["note"]
            for each in story.events()
        ),
        "an Event tells of it",
    )
    assert "all 1 steps were tried" in story.refused("checkout", "NoStepLeft")


def test_worst_pod_is_evicted_only_when_its_budget_allows(story: Story) -> None:
    """Given a budget without room, when a pod is sick, then it stays until the budget has room."""
    story.run(manifests.workload("checkout", "v1", replicas=3))
    story.apply(
        manifests.budget("checkout", 3),
        manifests.policy("checkout", {"evictPod": {}}, signal=manifests.errors(by="pod")),
    )
    all_pods = story.pod_uids("checkout")
    sick = story.annotate_pods("checkout", 1, errors="0.9")
    story.start_operator()

    words = story.refused("checkout", "DisruptionBudget")

    assert "3 healthy, 3 needed" in words
    assert all_pods == story.pod_uids("checkout")
    assert [] == story.records()

    story.apply(manifests.budget("checkout", 2))
    story.phase("checkout", "Succeeded")

    left = {pod["metadata"]["name"] for pod in story.pods("checkout")}
    assert not left & set(sick)
    assert 2 == len(all_pods & story.pod_uids("checkout"))
    assert 1 == len(story.writes(sick[0]))
