"""The mode that a policy may really use for an action: never more than it asks for.

The strictest of four counts: the policy's own mode, the install's limit for risky actions, the
ceiling of the namespace, and a demotion after a bad streak.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from prunella.api import policy as policy_api
from prunella.api import trust
from prunella.core.decisions.trust import ceilings

INSTALL_LIMIT: Final = "Approve"
"""The highest mode of risky actions unless administrators allow more."""


@dataclasses.dataclass(frozen=True, slots=True)
class Effective:
    """The mode that counts for one action, and why it is not the policy's."""

    mode: policy_api.Mode
    because: str = ""
    """Empty where the policy's own mode counts."""


def effective(
    wanted: policy_api.Mode,
    risk: trust.Risk,
    allowed: ceilings.Ceilings,
    *,
    high_risk_live: bool,
    demoted: str = "",
) -> Effective:
    """The strictest of the limits; the one that is named first wins a tie.

    ``demoted`` is the message of a demotion; empty: there is none.
    """
    limits = []
    if demoted:
        limits.append((ceilings.STRICTEST, demoted))
    if risk in allowed.by_risk:
        ceiling = allowed.by_risk[risk]
        limits.append((ceiling.mode, ceiling.because))
    if risk is trust.Risk.HIGH and not high_risk_live:
        because = f"trust.allowHighRiskLive is false: {INSTALL_LIMIT} is the most for risk {risk}"
        limits.append((INSTALL_LIMIT, because))
    found = Effective(wanted)
    for mode, because in limits:
        if ceilings.RANKS[mode] < ceilings.RANKS[found.mode]:
            found = Effective(policy_api.Mode(mode), because)
    return found


def lowered(decided: policy_api.Mode, now: policy_api.Mode, found: Effective | None) -> str:
    """Why what was decided in one mode may not be done in that of now; empty: it may.

    ``found`` is what limits the action, where anything does.
    """
    if ceilings.RANKS[now] >= ceilings.RANKS[decided]:
        return ""
    told = f"decided in mode {decided}, and {now} is the most there is now"
    return f"{told}: {found.because}" if found is not None and found.because else told


def strictest(found: Mapping[str, Effective]) -> tuple[str, Effective] | None:
    """The action of a policy with the lowest mode, and that mode; None without actions."""
    if not found:
        return None
    name = min(found, key=lambda each: (ceilings.RANKS[found[each].mode], each))
    return name, found[name]
