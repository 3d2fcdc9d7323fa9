"""raiseQuota: what a quota is short of, within stated ceilings, and the way back."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.actions import raise_quota
from prunella.api import quantities, reasons, steps
from prunella.core import model
from prunella.core.changes import swaps
from prunella.core.decisions import action, fields, quotas, restoring
from prunella.core.decisions.rules import Rules
from tests.unit.actions import manifests
from tests.unit.core import builders

Refused = reasons.Refused
REFUSED = (
    'pods "checkout-7d4-x2k" is forbidden: exceeded quota: compute, requested: requests.cpu=500m, '
    "used: requests.cpu=2, limited: requests.cpu=2"
)
TEMPLATE = {
    "metadata": {"labels": {"app": "checkout"}},
    "spec": {
        "initContainers": [{"name": "init", "resources": {"requests": {"cpu": "100m"}}}],
        "containers": [
            {
                "name": "app",
                "resources": {"requests": {"cpu": "250m"}, "limits": {"memory": "1Gi"}},
            },
            {"name": "proxy", "resources": {"limits": {"cpu": "250m"}}},
        ],
    },
}
QUOTA = model.Ref("ResourceQuota", "shop", "compute")
CEILINGS = {"requests.cpu": 4, "requests.memory": "8Gi", "pods": 30}


def quota(hard: dict[str, str], used: dict[str, str], **spec: Any) -> Any:
    """A quota as the API server shows it."""
    metadata = {"name": "compute", "namespace": "shop", "uid": "q", "resourceVersion": "5"}
    return {"metadata": metadata, "spec": {"hard": hard, **spec}, "status": {"used": used}}


def workload(failure: str = REFUSED, replicas: int = 3, total: int = 2) -> model.Workload:
    """A Deployment of which pods can't be made."""
    known = builders.workload(replicas=replicas, total=total, template=TEMPLATE)
    return dataclasses.replace(known, failure=failure)


def plan(
    shown: Any,
    failure: str = REFUSED,
    total: int = 2,
    ceilings: Any = None,
    rules: Rules | None = None,
    **params: Any,
) -> Any:
    """What comes of a step on a quota."""
    live_state = model.LiveState(workload(failure, total=total), pods_known=False)
    looked = {QUOTA: restoring.Looked(QUOTA, shown)}
    step = {"raiseQuota": {"ceilings": ceilings or CEILINGS, **params}}
    request = manifests.request(live_state, step, looked=looked, rules=rules or Rules())
    return raise_quota.RaiseQuota().plan(request)


FULL = quota({"requests.cpu": "2", "pods": "20"}, {"requests.cpu": "2", "pods": "4"})


@pytest.mark.parametrize(
    ("shown", "options", "hard"),
    [
        pytest.param(
            FULL, {}, {"requests.cpu": "2500m", "pods": "20"}, id="a quarter more of what is short"
        ),
        pytest.param(
            FULL,
            {"total": 0},
            {"requests.cpu": "3500m", "pods": "20"},
            id="room for all pods that are missing",
        ),
        pytest.param(
            FULL, {"by": "100%"}, {"requests.cpu": "4", "pods": "20"}, id="up to its ceiling"
        ),
        pytest.param(
            quota(
                {"requests.memory": "2Gi", "pods": "4"},
                {"requests.memory": "2Gi", "pods": "4"},
            ),
            {"failure": "", "name": "compute"},
            {"requests.memory": "3Gi", "pods": "5"},
            id="by its numbers, where nobody says it",
        ),
    ],
)
def test_it_raises_what_is_short_and_knows_the_way_back(
    shown: Any, options: dict[str, Any], hard: dict[str, str]
) -> None:
    """Applied and undone, the quota is as before; what has room stays."""
    planned = plan(shown, **options)
    assert isinstance(planned, action.Plan), planned
    effect = manifests.kept(planned.effects[0])
    after = swaps.apply(effect.patch, shown)
    assert hard == after["spec"]["hard"]
    assert shown == swaps.apply(effect.inverse, after)
    assert (effect.tested, "5") == (True, effect.resource_version)


def test_the_summary_tells_both_limits() -> None:
    """As people read it in the record."""
    expected = 'set spec.hard[requests.cpu] of ResourceQuota/compute from "2" to "2500m"'
    assert expected == plan(FULL).effects[0].summary


ROOM = quota({"requests.cpu": "9"}, {"requests.cpu": "2"})


@pytest.mark.parametrize(
    ("shown", "options", "reason", "message"),
    [
        pytest.param(
            ROOM,
            {},
            Refused.NOT_THE_LIMIT,
            "ResourceQuota/compute has room for one more pod of Deployment/checkout",
            id="it has room",
        ),
        pytest.param(
            FULL,
            {"ceilings": {"pods": 9}},
            Refused.NOT_ALLOWED,
            "requests.cpu of ResourceQuota/compute is short (2 are used of 2, a pod asks for 0.5), "
            "and ceilings names none for it",
            id="no ceiling",
        ),
        pytest.param(
            FULL,
            {"ceilings": {"requests.cpu": "2200m"}},
            Refused.AT_BOUND,
            "requests.cpu of ResourceQuota/compute is short (2 are used of 2, a pod asks for 0.5), "
            "and its ceiling is 2200m",
            id="no room below the ceiling",
        ),
        pytest.param(
            FULL,
            {"failure": ""},
            Refused.NOT_THE_LIMIT,
            "Deployment/checkout does not say that a quota refuses its pods, and none is named",
            id="nobody says which quota",
        ),
        pytest.param(
            None,
            {},
            Refused.NOT_WRITABLE,
            "ResourceQuota/compute is not there: nothing to write to",
            id="no such quota",
        ),
        pytest.param(
            quota({"pods": "4"}, {"pods": "4"}, scopes=["BestEffort"]),
            {"failure": "", "name": "compute"},
            Refused.NOT_THE_LIMIT,
            "ResourceQuota/compute has scopes, and Deployment/checkout does not say that it "
            "refuses its pods",
            id="it may be for other pods",
        ),
    ],
)
def test_it_is_refused_with_what_was_compared(
    shown: Any, options: dict[str, Any], reason: reasons.Refused, message: str
) -> None:
    """Each of these lets the next step be tried."""
    assert model.Refusal(reason, message, skip_step=True) == plan(shown, **options)


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("pods", 1.0),
        ("count/pods", 1.0),
        ("requests.cpu", 0.5),
        ("cpu", 0.5),
        ("limits.memory", 2.0**30),
        ("memory", 2.0**30),
        ("services", 0.0),
        ("persistentvolumeclaims", 0.0),
    ],
)
def test_what_a_pod_counts_for(resource: str, expected: float) -> None:
    """Requests as large as limits where none are written; the first containers run before."""
    assert expected == quotas.requested(TEMPLATE, resource)


@pytest.mark.parametrize(
    ("value", "like", "whole", "expected"),
    [
        (2.5, "2", False, "2500m"),
        (3.0, "2500m", False, "3"),
        (0.1 + 0.2, "100m", False, "300m"),
        (12.5, "10", True, "13"),
        (1.25 * 2**30, "1Gi", True, "1280Mi"),
        (3.0 * 2**30, "512Mi", True, "3Gi"),
        (1.5e9, "1G", True, "1500M"),
        (1.5e9, "1000000000", True, "1500M"),
        (2.0**40, "512Gi", True, "1Ti"),
        (1000.0, "800", True, "1k"),
    ],
)
def test_quantities_are_written_in_the_manner_of_what_was_there(
    value: float, like: str, whole: bool, expected: str
) -> None:
    """Never below the number that is meant."""
    assert expected == quantities.write(value, like, whole=whole)
    assert value - 1e-6 <= quantities.read(expected)


def test_the_quota_of_another_name_is_not_that_which_refuses() -> None:
    """What the status says of one quota says nothing of another."""
    assert fields.written(
        steps.Step.model_validate({"raiseQuota": {"ceilings": CEILINGS}}).params,
        model.LiveState(workload()),
    ) == fields.Written(QUOTA, tuple(("spec", "hard", each) for each in CEILINGS))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param({}, "ceilings", id="no ceilings"),
        pytest.param({"ceilings": {}}, "at least 1 item", id="empty ceilings"),
        pytest.param({"ceilings": {"pods": "many"}}, "a quantity such as 512Mi", id="no quantity"),
        pytest.param({"ceilings": {"Pods": 1}}, "names of resources, found 'Pods'", id="no name"),
        pytest.param({"ceilings": {"pods": 1}, "by": "3"}, "a percentage", id="no percentage"),
    ],
)
def test_a_step_that_makes_no_sense_is_told(params: dict[str, Any], message: str) -> None:
    """What is wrong, and where."""
    with pytest.raises(ValueError, match=message):
        steps.Step.model_validate({"raiseQuota": params})


def test_the_administrators_ceiling_holds_below_the_policy_s() -> None:
    """Where a restore of quotas is on, no admission policy says so."""
    found = plan(FULL, rules=Rules(quota_ceilings={"requests.cpu": "2600m"}), by="100%")
    assert found.effects[0].summary.endswith('from "2" to "2600m"')
    refusal = plan(FULL, rules=Rules(quota_ceilings={"requests.cpu": "2200m"}))
    assert isinstance(refusal, model.Refusal)
    assert Refused.AT_BOUND is refusal.reason
    assert refusal.message.endswith("a pod asks for 0.5), and its ceiling is 2200m")


def test_what_they_name_no_ceiling_for_is_not_raised() -> None:
    """They allow what they list, and nothing else."""
    refusal = plan(FULL, rules=Rules(quota_ceilings={"pods": 50}))
    assert isinstance(refusal, model.Refusal)
    assert (Refused.FIELD_NOT_ALLOWED, True) == (refusal.reason, refusal.skip_step)
    assert "the administrators' raiseQuota.ceilings names none for it" in refusal.message
