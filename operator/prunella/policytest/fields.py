"""Fields that several parts of a test file share."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import pydantic

from prunella.api import types
from prunella.core import model

WORKLOAD_KINDS: Final = ("Deployment", "StatefulSet", "DaemonSet", "Rollout")
TARGET_KINDS: Final = (*WORKLOAD_KINDS, "CronJob")
_TARGET: Final = re.compile(rf"(?:({'|'.join(TARGET_KINDS)})/)?([a-z0-9]([-a-z0-9.]*[a-z0-9])?)")


def _seconds(value: object) -> float:
    """Seconds from the story's start; before it with a minus."""
    if value == 0:
        return 0.0
    if not isinstance(value, str):
        message = f"must be a time such as 90s, 1h30m or -20m, found {value!r}"
        raise ValueError(message)  # noqa: TRY004 - pydantic asks for it
    sign = -1.0 if value.startswith("-") else 1.0
    try:
        return sign * types.duration(value.removeprefix("-")).total_seconds()
    except ValueError:
        message = f"must be a time such as 90s, 1h30m or -20m, found {value!r}"
        raise ValueError(message) from None


def _target(value: object) -> Any:
    if not isinstance(value, str) or not _TARGET.fullmatch(value):
        raise ValueError(f"must be a workload such as Deployment/checkout, found {value!r}")
    return value


Offset = Annotated[float, pydantic.BeforeValidator(_seconds)]
"""Seconds from the story's start, written as a duration: ``90s``, ``1h30m``, ``-20m``."""
TargetName = Annotated[str, pydantic.BeforeValidator(_target)]
"""``Kind/name`` of a workload; ``name`` alone is a Deployment's."""


def ref(target: str, namespace: str) -> model.Ref:
    """The workload that a `TargetName` names."""
    kind, _, name = target.rpartition("/")
    return model.Ref(kind or "Deployment", namespace, name)


def clock_time(seconds: float) -> str:
    """Seconds from the start as a test file writes them."""
    sign = "-" if seconds < 0 else ""
    return f"{sign}{types.Duration.from_seconds(round(abs(seconds)))}"
