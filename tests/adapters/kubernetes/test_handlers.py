"""The Kopf handlers, and what of Kopf is switched on."""

from __future__ import annotations

import logging
from typing import Any

import kopf
import pytest

from prunella import handlers, ports
from prunella.adapters.kubernetes import kinds
from prunella.core.changes import kinds as changes

CONNECTION = kopf.ConnectionInfo(server="https://127.0.0.1:1")


def registry(events: list[tuple[str, Any]]) -> kopf.OperatorRegistry:
    """A registry whose events are kept in a list."""
    return handlers.registry(lambda *event: events.append(event), lambda: CONNECTION)


async def test_every_watched_kind_goes_to_its_store() -> None:
    """Each kind has one handler, which hands the raw event on and nothing else."""
    events: list[tuple[str, Any]] = []
    found = registry(events)._watching.get_all_handlers()

    for handler in found:
        await handler.fn(event={"type": None, "object": handler.id}, patch=None)

    assert [kind.name for kind in kinds.WATCHED] == [kind for kind, _ in events]
    assert [f"store-{kind.plural}" for kind in kinds.WATCHED] == [e["object"] for _, e in events]


async def test_journalled_kinds_are_added_to_the_stores() -> None:
    """A Deployment goes to its store and to the journal; each kind hands its raw event on."""
    events: list[tuple[str, Any]] = []
    journalled: list[tuple[str, Any]] = []
    handled = registry(events)
    watched = [each for each in changes.ALL if each.built_in]
    handlers.watch_changes(
        handled, watched, lambda kind, event: journalled.append((kind.name, event["object"]))
    )

    for handler in handled._watching.get_all_handlers():
        await handler.fn(event={"type": None, "object": handler.id}, patch=None)

    assert [(kind.name, f"journal-{kind.plural}") for kind in watched] == journalled
    assert [kind.name for kind in kinds.WATCHED] == [kind for kind, _ in events]
    assert "secrets" not in {kind.plural for kind in changes.ALL}


def test_nothing_writes_to_watched_objects() -> None:
    """No daemons, timers, change handlers or indexes: those would patch, or grow quadratically."""
    found = registry([])

    assert [] == list(found._changing.get_all_handlers())
    assert [] == list(found._spawning.get_all_handlers())
    assert [] == list(found._indexing.get_all_handlers())


def test_pods_are_not_watched() -> None:
    """Thousands of pods would cost more than all the rest."""
    selected = [h.selector for h in registry([])._watching.get_all_handlers()]

    assert {kind.plural for kind in kinds.WATCHED} == {s.any_name for s in selected if s}
    assert "pods" not in {kind.plural for kind in kinds.WATCHED}


def test_login_that_fails_ends_kopf(caplog: pytest.LogCaptureFixture) -> None:
    """Without access the login has no answer: Kopf ends on that, and would hang on an error."""

    def fail() -> kopf.ConnectionInfo:
        raise ports.ClusterError("the token is gone")

    with caplog.at_level(logging.ERROR):
        good, bad = (
            next(iter(handlers.registry(lambda *_: None, login)._activities.get_all_handlers()))
            for login in (lambda: CONNECTION, fail)
        )
        assert (CONNECTION, None) == (good.fn(), bad.fn())

    assert "the token is gone" in caplog.text


def test_settings_bound_every_wait() -> None:
    """No watch or request of Kopf's waits for ever, and it posts nothing by itself."""
    found = handlers.settings()

    assert (290, 300, 70.0, 500) == (
        found.watching.server_timeout,
        found.watching.client_timeout,
        found.watching.inactivity_timeout,
        found.watching.chunk_size,
    )
    assert (30, 5) == (found.networking.request_timeout, found.networking.connect_timeout)
    assert (True, True, False, False) == (
        found.peering.standalone,
        found.scanning.disabled,
        found.posting.enabled,
        found.networking.trust_env,
    )
    assert (None, 0.1) == (found.queueing.worker_limit, found.queueing.idle_timeout)
