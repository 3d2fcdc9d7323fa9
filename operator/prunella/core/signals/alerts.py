"""Findings of a signal that is an alert of the source's own rules.

A target is Unhealthy while a firing alert is mapped to it.  It is Healthy only when each rule of
that name was evaluated lately and without an error, and none of their alerts is about it: no rule,
no answer and an old evaluation are doubt.  An alert that is ``pending`` does not fire.
Source: Prometheus documentation, "HTTP API", Rules; "Alerting rules", ``ALERTS``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from prunella.api import reasons
from prunella.api import signals as signals_api
from prunella.core import model
from prunella.core.signals import compiled, gone_pods, mapping, query_analysis

STALE_EVALUATIONS: Final = 3.0
MINIMUM_STALE_SECONDS: Final = 30.0
_TEMPLATE: Final = "{{"
_OWN_LABELS: Final = frozenset({"alertname", "alertstate", "__name__"})


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """An alerting rule as its source tells of it, with the firing alerts of one namespace."""

    group: str
    firing: tuple[Mapping[str, str], ...] = ()
    """The labels of each alert that fires."""
    labels: Mapping[str, str] = dataclasses.field(default_factory=lambda: model.NO_LABELS)
    """Labels that the rule adds, as they are written."""
    health: str = "ok"
    error: str = ""
    age: float = 0.0
    """Seconds since the last evaluation; infinite before the first."""
    interval: float = 0.0
    """Seconds between two evaluations."""
    looks_back: float = compiled.ALERT_RANGE
    """Seconds for which an alert may still rest on what was before an action."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """All alerting rules of one name."""

    rules: tuple[Rule, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class History:
    """The alerts that fired at an earlier time: whether their rule was there can't be known.

    ``assumed``: it is taken to have been there, as a backtest must.
    """

    firing: tuple[Mapping[str, str], ...]
    assumed: bool = False


Answer = Rules | History | model.Failure


def looks_back(expression: str, keep_firing_for: float, interval: float) -> float:
    """Seconds for which an alert of this expression may still rest on what was before."""
    try:
        longest = query_analysis.longest_range(expression)
    except query_analysis.PromqlError:
        longest = compiled.ALERT_RANGE  # A newer PromQL than ours.
    return longest + keep_firing_for + interval


def own_alerts(
    found: Iterable[Mapping[str, str]], label: str, namespace: str
) -> tuple[Mapping[str, str], ...]:
    """The alerts that say that they are of the namespace; one that names none is not its own.

    All of them for a policy of no namespace, which is about nodes.
    """
    if not namespace:
        return tuple(found)
    return tuple(labels for labels in found if labels.get(label) == namespace)


def firing(answer: Answer) -> Iterator[model.Sample]:
    """The firing alerts as samples, to be mapped as series are."""
    if isinstance(answer, History):
        yield from map(_sample, answer.firing)
    elif isinstance(answer, Rules):
        for rule in answer.rules:
            yield from map(_sample, rule.firing)


def range_of(signal: compiled.Signal, answer: Answer) -> float:
    """Seconds that the signal looks back, as its rules tell; as before when they do not."""
    if not isinstance(answer, Rules):
        return signal.longest_range
    known = [rule.looks_back for rule in _meant(signal, answer)]
    return max(known, default=signal.longest_range)


def evaluated_every(answer: Answer) -> float | None:
    """Seconds between two evaluations of the rule that is evaluated least often, if told."""
    found = answer.rules if isinstance(answer, Rules) else ()
    return max((rule.interval for rule in found), default=0.0) or None


def detect(
    signal: compiled.Signal,
    answer: Answer,
    targets: Sequence[model.Ref],
    owners: Mapping[str, model.Ref],
    living: Mapping[model.Ref, Collection[str]] = mapping.NOBODY_LOOKED,
) -> list[model.Finding]:
    """One finding for each target, in the order of ``targets``.

    ``living`` names the pods of the targets that were looked at closely.
    """
    if isinstance(answer, model.Failure):
        return [_unknown(signal, each, answer.reason, answer.message) for each in targets]
    rules = _meant(signal, answer) if isinstance(answer, Rules) else []
    doubts = [_doubt(signal, rule) for rule in rules]
    believed = [rule for rule, doubt in zip(rules, doubts, strict=True) if doubt is None]
    labels = answer.firing if isinstance(answer, History) else _firing_of(believed)
    samples = [_sample(each) for each in labels if _matches(signal, each)]
    mapped = mapping.map_samples(signal, samples, targets, owners)
    if mapped.failure is not None:
        failure = mapped.failure
        return [_unknown(signal, each, failure.reason, failure.message) for each in targets]
    mapped = mapping.of_living(mapped, living)
    doubt = _first_doubt(signal, answer, rules, doubts)
    return [_judge(signal, mapped, doubt, answer, rules, each) for each in targets]


def _judge(
    signal: compiled.Signal,
    mapped: mapping.Mapped,
    doubt: model.Failure | None,
    answer: Answer,
    rules: Sequence[Rule],
    target: model.Ref,
) -> model.Finding:
    name = _alert(signal).name
    series = mapped.series.get(target, ())
    if series:
        pod = next((each.pod for each in series if each.pod), "")
        count = "1 alert" if len(series) == 1 else f"{len(series)} alerts"
        message = f"{name} fires ({count}){f' on pod {pod}' if pod else ''}"
        found = model.Finding(
            signal.name, target, model.Verdict.UNHEALTHY, "Firing", message, float(len(series))
        )
        pods = tuple(sorted({each.pod for each in series if each.pod}))
        return dataclasses.replace(found, mapped_by=series[0].mapped_by, pod=pod, pods=pods)
    if gone := mapped.gone.get(target):
        # The rule may still rest on it, so silence about the others proves nothing yet.
        return _unknown(signal, target, reasons.Doubt.PODS_GONE, gone_pods.text(target, gone))
    if doubt is not None:
        return _unknown(signal, target, doubt.reason, doubt.message)
    if isinstance(answer, History):
        message = f"{name} did not fire; whether its rule was there is not in the history"
    else:
        oldest = max(rule.age for rule in rules)
        message = f"{name} does not fire, evaluated {oldest:.0f} s ago"
    return model.Finding(signal.name, target, model.Verdict.HEALTHY, "NotFiring", message, 0.0)


def _first_doubt(
    signal: compiled.Signal,
    answer: Rules | History,
    rules: Sequence[Rule],
    doubts: Sequence[model.Failure | None],
) -> model.Failure | None:
    """Why silence proves nothing, if it does not."""
    alert = _alert(signal)
    if isinstance(answer, History):
        if answer.assumed:
            return None
        message = f"whether the rule of {alert.name} was there at that time can't be known"
        return model.Failure(reasons.Doubt.NO_RULE, message)
    if not rules:
        wanted = ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))
        other = f" with {wanted}" if wanted and answer.rules else ""
        message = f"the source has no alerting rule named {alert.name}{other}"
        return model.Failure(reasons.Doubt.NO_RULE, message)
    return next((each for each in doubts if each is not None), None)


def _doubt(signal: compiled.Signal, rule: Rule) -> model.Failure | None:
    name = _alert(signal).name
    if rule.health != "ok" and not (rule.health == "unknown" and math.isinf(rule.age)):
        message = f"rule {name} in group {rule.group} is {rule.health}: {rule.error}"
        return model.Failure(reasons.Doubt.RULE_FAILING, message.rstrip(": "))
    limit = max(STALE_EVALUATIONS * rule.interval, MINIMUM_STALE_SECONDS)
    if signal.spec.stale_after is not None:
        limit = signal.spec.stale_after.total_seconds()
    if math.isinf(rule.age):
        message = f"rule {name} in group {rule.group} was never evaluated"
        return model.Failure(reasons.Doubt.STALE, message)
    if rule.age > limit:
        message = (
            f"rule {name} in group {rule.group} was evaluated {rule.age:.0f} s ago, "
            f"the limit is {limit:.0f} s"
        )
        return model.Failure(reasons.Doubt.STALE, message)
    return None


def _meant(signal: compiled.Signal, answer: Rules) -> list[Rule]:
    """The rules whose alerts can bear the labels that the signal asks for."""
    wanted = _alert(signal).labels
    return [rule for rule in answer.rules if not _contradicts(rule.labels, wanted)]


def _contradicts(written: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether a rule's own labels are others; a template may become anything."""
    return any(
        name in written and _TEMPLATE not in written[name] and written[name] != value
        for name, value in wanted.items()
    )


def _firing_of(rules: Iterable[Rule]) -> list[Mapping[str, str]]:
    return [labels for rule in rules for labels in rule.firing]


def _matches(signal: compiled.Signal, labels: Mapping[str, str]) -> bool:
    return _alert(signal).labels.items() <= labels.items()


def _sample(labels: Mapping[str, str]) -> model.Sample:
    kept = {name: value for name, value in labels.items() if name not in _OWN_LABELS}
    return model.Sample(kept, 1.0)


def _alert(signal: compiled.Signal) -> signals_api.Alert:
    if signal.spec.alert is None:
        raise ValueError(f"signal {signal.name} is no alert")
    return signal.spec.alert


def _unknown(
    signal: compiled.Signal, target: model.Ref, reason: str, message: str
) -> model.Finding:
    return model.Finding(signal.name, target, model.Verdict.UNKNOWN, reason, message)
