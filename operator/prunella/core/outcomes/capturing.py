"""What is kept before an action: redacted, cut to size, packed into one object.

Of what is too long the end is kept: it is the newest.  Each part gets its share of the bytes, and
what others leave over.  It is cut before credentials are looked for, and once more afterwards: what
is looked through is bounded, too.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence

from prunella.api import capture
from prunella.core import model, objects
from prunella.core.decisions import ledger
from prunella.core.outcomes import runs

MOST_PARTS = 64
_SLACK = 2
"""How much more is looked through than is kept: without credentials it is shorter."""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One thing that was looked at, as it was."""

    name: str
    text: str = ""
    problem: str = ""


def wanted(record: objects.Record, policy: objects.Policy) -> capture.CapturePolicy | None:
    """What is to be kept before a record is carried out; once, and not before an undoing.

    A step's own word stands in place of the policy's.
    """
    undoing = record.spec.action in ledger.TAKES_BACK
    if policy.spec is None or undoing or record.status.capture:
        return None
    number, steps = record.spec.step, policy.spec.steps
    own = steps[number].capture if number < len(steps) else None
    return own or policy.spec.capture


def worst(pods: Iterable[model.Pod], evicted: Iterable[str], most: int) -> list[str]:
    """The pods to look at, by name: those that will be evicted, then those that are not ready."""
    first = set(evicted)
    found = sorted(pods, key=lambda pod: (pod.name not in first, pod.ready, pod.name))
    return [pod.name for pod in found][:most]


def pack(
    record: objects.Record,
    parts: Sequence[Part],
    limits: capture.CapturePolicy,
    now: datetime.datetime,
) -> capture.CaptureSpec:
    """The object that keeps the parts."""
    whole = {part.name: part.text for part in parts[:MOST_PARTS] if part.text}
    ends = _cut(whole, limits.max_bytes * _SLACK)
    texts = {name: _redacted(_from_line(whole[name], end)) for name, end in ends.items()}
    kept = _cut(texts, limits.max_bytes)
    cuts = ((ends, whole), (kept, texts))
    content = base64.b64encode(zlib.compress(json.dumps(kept).encode())).decode()
    told = [
        capture.CapturedPart(
            name=part.name,
            bytes=len(kept.get(part.name, "").encode()),
            cut=any(each.get(part.name) != more.get(part.name) for each, more in cuts),
            problem=runs.redacted(part.problem)[:2048],
        )
        for part in parts[:MOST_PARTS]
    ]
    return capture.CaptureSpec(
        remediation=record.name,
        taken_at=now,
        expires_at=now + limits.keep,
        parts=told,
        content=content if len(content) <= capture.MOST_CHARACTERS else "",
    )


def unpack(spec: capture.CaptureSpec) -> Mapping[str, str]:
    """The texts by the names of their parts. Raises ValueError for what can't be read."""
    if not spec.content:
        return {}
    try:
        found: dict[str, str] = json.loads(zlib.decompress(base64.b64decode(spec.content)))
    except zlib.error as error:
        raise ValueError(str(error)) from error
    return found


def told(spec: capture.CaptureSpec) -> str:
    """What is kept, in a sentence for the record."""
    kept = [part for part in spec.parts if part.bytes]
    size = sum(part.bytes for part in kept)
    failed = [f"{part.name}: {part.problem}" for part in spec.parts if part.problem]
    missing = f"; without {'; '.join(failed)}" if failed else ""
    return f"kept {len(kept)} parts, {size} bytes, until {spec.expires_at:%FT%TZ}{missing}"[:2048]


def _from_line(whole: str, end: str) -> str:
    """The end of a text from where a line begins: half of one may be a credential's end."""
    if end == whole:
        return end
    _, newline, rest = end.partition("\n")
    return rest if newline else end


def _redacted(text: str) -> str:
    return "\n".join(runs.redacted(line) for line in text.splitlines())


def _cut(texts: Mapping[str, str], most: int) -> dict[str, str]:
    """The shortest first: what it does not use of its share is for the longer ones."""
    kept: dict[str, str] = {}
    left = most
    ordered = sorted(texts, key=lambda name: len(texts[name].encode()))
    for number, name in enumerate(ordered):
        share = left // (len(ordered) - number)
        end = texts[name].encode()[-share:] if share else b""
        kept[name] = end.decode(errors="ignore")
        left -= len(kept[name].encode())
    return kept
