"""What the files of the single systems share: how one is started, found again and asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from prunella.adapters.outward import http
from prunella.api import endpoints
from prunella.core.decisions import started

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
RUNNING, SUCCEEDED = started.RunState.RUNNING, started.RunState.SUCCEEDED
WAITING = started.RunState.WAITING
FAILED, UNKNOWN = started.RunState.FAILED, started.RunState.UNKNOWN
MOST_LISTED = 50
"""Newest runs among which one is looked for by its key."""

Call = Mapping[str, Any]
"""The value of a planned call: ``parameters`` and ``target``."""


class System(Protocol):
    """The API of one sort of system. All methods raise ClusterError, `start` OutcomeUnknown."""

    def start(self, web: http.Http, call: Call, key: str) -> started.Run:
        """Ask once; the run with its id, if the answer tells it."""

    def find(self, web: http.Http, key: str) -> started.Run | None:
        """The run with this key; None: there is none among the newest."""

    def look(self, web: http.Http, known: str, key: str) -> started.Run | None:
        """The run with this id; None: it is not there."""


def post(web: http.Http, path: str, key: str, body: object) -> http.Answer:
    """Send JSON."""
    return web.send("POST", path, key, json.dumps(body).encode(), JSON)


def body(call: Call, key: str) -> bytes:
    """What receivers without parameters of their own are given, as JSON."""
    content = {"remediation": key, "target": call["target"], "parameters": call["parameters"]}
    return json.dumps(content, sort_keys=True).encode()


def values(call: Call, key: str) -> dict[str, str]:
    """The parameters, and the key by which the run is found again."""
    return {**call["parameters"], endpoints.KEY: key}


def state(word: object, ends: Mapping[str, started.RunState]) -> started.RunState:
    """The state that a system's own word stands for; what is no end is running."""
    return ends.get(str(word), RUNNING)
