"""A policy's signals made ready to ask: parsed, confined, measured.

Done once for each generation of a policy, so that a round costs no parsing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from prunella.api import policy as policy_api
from prunella.api import signals as signals_api
from prunella.core import objects, promql

WORKLOAD_LABELS = {
    policy_api.TargetKind.DEPLOYMENT: "deployment",
    policy_api.TargetKind.STATEFUL_SET: "statefulset",
    policy_api.TargetKind.DAEMON_SET: "daemonset",
}
"""The label that holds a workload's name, as kube-state-metrics writes it."""
POD_LABELS = ("pod", "exported_pod")
NAMESPACE_LABELS = ("namespace", "exported_namespace")
STANDARD_NAMES = frozenset({*WORKLOAD_LABELS.values(), *POD_LABELS})

SCRAPES_TO_WAIT = 2


def wait_after_rollout(longest_range: float, scrape_seconds: float) -> float:
    """Seconds after a rollout in which a sample may still rest on what was before it."""
    return longest_range + SCRAPES_TO_WAIT * scrape_seconds


VALUE, BAD, TOTAL, PRESENCE = "value", "bad", "total", "presence"


class PolicyError(Exception):
    """A policy that can't be evaluated: which signal, and what is wrong with it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Signal:
    """One signal with its confined queries by role (value, bad, total, presence)."""

    spec: signals_api.Signal
    queries: Mapping[str, str]
    labels: tuple[str, ...]
    """Labels by which series may find their targets."""
    longest_range: float
    """Seconds that a sample of the queries looks back at most."""
    events_factor: float
    """Seconds to multiply a total by, to count events."""

    @property
    def name(self) -> str:
        """Name of the signal."""
        return self.spec.name

    @property
    def name_labels(self) -> tuple[str, ...]:
        """Those of the labels that name a workload or a pod."""
        if self.spec.mapping is not None and self.spec.mapping.name is not None:
            return (self.spec.mapping.name,)
        return tuple(each for each in self.labels if each in STANDARD_NAMES)

    @property
    def namespace_labels(self) -> tuple[str, ...]:
        """Those of the labels that hold the namespace."""
        return tuple(each for each in self.labels if each not in self.name_labels)


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """All signals of one generation of a policy."""

    signals: tuple[Signal, ...]

    @property
    def longest_range(self) -> float:
        """Seconds that any sample looks back at most."""
        return max(signal.longest_range for signal in self.signals)


def compile_policy(
    key: objects.Key,
    spec: policy_api.RemediationPolicySpec,
    namespace_labels: Mapping[str, str],
) -> Policy:
    """Parse and confine all queries. ``namespace_labels`` is by source name.

    Raises PolicyError naming the signal when a query can't be parsed or confined.
    """
    signals = []
    for signal in spec.signals:
        label = namespace_labels.get(signal.source, "namespace")
        try:
            signals.append(_compile_signal(signal, spec.target.kind, label, key.namespace))
        except promql.PromqlError as error:
            raise PolicyError(f"signal {signal.name}: {error}") from error
    return Policy(tuple(signals))


def _compile_signal(
    signal: signals_api.Signal, kind: policy_api.TargetKind, label: str, namespace: str
) -> Signal:
    written = _written_queries(signal)
    queries = {}
    for role, query in written.items():
        promql.validate(query)
        queries[role] = promql.confine(query, label, namespace)
    factor = promql.events_window(written[TOTAL]) if TOTAL in written else None
    return Signal(
        spec=signal,
        queries=queries,
        labels=_mapping_labels(signal, kind, label),
        longest_range=max(promql.longest_range(query) for query in written.values()),
        events_factor=1.0 if factor is None else factor,
    )


def _written_queries(signal: signals_api.Signal) -> dict[str, str]:
    queries = {}
    if signal.prometheus is not None:
        queries[VALUE] = signal.prometheus.query
    if signal.ratio is not None:
        queries[BAD], queries[TOTAL] = signal.ratio.bad, signal.ratio.total
    if signal.presence is not None:
        queries[PRESENCE] = signal.presence
    return queries


def _mapping_labels(
    signal: signals_api.Signal, kind: policy_api.TargetKind, namespace_label: str
) -> tuple[str, ...]:
    if signal.mapping is not None and signal.mapping.single:
        return ()
    if signal.mapping is not None:
        return (signal.mapping.namespace or namespace_label, signal.mapping.name or "")
    labels = (namespace_label, *NAMESPACE_LABELS, WORKLOAD_LABELS[kind], *POD_LABELS)
    return tuple(dict.fromkeys(labels))
