"""The Notifier port: Kubernetes Events here, alerts by whoever is handed in."""

from __future__ import annotations

import datetime
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from prunella import ports
from prunella.adapters.kubernetes import client, kinds
from prunella.core import objects

REPEAT = datetime.timedelta(minutes=10)
CONTROLLER = "prunella"
NOTE_LIMIT = 1024
"""Characters that the API server takes in a note."""
_NUMBER = re.compile(r"(?<![\w-])\d+(\.\d+)?")
_log = logging.getLogger(__name__)

PostAlert = Callable[[ports.Escalation], Awaitable[bool]]


class KubernetesNotifier:
    """Events, rate-limited, and escalations (`ports.Notifier`)."""

    def __init__(
        self,
        api: client.KubeApi,
        clock: ports.Clock,
        instance: str,
        post_alert: PostAlert | None = None,
    ) -> None:
        """``instance`` is the pod's name; without ``post_alert`` nothing is escalated by alert."""
        self._api = api
        self._clock = clock
        self._instance = instance[:128] or CONTROLLER
        self._post_alert = post_alert
        self._told: dict[tuple[str, str, str], datetime.datetime] = {}

    async def event(self, notice: ports.Notice) -> None:
        """Post an Event, unless the same was posted within ten minutes. Never raises."""
        now = self._clock.now()
        self._told = {key: at for key, at in self._told.items() if now - at < REPEAT}
        key = _sameness(notice)
        if key in self._told:
            return
        self._told[key] = now
        body = event_body(notice, now, self._instance)
        path = kinds.EVENT.path(body["metadata"]["namespace"])
        try:
            await self._api.request("POST", path, body=body, mutating=True)
        except ports.ClusterError as error:
            self._told.pop(key, None)
            _log.warning("an Event was not posted: %s", error)

    async def escalate(self, escalation: ports.Escalation) -> bool:
        """Post an alert; True also when no Alertmanager is configured: there is no more to try."""
        if self._post_alert is None:
            return True
        return await self._post_alert(escalation)


def _sameness(notice: ports.Notice) -> tuple[str, str, str]:
    """What makes two notices the same; "held for 12 s" and "held for 13 s" are."""
    return notice.regarding.uid, notice.reason, _NUMBER.sub("#", notice.message)


def event_body(notice: ports.Notice, now: datetime.datetime, instance: str) -> dict[str, Any]:
    """An Event (events.k8s.io/v1) about a policy or a record."""
    about = _reference(notice.regarding)
    return {
        "apiVersion": kinds.EVENT.api_version,
        "kind": kinds.EVENT.name,
        # The API server takes Events about what is in no namespace in this one.
        "metadata": {
            "namespace": about.get("namespace", "default"),
            "generateName": f"{about['name'][:200]}-",
        },
        "eventTime": now.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": CONTROLLER,
        "reportingInstance": instance,
        "action": notice.reason[:128],
        "reason": notice.reason[:128],
        "regarding": about,
        "note": notice.message[:NOTE_LIMIT],
        "type": notice.severity.value,
    }


def _reference(thing: objects.Policy | objects.Record) -> dict[str, str]:
    if isinstance(thing, objects.Policy):
        namespace, name = thing.key.namespace, thing.key.name
        kind = kinds.POLICY if namespace else kinds.CLUSTER_POLICY
    else:
        kind, namespace, name = kinds.RECORD, thing.namespace, thing.name
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        **({"namespace": namespace} if namespace else {}),
        "name": name,
        "uid": thing.uid,
        "resourceVersion": thing.resource_version,
    }
