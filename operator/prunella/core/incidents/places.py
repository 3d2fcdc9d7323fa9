"""Whether a place - a node, a rack, a zone - is sick: by what is sick on it and what elsewhere.

A switch that drops packets leaves every node ready.  It shows in shares: most of what stands in
its rack is sick, and little of what stands elsewhere.  Who calls something sick has a reason for
being sick already and counts on neither side, so that a database that everybody calls makes no
place suspicious.  The two shares are compared by the likelihood ratio of two binomials against
one (the G-test, Sokal and Rohlf 1981), in nats.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from prunella.core import model
from prunella.core.incidents import topology

FEWEST: Final = 3
"""Sick objects that a place must have: two may share a node by chance."""
MOSTLY: Final = 0.5
"""Share of what stands on a place that must be sick."""
TIMES: Final = 3.0
"""How many times the share elsewhere that must be."""
CERTAIN: Final = 3.0
"""Nats by which the two shares must be likelier than one, for each place that could be meant."""
APART: Final = 2.0
"""Nats by which the clearest place must be clearer than any other that it does not stand on."""
_NODE: Final = "Node"
_PLACES: Final = (_NODE, "Rack", "Zone")
_WHOLE: Final = model.Ref("Cluster", "", "")

Refs = frozenset[model.Ref]
_Tally = Counter[tuple[model.Ref, bool]]
"""How many objects stand on a place, nodes (True) and workloads apart."""


class Share(NamedTuple):
    """So many of so many are sick."""

    sick: int
    among: int

    @property
    def ratio(self) -> float:
        """From 0 to 1; 0 of nothing is 0."""
        return self.sick / self.among if self.among else 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Contrast:
    """What is sick on a place, and what elsewhere."""

    place: model.Ref
    nodes: Share
    workloads: Share
    other_nodes: Share
    other_workloads: Share
    """Those elsewhere, without those that call something sick."""
    callers: int
    """Sick workloads elsewhere that call something sick."""
    here: Share
    """Nodes and workloads on the place, without those that call something sick."""
    nats: float

    @property
    def elsewhere(self) -> Share:
        """Nodes and workloads elsewhere, without those that call something sick."""
        return Share(*map(sum, zip(self.other_nodes, self.other_workloads, strict=True)))

    @property
    def stands_out(self) -> bool:
        """Whether its share is some times that of elsewhere; true where there is no elsewhere."""
        return self.here.ratio >= TIMES * self.elsewhere.ratio

    def sentence(self) -> str:
        """Both shares in words."""
        told = (
            f"{_told(self.nodes, self.workloads)} on {self.place} are sick, "
            f"{_told(self.other_nodes, self.other_workloads)} elsewhere"
        )
        if self.callers:
            told += f"; {self.callers} more elsewhere call something sick"
        return told


class Places:
    """Who stands where and who calls whom, asked about what is sick."""

    def __init__(self, calls: topology.Links, places: topology.Links) -> None:
        """Take who calls whom, and what stands on what: workloads on nodes, nodes in racks."""
        self._stands: dict[model.Ref, Refs] = {}
        for ref in places:
            if ref.kind not in _PLACES or ref.kind == _NODE:
                self._stands[ref] = _above(ref, places) | ({ref} if ref.kind == _NODE else set())
        for node in {each for some in places.values() for each in some if each.kind == _NODE}:
            self._stands.setdefault(node, _above(node, places) | {node})
        self._callers: dict[model.Ref, set[model.Ref]] = defaultdict(set)
        for caller in calls:
            for callee in _callees(caller, calls):
                self._callers[callee].add(caller)
        self._all = self._tally(self._stands)
        self._on: dict[model.Ref, set[model.Ref]] = defaultdict(set)
        for ref, some in self._stands.items():
            for place in some:
                self._on[place].add(ref)
        self._last: tuple[Refs, list[Contrast]] = (frozenset(), [])
        """Incidents of one storm are asked about one after the other, with the same answer."""

    def clearest(self, sick: Collection[model.Ref]) -> Contrast | None:
        """The place that is sick beyond doubt; None when there is none, or several may be."""
        found = [each for each in self._contrasts(sick) if self._is_clear(each)]
        best = max(found, key=self._rank, default=None)
        if best is None:
            return None
        rivals = (each.nats for each in found if not self._nested(each.place, best.place))
        return best if best.nats - max(rivals, default=-math.inf) >= APART else None

    def contrast(self, place: model.Ref, sick: Collection[model.Ref]) -> Contrast | None:
        """What is sick on a place and elsewhere; None when nothing on it is, by itself."""
        return next((each for each in self._contrasts(sick) if each.place == place), None)

    def explained(self, place: model.Ref, sick: Collection[model.Ref]) -> Refs:
        """What is sick because of a place: what stands on it, and who calls that, and so on."""
        wanted = frozenset(sick)
        found = {each for each in wanted if place in self._stands.get(each, ())}
        edge = found
        for _ in range(topology.HOPS):
            edge = {each for ref in edge for each in self._callers.get(ref, ())} & wanted - found
            found = found | edge
        return frozenset(found)

    def _contrasts(self, sick: Collection[model.Ref]) -> list[Contrast]:
        asked = frozenset(sick)
        if self._last[0] != asked:
            self._last = (asked, list(self._compared(asked)))
        return self._last[1]

    def _compared(self, sick: Refs) -> Iterator[Contrast]:
        """Every place with something sick on it that calls nothing sick."""
        ill = self._stands.keys() & sick
        excused = {each for ref in sick for each in self._callers.get(ref, ())}
        excused &= self._stands.keys()
        counted, spared = self._tally(ill), self._tally(excused)
        own = self._tally(ill - excused)
        for place in sorted({place for place, _ in own} - {_WHOLE}):
            yield self._contrast(place, counted, own, spared)

    def _contrast(self, place: model.Ref, ill: _Tally, own: _Tally, spared: _Tally) -> Contrast:
        def share(*, node: bool) -> Share:
            return Share(own[place, node], self._all[place, node] - spared[place, node])

        def others(*, node: bool) -> Share:
            mine, among = share(node=node), self._all[_WHOLE, node] - spared[_WHOLE, node]
            return Share(own[_WHOLE, node] - mine.sick, among - mine.among)

        here = Share(*map(sum, zip(share(node=True), share(node=False), strict=True)))
        called = ill - own
        found = Contrast(
            place,
            Share(ill[place, True], self._all[place, True]),
            Share(ill[place, False], self._all[place, False]),
            others(node=True),
            others(node=False),
            called[_WHOLE, False] - called[place, False],
            here,
            0.0,
        )
        return dataclasses.replace(found, nats=_nats(here, found.elsewhere))

    def _is_clear(self, each: Contrast) -> bool:
        return (
            each.here.sick >= FEWEST
            and each.here.ratio >= MOSTLY
            and each.stands_out
            and each.nats >= CERTAIN + math.log(len(self._on))
        )

    def _rank(self, each: Contrast) -> tuple[float, int, model.Ref]:
        """Of two that are as clear, the one that stands on the other is nearer to the cause."""
        return (round(each.nats, 6), -len(self._on[each.place]), each.place)

    def _nested(self, place: model.Ref, other: model.Ref) -> bool:
        """Whether all nodes of one of two places are the other's too."""
        nodes, others = (
            {each for each in self._on[one] if each.kind == _NODE} for one in (place, other)
        )
        return nodes <= others or others <= nodes

    def _tally(self, refs: Collection[model.Ref]) -> _Tally:
        found: _Tally = Counter()
        for ref in refs:
            for place in (*self._stands[ref], _WHOLE):
                found[place, ref.kind == _NODE] += 1
        return found


def _above(ref: model.Ref, places: topology.Links) -> Refs:
    """All that an object stands on, over nodes, racks and zones."""
    found: set[model.Ref] = set()
    edge = {ref}
    while edge:
        edge = {place for each in edge for place in places.get(each, ())} - found
        found |= edge
    return frozenset(found)


def _callees(caller: model.Ref, calls: topology.Links) -> Refs:
    """Whom an object calls, over Services that stand for several workloads."""
    found: set[model.Ref] = set()
    edge = set(calls[caller])
    while edge:
        found |= edge
        behind = {each for ref in edge if ref.kind == "Service" for each in calls.get(ref, ())}
        edge = behind - found
    return frozenset(found - {caller})


def _nats(one: Share, other: Share) -> float:
    """How much likelier two shares of their own are than a common one."""
    both = Share(one.sick + other.sick, one.among + other.among)
    return _fit(one) + _fit(other) - _fit(both)


def _fit(share: Share) -> float:
    """Log likelihood of a binomial at its own share."""
    parts = (share.sick, share.among - share.sick)
    return sum(part * math.log(part / share.among) for part in parts if part)


def _told(nodes: Share, workloads: Share) -> str:
    return (
        f"{nodes.sick} of {nodes.among} nodes and {workloads.sick} of {workloads.among} workloads"
    )
