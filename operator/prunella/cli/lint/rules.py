"""Good sense about target, steps, guards and verification: what the schema can't say."""

from __future__ import annotations

from collections.abc import Iterator

from prunella.api import policy as policy_api
from prunella.api import traffic as traffic_api
from prunella.cli.lint import findings
from prunella.cli.lint.findings import Note
from prunella.cli.lint.policy import Policy, Rule


def empty_selector(policy: Policy) -> Iterator[Note]:
    """An empty selector would mean every workload of the namespace."""
    selector = policy.spec.target.selector
    if selector is not None and selector.is_empty:
        message = "the selector is empty: it would mean every workload of the namespace"
        yield findings.error("empty-selector", ("spec", "target", "selector"), message)


def missing_unavailable(policy: Policy) -> Iterator[Note]:
    """A policy that acts over several targets should say how many may be busy at once."""
    spec = policy.spec
    acts_on_many = spec.mode.acts and spec.target.selector is not None
    if acts_on_many and not policy.has("spec", "guards", "maxUnavailable"):
        message = (
            f"mode {spec.mode} with a selector and no guards.maxUnavailable: "
            f"{spec.guards.max_unavailable} of the targets may be in flight at once"
        )
        yield findings.hint("live-limits", ("spec", "mode"), message)


def no_cooldown(policy: Policy) -> Iterator[Note]:
    """Without a cooldown an action can follow an action before it could have helped."""
    if policy.spec.guards.cooldown.total_seconds() == 0:
        message = "without a cooldown only maxPerHour limits how fast actions follow each other"
        yield findings.warning("no-cooldown", ("spec", "guards", "cooldown"), message)


def scale_bounds(policy: Policy) -> Iterator[Note]:
    """A scale step should be able to change something."""
    for path, step in policy.steps():
        scale = step.scale
        if scale is None:
            continue
        if scale.to is not None and not scale.min <= scale.to <= scale.max:
            message = f"to ({scale.to}) is outside min ({scale.min}) and max ({scale.max})"
            yield findings.warning("scale-bounds", (*path, "scale", "to"), message)
        if scale.by == 0:
            message = "by: 0 changes nothing"
            yield findings.warning("scale-bounds", (*path, "scale", "by"), message)
        if scale.by is not None and not policy.has(*path, "scale", "max"):
            message = f"no max is written: {scale.max} replicas is the most"
            yield findings.hint("scale-bounds", (*path, "scale"), message)


def capacity_has_room(policy: Policy) -> Iterator[Note]:
    """What is widened takes from what is behind it: a step should ask whether there is room."""
    for path, step in policy.steps():
        params, place = step.patch_field or step.scale_bounds, (*path, step.action)
        if params is None or getattr(params, "value", None) is not None:
            continue
        low, high = params.min or 0, params.max or 0
        if params.to is not None and not low <= params.to <= high:
            message = f"to ({params.to}) is outside min ({low}) and max ({high})"
            yield findings.warning("field-bounds", (*place, "to"), message)
        if params.by == 0:
            yield findings.warning("field-bounds", (*place, "by"), "by: 0 changes nothing")
        if step.patch_field is not None and (params.by or 0) > 0 and not params.require:
            message = (
                "nothing is required: if something behind it has a limit, such as a database's "
                "connections, compare $value with it"
            )
            yield findings.hint("field-requirement", place, message)


def traffic_goes_elsewhere(policy: Policy) -> Iterator[Note]:
    """A side can't take over from itself, and must be judged by somebody."""
    target = policy.spec.target
    for path, step in policy.steps():
        params, place = step.shift_traffic, (*path, "shiftTraffic")
        if params is None:
            continue
        if target.name == params.to.workload:
            message = f"{target.name} is the target itself: name the workload of the other side"
            yield findings.error("traffic-side", (*place, "to", "workload"), message)
        elif target.name is not None and params.judged_by is traffic_api.JudgedBy.SIGNALS:
            message = (
                f"the target is {target.name} alone: unless another policy judges "
                f"{params.to.workload}, nothing is moved; a selector can cover both"
            )
            yield findings.hint("traffic-side", (*place, "to"), message)
        if params.kind is not traffic_api.TrafficKind.SERVICE and params.back is None:
            message = "no way back is written: after a move that has helped it is a person's"
            yield findings.hint("traffic-back", place, message)


def action_fits_kind(policy: Policy) -> Iterator[Note]:
    """A DaemonSet has no replicas to change; only a StatefulSet waits for its pods."""
    kind = policy.spec.target.kind
    for path, step in policy.steps():
        if step.delete_stuck_pod is not None and kind is not policy_api.TargetKind.STATEFUL_SET:
            message = f"a {kind} waits for none of its pods: only a StatefulSet does"
            yield findings.error("action-kind", (*path, "deleteStuckPod"), message)
        if step.scale is not None and kind is policy_api.TargetKind.DAEMON_SET:
            yield findings.error(
                "action-kind", (*path, "scale"), "a DaemonSet has no replicas that could be scaled"
            )


def verify_has_time(policy: Policy) -> Iterator[Note]:
    """Verification should leave time for its samples."""
    verify, interval = policy.spec.verify, policy.spec.interval.total_seconds()
    within = verify.within.total_seconds()
    path = ("spec", "verify", "within")
    if within < verify.samples * interval:
        message = (
            f"{within:g} s can't hold {verify.samples} samples at an interval of {interval:g} s: "
            "no action could be proved"
        )
        yield findings.warning("verify-too-short", path, message)


RULES: tuple[Rule, ...] = (
    empty_selector,  # Make sure somebody chose the targets.
    missing_unavailable,  # Make sure a live limit was thought about.
    no_cooldown,  # Make sure an action gets time to help.
    scale_bounds,  # Make sure a scale step can change something.
    capacity_has_room,  # Make sure that what is widened has something to take from.
    traffic_goes_elsewhere,  # Make sure that somebody is known to take it over.
    action_fits_kind,  # Make sure the target has what the action changes.
    verify_has_time,  # Make sure an action can be proved.
)
