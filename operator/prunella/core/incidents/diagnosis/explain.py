"""Explaining away: a state that a heavier cause brings about is no cause of its own."""

from __future__ import annotations

from prunella.core.incidents.diagnosis.scene import Scene
from prunella.core.incidents.diagnosis.weigh import Weighed

EXPLAINED = -3.0
"""Log-odds of a mere state - a crash, an anomaly - of what depends on a heavier suspect."""
RIVAL = -1.0
"""Of a change alone, when a heavier suspect explains the same symptoms as well."""


def away(scene: Scene, found: list[Weighed]) -> list[Weighed]:
    """Order candidates, most suspicious first; those that others explain lose."""
    rest = sorted(found, key=_key)
    ranked: list[Weighed] = []
    while rest:
        first = min(rest, key=_key)
        rest.remove(first)
        ranked.append(first)
        if len(ranked) <= 3 and first.odds > 0:
            for each in rest:
                each.odds += _loss(scene, each, first)
    return sorted(ranked, key=_key)


def _key(each: Weighed) -> tuple[float, object]:
    return (-each.odds, each.target)


def _loss(scene: Scene, each: Weighed, by: Weighed) -> float:
    """What a candidate loses because a heavier one explains it."""
    if each.general:
        hurt = each.candidate.hurts
        if any(ref in by.reach for ref in hurt):
            return EXPLAINED
        # Errors of a callee are those of its callers where they alone call it, and fail to.
        callers = frozenset(ref for one in hurt for ref in scene.callers.get(one, ()))
        alone = each.fault is None and bool(callers) and callers <= by.reach.keys()
        return EXPLAINED if alone and callers & by.candidate.hurts else 0.0
    if each.fault is None and _no_better(each, by):
        return RIVAL
    return 0.0


def _no_better(each: Weighed, by: Weighed) -> bool:
    """Whether the other explains each symptom about as well."""
    pairs = zip(each.explained, by.explained, strict=True)
    return all(theirs >= own - 0.2 for own, theirs in pairs)
