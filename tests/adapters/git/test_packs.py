"""What a pack holds is counted as it is in memory, before anything of it is built."""

from __future__ import annotations

import io
import pathlib
import struct
import zlib

import pytest

from lab import git_server
from prunella.adapters.git import packs

MOST = 1024 * 1024


def entry(kind: int, content: bytes, between: bytes = b"") -> bytes:
    """One object as a pack has it."""
    size, header = len(content), []
    byte = kind << 4 | size & 15
    size >>= 4
    while size:
        header.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    return bytes([*header, byte]) + between + zlib.compress(content)


def pack(*entries: bytes) -> io.BytesIO:
    """A pack, without the checksum at its end."""
    return io.BytesIO(struct.pack(">4sLL", b"PACK", 2, len(entries)) + b"".join(entries))


BLOB = entry(3, b"x" * 1000)
OF_BEFORE, OF_HASH = b"\x81\x05", b"h" * 20
INSERT = b"\x03hel" + b"\x02lo"
COPY = b"\x90\x64"
"""100 bytes from the beginning."""
WHOLE = b"\x80"
CASES = (
    pytest.param([BLOB], 1000, id="one object"),
    pytest.param([BLOB, entry(1, b""), BLOB], 2000, id="several, one empty"),
    pytest.param(
        [BLOB, entry(6, b"\xe8\x07\x05" + INSERT, OF_BEFORE)], 1000 + 10 + 5, id="a delta"
    ),
    pytest.param(
        [entry(7, b"\xe8\x07\x64" + COPY + INSERT, OF_HASH), BLOB],
        1000 + 12 + 105,
        id="a delta that copies",
    ),
    pytest.param(
        [entry(7, b"\x01\x01" + WHOLE * 10, OF_HASH)], 12 + 10 * 65_536, id="it says one byte"
    ),
)


@pytest.mark.parametrize(("entries", "expected"), CASES)
def test_all_that_will_be_in_memory_counts(entries: list[bytes], expected: int) -> None:
    """Of a delta itself and what it makes, whatever size it states."""
    assert expected == packs.unpacked(pack(*entries), MOST)


BOMBS = (
    pytest.param([entry(3, b"\0" * 20 * MOST)], id="zeros"),
    pytest.param([entry(7, b"\x01\x01" + WHOLE * 1000, OF_HASH)], id="a delta of copies"),
    pytest.param([entry(7, b"\0" * 20 * MOST, OF_HASH)], id="a delta of zeros"),
)


@pytest.mark.parametrize("entries", BOMBS)
def test_it_ends_as_soon_as_there_is_too_much(entries: list[bytes]) -> None:
    """Given a few KiB that become far more, then no more than the bound is unpacked."""
    sent = pack(*entries)
    assert len(sent.getvalue()) < 65_536
    found = packs.unpacked(sent, MOST)
    assert MOST < found
    assert found <= MOST + 1000 * 65_536


BROKEN = {
    "no pack": (b"HACK" + b"\0" * 8, "it is no pack"),
    "an end in an object": (pack(BLOB).getvalue()[:-4], "the pack ends within an object"),
    "fewer objects than it says": (b"PACK\0\0\0\2\0\0\0\1", "the pack ends within an object"),
}


@pytest.mark.parametrize(("content", "words"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_pack_says_so(content: bytes, words: str) -> None:
    """It is refused before the library reads it."""
    with pytest.raises(ValueError, match=words):
        packs.unpacked(io.BytesIO(content), MOST)


def test_it_counts_as_git_does(tmp_path: pathlib.Path) -> None:
    """Given a pack of Git's own, with deltas, then all objects count at least with their size."""
    if git_server.program() is None:
        pytest.skip("git is not installed")
    git = git_server.git
    git(tmp_path, "init", "--quiet")
    for number in range(5):
        lines = [f"line {line} {number if line == 50 else 0}\n" for line in range(200)]
        (tmp_path / "file").write_text("".join(lines))
        git(tmp_path, "add", "--all")
        git(tmp_path, "commit", "--quiet", "--message", f"Change {number}")
    git(tmp_path, "repack", "-adfq")
    listed = git(tmp_path, "cat-file", "--batch-check=%(objectsize)", "--batch-all-objects")
    sizes = sum(map(int, listed.split()))
    (made,) = (tmp_path / ".git/objects/pack").glob("*.pack")
    with made.open("rb") as file:
        found = packs.unpacked(file, MOST)
    assert made.stat().st_size < sizes <= found < sizes + 1000
