"""The engine's passes, with somebody who looks on."""

from __future__ import annotations

import dataclasses
import datetime

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import step
from prunella.engine import memory as memories
from prunella.engine import policy_pass, report
from prunella.engine import world as worlds


@dataclasses.dataclass(slots=True)
class Refused:
    """A stretch of time in which nothing was done to a sick target, for one reason.

    To have been sick for too short a time is none: all illness begins with it.
    """

    target: model.Ref
    reason: str
    message: str
    """As it was at the beginning."""
    start: datetime.datetime
    end: datetime.datetime | None = None
    """The pass that decided otherwise; None when none did."""


class Recorder(report.Reporter):
    """Keeps what each pass found and decided, in place of writing it to a policy's status."""

    def __init__(self, world: worlds.World, options: worlds.Options) -> None:
        super().__init__(world, options)
        self.outcome: step.Outcome | None = None
        """Of the newest pass."""
        self.refusals: list[Refused] = []
        self.passes = 0
        self._open: dict[model.Ref, Refused] = {}

    async def report(
        self,
        policy: objects.Policy,  # noqa: ARG002 - as the reporter's
        memory: memories.PolicyMemory,  # noqa: ARG002
        outcome: step.Outcome,
        now: datetime.datetime,
    ) -> None:
        """Note one pass."""
        self.outcome = outcome
        self.passes += 1
        refused = {
            ref: decision.refusal
            for ref, decision in outcome.decisions.items()
            if decision.refusal is not None
            and decision.refusal.reason is not reasons.Refused.NOT_HELD
        }
        for ref, row in list(self._open.items()):
            found = refused.get(ref)
            if found is None or found.reason.value != row.reason:
                row.end = now
                del self._open[ref]
        for ref, refusal in refused.items():
            if ref not in self._open:
                row = Refused(ref, refusal.reason.value, refusal.message, now)
                self._open[ref] = row
                self.refusals.append(row)


class Passes(policy_pass.Passes):
    """Passes as the live engine runs them, reported to a Recorder."""

    def __init__(self, world: worlds.World, options: worlds.Options) -> None:
        super().__init__(world, options)
        self.recorder = Recorder(world, options)
        self._reporter = self.recorder
