"""Good sense about signals: whether queries can be read, mapped to targets, and believed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import promql_parser

from prunella.api import policy as policy_api
from prunella.api import signals as signals_api
from prunella.cli.lint import findings, queries
from prunella.cli.lint import policy as policies
from prunella.cli.lint.findings import Note, Path
from prunella.cli.lint.policy import Policy, Rule
from prunella.core.signals import compiled, query_analysis

SCRAPES_IN_RANGE = 4
"""Scrapes that a rate's range should hold, so that one that is lost does no harm."""
ONLY_WHILE_BAD = re.compile(r"ALERTS_FOR_STATE|kube_pod_\w+_(waiting|terminated)_reason")
"""Metrics without samples while all is well; `alert_rules` tells of ALERTS."""


def missing_for(policy: Policy) -> Iterator[Note]:
    """How long a fault must hold is worth a thought. Burn rates have it in their windows."""
    for path, signal in policy.signals():
        if signal.burn_rate is not None:
            continue
        if not policy.has(*path, "for"):
            minutes = signal.for_.total_seconds() / 60
            message = f"no for is written: {minutes:g}m of Unhealthy is enough to act"
            yield findings.hint("missing-for", path, message)
        elif signal.for_ < policy.spec.interval:
            interval = policy.spec.interval.total_seconds()
            message = f"shorter than the interval of {interval:g} s: one sample decides"
            yield findings.hint("short-for", (*path, "for"), message)
        elif signal.baseline is not None and signal.for_ < signal.baseline.every:
            message = f"shorter than baseline.every ({signal.baseline.every}): one sample decides"
            yield findings.hint("short-for", (*path, "for"), message)


def short_range(policy: Policy) -> Iterator[Note]:
    """A rate needs several scrapes in its range."""
    wanted = SCRAPES_IN_RANGE * policy.scrape_seconds
    for path, query in policy.queries():
        ranges = list(queries.counter_ranges(promql_parser.parse(query)))
        if ranges and min(ranges) < wanted:
            message = (
                f"a range of {min(ranges):g} s holds fewer than {SCRAPES_IN_RANGE} scrapes "
                f"of {policy.scrape_seconds:g} s: a lost scrape leaves gaps"
            )
            yield findings.hint("short-range", path, message)


def mapping_labels(policy: Policy) -> Iterator[Note]:
    """The result must keep a label that names the target."""
    for path, signal in policy.signals():
        for place, expression in _parsed(policies.values(signal)):
            labels = queries.labels(expression)
            if signal.mapping is not None and signal.mapping.single:
                yield from _single((*path, *place), labels)
            else:
                yield from _named(policy, signal, (*path, *place), labels)
        for place, expression in _parsed(policies.beside(signal)):
            labels = queries.labels(expression)
            if labels != queries.NONE:
                yield from _named(policy, signal, (*path, *place), labels)


def _parsed(written: Iterable[tuple[Path, str]]) -> Iterator[tuple[Path, Any]]:
    for place, query in written:
        yield place, promql_parser.parse(query)


def _single(path: Path, labels: queries.Labels) -> Iterator[Note]:
    if labels != queries.NONE:
        message = "mapping single: true needs a result without labels: aggregate without by"
        yield findings.warning("mapping", path, message)


def _named(
    policy: Policy, signal: signals_api.Signal, path: Path, labels: queries.Labels
) -> Iterator[Note]:
    kind = policy.spec.target.kind
    own = compiled.TARGET_LABELS[kind]
    pods = () if kind is policy_api.TargetKind.NODE else compiled.POD_LABELS
    wanted: tuple[str, ...] = (own, *pods)
    if signal.mapping is not None and signal.mapping.name is not None:
        wanted = (signal.mapping.name,)
    if any(label in labels for label in wanted):
        return
    other = [label for label in compiled.WORKLOAD_LABELS.values() if label in labels]
    if other and signal.mapping is None:
        message = f"series named by {other[0]} are never of a {kind}: aggregate by ({own})"
    else:
        message = (
            f"the result keeps no label that names a target ({', '.join(wanted)}): "
            f"NoMappingLabels; aggregate by ({wanted[0]})"
        )
    yield findings.warning("mapping", path, message)


def same_labels_in_ratio(policy: Policy) -> Iterator[Note]:
    """Bad and total are divided target by target, so they must be grouped alike."""
    for path, signal in policy.signals():
        if signal.ratio is None:
            continue
        bad, total = (queries.labels(each) for _, each in _parsed(policies.values(signal)))
        if bad != total and not (bad.others or total.others):
            bad_names, total_names = (", ".join(sorted(each.names)) for each in (bad, total))
            message = f"bad is grouped by ({bad_names}) and total by ({total_names})"
            yield findings.warning("ratio-labels", (*path, "ratio"), message)


def ratio_threshold(policy: Policy) -> Iterator[Note]:
    """A share of events lies between 0 and 1."""
    for path, signal in policy.signals():
        above = signal.threshold.above if signal.threshold is not None else None
        if signal.ratio is not None and above is not None and above >= 1:
            message = f"a ratio is never above 1: for {above:g} % write {above / 100:g}"
            yield findings.warning("ratio-threshold", (*path, "threshold", "above"), message)


def filtered_query(policy: Policy) -> Iterator[Note]:
    """A query that drops what is healthy can never show that it is healthy."""
    for path, signal in policy.signals():
        # What is absent is looked for by itself: a comparison says which series count.
        decide = () if signal.absent is not None else policies.values(signal)
        for place, expression in _parsed((*decide, *policies.beside(signal))):
            if queries.filters(expression):
                message = (
                    "the comparison drops healthy series, and no data is Unknown: nothing could "
                    f"be proved healthy; leave the comparison to {policies.detector(signal)}"
                )
                yield findings.warning("filtered-query", (*path, *place), message)


def only_while_bad(policy: Policy) -> Iterator[Note]:
    """A series that exists only while something is bad can't show that all is well."""
    for path, signal in policy.signals():
        counted_as_none = signal.ratio is not None or signal.absent is not None
        if counted_as_none or (signal.on_empty is signals_api.OnEmpty.HEALTHY and signal.presence):
            continue
        for place, query in policies.values(signal):
            for leaf in query_analysis.leaves(query):
                name = leaf.partition("{")[0]
                if ONLY_WHILE_BAD.fullmatch(name):
                    message = (
                        f"{name} exists only while something is bad: while all is well there is "
                        "no data, and no data is Unknown, never Healthy; write onEmpty: Healthy, "
                        "and as presence a series that is always there, such as kube_pod_info"
                    )
                    yield findings.hint("only-while-bad", (*path, *place), message)


def own_namespace(policy: Policy) -> Iterator[Note]:
    """Every selector is confined to the policy's namespace, whatever it asks for."""
    for path, query in policy.all_queries():
        for namespace in queries.namespaces(promql_parser.parse(query)):
            if policy.namespace and namespace != policy.namespace:
                message = (
                    f"asks for namespace {namespace}, but a policy of {policy.namespace} reads "
                    f"only {policy.namespace}: no data"
                )
                yield findings.warning("foreign-namespace", path, message)


def verify_outlasts_range(policy: Policy) -> Iterator[Note]:
    """A window that slides out slowly should not make a recovery late.

    What is done to nodes is proved by what they show of it.
    """
    if policy.spec.target.kind is policy_api.TargetKind.NODE:
        return
    within = policy.spec.verify.within.total_seconds()
    ranges = (query_analysis.longest_range(query) for _, query in policy.queries())
    longest = max(ranges, default=0.0)
    if longest > within:
        message = (
            f"shorter than the queries' longest range ({longest:g} s): "
            "a slow recovery will be called unhelpful"
        )
        yield findings.hint("verify-short", ("spec", "verify", "within"), message)


RULES: tuple[Rule, ...] = (
    missing_for,  # Make sure a short fault was meant to be enough.
    short_range,  # Make sure a lost scrape does no harm.
    mapping_labels,  # Make sure each series names its target.
    same_labels_in_ratio,  # Make sure bad and total meet.
    ratio_threshold,  # Make sure the threshold can be crossed.
    filtered_query,  # Make sure a healed target can be seen.
    only_while_bad,  # Make sure that health has data, too.
    own_namespace,  # Make sure the query can return anything.
    verify_outlasts_range,  # Make sure a slow recovery is waited for.
)
