"""A webhook in virtual time, and one that is really listened on."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import AsyncIterator, Callable

import pytest

from prunella import settings
from prunella.adapters.intake import server, webhook
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import telemetry
from tests.adapters.intake import bodies

TOKEN = "sesame-open-sesame"  # noqa: S105 - of this test alone


@dataclasses.dataclass
class Hook:
    """A webhook with its clock and its metrics."""

    webhook: webhook.AlertmanagerWebhook
    clock: clocks.VirtualClock
    telemetry: telemetry.RecordingTelemetry
    settings: settings.Webhook
    url: str = ""

    def outcomes(self) -> dict[str, float]:
        """How many requests were counted, by outcome."""
        names = ("accepted", "full", "malformed", "oversized", "replayed", "truncated")
        more = ("unauthorized", "rate_limited", "slow", "unknown")
        return {
            name: self.telemetry.value(webhook.COUNTER, path=path, outcome=name)
            for path in ("alertmanager", "other")
            for name in (*names, *more)
            if self.telemetry.value(webhook.COUNTER, path=path, outcome=name)
        }


def hook_of(wanted: settings.Webhook) -> Hook:
    """A webhook with these settings."""
    clock, counted = clocks.VirtualClock(bodies.START), telemetry.RecordingTelemetry()
    door = webhook.Doorkeeper(wanted)
    return Hook(webhook.AlertmanagerWebhook(wanted, door, clock, counted), clock, counted, wanted)


Make = Callable[..., Hook]


@pytest.fixture
def token_file(tmp_path: pathlib.Path) -> pathlib.Path:
    """The file of the bearer token."""
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


@pytest.fixture
def make_hook(token_file: pathlib.Path) -> Make:
    """Makes a webhook; the fields are those of its settings."""

    def make(**fields: object) -> Hook:
        wanted = settings.Webhook.model_validate(
            {
                "enabled": True,
                "host": "127.0.0.1",
                "port": 0,
                "bearer_token_file": token_file,
                **fields,
            }
        )
        return hook_of(wanted)

    return make


Listen = Callable[..., contextlib.AbstractAsyncContextManager[Hook]]


@pytest.fixture
def listen(make_hook: Make) -> Listen:
    """Makes a webhook and listens, as long as the context lasts."""

    @contextlib.asynccontextmanager
    async def listening(**fields: object) -> AsyncIterator[Hook]:
        hook = make_hook(**fields)
        routes = {webhook.PATH: hook.webhook.handle}
        listener = server.Server(hook.settings, routes, hook.clock, hook.telemetry)
        await listener.start()
        hook.url = f"http://127.0.0.1:{listener.port}{webhook.PATH}"
        try:
            yield hook
        finally:
            await listener.stop()

    return listening
