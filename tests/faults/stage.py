"""The stage of faults: a story with wires, several operators, clocks that jump, and promises.

What is broken is noted as it happens, with its kind: an error that is raised in the operator
would be taken for one of its own.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import datetime
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from prunella import settings as settings_module
from prunella import wiring
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import ledger as ledgers
from prunella.core import objects
from prunella.core.decisions import guards as guards_module
from prunella.engine import loop
from tests.engine import harness
from tests.faults import promises, wires
from tests.faults.wires import Life, Request, Side

READS: Final = {("cluster", "live_state"), ("cluster", "read_object"), ("policies", "read")}
"""Reads that another API server may answer with what was so a while ago."""


class OwnClock:
    """The clock of one operator, which may be wrong."""

    def __init__(self, clock: clocks.VirtualClock) -> None:
        self._clock = clock
        self.wrong_by = datetime.timedelta()

    def now(self) -> datetime.datetime:
        """What this operator takes for the time."""
        return self._clock.now() + self.wrong_by

    def set_right(self) -> None:
        """What NTP does."""
        self.wrong_by = datetime.timedelta()

    async def sleep(self, seconds: float) -> None:
        """Wait: that is right whatever the clock says."""
        await self._clock.sleep(seconds)


class Operator(Life):
    """One running operator."""

    def __init__(self, clock: OwnClock, ledger: ledgers.SimulatedLedger) -> None:
        super().__init__()
        self.clock, self.ledger = clock, ledger
        self.engine: loop.Engine | None = None
        self.task: asyncio.Task[None] | None = None

    def tasks(self) -> list[asyncio.Task[None]]:
        """All that it does."""
        assert self.engine is not None
        assert self.task is not None
        return [self.task, *self.engine._running.values()]


class FaultStory(harness.Story):
    """A story whose operators are at the end of wires."""

    def __init__(
        self,
        settings: settings_module.Settings | None = None,
        latency: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(settings, latency)
        self.requests: list[Request] = []
        """Those since counting began, see `count_from_now`."""
        self.operators: list[Operator] = []
        self.promises = promises.Promises(self)
        self.guards = guards_module.GUARDS
        """What an operator that is started from now on asks before it acts."""
        self.guards_of_policies: dict[str, Any] = {}
        """What every policy of the story has in ``guards``, whatever else it says."""
        self.lost: collections.Counter[str] = collections.Counter()
        self.stale = False
        """Whether reads are answered with what was so when this began."""
        self.stale_answers = 0
        self._known: dict[object, Any] = {}
        self._counting = 0
        self._crash: tuple[int, str] | None = None
        self._lose: Callable[[Request], bool] = lambda _: False
        self._die_after: Callable[[Request], bool] = lambda _: False
        self.died_at: Request | None = None

    # Operators.

    def start(self) -> None:
        """Start an operator beside those that run; it remembers nothing."""
        operator = Operator(
            OwnClock(self.world.clock), ledgers.SimulatedLedger(self.world.ledger_server)
        )
        self.operators.append(operator)
        self.world.ledger = operator.ledger
        self._share_faults()
        seen: Any = wires.Seen(self.world, clock=operator.clock, ledger=operator.ledger)
        made = wiring.simulated(seen, self.settings, self.guards)
        world = wires.wired(made.world, operator, self._before, self._after)
        operator.engine = loop.Engine(world, made._options)
        operator.task = asyncio.create_task(operator.engine.run(self._relist, self.relist_seconds))
        self.engine, self._task = operator.engine, operator.task

    relist_seconds = harness.RELIST_SECONDS

    def kill(self) -> None:
        """Kill all operators."""
        for operator in list(self.operators):
            self.kill_one(operator)

    def kill_one(self, operator: Operator) -> None:
        """SIGKILL: nothing of it runs on."""
        self.deaths += 1
        operator.dead = True
        self.operators.remove(operator)
        for task in operator.tasks():
            task.cancel()
            task.add_done_callback(lambda each: each.cancelled() or each.exception())
        self.engine = self.operators[-1].engine if self.operators else None
        self._task = self.operators[-1].task if self.operators else None

    def notify(self, name: str = "checkout") -> None:
        """A watch event about a policy, for each operator."""
        for operator in self.operators:
            assert operator.engine is not None
            operator.engine.mark_dirty(objects.Key(harness.NAMESPACE, name))

    async def run(self, seconds: float) -> None:
        """Let time pass. An operator that ends by itself has broken a promise."""
        await self.world.run(seconds)
        for operator in self.operators:
            assert operator.task is not None
            if operator.task.done():
                operator.task.result()
                raise AssertionError("an operator has ended by itself")

    async def close(self) -> None:
        """End the operators at once: what they would have ended is looked at by other tests."""
        tasks = [task for operator in self.operators for task in operator.tasks()]
        self.kill()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await clocks.settle()

    def apply(self, document: Mapping[str, Any], name: str = "checkout") -> objects.Policy:
        """Apply a policy under the limits of this story."""
        guards = {**document.get("guards", {}), **self.guards_of_policies}
        return super().apply({**document, "guards": guards}, name)

    def policy_of(self, record: objects.Record) -> objects.Policy | None:
        """The policy of a record as the API server has it; None: it is gone."""
        return self.world.policies._stored.get(record.policy)

    # The wires.

    def count_from_now(self) -> None:
        """Number the requests anew."""
        self._counting = 1
        self.requests.clear()

    def crash_at(self, number: int, side: str) -> None:
        """Let the operator die at the request of a number."""
        self.count_from_now()
        self._crash = (number, side)

    def die_after(self, which: Callable[[Request], bool]) -> None:
        """Let the operator die after the next request of a sort was carried out."""
        self._die_after = which

    def lose(self, which: Callable[[Request], bool]) -> None:
        """Lose the answer to the next request of a sort; it is carried out."""
        self._lose = which

    def heal(self) -> None:
        """End all faults."""
        self.faults.heal()
        self.stale = False
        self._crash = None
        self._lose = self._die_after = lambda _: False

    async def _before(self, life: Life, request: Request) -> None:
        if self.latency is not None:
            await self.world.clock.sleep(self.latency())
        assert isinstance(life, Operator)
        if self._counting:
            self.requests.append(request)
        number = len(self.requests)
        self._maybe_die(life, request, number, Side.BEFORE)
        self.promises.on_request(life, request)
        if self._crash == (number, Side.AFTER):
            self._dying = request

    _dying: Request | None = None

    async def _after(self, life: Life, request: Request, answer: Any) -> Any:
        assert isinstance(life, Operator)
        self.promises.on_answer(life, request, answer)
        if self._dying is request or self._die_after(request):
            self._dying = None
            self._die_after = lambda _: False
            self._die(life, request, Side.AFTER)
        if self.latency is not None:
            await self.world.clock.sleep(self.latency())
        if self._lose(request):
            self._lose = lambda _: False
            self.lost[f"{request.port}.{request.method}"] += 1
            return wires.unanswered(request)
        return self._as_old_as_may_be(request, answer)

    def _as_old_as_may_be(self, request: Request, answer: Any) -> Any:
        if (request.port, request.method) not in READS:
            return answer
        key = (request.port, request.method, request.args)
        of_a_decision = not request.site[0].startswith("attempt.")
        if self.stale and of_a_decision and key in self._known:
            self.stale_answers += 1
            return self._known[key]
        self._known[key] = answer
        return answer

    def _maybe_die(self, life: Operator, request: Request, number: int, side: str) -> None:
        if self._crash == (number, side):
            self._die(life, request, side)

    def _die(self, life: Operator, request: Request, side: str) -> None:
        self._crash = None
        self.died_at = request
        self.kill_one(life)
        raise wires.crash(f"{side} {request.site}")


class Failures(logging.Handler):
    """Passes that failed by an error of the operator's own."""

    def __init__(self, story: FaultStory) -> None:
        super().__init__(logging.ERROR)
        self._story = story

    def emit(self, record: logging.LogRecord) -> None:
        """Note it."""
        if "a pass failed" in record.getMessage():
            why = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
            self._story.promises.note("failed pass", why)


@contextlib.asynccontextmanager
async def telling(
    settings: settings_module.Settings | None = None,
    latency: Callable[[], float] | None = None,
    guards: Mapping[str, Any] | None = None,
    without: str = "",
) -> AsyncIterator[FaultStory]:
    """A story with one operator, and all that it starts is ended.

    ``guards`` is what its policies say of guards; the operator lacks the one named ``without``.
    """
    story = FaultStory(settings, latency)
    story.guards_of_policies = dict(guards or {})
    story.guards = tuple(each for each in story.guards if each.__name__ != without)
    handler = Failures(story)
    logger = logging.getLogger("prunella")
    logger.addHandler(handler)
    story.start()
    try:
        yield story
    finally:
        logger.removeHandler(handler)
        await story.close()
