"""What a decision must know beyond a pass's own readings: one target, or an earlier time."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping

from prunella.core import model
from prunella.core.decisions import causes, step
from prunella.core.signals import compiled
from prunella.engine import deployments, disruptions, living, numbers, observe, suspects
from prunella.engine import world as worlds


class CloserLook:
    """Answers the needs of a decision, one after the other."""

    def __init__(
        self,
        world: worlds.World,
        observer: observe.Observer,
        confinements: Mapping[str, compiled.Confinement],
    ) -> None:
        """``confinements`` is by source name."""
        self._world = world
        self._observer = observer
        self._confinements = confinements

    async def answer(
        self,
        need: model.Need,
        snapshot: step.Snapshot,
        outcome: step.Outcome,
        config: step.Config,
        now: datetime.datetime,
    ) -> step.Snapshot:
        """The snapshot with what was asked for. Raises ClusterError."""
        if need.kind is model.NeedKind.LIVE_STATE:
            return await self._look(need.target, snapshot, outcome, config, now)
        if need.kind is model.NeedKind.OBJECT:
            looked = await suspects.look(self._world, need, now)
            return dataclasses.replace(snapshot, looked={**snapshot.looked, need.target: looked})
        if need.kind is model.NeedKind.NUMBER:
            number = await numbers.ask(self._world.metrics, need, self._confinements)
            known = {**snapshot.numbers, (need.source, need.query): number}
            return dataclasses.replace(snapshot, numbers=known)
        live_state = snapshot.live_states[need.target]
        if need.kind is model.NeedKind.DEPLOYMENT and live_state is not None:
            found = await deployments.look(self._world, live_state.workload, config.rules)
            deployed = {**snapshot.deployed, need.target: found}
            return dataclasses.replace(snapshot, deployed=deployed)
        if live_state is None or need.at is None:
            raise ValueError(f"history of {need.target} is asked without a look at it")
        signals = frozenset(
            finding.signal
            for finding in outcome.findings
            if finding.target == need.target
            and finding.verdict is model.Verdict.UNHEALTHY
            and finding.signal != causes.SIGNAL
        ) or frozenset(signal.name for signal in config.compiled.signals)
        verdict = await self._observer.verdict_at(config.compiled, live_state, signals, need.at)
        verdicts = {**snapshot.verdicts_at, (need.target, need.at): verdict}
        return dataclasses.replace(snapshot, verdicts_at=verdicts)

    async def _look(
        self,
        target: model.Ref,
        snapshot: step.Snapshot,
        outcome: step.Outcome,
        config: step.Config,
        now: datetime.datetime,
    ) -> step.Snapshot:
        """Look at a target closely, and at what its signals say of the pods that it has."""
        looked = await self._world.cluster.live_state(target)
        looked = await disruptions.with_seen(self._world, looked)
        around = suspects.recent(self._world, target.namespace, now)
        snapshot = dataclasses.replace(
            snapshot,
            live_states={**snapshot.live_states, target: looked},
            recent={**snapshot.recent, target: around},
        )
        if looked is None or not looked.pods_known:
            return snapshot
        known, signals = self._observer.clusters, config.compiled.signals
        only = await living.living_only(
            self._world, known, signals, looked, snapshot, outcome.findings, now
        )
        if only is None:
            return snapshot
        found = {**snapshot.living_only, target: only}
        return dataclasses.replace(snapshot, living_only=found)
