"""Effects as planned on what is there, and when the tests begin."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from prunella.adapters.simulated import cluster as clusters
from prunella.core import model

START = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.UTC)


async def looked(cluster: clusters.SimulatedCluster, ref: model.Ref) -> model.Look:
    """A look at a workload that is there."""
    look = await cluster.look(ref)
    assert look is not None
    return look


async def effect(
    cluster: clusters.SimulatedCluster, ref: model.Ref, *patch: Mapping[str, object]
) -> model.Effect:
    """A patch as planned on what is there now."""
    workload = (await looked(cluster, ref)).workload
    return model.Effect(model.Verb.PATCH, ref, workload.uid, "a change", workload.generation, patch)
