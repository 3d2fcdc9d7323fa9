"""Recording rules: what is written, what is refused, and what is made of their results."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.recording import baseline, compiler, joined, manifests, reading, rules
from prunella.core.signals import compiled, lineage, query_analysis, recorded

KEY = objects.Key("shop", "checkout")
VERDICTS = model.Verdict
SIGNAL: Mapping[str, Any] = {"name": "load", "prometheus": {"query": "app_load"}, "baseline": {}}
BURN: Mapping[str, Any] = {
    "name": "slo",
    "ratio": {"bad": 'increase(hits{code="500"}[$window])', "total": "increase(hits[$window])"},
    "burnRate": {"objective": 99.9},
}
THRESHOLD = {"name": "up", "prometheus": {"query": "up"}, "threshold": {"below": 1}}


def spec(*signals: Mapping[str, Any], **more: Any) -> policy_api.RemediationPolicySpec:
    """A policy with these signals."""
    base = {"target": {"name": "web"}, "signals": list(signals), "steps": [{"restart": {}}]}
    return policy_api.RemediationPolicySpec.model_validate({**base, **more})


def groups(*signals: Mapping[str, Any]) -> tuple[rules.Group, ...]:
    """The groups of a policy with these signals."""
    return compiler.compile_rules(KEY, spec(*signals), {})


def signal(written: Mapping[str, Any]) -> compiled.Signal:
    """One signal, compiled."""
    return compiled.compile_policy(KEY, spec(written), {}).signals[0]


def expressions(written: Mapping[str, Any]) -> list[str]:
    """All expressions of one signal's rules."""
    return [rule.expr for group in groups(written) for rule in group.rules]


def test_every_signal_has_groups_of_its_own() -> None:
    """By namespace, policy and signal; what is not recorded has none."""
    found = {group.name: group.interval for group in groups(SIGNAL, BURN, THRESHOLD)}

    assert {
        "prunella/shop/checkout/load": 300,
        "prunella/shop/checkout/load/slow": 3600,
        "prunella/shop/checkout/slo/5m": 30,
        "prunella/shop/checkout/slo/30m": 30,
        "prunella/shop/checkout/slo/1h": 60,
        "prunella/shop/checkout/slo/6h": 120,
        "prunella/shop/checkout/slo/3d": 120,
    } == found


def test_every_rule_is_labelled_and_reads_only_its_own_series() -> None:
    """Two policies with the same signal in one Prometheus do not meet."""
    for group in groups(SIGNAL, BURN):
        for rule in group.rules:
            labels = {"policy": "checkout", "namespace": "shop"}
            assert labels.items() <= rule.labels.items()
            assert rule.labels["signal"] in {"load", "slo"}
            own = f'policy="checkout",namespace="shop",signal="{rule.labels["signal"]}"'
            for selector in re.findall(r"prunella:[a-z:_]+(\{[^}]*\})?", rule.expr):
                assert own in selector


def test_names_are_the_same_every_time() -> None:
    """The same policy gives the same rules, and other thresholds the same names."""
    first, again = groups(SIGNAL), groups(SIGNAL)
    other = groups({**SIGNAL, "baseline": {"trigger": 4}})

    assert first == again
    assert first != other
    for before, after in zip(first, other, strict=True):
        assert [rule.record for rule in before.rules] == [rule.record for rule in after.rules]


@pytest.mark.parametrize("written", [SIGNAL, BURN], ids=["baseline", "burn rate"])
def test_what_reads_the_source_is_confined(written: Mapping[str, Any]) -> None:
    """Every selector has the namespace, those of the written queries and of the rules."""
    for text in expressions(written):
        assert all('namespace="shop"' in leaf for leaf in query_analysis.leaves(text))


def test_the_namespace_label_of_the_source_is_used() -> None:
    """As the operator's settings say."""
    confined = {"default": compiled.Confinement("kubernetes_namespace")}
    found = compiler.compile_rules(KEY, spec(SIGNAL), confined)

    assert 'app_load{kubernetes_namespace="shop"}' in found[0].rules[0].expr


@pytest.mark.parametrize("written", [SIGNAL, BURN], ids=["baseline", "burn rate"])
def test_what_one_cluster_records_is_not_read_for_another(written: dict[str, Any]) -> None:
    """A source's matchers are in what the rules ask, what they write and what is read of them."""
    confined = {"default": compiled.Confinement(matchers={"cluster": "eu-1"})}
    whole = spec(written, evaluation="Rules")
    groups_ = compiler.compile_rules(KEY, spec(written), confined)
    (signal,) = reading.compile_policy(KEY, whole, confined).signals

    for rule in (rule for group in groups_ for rule in group.rules):
        assert rule.labels["cluster"] == "eu-1"
        assert all('cluster="eu-1"' in leaf for leaf in query_analysis.leaves(rule.expr))
    for query in signal.queries.values():
        assert all('cluster="eu-1"' in leaf for leaf in query_analysis.leaves(query))


ONE_SIDE = {"Above": {"above"}, "Below": {"below"}, "Both": {"above", "below"}}


@pytest.mark.parametrize(("direction", "sides"), ONE_SIDE.items())
def test_only_sizes_on_the_bad_side_are_recorded(direction: str, sides: set[str]) -> None:
    """The other side would cost series, and could call an anomaly."""
    written = {**SIGNAL, "baseline": {"direction": direction}}
    found = [rule for group in groups(written) for rule in group.rules if "side" in rule.labels]

    assert sides == {rule.labels["side"] for rule in found}


def test_difference_rules_know_no_time_zone() -> None:
    """Days are 24 hours: when clocks change, the season is an hour off for some days."""
    assert groups(SIGNAL) == groups({**SIGNAL, "baseline": {"timeZone": "Europe/Paris"}})


REFUSED = {
    "difference: exceptional days": (
        {"baseline": {"exceptions": [{"date": "2026-12-25"}]}},
        "exceptions can't be written as recording rules",
    ),
    "difference: a given series": (
        {"given": {"query": "traffic"}},
        "given can't be written as recording rules",
    ),
    "difference: steps that miss the quarters": ({"baseline": {"every": "7m"}}, "a part of 5m"),
    "steps of seconds": ({"baseline": {"every": "30s"}}, "at least 1m"),
    "difference: a level that would follow the day": ({"baseline": {"adapt": "6h"}}, "12h or more"),
    "a label that the rules write": ({"mapping": {"name": "policy"}}, "the label policy"),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_what_rules_can_not_do_is_refused(changes: Mapping[str, Any], message: str) -> None:
    """The error names the signal and the field."""
    with pytest.raises(rules.UnsupportedError, match=message) as refused:
        groups({**SIGNAL, **changes})
    assert "signal load" in str(refused.value)


def test_a_policy_without_anything_to_record_is_refused() -> None:
    """An empty file would look like success."""
    with pytest.raises(rules.UnsupportedError, match="nothing to record"):
        groups(THRESHOLD)


def test_pods_end_as_the_operator_reads_them() -> None:
    """One rule about pods' names, in two languages."""
    found = {kind.lower(): ending for kind, ending in lineage.ENDINGS.items()}

    assert found == joined.ENDINGS


@pytest.mark.parametrize(
    ("pods", "direction", "joins"),
    [
        ("Any", "Above", "max by"),
        ("Any", "Below", "min by"),
        ("All", "Above", "min by"),
        ("All", "Below", "max by"),
        ("25%", "Above", r"quantile by \([a-z_, ]+\) \(0.75, "),
        ("25%", "Below", r"quantile by \([a-z_, ]+\) \(0.25, "),
        ("Any", "Both", r"quantile by \([a-z_, ]+\) \(0.5, "),
    ],
)
def test_the_pods_rule_chooses_the_aggregation(pods: str, direction: str, joins: str) -> None:
    """The worst for Any, the best for All, the one that so many are as bad as for N%."""
    written = {**SIGNAL, "pods": pods, "baseline": {"direction": direction}}

    assert re.match(joins, expressions(written)[0])


def test_denser_samples_need_rarer_sizes() -> None:
    """Five times the samples in a minute make five times the chances to be rare."""
    sparse, dense = (
        next(
            each
            for each in expressions({**SIGNAL, "baseline": {"every": every, "trigger": 3}})
            if "0.999" in each
        )
        for every in ("5m", "1m")
    )

    assert "quantile_over_time(0.999," in sparse
    assert "quantile_over_time(0.9998," in dense


def test_a_prometheus_rule_bears_the_labels_that_select_it() -> None:
    """Beside the policy, with groups as in a plain file."""
    found = manifests.prometheus_rule(KEY, groups(SIGNAL), {"release": "prom"})

    assert ("monitoring.coreos.com/v1", "PrometheusRule") == (found["apiVersion"], found["kind"])
    metadata = {"name": "prunella-checkout", "namespace": "shop", "labels": {"release": "prom"}}
    assert metadata == found["metadata"]
    assert manifests.rules_file(groups(SIGNAL)) == found["spec"]
    assert "5m" == found["spec"]["groups"][0]["interval"]


def test_a_baseline_is_asked_for_its_results() -> None:
    """Not older than one evaluation and a minute; nothing of the source itself."""
    queries = reading.recorded_queries(KEY, signal(SIGNAL))

    assert {"value", "lower", "upper", "rarity", "unhealthy"} == set(queries)
    own = '{policy="checkout",namespace="shop",signal="load"}[6m]'
    assert f"last_over_time({baseline.UNHEALTHY}{own})" == queries["unhealthy"]


def test_a_burn_rate_is_asked_for_its_windows() -> None:
    """By the roles that its own queries have."""
    burn = signal(BURN)
    queries = reading.recorded_queries(KEY, burn)

    assert set(burn.queries) == set(queries)
    labels = 'policy="checkout",namespace="shop",signal="slo",window="1h"'
    assert f"prunella:burn_rate:bad{{{labels}}}" == queries["bad@3600"]


def test_what_proves_presence_is_asked_as_before() -> None:
    """It is not recorded."""
    written = {**SIGNAL, "onEmpty": "Healthy", "presence": "up"}

    assert 'up{namespace="shop"}' == reading.recorded_queries(KEY, signal(written))["presence"]


def test_a_single_series_is_asked_for_without_labels() -> None:
    """The mapping wants one that bears none, and the rules' own are not the target's."""
    queries = reading.recorded_queries(KEY, signal({**SIGNAL, "mapping": {"single": True}}))

    assert queries["value"].startswith("max without (policy, namespace, signal, window) (")


JUDGED = {
    "usual": (
        {"value": 5, "lower": 1, "upper": 9, "rarity": 0.5, "unhealthy": 0},
        (VERDICTS.HEALTHY, "Usual", "5, usual 1 to 9, rarity 0.50 (recorded)"),
    ),
    "unusual": (
        {"value": 50, "lower": 1, "upper": 9, "rarity": 4.25, "unhealthy": 1},
        (VERDICTS.UNHEALTHY, "Unusual", "50, usual 1 to 9, rarity 4.25 (recorded)"),
    ),
    "held while it lasts, without a rarity": (
        {"value": 50, "unhealthy": 1},
        (VERDICTS.UNHEALTHY, "Unusual", "50 (recorded)"),
    ),
    "no value": ({}, (VERDICTS.UNKNOWN, reasons.Doubt.NO_DATA, "do they run")),
    "a verdict without a value": (
        {"unhealthy": 1},
        (VERDICTS.UNKNOWN, reasons.Doubt.NO_DATA, "have no value"),
    ),
    "learning": ({"value": 5}, (VERDICTS.UNKNOWN, "Learning", "shorter than `learn`")),
    "not a number": (
        {"value": float("nan"), "unhealthy": 1},
        (VERDICTS.UNKNOWN, reasons.Doubt.NOT_A_NUMBER, "no results of these rules"),
    ),
    "no verdict of ours": (
        {"value": 5, "unhealthy": 0.5},
        (VERDICTS.UNKNOWN, reasons.Doubt.NOT_A_NUMBER, "verdict 0.5"),
    ),
}


@pytest.mark.parametrize(("values", "expected"), JUDGED.values(), ids=JUDGED)
def test_recorded_values_are_judged(
    values: Mapping[str, float], expected: tuple[model.Verdict, str, str]
) -> None:
    """Doubt is Unknown; the words are the detector's."""
    found = recorded.judge_recorded(values)

    assert expected[:2] == (found.verdict, found.reason)
    assert expected[2] in found.message
