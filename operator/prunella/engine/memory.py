"""What the engine keeps of a policy between passes; all of it may be lost."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping

from prunella.api import policy_status
from prunella.core import model, objects
from prunella.core.decisions import step
from prunella.core.decisions.trust import ceilings
from prunella.core.signals import compiled, learning

Version = tuple[str, int]
"""UID and generation: what was compiled or decided for one holds for no other."""


def version(policy: objects.Policy) -> Version:
    """The version of a policy."""
    return policy.uid, policy.generation


@dataclasses.dataclass(slots=True)
class PolicyMemory:
    """The memory of one policy."""

    version: Version = ("", -1)
    compiled: compiled.Policy | None = None
    problem: str = ""
    memory: step.Memory = dataclasses.field(default_factory=step.Memory)
    learners: dict[tuple[str, float], learning.Learner] = dataclasses.field(default_factory=dict)
    """What the signals that look back have learned, by signal."""
    verdicts: Mapping[model.Ref, model.Verdict] = dataclasses.field(default_factory=dict)
    judged_at: datetime.datetime | None = None
    """When the verdicts were found; None: not yet since the policy was compiled."""
    healthy: dict[str, int] = dataclasses.field(default_factory=dict)
    """Healthy samples in a row, by record in Verifying."""
    sampled: dict[str, datetime.datetime] = dataclasses.field(default_factory=dict)
    """When the last of these samples was taken."""
    ceilings: ceilings.Ceilings = ceilings.NO_CEILINGS
    """What the namespace allowed at the last pass."""
    unattended: list[policy_status.Unattended] | None = None
    """Targets that are sick while nothing is done; None until the status was read for them."""
    told: dict[model.Ref, str] = dataclasses.field(default_factory=dict)
    written: policy_status.RemediationPolicyStatus | None = None
    written_over: str = ""
    """The resourceVersion that ``written`` replaced: until the policy has another one, the watch
    is behind; from then on what it shows is true, also when the write lost a race."""
