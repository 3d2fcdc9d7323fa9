"""CronJobs of the simulated API server: what is stored, patched and shown of them.

Their schedules are not simulated: a test lets one run.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

from prunella.adapters.simulated import state
from prunella.core import model

SUSPEND = "spec.suspend"


@dataclasses.dataclass(slots=True, eq=False)
class CronJobState:
    """One CronJob."""

    ref: model.Ref
    manifest: state.Manifest
    owners: dict[str, set[str]]

    def view(self, manifest: state.Manifest | None = None) -> model.Workload:
        """The CronJob as the core sees it; ``manifest`` in place of the stored one."""
        shown = copy.deepcopy(manifest or self.manifest)
        metadata, spec = shown["metadata"], shown["spec"]
        return model.Workload(
            ref=self.ref,
            uid=metadata["uid"],
            generation=metadata["generation"],
            observed_generation=metadata["generation"],
            replicas=1,
            updated=1,
            available=1,
            total=1,
            labels=metadata.get("labels", {}),
            annotations=metadata.get("annotations", {}),
            template=spec["jobTemplate"],
            field_owners={field: frozenset(names) for field, names in self.owners.items()},
            resource_version=metadata["resourceVersion"],
            suspended=bool(spec.get("suspend")),
        )

    def store(self, new: state.Manifest, manager: str, version: str) -> None:
        """Take in a changed manifest."""
        if self.manifest["spec"].get("suspend") != new["spec"].get("suspend"):
            self.owners[SUSPEND] = {manager}
        self.manifest = next_version(self.manifest, new)
        self.manifest["metadata"]["resourceVersion"] = version


def new(ref: model.Ref, manifest: Mapping[str, Any], uid: str, version: str) -> CronJobState:
    """A CronJob from its manifest, as its creator owns it."""
    metadata = {**copy.deepcopy(manifest["metadata"]), "uid": uid, "generation": 1}
    metadata["resourceVersion"] = version
    stored = {"metadata": metadata, "spec": copy.deepcopy(manifest["spec"])}
    return CronJobState(ref, stored, {SUSPEND: {"kubectl-create"}})


def next_version(old: state.Manifest, changed: state.Manifest) -> state.Manifest:
    """``changed`` as it is stored: the generation is raised when the spec has changed."""
    stored = copy.deepcopy(changed)
    generation = old["metadata"]["generation"] + (old["spec"] != stored["spec"])
    stored["metadata"]["generation"] = generation
    return stored
