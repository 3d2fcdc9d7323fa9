"""What a policy's status tells of its trust: the scoreboard, and the mode that counts."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from prunella.api import policy_status
from prunella.api import trust as trust_api
from prunella.core import objects
from prunella.core.decisions import action, step
from prunella.core.decisions.rules import Rules
from prunella.core.decisions.trust import ceilings, modes
from prunella.core.decisions.trust import standing as decided


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """The scoreboard, the lowest mode of the policy's actions, and why it is not the spec's."""

    trust: trust_api.Trust | None = None
    mode: str = ""
    limited_by: str = ""
    modes: tuple[trust_api.ActionMode, ...] = ()
    """Of each action, where one is limited."""

    @property
    def demoted(self) -> trust_api.Demotion | None:
        """The demotion, where it limits the policy."""
        held = self.trust.demoted if self.trust is not None else None
        return held if self.limited_by else None


def stand(
    policy: objects.Policy,
    outcome: step.Outcome,
    records: Sequence[objects.Record],
    rules: Rules,
    actions: Mapping[str, action.Action],
    allowed: ceilings.Ceilings,
    now: datetime.datetime,
) -> Standing:
    """Where the policy stands after one pass."""
    spec = step.valid_spec(policy)
    seen = (outcome.verdicts, outcome.workloads)
    found = decided.counted(policy, spec, records, rules, now, *seen)
    demotion = found.demoted if found is not None else None
    found_modes = decided.modes_of(spec, rules, actions, allowed, demotion)
    lowest = modes.strictest(found_modes)
    if lowest is None:
        return Standing(found)
    name, effective = lowest
    if not effective.because:
        return Standing(found, effective.mode.value)
    shown = tuple(
        trust_api.ActionMode(
            action=action_name,
            risk=actions[action_name].risk,
            mode=each.mode.value,
            limited_by=each.because[:2048],
        )
        for action_name, each in found_modes.items()
    )
    return Standing(found, effective.mode.value, f"{name}: {effective.because}"[:2048], shown)


def into(
    status: policy_status.RemediationPolicyStatus, standing: Standing
) -> policy_status.RemediationPolicyStatus:
    """The status with the standing in it."""
    told = {
        "trust": standing.trust,
        "effective_mode": standing.mode,
        "mode_limited_by": standing.limited_by,
        "modes": list(standing.modes),
    }
    return status.model_copy(update=told)
