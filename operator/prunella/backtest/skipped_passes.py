"""When a pass of the engine can be left out, because it would find and do nothing new.

A pass depends on the verdicts, on the workloads, on the records and on time.  Verdicts and
workloads are known ahead, as arrays; records change only in passes; and time alone changes a
decision only at moments that can be named: when a signal has held for long enough, when a cooldown
or an hour is over, when a verification is too old to rest on.  All else is quiet.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prunella.adapters.recorded import workloads
from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.backtest import kept_samples, verdicts
from prunella.core import model, objects
from prunella.core.decisions import ledger, windows
from prunella.core.decisions import rules as rules_module
from prunella.core.decisions.guards import timing
from prunella.core.signals import compiled, history, onsets

Bools = NDArray[np.bool_]
TIMELESS: Final = frozenset(
    {
        reasons.Refused.SUSPENDED,
        reasons.Refused.LATCHED,
        reasons.Refused.NO_STEP_LEFT,
        reasons.Refused.CHANGED_BY_OTHERS,
    }
)
"""Refusals that rest on the records and the policy alone, and come before all that count time
but windows."""
FORESEEN: Final = TIMELESS | frozenset(
    {
        reasons.Refused.EMPTY_SELECTOR,
        reasons.Refused.SYSTEM_NAMESPACE,
        reasons.Refused.OWN_WORKLOAD,
        reasons.Refused.NOT_HELD,
        reasons.Refused.ROLLOUT_IN_PROGRESS,
        reasons.Refused.SCALED_TO_ZERO,
        reasons.Refused.OWNED_BY_AUTOSCALER,
        reasons.Refused.SAME_REMEDY_LIMIT,
        reasons.Refused.COOLDOWN,
        reasons.Refused.POLICY_HOURLY_LIMIT,
        reasons.Refused.NAMESPACE_HOURLY_LIMIT,
        reasons.Refused.CLUSTER_HOURLY_LIMIT,
        reasons.Refused.MAX_UNAVAILABLE,
        reasons.Refused.TOO_MANY_UNHEALTHY,
        reasons.Refused.TOO_MANY_UNKNOWN,
        reasons.Refused.AT_BOUND,
        reasons.Refused.BAD_PARAMETERS,
    }
)
"""Refusals that end with what is known ahead: verdicts, workloads, records, or `moments`.

While any other one stands that does not tell its end, each point is looked at.
"""
JudgeAll = Callable[[Mapping[str, model.Verdict]], model.Verdict]
"""From a target's verdicts by signal to the one that counts."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """What is known ahead of one stretch of the grid."""

    times: history.Floats
    refs: tuple[model.Ref, ...]
    stirred: Bools
    """At which points a target fell ill for long enough to matter, or recovered from that; came,
    went, or was changed."""
    flickers: Bools
    """At which points any target fell ill or recovered: it matters while another one is sick."""
    blind: Bools
    """At which points more than half of the targets are Unknown."""
    healthy: Bools
    """(targets, points): where a target may be Healthy."""

    def next_stirred(self, after: int) -> int:
        """The next point at which something happens by itself; the length when none does."""
        return after + 1 + _first(self.stirred[after + 1 :])

    def next_flicker(self, after: int) -> int:
        """The next point at which any signal changes for any target."""
        return after + 1 + _first(self.flickers[after + 1 :])

    def next_blink(self, after: int) -> int:
        """The next point at which the majority turns Unknown or known."""
        return after + 1 + _first(self.blind[after + 1 :] != self.blind[after])

    def next_healthy(self, after: int, ref: model.Ref) -> int:
        """The next point at which a target may be Healthy."""
        if ref not in self.refs:
            return len(self.times)
        return after + 1 + _first(self.healthy[self.refs.index(ref), after + 1 :])

    def next_time(self, after: int, moment: datetime.datetime) -> int:
        """The first point not before a moment, and after a point."""
        wanted = moment.timestamp() - 0.0005
        return max(after + 1, int(np.searchsorted(self.times, wanted, side="left")))


def _first(flags: Bools) -> int:
    """Index of the first true flag; the length when there is none."""
    return int(np.argmax(flags)) if flags.any() else len(flags)


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """What a policy says of when something happens."""

    steps: Sequence[float]
    """Seconds between the points of signals that can't be judged ahead."""
    holds: Mapping[str, float]
    """Seconds for which a signal must be Unhealthy before anything is done."""
    judge_all: JudgeAll | None


def stretch(states: workloads.States, judged: Mapping[str, verdicts.Judged], rule: Rule) -> Stretch:
    """Look ahead."""
    times = states.times
    stirred = states.changed()
    if len(stirred):
        stirred[0] = True  # The first point may be another in too many ways to compare.
    flickers = stirred.copy()
    for name, each in judged.items():
        sick = (each.codes == verdicts.UNHEALTHY) & states.exists
        flips = sick[:, 1:] != sick[:, :-1]
        flickers[1:] |= flips.any(axis=0)
        for row in np.flatnonzero(flips.any(axis=1)).tolist():
            _stir(stirred, times, sick[row], rule.holds[name])
    overall = _overall(states, judged, rule.judge_all)
    if rule.judge_all is not None:
        stirred |= flickers
        stirred[1:] |= _flips((overall == verdicts.UNHEALTHY) & states.exists)
    for step in rule.steps:
        number = np.floor(times / step + 1e-9)
        stirred[1:] |= number[1:] != number[:-1]
    unknown = ((overall == verdicts.UNKNOWN) & states.exists).sum(axis=0)
    blind = 2 * unknown > states.exists.sum(axis=0)
    return Stretch(times, states.refs, stirred, flickers, blind, overall == verdicts.HEALTHY)


def _stir(stirred: Bools, times: history.Floats, sick: Bools, hold: float) -> None:
    """Mark both ends of each illness that is held, or may be beyond the stretch."""
    for first, end in kept_samples.runs(sick):
        if end == len(times):
            stirred[first] = True
        elif times[first] + hold < times[end] or first == 0:
            stirred[first] = stirred[end] = True


def _flips(flags: Bools) -> Bools:
    found: Bools = (flags[:, 1:] != flags[:, :-1]).any(axis=0)
    return found


def _overall(
    states: workloads.States, judged: Mapping[str, verdicts.Judged], judge_all: JudgeAll | None
) -> verdicts.Codes:
    """One verdict for each target and point, of the signals that could be judged ahead."""
    shape = states.exists.shape
    if not judged:
        return np.full(shape, verdicts.HEALTHY, np.int8)
    codes = np.stack([each.codes for each in judged.values()])
    if judge_all is None:
        bad = (codes == verdicts.UNHEALTHY).any(axis=0)
        unknown = (codes == verdicts.UNKNOWN).any(axis=0)
        return np.where(bad, verdicts.UNHEALTHY, unknown * verdicts.UNKNOWN).astype(np.int8)
    number = sum(code.astype(np.int64) * 3**place for place, code in enumerate(codes))
    table = np.zeros(3 ** len(codes), np.int8)
    for key in np.unique(number).tolist():
        table[key] = _verdict(key, tuple(judged), judge_all)
    return np.asarray(table[number], np.int8)


def _verdict(key: int, names: Sequence[str], judge_all: JudgeAll) -> int:
    """The verdict for a combination of codes, which is written in base three."""
    found = {name: verdicts.VERDICTS[key // 3**place % 3] for place, name in enumerate(names)}
    return verdicts.VERDICTS.index(judge_all(found))


def ripe_after(
    signals: compiled.Policy, memory: onsets.Memory, now: datetime.datetime
) -> datetime.datetime | None:
    """The next moment at which a signal will have held for long enough; None when none does."""
    holds = {signal.name: signal.spec.for_ for signal in signals.signals}
    moments = (since + holds[name] for (name, _), since in memory.onsets.items())
    return min((each for each in moments if each > now), default=None)


def look_again(
    refusals: Iterable[model.Refusal | None], now: datetime.datetime
) -> datetime.datetime | None:
    """When a refusal may end by time: now for one of which that is not known; None: never."""
    found = []
    for each in refusals:
        if each is not None and each.until is not None:
            found.append(each.until)
        elif each is not None and each.reason not in FORESEEN:
            found.append(now)
    return min(found, default=None)


def next_change(
    spec: policy_api.RemediationPolicySpec, rules: rules_module.Rules, now: datetime.datetime
) -> datetime.datetime | None:
    """When what lets a case pass may refuse it: windows close, and an error budget is spent.

    Now when that is not foreseen; None: never.
    """
    levels = windows.levels(spec, rules)
    if spec.guards.error_budget is not None:
        return now
    if not any(each.given for _, each in levels):
        return None
    return windows.state(levels, now).changes_at or now


def next_sample(
    record: objects.Record, now: datetime.datetime, *, signals_sick: bool
) -> datetime.datetime | None:
    """When an unfinished record must be looked at again; None: at the next point.

    Samples from before the verification counts them change nothing, and neither does one more
    sick one before the deadline: a sample that is not sick is an event by itself.
    """
    verification = record.status.verification
    if record.phase is not reasons.Phase.VERIFYING or verification is None:
        return None
    counts_from, deadline = verification.counts_from, verification.deadline
    if counts_from is None or deadline is None:
        return None
    if now < counts_from:
        return counts_from
    return deadline if signals_sick and now < deadline else None


def moments(
    spec: policy_api.RemediationPolicySpec,
    records: Iterable[objects.Record],
    memory: onsets.Memory,
    rollout_seconds: float,
) -> Iterator[datetime.datetime]:
    """The moments at which time alone may change a decision about a sick target."""
    cooldown = datetime.timedelta(seconds=spec.guards.cooldown.total_seconds())
    for record in records:
        decided = record.spec.decided_at
        if record.acted:
            yield from (decided + cooldown, decided + ledger.HOUR, decided + ledger.DAY)
        if record.phase is reasons.Phase.NOT_SENT:
            yield decided + timing.NOT_SENT_WINDOW
        if record.status.finished_at is not None:
            over = record.status.finished_at + timing.VERIFICATION_LASTS
            yield from (over, over + spec.interval)
    patience = datetime.timedelta(seconds=rollout_seconds)
    for release in memory.releases.values():
        if release.settled is None:
            yield from (release.moved + patience, release.moved + patience + spec.interval)
