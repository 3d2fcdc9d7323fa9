"""Examine one fault in a fresh shop: raise, wait for usual data, inject, watch, judge, remove."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Callable, Sequence

from bench.exam import judge, shops, telemetry
from bench.exam.sightings import Sighting
from lab.binaries import LabError
from lab.cluster import Lab
from lab.shop import faults, injection

Histories = Callable[[str], Sequence[Sequence[Sighting]]]
"""The histories of a shop's incidents, by the shop's name."""
POLL_SECONDS = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that the stages of one fault may take."""

    usual: float = 75.0
    """Usual data after the shop is available."""
    settle: float = 20.0
    """From the first named cause to the verdict: what else is opened, what is named at last."""
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
    histories: Histories | None
    """None without an operator: then only the symptoms are looked at."""
    patience: Patience = Patience()
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
        if self.histories is None:
            return outcome
        first = began if seen.first is None else seen.first
        verdict = judge.judge(self.histories(shop), fault.truth, began, first)
        return dataclasses.replace(outcome, verdict=verdict)

    def _watch(self, shop: str, began: float) -> None:
        """Wait until something was named and has settled, or the limit has passed."""
        end = self.now() + self.patience.limit
        while (now := self.now()) < end:
            named = judge.named(self.histories(shop), began) if self.histories else None
            if named is not None and now >= named + self.patience.settle:
                return
            self.sleep(POLL_SECONDS)
