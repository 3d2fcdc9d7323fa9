"""A shop that has opened, for tests that break something in it."""

from __future__ import annotations

import pytest

from tests.lab.shop.cluster import Shop


@pytest.fixture
def shop() -> Shop:
    """A shop in virtual time, open and warmed up."""
    made = Shop()
    made.run(30)
    return made
