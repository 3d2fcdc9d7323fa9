"""A shop that has opened, for tests that break something in it."""

from __future__ import annotations

import copy

import pytest

from tests.lab.shop.cluster import Shop


@pytest.fixture(scope="session")
def opened() -> Shop:
    """A shop in virtual time, open and warmed up: only to be copied."""
    made = Shop()
    made.run(30)
    return made


@pytest.fixture
def shop(opened: Shop) -> Shop:
    """A shop of the test's own."""
    return copy.deepcopy(opened)
