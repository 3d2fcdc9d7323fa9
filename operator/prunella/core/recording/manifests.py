"""Groups of recording rules as the files that rulers read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prunella.core import objects
from prunella.core.recording import rules


def rules_file(groups: Iterable[rules.Group]) -> dict[str, Any]:
    """A rules file, as Prometheus, Thanos and Mimir read it."""
    return {"groups": [_group(each) for each in groups]}


def prometheus_rule(
    key: objects.Key, groups: Iterable[rules.Group], labels: Mapping[str, str]
) -> dict[str, Any]:
    """A PrometheusRule of the Prometheus operator, beside the policy.

    ``labels`` are those by which the cluster's Prometheus selects its rules.
    """
    metadata: dict[str, Any] = {"name": f"prunella-{key.name}", "namespace": key.namespace}
    if labels:
        metadata["labels"] = dict(labels)
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata,
        "spec": rules_file(groups),
    }


def _group(group: rules.Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "interval": rules.span(group.interval),
        "rules": [
            {"record": rule.record, "expr": rule.expr, "labels": dict(rule.labels)}
            for rule in group.rules
        ],
    }
