"""Systems outside the cluster, simulated: each call starts a run that ends after a while."""

from __future__ import annotations

import dataclasses
from typing import Final

from prunella import ports
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import faults as faults_module
from prunella.core import model
from prunella.core.decisions import started

RUN_SECONDS: Final = 30.0


class SimulatedOutward:
    """All endpoints; a run fails or waits where the name contains ``broken`` or ``waiting``."""

    def __init__(self, clock: clocks.VirtualClock, faults: faults_module.Faults) -> None:
        self._clock = clock
        self.faults = faults
        self.runs: dict[str, started.Run] = {}
        """By key: the effects at the receivers."""
        self.sent: list[str] = []
        """Keys of all calls that arrived, repeats too."""
        self.refuses = ""
        """Why receivers refuse; empty: they don't."""
        self.answers: started.RunState | None = None
        """How a run has ended with the answer to its call; None: it goes on."""
        self.forgetful = False
        """Whether receivers can't tell what a key has started."""

    async def call(self, effect: model.Effect, key: str, *, dry_run: bool) -> ports.Receipt:
        """Start a run. Never raises."""
        name = effect.target.name
        if dry_run:
            return ports.Receipt(ports.Outcome.WOULD_SUCCEED, f"{name} was not called")
        try:
            self.faults.reach(faults_module.Point.BEFORE_SEND)
            self.sent.append(key)
            if self.refuses:
                return ports.Receipt(ports.Outcome.REFUSED, self.refuses, status=400)
            self._start(name, key)
            self.faults.reach(faults_module.Point.AFTER_SEND)
        except ports.OutcomeUnknown as error:
            return ports.Receipt(ports.Outcome.UNKNOWN, str(error))
        except ports.ClusterError as error:
            return ports.Receipt(ports.Outcome.REFUSED, str(error))
        return ports.Receipt(ports.Outcome.EFFECTIVE, f"{name} called", run=self.runs[key])

    async def look(self, effect: model.Effect, key: str, known: str) -> started.Run | None:  # noqa: ARG002
        """What a call has started. Raises ClusterError."""
        self.faults.reach(faults_module.Point.LIVE_STATE)
        return None if self.forgetful and not known else self.runs.get(key)

    def _start(self, name: str, key: str) -> None:
        if key in self.runs:
            return  # The receiver honours the key.
        if self.answers is not None:
            self.runs[key] = started.Run(self.answers, "it has answered", key)
            return
        number = str(len(self.runs) + 1)
        url = f"https://{name}.example/runs/{number}"
        self.runs[key] = started.Run(started.RunState.RUNNING, "running", key, id=number, url=url)
        state, told = started.RunState.SUCCEEDED, "done"
        if "broken" in name:
            state, told = started.RunState.FAILED, "failed"
        elif "waiting" in name:
            state, told = started.RunState.WAITING, "1 to add"

        def end() -> None:
            self.runs[key] = dataclasses.replace(
                self.runs[key], state=state, message=told, log=f"{told}\n"
            )

        self._clock.call_later(RUN_SECONDS, end)
