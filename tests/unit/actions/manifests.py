"""Realistic manifests, and what they look like to an action."""

from __future__ import annotations

import copy
import dataclasses
import datetime
from typing import Any

import jsonpatch
import yaml

from prunella.api import steps as steps_api
from prunella.core import model, objects
from prunella.core.decisions import action
from tests.unit.core import builders

NOW = builders.NOW
Manifest = dict[str, Any]

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: checkout
  namespace: shop
  uid: checkout-uid
  generation: 4
  labels: {app: checkout}
  annotations: {deployment.kubernetes.io/revision: "3"}
spec:
  replicas: 3
  selector: {matchLabels: {app: checkout}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 25%}}
  template:
    metadata:
      labels: {app: checkout}
    spec:
      containers:
      - name: app
        image: registry.example/checkout:3
        env: [{name: MODE, value: live}]
        resources: {limits: {memory: 256Mi}}
      restartPolicy: Always
status: {replicas: 3, updatedReplicas: 3, availableReplicas: 3, observedGeneration: 4}
"""


def deployment(image: str = "3", annotations: dict[str, str] | None = None) -> Manifest:
    """A Deployment at some release, with the given annotations on its pod template."""
    manifest: Manifest = yaml.safe_load(DEPLOYMENT)
    template = manifest["spec"]["template"]
    template["spec"]["containers"][0]["image"] = f"registry.example/checkout:{image}"
    if annotations is not None:
        template["metadata"]["annotations"] = annotations
    return manifest


def workload(manifest: Manifest, **changes: Any) -> model.Workload:
    """A manifest as the core sees it."""
    replicas = manifest["spec"]["replicas"]
    counts = dict.fromkeys(("replicas", "updated", "available", "total"), replicas)
    shown = {"template": copy.deepcopy(manifest["spec"]["template"]), **counts, **changes}
    return builders.workload(**shown)


def revision(
    number: int, minutes_ago: float, manifest: Manifest, *, current: bool = False
) -> model.Revision:
    """A revision of a manifest's pod template, created so long before now."""
    return model.Revision(
        number=number,
        name=f"checkout-{number}",
        created=NOW - datetime.timedelta(minutes=minutes_ago),
        template=manifest["spec"]["template"],
        current=current,
    )


def request(
    live_state: model.LiveState, params: dict[str, Any] | None = None, **changes: Any
) -> Any:
    """All that an action may know; ``params`` is a step as written in a policy."""
    step = steps_api.Step.model_validate(params) if params is not None else None
    whole = action.Request(
        live_state=live_state,
        params=step.params if step is not None else None,
        findings=(builders.finding(),),
        verdicts_at={},
        decided_at=NOW,
        now=NOW,
    )
    return dataclasses.replace(whole, **changes)


def planned(plan: object) -> model.Effect:
    """The one effect of a plan, with the preconditions that every patch must carry."""
    assert isinstance(plan, action.Plan), plan
    (effect,) = plan.effects
    if effect.verb is model.Verb.PATCH:
        assert (effect.uid, effect.generation) == ("checkout-uid", 4)
    return effect


def applied(manifest: Manifest, patch: tuple[model.PatchOperation, ...]) -> Manifest:
    """A copy of a manifest after a JSON patch."""
    result: Manifest = jsonpatch.apply_patch(manifest, [dict(each) for each in patch])
    return result


def kept(effect: model.Effect) -> model.Effect:
    """An effect as it comes back from the ledger."""
    return objects.effect_from_spec(objects.effect_to_spec(effect))
