"""Helm of the simulated cluster: releases of one workload each, and the Jobs that roll them back.

What the script of the Job does is told in short; the script itself is tested with Helm.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from prunella.actions import run_job
from prunella.adapters.simulated import state
from prunella.api import offered
from prunella.core import model
from prunella.core.decisions import helm

MANAGER = "helm"
Edit = Callable[[model.Ref, Callable[[state.Manifest], object], str], None]
Read = Callable[[model.Ref], state.Manifest | None]


def runs_helm(manifest: Mapping[str, Any]) -> bool:
    """Whether a Job is one of `helmRollback`."""
    labels = manifest["metadata"].get("labels") or {}
    return bool(labels.get(run_job.TEMPLATE) == offered.HELM_ROLLBACK)


@dataclasses.dataclass(slots=True)
class Release:
    """A release: what its workload was in each revision, oldest first."""

    ref: model.Ref
    revisions: list[Any]
    state: str = "deployed"
    """Of the newest revision; ``pending-upgrade`` while another Helm is at work."""
    hooks: bool = False
    """Whether its chart has hooks."""


class Helm:
    """The releases of all namespaces."""

    def __init__(self, read: Read, edit: Edit) -> None:
        self._read = read
        self._edit = edit
        self.releases: dict[tuple[str, str], Release] = {}

    def install(self, ref: model.Ref, name: str) -> Release:
        """Let a workload be the first revision of a release; its manager must be Helm's."""
        marks = {helm.RELEASE: name, helm.NAMESPACE: ref.namespace}

        def mark(manifest: state.Manifest) -> None:
            manifest["metadata"].setdefault("annotations", {}).update(marks)

        self._edit(ref, mark, MANAGER)
        release = Release(ref, [self._template(ref)])
        self.releases[ref.namespace, name] = release
        return release

    def release_of(self, ref: model.Ref) -> str | None:
        """The name of the release that a workload belongs to."""
        found = (name for (_, name), each in self.releases.items() if each.ref == ref)
        return next(found, None)

    def upgrade(self, namespace: str, name: str, image: str) -> None:
        """Release another image."""
        release = self.releases[namespace, name]
        template = self._template(release.ref)
        template["spec"]["containers"][0]["image"] = image
        self._write(release, template)

    def run(self, manifest: Mapping[str, Any]) -> tuple[bool, str]:
        """What a Job of `helmRollback` does: whether it ends well, and its log."""
        if not runs_helm(manifest):
            return True, ""
        (container,) = manifest["spec"]["template"]["spec"]["containers"]
        env = {each["name"]: each["value"] for each in container["env"]}
        name = env["RELEASE"]
        release = self.releases[manifest["metadata"]["namespace"], name]
        newest, expected = len(release.revisions), env.get("EXPECT", "")
        why = ""
        if release.state.startswith("pending"):
            why = (
                f"revision {newest} is {release.state}: another Helm is at work, or was broken off"
            )
        elif expected and int(expected) != newest:
            why = f"revision {newest} is not revision {expected}, which was made"
        elif release.hooks and env["HOOKS"] == "Refuse":
            why = f"revision {newest} has hooks, and allowHooks is not set"
        elif newest == 1:
            why = f"no revision before {newest} was deployed"
        if why:
            return False, f"prunella: refused: {name}: {why}\n"
        to = int(env["TO"]) if expected else newest - 1
        self._write(release, release.revisions[to - 1])
        made = f"prunella: made revision {newest + 1} of {name} as revision {to} was"
        return True, f"{made}, after revision {newest}\n"

    def _template(self, ref: model.Ref) -> Any:
        shown = self._read(ref)
        if shown is None:
            raise KeyError(f"{ref} is not there")
        return copy.deepcopy(shown["spec"]["template"])

    def _write(self, release: Release, template: Any) -> None:
        release.revisions.append(copy.deepcopy(template))

        def write(manifest: state.Manifest) -> None:
            manifest["spec"]["template"] = copy.deepcopy(template)

        self._edit(release.ref, write, MANAGER)
