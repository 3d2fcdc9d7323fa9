"""No action on doubt: whatever is wrong with the data, nothing is done and the status says why."""

from __future__ import annotations

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.faults import Fault
from tests.e2e.harness.story import Story
from tests.e2e.harness.waiting import stays

pytestmark = pytest.mark.timeout(400)

DOUBTS = {
    Fault.DOWN: "SourceUnreachable",
    Fault.UNAVAILABLE: "HttpError",
    Fault.HANG: "Timeout",
    Fault.HTML: "NotJson",
    Fault.EMPTY: "NoData",
    Fault.NAN: "NotANumber",
    Fault.INFINITE: "NotANumber",
    Fault.WARNINGS: "Warnings",
    Fault.TRUNCATED: "NotJson",
    Fault.DUPLICATE: "DuplicateSeries",
}
LONG_ENOUGH = 25.0
"""Seconds in which a policy with `for: 10s` and an interval of 5 s would surely have acted."""


def test_nothing_is_done_while_the_answers_cannot_be_believed(story: Story) -> None:
    """Given sick services, when a source fails in any of ten ways, then only the sound one acts.

    Each policy asks a proxy that fails in its own way; the last asks one that does not.
    """
    patience = {"readTimeoutSeconds": 2, "maxSecondsPerNamespace": 600}
    sources = {fault.value: {"url": story.proxy(fault).url, **patience} for fault in Fault}
    names = {fault: f"app-{fault.value}" for fault in Fault}
    story.run(*(manifests.workload(name, "v1-bad", replicas=1) for name in names.values()))
    story.apply(
        *(
            manifests.policy(
                name, {"restart": {}}, signal={**manifests.errors(), "source": fault.value}
            )
            for fault, name in names.items()
        )
    )
    story.start_operator(sources=sources)
    sound = names.pop(Fault.NONE)
    generations = {name: story.generation(name) for name in names.values()}
    story.wait(lambda: story.records(sound), "the sound policy has acted")

    def reasons() -> dict[Fault, str]:
        return {fault: story.sick(name).get("reason", "") for fault, name in names.items()}

    story.wait(lambda: reasons() == DOUBTS, f"all doubts are told: {reasons()}", 45)
    stays(lambda: {sound} == _acting(story), LONG_ENOUGH, "no other policy acts")

    assert reasons() == DOUBTS
    assert generations == {name: story.generation(name) for name in names.values()}
    assert {"False"} == {story.condition(name)["status"] for name in names.values()}
    assert {fault: story.condition(name)["reason"] for fault, name in names.items()} == DOUBTS


def _acting(story: Story) -> set[str]:
    """The policies that have a Remediation."""
    return {each["spec"]["policy"]["name"] for each in story.records()}


def test_nothing_is_done_while_pods_report_nothing_useful(story: Story) -> None:
    """Given pods that report NaN, nothing or standing counters, then they are Unknown and left."""
    doubts = {"nan": "NotANumber", "none": "NoData", "frozen": "TooFewEvents"}
    story.run(
        *(manifests.workload(f"app-{how}", "v1-bad", pods={"metrics": how}) for how in doubts)
    )
    story.apply(*(manifests.policy(f"app-{how}", {"restart": {}}) for how in doubts))
    story.start_operator()

    def reasons() -> dict[str, str]:
        return {how: story.sick(f"app-{how}").get("reason", "") for how in doubts}

    story.wait(lambda: reasons() == doubts, f"all doubts are told: {reasons()}", 60)
    stays(lambda: not story.records(), LONG_ENOUGH, "no action")

    assert doubts == reasons()


def test_nothing_is_done_while_prometheus_is_stopped_or_only_has_old_samples(
    story: Story,
) -> None:
    """Given its own Prometheus, when it is stale, then gone, nothing is done; when back, it is."""
    prometheus = story.own_prometheus()
    prometheus.start()
    story.run(manifests.workload("cart", "v1-leak"))
    operator = story.operator(sources={"default": {"url": prometheus.url}})
    signal = {**manifests.memory(55e6), "staleAfter": "15s"}
    story.apply(manifests.policy("cart", {"restart": {}}, signal=signal))
    used = f'max(app_memory_bytes{{namespace="{story.namespace}"}})'
    story.wait(lambda: (story.value(used) or 0.0) > 75e6, "memory has leaked")
    prometheus.stop()
    stays(lambda: True, 15, "samples grow old")
    prometheus.start(scrape=False)
    operator.start()

    words = story.becomes("cart", "Stale")
    assert "old" in words
    stays(lambda: not story.records(), LONG_ENOUGH, "no action on old samples")

    prometheus.stop()
    story.becomes("cart", "SourceUnreachable")
    stays(lambda: not story.records(), LONG_ENOUGH, "no action without Prometheus")

    prometheus.start()
    story.wait(story.records, "it acts as soon as it can see")


def test_service_without_a_single_error_series_is_healthy(story: Story) -> None:
    """Given a service that never failed, when it is judged, then it is Healthy and not unknown."""
    story.run(manifests.workload("checkout", "v1"))
    story.apply(manifests.policy("checkout", {"restart": {}}))
    story.start_operator()

    story.becomes("checkout", "Healthy")

    failed = f'app_http_requests_total{{namespace="{story.namespace}", code=~"5.."}}'
    assert [] == story.lab.query(failed)
    assert 1 == story.status("checkout")["targets"]["healthy"]
    assert "True" == story.condition("checkout")["status"]
    assert {} == story.sick("checkout")
