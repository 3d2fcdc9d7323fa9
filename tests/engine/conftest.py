"""Every test of the engine is told on a stage of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.engine import harness


@pytest.fixture
async def story() -> AsyncIterator[harness.Story]:
    """A world with a running operator, and nothing in it yet."""
    async with harness.telling() as told:
        yield told


@pytest.fixture(autouse=True)
def _no_pass_may_fail(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The engine's one guard keeps it running after an error of its own; here that is a failure."""
    yield
    failed = [each.exc_text for each in caplog.records if "a pass failed" in each.getMessage()]
    assert failed == []
