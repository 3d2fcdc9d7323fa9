"""The mode that counts for an action: the strictest of what is asked for and what is allowed."""

from __future__ import annotations

import dataclasses

import pytest

from prunella.actions import registry
from prunella.api import policy as policy_api
from prunella.api import trust
from prunella.core.decisions.trust import ceilings, modes

LIVE, ADVISE, DRY_RUN = policy_api.Mode.LIVE, policy_api.Mode.ADVISE, policy_api.Mode.DRY_RUN
HIGH, LOW = trust.Risk.HIGH, trust.Risk.LOW
BETWEEN = next((mode for mode in policy_api.Mode if mode.value == "Approve"), DRY_RUN)
"""What a Live policy is under a ceiling of Approve."""


@dataclasses.dataclass(frozen=True)
class Told:
    """What counts beside the mode that is asked for."""

    ceiling: str = ""
    high_risk_live: bool = True
    demoted: str = ""


CASES = {
    "nothing is in the way": (LIVE, HIGH, Told(), LIVE, ""),
    "the install's limit": (LIVE, HIGH, Told(high_risk_live=False), BETWEEN, "allowHighRiskLive"),
    "that is not about low": (LIVE, LOW, Told(high_risk_live=False), LIVE, ""),
    "that is not about advice": (ADVISE, HIGH, Told(high_risk_live=False), ADVISE, ""),
    "a ceiling": (LIVE, LOW, Told("DryRun"), DRY_RUN, "ceiling"),
    "a ceiling above": (DRY_RUN, LOW, Told("Approve"), DRY_RUN, ""),
    "a ceiling lower than the install's": (
        LIVE,
        HIGH,
        Told("Advise", high_risk_live=False),
        ADVISE,
        "ceiling",
    ),
    "an install's limit lower than a ceiling": (
        LIVE,
        HIGH,
        Told("Live", high_risk_live=False),
        BETWEEN,
        "allowHighRiskLive",
    ),
    "a demotion": (LIVE, LOW, Told(demoted="a bad streak"), ADVISE, "a bad streak"),
    "a demotion beside a ceiling": (
        LIVE,
        LOW,
        Told("Advise", demoted="a bad streak"),
        ADVISE,
        "a bad streak",
    ),
}


@pytest.mark.parametrize(("wanted", "risk", "told", "mode", "why"), CASES.values(), ids=CASES)
def test_the_strictest_counts(
    wanted: policy_api.Mode, risk: trust.Risk, told: Told, mode: policy_api.Mode, why: str
) -> None:
    """A mode is only ever lowered, and the reason is that of the limit that counts."""
    by_risk = {risk: ceilings.Ceiling(told.ceiling, "ceiling")} if told.ceiling else {}
    found = modes.effective(
        wanted,
        risk,
        ceilings.Ceilings(by_risk),
        high_risk_live=told.high_risk_live,
        demoted=told.demoted,
    )

    assert mode is found.mode
    assert why in found.because
    assert bool(why) == bool(found.because)


LIMITED = modes.Effective(ADVISE, "the labels can't be read")
MOST = "decided in mode Live, and Advise is the most there is now"
LOWERED = {
    "the same": (LIVE, LIVE, None, ""),
    "more than was decided": (BETWEEN, LIVE, None, ""),
    "less, for a reason": (LIVE, ADVISE, LIMITED, f"{MOST}: the labels can't be read"),
    "less, as the policy says": (LIVE, ADVISE, modes.Effective(ADVISE), MOST),
    "less, of an unknown action": (LIVE, ADVISE, None, MOST),
}


@pytest.mark.parametrize(("decided", "now", "found", "expected"), LOWERED.values(), ids=LOWERED)
def test_what_was_decided_in_a_higher_mode(
    decided: policy_api.Mode, now: policy_api.Mode, found: modes.Effective | None, expected: str
) -> None:
    """It says what limits it now; nothing where as much, or more, is allowed."""
    assert expected == modes.lowered(decided, now, found)


def test_every_mode_has_a_rank() -> None:
    """A mode that is added must say how far it goes."""
    assert {mode.value for mode in policy_api.Mode} <= set(ceilings.RANKS)


RISKS = {
    "low": {
        "abortRollout",
        "cordon",
        "evictPod",
        "renewCertificate",
        "rerunJob",
        "restart",
        "restartPods",
        "returnNode",
        "returnTraffic",
        "revert",
        "scale",
        "suspendCronJob",
        "uncordon",
    },
}


def test_the_risk_of_each_action_is_chosen() -> None:
    """What is not on the list of low risk is of high risk."""
    actions = registry.all_actions()
    low = {name for name, each in actions.items() if each.risk is LOW}

    assert RISKS["low"] == low
    assert {HIGH} == {each.risk for name, each in actions.items() if name not in low}
