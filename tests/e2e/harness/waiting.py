"""Waiting for something to become true, with words for when it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

T = TypeVar("T")
POLL_SECONDS = 0.5


def wait_until(
    predicate: Callable[[], T],
    timeout: float = 90.0,
    describe: str | Callable[[], Any] = "the condition",
) -> T:
    """Ask until the answer is true, and return it; fail with ``describe`` after ``timeout`` s."""
    deadline = time.monotonic() + timeout
    while not (answer := predicate()):
        if time.monotonic() > deadline:
            said = describe if isinstance(describe, str) else describe()
            pytest.fail(f"not true after {timeout:.0f} s: {said} (last answer: {answer!r})")
        time.sleep(POLL_SECONDS)
    return answer


def stays(predicate: Callable[[], bool], seconds: float, describe: str) -> None:
    """Fail as soon as something is no longer true within the given time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert predicate(), f"no longer true: {describe}"
        time.sleep(POLL_SECONDS)
