"""The stage of the engine's tests: the simulated world, an operator that can die, a short policy.

A story is told as people see it: a workload and a policy are there, something happens, time
passes, and what was sent, recorded and written on the policy's status is compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from prunella import ports, trust_settings, wiring
from prunella import settings as settings_module
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import faults as faults_module
from prunella.adapters.simulated import world as worlds
from prunella.api import policy_status, reasons
from prunella.core import model, objects
from prunella.core.signals import alerts, history
from prunella.engine import loop

Phase = reasons.Phase
NAMESPACE = "shop"
CHECKOUT = model.Ref("Deployment", NAMESPACE, "checkout")
GOOD, BAD, LEAK = "shop/checkout:v1", "shop/checkout:v2-bad", "shop/checkout:v1-leak"
RELIST_SECONDS = 60.0
QUIET = 40.0
"""Seconds of good history that a rollback needs to find a revision that was Healthy."""


def errors(above: float = 0.05, hold: str = "10s") -> dict[str, Any]:
    """The share of failed requests in 15 seconds."""
    by = "sum by (namespace, deployment)"
    return {
        "name": "errors",
        "ratio": {
            "bad": f'{by} (rate(app_http_requests_total{{code=~"5.."}}[15s]))',
            "total": f"{by} (rate(app_http_requests_total[15s]))",
        },
        "threshold": {"above": above},
        "for": hold,
    }


def saturation(hold: str = "5s") -> dict[str, Any]:
    """Load for each pod of a Deployment."""
    query = {"query": "app_cpu_saturation"}
    return {
        "name": "load",
        "prometheus": query,
        "threshold": {"above": 0.8},
        "for": hold,
    }


def memory(hold: str = "5s") -> dict[str, Any]:
    """Memory of the largest pod; a leaking one is over the threshold after 950 seconds."""
    query = {"query": "max by (namespace, deployment) (app_memory_bytes)"}
    return {
        "name": "memory",
        "prometheus": query,
        "threshold": {"above": 1e9},
        "for": hold,
    }


def spec(*steps: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A Live policy on checkout by its error ratio; ``changes`` are whole fields of the spec."""
    return {
        "mode": "Live",
        "interval": "5s",
        "target": {"name": "checkout"},
        "signals": [errors()],
        "steps": list(steps) or [{"rollback": {}}],
        "verify": {"within": "20s", "samples": 2},
        "guards": {"cooldown": "1m", "maxPerHour": 10},
        **changes,
    }


class MortalFaults(faults_module.Faults):
    """A switchboard that tells when the operator dies, and looks on at every request."""

    def __init__(self) -> None:
        super().__init__()
        self.died: Callable[[], None] = lambda: None
        self.watch: Callable[[faults_module.Point], None] = lambda _: None

    def reach(self, point: faults_module.Point) -> None:
        """As before, and tell."""
        self.watch(point)
        try:
            super().reach(point)
        except faults_module.Crash:
            self.died()
            raise


class CountingMetrics:
    """Metrics that notes what is asked."""

    def __init__(self, metrics: ports.Metrics, clock: ports.Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self.asked: list[tuple[datetime.datetime, str]] = []

    async def query(
        self, source: str, namespace: str, query: str, at: datetime.datetime | None = None
    ) -> model.Answer:
        """Ask one instant query."""
        self.asked.append((self._clock.now(), query))
        return await self._metrics.query(source, namespace, query, at)

    async def alerts(self, source: str, namespace: str, name: str, firing: str) -> alerts.Answer:
        """Ask for rules."""
        self.asked.append((self._clock.now(), firing))
        return await self._metrics.alerts(source, namespace, name, firing)

    async def history(
        self, source: str, namespace: str, query: str, span: history.Span
    ) -> history.Answer:
        """Ask a range query."""
        self.asked.append((self._clock.now(), query))
        return await self._metrics.history(source, namespace, query, span)


class Slow:
    """A port whose calls take time, before they arrive and until the answer is back."""

    def __init__(self, port: Any, clock: clocks.VirtualClock, latency: Callable[[], float]) -> None:
        self._port = port
        self._clock = clock
        self._latency = latency

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            await self._clock.sleep(self._latency())
            try:
                return await found(*args, **kwargs)
            finally:
                await self._clock.sleep(self._latency())

        return call


class Story:
    """A world with a running operator in it."""

    def __init__(
        self,
        settings: settings_module.Settings | None = None,
        latency: Callable[[], float] | None = None,
    ) -> None:
        self.world = worlds.World.create()
        self.faults = MortalFaults()
        self.faults.died = self.kill
        self._share_faults()
        self.metrics = CountingMetrics(self.world.metrics, self.world.clock)
        self.settings = settings or settings_module.Settings()
        if "trust" not in self.settings.model_fields_set:
            trust = trust_settings.AS_POLICIES_SAY
            self.settings = self.settings.model_copy(update={"trust": trust})
        self.latency = latency
        self.findings: ports.Findings | None = None
        """Who is told what the passes find, from the next start on."""
        self.deaths = 0
        self.engine: loop.Engine | None = None
        self._task: asyncio.Task[None] | None = None

    def _share_faults(self) -> None:
        world = self.world
        world.faults = world.cluster.faults = self.faults
        world.ledger.faults = world.policies.faults = world.outward.faults = self.faults
        world.repositories.faults = world.approvals.faults = self.faults

    # The operator.

    def start(self) -> None:
        """Start an operator, as the kubelet does; it remembers nothing."""
        self.world.restart_operator()
        self._share_faults()
        self.engine = wiring.simulated(
            self._as_seen_by_the_operator(), self.settings, findings=self.findings
        )
        self._task = asyncio.create_task(self.engine.run(self._relist, RELIST_SECONDS))

    def _as_seen_by_the_operator(self) -> Any:
        """The world with metrics that are counted, and slow ports if the story has them."""

        class Seen:
            clock = self.world.clock
            metrics: Any = self.metrics
            cluster: Any = self.world.cluster
            policies: Any = self.world.policies
            ledger: Any = self.world.ledger
            notifier = self.world.notifier
            telemetry = self.world.telemetry
            outward = self.world.outward
            captures = self.world.captures
            incidents = self.world.incidents
            journal = self.world.journal
            repositories = self.world.repositories
            approvals: Any = self.world.approvals

        if self.latency is not None:
            for name in ("metrics", "cluster", "policies", "ledger"):
                slow = Slow(getattr(Seen, name), self.world.clock, self.latency)
                setattr(Seen, name, slow)
        return Seen

    async def _relist(self) -> None:
        self.world.policies.relist()
        self.world.cluster.relist()

    @property
    def alive(self) -> bool:
        """Whether an operator is running."""
        return self.engine is not None

    def kill(self) -> None:
        """SIGKILL: nothing of the operator runs on, whatever it waits for."""
        self.deaths += 1
        if self.engine is not None and self._task is not None:
            for task in (self._task, *self.engine._running.values()):
                task.cancel()
                task.add_done_callback(lambda each: each.cancelled() or each.exception())
        self.engine = None

    async def run(self, seconds: float) -> None:
        """Let time pass. An operator that ends by itself is a failure of the test."""
        await self.world.run(seconds)
        if self.alive and self._task is not None and self._task.done():
            self._task.result()
            raise AssertionError("the operator has ended by itself")

    async def until(self, condition: Callable[[], bool], limit: float = 300.0) -> None:
        """Let time pass until something is so."""
        for _ in range(int(limit)):
            if condition():
                return
            await self.run(1)
        raise AssertionError(f"not so within {limit} s: {self.phases()} {self.status().sick}")

    async def close(self) -> None:
        """End the operator as SIGTERM does."""
        self.faults.heal()
        if self.engine is not None and self._task is not None:
            self.engine.stop()
            await self.world.run(30)
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    # Faults.

    def lose_answer_to_action(self) -> None:
        """Let the next effect be carried out and its answer be lost; dry runs are answered."""
        sent = len(self.world.cluster.sent)

        def watch(point: faults_module.Point) -> None:
            if point is faults_module.Point.AFTER_SEND and len(self.world.cluster.sent) > sent:
                self.faults.watch = lambda _: None
                raise ports.OutcomeUnknown("the connection broke before the answer came")

        self.faults.watch = watch

    # People.

    def apply(self, document: Mapping[str, Any], name: str = "checkout") -> objects.Policy:
        """Kubectl apply of a policy, and the watch event that follows it."""
        policy = self.world.policies.apply(NAMESPACE, name, document)
        self.notify(name)
        return policy

    def notify(self, name: str = "checkout") -> None:
        """A watch event about a policy."""
        if self.engine is not None:
            self.engine.mark_dirty(objects.Key(NAMESPACE, name))

    def delete(self, name: str = "checkout") -> None:
        """Kubectl delete of a policy, with the watch event if the watch is whole."""
        self.world.policies.delete(objects.Key(NAMESPACE, name))
        self.notify(name)

    def resume(self, name: str = "checkout") -> None:
        """What `prunella resume` does."""
        written = f"{self.world.clock.now().isoformat()} by ada"
        self.world.policies.annotate(objects.Key(NAMESPACE, name), objects.RESUMED, written)
        self.notify(name)

    def release(self, image: str, ref: model.Ref = CHECKOUT) -> None:
        """Kubectl set image."""
        self.world.cluster.set_image(ref, image)

    # What there is to see.

    def workload(self, ref: model.Ref = CHECKOUT) -> model.Workload:
        """A workload as it is now."""
        live_state = self.world.cluster.read(ref)
        assert live_state is not None
        return live_state.workload

    def image(self, ref: model.Ref = CHECKOUT) -> str:
        """The image in the pod template."""
        template: Any = self.workload(ref).template
        return str(template["spec"]["containers"][0]["image"])

    def revisions(self, ref: model.Ref = CHECKOUT) -> int:
        """How many ReplicaSets there are."""
        live_state = self.world.cluster.read(ref)
        assert live_state is not None
        return len(live_state.revisions)

    def records(self) -> list[objects.Record]:
        """The ledger, oldest first."""
        return self.world.records()

    def phases(self) -> list[tuple[str, Phase]]:
        """The ledger in short."""
        return [(record.spec.action, record.phase) for record in self.records()]

    def sent(self) -> list[str]:
        """The records whose effects were carried out, as an audit log shows them."""
        return [mark for _, mark in self.world.cluster.sent]

    def status(self, name: str = "checkout") -> policy_status.RemediationPolicyStatus:
        """The policy's status as people see it."""
        return self.world.policies._stored[objects.Key(NAMESPACE, name)].status

    def sick(self, name: str = "checkout") -> policy_status.TargetStatus:
        """The worst target on the policy's status."""
        return self.status(name).sick[0]

    def condition(self, kind: str, name: str = "checkout") -> tuple[str, str]:
        """Status and reason of a condition."""
        found = next(each for each in self.status(name).conditions if each.type == kind)
        return found.status, found.reason

    def pages(self) -> list[str]:
        """The records for which a person was called."""
        return [escalation.record for escalation in self.world.notifier.escalations]


@contextlib.asynccontextmanager
async def telling(
    settings: settings_module.Settings | None = None,
    latency: Callable[[], float] | None = None,
) -> AsyncIterator[Story]:
    """A story with an operator that is stopped at the end."""
    story = Story(settings, latency)
    story.start()
    try:
        yield story
    finally:
        await story.close()


async def bad_release(story: Story, document: Mapping[str, Any] | None = None) -> None:
    """Given checkout v1 with good history and a policy, when a bad release is made."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", GOOD)
    story.apply(spec() if document is None else document)
    await story.run(QUIET)
    story.release(BAD)


def names(records: Sequence[objects.Record]) -> list[str]:
    """Names of records."""
    return [record.name for record in records]
