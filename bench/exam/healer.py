"""What the examiner asks the lab about healing: what was done, what is left, what was changed."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml

from bench.exam import healing, manifests, policies, remedies, shops, telemetry
from bench.exam.remedies import Remedy
from lab.cluster import Lab
from lab.shop.faults import Truth

API = "/apis/prunella.dev/v1alpha1"


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """A fault in a shop, as it was right after the injection."""

    truth: Truth
    shop: str
    began: float
    """When the injection began, in seconds since the epoch."""
    before: tuple[str, ...] = ()
    """Alerts that fired already."""
    objects: manifests.Picture = dataclasses.field(default_factory=dict)
    """The shop's objects, broken."""


@dataclasses.dataclass(frozen=True, slots=True)
class Healer:
    """Puts policies into shops, and looks at what comes of them."""

    lab: Lab
    items: shops.Items
    ask: telemetry.Ask
    now: Callable[[], float] = time.time

    def prepare(self, shop: str) -> None:
        """Install the policies by which a shop is to be healed."""
        self.lab.apply(yaml.safe_dump_all(policies.documents(shop)))

    def picture(self, shop: str) -> manifests.Picture:
        """The shop's objects as they are."""
        return manifests.picture(self.items, shop)

    def kept(self, shop: str) -> list[Mapping[str, Any]]:
        """What people look at afterwards: records and policies with their status."""
        return [*self._of(shop, "remediations"), *self._of(shop, "remediationpolicies")]

    def under_way(self, shop: str) -> bool:
        """Whether a proof or an undoing is still to come."""
        return healing.pending(self._remedies(shop))

    def healed(self, stage: Stage) -> bool:
        """Whether all is well again; asks first what costs least."""
        found = self._remedies(stage.shop)
        if healing.pending(found) or not any(each.succeeded for each in found):
            return False
        return not self._left(stage)

    def judged(self, stage: Stage, incidents: Iterable[Mapping[str, Any]]) -> healing.Healing:
        """The verdict on what was done."""
        return healing.judge(
            self._remedies(stage.shop),
            stage.truth,
            stage.began,
            left=self._left(stage),
            refusals=remedies.refusals(self._of(stage.shop, "remediationpolicies")),
            sick=remedies.sick(incidents),
            changed=manifests.changed(stage.objects, self.picture(stage.shop)),
        )

    def _of(self, shop: str, plural: str) -> list[Mapping[str, Any]]:
        """The objects of one of our kinds in all namespaces of a shop."""
        paths = [f"{API}/namespaces/{each}/{plural}" for each in shops.namespaces(shop)]
        return [each for path in paths for each in self.items(path)]

    def _remedies(self, shop: str) -> list[Remedy]:
        return remedies.read_all(self._of(shop, "remediations"))

    def _left(self, stage: Stage) -> tuple[str, ...]:
        return telemetry.left(self.ask, stage.shop, stage.began, self.now(), stage.before)
