"""Examine one fault in a fresh shop: raise, wait for usual data, inject, watch, judge, remove."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from bench.exam import healing, judge, shops, telemetry
from bench.exam.healer import Healer, Stage
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
    heal: float = 150.0
    """From the end of the injection to the verdict when a fault with a cure is not healed."""
    undo: float = 90.0
    """More for what is under way then: a proof, or the undoing of what did not help."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one fault."""

    fault: str
    shop: str
    nothing: bool = False
    verdict: judge.Verdict | None = None
    """None without an operator, and when the fault could not be examined."""
    healing: healing.Healing | None = None
    """None where nobody was to heal."""
    symptoms: telemetry.Symptoms = telemetry.NONE
    delay: float | None = None
    """Seconds from the step that does harm to the first symptom."""
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
    """A folder for all that was written about every fault, as it was at the verdict."""
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.time
    healer: Healer | None = None
    """None where nobody is to heal."""

    def examine(self, folder: pathlib.Path, shop: str) -> Outcome:
        """One fault until its verdict; what can't be examined is an outcome with an error."""
        started = self.now()
        try:
            fault = faults.load(folder, shop)
            shops.raise_shop(self.lab, self.items, shop)
            if self.healer is not None:
                self.healer.prepare(shop)
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
        harmed = injection.inject(self.lab, fault, self.sleep, self.now) or began
        objects = self.healer.picture(shop) if self.healer is not None else {}
        stage = Stage(fault.truth, shop, began, before, objects)
        self._watch(stage)
        seen = telemetry.symptoms(self.ask, shop, harmed, self.now())
        outcome = Outcome(
            fault=fault.name,
            shop=shop,
            nothing=fault.truth.nothing,
            symptoms=seen,
            delay=None if seen.first is None else seen.first - harmed,
            before=before,
            raised=raised,
        )
        return outcome if self.watcher is None else self._judged(outcome, stage, self.watcher)

    def _judged(self, outcome: Outcome, stage: Stage, watcher: Watcher) -> Outcome:
        """With the verdicts on what was named and on what was done."""
        if self.keep is not None:
            self._keep(self.keep / f"{outcome.fault}.yaml", watcher, stage.shop)
        seen = outcome.symptoms.first
        first = stage.began if seen is None else seen
        verdict = judge.judge(watcher.of(stage.shop), stage.truth, stage.began, first)
        incidents = watcher.whole(stage.shop)
        healed = None if self.healer is None else self.healer.judged(stage, incidents)
        return dataclasses.replace(outcome, verdict=verdict, healing=healed)

    def _keep(self, path: pathlib.Path, watcher: Watcher, shop: str) -> None:
        """Write the shop's Incidents, the Changes of what was there already, and what was done."""
        changes = [each for each in self.items(CHANGES) if _is_of(each, shop)]
        done = [] if self.healer is None else self.healer.kept(shop)
        every = [*watcher.whole(shop), *changes, *done]
        path.write_text(yaml.safe_dump_all(every, sort_keys=False))

    def _watch(self, stage: Stage) -> None:
        """Wait until something was named, has settled and is healed, or a limit has passed."""
        injected = self.now()
        while self._goes_on(stage, self.now() - injected):
            histories = self.watcher.of(stage.shop) if self.watcher else []
            since = judge.settled(histories, stage.began)
            settled = since is not None and self.now() >= since + self.patience.settle
            if settled and self._healed(stage):
                return
            self.sleep(POLL_SECONDS)

    def _healed(self, stage: Stage) -> bool:
        """Whether there is nothing to heal, or it was."""
        healer = self.healer
        return healer is None or not stage.truth.curable or healer.healed(stage)

    def _goes_on(self, stage: Stage, waited: float) -> bool:
        """Whether something may still come, so many seconds after the injection."""
        if self.healer is None:
            return waited < self.patience.limit
        limit = self.patience.heal if stage.truth.curable else self.patience.limit
        more = limit + self.patience.undo
        return waited < limit or (waited < more and self.healer.under_way(stage.shop))


def _is_of(change: Mapping[str, Any], shop: str) -> bool:
    spec = change["spec"]
    place = spec["object"].get("namespace") or spec["object"]["name"]
    return place.startswith(f"{shop}-") and spec["verb"] != "Created"
