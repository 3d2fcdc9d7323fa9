"""What belongs to somebody else: pods of nobody, pods that are gone, fields, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from prunella import settings
from prunella.adapters.simulated import faults as faults_module
from prunella.adapters.simulated import server
from prunella.api import reasons
from prunella.core import model, objects
from prunella.promql import series_store
from tests.engine import harness
from tests.engine.harness import CHECKOUT, NAMESPACE, Phase, Story

Refused = reasons.Refused
DENIED = "images must be signed"
WEBHOOK = "images.policy.example"


def by_pod(
    query: str = "max by (namespace, pod) (app_memory_bytes)", **more: Any
) -> dict[str, Any]:
    """A signal by pod, without the workload's own label."""
    return {"name": "memory", "prometheus": {"query": query}, **more}


def errors_by_pod(window: str = "15s") -> dict[str, Any]:
    """The share of failed requests of each pod."""
    signal = harness.errors(hold="5s")
    for role, query in signal["ratio"].items():
        signal["ratio"][role] = query.replace("deployment", "pod").replace("15s", window)
    return signal


LEAKING = by_pod(forecast={"reaches": "512Mi", "within": "1h", "window": "10m"})
NAMES = {
    "a name that no controller makes": "checkout-migrate-x7k2p",
    "a name like those of its own pods": "checkout-7d4b9c6f5d-x7k2p",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_a_pod_of_nobody_is_no_reason_to_act_on_a_deployment(story: Story, name: str) -> None:
    """Given a leaking bare pod with a name like checkout's pods, then checkout is left alone."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.cluster.add_bare_pod(NAMESPACE, name, harness.LEAK)
    story.apply(harness.spec({"restart": {}}, signals=[LEAKING]))
    await story.run(1800)

    assert (story.sent(), story.status().sick) == ([], [])


async def test_the_same_leak_of_its_own_pod_is_a_reason(story: Story) -> None:
    """Given that checkout's own pods leak, then it is restarted: the test above can fail."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.LEAK)
    story.apply(harness.spec({"restart": {}}, signals=[LEAKING]))
    await story.until(lambda: bool(story.sent()), 1200)


def _sicken(story: Story, ref: model.Ref = CHECKOUT) -> str:
    """Let one pod of a workload fail half of its requests; returns its name."""
    workload = next(each for each in story.world.cluster.states() if each.ref == ref)
    pod = workload.active[0]
    pod.template = {**pod.template, "metadata": {**pod.template["metadata"]}}
    pod.template["metadata"]["annotations"] = {"lab.prunella.dev/errors": "0.5"}
    return pod.name


@pytest.mark.parametrize("window", ["2m", "30s"])
async def test_a_mended_pod_is_no_reason_in_a_sum_over_all_pods_either(
    story: Story, window: str
) -> None:
    """Given a ratio of the whole Deployment, when its sick pod is deleted, then nothing is done."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    held = harness.errors(hold="20s")
    for role, query in held["ratio"].items():
        held["ratio"][role] = query.replace("15s", window)
    story.apply(harness.spec({"restart": {}}, signals=[held]))
    await story.run(150)
    pod = _sicken(story)
    await story.until(lambda: bool(story.status().sick))
    story.world.cluster.delete_pod(NAMESPACE, pod)
    await story.run(240)

    assert (story.sent(), story.status().sick) == ([], [])


async def test_a_sum_over_all_pods_is_a_reason_while_one_that_lives_is_sick(story: Story) -> None:
    """Given two sick pods, when one is deleted, then the sum without it tells of the other."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.apply(harness.spec({"restart": {}}, signals=[harness.errors(hold="20s")]))
    await story.run(60)
    pod = _sicken(story)
    state = next(iter(story.world.cluster.states()))
    state.active[1].template = state.active[0].template
    await story.until(lambda: bool(story.status().sick))
    story.world.cluster.delete_pod(NAMESPACE, pod)
    await story.until(lambda: bool(story.sent()), 60)


async def test_a_flicker_after_a_mended_pod_must_hold_as_any_other(story: Story) -> None:
    """Given a pod mended by hand, when another is sick for a moment, then ``for`` begins anew.

    For two minutes the sum still rests on the pod that is gone: that holds nothing for the others.
    """
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    held = harness.errors(above=0.005, hold="1m")
    for role, query in held["ratio"].items():
        held["ratio"][role] = query.replace("15s", "5m")
    story.apply(harness.spec({"restart": {}}, signals=[held]))
    await story.run(350)
    pod = _sicken(story)
    await story.until(lambda: bool(story.status().sick))
    await story.run(40)
    story.world.cluster.delete_pod(NAMESPACE, pod)
    await story.run(40)
    assert story.sent() == []
    # A flicker of another pod, after the first one was seen to be gone.
    state = next(each for each in story.world.cluster.states() if each.ref == CHECKOUT)
    other = _sicken(story)
    await story.run(20)
    assert story.sent() == [], "it has not held for a minute"
    flickers = next(each for each in state.active if each.name == other)
    flickers.template["metadata"]["annotations"] = {}


STATEFUL = model.Ref("StatefulSet", NAMESPACE, "checkout")


@pytest.mark.parametrize("ref", [CHECKOUT, STATEFUL], ids=["Deployment", "StatefulSet"])
async def test_a_pod_that_was_mended_by_hand_is_no_reason_any_more(
    story: Story, ref: model.Ref
) -> None:
    """Given a sick pod, when a person deletes it, then its series of two minutes move nothing.

    A StatefulSet's next pod has its name, and its series go on in those of the one before.
    """
    story.world.cluster.add_workload(ref, harness.GOOD)
    held = {**errors_by_pod("2m"), "for": "40s"}
    document = harness.spec({"restart": {}}, signals=[held])
    story.apply({**document, "target": {"kind": ref.kind, "name": "checkout"}})
    await story.run(60)
    pod = _sicken(story, ref)
    await story.until(lambda: bool(story.status().sick))
    story.world.cluster.delete_pod(NAMESPACE, pod)
    await story.run(90)

    assert story.sent() == []
    await story.run(120)
    assert (story.sent(), story.status().sick) == ([], [])


async def test_another_sick_pod_beside_the_mended_one_is_still_a_reason(story: Story) -> None:
    """Given two sick pods, when one is deleted, then the other one is acted on."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.apply(harness.spec({"evictPod": {}}, signals=[{**errors_by_pod("2m"), "for": "40s"}]))
    await story.run(60)
    pod = _sicken(story)
    state = next(iter(story.world.cluster.states()))
    state.active[1].template = state.active[0].template
    await story.until(lambda: bool(story.status().sick))
    story.world.cluster.delete_pod(NAMESPACE, pod)
    await story.until(lambda: bool(story.sent()))

    (effect, _), *_ = story.world.cluster.sent
    assert effect.target.name != pod


FIELDS: dict[str, tuple[dict[str, Any], str, Refused | None]] = {
    "an HPA and a rollback": ({"rollback": {}}, "hpa", None),
    "an HPA and a change of replicas": ({"scale": {"by": 1}}, "hpa", Refused.OWNED_BY_AUTOSCALER),
    "a controller and a rollback": ({"rollback": {}}, "owner", Refused.OWNED_BY_CONTROLLER),
    "a controller and a change of replicas": (
        {"scale": {"by": 1}},
        "owner",
        Refused.OWNED_BY_CONTROLLER,
    ),
    "a controller and a restart": ({"restart": {}}, "owner", None),
}


@pytest.mark.parametrize(("step", "owner", "refused"), FIELDS.values(), ids=FIELDS)
async def test_ownership_is_judged_by_the_field_that_is_written(
    story: Story, step: dict[str, Any], owner: str, refused: Refused | None
) -> None:
    """Given an owner, when the target is sick, then only what the owner writes is left to it."""
    await harness.bad_release(story, harness.spec(step))
    if owner == "hpa":
        story.world.cluster.add_autoscaler(CHECKOUT)
    else:
        story.world.cluster.edit(CHECKOUT, _controlled)
    await story.until(lambda: bool(story.sent() or _refused(story)))
    await story.run(20)

    assert (refused is None) == bool(story.sent())
    assert refused is None or refused == _refused(story)
    if refused is Refused.OWNED_BY_CONTROLLER:
        assert "Canary/checkout (flagger.app/v1beta1)" in story.sick().refusal


def _refused(story: Story) -> str:
    """Why nothing is done to a sick target that has held; empty while it has not."""
    told = {each.refused for each in story.status().sick} - {"", Refused.NOT_HELD}
    return next(iter(told), "")


def _controlled(manifest: dict[str, Any]) -> None:
    owner = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "checkout"}
    manifest["metadata"]["ownerReferences"] = [{**owner, "controller": True, "uid": "canary"}]


async def test_a_budget_that_always_lets_unhealthy_pods_go_is_the_servers_to_judge(
    story: Story,
) -> None:
    """Given AlwaysAllow and no room, when the sick pod is not ready, then it is evicted."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    story.world.cluster.add_budget(
        NAMESPACE, "checkout", {"app": "checkout"}, min_available=3, always_allow=True
    )
    story.apply(harness.spec({"evictPod": {}}, signals=[errors_by_pod()]))
    await story.run(60)
    pod = _sicken(story)
    await story.until(lambda: bool(story.status().sick))
    state = next(iter(story.world.cluster.states()))
    next(each for each in state.pods if each.name == pod).ready = False
    await story.until(lambda: bool(story.sent()), 60)

    ((effect, _),) = story.world.cluster.sent
    assert effect.target.name == pod
    told = next(
        each.message
        for each in story.records()[0].spec.guards
        if each.guard == "disruption_budgets_allow"
    )
    assert told.startswith("PodDisruptionBudget checkout allows 0 disruptions")


async def test_a_webhooks_refusal_is_told_in_its_words_and_asked_ever_more_seldom(
    story: Story,
) -> None:
    """Given a webhook that says no, then it is told, and asked 5 times in 5 minutes, not 60."""
    story.world.cluster.deny(WEBHOOK, DENIED)
    await harness.bad_release(story)
    await story.until(lambda: bool(story.status().sick and story.sick().refused))
    await story.run(300)

    assert (story.sent(), story.phases()) == ([], [])
    assert Refused.REFUSED_BY_ADMISSION == story.sick().refused
    assert f'admission webhook "{WEBHOOK}" denied the request: {DENIED}' in story.sick().refusal
    assert ("True", Refused.REFUSED_BY_ADMISSION) == story.condition("Ready")
    assert 4 <= story.world.cluster.asked <= 6


async def test_what_a_webhook_refuses_after_the_rehearsal_is_for_a_person(story: Story) -> None:
    """Given a webhook that lets dry runs pass, when it refuses the effect, then a person is called.

    One record, and no more: the same would only be refused again.
    """
    story.world.cluster.deny(WEBHOOK, DENIED, dry_runs_too=False)
    await harness.bad_release(story)
    await story.until(lambda: bool(story.pages()))
    await story.run(300)

    assert [("rollback", Phase.FAILED)] == story.phases()
    status = story.records()[0].status
    assert Refused.REFUSED_BY_ADMISSION == status.reason
    assert DENIED in status.message
    assert 1 == len(story.pages())


async def test_another_release_is_asked_for_at_once(story: Story) -> None:
    """Given a standing refusal, when the target has changed, then the server is asked anew."""
    story.world.cluster.deny(WEBHOOK, DENIED)
    await harness.bad_release(story)
    await story.until(lambda: story.world.cluster.asked == 4)
    story.world.cluster.scale(CHECKOUT, 4)
    await story.until(lambda: story.world.cluster.asked == 5, 30)


def _owners(story: Story) -> set[str]:
    return set().union(*story.workload().field_owners.values())


async def test_fields_are_given_back_when_a_remediation_ends(story: Story) -> None:
    """Given a rollback, when it is proved, then the operator owns no field any more."""
    await harness.bad_release(story)
    await story.until(lambda: [Phase.VERIFYING] == [each.phase for each in story.records()])
    assert server.OPERATOR in _owners(story)
    image, generation = story.image(), story.workload().generation
    await story.until(lambda: [("rollback", Phase.SUCCEEDED)] == story.phases())

    assert server.OPERATOR not in _owners(story)
    assert (image, generation) == (story.image(), story.workload().generation)
    assert 1 == len(story.sent())


async def test_what_was_not_given_back_is_given_back_later(story: Story) -> None:
    """Given a lost request, when the sweep sees whose the fields are, then it tries again."""
    error = faults_module.ports.ClusterError("connection refused")
    story.faults.once(faults_module.Point.GIVE_BACK, error)
    await harness.bad_release(story)
    await story.until(lambda: [("rollback", Phase.SUCCEEDED)] == story.phases())
    assert server.OPERATOR in _owners(story)
    await story.run(70)

    assert server.OPERATOR not in _owners(story)
    assert objects.FIELD_MANAGER == server.OPERATOR


async def test_an_eviction_after_it_does_not_keep_the_fields_of_a_restart(story: Story) -> None:
    """Given a restart whose fields were not given back, when an eviction follows, then they are."""

    def fail(point: faults_module.Point) -> None:
        if point is faults_module.Point.GIVE_BACK:
            raise faults_module.ports.ClusterError("connection refused")

    story.faults.watch = fail
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.BAD)
    steps = [{"restart": {}}, {"evictPod": {}}]
    document = harness.spec(*steps, signals=[errors_by_pod()], guards={"cooldown": "1s"})
    story.apply({**document, "verify": {"within": "1s", "samples": 1, "otherwise": "Continue"}})
    await story.until(lambda: story.phases()[1:] == [("evictPod", Phase.UNHELPFUL)])
    assert server.OPERATOR in _owners(story)
    story.faults.watch = lambda _: None
    await story.run(70)

    assert server.OPERATOR not in _owners(story)


def _cluster_series(story: Story, cluster: str, errors: float) -> None:
    """Let a source hold checkout's series of a cluster, and that its pods are scraped there."""
    labels = {"namespace": NAMESPACE, "cluster": cluster}
    own = {**labels, "deployment": "checkout", "pod": f"checkout-{cluster}"}
    name = series_store.NAME
    up = story.world.store.series({name: "up", **labels, "instance": f"{cluster}:80"})
    good = story.world.store.series({name: "app_http_requests_total", **own, "code": "200"})
    bad = story.world.store.series({name: "app_http_requests_total", **own, "code": "500"})
    counted = [0.0, 0.0]

    def scrape() -> None:
        now = story.world.clock.now().timestamp()
        up.append(now, 1.0)
        counted[0] += 50 * (1 - errors)
        counted[1] += 50 * errors
        good.append(now, counted[0])
        bad.append(now, counted[1])

    story.world.clock.every(5.0, scrape)


async def _tell_of_two_clusters(story: Story, query: str = "") -> None:
    """Given a healthy checkout here, and one that fails in another cluster of the same source."""
    story.world.cluster.add_deployment(
        NAMESPACE, "checkout", harness.GOOD, pod_annotations={"lab.prunella.dev/metrics": "none"}
    )
    _cluster_series(story, "eu-1", 0.0)
    _cluster_series(story, "us-1", 0.9)
    signal = harness.errors()
    for role, text in signal["ratio"].items():
        chosen = text.replace("total{", f"total{{{query},").replace("total[", f"total{{{query}}}[")
        signal["ratio"][role] = chosen if query else text
    story.apply(harness.spec({"restart": {}}, signals=[signal]))
    await story.run(120)


async def test_another_clusters_errors_are_no_reason_to_act(story: Story) -> None:
    """Given a source with two clusters and no matchers, then nothing is done and it is said why."""
    await _tell_of_two_clusters(story)

    assert story.sent() == []
    assert ("False", reasons.Doubt.MANY_CLUSTERS) == story.condition("Ready")
    assert "2 clusters for namespace shop (cluster: eu-1, us-1)" in story.sick().message
    assert "matchers in the operator's settings, as {cluster: eu-1}" in story.sick().message


@pytest.mark.parametrize(("cluster", "acted"), [("eu-1", False), ("us-1", True)])
async def test_a_source_with_matchers_is_read_for_one_cluster(cluster: str, *, acted: bool) -> None:
    """Given matchers, then that cluster's series alone decide."""
    source = settings.Source(matchers={"cluster": cluster})
    async with harness.telling(settings.Settings(sources={"default": source})) as story:
        await _tell_of_two_clusters(story)
        assert acted == bool(story.records())
        assert acted == bool(story.status().sick)


async def test_a_query_that_chooses_its_cluster_needs_no_matchers(story: Story) -> None:
    """Given ``cluster="eu-1"`` in every selector of the policy, then it is believed."""
    await _tell_of_two_clusters(story, 'cluster="eu-1"')

    assert ("True", "Healthy") == story.condition("Ready")
