"""How long nobody leads: replicas with the real elector, in virtual time, under one fault each.

    python -m bench.failover [--runs 1000]

Each run has three replicas with clocks of their own (a day apart at most, and up to 0.5 % fast or
slow), a slow API server that loses some requests and some answers, and a leader that is killed,
hung (and goes on later), cut off from the API server (a while, and then not), or asked to stop.
Measured is the time from the fault to the end of the new leader's first evaluation of all policies.
Whatever a replica sends is noted with the moments when it was sent and when it takes effect at the
latest: those of two leaders must never overlap.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import datetime
import enum
import logging
import random
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("", "operator")]

from prunella import leadership  # noqa: E402 - after the path, so that a plain checkout runs
from prunella.adapters.simulated import clock as clocks  # noqa: E402
from prunella.adapters.simulated import leases, telemetry  # noqa: E402
from prunella.core.election import elector as electors  # noqa: E402
from prunella.core.election import lease  # noqa: E402
from prunella.engine import election as elections  # noqa: E402

START = datetime.datetime(2026, 1, 5, 9, 0, tzinfo=datetime.UTC)
REPLICAS = 3
POLICIES, SLOTS = 100, 32
CPU_SECONDS = 0.011
"""One pass of one policy: 0.18 core at 500 policies every 30 s."""
DAY = 86_400.0
TIMES = lease.Times()
LIMIT_SECONDS = 90.0


class Fault(enum.StrEnum):
    """What happens to the leader."""

    KILLED = "killed"
    HUNG = "hung"
    PARTITIONED = "partitioned"
    STOPPED = "asked to stop"


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """One write: when it was sent, and when it took effect at the latest."""

    epoch: int
    replica: int
    at: float
    over: float


@dataclasses.dataclass(slots=True)
class Replica:
    """One replica: its clocks, its network, its election."""

    number: int
    clock: clocks.VirtualClock
    server: leases.LeaseServer
    chance: random.Random
    sent: list[Sent]
    evaluated: dict[int, float]
    skew: float = 0.0
    rate: float = 1.0
    hung_until: float = 0.0
    cut_until: float = 0.0
    tasks: list[asyncio.Task[None]] = dataclasses.field(default_factory=list)
    election: elections.Election = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        """Wire the election of this replica."""
        self.skew = self.chance.uniform(-DAY, DAY)
        self.rate = self.chance.uniform(0.995, 1.005)
        around = elections.Around(
            clock=self,
            monotonic=lambda: self.true() * self.rate + self.skew,
            telemetry=telemetry.RecordingTelemetry(),
            jitter=self.chance.random,
        )
        way = leases.SimulatedLeases(self.server, self.clock, self.way, self.wait)
        elector = electors.Elector(f"replica-{self.number}", TIMES)
        self.election = elections.Election(elector, way, around)
        self.election.willing = True

    def true(self) -> float:
        """Seconds of the simulation."""
        return (self.clock.now() - START).total_seconds()

    def now(self) -> datetime.datetime:
        """This replica's wall clock."""
        return self.clock.now() + datetime.timedelta(seconds=self.skew)

    async def sleep(self, seconds: float) -> None:
        """Wait by this replica's own clock."""
        await self.wait(seconds / self.rate)

    async def wait(self, seconds: float) -> None:
        """Wait; a process that hangs goes on no sooner than it is let."""
        await self.clock.sleep(seconds)
        while self.true() < self.hung_until:
            await self.clock.sleep(max(0.001, self.hung_until - self.true()))

    def way(self) -> leases.Way:
        """How a request fares: mostly in milliseconds, sometimes hardly or not at all."""
        if self.true() < self.cut_until:
            return leases.DEAD
        dice = self.chance.random()
        if dice < 0.005:
            return leases.Way(None, None)
        if dice < 0.01:
            return leases.Way(self.chance.uniform(0.0, 6.0), None)
        slow = 1.0 if dice < 0.05 else 0.02
        return leases.Way(self.chance.uniform(0, slow), self.chance.uniform(0, slow))

    async def write(self) -> None:
        """Write whenever it may, as passes would."""
        while True:
            await self.sleep(self.chance.uniform(0.02, 0.4))
            try:
                with self.election.sending() as seconds:
                    at, own_seconds = self.true(), min(seconds, 10.0) / self.rate
                    over = at + self.takes(own_seconds)
                    self.sent.append(Sent(self.election.epoch, self.number, at, over))
                    await self.wait(over - at)
            except leadership.NotLeading:
                continue

    def takes(self, seconds: float) -> float:
        """Until a write takes effect: it is on its way, then the server has so many seconds."""
        if self.chance.random() < 0.98:
            return self.chance.uniform(0.002, 0.05)
        return self.chance.uniform(0, elections.ON_THE_WAY) + self.chance.uniform(0, seconds)

    async def evaluate(self) -> None:
        """Once elected, evaluate all policies: questions in slots, thought on one core."""
        await self.election.elected.wait()
        asked = [self.chance.uniform(0.01, 0.3) for _ in range(POLICIES)]
        await self.wait(max(sum(asked) / SLOTS, POLICIES * CPU_SECONDS) + max(asked))
        self.evaluated.setdefault(self.election.epoch, self.true())

    def start(self) -> None:
        """Let it take part."""
        parts = (self.election.run(), self.write(), self.evaluate())
        self.tasks = [asyncio.create_task(each) for each in parts]

    def kill(self) -> None:
        """End it at once."""
        for task in self.tasks:
            task.cancel()


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What came of one run."""

    seed: int
    fault: Fault
    seconds: float
    overlaps: tuple[tuple[Sent, Sent], ...]
    epochs: int


def overlaps(sent: Sequence[Sent]) -> tuple[tuple[Sent, Sent], ...]:
    """Writes of two replicas of which one may have taken effect after the other was sent."""
    found = []
    last: Sent | None = None
    for each in sorted(sent, key=lambda one: one.at):
        if last is not None and last.replica != each.replica and last.over >= each.at:
            found.append((last, each))
        if last is None or each.over > last.over:
            last = each
    return tuple(found)


async def play(seed: int, fault: Fault) -> Run:
    """One run."""
    chance = random.Random(f"{seed} {fault}")
    clock, server = clocks.VirtualClock(START), leases.LeaseServer()
    sent: list[Sent] = []
    evaluated: dict[int, float] = {}
    replicas = [
        Replica(number, clock, server, random.Random(chance.random()), sent, evaluated)
        for number in range(REPLICAS)
    ]
    for each in replicas:
        each.start()
        await clock.advance(chance.uniform(0, 2))
    try:
        while not evaluated:
            await clock.advance(0.5)
        await clock.advance(chance.uniform(1, 12))
        leader = next((each for each in replicas if each.election.leading), replicas[0])
        return await _strike(seed, fault, leader, chance)
    finally:
        for each in replicas:
            each.kill()
        await asyncio.gather(*(t for each in replicas for t in each.tasks), return_exceptions=True)


async def _strike(seed: int, fault: Fault, leader: Replica, chance: random.Random) -> Run:
    """Let the fault happen, and look who leads next."""
    struck, before = leader.true(), leader.election.epoch
    lasts = chance.uniform(12, 40)
    if fault is Fault.KILLED:
        leader.kill()
    elif fault is Fault.HUNG:
        leader.hung_until = struck + lasts
    elif fault is Fault.PARTITIONED:
        leader.cut_until = struck + lasts
    else:
        handing = asyncio.create_task(leader.election.hand_over(15.0))
        leader.tasks.append(asyncio.create_task(_ends(handing)))
    while not (after := [at for epoch, at in leader.evaluated.items() if epoch > before]):
        await leader.clock.advance(0.25)
        if leader.true() - struck > LIMIT_SECONDS:
            break
    await leader.clock.advance(struck + lasts + 5 - leader.true() if lasts else 0)
    epochs = len({each.epoch for each in leader.sent})
    seconds = min(after, default=struck + LIMIT_SECONDS) - struck
    return Run(seed, fault, seconds, overlaps(leader.sent), epochs)


async def _ends(handing: asyncio.Task[bool]) -> None:
    await handing


def percentile(seconds: Iterable[float], share: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(seconds)
    return ordered[max(0, round(share * len(ordered) + 0.5) - 1)]


def line(fault: Fault, runs: Sequence[Run]) -> str:
    """One line of the table."""
    seconds = [each.seconds for each in runs]
    bad = sum(bool(each.overlaps) for each in runs)
    values = (statistics.median(seconds), percentile(seconds, 0.99), max(seconds))
    numbers = " | ".join(f"{value:.1f}" for value in values)
    return f"| {fault} | {len(runs)} | {numbers} | {bad} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 when two replicas could write at once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000, help="runs for each fault")
    wanted = parser.parse_args(arguments).runs
    logging.disable(logging.ERROR)
    print("| the leader is | runs | median s | p99 s | most s | runs with two writers |")
    print("|---|---|---|---|---|---|")
    failed = False
    for fault in Fault:
        runs = [asyncio.run(play(seed, fault)) for seed in range(wanted)]
        failed |= any(each.overlaps for each in runs)
        print(line(fault, runs), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
