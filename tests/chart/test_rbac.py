"""The operator's rights: exactly those of the enabled actions, and never the dangerous ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from prunella.api import restore as restore_api
from prunella.api import steps
from prunella.core.changes import kinds as journalled

Document = dict[str, Any]
Render = Callable[..., list[Document]]
Right = tuple[str, str, str]
"""API group, resource, verb."""

ACTIONS = steps.ACTIONS


def _rights(group: str, resources: str, verbs: str) -> set[Right]:
    return {(group, name, verb) for name in resources.split() for verb in verbs.split()}


CORE = (
    _rights("prunella.dev", "remediationpolicies approvals", "get list watch")
    | _rights(
        "prunella.dev", "remediations changes incidents", "get list watch create patch delete"
    )
    | _rights("prunella.dev", "journalsnapshots", "list create patch delete")
    | _rights("prunella.dev", "remediationpolicies/status remediations/status", "update")
    | _rights("prunella.dev", "approvals/status changes/status incidents/status", "update")
    | _rights("apps", "deployments statefulsets daemonsets", "get list watch")
    | _rights("batch", "cronjobs", "get list watch")
    | _rights("argoproj.io", "rollouts", "get list watch")
    | _rights("batch", "jobs", "list")
    | _rights("apps", "replicasets controllerrevisions", "get list")
    | _rights("", "pods", "get list")
    | _rights("", "namespaces", "get")
    | _rights("policy", "poddisruptionbudgets", "get list")
    | _rights("autoscaling", "horizontalpodautoscalers", "get list")
    | _rights("keda.sh", "scaledobjects", "get list")
    | _rights("events.k8s.io", "events", "create")
    | _rights("", "services events", "list")
    | _rights("discovery.k8s.io", "endpointslices", "list")
)
JOURNAL = set[Right]().union(
    *(_rights(kind.group, kind.plural, "list watch") for kind in journalled.ALL)
)
NODES = _rights("", "nodes", "list watch")
"""Rights that only a ClusterRole can give."""
LISTED_NODES = _rights("", "nodes", "list")
AROUND = (
    _rights(
        "", "services resourcequotas limitranges persistentvolumeclaims serviceaccounts", "list"
    )
    | _rights("networking.k8s.io", "networkpolicies", "list")
    | _rights("events.k8s.io", "events", "list")
)
"""What a diagnosis looks at around what is sick."""
AROUND_CLUSTER = (
    _rights("", "nodes namespaces", "list")
    | _rights("storage.k8s.io", "storageclasses", "list")
    | _rights("scheduling.k8s.io", "priorityclasses", "list")
)
TEMPLATES = _rights("apps", "deployments statefulsets daemonsets", "patch")
REPLICAS = _rights("apps", "deployments statefulsets", "patch")
EVICTION = _rights("", "pods/eviction", "create")
ADDED = {
    "restart": TEMPLATES,
    "rollback": TEMPLATES,
    "scale": REPLICAS,
    "evictPod": EVICTION,
    "restartPods": EVICTION,
    "deleteStuckPod": EVICTION,
    "rerunJob": _rights("batch", "jobs", "create"),
    "runJob": _rights("batch", "jobs", "create") | _rights("", "pods/log", "get"),
    "suspendCronJob": _rights("batch", "cronjobs", "patch"),
    "webhook": set(),  # It asks systems outside the cluster.
    "abortRollout": _rights("argoproj.io", "rollouts/status", "patch"),
    "promote": _rights("argoproj.io", "rollouts/status", "patch"),
    "gitRevert": _rights("kustomize.toolkit.fluxcd.io", "kustomizations", "get")
    | _rights("source.toolkit.fluxcd.io", "gitrepositories", "get")
    | _rights("argoproj.io", "applications", "get"),
    "helmRollback": _rights("batch", "jobs", "create") | _rights("", "pods/log", "get"),
    "restore": set(),  # Its rights are those of the kinds that are enabled.
    "scaleBounds": _rights("autoscaling", "horizontalpodautoscalers", "get patch"),
    "resize": TEMPLATES | _rights("", "pods/resize", "patch"),
    "expandVolume": _rights("", "persistentvolumeclaims", "get patch"),
    "raiseQuota": set(),  # Its rights come with the ceilings that are listed.
    "shiftTraffic": set(),  # Its rights are those of the kinds and selectors that are enabled.
    "renewCertificate": _rights("cert-manager.io", "certificates", "get")
    | _rights("cert-manager.io", "certificates/status", "patch"),
    "patchField": set(),  # Its rights are those of the fields that are listed.
    "cordon": set(),  # Its right comes with policies on nodes.
    "drain": set(),
    "uncordon": set(),
}
CLASSES = _rights("storage.k8s.io", "storageclasses", "get")
"""What `expandVolume` reads where a ClusterRole gives it."""
RESTORED = {
    "Service": _rights("", "services", "get patch create delete"),
    "NetworkPolicy": _rights("networking.k8s.io", "networkpolicies", "get patch create delete"),
    "ConfigMap": _rights("", "configmaps", "get patch create delete"),
    "ResourceQuota": _rights("", "resourcequotas", "get patch create delete"),
    "HorizontalPodAutoscaler": _rights(
        "autoscaling", "horizontalpodautoscalers", "get patch create delete"
    ),
    "Ingress": _rights("networking.k8s.io", "ingresses", "get patch create delete"),
    "LimitRange": _rights("", "limitranges", "get patch create delete"),
    "PodDisruptionBudget": _rights("policy", "poddisruptionbudgets", "get patch create delete"),
    "Deployment": _rights("apps", "deployments", "get patch"),
    "StatefulSet": _rights("apps", "statefulsets", "get patch"),
    "DaemonSet": _rights("apps", "daemonsets", "get patch"),
    "CronJob": _rights("batch", "cronjobs", "get patch"),
}

COMBINATIONS: tuple[tuple[str, ...], ...] = (
    (),
    ("restart",),
    ("evictPod",),
    ("scale",),
    ("rollback",),
    ("restartPods",),
    ("deleteStuckPod",),
    ("suspendCronJob",),
    ("rerunJob",),
    ("runJob",),
    ("restore",),
    ("webhook",),
    ("patchField",),
    ("scaleBounds",),
    ("raiseQuota",),
    ("resize",),
    ("expandVolume",),
    ("shiftTraffic",),
    ("renewCertificate",),
    ("gitRevert",),
    ("helmRollback",),
    ("abortRollout",),
    ("promote",),
    ("cordon",),
    ("drain",),
    ("uncordon",),
    ("restart", "scale"),
    ("evictPod", "scale"),
    ACTIONS,
)
NEVER_VERBS = {"*", "escalate", "bind", "impersonate", "deletecollection"}
NEVER_RESOURCES = {
    "*",
    "secrets",
    "nodes/proxy",
    "serviceaccounts/token",
    "pods/exec",
    "pods/attach",
    "pods/portforward",
}
WEBHOOKS = {"validatingwebhookconfigurations", "mutatingwebhookconfigurations"}
"""Listed at most, to tell who refuses pods: who writes one sees and changes every object."""


def _expand(role: Document) -> set[Right]:
    return {
        right
        for rule in role["rules"]
        for right in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }


def _of_kind(documents: Iterable[Document], kind: str) -> list[Document]:
    return [document for document in documents if document["kind"] == kind]


def _named(documents: Iterable[Document], kind: str, name: str) -> list[Document]:
    return [each for each in _of_kind(documents, kind) if each["metadata"]["name"] == name]


def _enabled(chosen: Iterable[str]) -> dict[str, bool]:
    return {action: action in chosen for action in ACTIONS}


@pytest.mark.parametrize("chosen", COMBINATIONS, ids=lambda chosen: "+".join(chosen) or "none")
def test_rights_are_those_of_the_enabled_actions(render: Render, chosen: tuple[str, ...]) -> None:
    """A namespace's Role holds the core and the enabled actions' rights, and nothing more."""
    documents = render(actions=_enabled(chosen), namespaces=["shop"])
    [role] = [
        each
        for each in _named(documents, "Role", "prunella")
        if each["metadata"]["namespace"] == "shop"
    ]
    wanted = (CORE | JOURNAL | AROUND).union(*(ADDED[action] for action in chosen)) - NODES
    assert wanted == _expand(role)


def test_captures_bring_their_own_rights(render: Render) -> None:
    """Logs and Events can be read, and what is kept be written, where it is allowed."""
    [role] = _named(render(offered={"captures": True}, namespaces=["shop"]), "Role", "prunella")
    own = (
        _rights("prunella.dev", "captures", "list create delete")
        | _rights("", "pods/log", "get")
        | _rights("", "events", "list")
    )
    assert (CORE | JOURNAL | AROUND | own) - NODES == _expand(role)


OBEYED = (
    _rights("prunella.dev", "clusterremediationpolicies", "get list watch")
    | _rights("prunella.dev", "clusterremediationpolicies/status", "update")
    | _rights("", "nodes", "get list watch")
)
PATCHED = _rights("", "nodes", "patch")


@pytest.mark.parametrize(
    ("chosen", "own"),
    [
        pytest.param((), OBEYED, id="none"),
        pytest.param(("restart",), OBEYED | TEMPLATES, id="restart"),
        pytest.param(("cordon",), OBEYED | PATCHED, id="cordon"),
        pytest.param(("drain",), OBEYED | PATCHED | EVICTION, id="drain"),
        pytest.param(("uncordon",), OBEYED | PATCHED, id="uncordon"),
    ],
)
def test_policies_on_nodes_bring_their_own_rights(
    render: Render, chosen: tuple[str, ...], own: set[Right]
) -> None:
    """Nodes are watched where such policies are obeyed, and patched where an action does it."""
    documents = render(clusterPolicies={"enabled": True}, actions=_enabled(chosen))
    [role] = _named(documents, "ClusterRole", "prunella")
    assert CORE | JOURNAL | AROUND | AROUND_CLUSTER | own == _expand(role)


@pytest.mark.parametrize(
    ("chosen", "excepted"),
    [
        pytest.param((), "false", id="none"),
        pytest.param(("cordon",), "k == 'unschedulable'", id="cordon"),
        pytest.param(("uncordon",), "k == 'unschedulable'", id="uncordon"),
    ],
)
def test_fields_of_nodes_are_those_of_the_enabled_actions(
    render: Render, chosen: tuple[str, ...], excepted: str
) -> None:
    """What no enabled action writes, the API server refuses to the operator's account."""
    documents = render(clusterPolicies={"enabled": True}, actions=_enabled(chosen))
    [policy] = _named(documents, "ValidatingAdmissionPolicy", "prunella-nodes")
    _, spec, *_ = (each["expression"] for each in policy["spec"]["validations"])
    assert f"variables.is.spec.all(k, {excepted} ||" in spec


OF_ROLLOUTS = [
    pytest.param((), set(), id="none"),
    pytest.param(("evictPod",), set(), id="evictPod"),
    *(
        pytest.param((name,), _rights("argoproj.io", "rollouts", "patch"), id=name)
        for name in ("restart", "rollback", "scale")
    ),
]


@pytest.mark.parametrize(("chosen", "patched"), OF_ROLLOUTS)
def test_rollouts_bring_their_own_rights(
    render: Render, chosen: tuple[str, ...], patched: set[Right]
) -> None:
    """They are read as other workloads; switched on they are patched by the actions that do."""
    switched = {"actions": _enabled(chosen), "argoRollouts": {"enabled": True}}
    [role] = _named(render(**switched, namespaces=["shop"]), "Role", "prunella")
    wanted = (CORE | JOURNAL | AROUND | patched).union(*(ADDED[a] for a in chosen))
    assert wanted - NODES == _expand(role)


@pytest.mark.parametrize(
    ("chosen", "fields"),
    [
        pytest.param((), ([], []), id="none"),
        pytest.param(("restart", "scale"), (["restartAt", "replicas"], []), id="restart and scale"),
        pytest.param(("rollback",), (["template"], []), id="rollback"),
        pytest.param(("abortRollout",), ([], ["abort"]), id="abortRollout"),
        pytest.param(("promote",), ([], ["pauseConditions", "promoteFull"]), id="promote"),
    ],
)
def test_fields_of_rollouts_are_those_of_the_enabled_actions(
    render: Render, chosen: tuple[str, ...], fields: tuple[list[str], list[str]]
) -> None:
    """What no enabled action writes, the API server refuses to the operator's account."""
    documents = render(actions=_enabled(chosen))
    [policy] = _named(documents, "ValidatingAdmissionPolicy", "prunella-rollouts")
    _, spec, status, *_ = (each["expression"] for each in policy["spec"]["validations"])
    excepted = [f"k in [{', '.join(map(repr, each))}]" for each in fields]
    assert [True, True] == [excepted[0] in spec, excepted[1] in status]


@pytest.mark.parametrize("kind", restore_api.RestoredKind)
@pytest.mark.parametrize("enabled", [True, False], ids=["restore on", "restore off"])
def test_each_restored_kind_brings_its_own_rights(
    render: Render, kind: restore_api.RestoredKind, *, enabled: bool
) -> None:
    """One kind gives its own rights, only with the action, and in a listed namespace alone."""
    documents = render(
        actions=_enabled(["restore"] if enabled else []),
        restore={"kinds": {kind.value: True}},
        namespaces=["shop"],
    )
    roles = _named(documents, "Role", "prunella")
    wanted = (CORE | JOURNAL | AROUND) - NODES | (RESTORED[kind] if enabled else set())
    assert [("shop", wanted)] == [(r["metadata"]["namespace"], _expand(r)) for r in roles]
    assert [] == _named(documents, "ClusterRole", "prunella")


POOL = {
    "apiVersion": "postgresql.cnpg.io/v1",
    "kind": "Pooler",
    "resource": "poolers",
    "path": "spec.instances",
    "min": 1,
    "max": 8,
}
FLAG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "resource": "configmaps",
    "name": "flags",
    "path": "data.search",
    "values": ["on", "off"],
}


@pytest.mark.parametrize("enabled", [True, False], ids=["patchField on", "patchField off"])
def test_each_field_brings_its_own_rights(render: Render, *, enabled: bool) -> None:
    """Only with the action, of one object where it has a name, and in a listed namespace alone."""
    documents = render(
        actions=_enabled(["patchField"] if enabled else []),
        patchField={"fields": [POOL, FLAG]},
        namespaces=["shop"],
    )
    [role] = _named(documents, "Role", "prunella")
    own = _rights("postgresql.cnpg.io", "poolers", "get patch")
    own |= _rights("", "configmaps", "get patch")
    assert (CORE | JOURNAL | AROUND) - NODES | (own if enabled else set()) == _expand(role)
    names = [rule["resourceNames"] for rule in role["rules"] if "resourceNames" in rule]
    assert ([["flags"]] if enabled else []) == names
    guards = {each["metadata"]["name"] for each in _of_kind(documents, "ValidatingAdmissionPolicy")}
    fields = {name for name in guards if name.startswith("prunella-fields-")}
    of = {"prunella-fields-poolers.postgresql.cnpg.io", "prunella-fields-configmaps"}
    assert (of if enabled else set()) == fields


@pytest.mark.parametrize("enabled", [True, False], ids=["raiseQuota on", "raiseQuota off"])
def test_a_ceiling_brings_the_right_to_quotas(render: Render, *, enabled: bool) -> None:
    """Without a ceiling nothing could be written, so nothing is given."""
    chosen = _enabled(["raiseQuota"] if enabled else [])
    ceilings = {"ceilings": {"requests.cpu": "64", "pods": 100}}
    documents = render(actions=chosen, raiseQuota=ceilings, namespaces=["shop"])
    [role] = _named(documents, "Role", "prunella")
    own = _rights("", "resourcequotas", "get patch") if enabled else set()
    assert (CORE | JOURNAL | AROUND) - NODES | own == _expand(role)
    guards = _named(documents, "ValidatingAdmissionPolicy", "prunella-fields-resourcequotas")
    assert enabled == ("spec.hard.pods (to 100); spec.hard.requests.cpu (to 64)" in str(guards))


@pytest.mark.parametrize("enabled", [True, False], ids=["expandVolume on", "expandVolume off"])
def test_classes_are_read_where_volumes_grow(render: Render, *, enabled: bool) -> None:
    """They are cluster-wide: a Role can't give the right, and the API server asks them anyway."""
    documents = render(actions=_enabled(["expandVolume"] if enabled else []))
    [role] = _named(documents, "ClusterRole", "prunella")
    own = ADDED["expandVolume"] | CLASSES
    assert own & _expand(role) == (own if enabled else set())
    guards = _named(
        documents, "ValidatingAdmissionPolicy", "prunella-fields-persistentvolumeclaims"
    )
    assert enabled == ("spec.resources.requests.storage (upwards, to 100Gi)" in str(guards))


HELM = {"image": f"alpine/helm@sha256:{'0' * 64}", "namespaces": ["shop", "blog"]}


@pytest.mark.parametrize("enabled", [True, False], ids=["helmRollback on", "helmRollback off"])
def test_the_account_of_helm_is_not_the_operators(render: Render, *, enabled: bool) -> None:
    """It reads Secrets and writes the listed kinds, in the listed namespaces alone."""
    chosen = _enabled(["helmRollback"] if enabled else [])
    kinds = [{"kind": "Deployment", "group": "apps", "resource": "deployments"}]
    documents = render(actions=chosen, helmRollback={**HELM, "kinds": kinds}, namespaces=["shop"])
    roles = _named(documents, "Role", "prunella-helm")
    own = _rights("", "secrets", "get list create update delete")
    own |= _rights("apps", "deployments", "get create patch delete")
    wanted = [(name, own) for name in HELM["namespaces"]] if enabled else []
    assert wanted == [(each["metadata"]["namespace"], _expand(each)) for each in roles]
    bindings = _named(documents, "RoleBinding", "prunella-helm")
    subjects = [subject for each in bindings for subject in each["subjects"]]
    account = {"kind": "ServiceAccount", "name": "prunella-helm"}
    places = HELM["namespaces"] if enabled else []
    assert [{**account, "namespace": name} for name in places] == subjects
    assert "secrets" not in str([r["rules"] for r in _named(documents, "Role", "prunella")])


def test_the_account_of_helm_waits_for_hooks_where_they_are_allowed(render: Render) -> None:
    """Without list and watch Helm would leave the release pending; of Secrets nothing changes."""
    kinds = [{"kind": "Job", "group": "batch", "resource": "jobs"}]
    given = {**HELM, "namespaces": ["shop"], "kinds": kinds, "allowHooks": True}
    documents = render(actions=_enabled(["helmRollback"]), helmRollback=given)
    [role] = _named(documents, "Role", "prunella-helm")
    own = _rights("", "secrets", "get list create update delete")
    assert own | _rights("batch", "jobs", "get list watch create patch delete") == _expand(role)


def test_bounds_of_keda_are_enabled_by_themselves(render: Render) -> None:
    """With them the operator may write ScaledObjects, and authors need that right."""
    chosen = {"actions": _enabled(["scaleBounds"]), "namespaces": ["shop"]}
    documents = render(**chosen, scaleBounds={"scaledObjects": True})
    [role] = _named(documents, "Role", "prunella")
    own = ADDED["scaleBounds"] | _rights("keda.sh", "scaledobjects", "get patch")
    assert (CORE | JOURNAL | AROUND | own) - NODES == _expand(role)
    asked = [
        str(_named(each, "ValidatingAdmissionPolicy", "prunella-authors"))
        for each in (documents, render(**chosen))
    ]
    assert [True, False] == ["resource('scaledobjects')" in each for each in asked]


def test_what_may_be_restored_whole_has_no_guard_of_fields(render: Render) -> None:
    """A restore writes any field of its kinds: the two can't be told apart by the account."""
    documents = render(
        actions=_enabled(["patchField", "restore"]),
        patchField={"fields": [POOL, FLAG]},
        restore={"kinds": {"ConfigMap": True}},
    )
    assert [] == _named(documents, "ValidatingAdmissionPolicy", "prunella-fields-configmaps")


ROUTES = {
    "HTTPRoute": _rights("gateway.networking.k8s.io", "httproutes", "get patch"),
    "VirtualService": _rights("networking.istio.io", "virtualservices", "get patch"),
}


@pytest.mark.parametrize("enabled", [True, False], ids=["shiftTraffic on", "shiftTraffic off"])
@pytest.mark.parametrize("kind", ROUTES)
def test_each_kind_of_route_brings_its_own_rights_and_guard(
    render: Render, kind: str, *, enabled: bool
) -> None:
    """Its weights, and whose pods a Service has; each kind with its admission policy."""
    documents = render(
        actions=_enabled(["shiftTraffic"] if enabled else []),
        shiftTraffic={"kinds": {kind: True}},
        namespaces=["shop"],
    )
    [role] = _named(documents, "Role", "prunella")
    own = ROUTES[kind] | _rights("", "services", "get") if enabled else set()
    assert (CORE | JOURNAL | AROUND) - NODES | own == _expand(role)
    guards = [each["metadata"]["name"] for each in _of_kind(documents, "ValidatingAdmissionPolicy")]
    found = [name for name in guards if name.startswith("prunella-traffic-")]
    plurals = {"HTTPRoute": "httproutes", "VirtualService": "virtualservices"}
    assert ([f"prunella-traffic-{plurals[kind]}"] if enabled else []) == found


def test_selectors_bring_the_right_to_services_and_their_guard(render: Render) -> None:
    """Only the values that are listed, and only of these keys."""
    documents = render(
        actions=_enabled(["shiftTraffic"]),
        shiftTraffic={"selectors": {"version": ["blue", "green"]}},
        namespaces=["shop"],
    )
    [role] = _named(documents, "Role", "prunella")
    own = _rights("", "services", "get patch")
    assert (CORE | JOURNAL | AROUND) - NODES | own == _expand(role)
    [guard] = _named(documents, "ValidatingAdmissionPolicy", "prunella-fields-services")
    told = [each["message"] for each in guard["spec"]["validations"]]
    assert "the operator may write only spec.selector.version (one of blue, green)" in told


@pytest.mark.parametrize("chosen", [(), ACTIONS], ids=["none", "all"])
def test_all_namespaces_take_one_cluster_role(render: Render, chosen: tuple[str, ...]) -> None:
    """Without a list of namespaces one ClusterRole holds the same rights, and no others."""
    documents = render(actions=_enabled(chosen))
    [role] = _named(documents, "ClusterRole", "prunella")
    everything = CORE | JOURNAL | AROUND | AROUND_CLUSTER
    own = CLASSES if "expandVolume" in chosen else set()
    assert everything.union(own, *(ADDED[action] for action in chosen)) == _expand(role)
    names = [each["metadata"]["name"] for each in _of_kind(documents, "Role")]
    assert names == ["prunella-pause", "prunella-leases"]


@pytest.mark.parametrize("kind", journalled.BY_NAME)
def test_each_journalled_kind_brings_its_own_right(render: Render, kind: str) -> None:
    """With one kind switched off the right to watch it is gone, and no other."""
    switched = render(journal={"kinds": {kind: False}}, diagnosis={"enabled": False})
    [role] = _named(switched, "ClusterRole", "prunella")
    own = _rights(journalled.BY_NAME[kind].group, journalled.BY_NAME[kind].plural, "list watch")
    assert (CORE | LISTED_NODES | (JOURNAL - own)) == _expand(role)


@pytest.mark.parametrize("namespaces", [[], ["shop"]], ids=["cluster", "namespace"])
def test_without_a_journal_nothing_is_watched_for_it(render: Render, namespaces: list[str]) -> None:
    """Switched off as a whole it takes no rights in any namespace but to its own objects."""
    documents = render(
        journal={"enabled": False}, diagnosis={"enabled": False}, namespaces=namespaces
    )
    roles = [
        each for kind in ("Role", "ClusterRole") for each in _named(documents, kind, "prunella")
    ]
    nodes = set() if namespaces else _rights("", "nodes", "list")
    assert [CORE | nodes] == [_expand(role) for role in roles]


def test_what_is_about_no_listed_namespace_is_kept_at_home(render: Render) -> None:
    """With a list of namespaces it writes Changes and Incidents in its own namespace, too."""
    [role] = _named(render(namespaces=["shop"]), "Role", "prunella-home")
    assert "prunella-system" == role["metadata"]["namespace"]
    assert _expand(role) == (
        _rights("prunella.dev", "changes", "get list create delete")
        | _rights("prunella.dev", "changes/status", "update")
        | _rights("prunella.dev", "incidents", "list create delete")
        | _rights("prunella.dev", "incidents/status", "update")
        | _rights("prunella.dev", "journalsnapshots", "list create patch delete")
    )


@pytest.mark.parametrize("switch", ["enabled", "objects"])
def test_looking_around_can_be_switched_off(render: Render, switch: str) -> None:
    """Without diagnosis, or without its lists, none of its rights is given."""
    documents = render(diagnosis={switch: False}, journal={"enabled": False})
    [role] = _named(documents, "ClusterRole", "prunella")
    assert CORE | _rights("", "nodes", "list") == _expand(role)


def test_without_looks_at_the_cluster_no_event_is_read(render: Render) -> None:
    """What is switched off needs no right."""
    off = {"enabled": False}
    documents = render(intake={"polls": {"kubernetes": False}}, journal=off, diagnosis=off)
    [role] = _named(documents, "ClusterRole", "prunella")
    wanted = CORE | _rights("", "nodes", "list")
    assert wanted - _rights("", "events", "list") == _expand(role)


def test_listed_namespaces_get_no_cluster_wide_right(render: Render) -> None:
    """With a list of namespaces each has its own Role and RoleBinding, the cluster has none."""
    documents = render(namespaces=["shop", "bank"])
    bindings = _named(documents, "RoleBinding", "prunella")
    assert [each["metadata"]["namespace"] for each in bindings] == ["shop", "bank"]
    assert [{"Role"}] * 2 == [{each["roleRef"]["kind"]} for each in bindings]
    assert _named(documents, "ClusterRole", "prunella") == []
    assert _of_kind(documents, "ClusterRoleBinding") == []


@pytest.mark.parametrize("namespaces", [[], ["shop"]], ids=["cluster", "namespace"])
def test_dangerous_rights_are_never_given(render: Render, namespaces: list[str]) -> None:
    """Even with all actions on: no Secrets, no wildcard, no escalation, no deleting of pods."""
    documents = render(actions=_enabled(ACTIONS), namespaces=namespaces)
    roles = _of_kind(documents, "Role") + [
        role
        for role in _of_kind(documents, "ClusterRole")
        if not role["metadata"]["name"].endswith(("-view", "-edit"))
    ]
    held = set[Right]().union(*(_expand(role) for role in roles))
    assert set() == {right for right in held if right[0] == "*"}
    assert set() == {right for right in held if right[1] in NEVER_RESOURCES}
    assert {right for right in held if right[1] in WEBHOOKS} <= AROUND_CLUSTER
    assert set() == {right for right in held if right[2] in NEVER_VERBS}
    assert {"get", "list"} == {verb for _, resource, verb in held if resource == "pods"}


def test_only_the_pause_switch_is_read_of_all_config_maps(render: Render) -> None:
    """Without the journal ConfigMaps are read under one name, in the operator's own namespace."""
    documents = render(journal={"kinds": {"ConfigMap": False}})
    roles = [role for kind in ("Role", "ClusterRole") for role in _of_kind(documents, kind)]
    found = [
        (role["metadata"].get("namespace"), rule["resourceNames"], rule["verbs"])
        for role in roles
        for rule in role["rules"]
        if "configmaps" in rule["resources"]
    ]
    assert found == [("prunella-system", ["prunella-pause"], ["get"])]


def test_electing_brings_rights_to_one_lease(render: Render) -> None:
    """Its own Lease is read and written; one that was deleted may be created again."""
    [role] = _named(render(replicas=2), "Role", "prunella-election")
    assert role["metadata"]["namespace"] == "prunella-system"
    assert role["rules"] == [
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": ["prunella"],
            "verbs": ["get", "patch"],
        },
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
    ]
    assert _named(render(), "Role", "prunella-election") == []


def test_every_binding_is_to_the_operators_account(render: Render) -> None:
    """Nobody but the chart's ServiceAccount is given the operator's rights."""
    documents = render(namespaces=["shop"]) + render()
    bindings = _of_kind(documents, "RoleBinding") + _of_kind(documents, "ClusterRoleBinding")
    account = {"kind": "ServiceAccount", "name": "prunella", "namespace": "prunella-system"}
    assert [[account]] * 6 == [binding["subjects"] for binding in bindings]


USER_ROLES = {
    "prunella-view": (
        "aggregate-to-view",
        _rights(
            "prunella.dev",
            "remediationpolicies clusterremediationpolicies remediations approvals captures "
            "changes incidents",
            "get list watch",
        ),
    ),
    "prunella-edit": (
        "aggregate-to-edit",
        _rights(
            "prunella.dev", "remediationpolicies", "create update patch delete deletecollection"
        )
        | _rights("prunella.dev", "incidents", "patch"),
    ),
}


@pytest.mark.parametrize("name", USER_ROLES)
def test_people_edit_policies_and_only_read_records(render: Render, name: str) -> None:
    """The built-in roles gain policies to edit and records to read."""
    label, rights = USER_ROLES[name]
    [role] = _named(render(), "ClusterRole", name)
    assert role["metadata"]["labels"][f"rbac.authorization.k8s.io/{label}"] == "true"
    assert rights == _expand(role)


def test_approving_is_a_role_of_its_own(render: Render) -> None:
    """Who approves is bound by hand: no built-in role gains it, and it changes nothing else."""
    [role] = _named(render(), "ClusterRole", "prunella-approver")
    assert [] == [label for label in role["metadata"]["labels"] if "aggregate" in label]
    assert (
        _rights("prunella.dev", "approvals", "get list watch create")
        | _rights("prunella.dev", "remediationpolicies remediations", "get list watch")
    ) == _expand(role)
    creators = [
        each["metadata"]["name"]
        for each in [*_of_kind(render(), "ClusterRole"), *_of_kind(render(), "Role")]
        if ("prunella.dev", "approvals", "create") in _expand(each)
    ]
    assert ["prunella-approver"] == creators


def test_without_rbac_there_is_no_role_for_approvers(render: Render) -> None:
    """Who writes his own roles writes this one too."""
    assert [] == _named(render(rbac={"create": False}), "ClusterRole", "prunella-approver")


def test_roles_can_be_left_to_others(render: Render) -> None:
    """Both switches off: the chart holds no RBAC object at all."""
    documents = render(rbac={"create": False, "aggregateToUserRoles": False})
    kinds = {document["kind"] for document in documents}
    assert set() == {kind for kind in kinds if "Role" in kind}


FREELY = [
    pytest.param((), "", id="none"),
    pytest.param(("Deployment",), "deployments", id="Deployment"),
    pytest.param(("DaemonSet", "StatefulSet"), "daemonsets', 'statefulsets", id="two"),
    pytest.param(("CronJob", "Service"), "", id="others"),
]


@pytest.mark.parametrize(("kinds", "resources"), FREELY)
def test_only_a_restored_workload_is_written_freely(
    render: Render, kinds: tuple[str, ...], resources: str
) -> None:
    """With its kind on any field may be put back but the pods' ServiceAccount; else as before."""
    switched = {"kinds": dict.fromkeys(kinds, True)}
    documents = render(actions=_enabled(["restore"]), restore=switched)
    [policy] = _named(documents, "ValidatingAdmissionPolicy", "prunella-operator")
    variables = {each["name"]: each["expression"] for each in policy["spec"]["variables"]}
    messages = [each.get("message", "") for each in policy["spec"]["validations"]]
    freely = f"variables.updates && !(request.resource.resource in ['{resources}'])"
    assert variables["edits"] == (freely if resources else "variables.updates")
    kept = "spec.template.spec: the operator may not change the ServiceAccount of pods"
    assert bool(resources) == (kept in messages)


@pytest.mark.parametrize("enabled", [True, False], ids=["CronJob on", "CronJob off"])
def test_only_a_restored_cron_job_is_written_freely(render: Render, *, enabled: bool) -> None:
    """The same of CronJobs and the pods of their Jobs."""
    documents = render(actions=_enabled(["restore"]), restore={"kinds": {"CronJob": enabled}})
    [policy] = _named(documents, "ValidatingAdmissionPolicy", "prunella-cronjobs")
    variables = {each["name"]: each["expression"] for each in policy["spec"]["variables"]}
    messages = [each.get("message", "") for each in policy["spec"]["validations"]]
    assert variables["edits"] == f"variables.updates && {str(not enabled).lower()}"
    kept = "spec.jobTemplate: the operator may not change the ServiceAccount of pods"
    assert enabled == (kept in messages)


def test_what_deploys_from_git_is_read_where_the_values_say(render: Render) -> None:
    """With a list of namespaces the owners' namespace has a Role of its own, for reading alone."""
    git = {"namespaces": ["flux-system"]}
    off = render(namespaces=["shop"], git=git)
    on = render(namespaces=["shop"], git=git, actions={**_enabled(["gitRevert"])})
    assert [] == _named(off, "Role", "prunella-git")
    (role,) = _named(on, "Role", "prunella-git")
    assert "flux-system" == role["metadata"]["namespace"]
    assert ADDED["gitRevert"] == _expand(role)
    (binding,) = _named(on, "RoleBinding", "prunella-git")
    assert "flux-system" == binding["metadata"]["namespace"]
