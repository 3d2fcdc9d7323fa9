"""From answers to findings: one verdict for each signal and target.

Anything that could make a number untrue makes the verdict Unknown: no answer, a partial one,
an old one, one that could be about another target.  Only then is a detector asked.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping, Sequence

from prunella.api import detectors as detectors_api
from prunella.api import reasons
from prunella.api import signals as signals_api
from prunella.core import model
from prunella.core.signals import (
    alerts,
    compiled,
    events,
    freshness,
    gone_pods,
    learning,
    mapping,
    node_conditions,
    pods,
    ranges,
    recorded,
)

_Judge = Callable[[float], model.Judgement]

MINIMUM_STALE_SECONDS = 30.0
STALE_SCRAPES = 3.0


@dataclasses.dataclass(frozen=True, slots=True)
class Detectors:
    """The detectors that signals are judged by; the wiring supplies them."""

    threshold: Callable[[float, signals_api.Threshold], model.Judgement]
    burn_rate: Callable[[events.Windows, detectors_api.BurnRate], model.Judgement]
    absent: Callable[[model.Answer, model.Answer, detectors_api.Absent], model.Judgement]
    learner: Callable[[compiled.Signal], learning.Learner | None]
    """A new and empty memory for a signal that looks back; None for any other."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What was asked for one signal in one round: answers by role, and ages in seconds."""

    answers: Mapping[str, model.Answer]
    ages: model.Answer
    scrape_seconds: float | None
    """None until it is known; then the shortest limit for stale data holds."""
    judged: Mapping[model.Ref, learning.Judged] | None = None
    """Of a signal that looks back: what its memory says of each target."""
    alerts: alerts.Answer | None = None
    """Of a signal that is an alert: what its rules say."""
    nodes: node_conditions.Nodes | None = None
    """Of a signal that is a condition of nodes: the nodes."""
    slower: tuple[model.Sample, ...] = ()
    """Series that are sampled much less often, by their mapping labels: the value is seconds."""

    @property
    def spacing(self) -> freshness.Spacing:
        """How far apart samples are."""
        return freshness.Spacing(self.scrape_seconds, self.slower)

    def samples(self) -> list[model.Sample]:
        """All samples of all answers, ages included."""
        vectors = [a for a in (*self.answers.values(), self.ages) if isinstance(a, model.Vector)]
        fired = () if self.alerts is None else alerts.firing(self.alerts)
        return [*(sample for vector in vectors for sample in vector.samples), *fired]


@dataclasses.dataclass(frozen=True, slots=True)
class _Age:
    """How old the oldest data is that a value rests on, and how far its samples are apart."""

    seconds: float
    spacing: float | None


def detect(
    signal: compiled.Signal,
    reading: Reading,
    targets: Sequence[model.Ref],
    owners: Mapping[str, model.Ref],
    detectors: Detectors,
    living: Mapping[model.Ref, Collection[str]] = mapping.NOBODY_LOOKED,
) -> list[model.Finding]:
    """One finding for each target, in the order of ``targets``.

    ``living`` names the pods of the targets that were looked at closely: there, series of pods
    that are gone are no evidence.
    """
    if reading.nodes is not None:
        return node_conditions.detect(signal, reading.nodes, targets)
    if reading.alerts is not None:
        return alerts.detect(signal, reading.alerts, targets, owners, living)
    return _detect(signal, reading, targets, owners, detectors, living)


def _detect(
    signal: compiled.Signal,
    reading: Reading,
    targets: Sequence[model.Ref],
    owners: Mapping[str, model.Ref],
    detectors: Detectors,
    living: Mapping[model.Ref, Collection[str]],
) -> list[model.Finding]:
    """The findings of what is asked by queries."""
    failure = _first_failure(reading)
    mapped: dict[str, mapping.Mapped] = {}
    for role, answer in reading.answers.items():
        if failure is None and isinstance(answer, model.Vector) and role != compiled.CANARY:
            mapped[role] = mapping.map_samples(signal, answer.samples, targets, owners)
            failure = mapped[role].failure
            if role != compiled.PRESENCE and signal.spec.absent is None:
                mapped[role] = mapping.of_living(mapped[role], living)
    if failure is not None:
        return [_unknown(signal, target, failure.reason, failure.message) for target in targets]
    ages = _ages(signal, reading, targets, owners)
    judged = reading.judged
    if signal.recorded and signal.spec.baseline is not None:
        told = {each: recorded.judge_target(mapped, each) for each in targets}
        judged = {target: found for target, found in told.items() if found is not None}
    if judged is not None:
        found = [_recalled(signal, reading, judged, ages, each) for each in targets]
        return [gone_pods.of_living(each, living) for each in found]
    if signal.spec.burn_rate is not None:
        return [_burning(signal, mapped, ages, each, detectors) for each in targets]
    if signal.spec.absent is not None:
        return [_missing(signal, reading, mapped, each, detectors) for each in targets]
    limits = _threshold(signal)
    judge: _Judge = lambda value: detectors.threshold(value, limits)  # noqa: E731
    return [_judge_target(signal, reading, mapped, ages, target, judge) for target in targets]


def _threshold(signal: compiled.Signal) -> signals_api.Threshold:
    if signal.spec.threshold is None:
        raise ValueError(f"signal {signal.name} has no threshold")
    return signal.spec.threshold


def _recalled(
    signal: compiled.Signal,
    reading: Reading,
    judged: Mapping[model.Ref, learning.Judged],
    ages: Mapping[model.Ref, _Age],
    target: model.Ref,
) -> model.Finding:
    """The finding of a detector that looks back."""
    found = judged.get(target)
    if found is None:
        hint = ranges.hint(signal.queries.values(), reading.scrape_seconds)
        message = f"no series is mapped to {target}{hint}"
        return _unknown(signal, target, reasons.Doubt.NO_DATA, message)
    return _believed(signal, ages.get(target), target, found)


def _believed(
    signal: compiled.Signal,
    age: _Age | None,
    target: model.Ref,
    found: learning.Judged,
) -> model.Finding:
    """The judgement, unless what it rests on is stale. A doubt of its own says more."""
    judgement = found.judgement
    # What rules recorded is asked for no longer than one evaluation: its query knows its age.
    bounded = signal.recorded and signal.spec.baseline is not None
    if judgement.verdict is not model.Verdict.UNKNOWN and not bounded:
        stale = _stale(signal, age)
        if stale is not None:
            return _unknown(signal, target, reasons.Doubt.STALE, stale)
    message = judgement.message + (f" on pod {found.pod}" if found.pod else "")
    return model.Finding(
        signal.name,
        target,
        judgement.verdict,
        judgement.reason,
        message,
        found.value,
        found.mapped_by,
        found.pod,
    )


def _burning(
    signal: compiled.Signal,
    mapped: Mapping[str, mapping.Mapped],
    ages: Mapping[model.Ref, _Age],
    target: model.Ref,
    detectors: Detectors,
) -> model.Finding:
    if signal.spec.burn_rate is None:
        raise ValueError(f"signal {signal.name} has no burn rate")
    windows = events.windows_of(signal, mapped, target)
    judgement = detectors.burn_rate(windows, signal.spec.burn_rate)
    found = learning.Judged(judgement, mapped_by=events.mapped_by(mapped, target))
    return _believed(signal, ages.get(target), target, found)


def _missing(
    signal: compiled.Signal,
    reading: Reading,
    mapped: Mapping[str, mapping.Mapped],
    target: model.Ref,
    detectors: Detectors,
) -> model.Finding:
    if signal.spec.absent is None:
        raise ValueError(f"signal {signal.name} is not about absence")
    own = events.own(reading.answers, mapped, target)
    canary = reading.answers[compiled.CANARY]
    judgement = detectors.absent(own, canary, signal.spec.absent)
    found = learning.Judged(judgement, mapped_by=events.mapped_by(mapped, target))
    # What is absent has no age; the proof that it would have been seen is the canary's.
    seen = reading.ages.samples if isinstance(reading.ages, model.Vector) else ()
    youngest = min((sample.value for sample in seen), default=None)
    age = None if youngest is None else _Age(youngest, reading.spacing.slowest)
    return _believed(signal, age, target, found)


def _first_failure(reading: Reading) -> model.Failure | None:
    answers = (*reading.answers.values(), reading.ages)
    return next((each for each in answers if isinstance(each, model.Failure)), None)


def _unknown(
    signal: compiled.Signal, target: model.Ref, reason: str, message: str
) -> model.Finding:
    return model.Finding(signal.name, target, model.Verdict.UNKNOWN, reason, message)


def _judge_target(
    signal: compiled.Signal,
    reading: Reading,
    mapped: Mapping[str, mapping.Mapped],
    ages: Mapping[model.Ref, _Age],
    target: model.Ref,
    judge: _Judge,
) -> model.Finding:
    values = [each for role, each in mapped.items() if role != compiled.PRESENCE]
    if any(target in each.duplicated for each in values):
        message = f"more than one series for {target}: aggregate by its labels"
        return _unknown(signal, target, reasons.Doubt.DUPLICATE_SERIES, message)
    if compiled.TOTAL in mapped:
        uncounted = _bad_without_total(mapped, target)
        if uncounted is not None:
            return _unknown(signal, target, reasons.Doubt.NO_DATA, uncounted)
        verdicts = _ratios(signal, mapped, target, judge)
    else:
        series = mapped[compiled.VALUE].series.get(target, ())
        verdicts = [pods.Verdict(judge(s.value), s.value, s.pod, s.mapped_by) for s in series]
    if not verdicts:
        return _empty(signal, reading, mapped, ages.get(target), target)
    stale = _stale(signal, ages.get(target))
    if stale is not None:
        return _unknown(signal, target, reasons.Doubt.STALE, stale)
    return pods.join(signal, target, verdicts)


def _bad_without_total(mapped: Mapping[str, mapping.Mapped], target: model.Ref) -> str | None:
    """Bad events that no total counts: the two are not by the same labels, or data is missing."""
    totals = {series.pod for series in mapped[compiled.TOTAL].series.get(target, ())}
    for series in mapped[compiled.BAD].series.get(target, ()):
        if series.value != 0 and series.pod not in totals:
            where = f"pod {series.pod} of {target}" if series.pod else f"{target} as a whole"
            return f"{series.value:.4g} bad events of {where} have no total by the same labels"
    return None


def _ratios(
    signal: compiled.Signal,
    mapped: Mapping[str, mapping.Mapped],
    target: model.Ref,
    judge: _Judge,
) -> list[pods.Verdict]:
    """Bad over total, pod by pod; bad events that nobody counted yet are none."""
    bad = {s.pod: s.value for s in mapped[compiled.BAD].series.get(target, ())}
    minimum = signal.spec.ratio.minimum if signal.spec.ratio is not None else 0.0
    verdicts = []
    for series in mapped[compiled.TOTAL].series.get(target, ()):
        events = series.value * signal.events_factor
        if math.isfinite(events) and events < minimum:
            message = f"{events:.4g} events in the window, fewer than {minimum:g}"
            few = model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.TOO_FEW_EVENTS, message)
            verdicts.append(pods.Verdict(few, None, series.pod, series.mapped_by))
            continue
        countable = math.isfinite(series.value) and series.value != 0
        value = bad.get(series.pod, 0.0) / series.value if countable else math.nan
        verdicts.append(pods.Verdict(judge(value), value, series.pod, series.mapped_by))
    return verdicts


def _empty(
    signal: compiled.Signal,
    reading: Reading,
    mapped: Mapping[str, mapping.Mapped],
    age: _Age | None,
    target: model.Ref,
) -> model.Finding:
    present = compiled.PRESENCE in mapped and target in mapped[compiled.PRESENCE].series
    if signal.spec.on_empty is signals_api.OnEmpty.HEALTHY and present:
        stale = _stale(signal, age) if age is not None else None
        if stale is not None:
            return _unknown(signal, target, reasons.Doubt.STALE, stale)
        message = "no series, and the presence query shows that it would have been seen"
        return model.Finding(signal.name, target, model.Verdict.HEALTHY, "EmptyIsHealthy", message)
    gone = [pod for each in mapped.values() for pod in each.gone.get(target, ())]
    if gone:
        return _unknown(signal, target, reasons.Doubt.PODS_GONE, gone_pods.text(target, gone))
    ignored = sum(each.ignored for each in mapped.values())
    other = f" ({ignored} series are about other objects)" if ignored else ""
    hint = ranges.hint(signal.queries.values(), reading.scrape_seconds)
    message = f"no series is mapped to {target}{other}{hint}"
    return _unknown(signal, target, reasons.Doubt.NO_DATA, message)


def _ages(
    signal: compiled.Signal,
    reading: Reading,
    targets: Collection[model.Ref],
    owners: Mapping[str, model.Ref],
) -> dict[model.Ref, _Age]:
    """The data of each target that is oldest for how often it is sampled."""
    if not isinstance(reading.ages, model.Vector):
        return {}
    apart = reading.spacing.by_labels()
    named: list[model.Sample] = []
    common: list[_Age] = []
    ages: list[_Age] = []
    name_labels = signal.name_labels
    for number, sample in enumerate(reading.ages.samples):
        # Only a mapping that wants no labels at all is disturbed by the leaf's.
        labels = {k: v for k, v in sample.labels.items() if k != freshness.LEAF_LABEL}
        seconds = math.inf if math.isnan(sample.value) else sample.value
        spacing = reading.scrape_seconds
        if apart:
            spacing = apart.get(freshness.unmarked(labels), spacing)
        ages.append(_Age(seconds, spacing))
        if any(label in labels for label in name_labels):
            named.append(model.Sample(labels, float(number)))
        else:
            common.append(ages[-1])
    found = mapping.map_samples(signal, named, targets, owners).series
    own = {target: [ages[int(s.value)] for s in series] for target, series in found.items()}
    every = {target: [*common, *own.get(target, ())] for target in targets}

    def lateness(age: _Age) -> float:
        return age.seconds / stale_after(signal.spec, age.spacing)

    return {target: max(each, key=lateness) for target, each in every.items() if each}


def stale_after(signal: signals_api.Signal, spacing: float | None) -> float:
    """Seconds from which on data is too old: as the policy says, or three samples missed."""
    if signal.stale_after is not None:
        return signal.stale_after.total_seconds()
    return max(STALE_SCRAPES * (spacing or 0.0), MINIMUM_STALE_SECONDS)


def _stale(signal: compiled.Signal, age: _Age | None) -> str | None:
    if age is None:
        return "the age of the data can't be told: the query names no metric of this target"
    limit = stale_after(signal.spec, age.spacing)
    if age.seconds <= limit and math.isfinite(age.seconds):
        return None
    apart = ""
    if age.spacing is not None and STALE_SCRAPES * age.spacing > MINIMUM_STALE_SECONDS:
        apart = f"; samples are {age.spacing:.4g} s apart"
    return f"the newest sample is {age.seconds:.0f} s old, the limit is {limit:.0f} s{apart}"
