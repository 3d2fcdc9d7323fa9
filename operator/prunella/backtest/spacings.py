"""What a history's own spacing of samples decides: how often a policy is evaluated on it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from prunella import ports, wiring
from prunella.adapters.recorded import metrics as recorded
from prunella.api import types
from prunella.backtest import request as requests
from prunella.core.recording import reading as recording
from prunella.core.signals import compiled, freshness, query_analysis, ranges

Short = ranges.ShortRange | ranges.ShortLookback


def together(spacings: recorded.Spacings, asked: Iterable[recorded.Asked]) -> freshness.Spacing:
    """The spacing of some queries together, as the live engine puts them together."""
    found = freshness.Spacing()
    for each in asked:
        found = found.merged(spacings.get(each.key, freshness.Spacing()))
    return found


def of_signal(spacings: recorded.Spacings, signal: compiled.Signal) -> freshness.Spacing:
    """The spacing of a signal's queries."""
    return together(spacings, recorded.questions(signal).values())


def fitted(policy: compiled.Policy, spacings: recorded.Spacings) -> compiled.Policy:
    """The policy whose signals look back in steps that fit their samples, as in a live pass."""
    signals = tuple(
        compiled.coarsened(signal, of_signal(spacings, signal).seconds) for signal in policy.signals
    )
    return dataclasses.replace(policy, signals=signals)


async def prepared(request: requests.Request, origin: ports.Metrics) -> requests.Request:
    """The request with the spacings that its history has, and the interval that follows.

    Where the policy writes no interval, each sample is judged once: every 30 s as in the live
    operator, or as often as the densest signal is sampled.  Raises HistoryError, PolicyError.
    """
    confined = wiring.options_of(request.settings).confinements
    policy = recording.compile_policy(request.key, request.spec, confined)
    asked = [each for signal in policy.signals for each in recorded.questions(signal).values()]
    start, end = request.start.timestamp(), request.end.timestamp()
    found = await recorded.learn_spacings(origin, request.key.namespace, asked, start, end)
    spec = request.spec
    if "interval" not in spec.model_fields_set:
        each = [of_signal(found, signal).seconds for signal in policy.signals]
        densest = min((seconds for seconds in each if seconds is not None), default=0.0)
        written = spec.interval.total_seconds()
        if densest > compiled.SPACING_SLACK * written:
            interval = types.Duration.from_seconds(math.ceil(densest))
            spec = spec.model_copy(update={"interval": interval})
    short = await short_ranges(policy, origin, request.key.namespace, start, end)
    warnings = (f"{name}: {each}" for name, all_ in short.items() for each in all_)
    return dataclasses.replace(
        request, spec=spec, spacings=found, warnings=(*request.warnings, *warnings)
    )


async def short_ranges(
    policy: compiled.Policy, origin: ports.Metrics, namespace: str, start: float, end: float
) -> dict[str, list[Short]]:
    """By signal, the ranges that are too short for the samples of this history.

    In files a plain selector looks back as far as it must. Raises HistoryError.
    """
    found: dict[str, list[Short]] = {}
    files = isinstance(origin, recorded.KnowsSpacing)

    async def spacing_of(signal: compiled.Signal, leaf: str) -> float | None:
        asked = recorded.Asked(signal.spec.source, leaf, signal.labels, None)
        learned = await recorded.learn_spacings(origin, namespace, [asked], start, end)
        return learned[asked.key].seconds

    for signal in policy.signals:
        short: list[Short] = []
        for query in dict.fromkeys(signal.queries.values()):
            for each in query_analysis.ranges(query):
                found_short = ranges.too_short(each, await spacing_of(signal, each.selector))
                short += [] if found_short is None else [found_short]
            for leaf in () if files else query_analysis.plain_selectors(query):
                short += ranges.short_lookbacks(leaf, await spacing_of(signal, leaf))
        if short:
            found[signal.name] = list(dict.fromkeys(short))
    return found
