"""Examine one fault in a fresh shop: raise, wait for usual data, inject, watch, judge, remove."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from bench.exam import judge, shops, telemetry
from bench.exam.sightings import Watcher
from lab.binaries import LabError
from lab.cluster import Lab
from lab.shop import faults, injection

CHANGES = "/apis/prunella.dev/v1alpha1/changes"
POLL_SECONDS = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that the stages of one fault may take."""

    usual: float = 80.0
    """Usual data after the shop is available: until rules hold its workloads for settled."""
    settle: float = 45.0
    """That the first suspects must stay what they are: a node is known to be lost after 40 s."""
    limit: float = 90.0
    """From the end of the injection to the verdict when nothing is named."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one fault."""

    fault: str
    shop: str
    nothing: bool = False
    verdict: judge.Verdict | None = None
    """None without an operator, and when the fault could not be examined."""
    symptoms: telemetry.Symptoms = telemetry.NONE
    delay: float | None = None
    """Seconds from the injection to the first symptom."""
    before: tuple[str, ...] = ()
    """Alerts that fired before the injection: the shop was not quiet."""
    raised: float = 0.0
    """Seconds until the shop was available."""
    error: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Examiner:
    """What every fault is examined with."""

    lab: Lab
    items: shops.Items
    ask: telemetry.Ask
    watcher: Watcher | None
    """None without an operator: then only the symptoms are looked at."""
    patience: Patience = Patience()
    keep: pathlib.Path | None = None
    """A folder for every fault's Incidents and Changes, as they were at the verdict."""
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.time

    def examine(self, folder: pathlib.Path, shop: str) -> Outcome:
        """One fault until its verdict; what can't be examined is an outcome with an error."""
        started = self.now()
        try:
            fault = faults.load(folder, shop)
            shops.raise_shop(self.lab, self.items, shop)
            return self._examine(fault, shop, self.now() - started)
        except (LabError, OSError) as error:
            return Outcome(folder.name, shop, error=str(error))

    def remove(self, shop: str) -> None:
        """Remove a shop after its verdict."""
        shops.remove(self.lab, self.items, shop)

    def _examine(self, fault: faults.Fault, shop: str, raised: float) -> Outcome:
        self.sleep(self.patience.usual)
        began = self.now()
        before = tuple(telemetry.firing(self.ask, shop, began))
        injection.inject(self.lab, fault, self.sleep)
        self._watch(shop, began)
        seen = telemetry.symptoms(self.ask, shop, began, self.now())
        outcome = Outcome(
            fault=fault.name,
            shop=shop,
            nothing=fault.truth.nothing,
            symptoms=seen,
            delay=None if seen.first is None else seen.first - began,
            before=before,
            raised=raised,
        )
        if self.watcher is None:
            return outcome
        if self.keep is not None:
            self._keep(self.keep / f"{fault.name}.yaml", self.watcher, shop)
        first = began if seen.first is None else seen.first
        verdict = judge.judge(self.watcher.of(shop), fault.truth, began, first)
        return dataclasses.replace(outcome, verdict=verdict)

    def _keep(self, path: pathlib.Path, watcher: Watcher, shop: str) -> None:
        """Write the shop's Incidents, and the Changes of what was there already."""
        changes = [each for each in self.items(CHANGES) if _is_of(each, shop)]
        path.write_text(yaml.safe_dump_all([*watcher.whole(shop), *changes], sort_keys=False))

    def _watch(self, shop: str, began: float) -> None:
        """Wait until something was named and has settled, or the limit has passed."""
        end = self.now() + self.patience.limit
        while (now := self.now()) < end:
            since = judge.settled(self.watcher.of(shop), began) if self.watcher else None
            if since is not None and now >= since + self.patience.settle:
                return
            self.sleep(POLL_SECONDS)


def _is_of(change: Mapping[str, Any], shop: str) -> bool:
    spec = change["spec"]
    place = spec["object"].get("namespace") or spec["object"]["name"]
    return place.startswith(f"{shop}-") and spec["verb"] != "Created"
