"""The API server itself: bad policies are refused by name of the field, and the kinds read well."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest
import yaml

from lab.cluster import Lab
from tests.e2e.harness import manifests, release
from tests.e2e.harness.manifests import Document

pytestmark = pytest.mark.timeout(120)

RESTART: Document = {"restart": {}}


def _policy(**spec: object) -> Document:
    return manifests.configured(manifests.policy("checkout", RESTART), spec)


def _signal(**fields: object) -> Document:
    return _policy(signals=[{**manifests.errors(), **fields}])


QUERY = {"query": "up"}
BAD: dict[str, tuple[Callable[[], Document], str]] = {
    "no signal": (lambda: _policy(signals=[]), "spec.signals"),
    "no step": (lambda: _policy(steps=[]), "spec.steps"),
    "nine signals": (
        lambda: _policy(signals=[{**manifests.errors(), "name": f"s{n}"} for n in range(9)]),
        "spec.signals",
    ),
    "two signals of one name": (
        lambda: _policy(signals=[manifests.errors(), manifests.errors()]),
        "spec.signals: duplicate",
    ),
    "unknown mode": (lambda: _policy(mode="Sometimes"), "spec.mode"),
    "name and selector": (
        lambda: _policy(target={"name": "a", "selector": {"matchLabels": {"a": "b"}}}),
        "spec.target",
    ),
    "neither name nor selector": (lambda: _policy(target={}), "spec.target"),
    "unknown kind": (lambda: _policy(target={"kind": "Job", "name": "a"}), "spec.target.kind"),
    "query and ratio": (lambda: _signal(prometheus=QUERY), "spec.signals[0]"),
    "alert and query": (
        lambda: _policy(signals=[{"name": "hot", "alert": {"name": "Hot"}, "prometheus": QUERY}]),
        "spec.signals[0]",
    ),
    "label of an alert that is none": (
        lambda: _policy(
            signals=[{"name": "hot", "alert": {"name": "Hot", "labels": {"a-b": "c"}}}]
        ),
        "spec.signals[0].alert.labels",
    ),
    "none of the same a day": (
        lambda: _policy(guards={"maxSameRemedyPerDay": 0}),
        "guards.maxSameRemedyPerDay",
    ),
    "two limits": (
        lambda: _signal(threshold={"above": 1, "below": 0}),
        "spec.signals[0].threshold",
    ),
    "no limit": (lambda: _signal(threshold={}), "spec.signals[0].threshold"),
    "for that is no duration": (lambda: _signal(**{"for": "soon"}), "spec.signals[0].for"),
    "healthy when empty without presence": (
        lambda: _signal(onEmpty="Healthy"),
        "spec.signals[0]",
    ),
    "share of pods over 100 %": (lambda: _signal(pods="120%"), "spec.signals[0].pods"),
    "two actions in a step": (
        lambda: _policy(steps=[{"restart": {}, "evictPod": {}}]),
        "spec.steps[0]",
    ),
    "no action in a step": (lambda: _policy(steps=[{}]), "spec.steps[0]"),
    "scale by and to": (lambda: _policy(steps=[{"scale": {"by": 1, "to": 3}}]), "steps[0].scale"),
    "min above max": (
        lambda: _policy(steps=[{"scale": {"by": 1, "min": 5, "max": 2}}]),
        "spec.steps[0].scale",
    ),
    "interval of a second": (lambda: _policy(interval="1s"), "spec.interval"),
    "no actions in an hour": (lambda: _policy(guards={"maxPerHour": 0}), "guards.maxPerHour"),
    "share over 100 %": (
        lambda: _policy(guards={"maxUnavailable": "120%"}),
        "spec.guards.maxUnavailable",
    ),
    "misspelt field": (lambda: _policy(stepps=[]), "spec.stepps"),
    "misspelt field inside": (lambda: _policy(verify={"witin": "5m"}), "spec.verify.witin"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_policy_is_refused_with_the_field_named(lab: Lab, name: str) -> None:
    """Given a policy with one mistake, when it is applied, then the server names the field."""
    make, field = BAD[name]
    done = _apply(lab, make())

    assert done.returncode != 0
    assert field in done.stderr


def _apply(lab: Lab, document: Document) -> subprocess.CompletedProcess[str]:
    arguments = ("apply", "--server-side", "--dry-run=server", "--filename", "-")
    return lab.kubectl(*arguments, input=json.dumps(document), check=False)


def test_smallest_policy_is_taken_and_only_advises(lab: Lab) -> None:
    """Given a target, one signal and one step, when it is applied, then it works, in Advise."""
    signal = {"name": "errors", "prometheus": QUERY, "threshold": {"above": 0.05}}
    spec = {"target": {"name": "checkout"}, "signals": [signal], "steps": [RESTART]}
    document = {**manifests.policy("checkout", RESTART), "spec": spec}
    arguments = ("create", "--dry-run=server", "--filename", "-", "--output", "yaml")

    made = yaml.safe_load(lab.kubectl(*arguments, input=json.dumps(document)).stdout)

    assert "Advise" == made["spec"]["mode"]
    assert ("30s", "1m") == (made["spec"]["interval"], made["spec"]["signals"][0]["for"])


EXPLAINED = {
    "remediationpolicies.spec.mode": "Advise says what it would do",
    "remediationpolicies.spec.signals.ratio.bad": "PromQL of the bad events",
    "remediationpolicies.spec.steps.rollback.to": "LastHealthy",
    "remediationpolicies.spec.guards.cooldown": "Time between two actions",
    "remediationpolicies.spec.verify.otherwise": "Revert undoes what can be undone",
    "remediations.status.phase": "Where the attempt stands",
    "remediations.spec.effects.inverse": "undoes the effect",
}


@pytest.mark.parametrize("path", EXPLAINED)
def test_kubectl_explains_every_field(lab: Lab, path: str) -> None:
    """Given a field, when kubectl is asked to explain it, then it does, in words."""
    said = lab.kubectl("explain", path, "--api-version=prunella.dev/v1alpha1").stdout
    assert EXPLAINED[path] in " ".join(said.split())


def test_records_cannot_be_forged(lab: Lab) -> None:
    """Given an administrator, when he writes a record himself, then the server refuses."""
    done = release.forge(lab)

    assert done.returncode != 0
    assert f"only {release.USERNAME} writes remediations" in done.stderr
