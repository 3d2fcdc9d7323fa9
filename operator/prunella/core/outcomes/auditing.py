"""The audit export: ended Remediations as JSON lines, each chained to the one before it.

``hash`` is the SHA-256 of the line without it, and ``previous`` the hash of the line before it
(S. Haber, W. S. Stornetta, "How to time-stamp a digital document", Journal of Cryptology 3, 1991):
a line that is changed, moved or taken out breaks all that follow.  That lines are missing at the
end is told by the last hash alone, kept elsewhere.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from prunella.core import objects
from prunella.core.changes import redact

FIRST: Final = "0" * 64
"""What the first line has for the hash of the one before it."""
_MUTABLE: Final = {"clearedAt", "escalatedAt", "countedFor"}
"""Fields that are still written after a record has ended."""


class BrokenChainError(Exception):
    """A file that is not what was exported: which line, what was expected, what was found."""


@dataclasses.dataclass(frozen=True, slots=True)
class Chain:
    """What a verified file holds."""

    records: frozenset[str]
    """UIDs, or namespace and name where a record has none."""
    last: str = FIRST


def identity(record: objects.Record) -> str:
    """What tells a record from all others."""
    return record.uid or f"{record.namespace}/{record.name}"


def export(records: Iterable[objects.Record], after: Chain) -> tuple[list[str], Chain]:
    """The lines of the ended records that are not in the chain yet, oldest first."""
    ended = [r for r in records if r.phase.final and identity(r) not in after.records]
    ended.sort(key=lambda r: (r.finished_or_decided_at, r.namespace, r.name))
    lines, last = [], after.last
    for record in ended:
        line = {**_entry(record), "previous": last}
        last = _hash(line)
        lines.append(_canonical({**line, "hash": last}))
    return lines, Chain(after.records | {identity(r) for r in ended}, last)


def verify(lines: Sequence[str]) -> Chain:
    """What a file holds. Raises BrokenChainError."""
    last, seen = FIRST, set()
    for number, text in enumerate(lines, start=1):
        line = _parsed(text, number)
        told = line.pop("hash", None)
        if line.get("previous") != last:
            found = line.get("previous")
            raise BrokenChainError(
                f"line {number} follows {found}, and the line before it is {last}: "
                "a line was taken out, added or moved"
            )
        last = _hash(line)
        if told != last:
            raise BrokenChainError(
                f"line {number} was changed: its hash is {last}, and it says {told}"
            )
        seen.add(str(line.get("uid") or f"{line.get('namespace')}/{line.get('name')}"))
    return Chain(frozenset(seen), last)


def _parsed(text: str, number: int) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except ValueError as error:
        raise BrokenChainError(f"line {number} is not JSON: {error}") from error
    if not isinstance(line, dict):
        raise BrokenChainError(f"line {number} is no JSON object")
    return line


def _entry(record: objects.Record) -> dict[str, Any]:
    """A record without values that may be credentials, and without what is still written."""
    spec = record.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    status = record.status.model_dump(mode="json", by_alias=True, exclude_none=True)
    for effect in spec["effects"]:
        for field in ("patch", "inverse"):
            effect[field] = _told(effect[field])
    if run := status.get("run"):
        run["log"] = _digest(run["log"]) if run.get("log") else ""
    kept = {name: value for name, value in status.items() if name not in _MUTABLE}
    whole = {
        "namespace": record.namespace,
        "name": record.name,
        "uid": record.uid,
        "spec": spec,
        "status": kept,
    }
    redacted: dict[str, Any] = redact.redact(whole, record.uid)
    return redacted


def _told(patch: str) -> dict[str, Any]:
    """What a patch writes where, and a hash of all of it: values stay in the cluster."""
    if not patch:
        return {}
    operations = [f"{each.get('op')} {each.get('path')}" for each in json.loads(patch)]
    return {"operations": operations, "sha256": _digest(patch)}


def _digest(text: str) -> str:
    return f"{redact.MARK}{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _hash(line: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(line).encode()).hexdigest()


def _canonical(line: dict[str, Any]) -> str:
    return json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
