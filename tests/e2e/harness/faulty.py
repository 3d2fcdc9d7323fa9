"""The live operator with one fault built in: `python faulty.py FAULT --config F --kubeconfig F`.

It is wired as always; only one port is wrapped, or the watch is made deaf.  So a crash falls at
exactly the point that a story is about, and the operator itself has no switch for it.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import pathlib
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any
from unittest import mock

from prunella import handlers, logs, ports, process, wiring
from prunella import live as lives
from prunella import settings as settings_module
from prunella.adapters.kubernetes import kinds
from prunella.api import remediation
from prunella.core import model, objects
from prunella.core.changes import kinds as journalled
from prunella.engine import loop
from prunella.engine import world as worlds

AFTER_CREATE, BEFORE_SEND, AFTER_SEND = "after-create", "before-send", "after-send"
DEAF = "deaf"


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Wrapped:
    """A port that is passed on as it is, but for what a subclass changes."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class DiesAfterCreate(Wrapped):
    """A ledger that does not live to see its first record get a status."""

    async def create(
        self, namespace: str, name: str, spec: remediation.RemediationSpec
    ) -> objects.Record:
        """Create the record, and die."""
        record: objects.Record = await self._inner.create(namespace, name, spec)
        _die()
        return record


class DiesBeforeSend(Wrapped):
    """A cluster that is never asked for the first real effect."""

    async def send(self, effect: model.Effect, mark: str, *, dry_run: bool) -> ports.Receipt:
        """Die, unless it is a dry run."""
        if not dry_run:
            _die()
        receipt: ports.Receipt = await self._inner.send(effect, mark, dry_run=dry_run)
        return receipt


class DiesAfterSend(Wrapped):
    """A cluster whose answer to the first real effect is never recorded."""

    async def send(self, effect: model.Effect, mark: str, *, dry_run: bool) -> ports.Receipt:
        """Send, and die, unless it is a dry run."""
        receipt: ports.Receipt = await self._inner.send(effect, mark, dry_run=dry_run)
        if not dry_run:
            _die()
        return receipt


def _after_create(world: worlds.World) -> worlds.World:
    return dataclasses.replace(world, ledger=DiesAfterCreate(world.ledger))


def _before_send(world: worlds.World) -> worlds.World:
    return dataclasses.replace(world, cluster=DiesBeforeSend(world.cluster))


def _after_send(world: worlds.World) -> worlds.World:
    return dataclasses.replace(world, cluster=DiesAfterSend(world.cluster))


FAULTS: dict[str, Callable[[worlds.World], worlds.World]] = {
    AFTER_CREATE: _after_create,
    BEFORE_SEND: _before_send,
    AFTER_SEND: _after_send,
    DEAF: lambda world: world,
}


def _faulty_live(fault: str) -> Callable[..., lives.Live]:
    real = wiring.live

    def live(settings: settings_module.Settings, *args: Any, **named: Any) -> lives.Live:
        built = real(settings, *args, **named)
        world = FAULTS[fault](built.engine.world)
        return dataclasses.replace(built, engine=loop.Engine(world, wiring.options_of(settings)))

    return live


def _deaf_registry() -> Callable[..., Any]:
    """Handlers that lose the news of deleted policies, as a broken watch does."""
    real = handlers.registry

    def registry(on_event: handlers.OnEvent, login: handlers.Login, *watched: Any) -> Any:
        def hear(kind: str, event: Mapping[str, Any]) -> None:
            if kind == kinds.POLICY.name and event["type"] == "DELETED":
                sys.stderr.write("lost: a policy was deleted\n")
                return
            on_event(kind, event)

        return real(hear, login, *watched)

    return registry


def _deaf_changes() -> Callable[..., None]:
    """Journalled kinds of which only Kopf's first list is heard."""
    real = handlers.watch_changes

    def watch_changes(registry: Any, watched: Any, on_event: handlers.OnJournal) -> None:
        def hear(kind: journalled.Kind, event: Mapping[str, Any]) -> None:
            if event["type"] is None:
                on_event(kind, event)

        real(registry, watched, hear)

    return watch_changes


def main() -> None:
    """Run until stopped, or until the fault kills it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("fault", choices=FAULTS)
    parser.add_argument("--config", type=pathlib.Path)
    parser.add_argument("--kubeconfig", type=pathlib.Path)
    chosen = parser.parse_args()
    settings = settings_module.load(chosen.config)
    logs.configure(settings.log_format, settings.log_level)
    deaf = chosen.fault == DEAF
    registry = _deaf_registry() if deaf else handlers.registry
    watch_changes = _deaf_changes() if deaf else handlers.watch_changes
    with (
        mock.patch.object(wiring, "live", _faulty_live(chosen.fault)),
        mock.patch.object(handlers, "registry", registry),
        mock.patch.object(handlers, "watch_changes", watch_changes),
    ):
        code = asyncio.run(process.run(settings, chosen.kubeconfig))
    os._exit(code)


if __name__ == "__main__":
    main()
