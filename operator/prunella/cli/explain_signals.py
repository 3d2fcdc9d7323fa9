"""The signals of a policy in words: what each measures, and when it is Unhealthy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prunella.api import detectors as detectors_api
from prunella.api import nodes as nodes_api
from prunella.api import policy as policy_api
from prunella.api import signals as signals_api
from prunella.cli import page
from prunella.core.signals import compiled, node_conditions


def write(written: page.Page, spec: policy_api.RemediationPolicySpec) -> None:
    """A section with all signals of a policy."""
    if spec.when is None:
        written.section("Signals", "a target is sick when any of them is Unhealthy")
    else:
        written.section("Signals", "a target is sick when they say so together")
        written.fact("when", " ".join(spec.when.split()), column=14)
    for signal in spec.signals:
        written.fact(signal.name, verdict_rule(signal), column=14)
        for label, text in _facts(spec, signal):
            written.fact(label, text, indent=16, column=11)


def verdict_rule(signal: signals_api.Signal) -> str:
    """When a signal is Unhealthy, in one line."""
    for field, tell in _TELL.items():
        params = getattr(signal, field)
        if params is not None:
            return f"Unhealthy {tell(params)} for {signal.for_}"
    raise ValueError(f"signal {signal.name} has no detector")


def _threshold(params: signals_api.Threshold) -> str:
    if params.above is not None:
        return f"above {params.above:g}"
    if params.below is not None:
        return f"below {params.below:g}"
    low, high = params.outside or (0.0, 0.0)
    return f"outside {low:g} to {high:g}"


def _baseline(params: detectors_api.Baseline) -> str:
    side = "above or below" if params.direction is detectors_api.Side.BOTH else params.direction
    zone = "" if params.time_zone == "UTC" else f" in {params.time_zone}"
    return (
        f"when unusual for the hour{zone} (rarity {params.trigger:g}, {side.lower()}), "
        f"learned from {params.history} every {params.every},"
    )


def _forecast(params: detectors_api.Forecast) -> str:
    limit = "its limit" if params.reaches is None else params.reaches
    return (
        f"when it reaches {limit} within {params.within} ({params.direction.lower()}, "
        f"{100 * params.confidence:g} % sure, from {_length(params.window_seconds)} of history),"
    )


def _drift(params: detectors_api.Drift) -> str:
    either = params.direction is detectors_api.Trend.EITHER
    way = "up or down" if either else params.direction.lower()
    share = f"{100 * params.minimum:.3g} %"
    return f"when it drifts {way} by {share} or more in {params.window},"


def _change(params: detectors_api.Change) -> str:
    worse = "other" if params.worse is detectors_api.Worse.EITHER else params.worse.lower()
    than = "before its rollout" if params.against is None else "what runs beside it"
    return (
        f"when {worse} than {than} over {params.window} (by {100 * params.minimum_shift:.3g} %, "
        f"or {100 * params.minimum_slope:.3g} % more an hour),"
    )


def _burn_rate(params: detectors_api.BurnRate) -> str:
    rules = [f"{params.limit(rule):.3g}x in {rule.long} and {rule.short}" for rule in params.rules]
    return (
        f"when the budget of {params.objective:g} % in {params.window} burns over "
        f"{', or '.join(rules)},"
    )


def _absent(_: detectors_api.Absent) -> str:
    return "when it is not there, and its canary is,"


def _alert(params: signals_api.Alert) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in sorted(params.labels.items()))
    return f"while alert {params.name} fires{f' with {labels}' if labels else ''},"


def _node_condition(params: nodes_api.NodeCondition) -> str:
    return f"while condition {params.type} is {params.status}"


_TELL: Mapping[str, Callable[..., str]] = {
    "threshold": _threshold,
    "baseline": _baseline,
    "forecast": _forecast,
    "drift": _drift,
    "change": _change,
    "burn_rate": _burn_rate,
    "absent": _absent,
    "alert": _alert,
    "node_condition": _node_condition,
}


def _length(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g}{unit}"
    return f"{seconds:g}s"


def _facts(
    spec: policy_api.RemediationPolicySpec, signal: signals_api.Signal
) -> Iterator[tuple[str, str]]:
    if signal.prometheus is not None:
        yield "query", signal.prometheus.query
    if signal.ratio is not None:
        least = signal.ratio.minimum if signal.burn_rate is None else signal.burn_rate.minimum
        yield "bad", signal.ratio.bad
        yield "total", f"{signal.ratio.total} (at least {least:g} events)"
    yield from _compared(signal)
    if signal.presence is not None:
        yield "presence", signal.presence
    if signal.baseline is not None:
        yield "except", ", ".join(map(_days, signal.baseline.exceptions))
    if signal.node_condition is not None:
        limit = signal.stale_after or _length(node_conditions.STALE_SECONDS)
        yield "stale", f"after {limit}"
        return
    yield "source", signal.source
    yield "mapped by", _mapping(spec, signal)
    stale, counted = signal.stale_after, "scrapes" if signal.alert is None else "evaluations"
    yield "stale", f"after {stale}" if stale is not None else f"after 3 {counted}, at least 30s"


def _compared(signal: signals_api.Signal) -> Iterator[tuple[str, str]]:
    """What the signal is held against."""
    if signal.given is not None:
        yield "given", signal.given.query
    if signal.forecast is not None:
        yield "limit", signal.forecast.reaches_query or ""
    if signal.change is not None:
        yield "beside", signal.change.against or ""
    if signal.absent is not None:
        yield "canary", f"{signal.absent.canary} (at least {signal.absent.minimum:g})"


def _days(each: detectors_api.ExceptionalDays) -> str:
    days = "" if each.days == 1 else f" and {each.days - 1} more"
    like = "not judged" if each.like is None else f"like a {each.like}"
    return f"{each.date}{days} ({like})"


def _mapping(spec: policy_api.RemediationPolicySpec, signal: signals_api.Signal) -> str:
    if signal.mapping is not None and signal.mapping.single:
        return f"nothing: its one series is about {spec.target.name}"
    if signal.mapping is not None:
        return f"{signal.mapping.name}, in {signal.mapping.namespace or 'namespace'}"
    pods = "all of its" if signal.pods == "All" else f"{signal.pods.lower()} of its"
    own = compiled.TARGET_LABELS[spec.target.kind]
    if spec.target.kind is policy_api.TargetKind.NODE:
        return own
    return f"{own}, or {' or '.join(compiled.POD_LABELS)} (sick when {pods} pods are)"
