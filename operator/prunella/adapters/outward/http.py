"""Requests to one endpoint and to nothing else: no redirects, no proxies, bounded answers.

A request may take the endpoint's ``timeoutSeconds`` in all, and its answer have a MiB.  Nothing is
sent when the time of the whole call is over: by then its caller has said what became of it.

What may have reached the other side and was not answered is `ports.OutcomeUnknown`; it is never
sent again.  Secrets are read from their files for each request, and taken out of all that is told.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json as json_module
import math
import pathlib
import re
import ssl
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from urllib import parse

import urllib3

import prunella
from prunella import ports
from prunella.adapters.outward import connections, signing
from prunella.adapters.prometheus import session
from prunella.api import endpoints
from prunella.core.outcomes import runs

MOST_BYTES = 1024 * 1024
_MOST_REFUSED = 16_384
"""Bytes of an answer that says no: its first words are shown."""
KEY_HEADER = "Idempotency-Key"
_NOT_PROCESSED = frozenset({301, 307, 308})
"""Redirects that ask for the same request at another place: this one was not carried out."""
SIGNATURE = "X-Prunella-Signature-256"
"""Of the body, with the secret of ``hmacSecretFile``."""
_PROOFS = ("Authorization", "X-Amz-Security-Token", SIGNATURE)
"""Headers of a signature that are taken out of what is told."""
_HEADER = re.compile(r"[\x20-\x7e]+")


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A success, as far as it was read."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body as JSON; an empty mapping where it is none."""
        try:
            return json_module.loads(self.text or "{}")
        except ValueError:
            return {}


class Http:
    """Requests beneath one URL, of one call: ``ends`` is on ``time.monotonic``."""

    def __init__(self, endpoint: endpoints.Endpoint, ends: float = math.inf) -> None:
        self.endpoint = endpoint
        self._ends = ends
        self._signer = signing.signer(endpoint)
        ca_file = str(endpoint.ca_file) if endpoint.ca_file is not None else None
        self._pool = connections.Connections(
            retries=False,
            timeout=urllib3.Timeout(
                connect=min(5.0, endpoint.timeout_seconds), read=endpoint.timeout_seconds
            ),
            ca_certs=ca_file,
            maxsize=2,
        )

    def close(self) -> None:
        """Give connections back."""
        self._pool.clear()

    def break_off(self) -> None:
        """Let a request that another thread waits for fail now."""
        self._pool.break_off()

    def secret_headers(self) -> dict[str, str]:
        """The headers that are kept in files, as they are now. Raises ClusterError."""
        found = {}
        for name, path in self.endpoint.header_files.items():
            found[name] = read(path, f"header {name}")
            if _HEADER.fullmatch(found[name]) is None:
                why = f"header {name}: {path} is not one line of printable ASCII"
                raise ports.ClusterError(why)
        return found

    def check(self) -> None:
        """Make sure that all files can be read. Raises ClusterError."""
        secret = self.secret_headers()
        _check_authorities(self.endpoint.ca_file)
        if self._signer is not None:
            signing.signed(self._signer, "POST", self.endpoint.url, None, secret)
        if self.endpoint.hmac_secret_file is not None:
            read(self.endpoint.hmac_secret_file, "hmacSecretFile")

    def get(self, path: str, query: Mapping[str, object] | None = None) -> Answer | None:
        """Read; None for 404. Raises ClusterError."""
        return self._get(path, query or {}, MOST_BYTES)

    def _get(self, path: str, query: Mapping[str, object], most: int) -> Answer | None:
        try:
            return self._exchange("GET", path, query, None, {}, most)
        except ports.OutcomeUnknown as error:
            raise ports.ClusterError(str(error), status=error.status) from error
        except ports.ClusterError as error:
            if error.status == 404:
                return None
            raise

    def headers_of(self, path: str, query: Mapping[str, object]) -> Mapping[str, str] | None:
        """The headers of an answer whose body is not wanted; None for 404. Raises ClusterError."""
        answer = self._get(path, query, 0)
        return {k.lower(): v for k, v in answer.headers.items()} if answer is not None else None

    def listed(self, path: str, name: str, query: Mapping[str, object]) -> Iterable[Any]:
        """The entries of a list in an answer; none for 404. Raises ClusterError."""
        answer = self.get(path, query)
        return answer.json.get(name, ()) if answer is not None else ()

    def send(
        self,
        method: str,
        path: str,
        key: str,
        body: bytes,
        headers: Mapping[str, str],
        query: Mapping[str, object] | None = None,
    ) -> Answer:
        """Ask for something, once. Raises ClusterError when refused, else OutcomeUnknown."""
        return self._exchange(method, path, query or {}, body, {KEY_HEADER: key, **headers})

    def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, object],
        body: bytes | None,
        headers: Mapping[str, str],
        most: int = MOST_BYTES,
    ) -> Answer:
        secret = self.secret_headers()
        _check_authorities(self.endpoint.ca_file)
        url = f"{self.endpoint.url}{path}"
        if query:
            url = f"{url}?{parse.urlencode({k: str(v) for k, v in query.items()})}"
        own = {"User-Agent": f"prunella/{prunella.__version__}", "Accept": "application/json"}
        sent = {**own, **self.endpoint.headers, **headers, **secret}
        if self._signer is not None:
            url, proof = signing.signed(self._signer, method, url, body, sent)
            sent |= proof
        secret |= {name: sent[name] for name in _PROOFS if name in sent}
        shown = f"{method} {self.endpoint.url}{path}"
        if time.monotonic() >= self._ends:
            raise ports.ClusterError(f"{shown}: not sent: what came before it took all the time")
        with _told(shown, secret.values()):
            deadline = time.monotonic() + self.endpoint.timeout_seconds
            answer = self._pool.request(
                method,
                url,
                body=body,
                headers=sent,
                redirect=False,
                preload_content=False,
            )
            text = without(_text(answer, most, deadline), secret.values())
        if self._pool.broken:  # Headers that end early are taken for whole ones.
            raise ports.OutcomeUnknown(f"{shown}: sent, but not answered in time")
        if 200 <= answer.status < 300:
            return Answer(answer.status, dict(answer.headers.items()), text)
        raise _refused(shown, answer.status, text)


@contextlib.contextmanager
def _told(shown: str, secrets: Collection[str]) -> Iterator[None]:
    """Whatever ends an exchange, as a ClusterError or, if it may have arrived, OutcomeUnknown."""
    try:
        yield
    except (
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.ConnectTimeoutError,
        urllib3.exceptions.LocationValueError,
    ) as error:
        why = without(f"{shown}: no connection: {_words(error)}", secrets)
        raise ports.ClusterError(why) from None
    except session.AskError as error:
        raise ports.OutcomeUnknown(f"{shown}: sent, but {error}") from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        if _not_trusted(error):
            why = without(f"{shown}: no connection: {_words(error)}", secrets)
            raise ports.ClusterError(why) from None
        why = without(f"{shown}: sent, no answer came: {_words(error)}", secrets)
        raise ports.OutcomeUnknown(why) from None
    except ValueError as error:  # Its text may be a header's.
        why = f"{shown}: can't be sent: {type(error).__name__}"
        raise ports.ClusterError(why) from None


def _text(answer: urllib3.BaseHTTPResponse, most: int, deadline: float) -> str:
    """The body, read whole and within the time. Raises AskError.

    An answer that is no success is one whatever its body: only the first piece is looked at.
    """
    found = b""
    try:
        if 200 <= answer.status < 300:
            found = session.read_pieces(answer, most, deadline) if most else found
        else:
            with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
                found = answer.read1(_MOST_REFUSED, decode_content=True)
    finally:
        answer.close()
    return found.decode(errors="replace")


def read(path: pathlib.Path, what: str) -> str:
    """What a file of credentials holds. Raises ClusterError without what was read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        words = getattr(error, "strerror", None) or "it is no text"
        raise ports.ClusterError(f"{what}: can't read {path}: {words}") from None


def without(text: str, secrets: Iterable[str]) -> str:
    """A text without the secrets, nor what a header has as ``Bearer X`` or ``sha256=X``."""
    for secret in secrets:
        for part in (secret, secret.rpartition(" ")[2], secret.rpartition("=")[2]):
            if len(part) >= 4:
                text = text.replace(part, "[redacted]")
    return text


def _check_authorities(path: pathlib.Path | None) -> None:
    """Make sure that the file has certificates: nothing is sent else. Raises ClusterError."""
    if path is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise ports.ClusterError(f"caFile: {path} has no certificate in PEM") from None
    except OSError as error:
        raise ports.ClusterError(f"caFile: can't read {path}: {error.strerror}") from None


def _not_trusted(error: Exception) -> bool:
    """Whether the other side's certificate was refused: other TLS errors may come afterwards."""
    return isinstance(error, urllib3.exceptions.SSLError) and any(
        isinstance(each, ssl.SSLCertVerificationError) for each in (error.__cause__, *error.args)
    )


def _words(error: Exception) -> str:
    """An error without the addresses of objects."""
    return re.sub(r"<[^>]*>:?\s*", "", str(error))[:300] or type(error).__name__


def _refused(shown: str, status: int, text: str) -> ports.ClusterError:
    told = runs.redacted(" ".join(text.split())[:300])
    if 300 <= status < 400:
        why = f"{shown}: answered {status}, a redirect, which is not followed"
        certain = status in _NOT_PROCESSED
    else:
        why = f"{shown}: answered {status}{f': {told}' if told else ''}"
        certain = status < 500
    if certain:
        return ports.ClusterError(why, status=status)
    return ports.OutcomeUnknown(why, status=status)
