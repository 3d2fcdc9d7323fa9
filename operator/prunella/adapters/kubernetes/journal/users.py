"""Who made the changes, as the audit webhook tells: written with a Change, or into it afterwards.

No Change waits for its user.  An audit event that comes later is written into the status of the
Change that it belongs to, also of one that was written before a restart.
"""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Sequence
from typing import Final

from prunella import ports
from prunella.adapters.kubernetes import client
from prunella.adapters.kubernetes.journal import changes, snapshots
from prunella.api import change as change_api
from prunella.core.changes import audit
from prunella.core.changes.values import Change

MOST_WAITING: Final = 2_000
"""Changes whose users wait to be written; of more the users are left out."""
_REVIEW: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_log = logging.getLogger(__name__)


class Users:
    """Brings audit events and Changes together, whichever comes first."""

    def __init__(
        self, kube: client.KubeApi, journal: changes.KubernetesJournal, clock: ports.Clock
    ) -> None:
        self._api = kube
        self._journal = journal
        self._clock = clock
        self._writes = audit.Writes()
        self._waiting: dict[tuple[str, str], tuple[Change, str]] = {}
        self._own_user = ""

    async def begin(self) -> None:
        """Ask the API server who we are: what that user does is the operator's own.

        Raises ClusterError when there was no answer.  An API server below 1.28 can't tell it.
        """
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        reply = await self._api.exchange("POST", _REVIEW, body=body, mutating=False)
        if reply.status in {403, 404}:
            _log.info("the operator's own user is not known: its changes are told by field manager")
            return
        if not reply.ok:
            raise client.refusal(reply, mutating=False)
        self._own_user = str(reply.body["status"]["userInfo"].get("username") or "")

    def told(self, writes: Sequence[audit.Write]) -> int:
        """Take in what audit events tell; returns how many are new."""
        new = self._writes.take(writes, self._clock.now().timestamp())
        if new:
            first = min(each.begun for each in new) - audit.SLACK
            since = datetime.datetime.fromtimestamp(first, datetime.UTC)
            known = self._journal.changes({each.namespace for each in new}, since)
            for change in audit.unnamed(known, new):
                self.written(change)
        return len(new)

    def named(self, change: Change) -> Change:
        """A Change that is about to be written, with its user when that is known by now."""
        user = self._writes.user(change)
        if not user:
            return change
        by = audit.attributed(change.spec.by, user, self._own_user)
        return dataclasses.replace(change, spec=audit.written_by(change.spec, by))

    def written(self, change: Change) -> None:
        """A Change is in the journal: if its user came meanwhile, it is written later."""
        user = "" if change.by.user else self._writes.user(change)
        if user and len(self._waiting) < MOST_WAITING:
            self._waiting[change.namespace, change.name] = change, user

    async def write(self) -> None:
        """Write the users of Changes that were there before them. Raises ClusterError.

        What another has written meanwhile is tried again; what is refused is left out.
        """
        for key, (change, user) in list(self._waiting.items()):
            by = audit.attributed(change.spec.by, user, self._own_user)
            told = change_api.LateAuthor(user=by.user, own=by.own)
            try:
                await self._journal.attribute(change, told)
            except ports.Conflict:
                continue
            except ports.ClusterError as error:
                if snapshots.retryable(error):
                    raise
                _log.warning("the user of a Change can't be written: %s", error)
            self._waiting.pop(key, None)
