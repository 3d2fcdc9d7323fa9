"""How large a pack is once it is read: a small one may hold objects of any size.

Source: Git's pack format (git-scm.com/docs/pack-format). Nothing is built here, and no more is
unpacked at once than a piece, or a delta within the bound.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator
from typing import IO, Final

_PIECE: Final = 64 * 1024
_OFS_DELTA, _REF_DELTA = 6, 7
_HASH_BYTES: Final = 20
_WHOLE_COPY: Final = 0x10000
"""What a copy of length 0 stands for."""


def unpacked(pack: IO[bytes], most: int) -> int:
    """Bytes of all objects; it ends early with more than ``most``. Raises ValueError, zlib.error.

    A delta counts with what it makes, by its own instructions: the size that it states is only
    looked at when all of it was made.
    """
    pack.seek(0)
    mark, _, count = struct.unpack(">4sLL", pack.read(12))
    if mark != b"PACK":
        raise ValueError("it is no pack")
    total = 0
    for _ in range(count):
        kind = _header(pack)
        pieces = _inflated(pack, most - total + 1)
        if kind in {_OFS_DELTA, _REF_DELTA}:
            delta = b"".join(pieces)
            total += len(delta) + _made(delta)
        else:
            total += sum(map(len, pieces))
        if total > most:
            break
    return total


def _header(pack: IO[bytes]) -> int:
    """The kind of the next object; what stands before its content is passed over."""
    first = _byte(pack)
    kind, more = first >> 4 & 7, first
    while more & 0x80:
        more = _byte(pack)
    if kind == _REF_DELTA:
        pack.read(_HASH_BYTES)
    if kind == _OFS_DELTA:
        while _byte(pack) & 0x80:
            pass
    return kind


def _byte(pack: IO[bytes]) -> int:
    found = pack.read(1)
    if not found:
        raise ValueError("the pack ends within an object")
    return found[0]


def _inflated(pack: IO[bytes], most: int) -> Iterator[bytes]:
    """The content of an object, in pieces, until it has ``most``; the pack is at the next then."""
    reader, read, waiting = zlib.decompressobj(), 0, b""
    while not reader.eof and read < most:
        waiting = waiting or pack.read(_PIECE)
        if not waiting:
            raise ValueError("the pack ends within an object")
        piece = reader.decompress(waiting, _PIECE)
        waiting = reader.unconsumed_tail
        read += len(piece)
        yield piece
    pack.seek(-len(reader.unused_data), 1)


def _made(delta: bytes) -> int:
    """Bytes of what a delta makes."""
    left, made = iter(delta), 0
    for _ in range(2):  # The sizes of what it is made from, and of what it makes.
        while next(left, 0) & 0x80:
            pass
    for order in left:
        if order & 0x80:
            parts = [next(left, 0) if order & 1 << bit else 0 for bit in range(7)]
            made += int.from_bytes(bytes(parts[4:]), "little") or _WHOLE_COPY
        else:
            made += order
            next(itertools.islice(left, order, order), None)
    return made
