"""PersistentVolumeClaims that pods mount: which ones a step means, and how far a resize has come.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from prunella.api import capacity, quantities, reasons
from prunella.core import model

CLAIM: Final = "PersistentVolumeClaim"
REQUEST: Final = ("spec", "resources", "requests", "storage")
"""The one field of a claim that may grow."""
MOST_CLAIMS: Final = 10
"""Claims that are made larger at once."""
_UNDER_WAY: Final = (
    "Resizing",
    "FileSystemResizePending",
    "ControllerResizeError",
    "NodeResizeError",
)
"""Conditions of a claim whose resize is not over; those of errors are tried again."""
Manifest = Mapping[str, Any]


def meant(
    params: capacity.ExpandVolume, live_state: model.LiveState, findings: Sequence[model.Finding]
) -> tuple[model.Ref, ...] | model.Refusal:
    """The claims of the sick pods, or of all where no signal names one, by name."""
    target = live_state.workload.ref
    named = {pod for finding in findings for pod in finding.sick_pods}
    pods = [pod for pod in live_state.pods if not pod.deleting]
    chosen = [pod for pod in pods if pod.name in named or not named]
    volumes = sorted({volume for pod in chosen for volume in pod.claims})
    volume = params.volume or (volumes[0] if len(volumes) == 1 else "")
    if volume not in volumes:
        told = ", ".join(volumes) or "none"
        what = f"no volume {params.volume} that is a claim" if params.volume else "several claims"
        if not volumes:
            what = "no claim"
        message = f"{what} among the volumes of {target}'s pods; claims are: {told}"
        return model.Refusal(reasons.Refused.NOT_WRITABLE, message, skip_step=True)
    names = sorted({pod.claims[volume] for pod in chosen if volume in pod.claims})
    if len(names) > MOST_CLAIMS:
        message = f"{len(names)} claims of {target} are meant, {MOST_CLAIMS} grow at once at most"
        return model.Refusal(reasons.Refused.AT_BOUND, message, skip_step=True)
    return tuple(model.Ref(CLAIM, target.namespace, name) for name in names)


def named(spec: Mapping[str, Any]) -> Mapping[str, str]:
    """The claims that a pod's spec names, by volume; those that come and go with it are its own."""
    return {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in spec.get("volumes") or ()
        if volume.get("persistentVolumeClaim")
    }


def requested(manifest: Manifest) -> str:
    """What a claim asks for, as it is written."""
    return str(manifest["spec"]["resources"]["requests"]["storage"])


def capacity_of(manifest: Manifest) -> str:
    """What a claim has; empty where no volume is bound."""
    return str(((manifest.get("status") or {}).get("capacity") or {}).get("storage", ""))


def pending(manifest: Manifest) -> str:
    """Why a claim's resize is not over, in the words of its status; empty: none is under way."""
    status = manifest.get("status") or {}
    told = [
        f"{each['type']} ({each['message']})" if each.get("message") else str(each["type"])
        for each in status.get("conditions") or ()
        if each["type"] in _UNDER_WAY and each.get("status") == "True"
    ]
    states = status.get("allocatedResourceStatuses") or {}
    if state := states.get("storage"):
        told.append(str(state))
    has = capacity_of(manifest) or "0"
    if quantities.read(has) < quantities.read(requested(manifest)):
        told.insert(0, f"it asks for {requested(manifest)} and has {has}")
    return "; ".join(told)
