"""When a policy is to be looked at again."""

from __future__ import annotations

import datetime

from prunella.api import policy as policy_api
from prunella.core.decisions import windows
from prunella.core.decisions.rules import Rules
from prunella.core.signals import compiled, onsets


def next_check(
    signals: compiled.Policy,
    memory: onsets.Memory,
    spec: policy_api.RemediationPolicySpec,
    rules: Rules,
    now: datetime.datetime,
) -> datetime.datetime:
    """The next regular time, or sooner when a signal has held long enough or a window opens."""
    regular = windows.look_again(spec, rules, now + spec.interval, now)
    holds = {signal.name: signal.spec.for_ for signal in signals.signals}
    ripe = (since + holds[signal] for (signal, _), since in memory.onsets.items())
    return min([regular, *(moment for moment in ripe if moment > now)])
