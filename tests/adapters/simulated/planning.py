"""Effects as planned on what is there, a record to keep, and when the tests begin."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from prunella.adapters.simulated import cluster as clusters
from prunella.api import policy as policy_api
from prunella.api import remediation
from prunella.core import model

START = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.UTC)
SPEC = remediation.RemediationSpec(
    policy=remediation.PolicyReference(name="p", namespace="shop", uid="p-1", generation=1),
    target=remediation.TargetReference(
        kind="Deployment", namespace="shop", name="checkout", uid="uid-1"
    ),
    attempt=1,
    mode=policy_api.Mode.LIVE,
    step=0,
    action="restart",
    decided_at=START,
    reason="errors",
)


async def looked(cluster: clusters.SimulatedCluster, ref: model.Ref) -> model.LiveState:
    """A look at a workload that is there."""
    live_state = await cluster.live_state(ref)
    assert live_state is not None
    return live_state


async def effect(
    cluster: clusters.SimulatedCluster, ref: model.Ref, *patch: Mapping[str, object]
) -> model.Effect:
    """A patch as planned on what is there now."""
    workload = (await looked(cluster, ref)).workload
    return model.Effect(model.Verb.PATCH, ref, workload.uid, "a change", workload.generation, patch)
