"""Builders of signals and of the answers that sources give to them."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from prunella.api import signals as signals_api
from prunella.core import model
from prunella.core.signals import compiled, detect
from prunella.detectors import absent, burn_rate, learning, threshold
from tests.unit.core import builders

DEPLOYMENT_LABELS = ("namespace", "exported_namespace", "deployment", "pod", "exported_pod")


@functools.cache
def _spec(document: str) -> signals_api.Signal:
    return signals_api.Signal.model_validate_json(document)


def signal(
    *,
    labels: tuple[str, ...] = DEPLOYMENT_LABELS,
    longest_range: float = 60.0,
    events_factor: float = 1.0,
    **fields: Any,
) -> compiled.Signal:
    """A compiled signal of Deployments; ``fields`` are those of the spec, as in YAML."""
    judged = any(name in fields for name in signals_api.DETECTORS)
    base = {k: v for k, v in builders.SIGNAL.items() if not (judged and k == "threshold")}
    spec = _spec(json.dumps({**base, **fields}))
    queries = {}
    if spec.prometheus is not None:
        queries[compiled.VALUE] = spec.prometheus.query
    if spec.ratio is not None:
        queries[compiled.BAD], queries[compiled.TOTAL] = spec.ratio.bad, spec.ratio.total
    if spec.presence is not None:
        queries[compiled.PRESENCE] = spec.presence
    return compiled.Signal(spec, queries, labels, longest_range, events_factor)


def ratio(minimum: float = 20.0, **fields: Any) -> compiled.Signal:
    """A ratio of ``bad`` to ``total``."""
    query = {"bad": "bad", "total": "total", "minimum": minimum}
    return signal(prometheus=None, ratio=query, **fields)


def sample(value: float, **labels: str) -> model.Sample:
    """One element of a vector."""
    return model.Sample(labels, value)


def vector(*samples: model.Sample, infos: tuple[str, ...] = ()) -> model.Vector:
    """A complete answer."""
    return model.Vector(samples, infos)


def by_deployment(**values: float) -> model.Vector:
    """One series for each named Deployment."""
    return vector(*(sample(value, deployment=name) for name, value in values.items()))


def by_pod(**values: float) -> model.Vector:
    """One series for each named pod."""
    return vector(*(sample(value, pod=name) for name, value in values.items()))


def reading(
    value: model.Answer | None = None,
    *,
    bad: model.Answer | None = None,
    total: model.Answer | None = None,
    presence: model.Answer | None = None,
    ages: model.Answer | float = 5.0,
    scrape_seconds: float = 5.0,
) -> detect.Reading:
    """The answers of one round by role; a number for ``ages`` is the age of all data."""
    roles = (
        (compiled.VALUE, value),
        (compiled.BAD, bad),
        (compiled.TOTAL, total),
        (compiled.PRESENCE, presence),
    )
    answers = {role: answer for role, answer in roles if answer is not None}
    told = vector(sample(ages)) if isinstance(ages, float) else ages
    return detect.Reading(answers, told, scrape_seconds)


DETECTORS = detect.Detectors(threshold.judge, burn_rate.detect, absent.detect, learning.learner)
"""As the wiring chooses them."""


def findings(
    of: compiled.Signal,
    answers: detect.Reading,
    targets: Sequence[str] = ("checkout",),
    pods: Mapping[str, str] | None = None,
) -> list[model.Finding]:
    """What `detect` finds; ``pods`` tells the Deployment of each pod."""
    owners = {pod: builders.ref(name) for pod, name in (pods or {}).items()}
    refs = [builders.ref(name) for name in targets]
    return detect.detect(of, answers, refs, owners, DETECTORS)


def finding(
    of: compiled.Signal, answers: detect.Reading, pods: Mapping[str, str] | None = None
) -> model.Finding:
    """The one finding about ``checkout``."""
    (found,) = findings(of, answers, pods=pods)
    return found
