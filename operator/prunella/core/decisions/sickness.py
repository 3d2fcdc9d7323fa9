"""How long a target has been sick, and by which signals: what a decision about it begins with."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable

from prunella.core import model
from prunella.core.decisions import causes, decide
from prunella.core.signals import compiled, onsets


def judge(
    signals: compiled.Policy,
    workload: model.Workload,
    findings: Iterable[model.Finding],
    memory: onsets.Memory,
    now: datetime.datetime,
    cause_of: causes.OpenIncident | None = None,
) -> decide.UnhealthyTarget:
    """A sick target with the signal that has been Unhealthy longest beyond its ``for``.

    Where signals have held long enough, only they are evidence: a flicker of another one must not
    choose the pod to evict.  An expression must be true of what has held: what has begun and not
    held yet may be no more than a flicker, so to the expression it is Unknown.
    """
    own = [finding for finding in findings if finding.target == workload.ref]
    bad = tuple(finding for finding in own if finding.verdict is model.Verdict.UNHEALTHY)
    if cause_of is not None and cause_of.suspect == workload.ref:
        at_once = datetime.timedelta()
        return decide.UnhealthyTarget(workload, bad[::-1], cause_of.named_at, at_once, cause_of)
    if cause_of is not None:
        # It leads for another object. Its own signals are the proof: they must have held.
        told = [finding for finding in own if finding.signal == causes.SIGNAL]
        rest = [finding for finding in own if finding.signal != causes.SIGNAL]
        led = judge(signals, workload, rest, memory, now)
        return dataclasses.replace(led, findings=(*told, *led.findings), cause_of=cause_of)
    holds = {
        signal.name: datetime.timedelta(seconds=signal.spec.for_.total_seconds())
        for signal in signals.signals
    }

    def beyond(finding: model.Finding) -> datetime.timedelta:
        since = memory.onsets.get((finding.signal, finding.target), now)
        return now - since - holds[finding.signal]

    ripest = max(bad, key=beyond, default=None)
    if ripest is None:
        return decide.UnhealthyTarget(workload, (), None, datetime.timedelta())
    ripe = tuple(finding for finding in bad if beyond(finding) >= datetime.timedelta())
    if signals.when is not None:
        young = [finding for finding in bad if finding not in ripe]
        held = {finding.signal: finding.verdict for finding in own}
        held |= {finding.signal: model.Verdict.UNKNOWN for finding in young}
        if young and signals.when.judge(held)[0] is not model.Verdict.UNHEALTHY:
            ripe, ripest = (), max(young, key=beyond)
    since = memory.onsets.get((ripest.signal, ripest.target))
    return decide.UnhealthyTarget(workload, ripe or bad, since, holds[ripest.signal])
