"""AWS Signature Version 4, computed again from what arrived: only hashlib and hmac.

Source: AWS documentation, "Create a signed AWS API request".
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import re
import urllib.parse
from collections.abc import Mapping

ALGORITHM = "AWS4-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=(?P<key>[^/]+)/(?P<scope>[^,]+), "
    r"SignedHeaders=(?P<headers>[^,]+), Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclasses.dataclass(frozen=True)
class Signature:
    """The parts of an Authorization header."""

    key: str
    scope: str
    headers: tuple[str, ...]
    signature: str


def read(authorization: str) -> Signature:
    """The parts of a header, which must have them all."""
    found = _AUTHORIZATION.fullmatch(authorization)
    assert found is not None, authorization
    headers = tuple(found["headers"].split(";"))
    return Signature(found["key"], found["scope"], headers, found["signature"])


def sign(method: str, path: str, headers: Mapping[str, str], body: bytes, secret: str) -> str:
    """The signature that a request should bear; ``path`` as sent, header names in small letters."""
    signature = read(headers["authorization"])
    plain, _, query = path.partition("?")
    canonical = "\n".join(
        (
            method,
            urllib.parse.quote(plain, safe="/-_.~"),
            "&".join(sorted(query.split("&"))),
            *(f"{name}:{' '.join(headers[name].split())}" for name in signature.headers),
            "",
            ";".join(signature.headers),
            hashlib.sha256(body).hexdigest(),
        )
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((ALGORITHM, headers["x-amz-date"], signature.scope, digest))
    key = f"AWS4{secret}".encode()
    for part in (*signature.scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()
