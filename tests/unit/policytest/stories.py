"""A short policy and its test, as files would say them."""

from __future__ import annotations

import copy
from typing import Any

from prunella.api import policy as policy_api
from prunella.core import objects
from prunella.policytest import cases, run, timeline

POLICY: dict[str, Any] = {
    "mode": "Live",
    "interval": "15s",
    "target": {"name": "checkout"},
    "signals": [
        {
            "name": "load",
            "prometheus": {"query": "max by (namespace, deployment) (load)"},
            "threshold": {"above": 10},
            "for": "1m",
        }
    ],
    "steps": [{"scale": {"by": 3}}],
    "verify": {"within": "2m", "samples": 2},
}
TEST: dict[str, Any] = {
    "apiVersion": "cli.prunella.dev/v1alpha1",
    "kind": "PolicyTest",
    "policies": ["policy.yaml"],
    "clock": {"history": "2m", "run": "8m"},
    "objects": [{"deployment": "checkout", "image": "shop:v1"}],
    "series": [
        {
            "metric": 'load{deployment="checkout"}',
            "target": "checkout",
            "shared": True,
            "values": 24,
            "when": [{"from": "2m", "values": 48}],
        }
    ],
    "cases": [{"name": "one", "expect": {}}],
}
SCALED = {"action": "scale", "verb": "Patch", "target": "checkout"}


def policies(**changes: Any) -> tuple[timeline.Policy, ...]:
    """The policy, with other fields."""
    spec = policy_api.RemediationPolicySpec.model_validate({**copy.deepcopy(POLICY), **changes})
    return (timeline.Policy(objects.Key("shop", "checkout"), spec),)


def one_case(case: dict[str, Any], **changes: Any) -> cases.PolicyTest:
    """The test with one case."""
    one = {"name": "one", "expect": {}, **case}
    return cases.PolicyTest.model_validate({**copy.deepcopy(TEST), **changes, "cases": [one]})


def play(case: dict[str, Any], **changes: Any) -> run.CaseResult:
    """What comes of one case; ``changes`` are other fields of the policy."""
    test = one_case(case)
    return run.run_case(test, test.cases[0], policies(**changes))


def wrong(result: run.CaseResult) -> dict[str, tuple[str, str]]:
    """What was expected and what was found, of the comparisons that failed."""
    return {row.check: (row.expected, row.found) for row in result.rows if not row.passed}
