"""An empty cluster with a clock that stands, and a Deployment in it."""

from __future__ import annotations

import pytest

from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import cluster as clusters
from prunella.core import model
from tests.adapters.simulated import planning


@pytest.fixture
def clock() -> clocks.VirtualClock:
    """A clock that stands."""
    return clocks.VirtualClock(planning.START)


@pytest.fixture
def cluster(clock: clocks.VirtualClock) -> clusters.SimulatedCluster:
    """An empty cluster."""
    return clusters.SimulatedCluster(clock)


@pytest.fixture
def shop(cluster: clusters.SimulatedCluster) -> model.Ref:
    """A Deployment of 3."""
    return cluster.add_deployment("shop", "checkout", "shop/checkout:v1")
