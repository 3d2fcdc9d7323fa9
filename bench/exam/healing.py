"""Judge what was done about a fault. Pure: remedies and what is still wrong in, a verdict out.

- *healed*: no symptom is left by telemetry that the operator has no part in, and a Remediation
  ended Succeeded, which means that the policy's own signals proved it.
- *harmful*: what was written where nothing is wrong, or before the fault; and what was written of
  an object that is neither the cause nor sick, unless it was taken back to the byte.
- *seconds*: from the fault to the last proof.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from bench.exam import remedies
from bench.exam.remedies import Remedy
from lab.shop.faults import Ref, Truth

MOST_WORDS = 160
FINAL = frozenset({"Succeeded", "Unhelpful", "Unproven", "Superseded", "Failed", "NotSent"})


@dataclasses.dataclass(frozen=True, slots=True)
class Healing:
    """What came of one fault."""

    curable: bool
    healed: bool = False
    actions: tuple[str, ...] = ()
    """What was written, oldest first: action, object, and how it ended."""
    seconds: float | None = None
    proof: str = ""
    why: str = ""
    """Where it was not healed: what is left, and why a person was called or nothing was done."""
    harmful: tuple[str, ...] = ()
    wrong: int = 0
    """Experiments that did not help."""
    undone: int = 0
    """Those of them that the operator took back by itself, with their objects as before."""


def judge(
    found: Sequence[Remedy],
    truth: Truth,
    began: float,
    *,
    left: Sequence[str],
    refusals: Sequence[str] = (),
    sick: Collection[Ref] = (),
    changed: Collection[Ref] = (),
) -> Healing:
    """Compare what was done with the truth of a fault that was injected at ``began``.

    ``left`` is what is still wrong, ``refusals`` is why nothing (more) was done, ``sick`` are the
    objects with symptoms, ``changed`` those that are not as they were right after the injection.
    """
    acted = [each for each in found if each.written]
    proved = [each for each in acted if each.succeeded and each.decided >= began]
    healed = truth.curable and bool(proved) and not left
    last = max((each.finished or each.decided for each in proved), default=began)
    failed = [each for each in acted if each.phase == "Unhelpful"]
    return Healing(
        curable=truth.curable,
        healed=healed,
        actions=tuple(map(_told, acted)),
        seconds=last - began if healed else None,
        proof=proved[-1].proof[:MOST_WORDS] if healed else "",
        why="" if healed else _why(acted, truth, left, refusals),
        harmful=tuple(_harmful(acted, truth, began, sick, changed)),
        wrong=len(failed),
        undone=sum(_as_before(each, acted, changed) for each in failed),
    )


def pending(found: Sequence[Remedy]) -> bool:
    """Whether something is under way: not ended, or ended in vain and not yet taken back."""
    acted = [each for each in found if each.written or not each.phase]
    return any(
        each.phase not in FINAL or (each.phase == "Unhelpful" and not remedies.undone(each, acted))
        for each in acted
    )


def _told(remedy: Remedy) -> str:
    objects = ", ".join(f"{ref.kind} {ref.name}" for ref in dict.fromkeys(remedy.written))
    return f"{remedy.action} {objects}: {remedy.phase or 'begun'}"


def _why(
    acted: Sequence[Remedy], truth: Truth, left: Sequence[str], refusals: Sequence[str]
) -> str:
    if truth.nothing:
        return ""
    if not truth.curable:
        return truth.why or "for a person by its kind"
    still = f"still {', '.join(left[:3])}" if left else "no proof"
    ended = f"; {_told(acted[-1])} ({acted[-1].proof})" if acted else ""
    because = f"; {refusals[0]}" if refusals else ""
    return f"{still}{ended[:MOST_WORDS]}{because[:MOST_WORDS]}"


def _harmful(
    acted: Sequence[Remedy],
    truth: Truth,
    began: float,
    sick: Collection[Ref],
    changed: Collection[Ref],
) -> list[str]:
    right = {*(cause.ref for cause in truth.causes), *truth.also, *sick}
    found = []
    for remedy in acted:
        if remedy.action == remedies.REVERT:
            continue
        too_soon = truth.nothing or remedy.decided < began
        beside = not right.issuperset(remedy.written)
        if too_soon or (beside and not _as_before(remedy, acted, changed)):
            found.append(_told(remedy))
    return found


def _as_before(remedy: Remedy, acted: Sequence[Remedy], changed: Collection[Ref]) -> bool:
    """Whether it was taken back, and its objects are as they were before it to the byte.

    An object that was written again later, by a remedy that helped, need not be.
    """
    later = {
        ref
        for each in acted
        if each.succeeded and each.decided > remedy.decided
        for ref in each.written
    }
    different = set(remedy.written) & set(changed) - later
    return remedies.undone(remedy, acted) and not different
