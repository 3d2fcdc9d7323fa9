"""Structured logs: one JSON object a line, or plain text for people at a terminal."""

from __future__ import annotations

import logging
from typing import Literal

from pythonjsonlogger import json as json_logs

FIELDS = "%(asctime)s %(levelname)s %(name)s %(message)s"


def quiet() -> None:
    """No logs at all: for commands that tell people themselves what happens."""
    logging.disable(logging.CRITICAL)


def configure(form: Literal["json", "text"], level: str) -> None:
    """Send all logs to standard error in one form; Kopf and libraries speak from WARNING up."""
    handler = logging.StreamHandler()
    if form == "json":
        handler.setFormatter(
            json_logs.JsonFormatter(
                FIELDS,
                rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
                datefmt="%Y-%m-%dT%H:%M:%S%z",
            )
        )
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("prunella").setLevel(level)
