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
ROLLOUT_SECONDS = 600.0
"""How long a rollout may make no progress before it counts as stuck, Kubernetes's own default."""
FLAG_BELIEVED_AFTER = datetime.timedelta(seconds=60)
"""Until then ``ProgressDeadlineExceeded`` may still tell of the rollout before this one."""
LONG_AGO = datetime.datetime.min.replace(tzinfo=datetime.UTC)
SignalOf = tuple[str, model.Ref]


@dataclasses.dataclass(frozen=True, slots=True)
class Release:
    """A target's pod template: since when it was seen, and since when it is rolled out."""

    generation: int
    template: Mapping[str, object]
    since: datetime.datetime
    settled: datetime.datetime | None
    moved: datetime.datetime
    """When this process first saw it, or last saw its rollout begin or make progress."""
    reached: tuple[int, int] = (0, 0)
    """The most pods that were updated and, of as many, available in this rollout."""
    stuck: datetime.datetime | None = None
    """Since when its rollout is seen to be stuck, if it is."""


@dataclasses.dataclass(frozen=True, slots=True)
class Memory:
    """What one pass leaves for the next."""

    onsets: Mapping[SignalOf, datetime.datetime] = dataclasses.field(default_factory=dict)
    """Since when a signal has been Unhealthy; later than now where it does not count yet."""
    releases: Mapping[model.Ref, Release] = dataclasses.field(default_factory=dict)
    tainted: frozenset[SignalOf] = frozenset()
    """Signals that were Unhealthy before the rollout that is under way."""
    well: Mapping[model.Ref, datetime.datetime] = dataclasses.field(default_factory=dict)
    """Since when all signals of a node have been Healthy, as far as this process has seen."""


def remember(
    before: Memory,
    signals: compiled.Policy,
    workloads: Sequence[model.Workload],
    findings: Sequence[model.Finding],
    scrape_seconds: Mapping[str, float | None],
    now: datetime.datetime,
    rollout_seconds: float = ROLLOUT_SECONDS,
) -> Memory:
    """The memory after a pass. Doubt ends an onset as health does."""
    patience = datetime.timedelta(seconds=rollout_seconds)
    releases = {
        each.ref: released(before.releases.get(each.ref), each, now, patience) for each in workloads
    }
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
            # A rollout that is stuck gives no other samples: what it has made is judged.
            over = release.settled or release.stuck
            onset = (over or now) + waits[finding.signal]
            if over is None:
                tainted.add(key)
        onsets[key] = onset
    return Memory(onsets, releases, frozenset(tainted), _well(before, workloads, findings, now))


def _well(
    before: Memory,
    workloads: Iterable[model.Workload],
    findings: Iterable[model.Finding],
    now: datetime.datetime,
) -> dict[model.Ref, datetime.datetime]:
    """The nodes of which every signal is Healthy now; doubt begins the time anew."""
    nodes = {each.ref for each in workloads if each.node is not None}
    bad = {f.target for f in findings if f.verdict is not model.Verdict.HEALTHY}
    return {ref: before.well.get(ref, now) for ref in nodes - bad}


def _wait(signal: compiled.Signal, scrape_seconds: float | None) -> datetime.timedelta:
    """How long after a rollout the signal's window still reaches back before it."""
    every = scrape_seconds or DEFAULT_SCRAPE_SECONDS
    seconds = compiled.wait_after_rollout(signal.longest_range, every)
    return datetime.timedelta(seconds=seconds)


def released(
    before: Release | None,
    workload: model.Workload,
    now: datetime.datetime,
    patience: datetime.timedelta,
) -> Release:
    """The release as of now. At first sight it is taken to have been there for ever."""
    settled = None if workload.rolling else now
    reached = (workload.updated, workload.available)
    if before is None:
        return Release(workload.generation, workload.template, LONG_AGO, settled, now, reached)
    same = before.generation == workload.generation or before.template == workload.template
    if not same:
        return Release(workload.generation, workload.template, now, settled, now, reached)
    begins = before.settled is not None and settled is None
    kept = dataclasses.replace(before, generation=workload.generation)
    if begins or reached > before.reached:
        kept = dataclasses.replace(kept, moved=now, reached=reached)
    if settled is not None:
        return dataclasses.replace(kept, settled=before.settled or settled, stuck=None)
    idle = now - kept.moved
    flagged = workload.stuck and idle > FLAG_BELIEVED_AFTER
    stuck = (before.stuck or now) if flagged or idle > patience else None
    return dataclasses.replace(kept, settled=None, stuck=stuck)


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
    """The workload, marked as stuck when its rollout has made no progress for too long.

    A Deployment says so itself, by its own deadline; a StatefulSet or DaemonSet never does.
    """
    release = memory.releases[workload.ref]
    late = now - release.moved > datetime.timedelta(seconds=rollout_seconds)
    if workload.stuck or release.settled is not None or not late:
        return workload
    return dataclasses.replace(workload, stuck=True)
