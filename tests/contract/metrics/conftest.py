"""The two sources that every case of this folder is asked of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract import metric_worlds


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[metric_worlds.World]:
    """A Prometheus of our own."""
    with metric_worlds.prometheus(tmp_path_factory.mktemp("prometheus")) as found:
        yield found


@pytest.fixture(scope="module")
def simulated() -> metric_worlds.World:
    """A store with the same samples."""
    return metric_worlds.simulated()


@pytest.fixture(params=["simulated", "prometheus"])
def world(request: pytest.FixtureRequest) -> metric_worlds.World:
    """Every test runs on both."""
    found: metric_worlds.World = request.getfixturevalue(request.param)
    return found
