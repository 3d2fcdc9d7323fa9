"""What a policy's signals tell: incidents of what has held, and verdicts to who asks for them."""

from __future__ import annotations

import datetime

from prunella.core import objects
from prunella.core.decisions import step
from prunella.core.signals import compiled
from prunella.engine import world as worlds


def tell(
    world: worlds.World,
    policy: objects.Policy,
    signals: compiled.Policy,
    outcome: step.Outcome,
    now: datetime.datetime,
) -> None:
    """Tell of one pass. What has held is a symptom that an incident may be made of.

    Not so the signals of a policy with a trigger: they prove what it does, and may show what
    others suffer.  Nor those of nodes: incidents are told of their conditions already.
    """
    if world.verdicts is not None and policy.spec is not None:
        interval = datetime.timedelta(seconds=policy.spec.interval.total_seconds())
        world.verdicts.judged(policy.key, outcome.measured, outcome.findings, interval)
    told = world.findings
    if told is None or world.follows:
        return
    if policy.spec is not None and (policy.spec.trigger is not None or not policy.key.namespace):
        told.forget(policy.key)
    else:
        told.found(policy.key, outcome.findings, step.held(signals, outcome, now))


def forget(world: worlds.World, key: objects.Key) -> None:
    """The policy tells of nothing any more."""
    if world.findings is not None:
        world.findings.forget(key)
    if world.verdicts is not None:
        world.verdicts.forget(key)
