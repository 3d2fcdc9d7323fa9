"""JSON pointers (RFC 6901): where a patch writes.

A name in one may hold a slash, as those of most annotations do: it is written ``~1``, and the
tilde itself ``~0``.
"""

from __future__ import annotations


def part(name: str | int) -> str:
    """One name or place in a list, as it stands between two slashes of a pointer."""
    return str(name).replace("~", "~0").replace("/", "~1")


def parts(pointer: str) -> list[str]:
    """The names on the way, none for the whole document."""
    return [each.replace("~1", "/").replace("~0", "~") for each in pointer.split("/")[1:]]
