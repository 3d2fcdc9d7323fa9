"""An incident while it is open: its alerts, and which causes would explain its sick objects.

A cause's log likelihood is kept as a sum over objects and names, so that an alert is added or
taken away in the time of the few dozen causes that reach its object.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections import Counter

from prunella.core.incidents import cooccurrence, topology, values

LONE = 1 / 36_000
"""How often an object has an alert that no other belongs to, per second: every ten hours."""
FAULTS = 1 / 302_400
"""How often a fault begins at an object, per second: twice a week. Both are weighed in logs."""
WINDOW = 120.0
"""Seconds: symptoms of one fault begin, and end, within a few minutes of each other."""
EXPECTED = 3.0
FADES = 300.0
"""A fault that just began is expected to show `EXPECTED` more symptoms soon, fading in seconds."""
EARLY = 60.0
"""Seconds by which a symptom may begin before the first that was seen."""
SPREAD = 20.0
"""Alerts it takes until those seen so far weigh as much as what the topology expects."""
ENDS = 90.0
ENDS_APART = 1200.0
"""Alerts of one fault end within `ENDS` seconds; of unrelated ones anywhere in `ENDS_APART`."""
CREDIBLE = 8.0
"""Causes less likely than the best by this many nats are not looked at."""
ROUNDING = 1e-9


@dataclasses.dataclass(slots=True, eq=False)
class Firing:
    """One firing that is being followed."""

    fingerprint: values.Fingerprint
    entity: int
    received: float
    heard: float
    ended: float | None = None
    group: Group | None = None
    settled: bool = False
    """It flaps: it stays where its series is."""
    counts: int = 1
    """0 when it was counted before the operator was started."""
    source: str = ""
    message: str = ""

    @property
    def name(self) -> str:
        """The alert's name."""
        return self.fingerprint.series.name

    @property
    def starts_at(self) -> float:
        """When it began, as its source says."""
        return self.fingerprint.starts_at


class Group:
    """The open incident. ``causes`` maps a cause to its log likelihood against chance."""

    def __init__(
        self, name: str, graph: topology.Topology, names: cooccurrence.Names, born: int = 0
    ) -> None:
        """``born`` counts the incidents: of two that become one, the older keeps its name."""
        self.name, self.born = name, born
        self.firings: dict[Firing, None] = {}
        self.entities: Counter[int] = Counter()
        self.starts: list[float] = []
        self.ends: list[float] = []
        self.heard = -math.inf
        self.flaps = self.reopened = 0
        self.changed = True
        self.evidence = 0.0
        self.counted: Counter[values.Symptom] = Counter()
        """Firings that were counted before the operator was started."""
        self._graph, self._names = graph, names
        self.causes: dict[int, float] = {}
        self._symptoms: dict[tuple[int, str], list[float]] = {}
        self._posterior: dict[int, float] | None = None
        self.alone = 0.0
        """How likely it is that this is one alert that nothing else belongs to."""
        self._expected: dict[int, tuple[float, float]] = {}

    @property
    def onset(self) -> float:
        """When its first symptom began."""
        return self.starts[0]

    def add(self, firing: Firing) -> None:
        """Take a firing in."""
        entity = firing.entity
        if not self.entities[entity]:
            self._shift({cause: each.lift for cause, each in self._graph.reach[entity].items()})
        self.entities[entity] += 1
        symptom = self._symptoms.setdefault((entity, firing.name), [0, *self._weigh(firing.name)])
        symptom[0] += 1
        if symptom[0] == 1:
            self._shift(self._by_role(entity, symptom))
        bisect.insort(self.starts, firing.starts_at)
        if firing.ended is not None:
            bisect.insort(self.ends, firing.ended)
        self.firings[firing] = None
        firing.group = self
        self.heard = max(self.heard, firing.heard)
        self.changed = True

    def remove(self, firing: Firing) -> None:
        """Let a firing go; what it had said of the causes goes with it."""
        entity = firing.entity
        symptom = self._symptoms[entity, firing.name]
        symptom[0] -= 1
        if not symptom[0]:
            del self._symptoms[entity, firing.name]
            self._shift(self._by_role(entity, symptom), -1.0)
        self.entities[entity] -= 1
        if not self.entities[entity]:
            del self.entities[entity]
            self._shift(
                {cause: each.lift for cause, each in self._graph.reach[entity].items()}, -1.0
            )
        del self.starts[bisect.bisect_left(self.starts, firing.starts_at)]
        if firing.ended is not None:
            del self.ends[bisect.bisect_left(self.ends, firing.ended)]
        del self.firings[firing]
        firing.group = None

    def end(self, firing: Firing, at: float) -> None:
        """A firing has ended."""
        firing.ended = at
        bisect.insort(self.ends, at)

    def posterior(self) -> dict[int, float]:
        """How likely each credible cause is; what is missing to 1 is `alone`."""
        if self._posterior is None:
            base = len(self.entities) * self._graph.stray()
            prior = math.log(len(self._graph) + 1)
            lone = -math.inf
            if len(self.entities) == 1:
                lone = math.log(LONE / FAULTS) + prior
            best = max(lone, base + max(self.causes.values()))
            weights = {
                cause: math.exp(base + value - best)
                for cause, value in self.causes.items()
                if base + value > best - CREDIBLE
            }
            alone = math.exp(lone - best)
            total = sum(weights.values()) + alone
            self.evidence = best + math.log(total) - prior
            self.alone = alone / total
            self._posterior = {cause: weight / total for cause, weight in weights.items()}
            self._expected = {}
        return self._posterior

    def expects(self, entity: int) -> tuple[float, float]:
        """How likely the next symptom is this object's: as the cause itself, as a caller."""
        posterior = self.posterior()
        known = self._expected.get(entity)
        if known is None:
            reach, own, caller = self._graph.reach[entity], 0.0, 0.0
            related = not posterior.keys().isdisjoint(reach)
            for cause, weight in posterior.items() if related else ():
                each = reach.get(cause)
                if each is not None and each.hops:
                    caller += weight * each.probability
                elif each is not None:
                    own += weight * each.probability
            known = self._expected[entity] = (own, caller)
        return known

    def predicts(self, entity: int, ratios: cooccurrence.Ratios) -> float:
        """How likely the next alert is of this object and name (Dirichlet-multinomial)."""
        own, caller = self.expects(entity)
        seen = self.entities.get(entity, 0)
        if not seen and not own + caller:
            return 0.0
        fresh = own * ratios.own + caller * ratios.caller
        again = 0.0
        if seen:
            again = ratios.alone
            if own + caller:
                again = (1 - self.alone) * fresh / (own + caller) + self.alone * ratios.alone
        return (seen * again + SPREAD * fresh) / (len(self.firings) + SPREAD)

    def rate(self, at: float) -> float:
        """Symptoms per second that this incident would show beginning at a time."""
        begun = bisect.bisect_right(self.starts, at + WINDOW)
        near = begun - bisect.bisect_left(self.starts, at - WINDOW)
        since = at - self.onset
        early = math.exp((since + EARLY) / (EARLY / 2)) if since < -EARLY else 1.0
        return early * (near + EXPECTED * math.exp(-max(0.0, since) / FADES)) / (2 * WINDOW)

    def ended_with(self, at: float | None) -> float:
        """How much more often an end falls together with this incident's than by chance."""
        if at is None:
            return 1.0
        together = bisect.bisect_right(self.ends, at + ENDS) - bisect.bisect_left(
            self.ends, at - ENDS
        )
        return (together * ENDS_APART / (2 * ENDS) + 1) / (len(self.ends) + 1)

    def merge_factor(self, other: Group) -> float:
        """Log odds that both have one cause, against a cause each. Minus infinity if none fits."""
        mine, theirs = self.posterior(), other.posterior()
        common = mine.keys() & theirs.keys()
        if not common:
            return -math.inf
        both = [entity for entity in other.entities if entity in self.entities]
        joint = self._joint(other, sorted(common), both)
        first, second = (self, other) if self.onset <= other.onset else (other, self)
        # What kept to one object over many alerts rarely spreads now.
        spreads = (len(first.entities) + 1) / (len(first.firings) + 1)
        rate = max(first.rate(second.onset) * spreads, 1e-12)
        time = math.log(rate / (FAULTS * len(self._graph)))
        return joint - self.evidence - other.evidence + time + self._ends_agree(other)

    def _joint(self, other: Group, common: list[int], both: list[int]) -> float:
        """Log evidence that one of the common causes explains all; what both saw counts once."""
        twice: dict[int, float] = {}
        for entity in both:
            for cause, each in self._graph.reach[entity].items():
                twice[cause] = twice.get(cause, 0.0) + each.lift
        for (entity, name), symptom in other._symptoms.items():
            if (entity, name) in self._symptoms:
                for cause, weight in self._by_role(entity, symptom).items():
                    twice[cause] = twice.get(cause, 0.0) + weight
        objects = len(self.entities) + len(other.entities) - len(both)
        base = objects * self._graph.stray()
        logs = [
            base + self.causes[each] + other.causes[each] - twice.get(each, 0.0) for each in common
        ]
        best = max(logs)
        joint = best + math.log(sum(math.exp(each - best) for each in logs))
        again = len(both) * math.log(len(self._graph) / len(self.entities))
        return joint - math.log(len(self._graph) + 1) + again

    def _ends_agree(self, other: Group) -> float:
        """Between -3 and 3 nats: the share of the other's ends that fall together with ours."""
        if not self.ends or not other.ends:
            return 0.0
        together = sum(
            bisect.bisect_right(self.ends, at + ENDS) > bisect.bisect_left(self.ends, at - ENDS)
            for at in other.ends
        )
        return 6.0 * together / len(other.ends) - 3.0

    def _weigh(self, name: str) -> tuple[float, float]:
        """What a name says for a cause at its own object, and at a callee, against chance."""
        own, caller, alone = self._names.ratios(name)
        return math.log(own / alone), math.log(caller / alone)

    def _by_role(self, entity: int, symptom: list[float]) -> dict[int, float]:
        reach = self._graph.reach[entity].items()
        return {cause: symptom[2] if each.hops else symptom[1] for cause, each in reach}

    def _shift(self, by: dict[int, float], sign: float = 1.0) -> None:
        for cause, value in by.items():
            self.causes[cause] = self.causes.get(cause, 0.0) + sign * value
            if sign < 0 and abs(self.causes[cause]) < ROUNDING:
                del self.causes[cause]  # what was added is taken away again
        self._posterior = None
