"""What a restored ConfigMap needs: the restart of those that have read it as they started.

Each restart is an effect of the same Remediation, after the ConfigMap's own.  It tests what it
replaces, so that it leaves no mark and is undone with the rest: the pods are made anew once more,
with what the ConfigMap holds then.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from prunella.actions import evict_pod, restart
from prunella.api import reasons
from prunella.api import restore as restore_api
from prunella.core import model
from prunella.core.decisions import action, releases, restoring, rolling
from prunella.core.decisions.guards import ownership

Refused = reasons.Refused
Effects = tuple[model.Effect, ...]
MOST: Final = 5
"""Workloads that are restarted at most with one ConfigMap."""
_RESTARTED_AT: Final = ("spec", "template", "metadata", "annotations", releases.RESTARTED_AT)
"""All that a restart writes: who deploys the rest of the template need not give way."""


def plan(
    request: action.Request, looked: restoring.Looked, params: restore_api.Restore
) -> Effects | model.Refusal | tuple[model.Need, ...]:
    """The restarts, why there can be none, or the workloads that must be looked at first."""
    wanted = restoring.restarted(looked, params)
    if refusal := _without(looked, wanted):
        return refusal
    needs = [ref for ref in wanted if ref not in request.looked]
    if needs:
        return tuple(model.Need(model.NeedKind.OBJECT, ref) for ref in needs)
    effects: list[model.Effect] = []
    when = request.decided_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    for ref in wanted:
        seen = request.looked[ref]
        if seen.problem:
            return model.Refusal(Refused.FORBIDDEN, seen.problem)
        if seen.manifest is None or seen.manifest["spec"].get("replicas") == 0:
            continue
        own = ref == request.live_state.workload.ref
        refusal = (
            _never_replaced(ref, seen.manifest, looked.ref)
            or _owned(request, seen, looked.ref)
            or (None if own else _rolling(ref, seen.manifest, looked.ref))
        )
        if refusal is not None:
            return refusal
        effects.append(restarting(ref, seen.manifest, when, looked.ref))
        if own:
            effects.extend(evict_pod.unblock(request.live_state))
    return tuple(effects)


def _without(looked: restoring.Looked, wanted: Sequence[model.Ref]) -> model.Refusal | None:
    """Why a restore would be of no use, or would touch too much."""
    found = restoring.readers(looked)
    if found.at_start and not found.live and not wanted:
        names = ", ".join(map(str, found.at_start[:3]))
        message = (
            f"{names} read {looked.ref} as they started and would keep the old values; with "
            "restartReaders: AtStart they are restarted after it (needs action restart)"
        )
        return model.Refusal(Refused.NEEDS_RESTART, message, skip_step=True)
    if len(wanted) > MOST:
        message = f"{len(wanted)} workloads read {looked.ref}, at most {MOST} are restarted with it"
        return model.Refusal(Refused.AT_BOUND, message, skip_step=True)
    return None


def _never_replaced(
    ref: model.Ref, manifest: Mapping[str, Any], read: model.Ref
) -> model.Refusal | None:
    """Why a restart would reach no pod of a workload."""
    spec = manifest["spec"]
    if spec.get("paused"):
        message = f"{ref} reads {read} and is paused (spec.paused): it would not restart"
        return model.Refusal(Refused.ROLLOUT_PAUSED, message)
    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        message = f"{ref} reads {read}, and its update strategy is OnDelete: it would not restart"
        return model.Refusal(Refused.UPDATE_STRATEGY, message, skip_step=True)
    return None


def _owned(
    request: action.Request, seen: restoring.Looked, read: model.Ref
) -> model.Refusal | None:
    """Who else writes the annotation of a restart, by the workload's owners, marks and fields."""
    answer = ownership.fields_owned(request.rules, seen, [_RESTARTED_AT])
    if isinstance(answer, str):
        return None
    return dataclasses.replace(answer, message=f"{seen.ref} reads {read}: {answer.message}")


def _rolling(ref: model.Ref, manifest: Mapping[str, Any], read: model.Ref) -> model.Refusal | None:
    """A workload whose pods are being replaced; the target's own rollout is for the guards."""
    told = rolling.told(ref.kind, manifest)
    if not told:
        return None
    return model.Refusal(Refused.ROLLOUT_IN_PROGRESS, f"{ref} reads {read}, and rolls out: {told}")


def restarting(
    ref: model.Ref, manifest: Mapping[str, Any], when: str, read: model.Ref
) -> model.Effect:
    """The restart of a workload as it is now; the inverse makes its template as it was."""
    metadata, template = manifest["metadata"], manifest["spec"]["template"]
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    added, was = restart.annotate(template, when), annotations.get(releases.RESTARTED_AT)
    path = added["path"]
    back: dict[str, Any] = {"op": "remove", "path": path}
    if was is not None:
        back = {"op": "replace", "path": path, "value": was}
    return model.Effect(
        verb=model.Verb.PATCH,
        target=ref,
        uid=metadata["uid"],
        generation=metadata["generation"],
        patch=({"op": "test", "path": path, "value": was}, added),
        inverse=({"op": "test", "path": path, "value": added["value"]}, back),
        summary=f"restart {ref}, which has read {read} as it started",
    )
