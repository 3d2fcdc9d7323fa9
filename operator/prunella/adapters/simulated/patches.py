"""JSON patches and updates of manifests, with the checks that the API server makes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import jsonpatch
import jsonpointer

from prunella import ports
from prunella.adapters.simulated import state
from prunella.core import model, objects
from prunella.core.changes import swaps

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


def apply(manifest: state.Manifest, effect: model.Effect, mark: str) -> state.Manifest:
    """The manifest after an effect, which also leaves ``mark`` on it.

    Raises ClusterError with status 422 when uid or generation are not as planned, or the result
    would be invalid: then nothing is changed.
    """
    if not effect.patch:
        raise invalid("an empty patch changes nothing")
    if effect.tested:
        return tested(manifest, effect)
    operations: list[Mapping[str, Any]] = [
        {"op": "test", "path": "/metadata/uid", "value": effect.uid}
    ]
    if effect.generation is not None:
        path = "/metadata/generation"
        operations.append({"op": "test", "path": path, "value": effect.generation})
    if "annotations" not in manifest["metadata"]:
        operations.append({"op": "add", "path": "/metadata/annotations", "value": {}})
    path = f"/metadata/annotations/{jsonpointer.escape(objects.MARK)}"
    operations.append({"op": "add", "path": path, "value": mark})
    operations.extend(effect.patch)
    try:
        patched: state.Manifest = jsonpatch.apply_patch(manifest, operations)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise invalid(str(error).replace("\n", " ")) from error
    return patched


def tested(manifest: state.Manifest, effect: model.Effect) -> state.Manifest:
    """The manifest after an effect that tests what it replaces, and leaves no mark."""
    metadata = manifest["metadata"]
    known = (
        ("uid", effect.uid),
        ("generation", effect.generation),
        ("resourceVersion", effect.resource_version),
    )
    for field, wanted in known:
        if wanted not in {None, ""} and metadata.get(field) != wanted:
            raise invalid(f"testing value /metadata/{field} failed: it is {metadata.get(field)}")
    try:
        patched: state.Manifest = swaps.apply(effect.patch, manifest)
    except swaps.NotApplicableError as error:
        raise invalid(str(error)) from error
    return patched


def invalid(message: str) -> ports.ClusterError:
    """What the API server answers to a change that can't be."""
    return ports.ClusterError(f"the server rejected the patch: {message}", status=422)


def check(old: state.Manifest, new: state.Manifest) -> None:
    """Refuse what the API server's validation refuses. Raises ClusterError with status 422."""
    for field in ("name", "namespace", "uid"):
        if old["metadata"][field] != new["metadata"].get(field):
            raise invalid(f"metadata.{field} is immutable")
    if old["spec"]["selector"] != new["spec"].get("selector"):
        raise invalid("spec.selector is immutable")
    replicas = new["spec"].get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        raise invalid(f"spec.replicas: {replicas!r} must be a number from 0 up")
    labels = new["spec"]["template"].get("metadata", {}).get("labels", {})
    if not state.selects(new["spec"]["selector"]["matchLabels"], labels):
        raise invalid("spec.selector does not match spec.template.metadata.labels")


def action(old: state.Manifest, new: state.Manifest) -> str:
    """The action that makes such a change, as the chart's admission policy tells them apart."""
    if old["spec"]["template"] == new["spec"]["template"]:
        restarted = old["spec"].get("restartAt") != new["spec"].get("restartAt")
        return "restart" if restarted else "scale"
    return "restart" if _unrestarted(old) == _unrestarted(new) else "rollback"


def _unrestarted(manifest: state.Manifest) -> state.Manifest:
    template = copy.deepcopy(manifest["spec"]["template"])
    annotations = template.get("metadata", {}).pop("annotations", None) or {}
    annotations.pop(RESTARTED_AT, None)
    return {**template, "annotations": annotations}


def next_version(kind: str, old: state.Manifest, new: state.Manifest) -> state.Manifest:
    """``new`` as it is stored: status kept, generation raised when the spec has changed.

    Annotations of a Deployment raise it too: they are copied to its ReplicaSets.
    """
    stored = {**_without_empty(new), "status": copy.deepcopy(old["status"])}
    annotations = [each["metadata"].get("annotations") for each in (old, stored)]
    changed = old["spec"] != stored["spec"]
    if kind == "Deployment":
        changed = changed or annotations[0] != annotations[1]
    stored["metadata"]["generation"] = old["metadata"]["generation"] + changed
    return stored


def _without_empty(manifest: state.Manifest) -> state.Manifest:
    """A copy without empty labels and annotations: the API server does not keep them."""
    kept = copy.deepcopy(manifest)
    for metadata in (kept["metadata"], kept["spec"]["template"].setdefault("metadata", {})):
        for field in ("annotations", "labels"):
            if not metadata.get(field):
                metadata.pop(field, None)
    return kept


def take_fields(
    owners: dict[str, set[str]], old: state.Manifest, new: state.Manifest, manager: str
) -> None:
    """Note in ``owners`` who wrote last: all of replicas, or some of the template's fields."""
    if old["spec"].get("replicas") != new["spec"].get("replicas"):
        owners[state.REPLICAS] = {manager}
    if old["spec"]["template"] != new["spec"]["template"]:
        owners.setdefault(state.TEMPLATE, set()).add(manager)
