"""Of each action a step that can't be meant, with what its author is told."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Bad:
    """A step, and the words of `prunella lint` and of the API server about it."""

    step: dict[str, Any]
    lint: str
    """Severity is error; the path begins at the policy's spec."""
    server: str
    """A part of the message: the field, and what was found or is wanted."""


_IN = "spec.steps[0]"
_DURATION = "must be a duration such as 30s, 5m or 1h30m"
_KINDS = (
    "Service, NetworkPolicy, ConfigMap, ResourceQuota, HorizontalPodAutoscaler, Ingress, "
    "LimitRange, PodDisruptionBudget, Deployment, StatefulSet, DaemonSet or CronJob"
)
BAD: dict[str, Bad] = {
    "restart": Bad(
        {"force": True},
        f"{_IN}.restart.force: unknown field force",
        f'unknown field "{_IN}.restart.force"',
    ),
    "evictPod": Bad(
        {"max": 2},
        f"{_IN}.evictPod.max: unknown field max",
        f'unknown field "{_IN}.evictPod.max"',
    ),
    "scale": Bad(
        {"to": 2, "min": 5, "max": 3},
        f"{_IN}.scale: min (5) must not be above max (3)",
        f"{_IN}.scale: Invalid value: min must not be above max",
    ),
    "rollback": Bad(
        {"to": "Newest"},
        f'{_IN}.rollback.to: must be LastHealthy or Previous, found "Newest"',
        f'{_IN}.rollback.to: Unsupported value: "Newest": supported values: "LastHealthy"',
    ),
    "restartPods": Bad(
        {"max": 31},
        f"{_IN}.restartPods.max: must be less than or equal to 30, found 31",
        f"{_IN}.restartPods.max in body should be less than or equal to 30",
    ),
    "deleteStuckPod": Bad(
        {"lostNodeAfter": "30s"},
        f"{_IN}.deleteStuckPod.lostNodeAfter: must be at least 1m, found 30s",
        "must be at least 1m",
    ),
    "rerunJob": Bad(
        {"times": 6},
        f"{_IN}.rerunJob.times: must be less than or equal to 5, found 6",
        f"{_IN}.rerunJob.times in body should be less than or equal to 5",
    ),
    "runJob": Bad(
        {"template": "purge", "parameters": {"a b": "c"}},
        f"{_IN}.runJob.parameters: names of parameters are like environment variables: "
        "A-Z, 0-9 and _; found 'a b'",
        "names of parameters are like environment variables: A-Z, 0-9 and _",
    ),
    "suspendCronJob": Bad(
        {"for": "1h"},
        f"{_IN}.suspendCronJob.for: unknown field for",
        f'unknown field "{_IN}.suspendCronJob.for"',
    ),
    "restore": Bad(
        {"kinds": ["Secret"]},
        f'{_IN}.restore.kinds[0]: must be {_KINDS}, found "Secret"; did you mean Service?',
        f'{_IN}.restore.kinds[0]: Unsupported value: "Secret"',
    ),
    "webhook": Bad(
        {"endpoint": "https://evil.example"},
        f"{_IN}.webhook.endpoint: must be a DNS label: lower case letters, digits and -, "
        "at most 63, found 'https://evil.example'",
        f"{_IN}.webhook.endpoint in body should match",
    ),
    "patchField": Bad(
        {"apiVersion": "v1", "kind": "ConfigMap", "path": "data.a", "by": 1, "value": "x"},
        f"{_IN}.patchField: exactly one of by, to, value must be given, found by, value",
        "exactly one of by, to, value must be given",
    ),
    "scaleBounds": Bad(
        {"by": 1, "to": 3, "max": 5},
        f"{_IN}.scaleBounds: exactly one of by, to must be given, found by, to",
        "exactly one of by, to must be given",
    ),
    "raiseQuota": Bad(
        {"by": "25", "ceilings": {"pods": 9}},
        f"{_IN}.raiseQuota.by: must be a percentage from 0% to 100%, such as 25%, found '25'",
        f"{_IN}.raiseQuota.by in body should match",
    ),
    "resize": Bad({}, f"{_IN}.resize: memory or cpu must be given", "memory or cpu must be given"),
    "expandVolume": Bad(
        {"max": "9Gi"},
        f"{_IN}.expandVolume: allowOneWay must be true: no volume can be made smaller again",
        "allowOneWay must be true: no volume can be made smaller again",
    ),
    "shiftTraffic": Bad(
        {"kind": "Service", "to": {"workload": "b"}},
        f"{_IN}.shiftTraffic: label must be given with kind Service, and with no other",
        "label must be given with kind Service, and with no other",
    ),
    "renewCertificate": Bad(
        {"expiresWithin": "soon"},
        f"{_IN}.renewCertificate.expiresWithin: {_DURATION}, found 'soon'",
        f"{_IN}.renewCertificate.expiresWithin in body should match",
    ),
    "gitRevert": Bad(
        {"changeWithin": "1 hour"},
        f"{_IN}.gitRevert.changeWithin: {_DURATION}, found '1 hour'",
        f"{_IN}.gitRevert.changeWithin in body should match",
    ),
    "helmRollback": Bad(
        {"changeWithin": "-1h"},
        f"{_IN}.helmRollback.changeWithin: {_DURATION}, found '-1h'",
        f"{_IN}.helmRollback.changeWithin in body should match",
    ),
    "abortRollout": Bad(
        {},
        "spec: steps[0]: abortRollout is for a target of kind Rollout, the target is a Deployment",
        "abortRollout and promote are for targets of kind Rollout",
    ),
    "cordon": Bad(
        {"keep": "yes"},
        f'{_IN}.cordon.keep: must be true or false, found "yes"',
        f"{_IN}.cordon.keep",
    ),
    "drain": Bad(
        {"deadline": "soon"},
        f"{_IN}.drain.deadline: {_DURATION}, found 'soon'",
        f"{_IN}.drain.deadline in body should match",
    ),
    "uncordon": Bad(
        {"force": True},
        f"{_IN}.uncordon.force: unknown field force",
        f'unknown field "{_IN}.uncordon.force"',
    ),
    "promote": Bad(
        {"full": "yes"},
        f'{_IN}.promote.full: must be true or false, found "yes"',
        f"{_IN}.promote.full",
    ),
}
