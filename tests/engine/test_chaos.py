"""Random weeks in the life of an operator: whatever goes wrong, the promises hold at every step.

Requests take time, answers are lost, the API server and Prometheus fail, watches break, the
operator dies, people edit targets and policies.  Two policies share three targets.
``PRUNELLA_SEEDS`` sets the number of schedules, ``PRUNELLA_FIRST_SEED`` the first.
"""

from __future__ import annotations

import collections
import os
import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from prunella import ports
from prunella import settings as settings_module
from prunella.adapters.simulated import faults as faults_module
from prunella.adapters.simulated import metrics as metrics_module
from prunella.api import reasons
from prunella.core import model, objects
from prunella.promql import evaluator
from tests.engine import harness
from tests.engine.harness import NAMESPACE, Phase, Story

SEEDS = int(os.environ.get("PRUNELLA_SEEDS", "12"))
FIRST = int(os.environ.get("PRUNELLA_FIRST_SEED", "0"))
STEPS, CALM_SECONDS = 30, 700
PER_NAMESPACE, PER_POLICY = 4, 3
TARGETS = tuple(model.Ref("Deployment", NAMESPACE, name) for name in ("a", "b", "c"))
POLICIES = ("one", "two")
LOST = ports.OutcomeUnknown("the connection broke before the answer came")
DOWN = ports.ClusterError("connection refused")
RACE = ports.Conflict("the object has been modified", status=409)


def document(chance: random.Random, policy: str) -> dict[str, object]:
    """A policy on all three targets, with guards so free that only the hourly limits bind."""
    steps: list[dict[str, object]] = chance.choice(
        [
            [{"scale": {"by": 1, "max": 9}}, {"restart": {}}],
            [{"restart": {}}, {"scale": {"by": 2, "max": 9}}],
            [{"restart": {}}],
        ]
    )
    return harness.spec(
        *steps,
        mode=chance.choice(["Live", "Live", "Live", "DryRun", "Advise"]),
        interval="5s" if policy == "one" else "7s",
        target={"selector": {"matchLabels": {"tier": "web"}}},
        signals=[harness.saturation(hold=chance.choice(["5s", "10s"]))],
        guards={
            "cooldown": "0s",
            "maxPerHour": PER_POLICY,
            "maxUnavailable": "100%",
            "stopWhenUnhealthy": "100%",
        },
        verify={
            "within": "10s",
            "samples": 1,
            "otherwise": chance.choice(["Revert", "Continue", "Escalate"]),
        },
    )


class Chaos:
    """One schedule of mishaps, and the promises that are checked at every request."""

    def __init__(self, story: Story, chance: random.Random) -> None:
        self.story = story
        self.chance = chance
        story.faults.watch = self.look_on

    def begin(self) -> None:
        """Three targets, two policies."""
        for ref in TARGETS:
            self.story.world.cluster.add_workload(
                ref, "shop/web:v1", labels={"tier": "web"}, replicas=2
            )
        for name in POLICIES:
            self.story.apply(document(self.chance, name), name)

    # Mishaps.

    def surge(self) -> None:
        """A target falls ill or recovers."""
        load = self.chance.choice([0.5, 3.0, 50.0, 50.0])
        self.story.world.apps.surge(self.chance.choice(TARGETS), load=load)

    def lose(self) -> None:
        """One request is lost, before or after it was carried out."""
        point = self.chance.choice(list(faults_module.Point))
        before = [DOWN, RACE] if point.startswith("before") else [DOWN]
        error = LOST if point.startswith("after") else self.chance.choice([LOST, *before])
        self.story.faults.once(point, error)

    def api_down(self) -> None:
        """The API server is away for a while."""
        self.story.faults.unreachable()
        self.story.world.clock.call_later(self.chance.uniform(1, 40), self.story.faults.heal)

    def doubt(self) -> None:
        """Prometheus can't be believed for a while."""
        fault = self.chance.choice(list(metrics_module.Fault))
        now = self.story.world.clock.now()
        self.story.world.metrics.faults.set(fault, now)
        self.story.world.clock.call_later(
            self.chance.uniform(1, 60), self.story.world.metrics.faults.heal
        )

    def die(self) -> None:
        """The operator dies at one of its next requests, or now."""
        if self.chance.random() < 0.7:
            self.story.faults.crash_at(self.chance.randint(1, 30))
        elif self.story.alive:
            self.story.kill()

    def edit_target(self) -> None:
        """A person scales, releases or replaces a target."""
        ref = self.chance.choice(TARGETS)
        cluster = self.story.world.cluster
        match self.chance.randrange(3):
            case 0:
                cluster.scale(ref, self.chance.randint(1, 6))
            case 1:
                cluster.set_image(ref, f"shop/web:v{self.chance.randint(2, 9)}")
            case _:
                cluster.delete(ref)
                cluster.add_workload(ref, "shop/web:v1", labels={"tier": "web"}, replicas=2)

    def edit_policy(self) -> None:
        """A person edits, deletes, makes again or resumes a policy."""
        name = self.chance.choice(POLICIES)
        key = objects.Key(NAMESPACE, name)
        exists = key in self.story.world.policies._stored
        match self.chance.randrange(4):
            case 0 if exists:
                self.story.delete(name)
            case 1 if exists:
                self.story.resume(name)
            case 2:
                suspended = {**document(self.chance, name), "suspend": True}
                self.story.apply(suspended, name)
            case _:
                self.story.apply(document(self.chance, name), name)

    def blind(self) -> None:
        """A watch shows nothing new for a while."""
        world = self.story.world
        ports_with_watches: list[Any] = [world.policies, world.ledger, world.cluster]
        port = self.chance.choice(ports_with_watches)
        port.break_watch()
        world.clock.call_later(self.chance.uniform(1, 90), port.mend_watch)

    def freeze(self) -> None:
        """Somebody pauses the operator for a while."""
        self.story.world.cluster.pause("a freeze")
        self.story.world.clock.call_later(20, self.story.world.cluster.resume)

    async def run(self) -> None:
        """Mishaps, then calm."""
        mishaps: list[Callable[[], None]] = [
            *[self.surge] * 4,
            *[self.lose] * 3,
            self.api_down,
            self.doubt,
            *[self.die] * 2,
            *[self.edit_target] * 2,
            *[self.edit_policy] * 2,
            self.blind,
            self.freeze,
        ]
        for _ in range(STEPS):
            self.chance.choice(mishaps)()
            await self.story.run(self.chance.uniform(0.5, 15))
            self.check()
            if not self.story.alive and self.chance.random() < 0.7:
                self.story.start()
        self.calm()
        await self.story.run(60)
        await self.settle_down()
        self.check()

    async def settle_down(self) -> None:
        """Wait until nothing is in flight and no record was made or ended for 20 s.

        A sick target may be acted on again at any moment of the calm: what was just begun is
        given its time.  A record that is stuck is still in flight after ``CALM_SECONDS``.
        """
        before: list[tuple[str, Phase]] = []
        for _ in range(CALM_SECONDS // 20):
            records = self.story.records()
            phases = [(record.name, record.phase) for record in records]
            if phases == before and not any(record.in_flight for record in records):
                return
            before = phases
            await self.story.run(20)

    def calm(self) -> None:
        """Everything works again."""
        world = self.story.world
        self.story.faults.heal()
        world.metrics.faults.heal()
        world.policies.mend_watch()
        world.cluster.mend_watch()
        world.cluster.resume()
        if not self.story.alive:
            self.story.start()

    # Promises.

    def look_on(self, point: faults_module.Point) -> None:
        """What holds at every request, and that no decision was made on doubt."""
        self.check()
        doubt = self.story.world.metrics.faults
        blind = doubt.fault not in {None, metrics_module.Fault.FROZEN}
        if point is faults_module.Point.AFTER_CREATE and blind and doubt.since is not None:
            decided = self.story.records()[-1].spec.decided_at
            assert doubt.since > decided, f"decided while Prometheus was {doubt.fault}"

    def was_sick(self, record: objects.Record) -> bool:
        """What the metrics truly said when it was decided, asked by the test itself."""
        query = f'app_cpu_saturation{{deployment="{record.target.name}"}}'
        for seconds in range(3):
            at = record.spec.decided_at.timestamp() + seconds
            found = evaluator.evaluate(self.story.world.store, query, at)
            assert isinstance(found, evaluator.Vector)
            if any(sample.value > 0.8 for sample in found.samples):
                return True
        return False

    def check(self) -> None:
        """What holds at every moment."""
        records = self.story.records()
        counts = collections.Counter(self.story.sent())
        assert all(count == 1 for count in counts.values()), "more than one effect of a record"
        assert set(counts) <= set(harness.names(records)), "an effect without a record"
        busy = collections.Counter(r.target for r in records if r.in_flight)
        assert all(count == 1 for count in busy.values()), f"two at work on one target: {busy}"
        acted = [r for r in records if r.name in counts and r.spec.action != "revert"]
        assert len(acted) <= PER_NAMESPACE, "the namespace's hourly limit"
        for name in POLICIES:
            own = sum(record.policy.name == name for record in acted)
            assert own <= PER_POLICY, "the policy's hourly limit"
        for record in records:
            assert {"Unhealthy"} == {each.verdict for each in record.spec.evidence}
            if record.name in counts:
                assert record.spec.mode == "Live"
                assert record.phase not in {Phase.PENDING, Phase.NOT_SENT}, "sent, and denied"
                assert record.sent_at is not None

    def check_end(self) -> None:
        """What holds after calm."""
        stuck = [(r.name, r.phase) for r in self.story.records() if r.in_flight]
        assert stuck == []
        assert all(self.was_sick(record) for record in self.story.records())
        latching = [r for r in self.story.records() if r.phase is Phase.UNKNOWN]
        alive = {policy.key for policy in self.story.world.policies.all()}
        for record in latching:
            resumed = self.story.world.policies._stored.get(record.policy)
            if record.policy in alive and resumed is not None and not resumed.annotations:
                assert record.name in self.story.pages(), "nobody knows, and nobody was called"
        for key in alive:
            for target in self.story.status(key.name).sick:
                if target.refused:
                    assert target.refused in set(reasons.Refused)
                    assert target.refusal, f"{target.refused} without a word"
                    assert re.search(r"\d|suspend|attempt|frozen|steps", target.refusal)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
async def test_the_promises_hold_in_chaos(seed: int) -> None:
    """Given any schedule of mishaps, then no promise is broken, and nothing stays unfinished."""
    chance = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    latencies = random.Random(-seed - 1)  # noqa: S311 - a schedule, not a secret
    limits = settings_module.Limits(actions_per_namespace_per_hour=PER_NAMESPACE)
    settings = settings_module.Settings(limits=limits)
    async with harness.telling(settings, lambda: latencies.uniform(0.0, 0.4)) as story:
        chaos = Chaos(story, chance)
        chaos.begin()
        await chaos.run()
        chaos.check_end()
