"""Names that a restarted operator finds again: made of nothing but what the sources tell."""

from __future__ import annotations

import hashlib

from prunella.core.incidents import values

_LENGTH = 10


def incident_name(first: values.Fingerprint) -> str:
    """The name of the incident that a firing opens, such as ``inc-3f9c0a71be``."""
    series = first.series
    parts = (*series.target, series.name, *(f"{k}={v}" for k, v in series.labels))
    return f"inc-{_digest(*parts, f'{first.starts_at:.3f}')}"


def symptom_hash(symptom: values.Symptom) -> str:
    """Six characters that stand for a symptom which an incident's object has no room to name."""
    return _digest(*symptom.target, symptom.name)[:6]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_LENGTH]
