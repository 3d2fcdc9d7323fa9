"""`prunella lint` and the API server judge the same: who passes the one is taken by the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
import yaml
from kubernetes import config

from lab.cluster import Lab
from prunella.cli.lint import check
from prunella.cli.lint.findings import Severity

Judge = Callable[[str], str]
pytestmark = pytest.mark.timeout(120)

SIGNAL = {
    "name": "errors",
    "prometheus": {"query": "sum by (deployment) (rate(errors_total[5m]))"},
    "threshold": {"above": 1},
    "for": "1m",
}
RATIO = {"bad": "rate(bad_total[1m])", "total": "rate(all_total[1m])"}
BY_LABEL = {"selector": {"matchLabels": {"app": "web"}}}
SCRAPE_SECONDS = 15.0
OMIT = object()
"""Stands for a field that is left out."""


def policy(**spec: Any) -> dict[str, Any]:
    """A policy of the fewest fields, with parts of its spec replaced or left out."""
    whole = {
        "target": {"name": "web"},
        "signals": [SIGNAL],
        "steps": [{"restart": {}}],
        **spec,
    }
    return {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {key: value for key, value in whole.items() if value is not OMIT},
    }


def signal(**fields: Any) -> dict[str, Any]:
    """A policy whose one signal has other fields."""
    changed = {**SIGNAL, **fields}
    return policy(signals=[{key: value for key, value in changed.items() if value is not OMIT}])


def ratio(**fields: Any) -> dict[str, Any]:
    """A policy whose one signal is a ratio with these fields."""
    return signal(prometheus=OMIT, ratio={**RATIO, **fields})


def selector(**fields: Any) -> dict[str, Any]:
    """A policy that selects its targets by labels."""
    return policy(target={"selector": fields})


def expression(operator: str, *values: str) -> dict[str, Any]:
    """A policy that selects by one comparison."""
    asked = {"key": "app", "operator": operator, **({"values": list(values)} if values else {})}
    return selector(matchExpressions=[asked])


def step(**action: Any) -> dict[str, Any]:
    """A policy with one step."""
    return policy(steps=[action])


GOOD: dict[str, dict[str, Any]] = {
    "the fewest fields": policy(),
    "all modes: DryRun": policy(mode="DryRun"),
    "all modes: Live": policy(mode="Live"),
    "interval of just 5s": policy(interval="5s"),
    "interval in minutes and seconds": policy(interval="1m4s"),
    "interval in weeks": policy(interval="1w"),
    "interval with leading zeros": policy(interval="0005s"),
    "by labels": policy(target=BY_LABEL),
    "by a label with a prefix": selector(matchLabels={"app.kubernetes.io/name": "web"}),
    "by a label without a value": selector(matchLabels={"app": ""}),
    "by a comparison with values": expression("NotIn", "a", "b"),
    "by a comparison without": expression("Exists"),
    "a DaemonSet": policy(target={"kind": "DaemonSet", "name": "web"}),
    "a ratio": ratio(),
    "a ratio without a minimum": ratio(minimum=0),
    "outside of an interval": signal(threshold={"outside": [1, 2]}),
    "outside of a point": signal(threshold={"outside": [1.5, 1.5]}),
    "outside with a sign": signal(threshold={"outside": [-2, -1]}),
    "below zero": signal(threshold={"below": -0.5}),
    "no hold": signal(**{"for": "0s"}),
    "empty is healthy, with presence": signal(onEmpty="Healthy", presence="up"),
    "single": signal(mapping={"single": True}),
    "mapped by a label": signal(mapping={"name": "app", "namespace": "ns"}),
    "single written out as false": signal(mapping={"single": False, "name": "app"}),
    "most of the pods": signal(pods="51%"),
    "all pods": signal(pods="All"),
    "two signals": policy(signals=[SIGNAL, {**SIGNAL, "name": "more"}]),
    "scale by": step(scale={"by": -2, "min": 2, "max": 2}),
    "scale to none": step(scale={"to": 0, "min": 0}),
    "rollback to the one before": step(rollback={"to": "Previous", "whenChangedWithin": "30m"}),
    "eight steps": policy(steps=[{"restart": {}}] * 8),
    "a count for a share": policy(guards={"maxUnavailable": 0, "stopWhenUnhealthy": "100%"}),
    "a whole number written as a fraction": policy(guards={"maxPerHour": 3.0}),
    "empty guards": policy(guards={}),
    "verification": policy(verify={"within": "1h30m", "samples": 1, "otherwise": "Escalate"}),
    "suspended": policy(suspend=True),
}
BAD: dict[str, dict[str, Any]] = {
    "no target": policy(target=OMIT),
    "no signals": policy(signals=OMIT),
    "no steps": policy(steps=OMIT),
    "an empty list of signals": policy(signals=[]),
    "nine signals": policy(signals=[{**SIGNAL, "name": f"s{n}"} for n in range(9)]),
    "nine steps": policy(steps=[{"restart": {}}] * 9),
    "an unknown field": policy(stpes=[]),
    "an unknown field deep inside": step(scale={"to": 1, "maximum": 3}),
    "the name of Python": policy(guards={"max_per_hour": 3}),
    "an unknown mode": policy(mode="Sometimes"),
    "a mode in small letters": policy(mode="live"),
    "suspend as text": policy(suspend="true"),
    "interval of 4s": policy(interval="4s"),
    "interval of nothing": policy(interval="0m0s"),
    "interval of 4s with zeros": policy(interval="0w0d00h000m0004s"),
    "interval in milliseconds": policy(interval="5000ms"),
    "interval as a number": policy(interval=30),
    "interval without a unit": policy(interval="30"),
    "interval out of order": policy(interval="1s1m"),
    "an empty interval": policy(interval=""),
    "no way to select": policy(target={"kind": "Deployment"}),
    "two ways to select": policy(target={"name": "web", **BY_LABEL}),
    "an empty selector": selector(),
    "a kind that is no workload": policy(target={"kind": "Job", "name": "web"}),
    "a name in capitals": policy(target={"name": "Web"}),
    "a name too long": policy(target={"name": "a" * 254}),
    "a label key that is none": selector(matchLabels={"-app": "web"}),
    "a label value that is none": selector(matchLabels={"app": "web!"}),
    "In without values": expression("In"),
    "Exists with values": expression("Exists", "web"),
    "a comparison that is none": expression("Equals", "web"),
    "neither query nor ratio": signal(prometheus=OMIT),
    "query and ratio": signal(ratio=RATIO),
    "an empty query": signal(prometheus={"query": ""}),
    "a query too long": signal(prometheus={"query": "up" + " " * 4095}),
    "a ratio without a total": signal(prometheus=OMIT, ratio={"bad": "rate(bad_total[1m])"}),
    "a ratio with a negative minimum": ratio(minimum=-1),
    "no threshold": signal(threshold=OMIT),
    "an empty threshold": signal(threshold={}),
    "two thresholds": signal(threshold={"above": 2, "below": 1}),
    "a threshold as text": signal(threshold={"above": "1"}),
    "outside in the wrong order": signal(threshold={"outside": [2, 1]}),
    "outside of three": signal(threshold={"outside": [1, 2, 3]}),
    "outside of one": signal(threshold={"outside": [1]}),
    "a signal without a name": signal(name=OMIT),
    "a signal's name in capitals": signal(name="Errors"),
    "two signals of one name": policy(signals=[SIGNAL, SIGNAL]),
    "a negative hold": signal(**{"for": "-1m"}),
    "empty is healthy, unproved": signal(onEmpty="Healthy"),
    "single and a label": signal(mapping={"single": True, "name": "app"}),
    "neither single nor a label": signal(mapping={"namespace": "ns"}),
    "single with a selector": {
        **policy(target=BY_LABEL, signals=[{**SIGNAL, "mapping": {"single": True}}])
    },
    "a label name that is none": signal(mapping={"name": "my-app"}),
    "no pods at all": signal(pods="0%"),
    "more than all pods": signal(pods="101%"),
    "a source that is no name": signal(source="my source"),
    "a step without an action": policy(steps=[{}]),
    "a step without parameters": policy(steps=[{"restart": None}]),
    "two actions in a step": step(restart={}, evictPod={}),
    "restart with a parameter": step(restart={"now": True}),
    "scale without a number": step(scale={"max": 3}),
    "scale by and to": step(scale={"by": 1, "to": 3}),
    "scale by a fraction": step(scale={"by": 0.5}),
    "scale by text": step(scale={"by": "1"}),
    "scale with min above max": step(scale={"to": 3, "min": 5, "max": 4}),
    "scale with min above the default max": step(scale={"to": 3, "min": 11}),
    "scale too far": step(scale={"to": 1001}),
    "rollback to a number": step(rollback={"to": 3}),
    "a limit of none": policy(guards={"maxPerHour": 0}),
    "a limit as text": policy(guards={"maxPerHour": "3"}),
    "a share above 100 %": policy(guards={"maxUnavailable": "120%"}),
    "a share without its sign": policy(guards={"maxUnavailable": "25"}),
    "a negative count": policy(guards={"maxUnavailable": -1}),
    "a fraction of a target": policy(guards={"maxUnavailable": 0.5}),
    "no sample": policy(verify={"samples": 0}),
    "an unknown way on": policy(verify={"otherwise": "Pray"}),
    "a list for a map": policy(guards=[]),
    "a map for a list": policy(steps={"restart": {}}),
    "a spec that is text": {**policy(), "spec": "restart it"},
    "no spec": {key: value for key, value in policy().items() if key != "spec"},
    "no name": {**policy(), "metadata": {"namespace": "default"}},
    "a name with capitals": {**policy(), "metadata": {"name": "Web", "namespace": "default"}},
    "another version": {**policy(), "apiVersion": "prunella.dev/v1"},
    "another kind": {**policy(), "kind": "RemediationPolice"},
}
LINT_ALONE: dict[str, dict[str, Any]] = {
    "a query that does not parse": signal(prometheus={"query": "rate(errors_total[5m)"}),
    "a system namespace": {**policy(), "metadata": {"name": "web", "namespace": "kube-system"}},
}
"""What the API server has no means to see."""


@pytest.fixture(scope="module")
def server_refuses(lab: Lab) -> Iterator[Judge]:
    """What the API server says against a manifest; empty when it would take it.

    The YAML is sent as it is, with kubectl's own strictness about unknown fields.
    """
    query = [("dryRun", "All"), ("fieldValidation", "Strict")]
    headers = {"Content-Type": "application/yaml", "Accept": "application/json"}
    kubeconfig = str(lab.kubeconfig)
    with config.new_client_from_config(kubeconfig) as api:  # type: ignore[no-untyped-call]

        def asked(text: str) -> str:
            document = yaml.safe_load(text)
            namespace = document["metadata"]["namespace"]
            path = f"/apis/{document['apiVersion']}/namespaces/{namespace}/remediationpolicies"
            reply = api.call_api(
                *api.param_serialize(
                    "POST", path, query_params=query, header_params=headers, body=text
                )
            )
            content = reply.read()
            return "" if reply.status == HTTPStatus.CREATED else content.decode()

        yield asked


def lint_refuses(text: str) -> str:
    """What lint says against a manifest; empty without errors."""
    found = check.check_text("policy.yaml", text, SCRAPE_SECONDS).findings
    return "; ".join(f"{f.path}: {f.message}" for f in found if f.severity is Severity.ERROR)


@pytest.mark.parametrize("name", GOOD)
def test_both_accept(server_refuses: Judge, name: str) -> None:
    """Given a good policy, when it is linted and created, then nobody objects."""
    text = yaml.safe_dump(GOOD[name], sort_keys=False)
    assert (lint_refuses(text), server_refuses(text)) == ("", "")


@pytest.mark.parametrize("name", BAD)
def test_both_refuse(server_refuses: Judge, name: str) -> None:
    """Given a bad policy, when it is linted and created, then both refuse it."""
    text = yaml.safe_dump(BAD[name], sort_keys=False)
    assert (lint_refuses(text) != "", server_refuses(text) != "") == (True, True)


@pytest.mark.parametrize("name", LINT_ALONE)
def test_lint_sees_more(server_refuses: Judge, name: str) -> None:
    """Given what no schema can tell, when it is linted and created, then only lint refuses it."""
    text = yaml.safe_dump(LINT_ALONE[name], sort_keys=False)
    assert server_refuses(text) == ""
    assert lint_refuses(text) != ""
