"""The seams to what is outside of the cluster's API, or kept beside it (see `prunella.ports`)."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from prunella import ports
from prunella.api import capture, conditions
from prunella.core import model, objects
from prunella.core.decisions import started
from prunella.core.outcomes import capturing


class Namespaces(Protocol):
    """Namespace objects, as their administrators have labelled them."""

    async def namespace_labels(self, namespace: str) -> Mapping[str, str]:
        """The labels as they are now. Raises ClusterError, also when there is no such one."""


class Outward(Protocol):
    """Systems outside the cluster that are asked to do something."""

    async def call(self, effect: model.Effect, key: str, *, dry_run: bool) -> ports.Receipt:
        """Ask once, with the key of the record. Never raises.

        A dry run asks nobody: it tells whether all that is needed is at hand.
        """

    async def look(self, effect: model.Effect, key: str, known: str) -> started.Run | None:
        """What a call has started, by its id if that is ``known``, else by the key.

        None: the system knows of none. Raises ClusterError.
        """


class Approvals(Protocol):
    """What people have said to the plans of records that wait for it."""

    def all(self, namespace: str | None = None) -> Collection[objects.Approval]:
        """The Approvals of a namespace, or of all; costs no request."""

    async def read(self, namespace: str, name: str) -> objects.Approval | None:
        """One as it is now; None when there is none. Raises ClusterError."""

    async def answer(self, approval: objects.Approval, condition: conditions.Condition) -> None:
        """Write what became of one, under its resourceVersion; one that is gone is no error.

        Raises Conflict, ClusterError.
        """


class Verdicts(Protocol):
    """Who may be asked, from outside, what the last pass over a policy has found."""

    def judged(
        self,
        policy: objects.Key,
        verdicts: Mapping[model.Ref, model.Verdict],
        findings: Sequence[model.Finding],
        interval: datetime.timedelta,
    ) -> None:
        """What one pass has found, by the signals alone; the next is due after ``interval``."""

    def forget(self, policy: objects.Key) -> None:
        """The policy is gone, or can't be evaluated."""


class Captures(Protocol):
    """What is kept before an action."""

    async def look(
        self,
        record: objects.Record,
        limits: capture.CapturePolicy,
        found: list[capturing.Part],
    ) -> None:
        """Add each part to ``found`` as it is read, or why it can't be. Never raises."""

    async def pack(
        self,
        record: objects.Record,
        parts: Sequence[capturing.Part],
        limits: capture.CapturePolicy,
        now: datetime.datetime,
    ) -> capture.CaptureSpec:
        """As `capturing.pack`, in nobody's way."""

    async def keep(self, record: objects.Record, spec: capture.CaptureSpec) -> None:
        """Write it once, owned by its record. Raises Conflict when it is there, ClusterError."""

    async def expire(self, now: datetime.datetime) -> None:
        """Delete those whose time is over. Raises ClusterError."""
