"""Bodies as Alertmanager posts them."""

from __future__ import annotations

import datetime
from typing import Any

import orjson

START = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
NEVER = "0001-01-01T00:00:00Z"
Raw = dict[str, Any]


def time(seconds: float) -> str:
    """So many seconds after START, with nanoseconds as Go writes them."""
    moment = START + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "789Z"


def alert(name: str = "Down", begins: float = -60, ends: float | None = None, **labels: str) -> Raw:
    """One alert; it fires unless it ``ends``."""
    return {
        "status": "firing" if ends is None else "resolved",
        "labels": {"alertname": name, "namespace": "shop", **labels},
        "annotations": {"summary": f"{name} is told"},
        "startsAt": time(begins),
        "endsAt": NEVER if ends is None else time(ends),
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "0123456789abcdef",
    }


def message(*alerts: Raw, **fields: Any) -> Raw:
    """A notification of a group."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="Down"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "prunella",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": list(alerts),
        **fields,
    }


def body(*alerts: Raw, **fields: Any) -> bytes:
    """A notification as it is posted."""
    return orjson.dumps(message(*alerts, **fields))
