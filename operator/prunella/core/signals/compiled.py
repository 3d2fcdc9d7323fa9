"""A policy's signals made ready to ask: parsed, confined, measured.

Done once for each generation of a policy, so that a round costs no parsing.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Iterator, Mapping

from prunella.api import capacity, types
from prunella.api import detectors as detectors_api
from prunella.api import policy as policy_api
from prunella.api import signals as signals_api
from prunella.core import objects
from prunella.core.signals import query_analysis
from prunella.core.signals import when as when_module

WORKLOAD_LABELS = {
    policy_api.TargetKind.DEPLOYMENT: "deployment",
    policy_api.TargetKind.STATEFUL_SET: "statefulset",
    policy_api.TargetKind.DAEMON_SET: "daemonset",
    policy_api.TargetKind.CRON_JOB: "cronjob",
    policy_api.TargetKind.ROLLOUT: "rollout",
}
"""The label that holds a workload's name, as kube-state-metrics writes it."""
NODE_LABEL = "node"
TARGET_LABELS = {**WORKLOAD_LABELS, policy_api.TargetKind.NODE: NODE_LABEL}
"""The same of all targets: a pod's series may bear its node, too, and is not about that."""
POD_LABELS = ("pod", "exported_pod")
NAMESPACE_LABELS = ("namespace", "exported_namespace")
STANDARD_NAMES = frozenset({*TARGET_LABELS.values(), *POD_LABELS})

EXPORTED_NAMESPACE = "exported_namespace"
CLUSTER_LABELS = ("cluster", "k8s_cluster_name")
"""Labels by which one source for several clusters tells them apart."""

SCRAPES_TO_WAIT = 2
ALERT_RANGE = 300.0
"""Seconds that an alert's rule is taken to look back while its expression is not known."""
SPACING_SLACK = 1.1
"""Scrapes are never on time: so much more than a step is still one for each sample."""


def wait_after_rollout(longest_range: float, scrape_seconds: float) -> float:
    """Seconds after a rollout in which a sample may still rest on what was before it."""
    return longest_range + SCRAPES_TO_WAIT * scrape_seconds


VALUE, BAD, TOTAL, PRESENCE = "value", "bad", "total", "presence"
GIVEN, LIMIT, AGAINST, CANARY = "given", "limit", "against", "canary"
PIECE_POINTS = 2016
"""Grid points that are asked for at once: a week of 5 minutes."""


class PolicyError(Exception):
    """A policy that can't be evaluated: which signal, and what is wrong with it."""


def windowed(role: str, seconds: int) -> str:
    """The role of a burn rate's query over one of its windows."""
    return f"{role}@{seconds}"


@dataclasses.dataclass(frozen=True, slots=True)
class Confinement:
    """What every selector of a source's queries gets: the namespace, and its own matchers."""

    label: str = "namespace"
    """The label that holds the namespace."""
    matchers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Labels with the value that each must have, such as the cluster's."""

    @property
    def pod_labels(self) -> tuple[str, ...]:
        """The labels that hold a pod's name, the one that counts first.

        Where the namespace is an exported one, ``pod`` is the exporter's own.
        """
        return POD_LABELS[::-1] if self.label == EXPORTED_NAMESPACE else POD_LABELS

    def apply(self, query: str, namespace: str) -> str:
        """The confined query. Raises query_analysis.PromqlError."""
        return query_analysis.confine(query, self.label, namespace, self.matchers)


DEFAULT_CONFINEMENT = Confinement()


@dataclasses.dataclass(frozen=True, slots=True)
class Lookback:
    """The history that a detector needs: how long, and in which steps, in seconds."""

    seconds: float
    step: float


@dataclasses.dataclass(frozen=True, slots=True)
class Signal:
    """One signal with its confined queries by role (value, bad, total, presence ...)."""

    spec: signals_api.Signal
    queries: Mapping[str, str]
    labels: tuple[str, ...]
    """Labels by which series may find their targets."""
    longest_range: float
    """Seconds that a sample of the queries looks back at most."""
    events_factor: float
    """Seconds to multiply a total by, to count events."""
    lookback: Lookback | None = None
    """None where the newest samples are enough."""
    recorded: bool = False
    """Recording rules compute what it is judged by; its queries ask for their results."""
    confinement: Confinement = DEFAULT_CONFINEMENT

    @property
    def name(self) -> str:
        """Name of the signal."""
        return self.spec.name

    @property
    def name_labels(self) -> tuple[str, ...]:
        """Those of the labels that name a workload or a pod."""
        mapping = self.spec.mapping
        return _split(self.labels, mapping.name if mapping is not None else None)[0]

    @property
    def namespace_labels(self) -> tuple[str, ...]:
        """Those of the labels that hold the namespace."""
        mapping = self.spec.mapping
        return _split(self.labels, mapping.name if mapping is not None else None)[1]


@functools.lru_cache(maxsize=1024)
def _split(labels: tuple[str, ...], name: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Labels of names and of namespaces; asked for each sample, so worked out once."""
    standard = tuple(each for each in labels if each in STANDARD_NAMES)
    names = standard if name is None else (name,)
    return names, tuple(each for each in labels if each not in names)


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """All signals of one generation of a policy."""

    signals: tuple[Signal, ...]
    when: when_module.When | None = None
    """How the signals' verdicts are put together; None: any of them makes a target sick."""

    @property
    def longest_range(self) -> float:
        """Seconds that any sample looks back at most."""
        return max(signal.longest_range for signal in self.signals)


def coarsened(signal: Signal, spacing: float | None) -> Signal:
    """The signal as it fits samples so many seconds apart: one grid point for each at most.

    The same sample seen at several points would count several times, as if each were new.
    """
    lookback = signal.lookback
    if lookback is None or spacing is None or spacing <= SPACING_SLACK * lookback.step:
        return signal
    step = lookback.step * math.ceil(spacing / SPACING_SLACK / lookback.step)
    spec = signal.spec
    if spec.baseline is not None:
        every = types.Duration.from_seconds(math.ceil(step))
        spec = spec.model_copy(
            update={"baseline": spec.baseline.model_copy(update={"every": every})}
        )
    return dataclasses.replace(
        signal,
        spec=spec,
        lookback=Lookback(lookback.seconds, step),
        longest_range=signal.longest_range + step - lookback.step,
    )


def compile_policy(
    key: objects.Key,
    spec: policy_api.RemediationPolicySpec,
    confinements: Mapping[str, Confinement],
) -> Policy:
    """Parse and confine all queries. ``confinements`` is by source name.

    Raises PolicyError naming the signal when a query can't be parsed or confined, and when the
    expression of `when` can't be used.
    """
    signals = []
    for signal in spec.signals:
        confinement = confinements.get(signal.source, DEFAULT_CONFINEMENT)
        try:
            signals.append(_compile_signal(signal, spec.target.kind, confinement, key.namespace))
        except query_analysis.PromqlError as error:
            raise PolicyError(f"signal {signal.name}: {error}") from error
    _check_requirements(spec)
    if spec.when is None:
        return Policy(tuple(signals))
    try:
        expression = when_module.compile_when(spec.when, [signal.name for signal in signals])
    except when_module.WhenError as error:
        raise PolicyError(f"when: {error}") from error
    return Policy(tuple(signals), expression)


def _check_requirements(spec: policy_api.RemediationPolicySpec) -> None:
    """Make sure that what steps require can be asked. Raises PolicyError naming the step."""
    for place, step in enumerate(spec.steps):
        for path, each in capacity.required(step.params):
            try:
                query_analysis.validate(capacity.with_numbers(each.query, 1, 1))
            except query_analysis.PromqlError as error:
                *above, number = path
                where = f"steps[{place}].{step.action}.{'.'.join(map(str, above))}[{number}]"
                raise PolicyError(f"{where}: {error}") from error


def _compile_signal(
    signal: signals_api.Signal,
    kind: policy_api.TargetKind,
    confinement: Confinement,
    namespace: str,
) -> Signal:
    written = _written_queries(signal)
    lookback = _lookback(signal)
    queries = {}
    for role, query in written.items():
        query_analysis.validate(query)
        if lookback is not None and query_analysis.reads_range_bounds(query):
            raise query_analysis.PromqlError(
                "@ start() and @ end() have no meaning in a history", query
            )
        # What is about nodes is about no namespace: only administrators write such policies.
        whole = kind is policy_api.TargetKind.NODE
        matchers = confinement.matchers
        confined = query_analysis.matched(query, matchers) if whole else None
        queries[role] = confined or confinement.apply(query, namespace)
    return Signal(
        spec=signal,
        queries=queries,
        labels=_mapping_labels(signal, kind, confinement.label),
        longest_range=_longest_range(signal, written),
        events_factor=_events_factor(written),
        lookback=lookback,
        confinement=confinement,
    )


def _longest_range(signal: signals_api.Signal, written: Mapping[str, str]) -> float:
    """Seconds for which a verdict may still rest on what was before a rollout.

    A burn rate is over as soon as its short windows are; a baseline's newest sample is up to a
    step old; a change compares whole windows.
    """
    if signal.burn_rate is not None:
        return max(rule.short.total_seconds() for rule in signal.burn_rate.rules)
    ranges = (query_analysis.longest_range(query) for query in written.values())
    longest = max(ranges, default=0.0)  # The condition of a node is asked of nobody.
    if signal.alert is not None:
        return ALERT_RANGE
    if signal.change is not None:
        return longest + signal.change.window.total_seconds()
    lookback = _lookback(signal)
    return longest if lookback is None else longest + lookback.step


def _events_factor(written: Mapping[str, str]) -> float:
    total = next((query for role, query in written.items() if role.startswith(TOTAL)), None)
    factor = query_analysis.events_window(total) if total is not None else None
    return 1.0 if factor is None else factor


def _lookback(signal: signals_api.Signal) -> Lookback | None:
    if signal.baseline is not None:
        return Lookback(
            signal.baseline.history.total_seconds(), signal.baseline.every.total_seconds()
        )
    if signal.forecast is not None:
        window = signal.forecast.window_seconds
        return Lookback(window, detectors_api.grid_step(window))
    if signal.drift is not None:
        window = signal.drift.window.total_seconds()
        return Lookback(window, detectors_api.grid_step(window))
    if signal.change is not None:
        # Both sides lie in one stretch: before a rollout, the rollout itself, and after it.
        window = signal.change.window.total_seconds()
        return Lookback(3 * window, signal.change.step)
    return None


def _written_queries(signal: signals_api.Signal) -> dict[str, str]:
    queries = {}
    if signal.prometheus is not None:
        queries[VALUE] = signal.prometheus.query
    if signal.alert is not None:
        queries[VALUE] = alert_history(signal.alert)
    if signal.burn_rate is not None:
        queries.update(_windowed_queries(signal))
    elif signal.ratio is not None:
        queries[BAD], queries[TOTAL] = signal.ratio.bad, signal.ratio.total
    more = {
        PRESENCE: signal.presence,
        GIVEN: signal.given.query if signal.given is not None else None,
        LIMIT: signal.forecast.reaches_query if signal.forecast is not None else None,
        AGAINST: signal.change.against if signal.change is not None else None,
        CANARY: signal.absent.canary if signal.absent is not None else None,
    }
    queries.update({role: query for role, query in more.items() if query is not None})
    return queries


def alert_history(alert: signals_api.Alert) -> str:
    """The series that a source keeps of an alert while it fires."""
    wanted = {**alert.labels, "alertname": alert.name, "alertstate": "firing"}
    matchers = ", ".join(f"{name}={json.dumps(value)}" for name, value in sorted(wanted.items()))
    return f"ALERTS{{{matchers}}}"


def _windowed_queries(signal: signals_api.Signal) -> Iterator[tuple[str, str]]:
    """A burn rate's queries, each for all of its windows."""
    if signal.ratio is None or signal.burn_rate is None:
        return
    for seconds in signal.burn_rate.windows:
        for role, query in ((BAD, signal.ratio.bad), (TOTAL, signal.ratio.total)):
            yield windowed(role, seconds), query.replace(signals_api.WINDOW, f"{seconds}s")


def _mapping_labels(
    signal: signals_api.Signal, kind: policy_api.TargetKind, namespace_label: str
) -> tuple[str, ...]:
    if signal.mapping is not None and signal.mapping.single:
        return ()
    if signal.mapping is not None:
        name = signal.mapping.name or ""
        if kind is policy_api.TargetKind.NODE:
            return (name,)
        return (signal.mapping.namespace or namespace_label, name)
    if kind is policy_api.TargetKind.NODE:
        return (NODE_LABEL,)
    labels = (namespace_label, *NAMESPACE_LABELS, WORKLOAD_LABELS[kind], *POD_LABELS)
    return tuple(dict.fromkeys(labels))
