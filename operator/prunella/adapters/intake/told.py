"""What a system has told, before it is known whom it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from prunella.core import model

NAME = "alertname"
_TEXTS = ("summary", "message", "description", "title")
_MOST_TEXT = 512
Labels = tuple[tuple[str, str], ...]
"""Sorted, without the alert's name."""


class Told(NamedTuple):
    """One notification. Times are seconds since the epoch."""

    source: str
    name: str
    labels: Labels
    starts_at: float
    firing: bool
    received: float
    ended_at: float | None = None
    """When it ended, as told or as deduced; None while it fires."""
    deduced: bool = False
    """Nobody said that it has ended: it was no longer in the list."""
    message: str = ""
    target: model.Ref | None = None
    """Whom it is about, where the source knows; else its labels say so."""


class Teller(Protocol):
    """One system that tells."""

    name: str
    """Who tells, as it is shown to people."""

    @property
    def primed(self) -> bool:
        """Whether what was active before the start has been read, or can't be."""

    def tell(self) -> Sequence[Told]:
        """What has come since the last call, in order of arrival."""

    async def run(self) -> None:
        """Listen or ask, until cancelled."""


def labels_of(labels: Mapping[str, str]) -> Labels:
    """The labels in the form in which they are kept."""
    return tuple(sorted((key, value) for key, value in labels.items() if key != NAME and value))


def message_of(annotations: Mapping[str, str]) -> str:
    """What an alert says for people, bounded."""
    text = next((annotations[each] for each in _TEXTS if annotations.get(each)), "")
    return text[:_MOST_TEXT]
