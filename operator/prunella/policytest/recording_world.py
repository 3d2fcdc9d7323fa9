"""The real engine and the simulated cluster, with somebody who takes notes."""

from __future__ import annotations

import datetime
from typing import Any

from prunella import ports, wiring
from prunella import settings as settings_module
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import cluster, faults, outward, repositories
from prunella.adapters.simulated import world as simulated_world
from prunella.core import model, objects, pushes
from prunella.core.decisions import step, vetoes
from prunella.engine import loop, policy_pass, report
from prunella.engine import memory as memories
from prunella.engine import world as worlds
from prunella.policytest import timeline


class Cluster(cluster.SimulatedCluster):
    """Notes every effect that is carried out, with what it made of its target."""

    def __init__(
        self, clock: clocks.VirtualClock, switchboard: faults.Faults, told: timeline.Timeline
    ) -> None:
        super().__init__(clock, switchboard)
        self._time = clock.now
        self._told = told

    async def send(self, effect: model.Effect, mark: str, *, dry_run: bool) -> ports.Receipt:
        """Carry out one effect, as before, and note it."""
        receipt = await super().send(effect, mark, dry_run=dry_run)
        if receipt.outcome is ports.Outcome.EFFECTIVE:
            after = self._after(effect.target, receipt.workload)
            self._told.sent.append(timeline.Sent(self._time(), effect, mark, after))
        return receipt

    def _after(self, target: model.Ref, workload: model.Workload | None) -> dict[str, Any]:
        if workload is not None:
            return vetoes.as_manifest(workload)
        return self.object_of(target) or {}


class Outward(outward.SimulatedOutward):
    """Notes every call that arrives."""

    def __init__(
        self, clock: clocks.VirtualClock, switchboard: faults.Faults, told: timeline.Timeline
    ) -> None:
        super().__init__(clock, switchboard)
        self._told = told

    async def call(self, effect: model.Effect, key: str, *, dry_run: bool) -> ports.Receipt:
        """Ask, as before, and note it."""
        receipt = await super().call(effect, key, dry_run=dry_run)
        if receipt.outcome is ports.Outcome.EFFECTIVE:
            self._told.sent.append(timeline.Sent(self._clock.now(), effect, key, {}))
        return receipt


class Repositories(repositories.SimulatedRepositories):
    """Notes every push and request."""

    def __init__(
        self,
        clock: clocks.VirtualClock,
        simulated: cluster.SimulatedCluster,
        switchboard: faults.Faults,
        told: timeline.Timeline,
    ) -> None:
        super().__init__(clock, simulated, switchboard)
        self._time = clock.now
        self._told = told

    async def send(self, change: pushes.GitChange, mark: str, *, dry_run: bool) -> ports.Receipt:
        """Push, as before, and note it."""
        receipt = await super().send(change, mark, dry_run=dry_run)
        if receipt.outcome is ports.Outcome.EFFECTIVE:
            effect = model.Effect(model.Verb.PUSH, repositories.OWNER, "", receipt.message)
            name = mark.rpartition("/")[2]
            self._told.sent.append(timeline.Sent(self._time(), effect, name, {}))
        return receipt


class _Reporter(report.Reporter):
    """Notes what each pass found, beside what it reports."""

    def __init__(
        self, world: worlds.World, options: worlds.Options, told: timeline.Timeline
    ) -> None:
        super().__init__(world, options)
        self._told = told

    async def report(
        self,
        policy: objects.Policy,
        memory: memories.PolicyMemory,
        outcome: step.Outcome,
        now: datetime.datetime,
    ) -> None:
        """Note one pass, and report as before."""
        self._told.passes.append(timeline.Pass(policy.key, now, outcome))
        await super().report(policy, memory, outcome, now)


class _Passes(policy_pass.Passes):
    def __init__(
        self, world: worlds.World, options: worlds.Options, told: timeline.Timeline
    ) -> None:
        super().__init__(world, options)
        self._reporter = _Reporter(world, options, told)


class _Engine(loop.Engine):
    def __init__(
        self, world: worlds.World, options: worlds.Options, told: timeline.Timeline
    ) -> None:
        super().__init__(world, options)
        self._passes = _Passes(world, options, told)


def engine(
    world: simulated_world.World, settings: settings_module.Settings, told: timeline.Timeline
) -> loop.Engine:
    """The engine on a simulated world, as it is wired elsewhere; its passes are noted."""
    wired = wiring.simulated(world, settings)
    return _Engine(wired.world, wiring.options_of(settings), told)
