"""Lists of objects for a close look: bounded, kept for some seconds, never raising.

Several incidents are looked at in one round, and most of them in the same namespaces: a list is
asked once for all of them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any

from prunella import ports
from prunella.adapters.kubernetes import client, kinds
from prunella.core import model

Objects = Mapping[model.Ref, Mapping[str, Any]]
_Key = tuple[str, str | None, str]
MOST_PAGES = 8
"""Pages of 500 objects that one list may have; beyond it the list counts as incomplete."""
KEPT = 256
"""Lists that are remembered at once."""
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Listed:
    """The objects of a list, and whether they are all."""

    objects: Objects
    complete: bool


NOTHING = Listed({}, complete=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """One list to ask for."""

    kind: kinds.Kind
    namespace: str | None
    selector: str = ""
    """A field selector; a list with one is never complete."""
    seconds: float = 4.0
    """How old it may be."""


class Looks:
    """Asks for lists and remembers them for some seconds."""

    def __init__(self, api: client.KubeApi, clock: Callable[[], float]) -> None:
        """``clock`` gives seconds that only grow."""
        self._api = api
        self._clock = clock
        self._kept: dict[_Key, tuple[float, Listed]] = {}
        self._asked: dict[_Key, asyncio.Task[Listed]] = {}
        """Lists that are on their way: views that are made side by side wait for the same."""
        self._told: set[str] = set()

    async def all(self, wanted: list[Wanted]) -> list[Listed]:
        """The lists, asked at once."""
        return list(await asyncio.gather(*(self.one(each) for each in wanted)))

    async def one(self, wanted: Wanted) -> Listed:
        """A list; empty and incomplete when it can't be had."""
        key = (wanted.kind.plural, wanted.namespace, wanted.selector)
        now = self._clock()
        known = self._kept.get(key)
        if known is not None and now - known[0] < wanted.seconds:
            return known[1]
        asked = self._asked.get(key)
        if asked is None:
            asked = self._asked[key] = asyncio.create_task(self._ask(wanted))
            asked.add_done_callback(lambda _: self._asked.pop(key))
        # One who waits no longer must not take the list from the others.
        found = await asyncio.shield(asked)
        self._kept[key] = (now, found)
        if len(self._kept) > KEPT:
            del self._kept[min(self._kept, key=lambda each: self._kept[each][0])]
        return found

    async def _ask(self, wanted: Wanted) -> Listed:
        found: dict[model.Ref, Mapping[str, Any]] = {}
        query = {"fieldSelector": wanted.selector} if wanted.selector else {}
        pages = 0
        try:
            async for page in self._api.pages(wanted.kind.path(wanted.namespace), query):
                found.update(_slim(wanted.kind.name, raw) for raw in page["items"])
                pages += 1
                if pages == MOST_PAGES:
                    break
        except ports.ClusterError as error:
            self._tell(wanted.kind, error)
            return Listed(found, complete=False)
        return Listed(found, complete=not wanted.selector and pages < MOST_PAGES)

    def _tell(self, kind: kinds.Kind, error: ports.ClusterError) -> None:
        """Say once for each kind why it can't be looked at: its right may be off by intent."""
        if kind.plural not in self._told:
            self._told.add(kind.plural)
            _log.warning("diagnosis does without %s: %s", kind.plural, error)


def _slim(kind: str, raw: dict[str, Any]) -> tuple[model.Ref, Mapping[str, Any]]:
    """An object without managedFields, which are half of it; items of lists have no kind."""
    raw["metadata"].pop("managedFields", None)
    meta = raw["metadata"]
    return model.Ref(kind, meta.get("namespace", ""), meta["name"]), {**raw, "kind": kind}
