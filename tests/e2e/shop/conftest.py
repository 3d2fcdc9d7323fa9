"""A lab of its own for shops, and a fresh shop for each test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from lab import addons
from lab.cluster import Lab
from lab.shop import lifecycle
from tests.e2e.harness import lease


def _prepare(lab: Lab) -> None:
    addons.start_kube_state_metrics(lab)
    addons.start_shop(lab)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A lab beside the one of ``PRUNELLA_LAB``, in which kwok leaves the shop's nodes alone."""
    name = f"{os.environ.get('PRUNELLA_LAB', 'test')}-shop"
    with lease.leased(name, _prepare, shop=True) as found:
        yield found


@pytest.fixture
def shop(lab: Lab) -> Iterator[str]:
    """The name of a fresh shop that sells, deleted after the test."""
    name = f"s{uuid.uuid4().hex[:6]}"
    lifecycle.up(lab, [name])
    yield name
    lifecycle.down(lab, [name])
