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
from prunella.core.signals import compiled, events, learning, mapping, query_analysis, recorded

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

    def samples(self) -> list[model.Sample]:
        """All samples of all answers, ages included."""
        vectors = [a for a in (*self.answers.values(), self.ages) if isinstance(a, model.Vector)]
        return [sample for vector in vectors for sample in vector.samples]


@dataclasses.dataclass(frozen=True, slots=True)
class _Verdict:
    """A verdict for one series, before pods are joined."""

    judgement: model.Judgement
    value: float | None
    pod: str = ""
    mapped_by: str = ""


def detect(
    signal: compiled.Signal,
    reading: Reading,
    targets: Sequence[model.Ref],
    owners: Mapping[str, model.Ref],
    detectors: Detectors,
) -> list[model.Finding]:
    """One finding for each target, in the order of ``targets``."""
    failure = _first_failure(reading)
    mapped: dict[str, mapping.Mapped] = {}
    for role, answer in reading.answers.items():
        if failure is None and isinstance(answer, model.Vector) and role != compiled.CANARY:
            mapped[role] = mapping.map_samples(signal, answer.samples, targets, owners)
            failure = mapped[role].failure
    if failure is not None:
        return [_unknown(signal, target, failure.reason, failure.message) for target in targets]
    ages = _ages(signal, reading, targets, owners)
    judged = reading.judged
    if signal.recorded and signal.spec.baseline is not None:
        told = {each: recorded.judge_target(mapped, each) for each in targets}
        judged = {target: found for target, found in told.items() if found is not None}
    if judged is not None:
        return [_recalled(signal, reading, judged, ages, each) for each in targets]
    if signal.spec.burn_rate is not None:
        return [_burning(signal, reading, mapped, ages, each, detectors) for each in targets]
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
    ages: Mapping[model.Ref, float],
    target: model.Ref,
) -> model.Finding:
    """The finding of a detector that looks back."""
    found = judged.get(target)
    if found is None:
        message = f"no series is mapped to {target}"
        return _unknown(signal, target, reasons.Doubt.NO_DATA, message)
    return _believed(signal, reading, ages.get(target), target, found)


def _believed(
    signal: compiled.Signal,
    reading: Reading,
    age: float | None,
    target: model.Ref,
    found: learning.Judged,
) -> model.Finding:
    """The judgement, unless what it rests on is stale. A doubt of its own says more."""
    judgement = found.judgement
    # What rules recorded is asked for no longer than one evaluation: its query knows its age.
    bounded = signal.recorded and signal.spec.baseline is not None
    if judgement.verdict is not model.Verdict.UNKNOWN and not bounded:
        stale = _stale(signal, reading, age)
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
    reading: Reading,
    mapped: Mapping[str, mapping.Mapped],
    ages: Mapping[model.Ref, float],
    target: model.Ref,
    detectors: Detectors,
) -> model.Finding:
    if signal.spec.burn_rate is None:
        raise ValueError(f"signal {signal.name} has no burn rate")
    windows = events.windows_of(signal, mapped, target)
    judgement = detectors.burn_rate(windows, signal.spec.burn_rate)
    found = learning.Judged(judgement, mapped_by=events.mapped_by(mapped, target))
    return _believed(signal, reading, ages.get(target), target, found)


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
    age = min((sample.value for sample in seen), default=None)
    return _believed(signal, reading, age, target, found)


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
    ages: Mapping[model.Ref, float],
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
        verdicts = [_Verdict(judge(s.value), s.value, s.pod, s.mapped_by) for s in series]
    if not verdicts:
        return _empty(signal, reading, mapped, ages.get(target), target)
    stale = _stale(signal, reading, ages.get(target))
    if stale is not None:
        return _unknown(signal, target, reasons.Doubt.STALE, stale)
    return _join(signal, target, verdicts)


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
) -> list[_Verdict]:
    """Bad over total, pod by pod; bad events that nobody counted yet are none."""
    bad = {s.pod: s.value for s in mapped[compiled.BAD].series.get(target, ())}
    minimum = signal.spec.ratio.minimum if signal.spec.ratio is not None else 0.0
    verdicts = []
    for series in mapped[compiled.TOTAL].series.get(target, ()):
        events = series.value * signal.events_factor
        if math.isfinite(events) and events < minimum:
            message = f"{events:.4g} events in the window, fewer than {minimum:g}"
            few = model.Judgement(model.Verdict.UNKNOWN, reasons.Doubt.TOO_FEW_EVENTS, message)
            verdicts.append(_Verdict(few, None, series.pod, series.mapped_by))
            continue
        countable = math.isfinite(series.value) and series.value != 0
        value = bad.get(series.pod, 0.0) / series.value if countable else math.nan
        verdicts.append(_Verdict(judge(value), value, series.pod, series.mapped_by))
    return verdicts


def _empty(
    signal: compiled.Signal,
    reading: Reading,
    mapped: Mapping[str, mapping.Mapped],
    age: float | None,
    target: model.Ref,
) -> model.Finding:
    present = compiled.PRESENCE in mapped and target in mapped[compiled.PRESENCE].series
    if signal.spec.on_empty is signals_api.OnEmpty.HEALTHY and present:
        stale = _stale(signal, reading, age) if age is not None else None
        if stale is not None:
            return _unknown(signal, target, reasons.Doubt.STALE, stale)
        message = "no series, and the presence query shows that it would have been seen"
        return model.Finding(signal.name, target, model.Verdict.HEALTHY, "EmptyIsHealthy", message)
    ignored = sum(each.ignored for each in mapped.values())
    other = f" ({ignored} series are about other objects)" if ignored else ""
    return _unknown(
        signal, target, reasons.Doubt.NO_DATA, f"no series is mapped to {target}{other}"
    )


def _ages(
    signal: compiled.Signal,
    reading: Reading,
    targets: Collection[model.Ref],
    owners: Mapping[str, model.Ref],
) -> dict[model.Ref, float]:
    """The oldest data that each target's value rests on, in seconds."""
    if not isinstance(reading.ages, model.Vector):
        return {}
    named: list[model.Sample] = []
    common: list[model.Sample] = []
    single = signal.spec.mapping is not None and signal.spec.mapping.single
    name_labels = signal.name_labels
    for sample in reading.ages.samples:
        each = sample
        if single or math.isnan(sample.value):
            # Only a mapping that wants no labels at all is disturbed by the leaf's.
            labels = {k: v for k, v in sample.labels.items() if k != query_analysis.LEAF_LABEL}
            age = math.inf if math.isnan(sample.value) else sample.value
            each = model.Sample(labels, age)
        names_target = any(label in each.labels for label in name_labels)
        (named if names_target else common).append(each)
    everywhere = max((sample.value for sample in common), default=-math.inf)
    ages = dict.fromkeys(targets, everywhere)
    found = mapping.map_samples(signal, named, targets, owners).series
    for target, series in found.items():
        ages[target] = max(everywhere, *(each.value for each in series))
    return {target: age for target, age in ages.items() if age > -math.inf}


def _stale(signal: compiled.Signal, reading: Reading, age: float | None) -> str | None:
    limit = max(STALE_SCRAPES * (reading.scrape_seconds or 0.0), MINIMUM_STALE_SECONDS)
    if signal.spec.stale_after is not None:
        limit = signal.spec.stale_after.total_seconds()
    if age is None:
        return "the age of the data can't be told: the query names no metric of this target"
    if age > limit or not math.isfinite(age):
        return f"the newest sample is {age:.0f} s old, the limit is {limit:.0f} s"
    return None


def _join(
    signal: compiled.Signal, target: model.Ref, verdicts: Sequence[_Verdict]
) -> model.Finding:
    """Join pods into their workload: ``needed`` of them must be Unhealthy."""
    needed = _needed(signal.spec.pods, len(verdicts))
    unhealthy = [v for v in verdicts if v.judgement.verdict is model.Verdict.UNHEALTHY]
    unknown = [v for v in verdicts if v.judgement.verdict is model.Verdict.UNKNOWN]
    if len(unhealthy) >= needed:
        chosen, verdict = _worst(signal, unhealthy), model.Verdict.UNHEALTHY
    elif len(unhealthy) + len(unknown) >= needed:
        chosen, verdict = unknown[0], model.Verdict.UNKNOWN
    else:
        healthy = [v for v in verdicts if v.judgement.verdict is model.Verdict.HEALTHY]
        chosen, verdict = _worst(signal, healthy), model.Verdict.HEALTHY
    message = chosen.judgement.message
    if chosen.pod:
        counts = f"{len(unhealthy)} of {len(verdicts)} pods Unhealthy, {needed} needed"
        message = f"{message} on pod {chosen.pod} ({counts})"
    return model.Finding(
        signal.name,
        target,
        verdict,
        chosen.judgement.reason,
        message,
        chosen.value,
        chosen.mapped_by,
        chosen.pod,
    )


def _needed(rule: str, pods: int) -> int:
    if rule == "Any":
        return 1
    share = 1.0 if rule == "All" else int(rule.rstrip("%")) / 100
    return max(1, math.ceil(share * pods))


def _worst(signal: compiled.Signal, verdicts: Sequence[_Verdict]) -> _Verdict:
    """The value that is farthest on the bad side."""
    limits = _threshold(signal)

    def badness(verdict: _Verdict) -> float:
        value = verdict.value or 0.0
        if limits.outside is not None:
            return max(limits.outside[0] - value, value - limits.outside[1])
        return -value if limits.below is not None else value

    return max(verdicts, key=badness)
