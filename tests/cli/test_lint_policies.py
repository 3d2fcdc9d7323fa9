"""`prunella lint` on whole policies: each slip is found at its line, and nothing else."""

from __future__ import annotations

import textwrap

import pytest

from prunella.api import steps
from prunella.cli.lint import check

GOOD = """\
apiVersion: prunella.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: checkout, namespace: shop}
spec:
  target: {name: checkout}
  signals:
  - name: errors
    prometheus:
      query: sum by (deployment) (rate(errors_total[5m]))
    threshold: {above: 1}
    for: 1m
  steps:
  - restart: {}
"""
"""Line 5 is the target, 9 the query, 10 the threshold, 11 `for`, 13 the step."""

RATIO = (
    GOOD.replace("prometheus:", "ratio:")
    .replace(
        "query: sum by (deployment) (rate(errors_total[5m]))",
        "{bad: BAD, total: 'sum by (deployment) (rate(all_total[5m]))'}",
    )
    .replace("above: 1", "above: 0.05")
)


def found(text: str, scrape_seconds: float = 15.0) -> list[str]:
    """The findings of one file as `LINE SEVERITY PATH: MESSAGE [RULE]`."""
    report = check.check_text("policy.yaml", textwrap.dedent(text), scrape_seconds)
    return [f"{f.line} {f.severity} {f.path}: {f.message} [{f.rule}]" for f in report.findings]


def ratio(bad: str) -> str:
    """The good policy with a ratio of these bad events."""
    return RATIO.replace("BAD", f"'{bad}'")


def swap(old: str, new: str) -> str:
    """The good policy with one change."""
    assert old in GOOD
    return GOOD.replace(old, new)


ACCEPTED = {
    "the good policy": GOOD,
    "a ratio": ratio("sum by (deployment) (rate(bad_total[5m]))"),
    "by pod": swap("by (deployment)", "by (pod)"),
    "without a label that is not needed": swap("by (deployment)", "without (code)"),
    "mapped by an own label": swap("by (deployment)", "by (app)").replace(
        "    for: 1m", "    mapping: {name: app}\n    for: 1m"
    ),
    "single": swap("by (deployment) ", "").replace(
        "    for: 1m", "    mapping: {single: true}\n    for: 1m"
    ),
    "of a List": "apiVersion: v1\nkind: List\nitems:\n- " + textwrap.indent(GOOD, "  ").lstrip(),
    "status is left alone": GOOD + "status: {conditions: []}\n",
    "its own namespace": swap("errors_total[5m]", 'errors_total{namespace="shop"}[5m]'),
    "an anchor": swap("{above: 1}", "&limit {above: 1}"),
    "a whole number with a fraction of zero": GOOD + "  guards: {maxPerHour: 3.0}\n",
    "only while bad, and proved well": swap(
        "sum by (deployment) (rate(errors_total[5m]))",
        'kube_pod_container_status_waiting_reason{reason="CrashLoopBackOff"}',
    ).replace("    for: 1m", "    onEmpty: Healthy\n    presence: up\n    for: 1m"),
    "bool comparison": swap("query: sum", "query: 5 < bool sum"),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_good_policies_have_no_findings(name: str) -> None:
    """What works and makes sense is passed over in silence."""
    assert [] == found(ACCEPTED[name])


REFUSED = {
    "unknown field": (
        swap("  target:", "  targets:"),
        [
            "4 error spec.target: target is missing [schema]",
            "5 error spec.targets: unknown field targets; did you mean target? [unknown-field]",
        ],
    ),
    "unknown field, nothing near": (
        swap("restart: {}", "restart: {zzz: 1}"),
        ["13 error spec.steps[0].restart.zzz: unknown field zzz [unknown-field]"],
    ),
    "unknown top field": (
        GOOD + "specs: {}\n",
        ["14 error specs: unknown field specs; did you mean spec? [unknown-field]"],
    ),
    "snake case": (
        swap("restart: {}", "rollback: {when_changed_within: 5m}"),
        [
            (
                "13 error spec.steps[0].rollback.when_changed_within: unknown field "
                "when_changed_within; did you mean whenChangedWithin? [unknown-field]"
            )
        ],
    ),
    "enum": (
        swap("spec:\n", "spec:\n  mode: live\n"),
        [
            (
                '5 error spec.mode: must be Advise, DryRun, Approve or Live, found "live"; '
                "did you mean Live? [schema]"
            )
        ],
    ),
    "number as text": (
        swap("{above: 1}", '{above: "1"}'),
        ['10 error spec.signals[0].threshold.above: must be a number, found "1" [schema]'],
    ),
    "duration without unit": (
        swap("for: 1m", "for: 60"),
        [
            (
                "11 error spec.signals[0].for: must be a duration such as 30s, 5m or 1h30m, "
                "found 60 [schema]"
            )
        ],
    ),
    "share": (
        swap("spec:\n", "spec:\n  guards: {maxUnavailable: half}\n"),
        [
            (
                "5 error spec.guards.maxUnavailable: must be a whole number from 0, or a "
                "percentage such as 25%, found 'half' [schema]"
            )
        ],
    ),
    "out of bounds": (
        swap("spec:\n", "spec:\n  guards: {maxPerHour: 0}\n"),
        ["5 error spec.guards.maxPerHour: must be greater than or equal to 1, found 0 [schema]"],
    ),
    "no steps": (
        swap("  steps:\n  - restart: {}\n", "  steps: []\n"),
        ["12 error spec.steps: must have at least 1 items, found 0 [schema]"],
    ),
    "list expected": (
        swap("  steps:\n  - restart: {}\n", "  steps: {restart: {}}\n"),
        ['12 error spec.steps: must be a list, found {"restart": {}} [schema]'],
    ),
    "map expected": (
        swap("{name: checkout}\n", "checkout\n"),
        ['5 error spec.target: must be a map, found "checkout" [schema]'],
    ),
    "two actions in one step": (
        swap("- restart: {}", "- restart: {}\n    evictPod: {}"),
        [
            (
                f"13 error spec.steps[0]: exactly one of {', '.join(steps.ACTIONS)} must be "
                "given, found restart, evictPod [schema]"
            )
        ],
    ),
    "a Job of no template": (
        swap("restart: {}", "runJob: {template: Purge Cache}"),
        [
            (
                "13 error spec.steps[0].runJob.template: must be a DNS label: lower case "
                "letters, digits and -, at most 63, found 'Purge Cache' [schema]"
            )
        ],
    ),
    "a parameter that is no variable": (
        swap("restart: {}", "runJob: {template: purge, parameters: {key-prefix: a}}"),
        [
            (
                "13 error spec.steps[0].runJob.parameters: names of parameters are like "
                "environment variables: A-Z, 0-9 and _; found 'key-prefix' [schema]"
            )
        ],
    ),
    "an address in place of an endpoint": (
        swap("restart: {}", "webhook: {endpoint: 'http://169.254.169.254/'}"),
        [
            (
                "13 error spec.steps[0].webhook.endpoint: must be a DNS label: lower case "
                "letters, digits and -, at most 63, found 'http://169.254.169.254/' [schema]"
            )
        ],
    ),
    "a capture that would hold up the action": (
        swap("  steps:", "  capture: {logs: Previous, timeout: 2m}\n  steps:"),
        ["12 error spec.capture.timeout: must be at most 30s, found 2m [schema]"],
    ),
    "a dump from another machine": (
        swap("  steps:", "  capture: {http: {port: 80, path: 'http://db/dump'}}\n  steps:"),
        [
            (
                "12 error spec.capture.http.path: string should match pattern '^/[^\\s#]*$', "
                'found "http://db/dump" [schema]'
            )
        ],
    ),
    "more pods than a record holds": (
        swap("restart: {}", "restartPods: {max: 31}"),
        [
            (
                "13 error spec.steps[0].restartPods.max: must be less than or equal to 30, "
                "found 31 [schema]"
            )
        ],
    ),
    "no patience with a lost node": (
        swap("restart: {}", "deleteStuckPod: {lostNodeAfter: 30s}"),
        [
            (
                "13 error spec.steps[0].deleteStuckPod.lostNodeAfter: must be at least 1m, "
                "found 30s [schema]"
            )
        ],
    ),
    "a Deployment is not suspended": (
        swap("restart: {}", "suspendCronJob: {}"),
        [
            (
                "4 error spec: steps[0]: suspendCronJob is for a target of kind CronJob, the "
                "target is a Deployment [schema]"
            )
        ],
    ),
    "no bounds of a field": (
        swap("restart: {}", "patchField: {apiVersion: v1, kind: Pool, path: spec.size, by: 1}"),
        ["13 error spec.steps[0].patchField: min and max must be given with by and to [schema]"],
    ),
    "a requirement that is no PromQL": (
        swap(
            "restart: {}",
            "patchField: {apiVersion: v1, kind: Pool, path: spec.size, by: 1, min: 1, max: 2, "
            "require: [{query: sum(x, atMost: 1}]}",
        ),
        [
            (
                "13 error spec.steps[0].patchField.require[0].query: the query is not PromQL: "
                "unclosed left parenthesis (query: sum(x) [promql]"
            )
        ],
    ),
    "no most of bounds": (
        swap("restart: {}", "scaleBounds: {by: 3}"),
        ["13 error spec.steps[0].scaleBounds.max: max is missing [schema]"],
    ),
    "nothing to resize": (
        swap("restart: {}", "resize: {container: app}"),
        ["13 error spec.steps[0].resize: memory or cpu must be given [schema]"],
    ),
    "a ceiling of nothing": (
        swap("restart: {}", "raiseQuota: {ceilings: {Pods: 3}}"),
        [
            (
                "13 error spec.steps[0].raiseQuota.ceilings: keys must be names of resources, "
                "found 'Pods' [schema]"
            )
        ],
    ),
    "a release of one's own": (
        swap("restart: {}", "helmRollback: {release: other}"),
        ["13 error spec.steps[0].helmRollback.release: unknown field release [unknown-field]"],
    ),
    "a certificate that ends some day": (
        swap("restart: {}", "renewCertificate: {expiresWithin: soon}"),
        [
            (
                "13 error spec.steps[0].renewCertificate.expiresWithin: must be a duration such as "
                "30s, 5m or 1h30m, found 'soon' [schema]"
            )
        ],
    ),
    "a way back that there is not": (
        swap("restart: {}", "expandVolume: {max: 9Gi}"),
        [
            (
                "13 error spec.steps[0].expandVolume: allowOneWay must be true: no volume can be "
                "made smaller again [schema]"
            )
        ],
    ),
    "min above max": (
        swap("restart: {}", "scale: {by: 1, min: 5, max: 2}"),
        ["13 error spec.steps[0].scale: min (5) must not be above max (2) [schema]"],
    ),
    "a release of a Deployment": (
        swap("restart: {}", "abortRollout: {}"),
        [
            (
                "4 error spec: steps[0]: abortRollout is for a target of kind Rollout, the target "
                "is a Deployment [schema]"
            )
        ],
    ),
    "a step to promote to": (
        swap("restart: {}", "promote: {step: 3}"),
        ["13 error spec.steps[0].promote.step: unknown field step [unknown-field]"],
    ),
    "the template of a Rollout": (
        swap("restart: {}", "resize: {memory: {max: 1Gi}}").replace(
            "{name: checkout}\n", "{kind: Rollout, name: checkout}\n"
        ),
        [
            (
                "4 error spec: steps[0]: resize of a Rollout needs where: InPlace; its template is "
                "not resized [schema]"
            )
        ],
    ),
    "a path of one's own": (
        swap("restart: {}", "gitRevert: {repository: 'https://evil.example/x'}"),
        ["13 error spec.steps[0].gitRevert.repository: unknown field repository [unknown-field]"],
    ),
    "how long ago is no time": (
        swap("restart: {}", "gitRevert: {changeWithin: soon}"),
        [
            (
                "13 error spec.steps[0].gitRevert.changeWithin: must be a duration such as 30s, 5m "
                "or 1h30m, found 'soon' [schema]"
            )
        ],
    ),
    "no spec": (
        GOOD.split("spec:", maxsplit=1)[0],
        ["1 error spec: spec is missing [schema]"],
    ),
    "spec is a list": (
        GOOD.split("spec:", maxsplit=1)[0] + "spec: []\n",
        ["4 error spec: spec must be a map, found [] [schema]"],
    ),
    "empty selector": (
        swap("{name: checkout}\n", "{selector: {}}\n"),
        [
            (
                "5 error spec.target.selector: the selector is empty: it would mean every workload "
                "of the namespace [empty-selector]"
            )
        ],
    ),
    "system namespace": (
        swap("namespace: shop", "namespace: kube-system"),
        [
            (
                "3 error metadata.namespace: kube-system is a system namespace: the operator never "
                "acts there [system-namespace]"
            )
        ],
    ),
    "bad name": (
        swap("name: checkout,", "name: Check_Out,"),
        [
            (
                "3 error metadata.name: 'Check_Out' is no name: small letters, digits, '-' and "
                "'.', at most 253 [metadata]"
            )
        ],
    ),
    "bad namespace": (
        swap("namespace: shop", "namespace: my.shop"),
        [
            (
                "3 error metadata.namespace: 'my.shop' is no namespace: small letters, digits "
                "and '-' [metadata]"
            )
        ],
    ),
    "no name": (
        swap("name: checkout, ", ""),
        ["3 error metadata: metadata.name is missing [metadata]"],
    ),
    "no metadata": (
        swap("metadata: {name: checkout, namespace: shop}\n", ""),
        ["1 error metadata: metadata with a name is missing [metadata]"],
    ),
    "scaled DaemonSet": (
        swap("{name: checkout}\n", "{kind: DaemonSet, name: checkout}\n")
        .replace("by (deployment)", "by (daemonset)")
        .replace("restart: {}", "scale: {to: 2}"),
        [
            (
                "13 error spec.steps[0].scale: a DaemonSet has no replicas that could be scaled "
                "[action-kind]"
            )
        ],
    ),
    "stuck pod of a Deployment": (
        swap("restart: {}", "deleteStuckPod: {}"),
        [
            (
                "13 error spec.steps[0].deleteStuckPod: a Deployment waits for none of its pods: "
                "only a StatefulSet does [action-kind]"
            )
        ],
    ),
    "traffic to itself": (
        swap(
            "restart: {}",
            "shiftTraffic: {kind: Service, label: version, to: {workload: checkout}}",
        ),
        [
            (
                "13 error spec.steps[0].shiftTraffic.to.workload: checkout is the target itself: "
                "name the workload of the other side [traffic-side]"
            )
        ],
    ),
    "traffic to nowhere": (
        swap("restart: {}", "shiftTraffic: {kind: HTTPRoute}"),
        ["13 error spec.steps[0].shiftTraffic.to: to is missing [schema]"],
    ),
    "a way back that is not PromQL": (
        swap(
            "restart: {}",
            "shiftTraffic: {kind: HTTPRoute, to: {workload: b}, judgedBy: Readiness, "
            "back: {require: [{query: sum(x, atMost: 1}]}}",
        ),
        [
            (
                "13 error spec.steps[0].shiftTraffic.back.require[0].query: the query is not "
                "PromQL: unclosed left parenthesis (query: sum(x) [promql]"
            )
        ],
    ),
    "doubled key": (
        swap("    for: 1m", "    for: 1m\n    for: 2m"),
        ["12 error spec.signals[0].for: for is written twice, first in line 11 [duplicate-key]"],
    ),
    "not a number": (
        swap("{above: 1}", "{above: .inf}"),
        [
            (
                "10 error spec.signals[0].threshold.above: inf is not a number that JSON knows "
                "[not-json]"
            )
        ],
    ),
    "apiVersion": (
        swap("v1alpha1", "v1"),
        [
            (
                "1 error apiVersion: apiVersion must be prunella.dev/v1alpha1, found "
                "prunella.dev/v1 [api-version]"
            )
        ],
    ),
    "group": (
        swap("prunella.dev/", "prunela.dev/"),
        [
            (
                "1 error apiVersion: apiVersion must be prunella.dev/v1alpha1, found "
                "prunela.dev/v1alpha1 [api-version]"
            )
        ],
    ),
    "no apiVersion": (
        swap("apiVersion: prunella.dev/v1alpha1\n", ""),
        ["1 error : apiVersion must be prunella.dev/v1alpha1, it is missing [api-version]"],
    ),
    "kind": (
        swap("kind: RemediationPolicy", "kind: RemediationPolcy"),
        [
            (
                "2 error kind: no kind RemediationPolcy in prunella.dev/v1alpha1; did you mean "
                "RemediationPolicy? [kind]"
            )
        ],
    ),
    "kind of the operator": (
        swap("kind: RemediationPolicy", "kind: Remediation"),
        ["2 error kind: a Remediation is written by the operator alone, never by hand [kind]"],
    ),
    "in a List": (
        "kind: List\nitems:\n- {kind: Pod}\n- "
        + textwrap.indent(swap("for: 1m", "for: 60"), "  ").lstrip(),
        [
            (
                "14 error spec.signals[0].for: must be a duration such as 30s, 5m or 1h30m, "
                "found 60 [schema]"
            )
        ],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_errors_are_found_where_they_are(name: str) -> None:
    """What the API server or the operator would refuse is an error at its line."""
    text, expected = REFUSED[name]

    assert expected == found(text)


def test_a_bad_query_is_found_beside_other_errors() -> None:
    """A slip in the schema does not hide one in PromQL."""
    text = swap("[5m]))", "[5m])").replace("for: 1m", "for: 60")

    lines = found(text)

    assert 2 == len(lines)
    assert lines[0].startswith("9 error spec.signals[0].prometheus.query: ")
    assert lines[0].endswith("[promql]")
    assert lines[1].startswith("11 error spec.signals[0].for: ")


DOUBTED = {
    "another namespace": (
        swap("errors_total[5m]", 'errors_total{namespace="bank"}[5m]'),
        [
            (
                "9 warning spec.signals[0].prometheus.query: asks for namespace bank, but a policy "
                "of shop reads only shop: no data [foreign-namespace]"
            )
        ],
    ),
    "no labels left": (
        swap("sum by (deployment)", "sum"),
        [
            (
                "9 warning spec.signals[0].prometheus.query: the result keeps no label that names "
                "a target (deployment, pod, exported_pod): NoMappingLabels; aggregate by "
                "(deployment) [mapping]"
            )
        ],
    ),
    "labels of another kind": (
        swap("{name: checkout}\n", "{kind: StatefulSet, name: checkout}\n"),
        [
            (
                "9 warning spec.signals[0].prometheus.query: series named by deployment are never "
                "of a StatefulSet: aggregate by (statefulset) [mapping]"
            )
        ],
    ),
    "own label dropped": (
        swap("    for: 1m", "    mapping: {name: app}\n    for: 1m"),
        [
            (
                "9 warning spec.signals[0].prometheus.query: the result keeps no label that names "
                "a target (app): NoMappingLabels; aggregate by (app) [mapping]"
            )
        ],
    ),
    "single with labels": (
        swap("    for: 1m", "    mapping: {single: true}\n    for: 1m"),
        [
            (
                "9 warning spec.signals[0].prometheus.query: mapping single: true needs a result "
                "without labels: aggregate without by [mapping]"
            )
        ],
    ),
    "ratio of different labels": (
        ratio("sum by (deployment, code) (rate(bad_total[5m]))"),
        [
            (
                "8 warning spec.signals[0].ratio: bad is grouped by (code, deployment) and total "
                "by (deployment) [ratio-labels]"
            )
        ],
    ),
    "ratio in percent": (
        ratio("sum by (deployment) (rate(bad_total[5m]))").replace("above: 0.05", "above: 5"),
        [
            (
                "10 warning spec.signals[0].threshold.above: a ratio is never above 1: for 5 % "
                "write 0.05 [ratio-threshold]"
            )
        ],
    ),
    "comparison in the query": (
        swap("(rate(errors_total[5m]))", "(rate(errors_total[5m])) > 1"),
        [
            (
                "9 warning spec.signals[0].prometheus.query: the comparison drops healthy series, "
                "and no data is Unknown: nothing could be proved healthy; leave the comparison to "
                "threshold [filtered-query]"
            )
        ],
    ),
    "no namespace": (
        swap(", namespace: shop", ""),
        [
            (
                "3 warning metadata: no namespace is written: kubectl would use the one of its "
                "current context [metadata]"
            )
        ],
    ),
    "no cooldown": (
        swap("spec:\n", "spec:\n  guards: {cooldown: 0s}\n"),
        [
            (
                "5 warning spec.guards.cooldown: without a cooldown only maxPerHour limits how "
                "fast actions follow each other [no-cooldown]"
            )
        ],
    ),
    "scale to nowhere": (
        swap("restart: {}", "scale: {to: 20}"),
        [
            (
                "13 warning spec.steps[0].scale.to: to (20) is outside min (1) and max (10) "
                "[scale-bounds]"
            )
        ],
    ),
    "scale by nothing": (
        swap("restart: {}", "scale: {by: 0, max: 5}"),
        ["13 warning spec.steps[0].scale.by: by: 0 changes nothing [scale-bounds]"],
    ),
    "a field to nowhere": (
        swap(
            "restart: {}",
            "patchField: {apiVersion: v1, kind: Pool, path: spec.size, to: 9, min: 1, max: 5}",
        ),
        [
            (
                "13 warning spec.steps[0].patchField.to: to (9) is outside min (1) and max (5) "
                "[field-bounds]"
            )
        ],
    ),
    "bounds to nowhere": (
        swap("restart: {}", "scaleBounds: {to: 30, max: 20}"),
        [
            (
                "13 warning spec.steps[0].scaleBounds.to: to (30) is outside min (1) and max (20) "
                "[field-bounds]"
            )
        ],
    ),
    "a side that nobody may judge, and no way back": (
        swap("restart: {}", "shiftTraffic: {kind: HTTPRoute, to: {workload: other}}"),
        [
            (
                "13 hint spec.steps[0].shiftTraffic: no way back is written: after a move that has "
                "helped it is a person's [traffic-back]"
            ),
            (
                "13 hint spec.steps[0].shiftTraffic.to: the target is checkout alone: unless "
                "another policy judges other, nothing is moved; a selector can cover both "
                "[traffic-side]"
            ),
        ],
    ),
    "a field that takes from what is behind it": (
        swap(
            "restart: {}",
            "patchField: {apiVersion: v1, kind: Pool, path: spec.size, by: 9, min: 1, max: 5}",
        ),
        [
            (
                "13 hint spec.steps[0].patchField: nothing is required: if something behind it has "
                "a limit, such as a database's connections, compare $value with it "
                "[field-requirement]"
            )
        ],
    ),
    "no time for the samples": (
        GOOD.replace("[5m]", "[1m]") + "  verify: {within: 1m, samples: 3}\n",
        [
            (
                "14 warning spec.verify.within: 60 s can't hold 3 samples at an interval of 30 s: "
                "no action could be proved [verify-too-short]"
            )
        ],
    ),
    "no for": (
        swap("    for: 1m\n", ""),
        [
            (
                "7 hint spec.signals[0]: no for is written: 1m of Unhealthy is enough to act "
                "[missing-for]"
            )
        ],
    ),
    "for below the interval": (
        swap("for: 1m", "for: 10s"),
        [
            (
                "11 hint spec.signals[0].for: shorter than the interval of 30 s: one sample "
                "decides [short-for]"
            )
        ],
    ),
    "short range": (
        swap("[5m]", "[30s]"),
        [
            (
                "9 hint spec.signals[0].prometheus.query: a range of 30 s holds fewer than 4 "
                "scrapes of 15 s: a lost scrape leaves gaps [short-range]"
            )
        ],
    ),
    "only while bad": (
        swap(
            "sum by (deployment) (rate(errors_total[5m]))",
            "kube_pod_container_status_waiting_reason",
        ),
        [
            (
                "9 hint spec.signals[0].prometheus.query: kube_pod_container_status_waiting_reason "
                "exists only while something is bad: while all is well there is no data, and no "
                "data is Unknown, never Healthy; write onEmpty: Healthy, and as presence a series "
                "that is always there, such as kube_pod_info [only-while-bad]"
            )
        ],
    ),
    "range above verify": (
        swap("[5m]", "[10m]"),
        [
            (
                "4 hint spec.verify.within: shorter than the queries' longest range (600 s): a "
                "slow recovery will be called unhelpful [verify-short]"
            )
        ],
    ),
    "live on many": (
        swap("{name: checkout}\n", "{selector: {matchLabels: {app: checkout}}}\n  mode: Live\n"),
        [
            (
                "6 hint spec.mode: mode Live with a selector and no guards.maxUnavailable: 25% of "
                "the targets may be in flight at once [live-limits]"
            )
        ],
    ),
    "scale without max": (
        swap("restart: {}", "scale: {by: 1}"),
        ["13 hint spec.steps[0].scale: no max is written: 10 replicas is the most [scale-bounds]"],
    ),
}


@pytest.mark.parametrize("name", DOUBTED)
def test_doubts_are_warnings_and_hints(name: str) -> None:
    """What is accepted and most likely does not do what was meant is said."""
    text, expected = DOUBTED[name]

    assert expected == found(text)


def test_the_scrape_interval_is_the_users() -> None:
    """With faster scrapes a shorter range is long enough."""
    text = swap("[5m]", "[30s]")

    assert [] == found(text, scrape_seconds=5.0)
    assert 1 == len(found(text, scrape_seconds=15.0))


OTHERS = {
    "a Service": "apiVersion: v1\nkind: Service\n",
    "the kind of another project": "apiVersion: repair.example/v1\nkind: RemediationPolicy\n",
    "values": "replicas: 3\n",
    "a list": "- 1\n- 2\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_documents_are_skipped(name: str) -> None:
    """A file may hold all of an application; only policies are checked."""
    report = check.check_text("app.yaml", f"{OTHERS[name]}---\n{GOOD}", 15.0)

    assert ((), 1, 1) == (report.findings, report.policies, report.skipped)
