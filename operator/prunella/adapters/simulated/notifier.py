"""The Notifier port as a list."""

from __future__ import annotations

from prunella import ports


class RecordingNotifier:
    """Keeps what it was told. While ``broken``, nothing arrives."""

    def __init__(self) -> None:
        self.events: list[ports.Notice] = []
        self.escalations: list[ports.Escalation] = []
        self.broken = False

    async def event(self, notice: ports.Notice) -> None:
        """Keep an Event."""
        if not self.broken:
            self.events.append(notice)

    async def escalate(self, escalation: ports.Escalation) -> bool:
        """Keep an alert; False while broken."""
        if self.broken:
            return False
        self.escalations.append(escalation)
        return True

    @property
    def reasons(self) -> list[str]:
        """The Events' reasons, in order."""
        return [notice.reason for notice in self.events]
