"""What is said where the evidence is of pods that are gone: no reason to act on what lives."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping

from prunella.api import reasons
from prunella.core import model
from prunella.core.signals import mapping


def of_living(finding: model.Finding, living: Mapping[model.Ref, Collection[str]]) -> model.Finding:
    """The finding, unless the one pod that it is about is gone: then it is Unknown."""
    target = finding.target
    if target not in living or not mapping.is_gone(finding.pod, target, living[target]):
        return finding
    return model.Finding(
        finding.signal,
        target,
        model.Verdict.UNKNOWN,
        reasons.Doubt.PODS_GONE,
        text(target, [finding.pod]),
    )


def left_out(finding: model.Finding, pods: Iterable[str]) -> model.Finding:
    """The finding about a target of which nothing is left when ``pods`` are left out."""
    message = text(finding.target, pods)
    return dataclasses.replace(finding, reason=reasons.Doubt.PODS_GONE, message=message)


def text(target: model.Ref, pods: Iterable[str]) -> str:
    """Whose series they are, with up to three names."""
    shown = ", ".join(sorted(set(pods))[:3])
    return f"the series are of pods that {target} has no more ({shown}): no reason to act on it"
