"""Kopf handlers: every event goes into a store and nowhere else.

No finalizers, daemons, timers or indexes: nothing that would write to the watched objects, and
nothing that acts on an event. What is done follows from the stores, by the engine's own clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import kopf

from prunella import ports
from prunella.adapters.kubernetes import kinds
from prunella.core.changes import kinds as journalled

Registry = kopf.OperatorRegistry
OnEvent = Callable[[str, Mapping[str, Any]], None]
"""Called in Kopf's thread with the kind and the raw watch event."""
OnJournal = Callable[[journalled.Kind, Mapping[str, Any]], None]
"""Called in Kopf's thread with the journalled kind and the raw watch event."""
Login = Callable[[], kopf.ConnectionInfo]
_log = logging.getLogger(__name__)


def registry(
    on_event: OnEvent, login: Login, watched: Iterable[kinds.Kind] = kinds.WATCHED
) -> kopf.OperatorRegistry:
    """A registry with one handler per watched kind and our own login."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    def log_in(**_: Any) -> kopf.ConnectionInfo | None:
        """Without credentials Kopf ends; an error would leave it waiting for ever."""
        try:
            return login()
        except ports.ClusterError as error:
            _log.error("Kopf can't log in: %s", error)
            return None

    for kind in watched:
        watch_kind(handlers, kind, on_event)
    return handlers


def watch_kind(handlers: kopf.OperatorRegistry, kind: kinds.Kind, on_event: OnEvent) -> None:
    """Add a kind to a registry, before Kopf is started; see `watch_changes`."""

    @kopf.on.event(
        kind.group, kind.version, kind.plural, registry=handlers, id=f"store-{kind.plural}"
    )
    async def store(event: kopf.RawEvent, **_: Any) -> None:
        on_event(kind.name, event)


def watch_changes(
    handlers: kopf.OperatorRegistry, watched: Iterable[journalled.Kind], on_event: OnJournal
) -> None:
    """Add the journalled kinds to a registry, before Kopf is started.

    Only kinds that are installed and may be read: Kopf ends at the first list that is refused.
    """
    for kind in watched:
        _watch_changes(handlers, kind, on_event)


def _watch_changes(
    handlers: kopf.OperatorRegistry, kind: journalled.Kind, on_event: OnJournal
) -> None:
    @kopf.on.event(
        kind.group, kind.version, kind.plural, registry=handlers, id=f"journal-{kind.plural}"
    )
    async def journal(event: kopf.RawEvent, **_: Any) -> None:
        on_event(kind, event)


def settings() -> kopf.OperatorSettings:
    """Kopf's settings: bounded waits everywhere, no writes, no rights beyond our own kinds."""
    chosen = kopf.OperatorSettings()
    chosen.peering.standalone = True
    chosen.scanning.disabled = True
    chosen.posting.enabled = False
    watching = chosen.watching
    watching.server_timeout, watching.client_timeout = 290, 300
    watching.connect_timeout, watching.reconnect_backoff = 10, 1.0
    watching.inactivity_timeout = 70.0
    watching.chunk_size = 500
    # A worker keeps the object that it was made for until it has been idle for so long: with the
    # default of 5 s all of a big cluster's are held at once.
    chosen.queueing.idle_timeout = 0.1
    networking = chosen.networking
    networking.request_timeout, networking.connect_timeout = 30, 5
    networking.error_backoffs = (0.5, 1, 2, 4, 8)
    networking.trust_env = False
    # Kopf would kill the whole process; when to exit is for whoever awaits the watch.
    chosen.process.ultimate_exiting_timeout = None
    return chosen
