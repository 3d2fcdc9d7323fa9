"""The Traces port as a list, which fails when it is told to."""

from __future__ import annotations

from collections.abc import Sequence

from prunella.core.incidents import trace


class RecordingTraces:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.spans: list[trace.Span] = []
        self.failure = ""
        """Why nothing arrives; empty while all does."""
        self.asked = 0
        self.closed = False

    def close(self) -> None:
        """Remember it."""
        self.closed = True

    async def send(self, spans: Sequence[trace.Span]) -> str:
        """Keep spans; why not, when it fails."""
        self.asked += 1
        if not self.failure:
            self.spans += spans
        return self.failure
