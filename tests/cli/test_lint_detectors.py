"""`prunella lint` on learned detectors, burn rates and absence."""

from __future__ import annotations

import textwrap

import pytest

from prunella.cli.lint import check

HEAD = """\
apiVersion: prunella.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: checkout, namespace: shop}
spec:
  target: {name: checkout}
  steps: [{restart: {}}]
"""
QUERY = 'prometheus: {query: "sum by (deployment) (rate(x_total[5m]))"}'
RATIO = """\
ratio:
  bad: sum by (deployment) (rate(x_total{code="500"}[$window]))
  total: sum by (deployment) (rate(x_total[$window]))
"""
NEVER = "{budget: 0.5, long: 1h, short: 5m}"
SHORT_RULES = "rules: [{budget: 0.02, long: 1h, short: 5m}]"


def policy(*fields: str) -> str:
    """A policy of one signal with these fields; the first is in line 9."""
    signal = textwrap.indent("".join(each.rstrip() + "\n" for each in fields), "    ")
    return f"{HEAD}  signals:\n  - name: s\n{signal}"


def found(text: str, scrape_seconds: float = 15.0) -> list[str]:
    """The findings of one file as `LINE SEVERITY PATH: MESSAGE [RULE]`, paths from the signal."""
    report = check.check_text("policy.yaml", text, scrape_seconds)
    return [
        f"{f.line} {f.severity} {f.path.removeprefix('spec.signals[0].')}: {f.message} [{f.rule}]"
        for f in report.findings
    ]


ACCEPTED = {
    "baseline": policy(QUERY, "baseline: {direction: Above}", "for: 10m"),
    "baseline of a ratio": policy(RATIO.replace("$window", "5m"), "baseline: {}", "for: 10m"),
    "given": policy(
        QUERY,
        "given: {query: 'sum by (pod) (rate(y_total[5m]))'}",
        "baseline: {}",
        "for: 10m",
    ),
    "given for all": policy(
        QUERY, "given: {query: 'sum(rate(y_total[5m]))'}", "baseline: {}", "for: 10m"
    ),
    "present by itself": policy(
        "prometheus: {query: x}", "presence: x", "threshold: {above: 1}", "for: 1m"
    ),
    "bounds of an instant query": policy(
        "prometheus: {query: x @ end()}", "threshold: {above: 1}", "for: 1m"
    ),
    "forecast": policy(QUERY, "forecast: {reaches: 512Mi, within: 2h}", "for: 1m"),
    "forecast of a counter": policy(
        "prometheus: {query: sum by (pod) (x_total)}",
        "forecast: {reaches: 5, within: 2h}",
        "for: 1m",
    ),
    "forecast to a query": policy(
        QUERY, "forecast: {reachesQuery: sum by (deployment) (y), within: 2h}", "for: 1m"
    ),
    "drift": policy(QUERY, "drift: {}", "for: 1m"),
    "change": policy(QUERY, "change: {}", "for: 1m"),
    "change against the stable pods": policy(
        QUERY, "change: {against: 'avg(rate(x_total{track=\"stable\"}[5m]))'}", "for: 1m"
    ),
    "burn rate": policy(RATIO, f"burnRate: {{objective: 99.9, {SHORT_RULES}}}"),
    "absent": policy("prometheus: {query: up > 0}", "absent: {canary: up == 1}", "for: 5m"),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_good_detectors_have_no_findings(name: str) -> None:
    """Each detector as it is meant is passed over in silence."""
    assert [] == found(ACCEPTED[name])


NOT_PROMQL = {
    "given.query": (QUERY, "given: {query: 'sum('}", "baseline: {}"),
    "presence": (QUERY, "presence: 'sum('", "threshold: {above: 1}"),
    "forecast.reachesQuery": (QUERY, "forecast: {reachesQuery: 'sum(', within: 2h}"),
    "change.against": (QUERY, "change: {against: 'sum('}"),
    "absent.canary": (QUERY, "absent: {canary: 'sum('}"),
    "ratio.bad": (RATIO.replace("bad: sum", "bad: summ"), "burnRate: {objective: 99}"),
}


@pytest.mark.parametrize("name", NOT_PROMQL)
def test_every_query_is_parsed(name: str) -> None:
    """A slip in any query of any detector is found at its field, and only there."""
    findings = [each for each in found(policy(*NOT_PROMQL[name])) if "[promql]" in each]

    assert 1 == len(findings)
    assert f" error {name}: the query is not PromQL: " in findings[0]


BOUNDS = "error {}: @ start() and @ end() have no meaning in a history, which is asked in pieces"
DOUBTED = {
    "bounds of a range": (
        policy("prometheus: {query: x @ end()}", "drift: {}", "for: 1m"),
        [f"9 {BOUNDS.format('prometheus.query')} [promql]"],
    ),
    "bounds of a range, beside": (
        policy(QUERY, "change: {against: sum(x @ start())}", "for: 1m"),
        [f"10 {BOUNDS.format('change.against')} [promql]"],
    ),
    "no for": (
        policy(QUERY, "drift: {}"),
        [
            (
                "8 hint spec.signals[0]: no for is written: 1m of Unhealthy is enough to act "
                "[missing-for]"
            )
        ],
    ),
    "for below every": (
        policy(QUERY, "baseline: {}", "for: 1m"),
        ["11 hint for: shorter than baseline.every (5m): one sample decides [short-for]"],
    ),
    "a counter": (
        policy("prometheus: {query: sum by (pod) (x_total)}", "baseline: {}", "for: 10m"),
        [
            (
                "9 warning prometheus.query: x_total is a counter, which only grows: put rate() "
                "around it [raw-counter]"
            )
        ],
    ),
    "a counter beside": (
        policy(QUERY, "change: {against: sum(x_total)}", "for: 1m"),
        [
            (
                "10 warning change.against: x_total is a counter, which only grows: put rate() "
                "around it [raw-counter]"
            )
        ],
    ),
    "given by itself": (
        policy(QUERY, f"given: {QUERY.removeprefix('prometheus: ')}", "baseline: {}", "for: 10m"),
        [
            (
                "10 warning given.query: the same query as the signal's own: it says nothing "
                "about it [same-query]"
            )
        ],
    ),
    "proved by itself": (
        policy("prometheus: {query: up}", "absent: {canary: ' up'}", "for: 1m"),
        [
            (
                "10 warning absent.canary: the same query as the signal's own: it says nothing "
                "about it [same-query]"
            )
        ],
    ),
    "beside without a label of a target": (
        policy(QUERY, "change: {against: sum by (app) (y)}", "for: 1m"),
        [
            (
                "10 warning change.against: the result keeps no label that names a target "
                "(deployment, pod, exported_pod): NoMappingLabels; aggregate by (deployment) "
                "[mapping]"
            )
        ],
    ),
    "filtered": (
        policy("prometheus: {query: x > 5}", "drift: {}", "for: 1m"),
        [
            (
                "9 warning prometheus.query: the comparison drops healthy series, and no data "
                "is Unknown: nothing could be proved healthy; leave the comparison to drift "
                "[filtered-query]"
            )
        ],
    ),
    "canary of another namespace": (
        policy(QUERY, "absent: {canary: 'up{namespace=\"kube-system\"}'}", "for: 1m"),
        [
            (
                "10 warning absent.canary: asks for namespace kube-system, but a policy of shop "
                "reads only shop: no data [foreign-namespace]"
            )
        ],
    ),
    "longer than the retention": (
        policy(QUERY, "baseline: {history: 4w}", "for: 10m"),
        [
            (
                "10 hint baseline.history: looks back 28d: make sure that the source keeps it; "
                "Prometheus keeps 15d by default [long-history]"
            )
        ],
    ),
    "a default window longer than the retention": (
        policy(QUERY, "forecast: {reaches: 1Gi, within: 2d}", "for: 1h"),
        [
            (
                "10 hint forecast.window: looks back 20d: make sure that the source keeps it; "
                "Prometheus keeps 15d by default [long-history]"
            )
        ],
    ),
    "many samples": (
        policy(QUERY, "baseline: {every: 15s}", "for: 1m"),
        [
            (
                "10 hint baseline.history: asks for 80640 samples of each series at every start "
                "[long-history]"
            )
        ],
    ),
    "less than the usual time to learn": (
        policy(QUERY, "baseline: {learn: 5h, history: 6d}", "for: 10m"),
        [
            (
                "10 hint baseline.history: less than a week: after a restart of the operator "
                "weekends are unusual [short-history]"
            ),
            (
                "10 hint baseline.learn: less than 6h: too little to tell what is usual from what "
                "is not [short-history]"
            ),
        ],
    ),
    "within beyond the window": (
        policy(QUERY, "forecast: {reaches: 1, within: 3d, window: 1d}", "for: 1m"),
        [
            (
                "10 warning forecast.within: a trend is believed for 2 times its age, and the "
                "window shows 24 h of it: mostly Unknown [forecast-window]"
            )
        ],
    ),
    "for beyond within": (
        policy(QUERY, "forecast: {reaches: 1, within: 1h}", "for: 1h"),
        ["11 warning for: not shorter than within (1h): the limit is reached first [forecast-for]"],
    ),
    "a ratio that reaches percents": (
        policy(RATIO.replace("$window", "5m"), "forecast: {reaches: 90, within: 2h}", "for: 1m"),
        [
            (
                "12 warning forecast.reaches: a ratio is never above 1: for 90 % write a text, "
                "'0.9' [ratio-threshold]"
            )
        ],
    ),
    "too few samples": (
        policy(QUERY, "change: {window: 10m}", "for: 1m"),
        [
            (
                "10 warning change: a window of 10m holds 40 samples, 60 are needed: always "
                "Unknown [change-samples]"
            )
        ],
    ),
    "rollback of any age": (
        policy(QUERY, "change: {}", "for: 1m").replace("restart", "rollback"),
        [
            (
                "6 hint spec.steps[0].rollback: s compares with before the rollout: with "
                "whenChangedWithin only that rollout would be undone [change-rollback]"
            )
        ],
    ),
    "the rules of the workbook": (
        policy(RATIO, "burnRate: {objective: 99.9}"),
        [
            (
                "12 hint burnRate.rules: after an action its proof must wait until 6h are calm: "
                "leave slow rules to alerts, which a person reads [burn-rate-slow]"
            )
        ],
    ),
    "a rule that can't fire": (
        policy(
            RATIO,
            f"burnRate: {{objective: 90, window: 1d, {SHORT_RULES[:-1]}, {NEVER}]}}",
        ),
        [
            (
                "12 warning burnRate.rules[1]: the rule of 1h and 5m needs 120 % bad events: it "
                "can never fire [burn-rate-rule]"
            )
        ],
    ),
    "a default rule that can't fire": (
        policy(RATIO, "burnRate: {objective: 90}"),
        [
            (
                "12 warning burnRate: the rule of 1h and 5m needs 144 % bad events: it can "
                "never fire [burn-rate-rule]"
            ),
            (
                "12 hint burnRate.rules: after an action its proof must wait until 6h are calm: "
                "leave slow rules to alerts, which a person reads [burn-rate-slow]"
            ),
        ],
    ),
    "a rule beyond the objective": (
        policy(
            RATIO,
            "burnRate: {objective: 99, window: 1d, rules: [{budget: 1, long: 2d, short: 5m}]}",
        ),
        [
            (
                "12 warning burnRate.rules[0]: the rule of 2d and 5m looks back longer than the "
                "objective's window (1d) [burn-rate-rule]"
            )
        ],
    ),
    "for beside windows": (
        policy(RATIO, f"burnRate: {{objective: 99.9, {SHORT_RULES}}}", "for: 5m"),
        [
            (
                "13 hint for: the windows wait already, the shortest for 5m: for adds to it "
                "[burn-rate-for]"
            )
        ],
    ),
    "minimum of the ratio": (
        policy(RATIO + "  minimum: 5\n", f"burnRate: {{objective: 99.9, {SHORT_RULES}}}"),
        [
            (
                "12 warning ratio.minimum: not used by a burn rate: write burnRate.minimum "
                "[burn-rate-minimum]"
            )
        ],
    ),
    "a short window below four scrapes": (
        policy(
            RATIO, "burnRate: {objective: 99.9, rules: [{budget: 0.02, long: 10m, short: 30s}]}"
        ),
        [
            f"{line} hint ratio.{role}: a range of 30 s holds fewer than 4 scrapes of 15 s: a lost "
            "scrape leaves gaps [short-range]"
            for line, role in ((10, "bad"), (11, "total"))
        ],
    ),
    "absent of absent": (
        policy("prometheus: {query: 'absent(up{pod=\"a\"})'}", "absent: {}", "for: 1m"),
        [
            (
                "9 warning prometheus.query: returns a series when none is there: write the "
                "series, without absent() [absent-function]"
            )
        ],
    ),
    "absent and empty": (
        policy(QUERY, "absent: {}", "onEmpty: Unknown", "for: 1m"),
        [
            (
                "11 warning onEmpty: not used by absent, whose very question is what an empty "
                "answer means [absent-on-empty]"
            )
        ],
    ),
}


@pytest.mark.parametrize("name", DOUBTED)
def test_each_slip_is_found_at_its_line(name: str) -> None:
    """What can't do what was meant is said, with the way to mend it, and nothing else is."""
    text, expected = DOUBTED[name]

    assert expected == found(text)


def test_samples_come_at_the_interval_of_scrapes() -> None:
    """Slow scrapes leave fewer samples, and judge one sample twice."""
    slow = 60.0
    change = policy("prometheus: {query: x}", "change: {}", "for: 2m")
    baseline = policy("prometheus: {query: x}", "baseline: {every: 30s}", "for: 2m")

    assert [] == found(change, slow)
    assert [True] == ["holds 30 samples" in each for each in found(change, 2 * slow)]
    assert [
        "10 hint baseline.every: shorter than the scrape interval of 60 s [short-every]"
    ] == found(baseline, slow)
