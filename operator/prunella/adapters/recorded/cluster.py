"""The Cluster port over recorded history: it tells what was there, and changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from prunella import ports
from prunella.adapters.recorded import workloads as past
from prunella.core import model
from prunella.core.decisions import halts, started
from prunella.core.signals import lineage


class RecordedCluster:
    """Workloads as they were; an effect is noted, and history goes on as it went."""

    def __init__(self, clock: ports.Clock) -> None:
        self._clock = clock
        self._states: past.States | None = None
        self._known: dict[tuple[int, int], model.Workload] = {}
        self._pods: dict[str, model.Ref] = {}
        self.sent: list[tuple[model.Effect, str]] = []
        """Effects that would have been carried out, with the names of their records."""

    def use(self, states: past.States) -> None:
        """Answer from this stretch from now on."""
        self._states = states
        self._known.clear()

    def workloads(self, namespace: str) -> Collection[model.Workload]:  # noqa: ARG002
        """The workloads as they were at the simulated now; all are of the policy's namespace."""
        states = self._states
        if states is None:
            return ()
        column = states.at(self._clock.now().timestamp())
        rows = states.exists[:, column].nonzero()[0].tolist()
        return [self._workload(states, row, column) for row in rows]

    def _workload(self, states: past.States, row: int, column: int) -> model.Workload:
        key = (row, column if states.fields is not None else 0)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = states.workload(row, column)
        return known

    async def owners(
        self,
        namespace: str,  # noqa: ARG002 - all are of the policy's
        pods: Collection[str],
    ) -> Mapping[str, model.Ref]:
        """The workload of each named pod, told by its name."""
        refs = () if self._states is None else self._states.refs
        found = lineage.owners(pods, refs, {})
        self._pods.update(found)
        return found

    async def job(self, ref: model.Ref) -> started.Run | None:  # noqa: ARG002
        """What would have been run has ended well: history does not tell."""
        return started.Run(started.RunState.SUCCEEDED, "not run: history goes on as it went")

    async def call(self, effect: model.Effect, key: str, *, dry_run: bool) -> ports.Receipt:
        """Note a call as any other effect; nobody is asked."""
        return await self.send(effect, key, dry_run=dry_run)

    async def look(self, effect: model.Effect, key: str, known: str) -> started.Run | None:  # noqa: ARG002
        """What would have been run has ended well: history does not tell."""
        return await self.job(effect.target)

    async def live_state(self, target: model.Ref) -> model.LiveState | None:
        """What history tells of one target: no revisions, no budgets."""
        found = [each for each in self.workloads(target.namespace) if each.ref == target]
        if not found or self._states is None:
            return None
        pods = tuple(
            model.Pod(name, f"recorded-{name}")
            for name, owner in sorted(self._pods.items())
            if owner == target
        )
        scaled = self._states.autoscalers.get(target, ())
        return model.LiveState(found[0], pods=pods, pods_known=False, autoscalers=scaled)

    async def read_object(self, ref: model.Ref) -> Mapping[str, object] | None:
        """Other objects than workloads are not in history."""
        raise ports.ClusterError(f"{ref} is not known: history tells of workloads only")

    async def paused(self) -> model.PauseState:
        """Not paused: whether it was, history does not tell."""
        return model.PauseState(paused=False)

    async def freeze(self, namespace: str) -> halts.Freeze:  # noqa: ARG002 - as the port has it
        """Not frozen: whether it was, history does not tell."""
        return halts.NOT_FROZEN

    async def give_back(self, target: model.Ref, uid: str) -> None:
        """Nobody owns fields in history."""

    async def send(self, effect: model.Effect, mark: str, *, dry_run: bool) -> ports.Receipt:
        """Note the effect."""
        if dry_run:
            return ports.Receipt(ports.Outcome.WOULD_SUCCEED, "not judged: there is no API server")
        self.sent.append((effect, mark))
        if effect.verb is model.Verb.EVICT:
            return ports.Receipt(ports.Outcome.EFFECTIVE, "noted", status=201)
        looked = await self.live_state(effect.target)
        workload = None if looked is None else looked.workload
        return ports.Receipt(ports.Outcome.EFFECTIVE, "noted", workload, 200)
