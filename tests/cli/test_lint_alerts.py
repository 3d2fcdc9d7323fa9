"""`prunella lint` on signals that are alerts."""

from __future__ import annotations

import pytest

from tests.cli.test_lint_detectors import HEAD, found, policy

ROLLBACK = HEAD.replace("restart: {}", "rollback: {%s}")
SIGNALS = "  signals:\n  - name: s\n    alert: {name: Hot}\n    for: 1m\n"
PREVIOUS = "to: Previous, whenChangedWithin: 1h"

ACCEPTED = {
    "an alert": policy("alert: {name: Hot}", "for: 1m"),
    "its labels": policy("alert: {name: Hot, labels: {severity: critical}}", "for: 1m"),
    "its own namespace": policy("alert: {name: Hot, labels: {namespace: shop}}", "for: 1m"),
    "rolled back to the one before": ROLLBACK % PREVIOUS + SIGNALS,
    "a metric named alike": policy(
        "prometheus: {query: 'max by (pod) (MY_ALERTS)'}", "threshold: {above: 1}", "for: 1m"
    ),
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_good_alerts_are_left_alone(text: str) -> None:
    """Nothing to say."""
    assert [] == found(text)


NOTED = {
    "a query of alerts": (
        policy(
            "prometheus: {query: 'max by (pod) (ALERTS{alertname=\"Hot\"})'}",
            "threshold: {above: 0}",
            "for: 1m",
        ),
        (
            "9 warning prometheus.query: ALERTS has series only while something is wrong, so that "
            "nothing is ever Healthy: write `alert: {name: ...}`, which asks whether the rule is "
            "evaluated [query-of-alerts]"
        ),
    ),
    "its name as a label": (
        policy("alert: {name: Hot, labels: {alertname: Hot}}", "for: 1m"),
        (
            "9 warning alert.labels.alertname: alertname is no label of an alert: write its name "
            "in alert.name [alert-labels]"
        ),
    ),
    "another namespace": (
        policy("alert: {name: Hot, labels: {namespace: bank}}", "for: 1m"),
        (
            "9 warning alert.labels.namespace: a policy of shop is shown only alerts of its own "
            "namespace: it never fires [foreign-namespace]"
        ),
    ),
    "rolled back to what no alert can prove": (
        ROLLBACK % "" + SIGNALS,
        (
            "6 warning spec.steps[0].rollback: an alert does not tell that an earlier revision was "
            "Healthy: write to: Previous (with whenChangedWithin), or add a signal with a query "
            "[rollback-by-alert]"
        ),
    ),
    "reverted from what no alert can prove": (
        (ROLLBACK % "" + SIGNALS).replace("rollback: {}", "gitRevert: {}"),
        (
            "6 warning spec.steps[0].gitRevert: an alert does not tell that all was Healthy before "
            "the commit: add a signal with a query [revert-by-alert]"
        ),
    ),
    "with a detector": (
        policy("alert: {name: Hot}", "threshold: {above: 1}", "for: 1m"),
        (
            "8 error spec.signals[0]: exactly one of threshold, baseline, forecast, drift, change, "
            "burnRate, absent, alert, nodeCondition must be given, found threshold, alert [schema]"
        ),
    ),
    "with a presence": (
        policy("alert: {name: Hot}", "presence: up", "for: 1m"),
        (
            "8 error spec.signals[0]: an alert takes no presence, no mapping single and no pods "
            "but Any [schema]"
        ),
    ),
    "a label that is none": (
        policy("alert: {name: Hot, labels: {a-b: c}}", "for: 1m"),
        "9 error alert.labels: 'a-b' is no name of a label, such as severity [schema]",
    ),
}


@pytest.mark.parametrize(("text", "expected"), NOTED.values(), ids=NOTED)
def test_what_is_said(text: str, expected: str) -> None:
    """Line, field, what is wrong and what to do."""
    assert [expected] == found(text)
