"""`prunella lint` on what signals mean together: `when` and `evaluation`."""

from __future__ import annotations

import pytest

from prunella.cli.lint import check

POLICY = """\
apiVersion: prunella.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: checkout, namespace: shop}
spec:
  target: {name: checkout}
  steps: [{restart: {}}]
  signals:
  - {name: error-ratio, prometheus: {query: x}, threshold: {above: 1}, for: 1m}
  - {name: slow, prometheus: {query: y}, baseline: {}, for: 10m}
"""
"""Line 9 is the second signal; what a case adds is line 10."""
UNUSED = "never changes what `when` says: it is only shown [when-unused]"
RESULTS = {
    "no when": ("evaluation: Operator", []),
    "all signals": ("when: error_ratio && slow", []),
    "an error": (
        "when: error-ratio",
        [
            (
                "10 error spec.when: column 1: write error_ratio for error-ratio: to CEL, - is a "
                "minus [when]"
            )
        ],
    ),
    "on a later line": (
        "when: |\n    slow &&\n    fast",
        [
            (
                "10 error spec.when: line 2, column 1: no signal is named fast; there are "
                "error_ratio, slow [when]"
            )
        ],
    ),
    "one signal": ("when: slow", [f"8 hint spec.signals[0]: error-ratio {UNUSED}"]),
    "one in vain": (
        "when: error_ratio || (error_ratio && slow)",
        [f"9 hint spec.signals[1]: slow {UNUSED}"],
    ),
    "turned round": (
        "when: '!error_ratio || slow'",
        [
            (
                "10 warning spec.when: true while every signal is Healthy: a target without a "
                "fault would be sick [when-inverted]"
            )
        ],
    ),
    "by rules": ("evaluation: Rules", []),
}


def found(text: str) -> list[str]:
    """The findings of one file as `LINE SEVERITY PATH: MESSAGE [RULE]`."""
    report = check.check_text("policy.yaml", text, 15.0)
    return [f"{f.line} {f.severity} {f.path}: {f.message} [{f.rule}]" for f in report.findings]


@pytest.mark.parametrize("name", RESULTS)
def test_signals_are_joined_as_meant(name: str) -> None:
    """What can't be evaluated, or most likely says something else, is found at its line."""
    field, expected = RESULTS[name]

    assert expected == found(f"{POLICY}  {field}\n")


def test_an_expression_is_checked_beside_a_query_that_is_not_promql() -> None:
    """One slip hides no other."""
    text = POLICY.replace("query: x", "query: 'x('") + "  when: slow ||\n"

    assert ["promql", "when"] == [each.rpartition("[")[2].rstrip("]") for each in found(text)]


def test_rules_need_something_to_compute() -> None:
    """Only baselines and burn rates are computed by recording rules."""
    text = POLICY.replace("baseline: {}", "drift: {}") + "  evaluation: Rules\n"

    assert [
        (
            "10 warning spec.evaluation: no signal has a baseline or a burnRate: there is nothing "
            "that rules compute [evaluation]"
        )
    ] == found(text)
