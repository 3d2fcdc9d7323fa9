"""Guards about what others own: fields, disruption budgets, later edits."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prunella.api import reasons, remediation
from prunella.core import model, objects
from prunella.core.decisions import guards, ledger
from prunella.core.decisions.guards import blast_radius, ownership
from prunella.core.decisions.rules import Rules
from tests.unit.core import builders
from tests.unit.core.builders import record

Phase, Refused = reasons.Phase, reasons.Refused

ARGO = {"argocd.argoproj.io/tracking-id": "app:apps/Deployment:shop/checkout"}
HELM = {"app.kubernetes.io/instance": "checkout", "app.kubernetes.io/managed-by": "Helm"}
CONFIG_SYNC = "configmanagement.gke.io/managed=enabled"
CONTROLLED = (
    "Canary/checkout (flagger.app/v1beta1) controls Deployment/checkout, and its controller would "
    "undo a change of {field}: change it there instead"
)
SCALED_BY = ("HorizontalPodAutoscaler/checkout", "ScaledObject/queue")
OWNERS: dict[str, tuple[dict[str, Any], tuple[str, ...], str, str]] = {
    "a controller": (
        {"controller": "Canary/checkout (flagger.app/v1beta1)"},
        (),
        Refused.OWNED_BY_CONTROLLER,
        CONTROLLED,
    ),
    "Config Sync": (
        {"annotations": {"configmanagement.gke.io/managed": "enabled"}},
        (),
        Refused.OWNED_BY_GITOPS,
        f"Deployment/checkout carries {CONFIG_SYNC}: change it in Git instead",
    ),
    "Config Sync, switched off for it": (
        {"annotations": {"configmanagement.gke.io/managed": "disabled"}},
        (),
        "",
        "nobody else owns {field}",
    ),
    "kapp": (
        {"labels": {"kapp.k14s.io/app": "1700000000000000000"}},
        (),
        Refused.OWNED_BY_GITOPS,
        "Deployment/checkout carries kapp.k14s.io/app: change it in Git instead",
    ),
    "Fleet": (
        {"annotations": {"objectset.rio.cattle.io/id": "default-shop"}},
        (),
        Refused.OWNED_BY_GITOPS,
        "Deployment/checkout carries objectset.rio.cattle.io/id: change it in Git instead",
    ),
    "Pulumi": (
        {"labels": {"app.kubernetes.io/managed-by": "pulumi"}},
        (),
        Refused.OWNED_BY_GITOPS,
        "Deployment/checkout carries app.kubernetes.io/managed-by=pulumi: change it in Git instead",
    ),
    "Kluctl": (
        {"labels": {"kluctl.io/discriminator": "shop-prod"}},
        (),
        Refused.OWNED_BY_GITOPS,
        "Deployment/checkout carries kluctl.io/discriminator: change it in Git instead",
    ),
    "Argo CD": (
        {"annotations": ARGO},
        (),
        Refused.OWNED_BY_GITOPS,
        "Deployment/checkout carries argocd.argoproj.io/tracking-id: change it in Git instead",
    ),
    "a Flux Kustomization": (
        {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}},
        (),
        Refused.OWNED_BY_GITOPS,
        "Deployment/checkout carries kustomize.toolkit.fluxcd.io/name: change it in Git instead",
    ),
    "a Flux HelmRelease": (
        {"labels": {"helm.toolkit.fluxcd.io/name": "apps"}},
        (),
        Refused.OWNED_BY_GITOPS,
        "Deployment/checkout carries helm.toolkit.fluxcd.io/name: change it in Git instead",
    ),
    "Helm alone owns nothing": ({"labels": HELM}, (), "", "nobody else owns {field}"),
    "nobody": ({}, (), "", "nobody else owns {field}"),
}


@pytest.mark.parametrize("action", ["scale", "rollback", "revert"])
@pytest.mark.parametrize(
    ("changes", "autoscalers", "reason", "message"), OWNERS.values(), ids=OWNERS
)
def test_not_owned_by_others(
    changes: dict[str, Any], autoscalers: tuple[str, ...], reason: str, message: str, action: str
) -> None:
    """What a controller or a tool that deploys holds is neither scaled nor rolled back."""
    target = builders.workload(**changes)
    case = builders.case(
        action=action, target=target, live_state=model.LiveState(target, autoscalers=autoscalers)
    )
    answer = ownership.not_owned_by_others(case)
    expected = message.format(field=case.action.owned_field)
    assert (model.Refusal(Refused(reason), expected) if reason else expected) == answer


SCALED = f"{', '.join(SCALED_BY)} scales Deployment/checkout: change its bounds instead"
WRITTEN: dict[str, guards.Answer] = {
    "scale": model.Refusal(Refused.OWNED_BY_AUTOSCALER, SCALED),
    "revert": model.Refusal(Refused.OWNED_BY_AUTOSCALER, SCALED),
    "rollback": "nobody else owns spec.template",
    "restart": "restart writes nothing that others own",
    "evictPod": "evictPod writes nothing that others own",
}


@pytest.mark.parametrize(("action", "expected"), WRITTEN.items(), ids=WRITTEN)
def test_an_autoscaler_owns_the_replicas_alone(action: str, expected: guards.Answer) -> None:
    """The pod template is not an autoscaler's business."""
    live_state = model.LiveState(builders.workload(), autoscalers=SCALED_BY)
    case = builders.case(action=action, live_state=live_state)
    assert expected == ownership.not_owned_by_others(case)


@pytest.mark.parametrize("action", ["restart", "evictPod"])
@pytest.mark.parametrize(
    ("changes", "autoscalers"), [row[:2] for row in OWNERS.values()], ids=OWNERS
)
def test_restart_and_eviction_conflict_with_nobody(
    changes: dict[str, Any], autoscalers: tuple[str, ...], action: str
) -> None:
    """Owned workloads may be restarted and their pods evicted."""
    owned = {"spec.replicas": frozenset({"argocd-controller"})}
    target = builders.workload(**changes, field_owners=owned)
    case = builders.case(
        action=action, target=target, live_state=model.LiveState(target, autoscalers=autoscalers)
    )
    assert f"{action} writes nothing that others own" == ownership.not_owned_by_others(case)


MANAGED: dict[str, tuple[str, str, str, bool]] = {
    "the very field": ("scale", "spec.replicas", "argocd-controller", True),
    "the template": ("rollback", "spec.template", "kustomize-controller", True),
    "another field": ("scale", "spec.template", "argocd-controller", False),
    "a person": ("scale", "spec.replicas", "kubectl-client-side-apply", False),
    "Helm": ("rollback", "spec.template", "helm", True),
    "Helm, of another field": ("scale", "spec.template", "helm", False),
    "Config Sync": ("scale", "spec.replicas", "configsync", True),
    "kapp": ("rollback", "spec.template", "kapp-server-side-apply", True),
    "Fleet": ("rollback", "spec.template", "fleetagent", True),
    "Terraform": ("scale", "spec.replicas", "Terraform", True),
    "Terraform's typed resources": ("rollback", "spec.template", "HashiCorp", True),
    "Pulumi, a name for each resource": ("scale", "spec.replicas", "pulumi-kubernetes-1a2b", True),
    "Kluctl": ("rollback", "spec.template", "kluctl", True),
    "a name that only begins so": ("scale", "spec.replicas", "helm-dashboard", False),
}


@pytest.mark.parametrize(("action", "field", "manager", "owned"), MANAGED.values(), ids=MANAGED)
def test_managed_fields_name_the_owner(
    action: str, field: str, manager: str, *, owned: bool
) -> None:
    """A GitOps manager owns just the fields that managedFields say it wrote last."""
    target = builders.workload(field_owners={field: frozenset({manager, "kubectl"})})
    answer = ownership.not_owned_by_others(builders.case(action=action, target=target))
    message = f"{manager} owns {field} of Deployment/checkout"
    expected = model.Refusal(Refused.OWNED_BY_GITOPS, message)
    assert owned == (expected == answer)
    assert owned == isinstance(answer, model.Refusal)


def test_labels_and_managers_are_those_of_the_settings() -> None:
    """Whose tool is no other's is told in the settings."""
    own = Rules(gitops_managers=("release-*",), gitops_labels=("shop.example/owner=robot",))
    by_manager = builders.workload(field_owners={"spec.template": frozenset({"release-7"})})
    by_mark = builders.workload(labels={"shop.example/owner": "robot"})
    argo = builders.workload(annotations=ARGO)
    cases = [
        builders.case(action="rollback", target=each, rules=own)
        for each in (by_manager, by_mark, argo)
    ]
    assert [
        model.Refusal(
            Refused.OWNED_BY_GITOPS, "release-7 owns spec.template of Deployment/checkout"
        ),
        model.Refusal(
            Refused.OWNED_BY_GITOPS,
            "Deployment/checkout carries shop.example/owner=robot: change it in Git instead",
        ),
        "nobody else owns spec.template",
    ] == [ownership.not_owned_by_others(each) for each in cases]


# Disruption budgets

POD = model.Pod("checkout-1", "pod-uid", {"app": "checkout", "tier": "web"})
CLOSED = model.Budget("web", {"tier": "web"}, 0, 2, 2)
OPEN = model.Budget("checkout", {"app": "checkout"}, 1, 3, 2)
FOREIGN = model.Budget("cart", {"app": "cart"}, 0, 1, 1)
EVERY = model.Budget("every", {}, 0, 5, 5)


def _told(budget: model.Budget, numbers: str) -> str:
    return f"PodDisruptionBudget {budget.name} allows 0 disruptions ({numbers})"


BUDGETS: dict[str, tuple[tuple[model.Budget, ...], guards.Answer]] = {
    "none": ((), "no PodDisruptionBudget selects the pod"),
    "of other pods": ((FOREIGN,), "no PodDisruptionBudget selects the pod"),
    "open": ((OPEN,), "PodDisruptionBudget checkout allows 1 disruptions (3 healthy, 2 needed)"),
    "closed": ((CLOSED,), _told(CLOSED, "2 healthy, 2 needed")),
    "open and closed": ((OPEN, CLOSED), _told(CLOSED, "2 healthy, 2 needed")),
    "closed and open": ((CLOSED, OPEN), _told(CLOSED, "2 healthy, 2 needed")),
    "of all pods": ((OPEN, EVERY), _told(EVERY, "5 healthy, 5 needed")),
}


@pytest.mark.parametrize(("budgets", "expected"), BUDGETS.values(), ids=BUDGETS)
def test_disruption_budgets_allow(
    budgets: tuple[model.Budget, ...], expected: guards.Answer
) -> None:
    """The tightest budget's numbers are told; the eviction's own dry run is the judge."""
    live_state = model.LiveState(builders.workload(), pods=(POD,), budgets=budgets)
    findings = (builders.finding(), builders.finding(pod=POD.name))
    case = builders.case(action="evictPod", live_state=live_state, findings=findings)
    assert expected == blast_radius.disruption_budgets_allow(case)


def test_budgets_are_about_evictions_alone() -> None:
    """A restart keeps to the workload's own strategy; before the look nothing is known."""
    live_state = model.LiveState(builders.workload(), pods=(POD,), budgets=(CLOSED,))
    assert (
        blast_radius.disruption_budgets_allow(builders.case(live_state=live_state))
        == "no pod is evicted"
    )
    ordered = builders.workload(kind="StatefulSet", strategy=model.Strategy(ordered=True))
    waiting = dataclasses.replace(POD, ready=False)
    blocked = model.LiveState(ordered, pods=(waiting,), budgets=(CLOSED,))
    told = blast_radius.disruption_budgets_allow(builders.case(live_state=blocked))
    assert str(told).startswith(f"PodDisruptionBudget {CLOSED.name} allows 0 disruptions")
    unseen = builders.case(action="evictPod", live_state=None)
    assert blast_radius.disruption_budgets_allow(unseen) == "not looked at yet"


# Later edits

SCALE = builders.scale_effect(to=5)
SCALED = builders.workload(replicas=5, generation=5)


def _scaled(*, outcome: str = "Effective") -> objects.Record:
    written = ledger.fingerprint(SCALE, SCALED) if outcome else ""
    status = remediation.EffectStatus(outcome=outcome, fingerprint=written)
    return record(
        "checkout-1", Phase.UNHELPFUL, action="scale", effects=[SCALE], effect_statuses=[status]
    )


EDITS: dict[str, tuple[model.Workload, guards.Answer]] = {
    "unchanged": (SCALED, "unchanged since checkout-1"),
    "another field was changed": (
        dataclasses.replace(SCALED, generation=6, template={"spec": {"image": "v9"}}),
        "unchanged since checkout-1",
    ),
    "what it wrote was changed": (
        dataclasses.replace(SCALED, replicas=7),
        model.Refusal(
            Refused.CHANGED_BY_OTHERS,
            "Deployment/checkout was changed by somebody else after checkout-1",
        ),
    ),
    "replaced": (
        dataclasses.replace(SCALED, uid="another"),
        model.Refusal(
            Refused.CHANGED_BY_OTHERS, "Deployment/checkout was replaced: its UID is another one"
        ),
    ),
}


@pytest.mark.parametrize(("found", "expected"), EDITS.values(), ids=EDITS)
def test_unchanged_by_others(found: model.Workload, expected: guards.Answer) -> None:
    """What somebody else changed later is not undone."""
    case = builders.case(action="revert", live_state=model.LiveState(found), follows=_scaled())
    assert expected == ownership.unchanged_by_others(case)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({"follows": None}, "follows nothing"), ({"live_state": None}, "not looked at yet")],
    ids=["no predecessor", "no look"],
)
def test_without_a_predecessor_or_a_look_no_edit_is_seen(
    changes: dict[str, Any], expected: str
) -> None:
    """There is nothing to compare, and that is said."""
    case = builders.case(**{"follows": _scaled(), "live_state": model.LiveState(SCALED), **changes})
    assert expected == ownership.unchanged_by_others(case)
