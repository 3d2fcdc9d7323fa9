"""What kubectl would make of a shop's manifests: enough to see which fields a step changes."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonpatch

from lab.shop.faults import Ref, Step

Objects = dict[Ref, dict[str, Any]]
MERGE_KEYS = {"ports": ("containerPort", "port"), "volumeMounts": ("mountPath",)}
"""Of lists that strategic patches merge by something else than a name."""
NAMED = {"containers", "initContainers", "env", "volumes"}
ABSENT = object()


def ref_of(document: Mapping[str, Any]) -> Ref:
    """The object that a manifest is about."""
    metadata = document["metadata"]
    return Ref(document["kind"], metadata.get("namespace", ""), metadata["name"])


def take(objects: Objects, step: Step) -> None:
    """Change the objects as the step does; KeyError when there is no such object."""
    if step.verb == "apply":
        objects[step.target] = copy.deepcopy(step.body)
    elif step.verb == "delete":
        chosen = [step.target] if not step.selector else _selected(objects, step)
        for each in chosen:
            del objects[each]
    else:
        objects[step.target] = _changed(objects[step.target], step)


def _selected(objects: Objects, step: Step) -> list[Ref]:
    """Objects other than pods; pods are looked for by what makes them."""
    if step.target.kind == "Pod":
        assert _makes_pods(objects, step), f"nothing makes pods with {step.selector}"
        return []
    wanted = dict([step.selector.split("=", 1)])
    return [
        ref
        for ref, found in objects.items()
        if (ref.kind, ref.namespace) == (step.target.kind, step.target.namespace)
        and wanted.items() <= found["metadata"].get("labels", {}).items()
    ]


def _makes_pods(objects: Objects, step: Step) -> bool:
    wanted = dict([step.selector.split("=", 1)]).items()
    templates = (
        found["spec"]["template"]["metadata"]["labels"]
        for ref, found in objects.items()
        if ref.namespace == step.target.namespace and "template" in found.get("spec", {})
    )
    return any(wanted <= labels.items() for labels in templates)


def _changed(found: dict[str, Any], step: Step) -> dict[str, Any]:
    if step.verb == "scale":
        return _merge(found, {"spec": {"replicas": step.replicas}}, strategic=False)
    if step.verb == "restart":
        stamp = {"kubectl.kubernetes.io/restartedAt": "now"}
        patch = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
        return _merge(found, patch, strategic=False)
    if step.patch_type == "json":
        changed: dict[str, Any] = jsonpatch.apply_patch(found, step.body)
        return changed
    return _merge(found, step.body, strategic=step.patch_type == "strategic")


def _merge(found: Any, patch: Any, *, strategic: bool, name: str = "") -> Any:
    if isinstance(patch, Mapping):
        merged = dict(found) if isinstance(found, Mapping) else {}
        for key, value in patch.items():
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = _merge(merged.get(key), value, strategic=strategic, name=key)
        return merged
    if strategic and isinstance(found, list) and (key := _merge_key(name, patch)):
        patched = {each[key]: each for each in patch}
        kept = [
            _merge(each, patched.pop(each[key]), strategic=True)
            if each.get(key) in patched
            else each
            for each in found
        ]
        return kept + list(patched.values())
    return patch


def _merge_key(name: str, patch: Any) -> str | None:
    keys = MERGE_KEYS.get(name, ("name",) if name in NAMED else ())
    return next((key for key in keys if all(key in each for each in patch)), None)


def value_at(document: Any, path: str) -> Any:
    """The value at a path such as ``spec.ports[name=http].targetPort``; ABSENT when it is not."""
    for part in parts(path):
        document = _step_into(document, part)
        if document is ABSENT:
            return ABSENT
    return document


def parts(path: str) -> Iterator[str]:
    """The members and elements of a path: ``spec``, ``ports``, ``name=http``, ``targetPort``."""
    for found in re.finditer(r"\[([^]]*)]|([^.\[\]]+)", path):
        yield found[1] if found[1] is not None else found[2]


def _step_into(document: Any, part: str) -> Any:
    if isinstance(document, Mapping):
        return document.get(part, ABSENT)
    if not isinstance(document, list):
        return ABSENT
    if part.isdigit():
        return document[int(part)] if int(part) < len(document) else ABSENT
    key, _, value = part.partition("=")
    return next((each for each in document if str(each.get(key)) == value), ABSENT)
