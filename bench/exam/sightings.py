"""What was seen of incidents while a fault was there: which, when, and whom they suspect."""

from __future__ import annotations

import dataclasses
import datetime
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lab.shop.faults import Ref

Object = Mapping[str, Any]
List = Callable[[], Iterable[Object]]
MERGED = "Merged"
POLL_SECONDS = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Suspect:
    """A suspect as an incident names it."""

    ref: Ref
    field: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Sighting:
    """An incident at one moment. Times are seconds since the epoch."""

    at: float
    key: str
    """Name of the Incident: it keeps it where it moves, out of the first namespace that is sick."""
    started: float
    """When its first symptom began."""
    state: str
    places: frozenset[str]
    """Namespaces and nodes that it is about."""
    suspects: tuple[Suspect, ...]
    last_symptom: float = 0.0
    """When its newest symptom began."""

    def concerns(self, shop: str) -> bool:
        """Whether something of the shop is in it; namespaces and nodes begin with its name."""
        return any(each.startswith(f"{shop}-") for each in self.places)


def read(found: Object, at: float) -> Sighting | None:
    """What an Incident object says; None for a mirror, which only repeats another one."""
    spec, status = found.get("spec", {}), found.get("status") or {}
    if spec.get("mirror"):
        return None
    metadata = found["metadata"]
    suspects = tuple(_suspect(each) for each in status.get("suspects") or ())
    objects = [each["object"] for each in status.get("members") or ()]
    return Sighting(
        at=at,
        key=metadata["name"],
        started=seconds(status.get("startedAt") or spec.get("openedAt")) or at,
        state=status.get("state", "Open"),
        places=frozenset(
            {metadata["namespace"], *(status.get("namespaces") or ())}
            | {each.get("namespace") or each["name"] for each in objects}
        ),
        suspects=suspects,
        last_symptom=seconds(status.get("lastSymptomAt")) or 0.0,
    )


def _suspect(found: Object) -> Suspect:
    named = found["object"]
    ref = Ref(named["kind"], named.get("namespace", ""), named["name"])
    return Suspect(ref, found.get("field", ""))


def seconds(text: str | None) -> float | None:
    """A moment of the API as seconds since the epoch."""
    return datetime.datetime.fromisoformat(text).timestamp() if text else None


class Watcher:
    """Asks for all incidents once a second, in a thread, and keeps what changed of each."""

    def __init__(self, ask: List, now: Callable[[], float] = time.time) -> None:
        self._ask = ask
        self._now = now
        self._seen: dict[str, list[Sighting]] = {}
        self._whole: dict[str, Object] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.errors = 0
        """Requests that failed: a few are no harm, as the next one tells all."""

    def run(self) -> None:
        """Look until `stop`."""
        while not self._stop.wait(POLL_SECONDS):
            try:
                self.look()
            except OSError:
                self.errors += 1

    def stop(self) -> None:
        """End `run`."""
        self._stop.set()

    def look(self) -> None:
        """Look once."""
        at = self._now()
        read_all = [(item, read(item, at)) for item in self._ask()]
        with self._lock:
            for item, each in read_all:
                if each is None:
                    continue
                self._whole[each.key] = item
                history = self._seen.setdefault(each.key, [])
                if not history or dataclasses.replace(history[-1], at=at) != each:
                    history.append(each)

    def of(self, shop: str) -> list[list[Sighting]]:
        """The histories of a shop's incidents, the one with the earliest symptom first."""
        with self._lock:
            copies = [list(history) for history in self._seen.values()]
        found = [each for each in copies if any(one.concerns(shop) for one in each)]
        return sorted(found, key=lambda history: (history[-1].started, history[0].key))

    def whole(self, shop: str) -> list[Object]:
        """The Incident objects of a shop as they were seen last."""
        keys = [history[0].key for history in self.of(shop)]
        with self._lock:
            return [self._whole[key] for key in keys]
