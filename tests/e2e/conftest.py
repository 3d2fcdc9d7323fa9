"""What the end-to-end tests share: one lab for the session and a namespace for each test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from lab.cluster import Lab
from tests.e2e.harness import lease


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks that only these tests use."""
    config.addinivalue_line("markers", "slow: takes minutes; is begun first")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab named by ``PRUNELLA_LAB`` (default ``test``), shared by all workers.

    One that runs already is used and left running; one that had to be started is taken down
    by the last worker, unless ``PRUNELLA_LAB_KEEP=1``.
    """
    with lease.leased(os.environ.get("PRUNELLA_LAB", "test")) as found:
        yield found


@pytest.fixture
def namespace(lab: Lab) -> Iterator[str]:
    """A fresh namespace, deleted after the test."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    lab.kubectl("create", "namespace", name)
    yield name
    lab.kubectl("delete", "namespace", name, "--wait=false")
