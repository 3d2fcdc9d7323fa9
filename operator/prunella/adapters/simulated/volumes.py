"""Claims of the simulated API server: which pods mount them, and how their volumes grow."""

from __future__ import annotations

import dataclasses
from typing import Final

from prunella import ports
from prunella.adapters.simulated import others, state
from prunella.api import quantities
from prunella.core import model
from prunella.core.decisions import claims

CLAIM: Final = claims.CLAIM
GROWTH_SECONDS: Final = 10.0
"""Time that a driver takes to make a volume larger."""


def mounted(workload: state.WorkloadState, pod: state.PodState) -> model.Pod:
    """A pod as the core sees it, with the claims of its template and of its StatefulSet's."""
    templates = workload.manifest["spec"].get("volumeClaimTemplates") or ()
    names = [each["metadata"]["name"] for each in templates]
    own = {name: f"{name}-{pod.name}" for name in names}
    found = {**claims.named(pod.template["spec"]), **own}
    return dataclasses.replace(pod.view(), claims=found)


def admit(claim: state.Manifest, kept: others.Others) -> None:
    """Refuse as the plugin PersistentVolumeClaimResize does. Raises ClusterError."""
    name = claim["spec"].get("storageClassName", "")
    found = kept.get(model.Ref("StorageClass", "", name))
    if found is None or not found.get("allowVolumeExpansion"):
        message = "the storageclass that provisions the pvc must support resize"
        raise ports.ClusterError(f"{claim['metadata']['name']} is forbidden: {message}", status=403)


def grow(kept: others.Others, ref: model.Ref) -> None:
    """The driver has made the volume as large as its claim asks for."""
    claim = kept.get(ref)
    if claim is None:
        return
    status = claim.setdefault("status", {})
    if quantities.read(claims.capacity_of(claim) or 0) < quantities.read(claims.requested(claim)):
        status["capacity"] = {"storage": claims.requested(claim)}
        kept.put(ref, claim)
