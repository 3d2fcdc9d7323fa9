"""Where a policy stands: the mode of each of its actions, and whether it is demoted."""

from __future__ import annotations

import datetime
import types
from collections.abc import Mapping, Sequence
from typing import Any, Final

from prunella.api import policy as policy_api
from prunella.api import trust
from prunella.core import model, objects
from prunella.core.decisions import action, ledger
from prunella.core.decisions.rules import Rules
from prunella.core.decisions.trust import board, ceilings, modes, streaks

NOT_LOOKED: Final[Mapping[model.Ref, Any]] = types.MappingProxyType({})
"""Nobody has looked at the targets."""


def _limits(rules: Rules) -> streaks.Limits:
    """When a streak is bad."""
    return streaks.Limits(
        bad=rules.bad_before_demotion,
        of=rules.demotion_window,
        rejections=rules.rejections_before_demotion,
    )


def counted(
    policy: objects.Policy,
    spec: policy_api.RemediationPolicySpec,
    records: Sequence[objects.Record],
    rules: Rules,
    now: datetime.datetime,
    verdicts: Mapping[model.Ref, model.Verdict] = NOT_LOOKED,
    workloads: Mapping[model.Ref, model.Workload] = NOT_LOOKED,
) -> trust.Trust | None:
    """The scoreboard with what has ended since it was written.

    Without what a pass has seen of the targets: as far as it was sent.
    """
    return board.fold(
        board.Facts(
            policy=policy,
            own=[record for record in records if record.policy == policy.key],
            verdicts=verdicts,
            workloads=workloads,
            within=spec.verify.within,
            actions=[step.action for step in spec.steps],
            now=now,
            resumed=ledger.resumed_at(policy),
            limits=_limits(rules),
        )
    )


def modes_of(
    spec: policy_api.RemediationPolicySpec,
    rules: Rules,
    actions: Mapping[str, action.Action],
    allowed: ceilings.Ceilings,
    demotion: trust.Demotion | None,
) -> dict[str, modes.Effective]:
    """The mode of each action of the policy's steps.

    What undoes an action is not limited: that was decided together with it.
    """
    return {
        name: modes.effective(
            spec.mode,
            actions[name].risk,
            allowed,
            high_risk_live=rules.high_risk_live,
            demoted=demotion.message if demotion is not None else "",
        )
        for name in dict.fromkeys(step.action for step in spec.steps)
        if name in actions
    }


def modes_now(
    policy: objects.Policy,
    spec: policy_api.RemediationPolicySpec,
    records: Sequence[objects.Record],
    rules: Rules,
    actions: Mapping[str, action.Action],
    allowed: ceilings.Ceilings,
    now: datetime.datetime,
) -> dict[str, modes.Effective]:
    """The mode of each action as the records, and the ceilings just read, have it."""
    told = counted(policy, spec, records, rules, now)
    return modes_of(spec, rules, actions, allowed, told.demoted if told is not None else None)
