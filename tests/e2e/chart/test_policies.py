"""Who writes a policy may not lend the operator more than he has."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from lab.cluster import Lab
from tests.e2e.chart import toolbox

pytestmark = pytest.mark.timeout(180)

PATCH_DEPLOYMENTS = "patch:deployments.apps"
EVICT = "create:pods/eviction"
READERS = ("get:deployments.apps", "get:pods", "list:events")
SCALE_STEP = {"scale": {"to": 2}}
BUDGET: dict[str, toolbox.Document] = {
    "patchField": {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "path": "spec.minAvailable",
        "by": -1,
        "min": 1,
        "max": 3,
    }
}
RESIZE: dict[str, toolbox.Document] = {"resize": {"memory": {"max": "1Gi"}}}
RESTORE = {"restore": {"kinds": ["Service"]}}
RESTART_READERS = {"restore": {"kinds": ["ConfigMap"], "restartReaders": "AtStart"}}
TRIGGER = {"incident": {"causeKind": ["Networking"]}}
ANYWHERE = {"incident": {"causeKind": ["Networking"], "symptoms": "Anywhere"}}
BY_SELECTOR = {"selector": {"matchLabels": {"app": "web"}}}
AUTHORS: dict[str, tuple[tuple[str, ...], str, toolbox.Document, str]] = {
    "advise needs no right": ((), "Advise", {}, ""),
    "live without the right": ((), "Live", {}, "lets the operator patch deployments"),
    "approve without the right": ((), "Approve", {}, "lets the operator patch deployments"),
    "dry-run without the right": ((), "DryRun", {}, "lets the operator patch deployments"),
    "live by selector without the right": (
        (),
        "Live",
        {"target": BY_SELECTOR},
        "lets the operator patch deployments",
    ),
    "live with the right": ((PATCH_DEPLOYMENTS,), "Live", {}, ""),
    "live by selector with the right": ((PATCH_DEPLOYMENTS,), "Live", {"target": BY_SELECTOR}, ""),
    "right on another kind": (
        (PATCH_DEPLOYMENTS,),
        "Live",
        {"target": {"kind": "StatefulSet", "name": "web"}},
        "lets the operator patch statefulsets",
    ),
    "rollback without the right": (
        (EVICT,),
        "Live",
        {"steps": [{"evictPod": {}}, {"rollback": {}}]},
        "lets the operator patch deployments",
    ),
    "scale without the right": (
        (),
        "Live",
        {"steps": [SCALE_STEP]},
        "lets the operator patch deployments",
    ),
    "eviction without the right": (
        (PATCH_DEPLOYMENTS,),
        "Live",
        {"steps": [{"restart": {}}, {"evictPod": {}}]},
        "lets the operator evict pods",
    ),
    "eviction of the sick pods without the right": (
        (PATCH_DEPLOYMENTS,),
        "Live",
        {"steps": [{"restartPods": {}}]},
        "lets the operator evict pods",
    ),
    "suspension without the right": (
        (),
        "Live",
        {"target": {"kind": "CronJob", "name": "web"}, "steps": [{"suspendCronJob": {}}]},
        "lets the operator patch cronjobs",
    ),
    "suspension with the right": (
        ("patch:cronjobs.batch",),
        "Live",
        {"target": {"kind": "CronJob", "name": "web"}, "steps": [{"suspendCronJob": {}}]},
        "",
    ),
    "restart of a Rollout without the right": (
        (PATCH_DEPLOYMENTS,),
        "Live",
        {"target": {"kind": "Rollout", "name": "web"}},
        "lets the operator patch rollouts",
    ),
    **{
        f"{name} without the right": (
            (PATCH_DEPLOYMENTS,),
            "Live",
            {"target": {"kind": "Rollout", "name": "web"}, "steps": [{name: {}}]},
            "lets the operator patch rollouts/status",
        )
        for name in ("abortRollout", "promote")
    },
    "revert in Git without the right": (
        (EVICT,),
        "Live",
        {"steps": [{"gitRevert": {}}]},
        "lets the operator patch deployments",
    ),
    "revert in Git with the right": (
        (PATCH_DEPLOYMENTS,),
        "Live",
        {"steps": [{"gitRevert": {}}]},
        "",
    ),
    "a release of Helm without the right to make Jobs": (
        (PATCH_DEPLOYMENTS,),
        "Live",
        {"steps": [{"helmRollback": {}}]},
        "lets the operator create Jobs",
    ),
    "a release of Helm without the right to write the target": (
        ("create:jobs.batch",),
        "Live",
        {"steps": [{"helmRollback": {}}]},
        "lets the operator patch deployments",
    ),
    "rerun without the right": (
        ("patch:cronjobs.batch",),
        "Live",
        {"target": {"kind": "CronJob", "name": "web"}, "steps": [{"rerunJob": {}}]},
        "lets the operator create Jobs",
    ),
    "rerun with the right": (
        ("create:jobs.batch",),
        "Live",
        {"target": {"kind": "CronJob", "name": "web"}, "steps": [{"rerunJob": {}}]},
        "",
    ),
    "Job of a template without the right": (
        (PATCH_DEPLOYMENTS,),
        "Live",
        {"steps": [{"runJob": {"template": "purge"}}]},
        "lets the operator create Jobs",
    ),
    "Job of a template with the right": (
        ("create:jobs.batch",),
        "Live",
        {"steps": [{"runJob": {"template": "purge", "parameters": {"PREFIX": "a:"}}}]},
        "",
    ),
    "Job with a parameter that is no variable": (
        ("create:jobs.batch",),
        "Live",
        {"steps": [{"runJob": {"template": "purge", "parameters": {"a b": "c"}}}]},
        "names of parameters are like environment variables",
    ),
    "call with the right": (
        (PATCH_DEPLOYMENTS, "use:webhookendpoints.prunella.dev"),
        "Live",
        {"steps": [{"restart": {}}, {"webhook": {"endpoint": "restart"}}]},
        "",
    ),
    "call without the right": (
        (PATCH_DEPLOYMENTS,),
        "Live",
        {"steps": [{"restart": {}}, {"webhook": {"endpoint": "restart"}}]},
        "spec.steps[1]: Live lets the operator call endpoint restart",
    ),
    "call in advice": ((), "Advise", {"steps": [{"webhook": {"endpoint": "restart"}}]}, ""),
    "capture of logs without the right": (
        (PATCH_DEPLOYMENTS, *READERS),
        "Live",
        {"capture": {"logs": "Previous"}},
        "capture: the operator would get pods/log",
    ),
    "capture of logs by a step without the right": (
        (PATCH_DEPLOYMENTS, *READERS),
        "Live",
        {"steps": [{"restart": {}, "capture": {"logs": "Current"}}]},
        "capture: the operator would get pods/log",
    ),
    "capture of Events without the right": (
        (PATCH_DEPLOYMENTS,),
        "Live",
        {"capture": {"describe": False}},
        "capture: the operator would list events",
    ),
    "capture of manifests without the right": (
        (PATCH_DEPLOYMENTS, "list:events", "get:pods"),
        "Live",
        {"capture": {}},
        "capture: the operator would get deployments",
    ),
    "capture of a dump without the right": (
        (PATCH_DEPLOYMENTS, *READERS, "get:pods/log"),
        "Live",
        {"capture": {"http": {"port": 6060, "path": "/"}}},
        "capture: the operator would get pods/proxy",
    ),
    "capture of all with the rights": (
        (PATCH_DEPLOYMENTS, *READERS, "get:pods/log", "get:pods/proxy"),
        "Live",
        {"capture": {"logs": "Current", "http": {"port": 6060, "path": "/"}}},
        "",
    ),
    "capture in advice": ((), "Advise", {"capture": {"logs": "Current"}}, ""),
    "removal of a stuck pod without the right": (
        ("patch:statefulsets.apps",),
        "Live",
        {"target": {"kind": "StatefulSet", "name": "web"}, "steps": [{"deleteStuckPod": {}}]},
        "lets the operator evict pods",
    ),
    "rollback of a StatefulSet, which may evict, without that right": (
        ("patch:statefulsets.apps",),
        "Live",
        {"target": {"kind": "StatefulSet", "name": "web"}, "steps": [{"rollback": {}}]},
        "lets the operator evict pods",
    ),
    "rollback of a StatefulSet with both rights": (
        (EVICT, "patch:statefulsets.apps"),
        "Live",
        {"target": {"kind": "StatefulSet", "name": "web"}, "steps": [{"rollback": {}}]},
        "",
    ),
    "a field without the right": (
        (),
        "Live",
        {"steps": [BUDGET]},
        "lets the operator patch poddisruptionbudgets",
    ),
    "a field with the right": (
        ("patch:poddisruptionbudgets.policy",),
        "Live",
        {"steps": [BUDGET]},
        "",
    ),
    "a field that the administrators do not allow": (
        ("patch:poddisruptionbudgets.policy",),
        "Live",
        {"steps": [{"patchField": {**BUDGET["patchField"], "path": "spec.maxUnavailable"}}]},
        (
            "lets the operator write a field that the administrators do not allow: "
            "spec.maxUnavailable of policy/v1 PodDisruptionBudget"
        ),
    ),
    "a field that nobody writes in advice": (
        (),
        "Advise",
        {"steps": [{"patchField": {**BUDGET["patchField"], "path": "spec.maxUnavailable"}}]},
        "",
    ),
    "bounds without the right": (
        (PATCH_DEPLOYMENTS,),
        "Live",
        {"steps": [{"scaleBounds": {"by": 5, "max": 20}}]},
        "lets the operator patch horizontalpodautoscalers",
    ),
    "bounds with the right": (
        ("patch:horizontalpodautoscalers.autoscaling",),
        "Live",
        {"steps": [{"scaleBounds": {"by": 5, "max": 20}}]},
        "",
    ),
    "a certificate without the right": (
        ("patch:services",),
        "Live",
        {"steps": [{"renewCertificate": {}}]},
        "lets the operator have certificates issued",
    ),
    "traffic without the right": (
        (PATCH_DEPLOYMENTS,),
        "Live",
        {"steps": [{"shiftTraffic": {"kind": "HTTPRoute", "to": {"workload": "b"}}}]},
        "lets the operator patch httproutes",
    ),
    "traffic with the right to another kind": (
        ("patch:services",),
        "Live",
        {"steps": [{"shiftTraffic": {"kind": "VirtualService", "to": {"workload": "b"}}}]},
        "lets the operator patch virtualservices",
    ),
    "a selector with the right": (
        ("patch:services",),
        "Live",
        {"steps": [{"shiftTraffic": {"kind": "Service", "label": "v", "to": {"workload": "b"}}}]},
        "",
    ),
    "a quota without the right": (
        (PATCH_DEPLOYMENTS,),
        "Live",
        {"steps": [{"raiseQuota": {"ceilings": {"pods": 9}}}]},
        "lets the operator patch resourcequotas",
    ),
    "a quota with the right": (
        ("patch:resourcequotas",),
        "Live",
        {"steps": [{"raiseQuota": {"ceilings": {"pods": 9}}}]},
        "",
    ),
    "a volume without the right": (
        (PATCH_DEPLOYMENTS,),
        "Live",
        {"steps": [{"expandVolume": {"max": "9Gi", "allowOneWay": True}}]},
        "lets the operator patch persistentvolumeclaims",
    ),
    "a volume with the right": (
        ("patch:persistentvolumeclaims",),
        "Live",
        {"steps": [{"expandVolume": {"max": "9Gi", "allowOneWay": True}}]},
        "",
    ),
    "a volume that is not accepted as one-way": (
        ("patch:persistentvolumeclaims",),
        "Advise",
        {"steps": [{"expandVolume": {"max": "9Gi"}}]},
        "allowOneWay must be true: no volume can be made smaller again",
    ),
    "resizing without the right": (
        (),
        "Live",
        {"steps": [RESIZE]},
        "lets the operator patch deployments",
    ),
    "resizing in place without the right": (
        (PATCH_DEPLOYMENTS,),
        "Live",
        {"steps": [{"resize": {**RESIZE["resize"], "where": "InPlace"}}]},
        "lets the operator resize pods",
    ),
    "resizing in place with both rights": (
        (PATCH_DEPLOYMENTS, "patch:pods/resize"),
        "Live",
        {"steps": [{"resize": {**RESIZE["resize"], "where": "InPlace"}}]},
        "",
    ),
    "restore without the right": (
        (PATCH_DEPLOYMENTS,),
        "Live",
        {"steps": [RESTORE], "trigger": TRIGGER},
        "lets the operator patch services",
    ),
    "restore with one right of three": (
        ("patch:services",),
        "Live",
        {"steps": [RESTORE], "trigger": TRIGGER},
        "lets the operator create services",
    ),
    "restore with the right": (
        ("patch:services", "create:services", "delete:services"),
        "Live",
        {"steps": [RESTORE], "trigger": TRIGGER},
        "",
    ),
    "rollback with ConfigMaps without that right": (
        (PATCH_DEPLOYMENTS,),
        "Live",
        {"steps": [{"rollback": {"configMaps": True}}]},
        "lets the operator patch configmaps",
    ),
    "rollback with ConfigMaps with both rights": (
        (PATCH_DEPLOYMENTS, "patch:configmaps"),
        "Live",
        {"steps": [{"rollback": {"configMaps": True}}]},
        "",
    ),
    "restart of readers with a right to the ConfigMap alone": (
        ("patch:configmaps", "create:configmaps", "delete:configmaps"),
        "Live",
        {"steps": [RESTART_READERS], "trigger": TRIGGER},
        "lets the operator restart deployments",
    ),
    "restart of readers with the rights": (
        (
            *("patch:configmaps", "create:configmaps", "delete:configmaps"),
            *("patch:deployments.apps", "patch:statefulsets.apps", "patch:daemonsets.apps"),
        ),
        "Live",
        {"steps": [RESTART_READERS], "trigger": TRIGGER},
        "",
    ),
    "readers of no ConfigMap": (
        (),
        "Advise",
        {
            "steps": [{"restore": {"kinds": ["Service"], "restartReaders": "All"}}],
            "trigger": TRIGGER,
        },
        "restartReaders needs ConfigMap",
    ),
    "restore without a trigger": (
        (),
        "Advise",
        {"steps": [RESTORE]},
        "restore needs spec.trigger",
    ),
    "symptoms elsewhere without a restore": (
        (),
        "Advise",
        {"steps": [{"rollback": {}}], "trigger": ANYWHERE},
        "symptoms: Anywhere needs a step restore",
    ),
    "eviction with the right": ((EVICT,), "Live", {"steps": [{"evictPod": {}}]}, ""),
    "all with all rights": (
        (EVICT, PATCH_DEPLOYMENTS),
        "Live",
        {"steps": [{"rollback": {}}, {"restart": {}}, SCALE_STEP, {"evictPod": {}}]},
        "",
    ),
}


@pytest.mark.parametrize("name", AUTHORS)
def test_authors_need_the_rights_that_they_lend(
    author: Callable[..., toolbox.Kubectl], shop: str, name: str
) -> None:
    """Given an author's own rights, when he writes a policy, then it may do no more than he."""
    rights, mode, spec, refusal = AUTHORS[name]
    done = toolbox.create(author(*rights), toolbox.policy(shop, mode, **spec), dry=True)
    if refusal:
        toolbox.assert_refused(done, refusal)
    assert (refusal == "") == (done.returncode == 0), done.stderr


CHANGES: dict[str, tuple[toolbox.Document, str]] = {
    "suspending is always allowed": ({"suspend": True}, ""),
    "going back to Advise too": ({"mode": "Advise"}, ""),
    "not while something else changes": (
        {"suspend": True, "interval": "1h"},
        "lets the operator patch deployments",
    ),
    "nor any other change": ({"interval": "1h"}, "lets the operator patch deployments"),
}


@pytest.fixture(scope="package")
def live_policy(release: Lab, shop: str) -> str:
    """A Live policy that an administrator has made."""
    done = toolbox.create(release, toolbox.policy(shop))
    assert done.returncode == 0, done.stderr
    return "remediationpolicy/web"


@pytest.mark.parametrize("name", CHANGES)
def test_stopping_a_live_policy_needs_no_right(
    author: Callable[..., toolbox.Kubectl], shop: str, live_policy: str, name: str
) -> None:
    """Given a Live policy of an administrator, when another editor changes it, he may stop it."""
    spec, refusal = CHANGES[name]
    arguments = ("-n", shop, "patch", live_policy, "--type=merge", "--dry-run=server")
    done = author()(*arguments, "--patch", json.dumps({"spec": spec}))
    if refusal:
        toolbox.assert_refused(done, refusal)
    assert (refusal == "") == (done.returncode == 0), done.stderr


BAD: dict[str, tuple[toolbox.Document, str]] = {
    "two ways to select": (
        {"target": {"name": "web", **BY_SELECTOR}},
        "spec.target: ",
    ),
    "unknown mode": ({"mode": "Sometimes"}, "spec.mode: "),
    "negative hold": (
        {"signals": [{"name": "e", "threshold": {"above": 1}, "for": "-1m"}]},
        "spec.signals[0].for: ",
    ),
    "no signal": ({"signals": []}, "spec.signals: "),
    "two actions in a step": ({"steps": [{"restart": {}, "evictPod": {}}]}, "spec.steps[0]: "),
    "min above max": (
        {"steps": [{"scale": {"to": 2, "min": 5, "max": 3}}]},
        "spec.steps[0].scale: ",
    ),
    "unknown field": ({"stpes": []}, 'unknown field "spec.stpes"'),
    "abort of a Deployment": (
        {"steps": [{"abortRollout": {}}]},
        "abortRollout and promote are for targets of kind Rollout",
    ),
    "resize of a Rollout's template": (
        {"target": {"kind": "Rollout", "name": "web"}, "steps": [{**RESIZE}]},
        "resize of a Rollout needs where: InPlace",
    ),
    "share above 100 %": ({"guards": {"maxUnavailable": "120%"}}, "spec.guards.maxUnavailable: "),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_policies_are_refused_by_field(release: Lab, name: str) -> None:
    """Given a bad policy, when it is created, then the server's message names the field."""
    spec, field = BAD[name]
    toolbox.assert_refused(
        toolbox.create(release, toolbox.policy("default", **spec), dry=True), field
    )
