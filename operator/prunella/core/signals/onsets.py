"""Since when each signal has been Unhealthy, and whether that says anything about what runs now.

Evidence from before a new pod template is no evidence against it: a person may have just deployed
the fix, and a window of five minutes still shows the errors of what it replaced.  A target that
was sick before its template changed is judged anew once the rollout is complete and the query's
longest range plus two scrapes lie behind it.  One that fell sick with the change is not
spared: its window shows less than the truth, not more.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence

from prunella.core import model
from prunella.core.signals import compiled, learning

DEFAULT_SCRAPE_SECONDS = 30.0
"""For waiting, until it is known: what the Prometheus Operator scrapes by."""
LONG_AGO = datetime.datetime.min.replace(tzinfo=datetime.UTC)
SignalOf = tuple[str, model.Ref]


@dataclasses.dataclass(frozen=True, slots=True)
class Release:
    """A target's pod template: since when it was seen, and since when it is rolled out."""

    generation: int
    template: Mapping[str, object]
    since: datetime.datetime
    settled: datetime.datetime | None
    seen: datetime.datetime
    """When this process first saw it; `since` is long ago for one that was there at the start."""


@dataclasses.dataclass(frozen=True, slots=True)
class Memory:
    """What one pass leaves for the next."""

    onsets: Mapping[SignalOf, datetime.datetime] = dataclasses.field(default_factory=dict)
    """Since when a signal has been Unhealthy; later than now where it does not count yet."""
    releases: Mapping[model.Ref, Release] = dataclasses.field(default_factory=dict)
    tainted: frozenset[SignalOf] = frozenset()
    """Signals that were Unhealthy before the rollout that is under way."""


def remember(
    before: Memory,
    signals: compiled.Policy,
    workloads: Sequence[model.Workload],
    findings: Iterable[model.Finding],
    scrape_seconds: Mapping[str, float | None],
    now: datetime.datetime,
) -> Memory:
    """The memory after a pass. Doubt ends an onset as health does."""
    releases = {each.ref: _release(before.releases.get(each.ref), each, now) for each in workloads}
    waits = {each.name: _wait(each, scrape_seconds[each.name]) for each in signals.signals}
    onsets: dict[SignalOf, datetime.datetime] = {}
    tainted: set[SignalOf] = set()
    for finding in findings:
        if finding.verdict is not model.Verdict.UNHEALTHY:
            continue
        key = (finding.signal, finding.target)
        release = releases[finding.target]
        onset = before.onsets.get(key, now)
        if key in before.tainted or onset < release.since:
            onset = (release.settled or now) + waits[finding.signal]
            if release.settled is None:
                tainted.add(key)
        onsets[key] = onset
    return Memory(onsets, releases, frozenset(tainted))


def _wait(signal: compiled.Signal, scrape_seconds: float | None) -> datetime.timedelta:
    """How long after a rollout the signal's window still reaches back before it."""
    every = scrape_seconds or DEFAULT_SCRAPE_SECONDS
    seconds = compiled.wait_after_rollout(signal.longest_range, every)
    return datetime.timedelta(seconds=seconds)


def _release(before: Release | None, workload: model.Workload, now: datetime.datetime) -> Release:
    """The release as of now. At first sight it is taken to have been there for ever."""
    settled = None if workload.rolling else now
    if before is None:
        return Release(workload.generation, workload.template, LONG_AGO, settled, now)
    same = before.generation == workload.generation or before.template == workload.template
    if not same:
        return Release(workload.generation, workload.template, now, settled, now)
    return Release(
        workload.generation,
        before.template,
        before.since,
        before.settled if settled is not None and before.settled is not None else settled,
        before.seen,
    )


def rollout(memory: Memory, workload: model.Workload) -> learning.Rollout | None:
    """A target's newest rollout: as it was watched, or else as the object says itself."""
    release = memory.releases.get(workload.ref)
    if release is None or release.since == LONG_AGO:
        return learning.told_rollout(workload.settled_at)
    settled = None if release.settled is None else release.settled.timestamp()
    return learning.Rollout(release.since.timestamp(), settled)


def with_stuck(
    workload: model.Workload, memory: Memory, now: datetime.datetime, rollout_seconds: float
) -> model.Workload:
    """The workload, marked as stuck when it has been rolling for longer than a rollout may take.

    A Deployment says so itself; a StatefulSet or DaemonSet never does.
    """
    release = memory.releases[workload.ref]
    late = now - release.seen > datetime.timedelta(seconds=rollout_seconds)
    if workload.stuck or release.settled is not None or not late:
        return workload
    return dataclasses.replace(workload, stuck=True)
