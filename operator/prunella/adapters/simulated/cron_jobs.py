"""CronJobs of the simulated API server: what is stored, patched and shown of them.

Their schedules are not simulated: a test lets one run.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
from collections.abc import Callable, Mapping
from typing import Any, Final

from prunella import ports
from prunella.adapters.simulated import controllers as controllers_module
from prunella.adapters.simulated import patches, state
from prunella.core import model, objects
from prunella.core.decisions import started

SUSPEND = "spec.suspend"
_RUNS: Final = {
    model.JobState.ACTIVE: started.RunState.RUNNING,
    model.JobState.COMPLETE: started.RunState.SUCCEEDED,
    model.JobState.FAILED: started.RunState.FAILED,
}

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

    def run(self) -> started.Run:
        """The Job as what an action has started."""
        view = self.view()
        mark = view.annotations.get(objects.MARK, "")
        return started.Run(_RUNS[self.state], view.message, mark)


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


class CronJobs:
    """All CronJobs with their Jobs, and the people who work on them."""

    def __init__(self, controllers: controllers_module.Controllers) -> None:
        self._controllers = controllers
        self._states: dict[model.Ref, CronJobState] = {}

    def __contains__(self, ref: model.Ref) -> bool:
        """Whether there is such a CronJob."""
        return ref in self._states

    def get(self, ref: model.Ref) -> CronJobState | None:
        """A CronJob, or None."""
        return self._states.get(ref)

    def views(self) -> list[model.Workload]:
        """All CronJobs as the core sees them."""
        return [each.view() for each in self._states.values()]

    def look(self, ref: model.Ref) -> model.LiveState:
        """A close look at one."""
        found = self._states[ref]
        jobs = tuple(job.view() for job in found.jobs)
        return model.LiveState(found.view(), pods_known=False, jobs=jobs)

    def job(self, ref: model.Ref) -> started.Run | None:
        """One of their Jobs by its own name, as one that nobody owns would be seen."""
        for each in self._states.values():
            for job in each.jobs:
                if (each.ref.namespace, job.name) == (ref.namespace, ref.name):
                    return job.run()
        return None

    # The operator's two requests.

    def patched(self, effect: model.Effect, mark: str) -> state.Manifest:
        """The manifest after an effect. Raises ClusterError."""
        return patches.apply(self._states[effect.target].manifest, effect, mark)

    def take(
        self, ref: model.Ref, changed: state.Manifest, manager: str, *, dry_run: bool = False
    ) -> model.Workload:
        """Take in a changed manifest, or only show what it would make."""
        found = self._states[ref]
        stored = _next_version(found.manifest, changed)
        if dry_run:
            return found.view(stored)
        if found.manifest["spec"].get("suspend") != stored["spec"].get("suspend"):
            found.owners[SUSPEND] = {manager}
        stored["metadata"]["resourceVersion"] = self._controllers.version()
        found.manifest = stored
        return found.view()

    def create_job(self, effect: model.Effect, mark: str, *, dry_run: bool) -> None:
        """Create a Job under its name. Raises ClusterError."""
        metadata = effect.manifest["metadata"]
        name, owner = metadata["name"], metadata["ownerReferences"][0]["name"]
        found = self._states.get(model.Ref("CronJob", effect.target.namespace, owner))
        if found is None:
            raise ports.ClusterError(f"CronJob/{owner} not found", status=404)
        if any(job.name == name for job in found.jobs):
            raise ports.Conflict(f"jobs.batch {name!r} already exists", status=409)
        if not dry_run:
            self._begin(found, name, {**metadata["annotations"], objects.MARK: mark})

    # People and their tools.

    def add(self, namespace: str, name: str, image: str) -> model.Ref:
        """Create a CronJob whose Jobs have this image."""
        containers = [{"name": "app", "image": image}]
        template = {"spec": {"containers": containers, "restartPolicy": "Never"}}
        return self.create(
            {
                "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
                "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}},
            }
        )

    def create(self, manifest: Mapping[str, Any]) -> model.Ref:
        """Create a CronJob from its manifest."""
        metadata = {**copy.deepcopy(manifest["metadata"]), "generation": 1}
        ref = model.Ref("CronJob", metadata["namespace"], metadata["name"])
        metadata["uid"] = f"uid-{state.digest(len(self._states), str(ref), length=20)}"
        metadata["resourceVersion"] = self._controllers.version()
        # The API server writes this default into each of them.
        stored = {
            "metadata": metadata,
            "spec": {"suspend": False, **copy.deepcopy(manifest["spec"])},
        }
        self._states[ref] = CronJobState(ref, stored, {SUSPEND: {"kubectl-create"}})
        return ref

    def run(self, ref: model.Ref, outcome: model.JobState | None = None) -> None:
        """Let a CronJob start a Job; with an ``outcome`` it has ended at once."""
        found = self._states[ref]
        job = self._begin(found, f"{ref.name}-{29_000_000 + len(found.jobs)}", {})
        if outcome is not None:
            found.jobs[-1] = dataclasses.replace(job, state=outcome)

    def edit(
        self,
        ref: model.Ref,
        change: Callable[[state.Manifest], object],
        manager: str = "kubectl-edit",
    ) -> None:
        """Let somebody change a CronJob in place."""
        changed = copy.deepcopy(self._states[ref].manifest)
        change(changed)
        self.take(ref, changed, manager)

    def suspend(self, ref: model.Ref, *, suspended: bool, manager: str = "kubectl-patch") -> None:
        """Let somebody suspend a CronJob, or let it go on."""
        changed = copy.deepcopy(self._states[ref].manifest)
        changed["spec"]["suspend"] = suspended
        self.take(ref, changed, manager)

    def _begin(self, found: CronJobState, name: str, annotations: dict[str, str]) -> JobRun:
        uid = f"job-{state.digest(str(found.ref), name, length=20)}"
        job = JobRun(name, uid, self._controllers.now(), annotations)
        found.jobs.append(job)

        def end() -> None:
            job.state = found.outcome

        self._controllers.later(RUN_SECONDS, end)
        return job


def _next_version(old: state.Manifest, changed: state.Manifest) -> state.Manifest:
    """``changed`` as it is stored: the generation is raised when the spec has changed."""
    stored = copy.deepcopy(changed)
    generation = old["metadata"]["generation"] + (old["spec"] != stored["spec"])
    stored["metadata"]["generation"] = generation
    return stored
