"""Good sense about signals that are alerts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from prunella.api import steps as steps_api
from prunella.cli.lint import findings
from prunella.cli.lint.findings import Note
from prunella.cli.lint.policy import Policy, Rule

_ALERTS = re.compile(r"(?<![\w:])ALERTS(?![\w:])")
_OWN = ("alertname", "alertstate")


def query_of_alerts(policy: Policy) -> Iterator[Note]:
    """The series of an alert is there only while it fires: its absence proves nothing."""
    for path, query in policy.queries():
        if _ALERTS.search(query):
            message = (
                "ALERTS has series only while something is wrong, so that nothing is ever Healthy: "
                "write `alert: {name: ...}`, which asks whether the rule is evaluated"
            )
            yield findings.warning("query-of-alerts", path, message)


def labels_of_alert(policy: Policy) -> Iterator[Note]:
    """What an alert's labels can't say."""
    for path, signal in policy.signals():
        if signal.alert is None:
            continue
        for name, value in signal.alert.labels.items():
            place = (*path, "alert", "labels", name)
            if name in _OWN:
                message = f"{name} is no label of an alert: write its name in alert.name"
                yield findings.warning("alert-labels", place, message)
            elif name == "namespace" and policy.namespace and value != policy.namespace:
                message = (
                    f"a policy of {policy.namespace} is shown only alerts of its own namespace: "
                    "it never fires"
                )
                yield findings.warning("foreign-namespace", place, message)


def rollback_by_alert(policy: Policy) -> Iterator[Note]:
    """Silence of the past proves nothing, so no earlier revision was seen Healthy by an alert."""
    if any(signal.alert is None for signal in policy.spec.signals):
        return
    for path, step in policy.steps():
        rollback = step.rollback
        if rollback is not None and rollback.to is steps_api.RollbackTo.LAST_HEALTHY:
            message = (
                "an alert does not tell that an earlier revision was Healthy: write to: Previous "
                "(with whenChangedWithin), or add a signal with a query"
            )
            yield findings.warning("rollback-by-alert", (*path, "rollback"), message)
        if step.git_revert is not None:
            message = (
                "an alert does not tell that all was Healthy before the commit: add a signal "
                "with a query"
            )
            yield findings.warning("revert-by-alert", (*path, "gitRevert"), message)
        if step.helm_rollback is not None:
            message = (
                "an alert does not tell that all was Healthy before the release: add a signal "
                "with a query"
            )
            yield findings.warning("revert-by-alert", (*path, "helmRollback"), message)


RULES: tuple[Rule, ...] = (
    query_of_alerts,  # Make sure that silence can be told from blindness.
    labels_of_alert,  # Make sure that the alert can be found.
    rollback_by_alert,  # Make sure that there can be a revision to go back to.
)
