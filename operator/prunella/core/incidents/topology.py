"""Which objects a fault at one place would make sick: the call graph, nodes, zones and racks.

Errors and delay travel from what is called to who calls it; what stands on a failed node or in a
failed rack is sick itself.  For each possible cause the topology says how likely each object is
to suffer, as a noisy-or along the callers (Pearl 1988): a caller of two sick services is more
likely sick than a caller of one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from prunella.core import model

HOPS = 3
"""How far up the callers a fault is followed; beyond it nearly everything calls everything."""
SUFFERS = 0.7
"""How likely a caller of a sick service is sick: most are, some hold a cache or a fallback."""
STRAY = 0.02
"""Share of an incident's objects that its cause does not explain."""

STRANGERS = 10_000
"""Objects that no link names and that are told apart; the rest of a flood is taken as one."""
REST = model.Ref("Other", "", "")

Links = Mapping[model.Ref, Collection[model.Ref]]


class Reach(NamedTuple):
    """What one cause says of one object."""

    probability: float
    """That the next sick object is this one."""
    hops: int
    lift: float
    """Log of the probability against chance, above that of a stray object."""


class Topology:
    """The graph as numbers. Objects and causes have the same index; the unknown get one too."""

    def __init__(self, calls: Links, places: Links) -> None:
        """Take who calls whom, and what stands on what: workloads on nodes, nodes in zones."""
        self.refs: list[model.Ref] = []
        self._index: dict[model.Ref, int] = {}
        self._callers: dict[int, set[int]] = defaultdict(set)
        self._standing: dict[int, set[int]] = defaultdict(set)
        self.near: dict[int, set[int]] = defaultdict(set)
        for links, back in ((calls, self._callers), (places, self._standing)):
            for ref in sorted(links):
                for other in sorted(links[ref]):
                    self._link(self._add(other), self._add(ref), back)
        self._strangers = 0
        self.reach: list[dict[int, Reach]] = [{} for _ in self.refs]
        for cause in range(len(self.refs)):
            self._spread(cause)

    def __len__(self) -> int:
        return len(self.refs)

    def index(self, ref: model.Ref) -> int:
        """The number of an object; one that no link names stands alone."""
        known = self._index.get(ref)
        if known is None:
            self._strangers += 1
            if self._strangers > STRANGERS and ref != REST:
                return self.index(REST)
            known = self._add(ref)
            self.reach.append({})
            self._spread(known)
        return known

    def neighbours(self, entity: int) -> Iterable[int]:
        """Its callers and callees, what it stands on and what stands on it, and itself."""
        return (entity, *self.near[entity])

    def stray(self) -> float:
        """Log of how much less likely than chance an object is that its cause can't explain."""
        return math.log(STRAY)

    def _add(self, ref: model.Ref) -> int:
        if ref not in self._index:
            self._index[ref] = len(self.refs)
            self.refs.append(ref)
        return self._index[ref]

    def _link(self, below: int, above: int, back: dict[int, set[int]]) -> None:
        back[below].add(above)
        self.near[below].add(above)
        self.near[above].add(below)

    def _spread(self, cause: int) -> None:
        """Note at each object that the cause can reach how likely it is to suffer."""
        sick, hops = self._cone(cause)
        total, size = sum(sick.values()), len(self.refs)
        for entity, share in sick.items():
            probability = (1 - STRAY) * share / total + STRAY / size
            lift = math.log(probability * size) - self.stray()
            self.reach[entity][cause] = Reach(probability, hops[entity], lift)

    def _cone(self, cause: int) -> tuple[dict[int, float], dict[int, int]]:
        """How likely each object suffers, and how many calls away it is."""
        fallen, edge = {cause}, {cause}
        while edge:
            edge = {each for place in edge for each in self._standing[place]} - fallen
            fallen |= edge
        sick, hops = dict.fromkeys(sorted(fallen), 1.0), dict.fromkeys(fallen, 0)
        for hop in range(1, HOPS + 1):
            spared: dict[int, float] = {}
            for callee in sorted(each for each, at in hops.items() if at == hop - 1):
                for caller in sorted(self._callers[callee] - sick.keys()):
                    spared[caller] = spared.get(caller, 1.0) * (1 - SUFFERS * sick[callee])
            sick |= {each: 1 - share for each, share in spared.items()}
            hops |= dict.fromkeys(spared, hop)
        return sick, hops
