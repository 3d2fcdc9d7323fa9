"""`prunella status`: tables for people, JSON for programs."""

from __future__ import annotations

import json
import pathlib

import pytest

from prunella.cli import kube
from tests.cli import conftest, fakes

GOLDEN = pathlib.Path(__file__).parent / "golden"
PAUSE = "/api/v1/namespaces/prunella-system/configmaps/prunella-pause"
FORBIDDEN = kube.KubeError("not allowed", 403)


def busy_shop() -> fakes.FakeCluster:
    """A cooling, a latched, a suspended, a new and an invalid policy, and two records."""
    suspended = {**fakes.spec(), "suspend": True, "mode": "Advise"}
    follow_up = fakes.record_spec(
        attempt=2, action="restart", step=1, decidedAt="2026-03-01T12:09:00Z", follows="checkout-1"
    )
    return fakes.cluster(
        fakes.policy(status=fakes.sick_status()),
        fakes.policy("cart", status=fakes.latched_status()),
        fakes.policy("search", spec=suspended),
        fakes.policy("broken", spec={"mode": "Live"}),
        fakes.record("checkout-1"),
        fakes.record("checkout-2", spec=follow_up, status={"phase": "Verifying"}),
    )


def waiting_shop() -> fakes.FakeCluster:
    """A policy that has called a person, and a healthy one whose target runs a bad release."""
    told = "checkout is sick and nothing is done since 2026-03-01T11:40:00Z: 3 h old, over 1 h"
    alone = {
        "observedGeneration": 3,
        "conditions": [
            fakes.condition("Ready", "False", "NotChangedRecently", told),
            fakes.condition("Escalated", "True", "NotChangedRecently", told),
        ],
        "targets": {"selected": 1, "unhealthy": 1},
        "unattended": [
            {
                "name": "checkout",
                "since": "2026-03-01T11:40:00Z",
                "refused": "NotChangedRecently",
                "refusal": "3 h old, over 1 h",
                "calledAt": "2026-03-01T12:00:00Z",
            }
        ],
    }
    again = (
        "Deployment/cart runs a release that cart-1 rolled back and proved bad at "
        "2026-02-27T08:00:00Z"
    )
    again_bad = {
        "observedGeneration": 3,
        "conditions": [
            fakes.condition("Ready", "True", "Healthy"),
            fakes.condition("Escalated", "False", "NothingToEscalate"),
            fakes.condition("CondemnedRelease", "True", "ReleasedAgain", again),
        ],
        "targets": {"selected": 1, "healthy": 1},
    }
    return fakes.cluster(fakes.policy(status=alone), fakes.policy("cart", status=again_bad))


STATUS = {
    "busy": (busy_shop, ("status",)),
    "waiting": (waiting_shop, ("status",)),
    "one_record": (busy_shop, ("status", "--recent", "1")),
    "empty": (fakes.cluster, ("status",)),
    "empty_everywhere": (fakes.cluster, ("status", "-A")),
    "unreadable_record": (
        lambda: fakes.cluster(fakes.record(spec={"of": "another version"})),
        ("status",),
    ),
}


@pytest.mark.parametrize("name", STATUS)
def test_text_is_as_recorded(run: conftest.Run, name: str) -> None:
    """Each picture of a cluster is told in the recorded words."""
    cluster, arguments = STATUS[name]

    result = run(*arguments, cluster=cluster())

    assert (GOLDEN / f"status_{name}.txt").read_text() == result.out
    assert (0, "") == (result.code, result.err)


PAUSES = {
    "paused": (
        {"data": {"reason": "deploying", "by": "bob", "at": "2026-03-01T12:00:00Z"}},
        "Paused since 2026-03-01 12:00:00 UTC by bob: deploying (`prunella resume` goes on)",
    ),
    "paused by hand": ({"data": None}, "Paused (`prunella resume` goes on)"),
    "may not look": (
        FORBIDDEN,
        "Paused or not is unknown: you may not read ConfigMap prunella-pause",
    ),
}


@pytest.mark.parametrize("name", PAUSES)
def test_a_pause_is_told_first(run: conftest.Run, name: str) -> None:
    """Whoever asks why nothing happens reads of a pause before anything else."""
    answer, expected = PAUSES[name]

    result = run("status", cluster=fakes.cluster(answers={("GET", PAUSE): answer}))

    assert expected == result.out.splitlines()[0]


def test_scope_is_one_namespace_or_all(run: conftest.Run) -> None:
    """Without -A only the namespace of the context is read."""
    own, every = fakes.cluster(), fakes.cluster()

    run("status", cluster=own)
    run("status", "-A", cluster=every)

    assert ("LIST", f"{fakes.GROUP}/namespaces/shop/remediationpolicies") == own.sent[0]
    assert ("LIST", f"{fakes.GROUP}/remediationpolicies") == every.sent[0]


def test_json_has_what_the_tables_show(run: conftest.Run) -> None:
    """Programs find pause, policies and remediations under fixed names."""
    result = run("status", "-o", "json", cluster=busy_shop())

    document = json.loads(result.out)
    policies = {each["name"]: each for each in document["policies"]}
    assert document["paused"] is False
    assert ["broken", "cart", "checkout", "search"] == list(policies)
    assert ("True", "Cooldown", "Live") == tuple(
        policies["checkout"][key] for key in ("ready", "reason", "mode")
    )
    assert 1 == policies["checkout"]["targets"]["unhealthy"]
    assert "2026-03-01T09:05:00Z" == policies["cart"]["latch"]["since"]
    assert "spec.target" in policies["broken"]["problem"]
    assert ["Verifying", "Succeeded"] == [each["phase"] for each in document["remediations"]]


def test_missing_resources_say_how_to_install_them(run: conftest.Run) -> None:
    """Without the CRDs one line on standard error tells what to do."""
    path = f"{fakes.GROUP}/namespaces/shop/remediationpolicies"
    answers = {("LIST", path): kube.KubeError(kube.CRDS_MISSING, 404)}

    result = run("status", cluster=fakes.cluster(answers=answers))

    assert conftest.Result(2, "", f"error: {kube.CRDS_MISSING}\n") == result
