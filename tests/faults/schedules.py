"""Seeded schedules: a story of any action, and whatever may go wrong meanwhile.

Operators die at any request, and there may be two; answers are lost, late and out of order; reads
are old; the API server says 409, 429 and 500 or is away; watches show nothing new; Prometheus
can't be believed; clocks jump.  Limits are so narrow that they bind.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from prunella import ports
from prunella import settings as settings_module
from prunella.adapters.simulated import faults as faults_module
from prunella.adapters.simulated import metrics as metrics_module
from tests.engine import harness
from tests.faults import crashes, stage, stories, wires

TROUBLES: Final = 12
"""Mishaps of one schedule."""
CALM_SECONDS: Final = 2 * 3600.0
"""The longest that anything may stay unfinished once all works again.

What was sent by a clock that was an hour ahead is proved an hour later.
"""
ERRORS: Final = (
    ports.ClusterError("the server is overloaded", status=429),
    ports.ClusterError("etcdserver: request timed out", status=500),
    ports.ClusterError("connection refused"),
    ports.Conflict("the object has been modified", status=409),
)
JUMPS: Final = (-3600.0, -90.0, -20.0, 20.0, 90.0, 3600.0)
"""Seconds by which a clock jumps."""
DIED, LOST, FAILED = "operators that died in them", "answers lost", "errors of servers"
STALE, JUMPED, TWO = "stale reads", "clock jumps", "two operators at once"
"""What is counted, as the table calls it."""
ERRING: Final = tuple(point for point in faults_module.Point if not point.startswith("after"))


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What became of one schedule."""

    seed: int
    story: str
    broken: tuple[tuple[str, str], ...]
    counts: Mapping[str, int]
    log: tuple[str, ...]
    """The mishaps, with the seconds since the start."""

    def __str__(self) -> str:
        """All that is needed to find out why."""
        told = "\n  ".join((*self.log, *map(str, self.broken)))
        return f"PRUNELLA_FIRST_SEED={self.seed}, {self.story}:\n  {told}"


class Trouble:
    """The mishaps of one schedule."""

    def __init__(self, story: stage.FaultStory, chance: random.Random) -> None:
        self.story, self.chance = story, chance
        self.counts: collections.Counter[str] = collections.Counter()
        self.log: list[str] = []
        self._mishaps: Sequence[Callable[[], None]] = (
            *[self.die] * 3,
            *[self.lose] * 3,
            *[self.fail] * 3,
            *[self.relapse] * 3,
            self.be_away,
            self.be_blind,
            self.doubt,
            self.edit,
            self.jump,
            self.remember_wrongly,
            self.rival,
            self.start_another,
        )

    async def happen(self) -> None:
        """One mishap after the other; a dead operator is soon started again."""
        for _ in range(TROUBLES):
            mishap = self.chance.choice(self._mishaps)
            self.tell(mishap.__name__)
            mishap()
            await self.story.run(self.chance.uniform(0.5, 15))
            if not self.story.alive and self.chance.random() < 0.7:
                self.story.start()

    def tell(self, what: str) -> None:
        """Note what happens."""
        told = self.story.world.clock.now().strftime("%H:%M:%S")
        self.log.append(f"{told} {what} {self.story.phases()}")

    def later(self, seconds: float, happens: Callable[[], object]) -> None:
        """Let something happen after a while."""
        self.story.world.clock.call_later(seconds, lambda: happens() and None)

    def die(self) -> None:
        """An operator dies before or after one of the next requests."""
        self.story.crash_at(self.chance.randint(1, 40), self.chance.choice(crashes.SIDES))

    def lose(self) -> None:
        """The answer to the next write of a sort is lost."""
        sort = self.chance.choice(sorted(crashes.WRITES))
        dry = self.chance.random() < 0.2

        def which(request: wires.Request) -> bool:
            rehearsed = bool(request.kwargs.get("dry_run"))
            return (request.port, request.method) == sort and rehearsed == dry

        self.story.lose(which)

    def fail(self) -> None:
        """The API server says no, for a reason of its own."""
        self.counts[FAILED] += 1
        self.story.faults.once(self.chance.choice(ERRING), self.chance.choice(ERRORS))

    def relapse(self) -> None:
        """A workload falls ill again, or recovers by itself."""
        states = self.story.world.cluster.states(harness.NAMESPACE)
        if not states:
            return
        sick = self.chance.choice(states).ref
        load, errors = self.chance.choice([(0.5, None), (50.0, 0.5), (50.0, 0.5)])
        self.story.world.apps.surge(sick, load=load, errors=errors)

    def be_away(self) -> None:
        """The API server is away for a while."""
        self.story.faults.unreachable()
        self.later(self.chance.uniform(1, 40), self.story.faults.heal)

    def be_blind(self) -> None:
        """A watch shows nothing new for a while."""
        world = self.story.world
        choice: list[Any] = [world.policies, world.cluster]
        choice += [operator.ledger for operator in self.story.operators]
        port = self.chance.choice(choice)
        port.break_watch()
        self.later(self.chance.uniform(1, 90), port.mend_watch)

    def doubt(self) -> None:
        """Prometheus can't be believed for a while."""
        faults = self.story.world.metrics.faults
        faults.set(self.chance.choice(list(metrics_module.Fault)), self.story.world.clock.now())
        self.later(self.chance.uniform(1, 60), faults.heal)

    def edit(self) -> None:
        """A person changes a workload."""
        cluster = self.story.world.cluster
        states = cluster.states(harness.NAMESPACE)
        if not states:
            return
        ref = self.chance.choice(states).ref
        if ref.kind != "DaemonSet" and self.chance.random() < 0.5:
            cluster.scale(ref, self.chance.randint(1, 6))
        else:
            cluster.set_image(ref, f"shop/it:v{self.chance.randint(3, 9)}")

    def jump(self) -> None:
        """The clock of one operator jumps, and is set right after a while."""
        if not self.story.operators:
            return
        self.counts[JUMPED] += 1
        clock = self.chance.choice(self.story.operators).clock
        clock.wrong_by = datetime.timedelta(seconds=self.chance.choice(JUMPS))
        self.later(self.chance.uniform(5, 90), clock.set_right)

    def remember_wrongly(self) -> None:
        """Reads for a decision are answered with what was so a while ago."""
        self.story.stale = True

        def end() -> None:
            self.story.stale = False

        self.later(self.chance.uniform(5, 60), end)

    def rival(self) -> None:
        """Another policy is about the same workload."""
        steps = {"restart": {}}
        signals = [harness.saturation()]
        self.story.apply(harness.spec(steps, signals=signals, mode="Live"), "rival")

    def start_another(self) -> None:
        """Two operators at once, which know nothing of each other."""
        if len(self.story.operators) == 1:
            self.counts[TWO] += 1
            self.story.start()


def under_narrow_limits(
    settings: settings_module.Settings, chance: random.Random
) -> settings_module.Settings:
    """Settings under which only a few actions are left in an hour."""
    most = {"actions_per_namespace_per_hour": chance.randint(1, 3)}
    limits = settings.limits.model_copy(update=most)
    return settings.model_copy(update={"limits": limits})


def name_of(seed: int) -> str:
    """The story of a schedule: each comes as often as any other."""
    names = [*stories.STORIES, *stories.MORE]
    return names[seed % len(names)]


async def run(seed: int, without: str = "") -> Run:
    """One schedule, from its seed alone; the operator may lack a guard."""
    chance = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    late = random.Random(-seed - 1)  # noqa: S311 - a schedule, not a secret
    name = name_of(seed)
    told = stories.EVERY[name]
    settings = under_narrow_limits(told.settings, chance)
    latency = chance.choice([None, lambda: late.uniform(0.0, 0.4), lambda: late.expovariate(2.0)])
    guards = {"maxPerHour": chance.randint(1, 2), "cooldown": "0s"}
    async with stage.telling(settings, latency, guards, without) as story:
        trouble = Trouble(story, chance)
        await crashes.begin(story, told)
        await trouble.happen()
        trouble.tell("calm")
        calm(story)
        await until_settled(story)
        trouble.tell("end")
        story.promises.at_the_end()
        counts = {
            **trouble.counts,
            DIED: story.deaths,
            LOST: story.lost.total(),
            STALE: story.stale_answers,
            "effects requested": len(story.promises.sent),
        }
        return Run(seed, name, tuple(story.promises.broken), counts, tuple(trouble.log))


def calm(story: stage.FaultStory) -> None:
    """Everything works again."""
    world = story.world
    story.heal()
    world.metrics.faults.heal()
    world.policies.mend_watch()
    world.cluster.mend_watch()
    if not story.alive:
        story.start()
    for operator in story.operators:
        operator.ledger.mend_watch()
        operator.clock.set_right()


async def until_settled(story: stage.FaultStory) -> None:
    """Let time pass until nothing is under way."""
    await story.run(60)
    for _ in range(int(CALM_SECONDS / 30)):
        if not any(record.in_flight for record in story.records()):
            return
        await story.run(30)
