"""Asking for the alerts that are active: what is not in the answer any more has ended.

An answer that failed says nothing: nothing ends by it.  What is missing for a while in good answers
has ended when it was first missing; a server that was just started has an empty list for a moment.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from prunella import ports
from prunella.adapters.intake.told import Labels, Told

MOST_ALERTS = 20_000
"""Active alerts of one source that are followed; beyond it the answer is not believed."""
GIVE_UP_SECONDS = 60.0
"""How long a start waits for the first answer of a source that does not give one."""
_POLLS = "prunella_intake_polls_total"
_log = logging.getLogger(__name__)

Ask = Callable[[], Awaitable[Sequence[Told]]]
"""The alerts that are active now. Raises PollError."""


class PollError(Exception):
    """A source that did not say which alerts are active."""


class Poll:
    """One source that is asked every so often (`told.Teller`)."""

    def __init__(
        self,
        name: str,
        ask: Ask,
        clock: ports.Clock,
        telemetry: ports.Telemetry,
        *,
        every: float,
        missing: float,
    ) -> None:
        """``every`` and ``missing`` in seconds: between two polls, and until one has ended."""
        self.name = name
        self._ask = ask
        self._clock = clock
        self._telemetry = telemetry
        self._every, self._missing = every, missing
        self._active: dict[tuple[str, Labels], Told] = {}
        self._missed: dict[tuple[str, Labels], float] = {}
        self._waiting: list[Told] = []
        self._answered = False
        self._first_try: float | None = None
        self._failing = False

    @property
    def primed(self) -> bool:
        """Whether it has answered once, or has not for a minute."""
        if self._answered or self._first_try is None:
            return self._answered
        return self._clock.now().timestamp() - self._first_try > GIVE_UP_SECONDS

    def tell(self) -> Sequence[Told]:
        """The newest answer, and what has ended; once each."""
        waiting, self._waiting = self._waiting, []
        return waiting

    async def run(self) -> None:
        """Ask, until cancelled."""
        while True:
            await self.ask()
            await self._clock.sleep(self._every)

    async def ask(self) -> None:
        """Ask once."""
        now = self._clock.now().timestamp()
        if self._first_try is None:
            self._first_try = now
        try:
            found = await self._ask()
        except PollError as error:
            self._failed(error)
            return
        if len(found) > MOST_ALERTS:
            self._failed(PollError(f"{len(found)} active alerts, the limit is {MOST_ALERTS}"))
            return
        self._telemetry.count(_POLLS, {"source": self.name, "outcome": "answered"})
        if self._failing:
            _log.info("%s answers again", self.name)
        self._answered, self._failing = True, False
        self._take(found, now)

    def _failed(self, error: PollError) -> None:
        self._telemetry.count(_POLLS, {"source": self.name, "outcome": "failed"})
        if not self._failing:
            _log.warning("%s: %s", self.name, error)
        self._failing = True

    def _take(self, found: Sequence[Told], now: float) -> None:
        present = {(each.name, each.labels): each for each in found}
        for key in self._active.keys() - present.keys():
            self._missed.setdefault(key, now)
        for key in present:
            self._missed.pop(key, None)
        ended = [key for key, since in self._missed.items() if now - since >= self._missing]
        gone = []
        for key in ended:
            since, last = self._missed.pop(key), self._active.pop(key)
            gone.append(last._replace(firing=False, ended_at=since, received=now, deduced=True))
        self._active.update(present)
        # What was told and not taken is replaced: the newest answer says all that is active.
        self._waiting = [each for each in self._waiting if not each.firing]
        self._waiting += [*gone, *present.values()]
