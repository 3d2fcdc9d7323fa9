"""What the engine keeps of a policy between passes; all of it may be lost."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping

from prunella.api import policy_status
from prunella.core import model, objects
from prunella.core.decisions import step
from prunella.core.decisions.trust import ceilings
from prunella.core.recording import reading as recording
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
    pause: model.PauseState = step.NOT_PAUSED
    """What had stopped it when it was last told."""
    told: dict[model.Ref, str] = dataclasses.field(default_factory=dict)
    written: policy_status.RemediationPolicyStatus | None = None
    written_over: str = ""
    """The resourceVersion that ``written`` replaced: until the policy has another one, the watch
    is behind; from then on what it shows is true, also when the write lost a race."""


def begin_anew(
    memory: PolicyMemory,
    policy: objects.Policy,
    confinements: Mapping[str, compiled.Confinement],
) -> None:
    """Compile a policy that is new or has changed; what was kept of it before is forgotten."""
    if memory.version == version(policy):
        return
    fresh = PolicyMemory(version=version(policy), problem=policy.problem)
    if policy.spec is not None:
        try:
            fresh.compiled = recording.compile_policy(policy.key, policy.spec, confinements)
        except compiled.PolicyError as error:
            fresh.problem = str(error)
    for field in dataclasses.fields(PolicyMemory):
        setattr(memory, field.name, getattr(fresh, field.name))


def judged(
    memory: PolicyMemory | None, policy: objects.Policy, since: datetime.datetime | None
) -> bool:
    """Whether a policy as it is was evaluated since then (None: ever), or was found invalid."""
    if memory is None or memory.version != version(policy):
        return False
    if memory.compiled is None:
        return True
    return memory.judged_at is not None and (since is None or memory.judged_at >= since)
