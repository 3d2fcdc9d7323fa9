"""HTTP sessions with credentials from files, and answers that can't fill the memory."""

from __future__ import annotations

import dataclasses
import pathlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

import requests
import urllib3
from requests import adapters, auth

from prunella import settings
from prunella.api import reasons

NO_RETRIES = urllib3.Retry(0, redirect=False)
"""Asking again is the engine's business: a retry would only hide that a source is ill."""
_CHUNK = 64 * 1024


class AskError(Exception):
    """A request that brought no answer to be believed."""

    def __init__(self, reason: reasons.Doubt, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Closeable(Protocol):
    """Something that holds connections."""

    def close(self) -> None:
        """Give them back."""


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """How to reach a server: all of it that can come from files is read when a session opens."""

    url: str
    tls: settings.Tls = dataclasses.field(default_factory=settings.Tls)
    bearer_token_file: pathlib.Path | None = None
    basic_auth: settings.BasicAuth | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    open_auth: Callable[[], auth.AuthBase] | None = None
    """Gives what signs each request, or adds a token; raises AskError when it can't."""

    @property
    def files(self) -> tuple[pathlib.Path, ...]:
        """The files of credentials and certificates."""
        password = self.basic_auth.password_file if self.basic_auth is not None else None
        tls = (self.tls.ca_file, self.tls.cert_file, self.tls.key_file)
        return tuple(p for p in (self.bearer_token_file, password, *tls) if p is not None)


def open_session(access: Access) -> requests.Session:
    """A session with the credentials as they are now.

    Nothing is taken from the environment: no proxy, no .netrc.  Raises AskError when a
    file can't be read, or when credentials of a cloud can't be used.
    """
    session = requests.Session()
    session.trust_env = False
    session.headers.update({"User-Agent": "prunella", "Accept-Encoding": "identity"})
    session.headers.update(access.headers)
    if access.bearer_token_file is not None:
        session.headers["Authorization"] = f"Bearer {_read(access.bearer_token_file)}"
    if access.basic_auth is not None:
        password = _read(access.basic_auth.password_file)
        session.auth = (access.basic_auth.username, password)
    if access.open_auth is not None:
        session.auth = access.open_auth()
    session.verify = not access.tls.insecure_skip_verify
    if session.verify and access.tls.ca_file is not None:
        session.verify = str(access.tls.ca_file)
    if access.tls.cert_file is not None:
        key = access.tls.key_file or access.tls.cert_file
        session.cert = (str(access.tls.cert_file), str(key))
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapters.HTTPAdapter(max_retries=NO_RETRIES))
    return session


def _read(path: pathlib.Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise AskError(
            reasons.Doubt.UNREACHABLE, f"can't read the credentials in {path}: {error}"
        ) from error


_Client = TypeVar("_Client", bound=Closeable)
_Marks = tuple[tuple[int, int, int] | None, ...]


class PerThread(Generic[_Client]):
    """One client for each thread, opened anew when a file of its credentials has changed."""

    def __init__(self, access: Access, open_client: Callable[[], _Client]) -> None:
        self._files = access.files
        self._open = open_client
        self._local = threading.local()
        self._lock = threading.Lock()
        self._all: list[_Client] = []

    def get(self) -> _Client:
        """This thread's client. Raises AskError when its credentials can't be read."""
        marks: _Marks = tuple(_mark(path) for path in self._files)
        held: tuple[_Marks, _Client] | None = getattr(self._local, "held", None)
        if held is not None and held[0] == marks:
            return held[1]
        client = self._open()
        with self._lock:
            self._all.append(client)
            if held is not None:
                self._all.remove(held[1])
        if held is not None:
            held[1].close()
        self._local.held = (marks, client)
        return client

    def close(self) -> None:
        """Close the clients of all threads."""
        with self._lock:
            for client in self._all:
                client.close()
            self._all.clear()


def _mark(path: pathlib.Path) -> tuple[int, int, int] | None:
    """What changes when a file does, also when a mounted Secret is swapped as a whole."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def read_body(response: requests.Response, most_bytes: int, deadline: float) -> bytes:
    """The body, read in pieces; ``deadline`` is on ``time.monotonic``.

    Raises AskError for a body that is too large or too slow.
    """
    return read_pieces(response.raw, most_bytes, deadline)


def read_pieces(body: urllib3.BaseHTTPResponse, most_bytes: int, deadline: float) -> bytes:
    """The body of an answer of urllib3's, as `read_body` has it.

    Its read timeout is for one piece only: a server that drips would never end.
    """
    pieces: list[bytes] = []
    size = 0
    while piece := body.read1(_CHUNK, decode_content=True):
        size += len(piece)
        if size > most_bytes:
            raise AskError(
                reasons.Doubt.BODY_TOO_LARGE,
                f"the answer is larger than {most_bytes} bytes: ask for less (aggregate a query)",
            )
        if time.monotonic() > deadline:
            raise AskError(reasons.Doubt.TIMEOUT, "the answer did not end in time")
        pieces.append(piece)
    return b"".join(pieces)


def translate(error: Exception, url: str) -> AskError:
    """What a fault of requests or urllib3 means; credentials in the URL are not repeated."""
    host = urllib3.util.parse_url(url).host
    if isinstance(error, requests.ConnectTimeout):
        return AskError(reasons.Doubt.TIMEOUT, f"no connection to {host} in time")
    slow = (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError)
    if isinstance(error, slow):
        return AskError(reasons.Doubt.TIMEOUT, f"no answer from {host} in time")
    if isinstance(error, requests.exceptions.SSLError):
        return AskError(reasons.Doubt.UNREACHABLE, f"TLS with {host} failed: {_cause(error)}")
    return AskError(reasons.Doubt.UNREACHABLE, f"can't reach {host}: {_cause(error)}")


def _cause(error: BaseException) -> str:
    """The innermost words: those around it are about the library's own affairs."""
    inner = getattr(error, "reason", None) or next(
        (each for each in error.args if isinstance(each, BaseException)), None
    )
    if isinstance(inner, BaseException) and inner is not error:
        return _cause(inner)
    return str(error)[:200]


def refused(status: int, body: bytes) -> AskError:
    """An HTTP status that is not a success, with the beginning of what the server said."""
    text = " ".join(body[:200].decode(errors="replace").split())
    return AskError(reasons.Doubt.HTTP_ERROR, f"HTTP {status}: {text}")
