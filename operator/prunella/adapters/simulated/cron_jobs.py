"""CronJobs of the simulated API server: what is stored, patched and shown of them.

Their schedules are not simulated: a test lets one run.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any, Final

from prunella.adapters.simulated import state
from prunella.core import model

SUSPEND = "spec.suspend"


RUN_SECONDS: Final = 30.0
"""How long a Job runs; one whose image's tag contains ``broken`` fails then."""


@dataclasses.dataclass(slots=True, eq=False)
class JobRun:
    """One Job."""

    name: str
    uid: str
    created: datetime.datetime
    annotations: dict[str, str]
    state: model.JobState = model.JobState.ACTIVE

    def view(self) -> model.Job:
        """The Job as the core sees it."""
        failed = self.state is model.JobState.FAILED
        message = "BackoffLimitExceeded" if failed else ""
        return model.Job(
            self.name, self.uid, self.created, self.state, message, dict(self.annotations)
        )


@dataclasses.dataclass(slots=True, eq=False)
class CronJobState:
    """One CronJob."""

    ref: model.Ref
    manifest: state.Manifest
    owners: dict[str, set[str]]
    jobs: list[JobRun] = dataclasses.field(default_factory=list)

    @property
    def outcome(self) -> model.JobState:
        """How a run of its template ends."""
        spec = self.manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        broken = "broken" in spec["containers"][0]["image"].rpartition(":")[2]
        return model.JobState.FAILED if broken else model.JobState.COMPLETE

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
