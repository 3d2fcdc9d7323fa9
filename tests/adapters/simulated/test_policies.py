"""Policies in memory."""

from __future__ import annotations

from typing import Any

import pytest

from prunella import ports
from prunella.adapters.simulated import policies as simulated
from prunella.api import policy as policy_api
from prunella.api import policy_status
from prunella.core import objects

KEY = objects.Key("shop", "checkout")
SPEC: dict[str, Any] = {
    "target": {"name": "checkout"},
    "signals": [
        {"name": "up", "prometheus": {"query": "app_up"}, "threshold": {"below": 1}},
    ],
    "steps": [{"restart": {}}],
}


@pytest.fixture
def policies() -> simulated.SimulatedPolicies:
    """No policies."""
    return simulated.SimulatedPolicies()


async def test_a_policy_is_read_as_it_was_applied(policies: simulated.SimulatedPolicies) -> None:
    """Generations count changes of the spec, and nothing else."""
    first = policies.apply(KEY.namespace, KEY.name, SPEC)
    policies.annotate(KEY, objects.RESUMED, "now by ann")
    same = policies.apply(KEY.namespace, KEY.name, policy_api.RemediationPolicySpec(**SPEC))
    assert (1, 1, first.uid) == (first.generation, same.generation, same.uid)
    changed = policies.apply(KEY.namespace, KEY.name, {**SPEC, "suspend": True})
    assert 2 == changed.generation
    assert "now by ann" == changed.annotations[objects.RESUMED]
    assert [changed] == list(policies.all())
    assert changed == await policies.read(KEY)


async def test_a_bad_spec_is_kept_with_its_problem(policies: simulated.SimulatedPolicies) -> None:
    """The field that is wrong is named."""
    policy = policies.apply("shop", "checkout", {**SPEC, "target": {"nam": "x"}})
    assert policy.spec is None
    assert policy.problem.startswith("spec.target")


async def test_a_status_survives_and_a_lost_race_does_nothing(
    policies: simulated.SimulatedPolicies,
) -> None:
    """A status is written on what was read; on anything newer, or gone, it is dropped."""
    read = policies.apply("shop", "checkout", SPEC)
    status = policy_status.RemediationPolicyStatus(observed_generation=1)
    await policies.write_status(read, status)
    stored = await policies.read(KEY)
    assert stored is not None
    assert (status, 1) == (stored.status, stored.generation)
    await policies.write_status(read, policy_status.RemediationPolicyStatus(observed_generation=9))
    assert stored == await policies.read(KEY)
    policies.delete(KEY)
    await policies.write_status(stored, status)
    assert await policies.read(KEY) is None


async def test_a_broken_watch_misses_a_deletion(policies: simulated.SimulatedPolicies) -> None:
    """The deleted policy is still listed, until a re-list; a read tells the truth."""
    policies.apply("shop", "checkout", SPEC)
    policies.break_watch()
    policies.delete(KEY)
    assert [KEY] == [policy.key for policy in policies.all()]
    assert await policies.read(KEY) is None
    policies.relist()
    assert [] == list(policies.all())
    policies.apply("shop", "checkout", SPEC)
    policies.mend_watch()
    assert 1 == len(policies.all())


async def test_an_unreachable_server(policies: simulated.SimulatedPolicies) -> None:
    """Reads and writes raise; the watched copy goes on."""
    policy = policies.apply("shop", "checkout", SPEC)
    policies.faults.unreachable()
    with pytest.raises(ports.ClusterError):
        await policies.read(KEY)
    with pytest.raises(ports.ClusterError):
        await policies.write_status(policy, policy.status)
    assert [policy] == list(policies.all())
