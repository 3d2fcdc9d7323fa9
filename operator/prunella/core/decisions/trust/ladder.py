"""What the counts support: Advise, then Approve, then Live. A recommendation, never a promotion.

A share counts by the lower end of its 95 % Wilson score interval (E. B. Wilson, "Probable
inference, the law of succession, and statistical inference", JASA 22, 1927): 9 of 10 is a bound of
0.60, 45 of 50 one of 0.79.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Final

from prunella.api import trust
from prunella.core.decisions.trust import ceilings

Z: Final = 1.959964
"""Two-sided 95 %."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rung:
    """What a share must reach: at least so many cases, and so high a bound."""

    least: int
    bound: float


TO_APPROVE: Final = Rung(least=10, bound=0.5)
"""People are asked: most of what they are asked about must be worth it."""
TO_LIVE: Final = Rung(least=20, bound=0.8)
"""Nobody is asked: 20 of 20 (0.84) and 24 of 25 (0.80) reach it, 45 of 50 (0.79) does not."""


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """So many good ones of so many."""

    good: int
    of: int

    @property
    def bound(self) -> float:
        """The lower end of the Wilson interval; 0 of nothing."""
        return lower_bound(self.good, self.of)

    def reaches(self, rung: Rung) -> bool:
        """Whether it is large enough and high enough."""
        return self.of >= rung.least and self.bound >= rung.bound

    def against(self, rung: Rung) -> str:
        """The numbers that were compared."""
        return (
            f"{self.good} of {self.of} (bound {self.bound:.2f}; "
            f"{rung.bound:.2f} of at least {rung.least} wanted)"
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Earned:
    """A mode, and the numbers behind it."""

    mode: str
    because: str


def lower_bound(good: int, of: int) -> float:
    """The lower end of the Wilson score interval of a share."""
    if of == 0:
        return 0.0
    share, square = good / of, Z * Z
    middle = share + square / (2 * of)
    spread = Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, (middle - spread) / (1 + square / of))


def total(action: str, scores: Iterable[trust.Score]) -> trust.Score | None:
    """All periods of an action as one; None when it was never counted."""
    own = [score for score in scores if score.action == action]
    if not own:
        return None
    fields = trust.Score.model_fields.keys() - {"action", "since"}
    sums = {field: sum(getattr(score, field) for score in own) for field in fields}
    return trust.Score(action=action, since=min(score.since for score in own), **sums)


def worth_asking(score: trust.Score) -> Share:
    """How often the action was called for: what stayed sick, and what people approved."""
    good = score.needed + score.approved
    return Share(good, good + score.needless + score.rejected)


def approvals(score: trust.Score) -> Share:
    """How often people approved."""
    return Share(score.approved, score.approved + score.rejected)


def helpful(score: trust.Score) -> Share:
    """How often it was proved to have helped."""
    return Share(score.effective, score.effective + score.not_better + score.unsettled)


def earned(score: trust.Score) -> Earned:
    """The mode that one action has earned."""
    asked, helped = approvals(score), helpful(score)
    # A policy that was Live from the first day has asked nobody.
    agreed = asked.of == 0 or asked.reaches(TO_LIVE)
    told = f"helped {helped.against(TO_LIVE)}"
    if asked.of:
        told = f"approved {asked.against(TO_LIVE)}, {told}"
    if agreed and helped.reaches(TO_LIVE):
        return Earned("Live", told)
    worth = worth_asking(score)
    called_for = f"called for {worth.against(TO_APPROVE)}"
    if worth.reaches(TO_APPROVE):
        return Earned("Approve", f"{called_for}; {told}")
    if helped.of == 0:
        return Earned("Advise", called_for)
    return Earned("Advise", f"{called_for}; {told}")


def recommend(actions: Sequence[str], scores: Sequence[trust.Score]) -> Earned:
    """The mode that all actions of a policy that were ever counted have earned."""
    found: dict[str, Earned] = {}
    untried = []
    for action in dict.fromkeys(actions):
        score = total(action, scores)
        if score is None:
            untried.append(action)
        else:
            found[action] = earned(score)
    if not found:
        return Earned("Advise", "nothing was counted yet")
    lowest = min(found, key=lambda action: ceilings.RANKS[found[action].mode])
    because = "; ".join(f"{action}: {each.because}" for action, each in found.items())
    if untried:
        because = f"{because}; never tried: {', '.join(untried)}"
    return Earned(found[lowest].mode, because[:2048])
