"""What the operator asks of recorded series (``evaluation: Rules``), and what it makes of them.

The result of a rule is asked for no longer than one evaluation and a minute: an answer is as fresh
as that.  A burn rate's recorded events have the roles of its queries, and its detector judges them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Final

from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.core import compiled, learning, mapping, model, objects
from prunella.core.recording import baseline, burn_rate, compiler, rules

LOWER, UPPER, RARITY, UNHEALTHY = "lower", "upper", "rarity", "unhealthy"
_LATE: Final = 60.0
"""Seconds that an evaluation may be late."""
_BASELINE: Final = {
    compiled.VALUE: baseline.VALUE,
    LOWER: baseline.LOWER,
    UPPER: baseline.UPPER,
    RARITY: baseline.RARITY,
    UNHEALTHY: baseline.UNHEALTHY,
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


def judge_target(mapped: Mapping[str, mapping.Mapped], target: model.Ref) -> learning.Judged | None:
    """A baseline's recorded verdict on one target; None when nothing is recorded of it."""
    found = {role: each.series[target] for role, each in mapped.items() if target in each.series}
    if compiled.VALUE not in found:
        return None
    if any(target in each.duplicated for each in mapped.values()):
        message = "more than one recorded series of the same object"
        doubt = reasons.Doubt.DUPLICATE_SERIES
        return learning.Judged(model.Judgement(model.Verdict.UNKNOWN, doubt, message))
    values = {role: series[0].value for role, series in found.items()}
    first = found[compiled.VALUE][0]
    return learning.Judged(judge_recorded(values), first.value, first.mapped_by, first.pod)


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


def judge_recorded(values: Mapping[str, float]) -> model.Judgement:
    """What a baseline's recorded values of one target say, by role; a missing role has no value.

    The words are those of the operator's own detector.
    """
    unknown = model.Verdict.UNKNOWN
    value, verdict = values.get(compiled.VALUE), values.get(UNHEALTHY)
    if value is None:
        message = "the recording rules have no value: do they run, and has the query one?"
        return model.Judgement(unknown, reasons.Doubt.NO_DATA, message)
    if verdict is None:
        message = "the recording rules have no verdict yet: their history is shorter than `learn`"
        return model.Judgement(unknown, reasons.Doubt.LEARNING, message)
    if not math.isfinite(value) or verdict not in {0.0, 1.0}:
        message = f"value {value:g} and verdict {verdict:g} are no results of these rules"
        return model.Judgement(unknown, reasons.Doubt.NOT_A_NUMBER, message)
    message = f"{value:.6g}{_band(values)}{_rarity(values)} (recorded)"
    if verdict:
        return model.Judgement(model.Verdict.UNHEALTHY, "Unusual", message)
    return model.Judgement(model.Verdict.HEALTHY, "Usual", message)


def _band(values: Mapping[str, float]) -> str:
    lower, upper = values.get(LOWER), values.get(UPPER)
    if lower is None or upper is None:
        return ""
    return f", usual {lower:.6g} to {upper:.6g}"


def _rarity(values: Mapping[str, float]) -> str:
    rarity = values.get(RARITY)
    return "" if rarity is None else f", rarity {rarity:.2f}"
