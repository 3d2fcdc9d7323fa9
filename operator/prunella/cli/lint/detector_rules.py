"""Good sense about learned detectors, burn rates and absence."""

from __future__ import annotations

from collections.abc import Iterator

import promql_parser

from prunella.api import detectors as detectors_api
from prunella.api import signals as signals_api
from prunella.cli.lint import counters, findings
from prunella.cli.lint import policy as policies
from prunella.cli.lint.findings import Note, Path
from prunella.cli.lint.policy import Policy, Rule

DAY, WEEK = 86_400, 604_800
RETENTION = 15 * DAY
"""What Prometheus keeps unless it is told otherwise."""
MOST_SAMPLES = 40_320
"""Samples of one series that are asked for without a second thought: four weeks of minutes."""
SLOW_PROOF = 3_600.0
"""Seconds after an action that people wait for its proof without wondering."""


def raw_counter(policy: Policy) -> Iterator[Note]:
    """A counter only grows, so that each of its values is news."""
    for path, signal in policy.signals():
        if signal.baseline is None and signal.drift is None and signal.change is None:
            continue
        for place, query in (*policies.values(signal), *policies.beside(signal)):
            for name in dict.fromkeys(counters.raw(promql_parser.parse(query))):
                message = f"{name} is a counter, which only grows: put rate() around it"
                yield findings.warning("raw-counter", (*path, *place), message)


def same_query(policy: Policy) -> Iterator[Note]:
    """What explains or proves a query must be another one."""
    for path, signal in policy.signals():
        value = next((query for _, query in policies.values(signal)), "")
        for place, query in (*policies.beside(signal), *policies.proofs(signal)):
            if query.split() == value.split() and place != ("presence",):
                message = "the same query as the signal's own: it says nothing about it"
                yield findings.warning("same-query", (*path, *place), message)


def history(policy: Policy) -> Iterator[Note]:
    """The history must exist, be affordable, and show what a baseline is to learn."""
    for path, signal in policy.signals():
        for place, seconds, step in _lookbacks(signal):
            if seconds > RETENTION:
                message = (
                    f"looks back {seconds / DAY:.3g}d: make sure that the source keeps it; "
                    "Prometheus keeps 15d by default"
                )
                yield findings.hint("long-history", (*path, *place), message)
            if seconds / step > MOST_SAMPLES:
                message = f"asks for {seconds / step:.0f} samples of each series at every start"
                yield findings.hint("long-history", (*path, *place), message)
        if signal.baseline is not None:
            yield from _short_history((*path, "baseline"), signal.baseline)


def _lookbacks(signal: signals_api.Signal) -> Iterator[tuple[Path, float, float]]:
    """Where each look back is written, and its length and step in seconds."""
    if signal.baseline is not None:
        length, step = signal.baseline.history, signal.baseline.every
        yield ("baseline", "history"), length.total_seconds(), step.total_seconds()
    if signal.forecast is not None:
        window = signal.forecast.window_seconds
        yield ("forecast", "window"), window, detectors_api.grid_step(window)
    if signal.drift is not None:
        window = signal.drift.window.total_seconds()
        yield ("drift", "window"), window, detectors_api.grid_step(window)


def _short_history(path: Path, params: detectors_api.Baseline) -> Iterator[Note]:
    usual = type(params).model_fields["learn"].default
    if params.learn.total_seconds() < usual.total_seconds():
        message = f"less than {usual}: too little to tell what is usual from what is not"
        yield findings.hint("short-history", (*path, "learn"), message)
    if params.history.total_seconds() < WEEK:
        message = "less than a week: after a restart of the operator weekends are unusual"
        yield findings.hint("short-history", (*path, "history"), message)


def sampled_too_often(policy: Policy) -> Iterator[Note]:
    """A sample that is judged twice looks steadier than it is."""
    for path, signal in policy.signals():
        params = signal.baseline
        if params is not None and params.every.total_seconds() < policy.scrape_seconds:
            message = f"shorter than the scrape interval of {policy.scrape_seconds:g} s"
            yield findings.hint("short-every", (*path, "baseline", "every"), message)


def forecast_in_time(policy: Policy) -> Iterator[Note]:
    """A forecast must be possible, and leave time to act."""
    from prunella.detectors import forecast  # noqa: PLC0415 - numpy loads for a tenth of a second

    for path, signal in policy.signals():
        params = signal.forecast
        if params is None:
            continue
        within = params.within.total_seconds()
        if within > forecast.MOST_PER_AGE * params.window_seconds:
            message = (
                f"a trend is believed for {forecast.MOST_PER_AGE:g} times its age, and the window "
                f"shows {params.window_seconds / 3600:.3g} h of it: mostly Unknown"
            )
            yield findings.warning("forecast-window", (*path, "forecast", "within"), message)
        if signal.for_.total_seconds() >= within:
            message = f"not shorter than within ({params.within}): the limit is reached first"
            yield findings.warning("forecast-for", (*path, "for"), message)
        if signal.ratio is not None and params.limit is not None and params.limit > 1:
            message = f"a ratio is never above 1: for {params.limit:g} % write a text, "
            message += f"'{params.limit / 100:g}'"
            yield findings.warning("ratio-threshold", (*path, "forecast", "reaches"), message)


def change_has_samples(policy: Policy) -> Iterator[Note]:
    """A window must be able to hold the samples that a comparison needs."""
    for path, signal in policy.signals():
        params = signal.change
        if params is None:
            continue
        samples = params.window.total_seconds() / max(params.step, policy.scrape_seconds)
        if samples < params.minimum_samples:
            message = (
                f"a window of {params.window} holds {samples:.0f} samples, "
                f"{params.minimum_samples} are needed: always Unknown"
            )
            yield findings.warning("change-samples", (*path, "change"), message)


def change_and_rollback(policy: Policy) -> Iterator[Note]:
    """What a rollout made worse is mended by undoing that rollout, not an older one."""
    before_after = [s for s in policy.spec.signals if s.change is not None and not s.change.against]
    for path, step in policy.steps():
        rollback = step.rollback
        if before_after and rollback is not None and rollback.when_changed_within is None:
            message = (
                f"{before_after[0].name} compares with before the rollout: with whenChangedWithin "
                "only that rollout would be undone"
            )
            yield findings.hint("change-rollback", (*path, "rollback"), message)


def burn_rates(policy: Policy) -> Iterator[Note]:
    """Each rule should be able to fire, and in time to be proved wrong."""
    for path, signal in policy.signals():
        params = signal.burn_rate
        if params is None:
            continue
        place = (*path, "burnRate")
        for index, rule in enumerate(params.rules):
            yield from _burn_rule(policy, place, index, params, rule)
        slowest = max(params.rules, key=lambda rule: rule.short).short
        if slowest.total_seconds() > SLOW_PROOF:
            message = (
                f"after an action its proof must wait until {slowest} are calm: leave slow rules "
                "to alerts, which a person reads"
            )
            yield findings.hint("burn-rate-slow", (*place, "rules"), message)
        shortest = min(params.rules, key=lambda rule: rule.short).short
        if policy.has(*path, "for") and signal.for_ >= shortest:
            message = f"the windows wait already, the shortest for {shortest}: for adds to it"
            yield findings.hint("burn-rate-for", (*path, "for"), message)
        if policy.has(*path, "ratio", "minimum"):
            message = "not used by a burn rate: write burnRate.minimum"
            yield findings.warning("burn-rate-minimum", (*path, "ratio", "minimum"), message)


def _burn_rule(
    policy: Policy,
    path: Path,
    index: int,
    params: detectors_api.BurnRate,
    rule: detectors_api.BurnRule,
) -> Iterator[Note]:
    written = policy.has(*path, "rules", index)
    place = (*path, "rules", index) if written else path
    share = params.limit(rule) * params.budget
    told = f"the rule of {rule.long} and {rule.short}"
    if share >= 1:
        message = f"{told} needs {100 * share:.3g} % bad events: it can never fire"
        yield findings.warning("burn-rate-rule", place, message)
    elif rule.long > params.window:
        message = f"{told} looks back longer than the objective's window ({params.window})"
        yield findings.warning("burn-rate-rule", place, message)


def absence(policy: Policy) -> Iterator[Note]:
    """The detector looks for the series themselves."""
    for path, signal in policy.signals():
        if signal.absent is None:
            continue
        for place, query in policies.values(signal):
            if counters.calls(promql_parser.parse(query), {"absent", "absent_over_time"}):
                message = "returns a series when none is there: write the series, without absent()"
                yield findings.warning("absent-function", (*path, *place), message)
        if policy.has(*path, "onEmpty"):
            message = "not used by absent, whose very question is what an empty answer means"
            yield findings.warning("absent-on-empty", (*path, "onEmpty"), message)


RULES: tuple[Rule, ...] = (
    raw_counter,  # Make sure what is learned can repeat itself.
    same_query,  # Make sure a second query says something new.
    history,  # Make sure there is a history, and not too much of it.
    sampled_too_often,  # Make sure each sample is news.
    forecast_in_time,  # Make sure a forecast comes, and comes in time.
    change_has_samples,  # Make sure a comparison can be made.
    change_and_rollback,  # Make sure the rollout at fault is undone.
    burn_rates,  # Make sure each rule can fire, and its end be seen.
    absence,  # Make sure presence is not taken for absence.
)
