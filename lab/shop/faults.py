"""Faults as data: a folder with ``inject.yaml`` and ``truth.yaml``, nothing else.

``inject.yaml`` is a list of steps, each what a person does with kubectl; ``truth.yaml`` names the
objects and fields that are the cause, which only a judge reads. ``${SHOP}`` stands for the
shop's name in both. The form is described in ``lab/shop/README.md``.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lab.binaries import LabError
from lab.shop import located
from lab.shop.located import Located

FOLDER = pathlib.Path(__file__).parent / "faults"
FILES = ("inject.yaml", "truth.yaml")
CLUSTER_SCOPED = frozenset(
    (
        "ClusterRole",
        "ClusterRoleBinding",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingWebhookConfiguration",
    )
)
NAMESPACED = frozenset(
    (
        "ConfigMap",
        "CronJob",
        "DaemonSet",
        "Deployment",
        "EndpointSlice",
        "Endpoints",
        "HorizontalPodAutoscaler",
        "Ingress",
        "Job",
        "LimitRange",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "Pod",
        "PodDisruptionBudget",
        "ReplicaSet",
        "ResourceQuota",
        "Role",
        "RoleBinding",
        "Secret",
        "Service",
        "ServiceAccount",
        "StatefulSet",
    )
)
PATCH_TYPES = ("strategic", "merge", "json")
NO_CURE = "none"
FOR_PEOPLE = frozenset(
    (
        "ClusterRole",
        "ClusterRoleBinding",
        "Namespace",
        "Node",
        "PriorityClass",
        "Role",
        "RoleBinding",
        "Secret",
        "ServiceAccount",
    )
)
"""Kinds that an operator of workloads may not put right: power, rights, credentials, the cluster's
own settings."""
SCALED = ("Deployment", "ReplicaSet", "StatefulSet")
RESTARTED = ("DaemonSet", "Deployment", "StatefulSet")


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Ref:
    """An object by kind, namespace (empty for cluster-scoped kinds) and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One thing that is done to the cluster, ``after`` seconds."""

    verb: str
    """patch, apply, delete, scale or restart."""
    target: Ref
    """What it is done to; without a name where ``selector`` chooses."""
    after: float = 0.0
    manager: str = ""
    """Field manager, where it is not kubectl's own for the verb."""
    patch_type: str = "strategic"
    body: Any = None
    """The patch, or the manifest."""
    replicas: int = 0
    selector: str = ""
    """Of a deletion: the objects with these labels, instead of one by its name."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cause:
    """An object that is the cause of a fault, and the field that was changed for it."""

    ref: Ref
    field: str
    """As ``spec.template.spec.containers[app].image``; empty: the object itself."""


@dataclasses.dataclass(frozen=True, slots=True)
class Truth:
    """What a good answer names. Several causes are several faults at the same time."""

    causes: tuple[Cause, ...]
    also: tuple[Ref, ...] = ()
    """What else may rightly be named."""
    nothing: bool = False
    """Nothing is wrong: whatever is named is named falsely."""
    note: str = ""
    cure: str = ""
    """The action that heals it, ``none`` where none may; empty: not said."""
    why: str = ""
    """Why it has no cure."""

    @property
    def curable(self) -> bool:
        """Whether there is something that an operator may do about it."""
        if self.nothing or self.cure == NO_CURE:
            return False
        return bool(self.cure) or not all(each.ref.kind in FOR_PEOPLE for each in self.causes)


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """One fault for one shop."""

    name: str
    steps: tuple[Step, ...]
    truth: Truth


def folders(root: pathlib.Path = FOLDER) -> list[pathlib.Path]:
    """Every fault's folder below ``root``, by name; LabError when there is none."""
    if not root.is_dir():
        raise LabError(f"{root} is no folder of faults")
    found = sorted(each for each in root.iterdir() if each.is_dir())
    if not found:
        raise LabError(f"{root} holds no fault: each is a folder with {' and '.join(FILES)}")
    return found


def load(folder: pathlib.Path, shop: str) -> Fault:
    """The fault of a folder for one shop; LabError names the file, the line and what is wrong."""
    names = sorted(each.name for each in folder.iterdir())
    for name in FILES:
        if name not in names:
            raise LabError(f"{folder}: {name} is missing")
    if extra := [name for name in names if name not in FILES]:
        raise LabError(f"{folder}: {extra[0]} does not belong here: only {' and '.join(FILES)} do")
    variables = {"SHOP": shop}
    steps = tuple(_steps(folder / "inject.yaml", variables))
    return Fault(folder.name, steps, _truth(folder / "truth.yaml", variables))


def _steps(path: pathlib.Path, variables: dict[str, str]) -> Iterator[Step]:
    """Steps stand in one list, or in documents of their own."""
    documents = located.read(path, variables)
    if not documents:
        raise LabError(f"{path}: nothing is injected: the file is empty")
    for document in documents:
        found = document.elements() if isinstance(document.value, list) else [document]
        for each in found:
            yield _step(each)


def _step(step: Located) -> Step:
    members = step.fields({*_VERBS, "after", "manager"})
    verbs = [key for key in members if key in _VERBS]
    if len(verbs) != 1:
        found = " and ".join(verbs) or "none"
        raise step.error(f"found {found}, wanted one of {', '.join(_VERBS)}")
    made = _VERBS[verbs[0]](members[verbs[0]])
    after = members["after"].number() if "after" in members else 0.0
    manager = members["manager"].text() if "manager" in members else ""
    return dataclasses.replace(made, after=after, manager=manager)


def _patch(step: Located) -> Step:
    members = step.fields({"kind", "namespace", "name", "type", "patch"}, ("patch",))
    chosen = members["type"].text() if "type" in members else "strategic"
    if chosen not in PATCH_TYPES:
        raise members["type"].error(f"type {chosen!r}: wanted one of {', '.join(PATCH_TYPES)}")
    wanted = list if chosen == "json" else dict
    if not isinstance(members["patch"].value, wanted):
        shape = "a list of operations" if wanted is list else "a mapping"
        raise members["patch"].error(f"a {chosen} patch is {shape}")
    body = members["patch"].value
    return Step("patch", _ref(step, members), patch_type=chosen, body=body)


def _apply(step: Located) -> Step:
    members = dict(step.items())
    for key in ("apiVersion", "kind", "metadata"):
        if key not in members:
            raise step.error(f"a manifest has {key!r}")
    metadata = dict(members["metadata"].items())
    place = {key: each for key, each in metadata.items() if key in ("namespace", "name")}
    return Step("apply", _ref(step, {"kind": members["kind"], **place}), body=step.value)


def _delete(step: Located) -> Step:
    members = step.fields({"kind", "namespace", "name", "selector"})
    if "selector" not in members:
        return Step("delete", _ref(step, members))
    if "name" in members:
        raise step.error("found name and selector, wanted one of them")
    target = _ref(step, members, named=False)
    return Step("delete", target, selector=members["selector"].text())


def _scale(step: Located) -> Step:
    members = step.fields({"kind", "namespace", "name", "replicas"}, ("replicas",))
    target = _ref(step, members, kinds=SCALED)
    return Step("scale", target, replicas=members["replicas"].count())


def _restart(step: Located) -> Step:
    members = step.fields({"kind", "namespace", "name"})
    return Step("restart", _ref(step, members, kinds=RESTARTED))


_VERBS: dict[str, Callable[[Located], Step]] = {
    "patch": _patch,
    "apply": _apply,
    "delete": _delete,
    "scale": _scale,
    "restart": _restart,
}


def _ref(
    place: Located,
    members: Mapping[str, Located],
    *,
    named: bool = True,
    kinds: tuple[str, ...] = (),
) -> Ref:
    if "kind" not in members:
        raise place.error("'kind' is missing")
    kind = members["kind"].text()
    known = kinds or tuple(sorted(NAMESPACED | CLUSTER_SCOPED))
    if kind not in known:
        raise members["kind"].error(f"kind {kind!r}: known are {', '.join(known)}")
    if named and "name" not in members:
        raise place.error("'name' is missing")
    if (kind in NAMESPACED) != ("namespace" in members):
        wanted = "needs a namespace" if kind in NAMESPACED else "has no namespace"
        raise place.error(f"a {kind} {wanted}")
    namespace = members["namespace"].text() if "namespace" in members else ""
    return Ref(kind, namespace, members["name"].text() if named else "")


def _truth(path: pathlib.Path, variables: dict[str, str]) -> Truth:
    documents = located.read(path, variables)
    if len(documents) != 1:
        raise LabError(f"{path}: found {len(documents)} documents, wanted one")
    members = documents[0].fields({"cause", "also", "nothing", "note", "cure", "why"})
    causes = members["cause"].elements() if "cause" in members else []
    also = members["also"].elements() if "also" in members else []
    nothing = "nothing" in members and members["nothing"].boolean()
    if nothing == bool(causes):
        raise documents[0].error("wanted either 'cause' or 'nothing: true'")
    note = members["note"].text() if "note" in members else ""
    also_right = tuple(map(_named_also, also))
    cure = _words(members.get("cure"))
    why = members["why"].text() if "why" in members else ""
    return Truth(tuple(map(_cause, causes)), also_right, nothing, note, cure, why)


def _words(found: Located | None) -> str:
    """What is said of a cure; forms that are not known say nothing."""
    if found is None or not isinstance(found.value, str | bool):
        return ""
    if found.value is False or str(found.value).lower().startswith(NO_CURE):
        return NO_CURE
    return str(found.value)


def _cause(each: Located) -> Cause:
    members = each.fields({"kind", "namespace", "name", "field"})
    field = members["field"].value if "field" in members else ""
    if not isinstance(field, str | None):
        raise members["field"].error(f"found {field!r}, wanted a text")
    return Cause(_ref(each, members), field or "")


def _named_also(each: Located) -> Ref:
    return _ref(each, each.fields({"kind", "namespace", "name", "field"}))
