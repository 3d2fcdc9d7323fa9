"""Jobs of the simulated API server that no CronJob owns."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from prunella import ports
from prunella.adapters.simulated import controllers as controllers_module
from prunella.core import model, objects
from prunella.core.decisions import started

RUN_SECONDS: Final = 30.0
"""How long a Job runs; one whose image's name contains ``broken`` fails then."""


Script = Callable[[Mapping[str, Any]], tuple[bool, str]]


class Jobs:
    """All such Jobs, by namespace and name."""

    def __init__(self, controllers: controllers_module.Controllers, script: Script) -> None:
        self._controllers = controllers
        self.runs: dict[model.Ref, started.Run] = {}
        self.log = "done\n"
        """What a Job writes."""
        self.script = script
        """What a Job does when it ends: whether it ends well, and its log, unless that is empty."""
        self.hang = False
        """Whether Jobs never end, as when no node takes their pods."""

    def create(self, effect: model.Effect, mark: str, *, dry_run: bool) -> None:
        """Create a Job under its name. Raises ClusterError."""
        ref, manifest = effect.target, effect.manifest
        if ref in self.runs:
            raise ports.Conflict(f"jobs.batch {ref.name!r} already exists", status=409)
        if dry_run:
            return
        annotations = {**manifest["metadata"]["annotations"], objects.MARK: mark}
        self.runs[ref] = started.Run(started.RunState.RUNNING, mark=annotations[objects.MARK])
        if not self.hang:
            self._controllers.later(RUN_SECONDS, lambda: self._end(ref, manifest))

    def _end(self, ref: model.Ref, manifest: Mapping[str, Any]) -> None:
        if ref not in self.runs:
            return
        image = str(manifest["spec"]["template"]["spec"]["containers"][0]["image"])
        well, log = self.script(manifest)
        broken = "broken" in image or not well
        state = started.RunState.FAILED if broken else started.RunState.SUCCEEDED
        message = "BackoffLimitExceeded: Job has reached the limit" if broken else ""
        log = log or self.log
        self.runs[ref] = dataclasses.replace(self.runs[ref], state=state, message=message, log=log)

    def delete(self, ref: model.Ref) -> None:
        """Let somebody delete a Job."""
        del self.runs[ref]
