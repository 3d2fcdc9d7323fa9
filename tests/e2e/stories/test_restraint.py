"""What others own, what is only rehearsed, and what a person has stopped: nothing is changed."""

from __future__ import annotations

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story
from tests.e2e.harness.waiting import stays

pytestmark = pytest.mark.timeout(400)

STEPS: dict[str, Document] = {
    "scale": {"scale": {"by": 1}},
    "rollback": {"rollback": {}},
    "restart": {"restart": {}},
}
OWNERS = {"hpa": "OwnedByAutoscaler", "argo": "OwnedByGitOps", "flux": "OwnedByGitOps", "none": ""}
MAY_BE = {("hpa", "rollback")}
"""An autoscaler owns the number of replicas alone."""
TRACKING = {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:x"}
LONG_ENOUGH = 25.0


def test_what_others_own_is_restarted_but_not_written(story: Story) -> None:
    """Given HPA, Argo CD and Flux, when their workloads are sick, then their fields are left alone.

    A workload that nobody owns is scaled and rolled back beside them.
    """
    names = {(owner, action): f"{owner}-{action}" for owner in OWNERS for action in STEPS}

    def workloads(tag: str, owner: str) -> list[Document]:
        notes = TRACKING if owner == "argo" else manifests.NOTHING
        return [
            manifests.workload(names[owner, action], tag, replicas=1, annotations=notes)
            for action in STEPS
        ]

    managers = {"flux": "kustomize-controller"}
    for tag in ("v1", "v2-bad"):
        for owner in OWNERS:
            story.run(*workloads(tag, owner), manager=managers.get(owner, "kubectl"))
        above, below = (0.0, 0.01) if tag == "v1" else (0.25, 1.0)
        for name in names.values():
            story.reported(name, above, below)
    story.apply(*(manifests.autoscaler(names["hpa", action]) for action in STEPS))
    story.apply(*(manifests.policy(name, STEPS[key[1]]) for key, name in names.items()))
    story.start_operator()
    expected = {
        (owner, action): "" if (owner, action) in MAY_BE or action == "restart" else reason
        for owner, reason in OWNERS.items()
        for action in STEPS
    }

    def refusals() -> dict[tuple[str, str], str]:
        return {
            key: story.sick(name).get("refused", "")
            for key, name in names.items()
            if not story.records(name)
        }

    refused = {key: reason for key, reason in expected.items() if reason}
    story.wait(lambda: refusals() == refused, f"each owner is respected: {refused}")

    wanted = {key: 0 if reason else 1 for key, reason in expected.items()}

    def acted() -> dict[tuple[str, str], int]:
        return {key: len(story.writes(name)) for key, name in names.items()}

    story.wait(lambda: acted() == wanted, "what may be done is done")
    stays(lambda: acted() == wanted, 10, "and nothing else")


def test_dry_run_asks_the_server_and_changes_nothing(story: Story) -> None:
    """Given DryRun policies, when targets are sick, then the server was asked and nothing moved."""
    steps = {**STEPS, "evict": {"evictPod": {}}}
    story.run(*(manifests.workload(name, "v1") for name in steps))
    for name in steps:
        story.reported(name, below=0.01)
    for name in steps:
        story.release(name, "v2-bad")
    before = {name: (story.generation(name), story.pod_uids(name)) for name in steps}
    story.apply(
        *(
            manifests.policy(
                name,
                step,
                mode="DryRun",
                signal=manifests.errors(by="pod" if name == "evict" else "deployment"),
            )
            for name, step in steps.items()
        )
    )
    story.start_operator()

    for name in steps:
        story.phase(name, "DryRun")
    stays(lambda: len(story.records()) == len(steps), 15, "one record for each onset")

    assert before == {name: (story.generation(name), story.pod_uids(name)) for name in steps}
    outcomes = [story.records(name)[0]["status"]["effects"][0]["outcome"] for name in steps]
    assert ["WouldSucceed"] * len(steps) == outcomes
    asked = {name: story.requests(name) for name in ("restart", "scale", "rollback")}
    assert all(asked.values())
    assert all("dryRun=All" in r["requestURI"] for found in asked.values() for r in found)


def test_advice_is_recorded_once_for_each_onset(story: Story) -> None:
    """Given Advise, when a target falls ill twice, then there are two records and no request."""
    story.run(manifests.workload("checkout", "v1"))
    story.reported("checkout", below=0.01)
    story.apply(manifests.policy("checkout", {"rollback": {}}, mode="Advise"))
    story.start_operator()
    story.release("checkout", "v2-bad")

    story.phase("checkout", "Advised")
    stays(lambda: len(story.records()) == 1, LONG_ENOUGH, "the same onset is advised once")
    assert "would roll Deployment/checkout back" in story.sick("checkout")["advice"]

    story.release("checkout", "v1")
    story.becomes("checkout", "Healthy")
    story.wait(lambda: "clearedAt" in story.records()[0]["status"], "the first onset is over")
    story.reported("checkout", below=0.01)
    story.release("checkout", "v3-bad")
    story.wait(lambda: len(story.records()) == 2, "the second onset is advised")

    story.phase("checkout", "Advised")
    assert ["Advised", "Advised"] == story.phases("checkout")
    assert [] == story.requests("checkout")


def test_suspended_policy_does_nothing_until_it_is_resumed(story: Story) -> None:
    """Given spec.suspend, when its target is sick, then it waits; without it, it acts."""
    story.run(manifests.workload("checkout", "v1-bad"))
    story.apply(manifests.policy("checkout", {"restart": {}}, suspend=True))
    story.start_operator()

    story.refused("checkout", "Suspended")
    assert "Suspended" == story.condition("checkout")["reason"]
    stays(lambda: not story.records(), LONG_ENOUGH, "no action while suspended")

    story.edit_policy("checkout", suspend=False)
    story.wait(story.records, "it acts when it is no longer suspended")


def test_pause_stops_all_policies_until_resume(story: Story) -> None:
    """Given `prunella pause`, when a target is sick, then nothing is done until `resume`.

    An operator that may not even read whether it is paused takes itself for paused.
    """
    where = ("--operator-namespace", story.namespace)
    story.run(manifests.workload("checkout", "v1-bad"))
    story.apply(manifests.policy("checkout", {"restart": {}}))
    story.start_operator(operatorNamespace=story.namespace)

    assert "can't read ConfigMap prunella-pause" in story.refused("checkout", "Paused")

    assert "a drill" in story.prunella("pause", "--reason", "a drill", *where)
    _let_read_the_pause(story)
    stays(lambda: not story.records(), LONG_ENOUGH, "no action while paused")
    assert "Paused" == story.sick("checkout")["refused"]

    story.prunella("resume", *where)
    story.wait(story.records, "it acts when it is no longer paused")


def _let_read_the_pause(story: Story) -> None:
    """Give the operator what the chart gives it in its own namespace, in this one."""
    group, leases = "rbac.authorization.k8s.io", "coordination.k8s.io"
    pause = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
    units = {"apiGroups": [leases], "resources": ["leases"], "verbs": ["get", "patch"]}
    meta = {"name": "pause"}
    namespace, name = story.username.split(":")[-2:]
    story.apply(
        {
            "apiVersion": f"{group}/v1",
            "kind": "Role",
            "metadata": meta,
            "rules": [
                {**pause, "resourceNames": ["prunella-pause"]},
                {**units, "resourceNames": ["prunella-disruptions"]},
            ],
        },
        {
            "apiVersion": f"{leases}/v1",
            "kind": "Lease",
            "metadata": {"name": "prunella-disruptions"},
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "pause"},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    )


def test_latched_policy_goes_on_only_after_resume(story: Story) -> None:
    """Given a limit of one, when an action did not help, then it stops until a person resumes."""
    story.run(manifests.workload("checkout", "v1-bad"))
    story.apply(manifests.policy("checkout", {"restart": {}}, verify={"within": "5s"}))
    limits = {"actionsPerNamespacePerHour": 60, "unhelpfulBeforeLatch": 1}
    story.start_operator(limits=limits)

    story.phase("checkout", "Unhelpful")
    words = story.becomes("checkout", "Latched", "Stalled")
    assert "prunella resume checkout" in words
    stays(lambda: len(story.records()) == 1, LONG_ENOUGH, "no action while latched")
    assert "Latched" == story.sick("checkout")["refused"]

    said = story.prunella("resume", "checkout", "--namespace", story.namespace)
    assert "Resumed" in said
    story.wait(lambda: len(story.records()) == 2, "it acts again")
    story.becomes("checkout", "NotLatched", "Stalled")
    assert "latch" not in story.status("checkout")


def test_two_policies_on_one_target_act_once(story: Story) -> None:
    """Given two policies that mean one target, when it is sick, then one of them acts, once."""
    story.run(manifests.workload("checkout", "v1"))
    story.apply(
        *(
            manifests.policy(
                name, {"restart": {}}, target={"name": "checkout"}, guards={"cooldown": "5m"}
            )
            for name in ("first", "second")
        )
    )
    story.start_operator()
    story.becomes("first", "Healthy")
    story.becomes("second", "Healthy")
    story.annotate_pods("checkout", errors="0.5")

    story.wait(lambda: "Succeeded" in story.phases("first") + story.phases("second"), "healed")

    assert 1 == len(story.records())
    assert 1 == len(story.writes("checkout"))


def test_recreated_policy_is_held_to_the_limits_of_the_one_before(story: Story) -> None:
    """Given a cooldown and an hourly limit, when policies are made anew, then both still refuse."""
    tight: dict[str, Document] = {"hourly": {"maxPerHour": 1}, "cool": {"cooldown": "10m"}}
    policies = [manifests.policy(n, {"restart": {}}, guards=g) for n, g in tight.items()]
    story.run(*(manifests.workload(name, "v1") for name in tight))
    story.apply(*policies)
    story.start_operator()
    for name in tight:
        story.annotate_pods(name, errors="0.5")
    for name in tight:
        story.phase(name, "Succeeded")

    for name in tight:
        story.delete_policy(name)
    story.apply(*policies)
    for name in tight:
        story.annotate_pods(name, errors="0.5")

    assert "the limit is 1" in story.refused("hourly", "PolicyHourlyLimit")
    assert "the cooldown is 600 s" in story.refused("cool", "Cooldown")
    assert 2 == len(story.records())
