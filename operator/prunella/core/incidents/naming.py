"""Names that a restarted operator finds again: made of nothing but what the sources tell."""

from __future__ import annotations

import hashlib

from prunella.core import model
from prunella.core.incidents import values

_LENGTH = 10


def incident_name(first: values.Fingerprint) -> str:
    """The name of the incident that a firing opens, such as ``inc-3f9c0a71be``."""
    series = first.series
    parts = (*series.target, series.name, *(f"{k}={v}" for k, v in series.labels))
    return f"inc-{_digest(*parts, f'{first.starts_at:.3f}')}"


def symptom_hash(symptom: values.Symptom) -> str:
    """Nine characters that stand for a symptom which an incident's object has no room to name.

    The first six stand for what is sick, the others for the alert's name.
    """
    return object_hash(symptom.target) + _digest(symptom.name)[:3]


def object_hash(ref: model.Ref) -> str:
    """Six characters that stand for an object: of 2,000, one in 8,000 others has one of theirs."""
    return _digest(*ref)[:6]


def objects_of(unlisted: str) -> frozenset[str]:
    """The hashes of what is sick, of the hashes of symptoms with spaces between them."""
    return frozenset(each[:6] for each in unlisted.split())


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_LENGTH]
