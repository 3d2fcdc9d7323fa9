"""Claims of the simulated API server: which pods mount them, and how their volumes grow."""

from __future__ import annotations

import dataclasses
from typing import Final

from prunella import ports
from prunella.adapters.simulated import controllers as controllers_module
from prunella.adapters.simulated import others, state
from prunella.api import quantities
from prunella.core import model
from prunella.core.decisions import claims

GROWTH_SECONDS: Final = 10.0
"""Time that a driver takes to make a volume larger."""


def mounted(workload: state.WorkloadState, pod: state.PodState) -> model.Pod:
    """A pod as the core sees it, with the claims of its template and of its StatefulSet's."""
    templates = workload.manifest["spec"].get("volumeClaimTemplates") or ()
    names = [each["metadata"]["name"] for each in templates]
    own = {name: f"{name}-{pod.name}" for name in names}
    found = {**claims.named(pod.template["spec"]), **own}
    return dataclasses.replace(pod.view(), claims=found)


class Volumes:
    """The driver of all volumes."""

    def __init__(self, kept: others.Others, controllers: controllers_module.Controllers) -> None:
        self._kept = kept
        self._controllers = controllers
        self.grow = True
        """Whether volumes get larger, after a while, when their claims ask for it."""

    def admit(self, ref: model.Ref, claim: state.Manifest | None) -> None:
        """Refuse as the plugin PersistentVolumeClaimResize does. Raises ClusterError."""
        if ref.kind != claims.CLAIM or claim is None:
            return
        class_ = model.Ref("StorageClass", "", claim["spec"].get("storageClassName", ""))
        if not (self._kept.get(class_) or {}).get("allowVolumeExpansion"):
            message = "the storageclass that provisions the pvc must support resize"
            raise ports.ClusterError(f"{ref.name} is forbidden: {message}", status=403)

    def notice(self, ref: model.Ref) -> None:
        """A claim was written: it has what it asks for some time later."""
        if ref.kind == claims.CLAIM and self.grow:
            self._controllers.later(GROWTH_SECONDS, lambda: self._give(ref))

    def _give(self, ref: model.Ref) -> None:
        claim = self._kept.get(ref)
        if claim is None:
            return
        asked, has = claims.requested(claim), claims.capacity_of(claim)
        if quantities.read(has or 0) < quantities.read(asked):
            claim.setdefault("status", {})["capacity"] = {"storage": asked}
            self._kept.put(ref, claim)
