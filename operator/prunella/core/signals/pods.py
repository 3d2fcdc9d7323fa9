"""The pods of a workload, joined into one finding: so many of them must be Unhealthy."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from prunella.core import model
from prunella.core.signals import compiled

UNHEALTHY = model.Verdict.UNHEALTHY


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict for one series, before pods are joined; ``pod`` is empty for the whole."""

    judgement: model.Judgement
    value: float | None
    pod: str = ""
    mapped_by: str = ""


def join(signal: compiled.Signal, target: model.Ref, verdicts: Sequence[Verdict]) -> model.Finding:
    """Join pods into their workload, as the signal's ``pods`` says. At least one is needed."""
    needed = _needed(signal.spec.pods, len(verdicts))
    unhealthy = [v for v in verdicts if v.judgement.verdict is UNHEALTHY]
    unknown = [v for v in verdicts if v.judgement.verdict is model.Verdict.UNKNOWN]
    if len(unhealthy) >= needed:
        chosen, verdict = _worst(signal, unhealthy), UNHEALTHY
    elif len(unhealthy) + len(unknown) >= needed:
        chosen, verdict = unknown[0], model.Verdict.UNKNOWN
    else:
        healthy = [v for v in verdicts if v.judgement.verdict is model.Verdict.HEALTHY]
        chosen, verdict = _worst(signal, healthy), model.Verdict.HEALTHY
    message = chosen.judgement.message
    if chosen.pod:
        counts = f"{len(unhealthy)} of {len(verdicts)} pods Unhealthy, {needed} needed"
        message = f"{message} on pod {chosen.pod} ({counts})"
    return model.Finding(
        signal.name,
        target,
        verdict,
        chosen.judgement.reason,
        message,
        chosen.value,
        chosen.mapped_by,
        chosen.pod,
        tuple(sorted(v.pod for v in unhealthy if v.pod)) if verdict is UNHEALTHY else (),
    )


def _needed(rule: str, pods: int) -> int:
    if rule == "Any":
        return 1
    share = 1.0 if rule == "All" else int(rule.rstrip("%")) / 100
    return max(1, math.ceil(share * pods))


def _worst(signal: compiled.Signal, verdicts: Sequence[Verdict]) -> Verdict:
    """The value that is farthest on the bad side. Raises ValueError without a threshold."""
    limits = signal.spec.threshold
    if limits is None:
        raise ValueError(f"signal {signal.name} has no threshold")

    def badness(verdict: Verdict) -> float:
        value = verdict.value or 0.0
        if limits.outside is not None:
            return max(limits.outside[0] - value, value - limits.outside[1])
        return -value if limits.below is not None else value

    return max(verdicts, key=badness)
