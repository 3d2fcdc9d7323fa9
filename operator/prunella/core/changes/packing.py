"""Contents as bytes: compressed for keeping, and a fingerprint for comparing."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from typing import Any, Final

LEVEL: Final = 6


def dump(content: Any) -> bytes:
    """The one JSON of a content: equal contents give equal bytes."""
    return json.dumps(
        content, ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=str
    ).encode()


def fingerprint(dumped: bytes) -> bytes:
    """16 bytes that tell contents apart."""
    return hashlib.blake2b(dumped, digest_size=16).digest()


def pack(dumped: bytes) -> bytes:
    """The JSON compressed by zlib (RFC 1950)."""
    return zlib.compress(dumped, LEVEL)


def unpack(packed: bytes) -> Any:
    """The content again."""
    return json.loads(zlib.decompress(packed))


def to_text(packed: bytes) -> str:
    """As it stands in a custom resource: base64."""
    return base64.b64encode(packed).decode()


def from_text(text: str) -> bytes:
    """The bytes of a custom resource's text. Raises ValueError."""
    return base64.b64decode(text, validate=True)
