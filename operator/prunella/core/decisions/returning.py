"""The way back of traffic: when a part of it comes back to a side that is Healthy again.

It is the undoing of an own action, by parts: only what was moved away comes back, only where nobody
has written in between, and each part is proved before the next.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence

from prunella.api import policy as policy_api
from prunella.api import reasons, traffic
from prunella.core import model, objects
from prunella.core.decisions import decide, episode, ledger, moves, nodes, sides, undoing


def due(
    policy: objects.Policy,
    spec: policy_api.RemediationPolicySpec,
    target_uid: str,
    records: Sequence[objects.Record],
    now: datetime.datetime,
) -> episode.Next | model.Refusal | None:
    """The next part of the way back of one Healthy target; None when there is none yet, or left.

    A Refusal where there should be one, and the policy or the records no longer say how.
    """
    if (undone := _undone(policy, spec, target_uid, records)) is not None:
        return undone
    last = _newest(policy, target_uid, records)
    if last is None:
        return None
    params, origin = _params(spec, last), moves.moved_by(last, records)
    if origin is not None and moves.all_back(origin, last):
        return None
    if (lost := _lost(spec, last, params, origin)) is not None:
        return lost
    if params is None or params.back is None or origin is None:
        return None
    finished = last.finished_or_decided_at
    if now < finished + datetime.timedelta(seconds=params.back.after.total_seconds()):
        return None
    return episode.Next(last.spec.step, last, back=origin)


def _lost(
    spec: policy_api.RemediationPolicySpec,
    last: objects.Record,
    params: traffic.ShiftTraffic | None,
    origin: objects.Record | None,
) -> model.Refusal | None:
    """Why traffic that should come back stays away, told where nothing else would tell it."""
    begun = last.spec.action == sides.RETURN_TRAFFIC
    if params is None and (begun or _elsewhere(spec, last)):
        why = f"step {last.spec.step} of the policy no longer is the shiftTraffic that moved it"
    elif params is None or params.back is None:
        return None
    elif not spec.mode.acts:
        why = f"mode is {spec.mode}, and only Live and Approve bring it back"
    elif origin is None:
        why = "the record of the shift is gone, and with it what was there before"
    else:
        return None
    (effect,) = last.spec.effects
    message = f"traffic of {effect.kind}/{effect.name} that {last.name} left away stays away: {why}"
    return model.Refusal(reasons.Refused.PLAN_CHANGED, f"{message}; write its weights by hand")


def _elsewhere(spec: policy_api.RemediationPolicySpec, last: objects.Record) -> bool:
    """Whether another step of the policy says how traffic of this route comes back."""
    return any(
        isinstance(each.params, traffic.ShiftTraffic)
        and each.params.back is not None
        and _same_route(each.params, last)
        for each in spec.steps
    )


def _undone(
    policy: objects.Policy,
    spec: policy_api.RemediationPolicySpec,
    target_uid: str,
    records: Iterable[objects.Record],
) -> episode.Next | None:
    """The undoing of a shift that made the other side sick: its target may be Healthy by then."""
    last = _last(target_uid, records)
    if last is None or last.policy != policy.key or not undoing.harmed(last):
        return None
    owed = undoing.owed(last, policy, spec)
    return episode.Next(last.spec.step, last, revert=True) if owed else None


def _last(target_uid: str, records: Iterable[objects.Record]) -> objects.Record | None:
    own = [r for r in records if r.spec.target.uid == target_uid and (r.acted or r.in_flight)]
    return max(own, key=lambda record: record.spec.attempt, default=None)


def _newest(
    policy: objects.Policy, target_uid: str, records: Iterable[objects.Record]
) -> objects.Record | None:
    """The target's newest record that ended well and has moved traffic; None: another is newer."""
    last = _last(target_uid, records)
    if last is None or last.policy != policy.key or last.phase is not reasons.Phase.SUCCEEDED:
        return None
    return last if last.spec.action in sides.MOVES else None


def _params(
    spec: policy_api.RemediationPolicySpec, last: objects.Record
) -> traffic.ShiftTraffic | None:
    """What the policy says of it now, if that is about the same route."""
    params = moves.shift_of(last, spec)
    return params if params is not None and _same_route(params, last) else None


def _same_route(params: traffic.ShiftTraffic, last: objects.Record) -> bool:
    (written,) = last.spec.effects
    return (params.kind, params.name or last.target.name) == (written.kind, written.name)


def healthy(
    workload: model.Workload, findings: Iterable[model.Finding], verdict: model.Verdict | None
) -> decide.UnhealthyTarget | None:
    """A target that its signals say is Healthy, all of them; None for any other."""
    if verdict is not model.Verdict.HEALTHY:
        return None
    own = tuple(each for each in findings if each.target == workload.ref)
    if not own or any(each.verdict is not model.Verdict.HEALTHY for each in own):
        return None
    return decide.UnhealthyTarget(workload, own, None, datetime.timedelta())


def decide_all(
    scene: decide.Scene,
    workloads: Sequence[model.Workload],
    findings: Sequence[model.Finding],
    well_since: Mapping[model.Ref, datetime.datetime],
) -> tuple[dict[model.Ref, decide.Decision], decide.Command | None]:
    """What is due of the way back, of all targets that are Healthy; one command in a pass.

    ``well_since`` tells of nodes since when they have been so.
    """
    moved = {r.spec.target.uid for r in scene.records if r.spec.action in sides.MOVES}
    decisions: dict[model.Ref, decide.Decision] = {}
    for each in workloads:
        if each.uid not in moved and each.node is None:
            continue
        well = healthy(each, findings, scene.verdicts.get(each.ref))
        attempt = _due(scene, each, well_since.get(each.ref))
        if well is None or attempt is None:
            continue
        if isinstance(attempt, model.Refusal):
            decisions[each.ref] = decide.Decision(refusal=attempt)
            continue
        decision = decide.plan_attempt(scene, well, attempt, scene.now)
        decisions[each.ref] = decision
        if decision.command is not None or decision.needs:
            return decisions, decision.command
    return decisions, None


def _due(
    scene: decide.Scene, target: model.Workload, well_since: datetime.datetime | None
) -> episode.Next | model.Refusal | None:
    about = (scene.policy, scene.spec)
    if target.node is not None:
        return nodes.due(*about, target, scene.records, well_since, scene.now)
    return due(*about, target.uid, scene.records, scene.now)


def again(record: objects.Record, records: Sequence[objects.Record]) -> episode.Next:
    """Which attempt a record is, so that it is planned again as what it was."""
    follows = next((each for each in records if each.name == record.spec.follows), None)
    back = None
    if record.spec.action == sides.RETURN_TRAFFIC and follows is not None:
        back = moves.moved_by(follows, records)
    if record.spec.action == nodes.RETURN_NODE:
        back = follows
    revert = record.spec.action == ledger.REVERT
    return episode.Next(record.spec.step, follows, revert=revert, back=back)
