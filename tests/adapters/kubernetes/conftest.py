"""A server that does as it is told, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from prunella.adapters.kubernetes import client
from tests.adapters.kubernetes import fake_server


@pytest.fixture
async def server() -> AsyncIterator[fake_server.FakeServer]:
    """A fake API server."""
    async with fake_server.running() as found:
        yield found


@pytest.fixture
async def api(server: fake_server.FakeServer) -> AsyncIterator[client.KubeApi]:
    """A client of the fake API server."""
    made = fake_server.api_of(server.url)
    yield made
    made.close()
