"""Bounds that administrators state hold for whatever writes a field, and for its undoing."""

from __future__ import annotations

from typing import Any

import pytest

from prunella.core import model
from prunella.core.decisions import bounds
from prunella.core.decisions.rules import Rules, WritableField

QUOTA = model.Ref("ResourceQuota", "shop", "small")
HPA = model.Ref("HorizontalPodAutoscaler", "shop", "checkout")
FLAGS = model.Ref("ConfigMap", "shop", "flags")
BUDGET = model.Ref("PodDisruptionBudget", "shop", "db")
RULES = Rules(
    scale_most=20,
    quota_ceilings={"pods": 50, "requests.memory": "64Gi"},
    fields=(
        WritableField("v1", "ConfigMap", "data.search", name="flags", values=("on", "off")),
        WritableField("policy/v1", "PodDisruptionBudget", "spec.minAvailable", min=1, max=5),
    ),
)


def quota(**hard: Any) -> dict[str, Any]:
    """A quota's limits; an underscore stands for a dot."""
    limits = {name.replace("_", "."): value for name, value in hard.items()}
    return {"apiVersion": "v1", "spec": {"hard": limits}}


def hpa(most: Any, least: Any = 1) -> dict[str, Any]:
    """An autoscaler's bounds."""
    return {"apiVersion": "autoscaling/v2", "spec": {"minReplicas": least, "maxReplicas": most}}


def flags(search: Any) -> dict[str, Any]:
    """A ConfigMap's data."""
    return {"apiVersion": "v1", "data": {"search": search}}


def budget(least: Any) -> dict[str, Any]:
    """A disruption budget."""
    return {"apiVersion": "policy/v1", "spec": {"minAvailable": least}}


CASES = [
    pytest.param(QUOTA, quota(pods="4"), quota(pods="40"), "", id="within"),
    pytest.param(QUOTA, quota(pods="4"), quota(pods="51"), 'from "4" to "51"', id="above"),
    pytest.param(QUOTA, quota(pods="51"), quota(pods="4"), "up to 50", id="the way back is above"),
    pytest.param(
        QUOTA, quota(pods="51", cpu="1"), quota(pods="51", cpu="2"), "", id="left as it is"
    ),
    pytest.param(
        QUOTA, quota(requests_memory="1Gi"), quota(requests_memory="65Gi"), "64Gi", id="a quantity"
    ),
    pytest.param(QUOTA, quota(cpu="1"), quota(cpu="999"), "", id="no ceiling is stated"),
    pytest.param(QUOTA, quota(pods="4"), quota(pods="many"), 'to "many"', id="no quantity"),
    pytest.param(QUOTA, None, quota(pods="99"), "from nothing", id="created again"),
    pytest.param(QUOTA, quota(pods="99"), None, "to nothing", id="deleted, and made again in vain"),
    pytest.param(HPA, hpa(5), hpa(20), "", id="a maximum within"),
    pytest.param(HPA, hpa(5), hpa(21), "chart value scaleBounds.max", id="a maximum above"),
    pytest.param(HPA, hpa(20), hpa(20, 25), "spec.minReplicas", id="a minimum above"),
    pytest.param(FLAGS, flags("on"), flags("off"), "", id="a text that may be"),
    pytest.param(FLAGS, flags("on"), flags("half"), "one of on, off", id="another text"),
    pytest.param(
        FLAGS._replace(name="other"), flags("on"), flags("half"), "", id="of another object"
    ),
    pytest.param(BUDGET, budget(2), budget(0), "1 to 5", id="below"),
    pytest.param(BUDGET, budget(2), budget("50%"), "1 to 5", id="a share is no number"),
]


@pytest.mark.parametrize(("ref", "was", "becomes", "told"), CASES)
def test_a_change_keeps_the_bounds_there_and_back(
    ref: model.Ref, was: Any, becomes: Any, told: str
) -> None:
    """The refusal names the field, both values, the bound, and where it is stated."""
    found = bounds.broken(RULES, ref, was, becomes)
    assert told in found
    assert bool(told) is bool(found)


def test_where_nothing_is_stated_nothing_is_broken() -> None:
    """As without the actions whose bounds these are."""
    assert bounds.broken(Rules(), QUOTA, quota(pods="4"), quota(pods="9999")) == ""
