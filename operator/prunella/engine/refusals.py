"""What the API server has refused in a rehearsal, and when it may be asked again.

A refusal by a webhook or a disruption budget seldom ends with the next pass, and a refused request
costs the API server, the webhook and the audit log as much as any other.  So the same attempt is
asked after 15 s, 30 s, 1 min ... at most 5 min; another one, such as after a change of the
workload or of its budgets, at once.
"""

from __future__ import annotations

import dataclasses
import datetime

from prunella import ports
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import decide, guards

BUDGET_IN_THE_WAY = 429
FIRST = datetime.timedelta(seconds=15)
LONGEST = datetime.timedelta(minutes=5)

_Attempt = tuple[object, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _Refused:
    attempt: _Attempt
    refusal: model.Refusal
    wait: datetime.timedelta
    until: datetime.datetime


class Refusals:
    """The newest refusal of each policy and target. Lost in a restart: then it is asked anew."""

    def __init__(self) -> None:
        self._known: dict[tuple[objects.Key, model.Ref], _Refused] = {}

    def __len__(self) -> int:
        """How many refusals are kept."""
        return len(self._known)

    def standing(
        self, policy: objects.Key, command: decide.Command, now: datetime.datetime
    ) -> model.Refusal | None:
        """The refusal of this very attempt, while it is too early to ask again."""
        known = self._known.get((policy, command.workload.ref))
        if known is None or known.attempt != _attempt(command) or now >= known.until:
            return None
        return known.refusal

    def note(
        self,
        policy: objects.Key,
        command: decide.Command,
        refusal: model.Refusal | None,
        now: datetime.datetime,
    ) -> None:
        """Remember what was answered; None forgets."""
        # What was not asked for again when it could be is of a policy or target that is gone.
        self._known = {k: each for k, each in self._known.items() if now < each.until + LONGEST}
        key = policy, command.workload.ref
        before = self._known.pop(key, None)
        if refusal is None:
            return
        again = before is not None and before.attempt == _attempt(command)
        wait = min(2 * before.wait, LONGEST) if again and before is not None else FIRST
        self._known[key] = _Refused(_attempt(command), refusal, wait, now + wait)


def _attempt(command: decide.Command) -> _Attempt:
    """All that may change an answer and is known here: a restart's patch bears the time."""
    budgets = next((a.message for a in command.answers if a.guard == guards.BUDGETS), "")
    effects = tuple((effect.verb, effect.target, effect.uid) for effect in command.effects)
    workload = command.workload
    return workload.uid, workload.generation, command.step, command.action, effects, budgets


def in_rehearsal(
    command: decide.Command, effect: model.Effect, receipt: ports.Receipt
) -> model.Refusal:
    """Why the API server would not carry an effect out, in its own words."""
    message = f"{effect.summary}: {receipt.message}"
    if receipt.refused_by:
        return model.Refusal(reasons.Refused.REFUSED_BY_ADMISSION, message)
    if receipt.status == 403:
        return model.Refusal(reasons.Refused.FORBIDDEN, message)
    if effect.verb is model.Verb.EVICT and receipt.status == BUDGET_IN_THE_WAY:
        told = next((a.message for a in command.answers if a.guard == guards.BUDGETS), "")
        message = f"{told}: {receipt.message}"
        return model.Refusal(reasons.Refused.DISRUPTION_BUDGET, message)
    return model.Refusal(reasons.Refused.SERVER_DRY_RUN, message)
