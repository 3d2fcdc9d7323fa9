"""Histories of many kinds with a policy for each, for the tests of the backtest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prunella.api import policy as policy_api
from tests.engine import recorded
from tests.engine.recorded import Story

Make = Callable[[Story], policy_api.RemediationPolicySpec]
NAMES = ("cart", "checkout", "search", "stock", "web-api")


def _by_deployment(story: Story) -> policy_api.RemediationPolicySpec:
    for name in NAMES:
        story.wave("app_load", 0.4, 1.7, deployment=name)
    return recorded.spec(recorded.threshold())


def _one_target(story: Story) -> policy_api.RemediationPolicySpec:
    story.wave("app_load", 0.4, 1.7, deployment="cart")
    return recorded.spec(recorded.threshold(), target={"name": "cart"})


def _by_pod(rule: str) -> Make:
    def make(story: Story) -> policy_api.RemediationPolicySpec:
        for name in NAMES[:3]:
            for letter in "bcd":
                story.wave("app_load", 0.4, 1.7, pod=f"{name}-6d4cf56db6-{letter * 5}")
        steps: list[dict[str, Any]] = [{"evictPod": {}}]
        return recorded.spec(recorded.threshold(pods=rule), steps=steps)

    return make


def _ratio(story: Story) -> policy_api.RemediationPolicySpec:
    for name in NAMES:
        story.wave("app_requests", 5, 100, deployment=name)
        story.wave("app_errors", 0, 20, deployment=name)
    return recorded.spec(recorded.ratio())


def _two_signals(story: Story) -> policy_api.RemediationPolicySpec:
    for name in NAMES:
        story.wave("app_load", 0.4, 1.7, deployment=name)
        story.wave("app_lag", 30, 2, deployment=name)
    lag = recorded.threshold("lag", "app_lag", threshold={"below": 10})
    return recorded.spec(recorded.threshold(), lag | {"for": "20s"})


def _rollouts(story: Story) -> policy_api.RemediationPolicySpec:
    for name in NAMES:
        story.wave("app_load", 0.4, 1.7, deployment=name)
        story.rollouts(name)
    return recorded.spec(recorded.threshold())


def _empty_is_healthy(story: Story) -> policy_api.RemediationPolicySpec:
    for name in NAMES[:3]:
        story.wave("app_load", 0.4, 1.7, deployment=name)
        story.wave("app_up", 1, 1, deployment=name)
    signal = recorded.threshold(onEmpty="Healthy", presence="app_up", staleAfter="50s")
    return recorded.spec(signal)


def _doubled(story: Story) -> policy_api.RemediationPolicySpec:
    for name in NAMES[:3]:
        story.wave("app_load", 0.4, 1.7, deployment=name, zone="a")
        story.wave("app_load", 0.4, 1.7, deployment=name, zone="b")
    story.wave("app_load", 0.4, 1.7, zone="c")
    return recorded.spec(recorded.threshold())


def _limits(story: Story) -> policy_api.RemediationPolicySpec:
    for name in NAMES:
        story.wave("app_load", 0.4, 1.7, deployment=name)
    guards = {"cooldown": "2m", "maxPerHour": 2, "stopWhenUnhealthy": "20%"}
    verify = {"within": "1m", "samples": 1, "otherwise": "Escalate"}
    scale = [{"scale": {"by": 1, "max": 5}}]
    return recorded.spec(recorded.threshold(), guards=guards, verify=verify, steps=scale)


def _when(story: Story) -> policy_api.RemediationPolicySpec:
    for name in NAMES[:3]:
        story.wave("app_load", 0.4, 1.7, deployment=name)
        story.wave("app_busy", 0.4, 1.7, deployment=name)
    busy = recorded.threshold("busy", "app_busy")
    return recorded.spec(recorded.threshold(), busy, when="load && !busy")


def _absent(story: Story) -> policy_api.RemediationPolicySpec:
    for name in NAMES[:3]:
        story.wave("app_load", 0.4, 1.7, deployment=name)
        story.steady("app_up", 1, deployment=name)
    query = {"query": "app_load"}
    absent = {"canary": "app_up"}
    signal = {"name": "gone", "prometheus": query, "absent": absent, "for": "1m"}
    return recorded.spec(recorded.threshold(), signal)


def _alert(story: Story) -> policy_api.RemediationPolicySpec:
    for name in NAMES[:3]:
        story.wave("app_load", 0.4, 1.7, deployment=name)
        story.wave("ALERTS", 1, 1, alertname="Hot", alertstate="firing", deployment=name)
    signal = {"name": "hot", "alert": {"name": "Hot"}, "for": "1m"}
    return recorded.spec(recorded.threshold(), signal)


def _burn_rate(story: Story) -> policy_api.RemediationPolicySpec:
    for name in NAMES[:3]:
        for metric, high in (("app_errors", 40), ("app_requests", 200)):
            story.wave(metric, 0 if metric == "app_errors" else 5, high, deployment=name)
    signal = {
        "name": "budget",
        "ratio": {
            "bad": "sum by (deployment) (sum_over_time(app_errors[$window]))",
            "total": "sum by (deployment) (sum_over_time(app_requests[$window]))",
        },
        "burnRate": {
            "objective": 99,
            "minimum": 600,
            "rules": [{"budget": 0.002, "long": "10m", "short": "2m"}],
        },
    }
    story.wave("app_load", 0.4, 1.7, deployment=NAMES[0])
    return recorded.spec(recorded.threshold(), signal)


def _drift(story: Story) -> policy_api.RemediationPolicySpec:
    for name in NAMES[:2]:
        story.wave("app_load", 0.4, 1.7, deployment=name)
    signal = {
        "name": "creep",
        "prometheus": {"query": "app_load"},
        "drift": {"window": "30m"},
        "for": "1m",
    }
    return recorded.spec(recorded.threshold(), signal)


def _forecast(story: Story) -> policy_api.RemediationPolicySpec:
    for name in NAMES[:3]:
        story.wave("app_load", 0.4, 1.7, deployment=name)
    signal = {
        "name": "soon",
        "prometheus": {"query": "app_load"},
        "forecast": {"reaches": "1.8", "within": "20m", "window": "30m"},
        "for": "1m",
    }
    return recorded.spec(recorded.threshold(), signal)


def _change(story: Story) -> policy_api.RemediationPolicySpec:
    for name in NAMES[:3]:
        story.wave("app_load", 0.4, 1.7, deployment=name)
        story.rollouts(name)
    signal = {
        "name": "worse",
        "prometheus": {"query": "app_load"},
        "change": {"window": "6m", "minimumSamples": 16, "significance": 0.05},
        "for": "30s",
    }
    return recorded.spec(signal)


def _baseline_of_pods(story: Story) -> policy_api.RemediationPolicySpec:
    for name in NAMES[:3]:
        for letter in "bc":
            story.wave("app_load", 0.4, 1.7, pod=f"{name}-6d4cf56db6-{letter * 5}")
    return _unusual()


def _baseline(story: Story) -> policy_api.RemediationPolicySpec:
    for name in NAMES[:3]:
        story.wave("app_load", 0.4, 1.7, deployment=name)
    return _unusual()


def slow_baseline(story: Story) -> policy_api.RemediationPolicySpec:
    """A baseline that learns for 20 minutes."""
    for name in NAMES[:3]:
        story.wave("app_load", 0.4, 1.7, deployment=name)
    return _unusual("20m")


def _unusual(learn: str = "5m") -> policy_api.RemediationPolicySpec:
    signal = {
        "name": "unusual",
        "prometheus": {"query": "app_load"},
        "baseline": {"every": "1m", "history": "30m", "learn": learn, "trigger": 1.5, "recover": 1},
        "for": "75s",
    }
    return recorded.spec(signal)


STORIES: dict[str, Make] = {
    "by deployment": _by_deployment,
    "one target": _one_target,
    "any pod": _by_pod("Any"),
    "all pods": _by_pod("All"),
    "half of the pods": _by_pod("50%"),
    "ratio": _ratio,
    "two signals": _two_signals,
    "rollouts": _rollouts,
    "empty is healthy": _empty_is_healthy,
    "two series of one target": _doubled,
    "limits": _limits,
    "when": _when,
    "absent": _absent,
    "alert": _alert,
    "burn rate": _burn_rate,
    "change": _change,
    "drift": _drift,
    "forecast": _forecast,
    "baseline": _baseline,
    "baseline of pods": _baseline_of_pods,
}


def _guarded(**changes: Any) -> policy_api.RemediationPolicySpec:
    """A policy on a signal that is soon held, with guards that seldom refuse."""
    guards = {"cooldown": "1m", "maxPerHour": 10, "stopWhenUnhealthy": "100%"}
    verify = {"within": "1m", "samples": 1, "otherwise": "Escalate"}
    whole = {"guards": guards, "verify": verify, "steps": [{"restart": {}}], **changes}
    return recorded.spec(recorded.threshold() | {"for": "20s"}, **whole)


def _waves(story: Story) -> None:
    for name in NAMES:
        story.wave("app_load", 0.4, 1.7, deployment=name)


def _back_off(story: Story) -> policy_api.RemediationPolicySpec:
    """What did not help is needed again before its cooldown has grown over."""
    shift = story.random.uniform(0, 2)
    story.spans("app_load", [(1, 6), (8, 40 + shift), (45 + shift, 70)], deployment="cart")
    return _guarded(guards={"cooldown": "430s", "maxPerHour": 10, "stopWhenUnhealthy": "100%"})


def _storm(story: Story) -> policy_api.RemediationPolicySpec:
    """One after the other is healed soon, and the last falls ill when it was too many."""
    shift = story.random.uniform(0, 1)
    for number, name in enumerate(NAMES):
        begin = 2 + shift + 2 * number
        end = begin + 1.25 if name != NAMES[-1] else 60
        story.spans("app_load", [(begin, end)], deployment=name)
    return _guarded(verify={"within": "5m", "samples": 1, "otherwise": "Escalate"})


def _error_budget(story: Story) -> policy_api.RemediationPolicySpec:
    _waves(story)
    return _guarded(
        guards={
            "cooldown": "1m",
            "stopWhenUnhealthy": "100%",
            "errorBudget": {"query": "app_bad", "objective": 99.9},
        }
    )


def _windows(story: Story) -> policy_api.RemediationPolicySpec:
    _waves(story)
    allow = [{"cron": "*/20 * * * *", "duration": "7m"}]
    deny = [{"cron": "42 * * * *", "duration": "3m"}]
    return _guarded(windows={"allow": allow, "deny": deny})


GUARDED: dict[str, Make] = {
    "Backoff": _back_off,
    "ErrorBudget": _error_budget,
    "Storm": _storm,
    "WindowClosed": _windows,
}
"""Histories by the refusal that holds actions back in them."""
