"""The operator's rights for every pair of the chart's switches, each on and off with each other.

With N switches a row for each binary digit of a switch's number, with its opposite, and all on and
all off, hold each of the four cases of each pair: two numbers differ in a digit. That is 14 charts
for up to 64 switches, where all combinations would be more than can ever be rendered.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from prunella.api import restore as restore_api
from tests.chart import test_rbac as rights

Document = dict[str, Any]
Render = Callable[..., list[Document]]
Right = tuple[str, str, str]
Row = dict[str, bool]

KINDS = tuple(kind.value for kind in restore_api.RestoredKind)
OTHERS = (
    "argoRollouts",
    "captures",
    "ceilings",
    "clusterPolicies",
    "diagnosis",
    "events",
    "fields",
    "journal",
    "leaderElection",
    "namespaces",
    "objects",
    "scaledObjects",
    "selectors",
)
SWITCHES = (*rights.ACTIONS, *rights.ROUTES, *(f"restore {kind}" for kind in KINDS), *OTHERS)


def _rows() -> Iterator[Row]:
    yield dict.fromkeys(SWITCHES, False)
    yield dict.fromkeys(SWITCHES, True)
    for digit in range((len(SWITCHES) - 1).bit_length()):
        row = {name: bool(number >> digit & 1) for number, name in enumerate(SWITCHES)}
        yield row
        yield {name: not on for name, on in row.items()}


ROWS = tuple(_rows())


def _of_nodes(on: Row) -> bool:
    """Policies on nodes; with a list of namespaces the chart refuses them."""
    return on["clusterPolicies"] and not on["namespaces"]


def _values(on: Row) -> Document:
    return {
        "actions": {name: on[name] for name in rights.ACTIONS},
        "namespaces": ["shop"] if on["namespaces"] else [],
        "clusterPolicies": {"enabled": _of_nodes(on)},
        "leaderElection": {"enabled": on["leaderElection"]},
        "journal": {"enabled": on["journal"]},
        "diagnosis": {"enabled": on["diagnosis"], "objects": on["objects"]},
        "intake": {"polls": {"kubernetes": on["events"]}},
        "offered": {"captures": on["captures"]},
        "argoRollouts": {"enabled": on["argoRollouts"]},
        "scaleBounds": {"scaledObjects": on["scaledObjects"]},
        "patchField": {"fields": [rights.POOL, rights.FLAG] if on["fields"] else []},
        "raiseQuota": {"ceilings": {"pods": 100} if on["ceilings"] else {}},
        "shiftTraffic": {
            "kinds": {kind: on[kind] for kind in rights.ROUTES},
            "selectors": {"version": ["blue", "green"]} if on["selectors"] else {},
        },
        "restore": {"kinds": {kind: on[f"restore {kind}"] for kind in KINDS}},
    }


def _right(group: str, resources: str, verbs: str) -> set[Right]:
    return set(itertools.product([group], resources.split(), verbs.split()))


def _allowed(on: Row) -> set[Right]:
    """All that the operator may hold in a namespace it works in, with these switches."""
    around = on["diagnosis"] and on["objects"]
    routes = any(on[kind] for kind in rights.ROUTES)
    nodes = any(on[name] for name in ("cordon", "drain", "uncordon"))
    templates = any(on[name] for name in ("restart", "rollback", "scale"))
    events = _right("", "events", "list")
    parts: list[tuple[bool, set[Right]]] = [
        (True, rights.CORE - events),
        (on["events"], events),
        (on["journal"], rights.JOURNAL),
        (around, rights.AROUND),
        (around, rights.AROUND_CLUSTER),
        (True, rights.LISTED_NODES | rights.LEASES),
        (on["captures"], events | _right("", "pods/log", "get")),
        (on["captures"], _right("prunella.dev", "captures", "list create delete")),
        (on["argoRollouts"] and templates, _right("argoproj.io", "rollouts", "patch")),
        (
            on["scaleBounds"] and on["scaledObjects"],
            _right("keda.sh", "scaledobjects", "get patch"),
        ),
        (
            on["patchField"] and on["fields"],
            _right("postgresql.cnpg.io", "poolers", "get patch")
            | _right("", "configmaps", "get patch"),
        ),
        (on["raiseQuota"] and on["ceilings"], _right("", "resourcequotas", "get patch")),
        (on["expandVolume"], rights.CLASSES),
        (_of_nodes(on), rights.OBEYED),
        (_of_nodes(on) and nodes, rights.PATCHED),
        (_of_nodes(on) and on["drain"], rights.EVICTION),
        (on["shiftTraffic"] and on["selectors"], _right("", "services", "get patch")),
        (on["shiftTraffic"] and routes, _right("", "services", "get")),
        *((on["shiftTraffic"] and on[kind], held) for kind, held in rights.ROUTES.items()),
        *((on[name], held) for name, held in rights.ADDED.items()),
        *(
            (on["restore"] and on[f"restore {kind.value}"], rights.RESTORED[kind.value])
            for kind in restore_api.RestoredKind
        ),
    ]
    found = set[Right]().union(*(held for given, held in parts if given))
    return found - OF_CLUSTER if on["namespaces"] else found


OF_CLUSTER = rights.NODES | rights.AROUND_CLUSTER | rights.CLASSES | rights.LEASES
"""What a Role can't give: with a list of namespaces it is missing."""
BESIDE: dict[str, set[Right]] = {
    "prunella-home": _right("prunella.dev", "changes", "get list create delete")
    | _right("prunella.dev", "incidents", "list create delete")
    | _right("prunella.dev", "changes/status incidents/status", "update")
    | _right("prunella.dev", "journalsnapshots", "list create patch delete"),
    "prunella-pause": _right("", "configmaps", "get")
    | _right("coordination.k8s.io", "leases", "get patch"),
    "prunella-election": _right("coordination.k8s.io", "leases", "get patch create"),
    "prunella-leases": _right("coordination.k8s.io", "leases", "list"),
}
"""Its rights in the namespaces of the operator and of the nodes' leases."""


def _held(documents: list[Document]) -> dict[str, set[Right]]:
    """By name, the rights of each role that is bound to the operator's account."""
    bound = {
        each["roleRef"]["name"]
        for each in documents
        if each["kind"] in ("RoleBinding", "ClusterRoleBinding")
        and "prunella" in [subject["name"] for subject in each["subjects"]]
    }
    roles = [each for each in documents if each["kind"] in ("Role", "ClusterRole")]
    return {
        each["metadata"]["name"]: rights._expand(each)
        for each in roles
        if each["metadata"]["name"] in bound
    }


def test_the_rows_hold_each_case_of_each_pair() -> None:
    """Each two switches are both on, both off, and the one on without the other."""
    cases = set(itertools.product([False, True], repeat=2))
    missing = [
        (one, other)
        for one, other in itertools.combinations(SWITCHES, 2)
        if cases != {(row[one], row[other]) for row in ROWS}
    ]
    assert [] == missing


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_rights_are_those_of_the_allow_list(render: Render, number: int) -> None:
    """No two switches together bring a right that neither brings, or lose one that is needed."""
    held = _held(render(**_values(ROWS[number])))
    assert _allowed(ROWS[number]) == held.pop("prunella")
    assert {} == {name: found for name, found in held.items() if found - BESIDE.get(name, set())}


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_no_row_holds_what_is_never_given(render: Render, number: int) -> None:
    """No wildcard, no Secrets, no exec, no escalate, bind, impersonate or deletecollection."""
    held = set[Right]().union(*_held(render(**_values(ROWS[number]))).values())
    never = {
        right
        for right in held
        if right[0] == "*"
        or right[1] in rights.NEVER_RESOURCES
        or right[2] in rights.NEVER_VERBS
        or (right[1] in rights.WEBHOOKS and right[2] != "list")
    }
    assert set() == never
    rbac = {verb for group, _, verb in held if group == "rbac.authorization.k8s.io"}
    assert rbac <= {"list", "watch"}
