"""What the operator asks of recorded series (``evaluation: Rules``), and what it makes of them.

The result of a rule is asked for no longer than one evaluation and a minute: an answer is as fresh
as that.  A burn rate's recorded events have the roles of its queries, and its detector judges them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from prunella.api import policy as policy_api
from prunella.core import objects
from prunella.core.recording import baseline, burn_rate, compiler, rules
from prunella.core.signals import compiled, recorded

_LATE: Final = 60.0
"""Seconds that an evaluation may be late."""
_BASELINE: Final = {
    compiled.VALUE: baseline.VALUE,
    recorded.LOWER: baseline.LOWER,
    recorded.UPPER: baseline.UPPER,
    recorded.RARITY: baseline.RARITY,
    recorded.UNHEALTHY: baseline.UNHEALTHY,
}


def compile_policy(
    key: objects.Key,
    spec: policy_api.RemediationPolicySpec,
    namespace_labels: Mapping[str, str],
) -> compiled.Policy:
    """As `compiled.compile_policy`; with ``evaluation: Rules`` it reads what rules recorded."""
    policy = compiled.compile_policy(key, spec, namespace_labels)
    if spec.evaluation is not policy_api.Evaluation.RULES:
        return policy
    try:
        signals = tuple(_recorded(key, signal) for signal in policy.signals)
    except rules.UnsupportedError as error:
        raise compiled.PolicyError(f"evaluation Rules: {error}") from error
    return dataclasses.replace(policy, signals=signals)


def _recorded(key: objects.Key, signal: compiled.Signal) -> compiled.Signal:
    if not compiler.signal_rules(key, signal):
        return signal
    queries = recorded_queries(key, signal)
    return dataclasses.replace(signal, queries=queries, lookback=None, recorded=True)


def recorded_queries(key: objects.Key, signal: compiled.Signal) -> dict[str, str]:
    """The queries of a recorded signal by role, instead of its own.

    A baseline has the roles value, lower, upper, rarity and unhealthy, one series for each target;
    a burn rate has those of its windows.  Roles that prove presence are as in ``signal.queries``.
    """
    names = rules.Names(key, signal.name)
    found = {}
    if compiled.PRESENCE in signal.queries:
        found[compiled.PRESENCE] = signal.queries[compiled.PRESENCE]
    if signal.spec.baseline is not None:
        age = rules.span(signal.spec.baseline.every.total_seconds() + _LATE)
        for role, record in _BASELINE.items():
            found[role] = _bare(signal, f"last_over_time({names.series(record)}[{age}])")
    elif signal.spec.burn_rate is not None:
        for seconds in signal.spec.burn_rate.windows:
            for role in (compiled.BAD, compiled.TOTAL):
                series = names.series(burn_rate.PREFIX + role, window=rules.span(seconds))
                found[compiled.windowed(role, seconds)] = _bare(signal, series)
    return found


def _bare(signal: compiled.Signal, series: str) -> str:
    """Without the labels that the rules added: a single series must bear none."""
    if signal.labels:
        return series
    added = f"{rules.POLICY}, {rules.NAMESPACE}, {rules.SIGNAL}, {rules.WINDOW}"
    return f"max without ({added}) ({series})"
