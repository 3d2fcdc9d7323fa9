"""How far the policies of a namespace may go, as its administrator has labelled the Namespace.

``prunella.dev/max-mode: Approve`` holds for all actions, ``prunella.dev/max-mode.high: Advise`` for
those of one risk class.  What can't be read or understood is the strictest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Final

from prunella.api import trust

LABEL: Final = "prunella.dev/max-mode"
RANKS: Final[Mapping[str, int]] = {"Advise": 0, "DryRun": 1, "Approve": 2, "Live": 3}
"""Modes from the most careful to the freest."""
STRICTEST: Final = "Advise"


@dataclasses.dataclass(frozen=True, slots=True)
class Ceiling:
    """The highest mode, and who says so."""

    mode: str
    because: str


@dataclasses.dataclass(frozen=True, slots=True)
class Ceilings:
    """The ceilings of one namespace by risk class; a class that is not there has none."""

    by_risk: Mapping[trust.Risk, Ceiling] = dataclasses.field(default_factory=dict)


NO_CEILINGS: Final = Ceilings()


def unreadable(namespace: str, problem: str) -> Ceilings:
    """The ceilings of a namespace whose labels nobody knows."""
    because = f"the labels of namespace {namespace} can't be read: {problem}"
    return Ceilings(dict.fromkeys(trust.Risk, Ceiling(STRICTEST, because)))


def parse(namespace: str, labels: Mapping[str, str]) -> Ceilings:
    """The ceilings that a Namespace's labels set; of several the strictest counts."""
    found: dict[trust.Risk, Ceiling] = {}
    for key in sorted(labels):
        if key != LABEL and not key.startswith(f"{LABEL}."):
            continue
        for risk, ceiling in _read(namespace, key, labels[key]):
            known = found.get(risk)
            if known is None or RANKS[ceiling.mode] < RANKS[known.mode]:
                found[risk] = ceiling
    return Ceilings(found)


def _read(namespace: str, key: str, value: str) -> Iterator[tuple[trust.Risk, Ceiling]]:
    """One label as ceilings of the classes that it is about."""
    risk = key.removeprefix(LABEL).removeprefix(".")
    known_risk = risk in set(trust.Risk)
    told = f'namespace {namespace} has {key}="{value}"'
    if risk and not known_risk:
        why = f"{told}, and {risk} is none of {', '.join(trust.Risk)}: read as {STRICTEST} for all"
        ceiling = Ceiling(STRICTEST, why)
    elif value not in RANKS:
        why = f"{told}, which is none of {', '.join(RANKS)}: read as {STRICTEST}"
        ceiling = Ceiling(STRICTEST, why)
    else:
        ceiling = Ceiling(value, told)
    for each in trust.Risk:
        if not known_risk or each == risk:
            yield each, ceiling
