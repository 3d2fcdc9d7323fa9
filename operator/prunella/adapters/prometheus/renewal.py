"""Credentials that end: asked for once for all threads, and again a while before their end."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import requests
from requests import auth

from prunella.adapters.prometheus import session
from prunella.api import reasons

EARLY_SECONDS = 180.0
"""How long before their end they are renewed.

Less than the four to five minutes before which metadata servers hand out the same token again.
"""
HOLD_SECONDS = 10.0
"""The least time between two askings, so that a broken issuer is not stormed."""
ISSUER_SECONDS = 10.0
"""The longest that one request to an issuer may take."""
_TEXT = 500

_Value = TypeVar("_Value")


@dataclasses.dataclass(frozen=True, slots=True)
class Lease(Generic[_Value]):
    """Something that is good until ``ends``, in seconds since the epoch."""

    value: _Value
    ends: float


class Renewed(Generic[_Value]):
    """What ``fetch`` gives, kept until shortly before its end. For many threads.

    While it is renewed, and when that fails, the old value serves until its very end.
    """

    def __init__(
        self, fetch: Callable[[], Lease[_Value]], now: Callable[[], float] = time.time
    ) -> None:
        """``fetch`` raises session.AskError; ``now`` gives seconds since the epoch."""
        self._fetch = fetch
        self._now = now
        self._lock = threading.Lock()
        self._held: Lease[_Value] | None = None
        self._failure: session.AskError | None = None
        self._hold_until = 0.0

    def get(self) -> _Value:
        """The value, fetched where need be. Raises session.AskError when there is none."""
        held = self._held
        if held is not None and self._now() < held.ends - EARLY_SECONDS:
            return held.value
        usable = held is not None and self._now() < held.ends
        # Who has nothing to send must wait for it; others need not wait for the one that asks.
        if not self._lock.acquire(blocking=not usable):
            assert held is not None  # noqa: S101 - what usable means
            return held.value
        try:
            return self._renew()
        finally:
            self._lock.release()

    def _renew(self) -> _Value:
        """The value that another thread may just have fetched, or a new one."""
        now, held = self._now(), self._held
        usable = held is not None and now < held.ends
        if now < self._hold_until:
            if held is not None and usable:
                return held.value
            if self._failure is not None:
                raise session.AskError(self._failure.reason, str(self._failure))
        try:
            fresh = self._fetch()
        except session.AskError as error:
            self._failure = error
            self._hold_until = self._now() + HOLD_SECONDS
            if held is not None and usable:
                return held.value
            raise
        self._held, self._failure = fresh, None
        self._hold_until = self._now() + HOLD_SECONDS
        return fresh.value


class HeaderAuth(auth.AuthBase):
    """Adds headers that end, such as a bearer token, to each request."""

    def __init__(self, headers: Renewed[Mapping[str, str]]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request with the headers as they are now. Raises session.AskError."""
        request.headers.update(self._headers.get())
        return request


def failed(issuer: str, error: BaseException) -> session.AskError:
    """What is told when an issuer gave no credentials, cut to what a condition can hold."""
    text = " ".join(str(error).split())[:_TEXT] or type(error).__name__
    return session.AskError(
        reasons.Doubt.UNREACHABLE, f"no credentials from {issuer}, so nothing was asked: {text}"
    )
