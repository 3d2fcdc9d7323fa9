"""What came with a release beside its template: ConfigMaps that go back with it, one-way steps.

Tools that deploy write ConfigMaps and run migrations shortly before the workload.  A ConfigMap is
put back only in the fields of that Change, and only where nobody has changed them since.  What a
migration did to a database, or a claim to a volume, no rollback takes back: the earlier release may
not run on it.  The journal tells of a day; what was created earlier the objects themselves tell.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Mapping
from typing import Any, Final

from prunella.actions import restore
from prunella.api import change as change_api
from prunella.api import reasons
from prunella.api import steps as steps_api
from prunella.core import model, objects
from prunella.core.changes import undo
from prunella.core.changes.values import Change
from prunella.core.decisions import action, bounds
from prunella.core.incidents import dependents

Refused = reasons.Refused
WINDOW: Final = datetime.timedelta(minutes=2)
"""What was changed so shortly before or after the rollout came with the release."""
_MIGRATES: Final = re.compile(r"migrat|schema|alembic|flyway|liquibase", re.IGNORECASE)
_SAME_RELEASE: Final = ("app.kubernetes.io/instance", "app.kubernetes.io/name", "app")
"""Labels by which a Job belongs to a workload's release."""


@dataclasses.dataclass(frozen=True, slots=True)
class Along:
    """What is put back along with the template."""

    effects: tuple[model.Effect, ...] = ()
    left: str = ""
    """What is not, and why, as the end of a sentence."""


def plan(
    request: action.Request,
    params: steps_api.Rollback,
    chosen: model.Revision,
    began: model.Revision,
) -> Along | model.Refusal | tuple[model.Need, ...]:
    """What goes back with the revision; ``began`` is the one after it, the first that is left."""
    released = began.released or began.created
    since = [c for c in request.recent.changes if c.at >= released - WINDOW and not c.spec.by.own]
    found = {each.object: told for each in since if (told := _one_way(request, each))}
    one_way = list((_created(request, released - WINDOW) | found).values())
    if one_way and not params.allow_one_way:
        message = (
            f"{'; '.join(one_way[:3])} since {released - WINDOW:%Y-%m-%dT%H:%M:%SZ}: no rollback "
            "takes that back; with allowOneWay: true it is done all the same"
        )
        return model.Refusal(Refused.ONE_WAY, message, skip_step=True)
    if not params.config_maps:
        return Along()
    came_with = [each for each in since if each.at <= released + WINDOW]
    return _config_maps(request, chosen, came_with)


def _one_way(request: action.Request, change: Change) -> str:
    """The step of a Change that no rollback takes back; nothing for the others."""
    ref, verb = change.object, change.spec.verb
    if ref.kind == "Job" and verb is change_api.Verb.CREATED and _of_release(request, ref):
        return f"{ref} was run at {change.at:%H:%M:%S}"
    fields = any(field.path.startswith("spec.") for field in change.spec.fields)
    wanted = fields or verb is not change_api.Verb.MODIFIED
    if ref.kind == "PersistentVolumeClaim" and wanted and _mounts(request, ref.name):
        return f"{ref} was {verb.value.lower()} at {change.at:%H:%M:%S}"
    return ""


def _created(request: action.Request, since: datetime.datetime) -> dict[model.Ref, str]:
    """The same of Jobs and claims that are there, by their own word: the journal forgets."""
    found = {}
    for ref, manifest in sorted(request.recent.there.items(), key=lambda each: each[0]):
        metadata = manifest["metadata"]
        own = objects.MARK in (metadata.get("annotations") or {})
        if own or not (text := metadata.get("creationTimestamp")):
            continue
        of_release = _of_release(request, ref) if ref.kind == "Job" else _mounts(request, ref.name)
        at = datetime.datetime.fromisoformat(text)
        if at >= since and of_release:
            found[ref] = f"{ref} was created at {at:%Y-%m-%dT%H:%M:%SZ}"
    return found


def _of_release(request: action.Request, job: model.Ref) -> bool:
    """Whether a Job migrates something, or belongs to the target's release by name or label."""
    workload = request.live_state.workload
    if _MIGRATES.search(job.name) or job.name.startswith(f"{workload.ref.name}-"):
        return True
    metadata = request.recent.there.get(job, {}).get("metadata") or {}
    labels = metadata.get("labels") or {}
    return any(labels.get(key) and labels[key] == workload.labels.get(key) for key in _SAME_RELEASE)


def _mounts(request: action.Request, claim: str) -> bool:
    """Whether the target's pods mount a claim, now or in an earlier revision.

    Those of a StatefulSet's replicas are named TEMPLATE-NAME-ORDINAL.
    """
    workload = request.live_state.workload
    if workload.ref.kind == "StatefulSet":
        return re.search(rf"-{re.escape(workload.ref.name)}-[0-9]+$", claim) is not None
    templates = [workload.template, *(each.template for each in request.live_state.revisions)]
    specs: list[Any] = [template.get("spec") or {} for template in templates]
    return any(
        (volume.get("persistentVolumeClaim") or {}).get("claimName") == claim
        for spec in specs
        for volume in spec.get("volumes") or ()
    )


def _config_maps(
    request: action.Request, chosen: model.Revision, changes: list[Change]
) -> Along | model.Refusal | tuple[model.Need, ...]:
    """The ConfigMaps that the earlier template names, as before the first Change of each."""
    names = dependents.config_maps({"spec": {"template": chosen.template}})
    first: dict[model.Ref, Change] = {}
    for each in changes:
        modified = each.spec.verb is change_api.Verb.MODIFIED
        if each.object.kind == "ConfigMap" and modified and each.object.name in names:
            first.setdefault(each.object, each)
    needs = tuple(
        model.Need(model.NeedKind.OBJECT, ref, change=change.name)
        for ref, change in sorted(first.items())
        if ref not in request.looked
    )
    return needs or _along(request, first)


def _along(request: action.Request, first: Mapping[model.Ref, Change]) -> Along | model.Refusal:
    effects, left = [], []
    for ref, change in sorted(first.items()):
        looked = request.looked[ref]
        if looked.problem:
            return model.Refusal(Refused.FORBIDDEN, looked.problem)
        if looked.change is not None and looked.change.name != change.name:
            left.append(f"; {ref} stays as it is: an incident suspects {looked.change.name} of it")
            continue
        found = looked.undo
        if not isinstance(found, undo.Undo) or found.swaps is None or looked.manifest is None:
            why = found.message if isinstance(found, undo.Obstacle) else "its change is gone"
            left.append(f"; {ref} stays as it is: {why}")
            continue
        if broken := bounds.broken(request.rules, ref, *restore.before_and_after(looked, found)):
            left.append(f"; {ref} stays as it is: {broken}")
            continue
        summary = f"restore {ref} as before {found.change.name}, which came with the release"
        effects.append(restore.patching(ref, looked.manifest, found.swaps, summary))
    return Along(tuple(effects), "".join(left))
