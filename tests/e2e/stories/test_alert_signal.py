"""Alerts of a real Prometheus's own rules as signals: fired, silent, pending, broken, missing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.harness import manifests
from tests.e2e.harness.manifests import Document
from tests.e2e.harness.story import Story
from tests.e2e.harness.waiting import stays

pytestmark = pytest.mark.timeout(400)

RATE = "sum by (namespace, deployment) (rate(app_http_requests_total%s[15s]))"
FAILING = RATE % '{code=~"5.."}' + " / " + RATE % "" + " > 0.05"


def _rule(name: str, expression: str, waits: str = "5s", **labels: str) -> dict[str, Any]:
    return {"alert": name, "expr": expression, "for": waits, "labels": labels}


def _policy(name: str, alert: str, *steps: Document, **changes: Any) -> Document:
    """A policy on ``checkout`` whose only signal is an alert."""
    labels = changes.pop("labels", {})
    signal = {"name": "alert", "alert": {"name": alert, "labels": labels}, "for": "5s"}
    target = {"name": "checkout"}
    return manifests.policy(
        name, *(steps or ({"restart": {}},)), signal=signal, target=target, **changes
    )


def _sources(url: str) -> Document:
    return {"default": {"url": url}}


def test_alert_heals_and_its_silence_proves_it(story: Story) -> None:
    """Given an alert that people have, when it fires, then its target is restarted and proved."""
    prometheus = story.own_prometheus()
    prometheus.start(alerts=[_rule("HighErrors", FAILING, severity="critical")])
    story.run(manifests.workload("checkout", "v1"))
    story.apply(_policy("checkout", "HighErrors", labels={"severity": "critical"}))
    story.start_operator(sources=_sources(prometheus.url))
    story.becomes("checkout", "Healthy")
    stays(lambda: not story.records(), 10, "silence is no reason")
    story.annotate_pods("checkout", errors="0.5")

    record = story.phase("checkout", "Succeeded", 240)

    evidence = record["spec"]["evidence"][0]
    assert "HighErrors fires (1 alert)" == evidence["message"]
    assert "deployment" == evidence["mappedBy"]
    assert "HighErrors does not fire, evaluated" in record["status"]["message"]
    assert 1 == len(story.writes("checkout"))


def test_what_does_not_fire_for_sure_is_told_apart(story: Story) -> None:
    """Given a sick target, then pending is Healthy; missing, failing and unreachable are Unknown.

    An alert that bears another namespace is not seen, whatever its other labels say.
    """
    many = "app_http_requests_total * on (namespace) app_http_requests_total"
    # Another story may run a sick checkout too: two series of one name would break the rule.
    one = f"max by (deployment) ({FAILING})"
    foreign = f'label_replace({one}, "namespace", "elsewhere", "", "")'
    prometheus = story.own_prometheus()
    prometheus.start(
        alerts=[
            _rule("Waits", FAILING, "1h"),
            _rule("Broken", many),
            _rule("Foreign", foreign),
            _rule("Warns", FAILING, severity="warning"),
        ]
    )
    story.run(manifests.workload("checkout", "v1-bad"))
    story.reported("checkout", above=0.05)
    names = {"waits": "Waits", "broken": "Broken", "foreign": "Foreign", "missing": "NoSuchAlert"}
    story.apply(
        *(_policy(name, alert) for name, alert in names.items()),
        _policy("critical", "Warns", labels={"severity": "critical"}),
        _policy("sick", "Warns", mode="Advise"),
    )
    story.start_operator(sources=_sources(prometheus.url))

    story.phase("sick", "Advised")
    for name in ("waits", "foreign"):
        story.becomes(name, "Healthy")
    expected = {"broken": "RuleFailing", "missing": "NoSuchRule", "critical": "NoSuchRule"}

    def doubts() -> dict[str, str]:
        return {name: story.sick(name, "checkout").get("reason", "") for name in expected}

    story.wait(lambda: doubts() == expected, "each doubt has its word")
    words = story.sick("broken", "checkout")["message"]
    assert "rule Broken in group alerts is err: found duplicate series" in words
    assert "app_http_requests_total" not in words
    prometheus.stop()
    everything = [*names, "critical"]

    def blind() -> set[str]:
        return {story.sick(name, "checkout").get("reason", "") for name in everything}

    story.wait(lambda: blind() == {"SourceUnreachable"}, "without an answer all is Unknown")
    assert [] == story.writes("checkout")
    assert ["sick"] == [each["spec"]["policy"]["name"] for each in story.records()]
