"""`prunella trust`: what actions were worth, and the mode that this supports."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from tests.cli import conftest, fakes, test_cluster_policies

INSTALL = "trust.allowHighRiskLive is false: Approve is the most for risk high"
GOLDEN = pathlib.Path(__file__).parent / "golden"


def score(action: str, **counts: int) -> dict[str, Any]:
    """One period of an action."""
    return {"action": action, "since": "2026-02-07T00:00:00Z", **counts}


def proved() -> dict[str, Any]:
    """The status of a policy that people approve, and whose rollback helps."""
    counts = {"needed": 11, "needless": 2, "approved": 26, "rejected": 1, "expired": 3}
    because = (
        "rollback: approved 26 of 27 (bound 0.82; 0.80 of at least 20 wanted), helped 25 of 26 "
        "(bound 0.81; 0.80 of at least 20 wanted); never tried: restart"
    )
    return {
        "effectiveMode": "Approve",
        "modeLimitedBy": f"rollback: {INSTALL}",
        "modes": [
            {"action": "rollback", "risk": "high", "mode": "Approve", "limitedBy": INSTALL},
            {"action": "restart", "risk": "low", "mode": "Live"},
        ],
        "trust": {
            "scores": [
                score("rollback", **counts, effective=20, notBetter=1, reverted=1),
                {**score("rollback", effective=5), "since": "2026-01-08T00:00:00Z"},
            ],
            "recent": [
                {"at": "2026-03-01T11:00:00Z", "remediation": "checkout-8", "outcome": "Effective"},
                {"at": "2026-03-01T12:00:00Z", "remediation": "checkout-9", "outcome": "Rejected"},
            ],
            "recommended": "Live",
            "recommendation": because,
        },
    }


def demoted() -> dict[str, Any]:
    """The status of a policy that a bad streak has demoted."""
    message = (
        "5 of the last 8 actions did not help (at last cart-6, cart-7, cart-8), the limit is 5 of "
        "10: it acts as Advise until `prunella resume cart -n shop`"
    )
    return {
        "effectiveMode": "Advise",
        "modeLimitedBy": f"restart: {message}",
        "modes": [{"action": "restart", "risk": "low", "mode": "Advise", "limitedBy": message}],
        "trust": {
            "scores": [score("restart", effective=3, notBetter=5)],
            "demoted": {"since": "2026-03-01T11:10:00Z", "message": message},
            "recommended": "Advise",
            "recommendation": (
                "restart: called for 0 of 0 (bound 0.00; 0.50 of at least 10 wanted); "
                "helped 3 of 8 (bound 0.14; 0.80 of at least 20 wanted)"
            ),
        },
    }


def shop() -> fakes.FakeCluster:
    """A policy that earned more, one that was demoted, and one that is new."""
    restarts = {**fakes.spec(), "steps": [{"restart": {}}]}
    return fakes.cluster(
        fakes.policy(status=proved()),
        fakes.policy("cart", spec=restarts, status=demoted()),
        fakes.policy("search", spec={**restarts, "mode": "Advise"}),
    )


CASES = {
    "trust_all": ["trust"],
    "trust_of_one": ["trust", "checkout"],
    "trust_of_a_demoted_one": ["trust", "cart"],
    "trust_of_a_new_one": ["trust", "search"],
}


@pytest.mark.parametrize(("golden", "arguments"), CASES.items(), ids=CASES)
def test_it_reads_as_people_read_it(run: conftest.Run, golden: str, arguments: list[str]) -> None:
    """The table and the pages are as in the golden files."""
    result = run(*arguments, cluster=shop(), columns=160)

    assert ((GOLDEN / f"{golden}.txt").read_text(), "", 0) == (result.out, result.err, result.code)


def test_without_policies_it_says_where_it_has_looked(run: conftest.Run) -> None:
    """An empty namespace is named, with the option that looks further."""
    told = "No remediationpolicies.prunella.dev in namespace shop; -A looks in all\n"
    assert conftest.Result(0, told, "") == run("trust", cluster=fakes.cluster())


def test_json_has_the_board_of_each_policy(run: conftest.Run) -> None:
    """Programs read the counts as they are in the custom resource."""
    result = run("trust", "-o", "json", cluster=shop())

    found = {each["name"]: each for each in json.loads(result.out)}
    assert ["cart", "checkout", "search"] == sorted(found)
    assert "Approve" == found["checkout"]["effectiveMode"]
    assert 26 == found["checkout"]["trust"]["scores"][0]["approved"]
    assert [] == found["search"]["trust"]["scores"]


def test_resume_ends_a_demotion(run: conftest.Run) -> None:
    """The annotation is written, and the user reads what had happened."""
    cluster = shop()

    result = run("resume", "cart", cluster=cluster)

    assert "Resumed shop/cart, demoted 60m ago. It had stopped because: 5 of the last" in result.out
    policy = cluster.objects[fakes.policy_path("cart")]
    assert "by alice@example.com" in policy["metadata"]["annotations"]["prunella.dev/resumed"]


def test_status_and_explain_tell_the_mode_that_counts(run: conftest.Run) -> None:
    """A Live policy that only advises does not look as if it were Live."""
    assert "Live, acts as Advise" in run("status", cluster=shop(), columns=160).out
    assert "Live, in part as Approve" in run("status", cluster=shop(), columns=160).out
    told = run("explain", "policy/checkout", cluster=shop()).out
    assert "rollback acts as  Approve: trust.allowHighRiskLive is false" in told
    assert "trust             Live: rollback: approved 26 of 27" in told


def test_policies_of_the_cluster_are_told(run: conftest.Run) -> None:
    """By crempol/NAME, and in the table of all namespaces."""
    cluster = fakes.cluster(test_cluster_policies.nodes(**demoted()), fakes.policy())
    one, everything = (
        run("trust", "crempol/nodes", cluster=cluster),
        run("trust", "-A", cluster=cluster),
    )

    assert "Trust in ClusterRemediationPolicy nodes" in one.out
    assert ["cordon", "rollback"] == [a for a in ("cordon", "rollback") if a in everything.out]
    assert "nodes" not in run("trust", cluster=cluster).out
