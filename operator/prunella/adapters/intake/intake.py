"""All that tell, as one Source: alerts with their owners, each told once.

Nothing is given before every system that can be asked has said which alerts are active: else an
operator that starts in the middle of an outage would open incidents by what comes first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from prunella import ports
from prunella.adapters.intake import attribution, series, told
from prunella.core.incidents import values

NAME = "intake"
ALERTS = "prunella_intake_alerts_total"
REFRESH_SECONDS = 600.0
_log = logging.getLogger(__name__)


class Intake:
    """Everything that tells of alerts (`ports.Source`)."""

    name = NAME

    def __init__(
        self,
        tellers: Sequence[told.Teller],
        owners: attribution.Attribution,
        telemetry: ports.Telemetry,
        *,
        ignore: Sequence[str] = (),
        refresh: float = REFRESH_SECONDS,
    ) -> None:
        """``ignore``: names of alerts that tell of nothing that is sick."""
        self._tellers = tuple(tellers)
        self._owners = owners
        self._telemetry = telemetry
        self._ignore = frozenset(ignore)
        self._table = series.Table(refresh)
        self._primed = False

    @property
    def primed(self) -> bool:
        """Whether what was active before the start has been read, or can't be."""
        if not self._primed:
            self._primed = all(each.primed for each in self._tellers)
            if self._primed:
                _log.info("intake: active alerts have been read")
        return self._primed

    async def drain(self) -> Sequence[values.Alert]:
        """What has come since the last call; nothing before all is `primed`. Never raises."""
        if not self.primed:
            return ()
        batch = [(teller.name, each) for teller in self._tellers for each in teller.tell()]
        wanted = [pair for pair in batch if pair[1].name not in self._ignore]
        for source, each in batch:
            if each.name in self._ignore:
                self._count(source, "ignored")
        targets = await self._owners.targets([each for _, each in wanted])
        alerts = []
        for (source, each), target in zip(wanted, targets, strict=True):
            alert = self._table.take(each, target)
            self._count(source, "repeated" if alert is None else "passed_on")
            if alert is not None:
                alerts.append(alert)
        return alerts

    async def run(self) -> None:
        """Listen and ask, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for teller in self._tellers:
                group.create_task(teller.run(), name=teller.name)

    def _count(self, source: str, outcome: str) -> None:
        self._telemetry.count(ALERTS, {"source": source, "outcome": outcome})
