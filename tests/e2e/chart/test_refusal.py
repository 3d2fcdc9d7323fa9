"""What the chart has not enabled the API server refuses, and the policy's status says so."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import pytest

from lab.cluster import Lab
from prunella.cli import kube
from tests.e2e.chart import toolbox
from tests.e2e.harness import manifests
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story

pytestmark = pytest.mark.timeout(300)

NAMESPACE = "guard-refusals"
REFUSED: dict[str, tuple[Document, str]] = {
    "rollback": (
        {"rollback": {"to": "Previous"}},
        "spec.template.spec: action rollback is not enabled for the operator",
    ),
    "scale": ({"scale": {"by": 1}}, "spec.replicas: action scale is not enabled for the operator"),
    "evict": ({"evictPod": {}}, 'cannot create resource "pods/eviction"'),
}
"""Each action that is off, with the words of the admission policy, or of RBAC."""
ENABLED = "restart"


@dataclasses.dataclass(frozen=True, slots=True)
class Before:
    """A workload before the operator saw it."""

    generation: int
    pods: set[str]


@pytest.fixture(scope="module")
def story(release: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Four sick workloads, for each action one, and the operator under the chart's account."""
    release.kubectl("create", "namespace", NAMESPACE)
    account = release.token_kubeconfig(toolbox.ACCOUNT, toolbox.HOME)
    api = kube.connect(release.kubeconfig, None, NAMESPACE)
    folder = tmp_path_factory.mktemp("refusals")
    stage = Story(release, api, account, toolbox.USERNAME, NAMESPACE, folder)
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
    stage.wait(lambda: api.items(path), f"{NAMESPACE} is usable", 30)
    try:
        stage.run(*(manifests.workload(name, "v1") for name in (*REFUSED, ENABLED)))
        stage.release("rollback", "v2-bad")
        for name in ("scale", "evict", ENABLED):
            stage.annotate_pods(name, errors="0.5")
        yield stage
    finally:
        stage.close()
        release.kubectl("wait", f"namespace/{NAMESPACE}", "--for=delete", "--timeout=90s")


@pytest.fixture(scope="module")
def before(story: Story) -> dict[str, Before]:
    """The workloads as they were; from here on the operator runs."""
    seen = {name: Before(story.generation(name), story.pod_uids(name)) for name in REFUSED}
    story.start_operator(
        operatorNamespace=toolbox.HOME,
        operatorName=toolbox.ACCOUNT,
    )
    by_pod = manifests.errors(by="pod")
    story.apply(
        *(manifests.policy(name, action, signal=by_pod) for name, (action, _) in REFUSED.items())
    )
    story.apply(manifests.policy(ENABLED, {"restart": {}}))
    return seen


@pytest.mark.parametrize("name", REFUSED)
def test_disabled_action_is_refused_by_the_server(
    story: Story, before: dict[str, Before], name: str
) -> None:
    """Given rollback off, scale off, or evictPod off, when its target is sick, it is refused."""
    message = story.becomes(name, "ForbiddenByServer")

    assert REFUSED[name][1] in message
    assert story.condition(name)["status"] == "False"
    assert REFUSED[name][1] in story.refused(name, "ForbiddenByServer")
    assert before[name] == Before(story.generation(name), story.pod_uids(name))
    assert story.records(name) == []
    answers = {event["responseStatus"]["code"] for event in story.requests(name)}
    assert answers <= {403}
    story.wait(functools.partial(_event, story, name), f"an Event about {name}", 30)


def test_enabled_action_heals_beside_them(story: Story, before: dict[str, Before]) -> None:
    """Given that only restart is on, when its target is sick, then it is healed as ever."""
    assert before
    story.phase(ENABLED, "Succeeded")
    assert len(story.writes(ENABLED)) == 1


def _event(story: Story, policy: str) -> bool:
    """Whether an Event of the policy tells of the refusal."""
    return any(
        (each["reason"], each["regarding"]["name"]) == ("ForbiddenByServer", policy)
        for each in story.events()
    )
