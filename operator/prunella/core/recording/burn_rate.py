"""The events of a burn rate's windows as recording rules.

Only the counting is recorded: the operator judges the recorded counts with the very detector
that judges its own answers, so the two can't differ.
"""

from __future__ import annotations

from typing import Final

from prunella.core.recording import rules
from prunella.core.signals import compiled

PREFIX: Final = "prunella:burn_rate:"
_SHORTEST, _LONGEST = 30, 120
"""Seconds between two evaluations; longer ones would outlast what an instant query looks back."""


def groups(names: rules.Names, signal: compiled.Signal) -> tuple[rules.Group, ...]:
    """One group for each window: the longer it is, the less often it must be evaluated."""
    burn_rate = signal.spec.burn_rate
    windows = burn_rate.windows if burn_rate is not None else ()
    return tuple(_group(names, signal, seconds) for seconds in windows)


def _group(names: rules.Names, signal: compiled.Signal, seconds: int) -> rules.Group:
    window = rules.span(seconds)
    interval = min(max(seconds // 60, _SHORTEST), _LONGEST)
    events = tuple(
        names.rule(PREFIX + role, signal.queries[compiled.windowed(role, seconds)], window=window)
        for role in (compiled.BAD, compiled.TOTAL)
    )
    return rules.Group(names.group(window), interval, events)
