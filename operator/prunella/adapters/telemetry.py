"""The operator's own metrics, by prometheus-client. The table below is their documentation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

import prometheus_client

from prunella.core import objects

POLICY_LABELS: Final = ("namespace", "policy")


@dataclasses.dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its type is that of prometheus-client, its help is for people."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


METRICS: Final = (
    Metric(
        "prunella_remediations_total",
        "counter",
        (*POLICY_LABELS, "action", "phase"),
        "Remediations that came to a phase.",
    ),
    Metric(
        "prunella_refusals_total",
        "counter",
        (*POLICY_LABELS, "reason"),
        "Passes in which a sick target was left alone, by the guard's reason.",
    ),
    Metric(
        "prunella_targets",
        "gauge",
        (*POLICY_LABELS, "verdict"),
        "Targets of a policy by verdict.",
    ),
    Metric(
        "prunella_policy_latched",
        "gauge",
        POLICY_LABELS,
        "1 while a policy has stopped itself, else 0.",
    ),
    Metric(
        "prunella_policy_demoted",
        "gauge",
        POLICY_LABELS,
        "1 while a bad streak makes a policy act as Advise, else 0.",
    ),
    Metric(
        "prunella_escalations_total", "counter", POLICY_LABELS, "Times that a person was called."
    ),
    Metric(
        "prunella_escalation_failures_total",
        "counter",
        POLICY_LABELS,
        "Alerts that did not arrive at Alertmanager; they are tried again.",
    ),
    Metric(
        "prunella_onset_to_decision_seconds",
        "histogram",
        POLICY_LABELS,
        "Time from the first Unhealthy evaluation to the decision to act.",
    ),
    Metric("prunella_pass_seconds", "histogram", (), "Time that one pass over one policy took."),
    Metric(
        "prunella_pass_errors_total",
        "counter",
        POLICY_LABELS,
        "Passes that ended in an error and are tried again.",
    ),
    Metric(
        "prunella_queries_total",
        "counter",
        ("source", "outcome"),
        "Queries sent to metrics sources; outcome is Answered or the doubt's reason.",
    ),
    Metric(
        "prunella_changes_total",
        "counter",
        ("outcome",),
        "Changes seen: Written, Late (found by a list), Known (written before), Refused.",
    ),
    Metric("prunella_leader", "gauge", (), "1 while this replica leads and may write, else 0."),
    Metric(
        "prunella_leader_epoch",
        "gauge",
        (),
        "Number of this replica's leadership; 0 before it leads.",
    ),
    Metric(
        "prunella_leader_transitions_total", "counter", (), "Times that this replica was elected."
    ),
    Metric(
        "prunella_leader_evaluated_seconds",
        "histogram",
        (),
        "Time from the election of this replica until it had evaluated all policies.",
    ),
    Metric("prunella_journal_objects", "gauge", (), "Objects whose changes are journalled."),
    Metric("prunella_journal_waiting", "gauge", (), "Changes that are not written yet."),
    Metric(
        "prunella_foreign_answers_total",
        "counter",
        ("source", "namespace"),
        "Answers with series of another namespace than the asker's; those series are dropped.",
    ),
    Metric(
        "prunella_intake_requests_total",
        "counter",
        ("path", "outcome"),
        "Requests to the intake's port; outcome is accepted, or why nothing was taken.",
    ),
    Metric(
        "prunella_intake_alerts_total",
        "counter",
        ("source", "outcome"),
        "Alerts that were told; outcome is passed on, repeated or ignored.",
    ),
    Metric(
        "prunella_intake_polls_total",
        "counter",
        ("source", "outcome"),
        "Polls for active alerts; outcome is answered or failed.",
    ),
    Metric(
        "prunella_intake_waiting",
        "gauge",
        (),
        "Alerts that were taken in and not looked at yet.",
    ),
    Metric(
        "prunella_incidents_open",
        "gauge",
        ("severity",),
        "Open incidents by severity.",
    ),
    Metric("prunella_incidents_opened_total", "counter", (), "Incidents that were opened."),
    Metric(
        "prunella_incident_named_seconds",
        "histogram",
        (),
        "Time from an incident's first symptom to its first named suspect.",
    ),
    Metric(
        "prunella_incident_round_seconds",
        "histogram",
        (),
        "Time that one round over all incidents took.",
    ),
    Metric(
        "prunella_incident_errors_total",
        "counter",
        (),
        "Diagnoses and writes of incidents that failed and are tried again.",
    ),
    Metric(
        "prunella_trace_exports_total",
        "counter",
        ("outcome",),
        "Requests with spans of incidents; outcome is sent or failed, which is tried again.",
    ),
    Metric(
        "prunella_suspects_confirmed_total",
        "counter",
        ("place", "cause_kind"),
        "Suspects that a person confirmed, by their place in the ranking.",
    ),
    Metric(
        "prunella_suspects_rejected_total",
        "counter",
        ("place", "cause_kind"),
        "Suspects that a person rejected, by their place in the ranking.",
    ),
    Metric(
        "prunella_relist_age_seconds",
        "gauge",
        (),
        "Age of the last complete list of policies, records and workloads.",
    ),
    Metric(
        "prunella_loop_lag_seconds",
        "gauge",
        (),
        "How late the event loop woke up, worst of the last interval.",
    ),
)
_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class PrometheusTelemetry:
    """Counters, gauges and histograms in a registry of their own."""

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        self._counters: dict[str, prometheus_client.Counter] = {}
        self._gauges: dict[str, prometheus_client.Gauge] = {}
        self._histograms: dict[str, prometheus_client.Histogram] = {}
        for metric in METRICS:
            self._declare(metric)

    def _declare(self, metric: Metric) -> None:
        if metric.kind == "counter":
            self._counters[metric.name] = prometheus_client.Counter(
                metric.name, metric.help, metric.labels, registry=self.registry
            )
        elif metric.kind == "gauge":
            self._gauges[metric.name] = prometheus_client.Gauge(
                metric.name, metric.help, metric.labels, registry=self.registry
            )
        else:
            self._histograms[metric.name] = prometheus_client.Histogram(
                metric.name,
                metric.help,
                metric.labels,
                registry=self.registry,
                buckets=_BUCKETS,
            )

    def count(self, name: str, labels: Mapping[str, str]) -> None:
        """Add one to a counter."""
        counter = self._counters[name]
        (counter.labels(**labels) if labels else counter).inc()

    def gauge(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Set a gauge."""
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def observe(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Add one observation, in seconds."""
        histogram = self._histograms[name]
        (histogram.labels(**labels) if labels else histogram).observe(value)

    def forget(self, policy: objects.Key) -> None:
        """Drop the series of a policy that is gone."""
        labels = {"namespace": policy.namespace, "policy": policy.name}
        for metric in METRICS:
            if metric.labels[:2] == POLICY_LABELS:
                self._collector(metric).remove_by_labels(labels)

    def _collector(
        self, metric: Metric
    ) -> prometheus_client.Counter | prometheus_client.Gauge | prometheus_client.Histogram:
        found = self._counters.get(metric.name) or self._gauges.get(metric.name)
        return found if found is not None else self._histograms[metric.name]

    def render(self) -> bytes:
        """All metrics in the text format."""
        return prometheus_client.generate_latest(self.registry)
