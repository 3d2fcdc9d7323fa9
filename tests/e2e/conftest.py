"""What the end-to-end tests share: one lab for the session and a namespace for each test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from lab import lifecycle
from lab.cluster import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab named by ``PRUNELLA_LAB`` (default ``test``).

    One that runs already is used and left running; one that had to be started is taken down
    at the end, unless ``PRUNELLA_LAB_KEEP=1``.
    """
    name = os.environ.get("PRUNELLA_LAB", "test")
    ran_before = lifecycle.status(name).is_up
    yield lifecycle.up(name)
    if not ran_before and os.environ.get("PRUNELLA_LAB_KEEP") != "1":
        lifecycle.down(name)


@pytest.fixture
def namespace(lab: Lab) -> Iterator[str]:
    """A fresh namespace, deleted after the test."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    lab.kubectl("create", "namespace", name)
    yield name
    lab.kubectl("delete", "namespace", name, "--wait=false")
