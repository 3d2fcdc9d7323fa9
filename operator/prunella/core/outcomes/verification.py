"""The proof: how a Remediation goes on after its effects were sent.

    Acting --settle--> Verifying --(rollout, longest range, two scrapes)--> counting
      |                   |                                                    |
      +-> NotSent         +-> Superseded (edited, paused, scaled to 0)         +-> Succeeded
      +-> Unknown         +-> Unhelpful (the rollout is stuck)                 +-> Unhelpful
                                                                               +-> Unproven

Samples taken before the rollout was complete, or whose window reaches back before it, say nothing
about the action, good or bad.  No data is not proof.  How a record is settled is in `settling`.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable

from prunella.api import policy as policy_api
from prunella.api import reasons, remediation
from prunella.core import model, objects
from prunella.core.decisions import gitops, ledger, nodes, restoring, sides
from prunella.core.decisions.rules import Rules
from prunella.core.outcomes import expanding, runs, syncing
from prunella.core.signals import compiled

Phase = reasons.Phase
_ESCALATE = policy_api.Otherwise.ESCALATE
EVICTION_SEEN_AFTER = 5.0
"""Seconds until a workload's status tells of an evicted pod, or of what another tool has applied:
no generation says so."""
STUCK_BELIEVED_AFTER = 60.0
"""Seconds after the effect; until then ``stuck`` may still tell of the rollout before it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """What a verification may look at."""

    now: datetime.datetime
    verify: policy_api.Verify
    rules: Rules
    workload: model.Workload | None
    verdict: model.Verdict
    """Of the signals that led to the action, as of now."""
    message: str
    """The values behind the verdict."""
    longest_range: float
    """Seconds that a sample of the policy's queries looks back at most."""
    scrape_seconds: float
    others: tuple[model.Workload, ...] = ()
    """Workloads beside the target that the effects write."""
    synced: gitops.Synced | None = None
    """How far the tool that deploys is with a pushed commit; None where it is not waited for."""
    expanded: expanding.Expanded | None = None
    """How far larger volumes are; None where they are not waited for."""
    taking: model.Ref | None = None
    """The side that has taken traffic over, when it is Unhealthy now."""
    edited: str = ""
    """What somebody else has changed since of what was written beside the target."""


def others(
    record: objects.Record, workloads: Iterable[model.Workload]
) -> tuple[model.Workload, ...]:
    """The workloads beside its target that a record's effects write."""
    written = {effect.target for effect in ledger.effects_of(record)} - {record.target}
    return tuple(each for each in workloads if each.ref in written)


def progress(record: objects.Record, scene: Scene, healthy: int) -> remediation.RemediationStatus:
    """The status of a record in Verifying as of now; equal to the old one if nothing changed.

    ``healthy`` is the number of Healthy samples in a row so far, this one not counted.
    """
    status = record.status
    workload = scene.workload
    if workload is None:
        message = f"{record.target} was deleted: there is nothing left to prove"
        return _finish(status, scene, Phase.SUPERSEDED, "TargetGone", message)
    if workload.uid == record.spec.target.uid and not _seen(record, workload):
        return status
    edited = ledger.edited_since(record, workload) or scene.edited
    if edited:
        return _finish(status, scene, Phase.SUPERSEDED, "ChangedByOthers", edited)
    stopped = _stopped_by_others(record, workload)
    if stopped is not None:
        return _finish(status, scene, Phase.SUPERSEDED, *stopped)
    done = _done_at_once(record, workload)
    if done is not None:
        return _finish(status, scene, Phase.SUCCEEDED, *done)
    verification = status.verification or remediation.Verification()
    if verification.counts_from is None:
        return _await_rollout(record, scene, workload)
    if scene.now < verification.counts_from:
        return status
    at_once = record.spec.action == sides.RETURN_TRAFFIC
    return _count(status, verification, scene, healthy, at_once=at_once)


def _done_at_once(record: objects.Record, workload: model.Workload) -> tuple[str, str] | None:
    """Reason and message of what is done once it is seen on the target; None: it is to be proved.

    To take a node out of service protects others from it, and need not make it Healthy.
    """
    if record.spec.action == ledger.REVERT:
        return "Reverted", "undone, as it was before"
    if record.spec.action in nodes.ALL:
        return "NodeShowsIt", f"{nodes.shown(workload)}; whether it is Healthy, its signals tell"
    return None


def _stopped_by_others(record: objects.Record, workload: model.Workload) -> tuple[str, str] | None:
    """What somebody else did to the target that ends the proof, as reason and message."""
    own = (e for e in ledger.effects_of(record) if e.target == record.target)
    paths = {str(operation["path"]) for effect in own for operation in effect.patch}
    if workload.replicas == 0 and "/spec/replicas" not in paths:
        message = f"{workload.ref} was scaled to 0 replicas: there is nothing left to prove"
        return "ScaledToZero", message
    rolls_out = any(path.startswith("/spec/template") for path in paths)
    if rolls_out and workload.paused and workload.updated < workload.replicas:
        message = (
            f"the rollout of {workload.ref} was paused with {workload.updated} of "
            f"{workload.replicas} replicas updated: it is in a person's hand"
        )
        return "RolloutPaused", message
    return None


def _seen(record: objects.Record, workload: model.Workload) -> bool:
    """Whether the watched workload is at least as new as the effects: a watch may be behind."""
    generations = [effect.generation or 0 for effect in record.status.effects]
    return workload.generation >= max(generations, default=0)


def _await_rollout(
    record: objects.Record, scene: Scene, workload: model.Workload
) -> remediation.RemediationStatus:
    status = record.status
    if scene.synced is not None:
        return syncing.awaited(record, scene.synced, scene.verify, scene.now)
    if scene.expanded is not None:
        return expanding.awaited(record, scene.expanded, scene.verify, scene.now)
    synced_at = _synced_at(record)
    waited = (scene.now - _started(record)).total_seconds()
    evicted = any(effect.verb == model.Verb.EVICT.value for effect in record.spec.effects)
    if (evicted or synced_at is not None) and waited < EVICTION_SEEN_AFTER:
        return status
    stuck = (workload.stuck and waited > STUCK_BELIEVED_AFTER) or (
        waited > scene.rules.rollout_seconds
    )
    missing = _missing_before(record, stuck=stuck)
    moving = next((each for each in scene.others if not each.complete()), None)
    aside = record.spec.action in sides.MOVES  # What traffic has left may never be ready.
    if aside or (workload.complete(missing) and moving is None):
        left = workload.replicas - workload.available
        but = f" but for {left} pods that did not run before either" if left > 0 else ""
        done = "traffic moved" if aside else f"rolled out{but}"
        wait = compiled.wait_after_rollout(scene.longest_range, scene.scrape_seconds)
        counts_from = scene.now + datetime.timedelta(seconds=wait)
        within = datetime.timedelta(seconds=scene.verify.within.total_seconds())
        verification = remediation.Verification(
            synced_at=synced_at,
            rollout_complete_at=scene.now,
            counts_from=counts_from,
            deadline=counts_from + within,
            message=f"{done}; samples count after {wait:.0f} s",
        )
        return status.model_copy(update={"verification": verification, "reason": "Measuring"})
    if stuck:
        late = workload if moving is None else moving
        which = "the rollout" if moving is None else f"the rollout of {late.ref}"
        message = (
            f"{which} is stuck after {waited:.0f} s: {late.updated} of "
            f"{late.replicas} replicas updated, {late.available} available"
        )
        return _finish(status, scene, Phase.UNHELPFUL, "RolloutStuck", message)
    return status


def _synced_at(record: objects.Record) -> datetime.datetime | None:
    verification = record.status.verification
    return verification.synced_at if verification is not None else None


def _started(record: objects.Record) -> datetime.datetime:
    """When the rollout may have begun: once the commit was applied, or what was started ended."""
    return _synced_at(record) or runs.ended_at(record) or record.last_sent_or_decided_at


def _missing_before(record: objects.Record, *, stuck: bool) -> int:
    """How many pods an action need not bring to run, since they did not run before it.

    A DaemonSet's pod of a lost node can't be made to run by anybody: it is never waited for.
    Others may have been what the action is to heal, so they are waited for until nothing moves.
    """
    before = record.spec.before
    if before is None:
        return 0
    lost = before.lost if record.target.kind == "DaemonSet" else 0
    if not stuck or before.available == 0:
        return lost
    return max(lost, before.wanted - before.available)


def _count(
    status: remediation.RemediationStatus,
    verification: remediation.Verification,
    scene: Scene,
    healthy: int,
    *,
    at_once: bool,
) -> remediation.RemediationStatus:
    """One counted sample; ``at_once``: what was Healthy before, and is not, is not waited for."""
    if scene.taking is not None:
        message = f"{scene.taking}, which took the traffic over, was Healthy and is Unhealthy now"
        return _finish(status, scene, Phase.UNHELPFUL, sides.OTHER_SIDE_UNHEALTHY, message)
    if at_once and scene.verdict is model.Verdict.UNHEALTHY:
        message = f"Unhealthy again: {scene.message}"
        return _finish(status, scene, Phase.UNHELPFUL, "UnhealthyAgain", message)
    if scene.verdict is model.Verdict.HEALTHY:
        if healthy + 1 >= scene.verify.samples:
            message = f"Healthy in {healthy + 1} samples in a row: {scene.message}"
            done = verification.model_copy(
                update={"healthy_samples": healthy + 1, "message": scene.message}
            )
            status = status.model_copy(update={"verification": done})
            return _finish(status, scene, Phase.SUCCEEDED, "Healthy", message)
        return status
    if verification.deadline is None or scene.now < verification.deadline:
        return status
    if scene.verdict is model.Verdict.UNHEALTHY:
        message = f"still Unhealthy: {scene.message}"
        return _finish(status, scene, Phase.UNHELPFUL, "StillUnhealthy", message)
    message = f"nothing proves that it helped: {scene.message}"
    return _finish(status, scene, Phase.UNPROVEN, "NotProven", message)


def _finish(
    status: remediation.RemediationStatus,
    scene: Scene,
    phase: Phase,
    reason: str,
    message: str,
) -> remediation.RemediationStatus:
    return status.model_copy(
        update={
            "phase": phase,
            "reason": reason,
            "message": message[:2048],
            "finished_at": scene.now,
        }
    )


def until(record: objects.Record, rules: Rules) -> datetime.datetime:
    """When a record in Verifying is given up, whatever is seen.

    Before its rollout is complete there is no deadline but how long that may take since it began.
    """
    verification = record.status.verification
    if verification is not None and verification.deadline is not None:
        return verification.deadline
    if runs.is_running(record):
        return runs.due(record)
    patience = datetime.timedelta(seconds=rules.rollout_seconds)
    return _started(record) + patience


def healthy_in_a_row(record: objects.Record, scene: Scene, before: int) -> int:
    """How many counted samples in a row were Healthy, this one included."""
    verification = record.status.verification
    if verification is None or verification.counts_from is None:
        return 0
    if scene.now < verification.counts_from or scene.verdict is not model.Verdict.HEALTHY:
        return 0
    return before + 1


def must_escalate(
    record: objects.Record,
    verify: policy_api.Verify,
    steps: int,
) -> bool:
    """True when nothing more is tried by itself: a person must be called."""
    if runs.waits_for_a_person(record):
        return True
    if record.phase in {Phase.UNPROVEN, Phase.FAILED, Phase.UNKNOWN}:
        return True
    if record.phase is not Phase.UNHELPFUL:
        return False
    if record.spec.action == restoring.RESTORE and verify.otherwise is not _ESCALATE:
        return False  # Another suspect may be next; where there is none the decision says so.
    last = record.spec.step + 1 >= steps
    return last or verify.otherwise is _ESCALATE
