"""Who may post: a bearer token, a client's certificate, and not too often.

Files are read anew when they change, so that a rotated Secret needs no restart.
"""

from __future__ import annotations

import hmac
import pathlib
import ssl
from collections.abc import Callable

Mark = tuple[int, int, int] | None
LEAST_TOKEN = 16
"""Characters below which a token is taken for a file that is being written, or a mistake."""


def mark(path: pathlib.Path) -> Mark:
    """What changes when a file does, also when a mounted Secret is swapped as a whole."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


class Token:
    """The bearer token of a file."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._mark: Mark = None
        self._token = b""

    def matches(self, header: str) -> bool:
        """Whether an ``Authorization`` header bears the token, compared in constant time.

        A file that can't be read, or that holds next to nothing, lets nobody in.
        """
        scheme, _, given = header.partition(" ")
        expected = self._read()
        same = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), expected)
        return same and scheme.lower() == "bearer" and len(expected) >= LEAST_TOKEN

    def _read(self) -> bytes:
        now = mark(self._path)
        if now is None:
            return b""
        if now != self._mark:
            try:
                self._token = self._path.read_bytes().strip()
            except OSError:
                return b""
            self._mark = now
        return self._token


class Tls:
    """A server's TLS context, made anew when one of its files has changed."""

    def __init__(
        self, cert: pathlib.Path, key: pathlib.Path, client_ca: pathlib.Path | None
    ) -> None:
        """With ``client_ca`` only clients with a certificate of that authority are let in."""
        self._cert, self._key, self._client_ca = cert, key, client_ca
        self._marks = self._now()

    def context(self) -> ssl.SSLContext:
        """The context of the files as they are. Raises OSError, ssl.SSLError among them."""
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        self._marks = self._now()
        made.load_cert_chain(self._cert, self._key)
        if self._client_ca is not None:
            made.load_verify_locations(self._client_ca)
            made.verify_mode = ssl.CERT_REQUIRED
        return made

    @property
    def changed(self) -> bool:
        """Whether a file has changed since the last context."""
        return self._now() != self._marks

    def _now(self) -> tuple[Mark, ...]:
        paths = (self._cert, self._key, self._client_ca)
        return tuple(mark(each) for each in paths if each is not None)


class Bucket:
    """A token bucket: ``rate`` a second on average, ``burst`` at once."""

    def __init__(self, rate: float, burst: float, now: Callable[[], float]) -> None:
        self._rate, self._burst, self._now = rate, burst, now
        self._level, self._at = burst, now()

    def take(self) -> float:
        """0 when there was one to take; else the seconds until there will be."""
        now = self._now()
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
        if self._level >= 1:
            self._level -= 1
            return 0.0
        return (1 - self._level) / self._rate
