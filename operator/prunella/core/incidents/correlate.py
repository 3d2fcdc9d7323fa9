"""Alerts and findings to incidents, on line: one pass in the order of arrival, no look ahead.

Each incident is a guess at one fault: a marked point process (Hawkes 1971) whose marks are spread
over the topology by an unknown cause.  A new alert goes where it is most likely: to the open
incident that expects it at that time, at that object and by that name, or to one of its own when
an unrelated alert or a new fault is likelier.  As evidence comes in, a young alert may still move
to another open incident, and two incidents become one when one cause explains both better than
two; the older keeps its name, and the other's name leads to it.

An incident is resolved when all of its alerts have ended and nothing was heard for `quiet`
seconds, or nothing at all for `stale` seconds.  The same series firing again within `reopen`
seconds of that opens it again; anything else starts anew.  Nothing attaches to a resolved
incident; repeats and the late end of an alert that was in it are answered with its name and
change nothing.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping

from prunella.core.incidents import (
    cooccurrence,
    group,
    limits,
    naming,
    report,
    taken_up,
    topology,
    values,
)
from prunella.core.incidents.cooccurrence import Role
from prunella.core.incidents.group import Firing, Group

Settings = limits.Settings


class Correlator:
    """What is open. All state is here, and bounded by `Settings.limit`."""

    def __init__(self, graph: topology.Topology, settings: Settings | None = None) -> None:
        self._graph = graph
        self._settings = settings or Settings()
        self._names = cooccurrence.Names()
        self._open: dict[str, Group] = {}
        self._closed: OrderedDict[str, float] = OrderedDict()
        """When incidents were resolved, as long as they may be opened again."""
        self._merged: OrderedDict[str, str] = OrderedDict()
        self._firings: dict[values.Fingerprint, Firing] = {}
        self._past: OrderedDict[values.Fingerprint, str] = OrderedDict()
        self._series: dict[values.Series, Firing] = {}
        self._ended: OrderedDict[values.Series, str] = OrderedDict()
        """Series of resolved incidents."""
        self._young: dict[Firing, None] = {}
        self._unlearned: deque[Firing] = deque(maxlen=self._settings.limit)
        self._recent: dict[int, deque[tuple[float, str]]] = {}
        self._born = itertools.count()
        self._taken_up = taken_up.TakenUp()
        self._taken_up_at: float | None = None
        self._reviewed: float | None = None

    def take_up(self, incidents: Iterable[values.Known], now: float) -> None:
        """Go on with incidents that were there before the start; the sources come after this."""
        self._taken_up_at = now
        for known in sorted(incidents, key=lambda each: (each.last, each.name)):
            self._taken_up.add(known)
            if known.state is values.State.OPEN and known.members:
                self._take_up_open(known, now)
            elif known.resolved_at is not None and (
                now - known.resolved_at <= self._settings.reopen
            ):
                self._closed[known.name] = known.resolved_at

    def observe(self, alerts: Iterable[values.Alert], now: float) -> None:
        """Take in what has arrived up to now; the order within a batch does not matter."""
        for alert in sorted(
            alerts, key=lambda each: (each.received, each.fingerprint, not each.firing)
        ):
            self._advance(alert.received)
            self._take(alert)
        self._advance(now)

    def incident_of(self, fingerprint: values.Fingerprint) -> str | None:
        """The incident that a firing is in, or was in when it was resolved; None if forgotten."""
        firing = self._firings.get(fingerprint)
        if firing is not None and firing.group is not None:
            return firing.group.name
        past = self._past.get(fingerprint)
        return None if past is None else self.current(past)

    def current(self, name: str) -> str:
        """The incident that a name leads to after merges."""
        while name in self._merged:
            name = self._merged[name]
        return name

    def incidents(self) -> tuple[values.Incident, ...]:
        """The open incidents, oldest first."""
        groups = sorted(self._open.values(), key=lambda each: (each.onset, each.name))
        return tuple(report.incident(each, self._graph) for each in groups)

    def why(self, fingerprint: values.Fingerprint) -> str:
        """Why an alert is in its incident, as a sentence with numbers."""
        firing = self._firings.get(fingerprint)
        if firing is None or firing.group is None:
            return "This alert is not in an open incident."
        return report.why(firing, firing.group, self._graph)

    def state(self, name: str) -> values.State | None:
        """Where an incident stands; None when it was resolved too long ago to open again."""
        if name in self._open:
            return values.State.OPEN
        if name in self._merged:
            return values.State.MERGED
        return values.State.RESOLVED if name in self._closed else None

    @property
    def merged(self) -> Mapping[str, str]:
        """Which name leads to which, of incidents that became one."""
        return self._merged

    def join(self, names: Iterable[str]) -> str:
        """Make one of open incidents with one known cause, for good; the oldest keeps its name."""
        one, *others = sorted((self._open[each] for each in names), key=lambda each: each.born)
        for other in others:
            self._take_in(one, other)
        for firing in one.firings:
            firing.settled = True
            self._young.pop(firing, None)
        return one.name

    def rewire(self, graph: topology.Topology) -> None:
        """Go on with a newer topology: the open incidents and their names stay."""
        before, self._graph = self._graph, graph
        self._recent = {
            graph.index(before.refs[entity]): recent for entity, recent in self._recent.items()
        }
        for name, old in list(self._open.items()):
            firings = list(old.firings)
            fresh = self._start(name)
            fresh.flaps, fresh.reopened, fresh.counted = old.flaps, old.reopened, old.counted
            fresh.born = old.born
            for firing in firings:
                firing.entity = graph.index(firing.fingerprint.series.target)
                fresh.add(firing)
            fresh.heard = old.heard

    def _take(self, alert: values.Alert) -> None:
        fingerprint, now = alert.fingerprint, alert.received
        if fingerprint in self._past:
            return  # a repeat or the end of what belongs to a resolved incident
        firing = self._firings.get(fingerprint)
        if firing is None:
            firing = Firing(fingerprint, self._graph.index(alert.target), now, now)
            firing.ended = None if alert.firing else now
            firing.source, firing.message = alert.source, alert.message
            known = self._taken_up.of(values.Symptom(alert.target, alert.name))
            if known is not None and self._is_past(firing, known):
                self._past[fingerprint] = known.name
                return
            self._firings[fingerprint] = firing
            if known is None or not self._place_known(firing, known):
                self._place_new(firing)
            self._make_room()
            return
        firing.heard = now
        owner = self._group_of(firing)
        owner.heard = max(owner.heard, now)
        if not alert.firing and firing.ended is None:
            owner.end(firing, now)
            if not firing.settled:
                self._young[firing] = None

    def _take_up_open(self, known: values.Known, now: float) -> None:
        owner = self._start(known.name)
        owner.flaps, owner.reopened = known.flaps, known.reopened
        entities = [self._graph.index(each.target) for each in known.members]
        for symptom, firing in taken_up.stand_ins(known, entities):
            owner.add(firing)
            self._firings[firing.fingerprint] = firing
            self._taken_up.stand_in(symptom, firing)
        taken_up.count(owner, known)
        owner.heard = now

    @staticmethod
    def _is_past(firing: Firing, known: values.Known) -> bool:
        """Whether it belongs to an incident that was resolved before the start."""
        return known.resolved_at is not None and firing.starts_at <= known.resolved_at

    def _place_known(self, firing: Firing, known: values.Known) -> bool:
        """Put a firing where the objects say it was; False when that incident is not open."""
        symptom = values.Symptom(firing.fingerprint.series.target, firing.name)
        owner = self._open.get(self.current(known.name))
        if owner is None:
            self._taken_up.forget(symptom)
            if known.state is values.State.OPEN or known.name not in self._closed:
                return False
            owner = self._reopen(known.name)
            owner.reopened += known.reopened
            taken_up.count(owner, known)
        elif firing.starts_at <= known.last:
            firing.counts = 0
        firing.settled = True
        self._series[firing.fingerprint.series] = firing
        owner.add(firing)
        stand_in = self._taken_up.confirm(symptom)
        if stand_in is not None and stand_in.group is not None:
            stand_in.group.remove(stand_in)
            self._firings.pop(stand_in.fingerprint, None)
        return True

    def _place_new(self, firing: Firing) -> None:
        """A firing that was not heard of before: flapping, again after the end, or new."""
        series = firing.fingerprint.series
        before = self._series.get(series)
        self._series[series] = firing
        if before is not None and before.group is not None:
            before.group.flaps += 1
            before.settled = firing.settled = True
            self._young.pop(before, None)
            before.group.add(firing)
            return
        resolved = self._ended.get(series)
        if resolved is not None and resolved in self._closed:
            self._reopen(resolved).add(firing)
            return
        (self._best(firing) or self._new(firing)).add(firing)
        self._young[firing] = None
        self._unlearned.append(firing)
        recent = self._recent.setdefault(firing.entity, deque(maxlen=50))
        recent.append((firing.starts_at, firing.name))

    def _best(self, firing: Firing) -> Group | None:
        """The open incident that expects the firing most; None if a new one is likelier."""
        entity, at = firing.entity, firing.starts_at
        ratios = self._names.ratios(firing.name)
        most = group.LONE * ratios.alone + group.FAULTS * (ratios.own + ratios.caller) / 2
        best = None
        for each in self._open.values():
            if not each.starts or abs(each.starts[-1] - at) > self._settings.apart:
                continue
            mark = each.predicts(entity, ratios)
            if not mark:
                continue
            odds = mark * each.rate(at) * each.ended_with(firing.ended)
            if odds > most:
                best, most = each, odds
        return best

    def _new(self, first: Firing) -> Group:
        return self._start(self._free(naming.incident_name(first.fingerprint)))

    def _free(self, name: str) -> str:
        """The name, with a number if an incident that is remembered has it."""
        chosen, number = name, 2
        while self.state(chosen) is not None:
            chosen, number = f"{name}-{number}", number + 1
        return chosen

    def _start(self, name: str) -> Group:
        self._open[name] = Group(name, self._graph, self._names, next(self._born))
        return self._open[name]

    def _reopen(self, name: str) -> Group:
        del self._closed[name]
        opened = self._start(name)
        opened.reopened += 1
        return opened

    def _advance(self, now: float) -> None:
        """Do what was due before now: review, learn, resolve, forget."""
        every = self._settings.review
        if self._reviewed is None:
            self._reviewed = now
        if now - self._reviewed >= every:
            self._reviewed = now
            self._review(now)
            self._resolve(now)
        while self._unlearned and now - self._unlearned[0].received > self._settings.company:
            self._learn(self._unlearned.popleft())

    def _review(self, now: float) -> None:
        """Let young alerts move, then let incidents become one."""
        settle = self._settings.settle
        for firing in list(self._young):
            since = firing.received if firing.ended is None else firing.ended
            if now - since > settle or firing.group is None:
                del self._young[firing]
            else:
                self._move(firing)
        for each in list(self._open.values()):
            if each.changed and each.firings:
                self._merge(each)
                each.changed = False

    def _move(self, firing: Firing) -> None:
        before = self._group_of(firing)
        changed = before.changed
        before.remove(firing)
        after = self._best(firing) or (self._new(firing) if before.firings else before)
        after.add(firing)
        if after is before:
            before.changed = changed
        elif not before.firings:
            self._lead(before, after)

    def _merge(self, one: Group) -> None:
        """Join with whatever has the same cause, best first."""
        while True:
            near = [
                each
                for each in self._open.values()
                if each is not one and abs(each.onset - one.onset) < self._settings.apart
            ]
            rated = [(_factor(one, each), each) for each in near]
            factor, other = max(rated, key=lambda each: each[0], default=(0.0, one))
            if factor <= self._settings.certain:
                return
            one, other = sorted((one, other), key=lambda each: each.born)
            self._take_in(one, other)

    def _take_in(self, one: Group, other: Group) -> None:
        for firing in list(other.firings):
            other.remove(firing)
            one.add(firing)
        one.flaps += other.flaps
        one.counted += other.counted
        self._lead(other, one)

    def _lead(self, gone: Group, to: Group) -> None:
        del self._open[gone.name]
        self._merged[gone.name] = to.name
        if len(self._merged) > self._settings.limit:
            self._merged.popitem(last=False)

    def _learn(self, firing: Firing) -> None:
        """Count the firing's name as alone or, by its incident's likely cause, in company."""
        own = (firing.entity, firing.name)
        company = {
            (entity, name)
            for entity in self._graph.neighbours(firing.entity)
            for at, name in self._recent.get(entity, ())
            if abs(at - firing.starts_at) <= self._settings.company and (entity, name) != own
        }
        if len(company) < 2:
            self._names.count(Role.ALONE, firing.name)
        elif firing.group is not None and len(firing.group.entities) > 1:
            posterior = firing.group.posterior()
            cause = max(posterior, key=lambda each: posterior[each])
            reach = self._graph.reach[firing.entity].get(cause)
            if reach is not None:
                self._names.count(Role.CALLER if reach.hops else Role.OWN, firing.name)

    def _resolve(self, now: float) -> None:
        if self._taken_up_at is not None and now - self._taken_up_at > self._settings.confirm:
            self._taken_up_at = None
            for firing in self._taken_up.unconfirmed():
                if firing.ended is None and firing.group is not None:
                    firing.group.end(firing, now)
        for each in list(self._open.values()):
            ended = len(each.ends) == len(each.firings)
            limit = self._settings.quiet if ended else self._settings.stale
            if now - each.heard > limit:
                self._close(each, now)
        while self._closed and now - next(iter(self._closed.values())) > self._settings.reopen:
            self._closed.popitem(last=False)

    def _close(self, gone: Group, now: float) -> None:
        del self._open[gone.name]
        self._closed[gone.name] = now
        for firing in gone.firings:
            firing.group = None
            self._young.pop(firing, None)
            series = firing.fingerprint.series
            del self._firings[firing.fingerprint]
            if self._series.get(series) is firing:
                del self._series[series]
            self._past[firing.fingerprint] = self._ended[series] = gone.name
        for memory in (self._past, self._ended):
            while len(memory) > self._settings.limit:
                memory.popitem(last=False)

    def _make_room(self) -> None:
        while len(self._firings) > self._settings.limit and len(self._open) > 1:
            oldest = min(self._open.values(), key=lambda each: each.heard)
            self._close(oldest, oldest.heard)

    @staticmethod
    def _group_of(firing: Firing) -> Group:
        if firing.group is None:
            raise ValueError(f"{firing.fingerprint} is followed, but in no incident")
        return firing.group


def _factor(one: Group, other: Group) -> float:
    """The larger takes the smaller in."""
    if len(one.entities) >= len(other.entities):
        return one.merge_factor(other)
    return other.merge_factor(one)
