"""`prunella pause` and `prunella resume`."""

from __future__ import annotations

import json

import pytest

from prunella.adapters.kubernetes import parse
from prunella.cli import kube
from prunella.core import objects
from prunella.core.decisions import ledger
from tests.cli import conftest, fakes

MAPS = "/api/v1/namespaces/prunella-system/configmaps"
PAUSE = f"{MAPS}/prunella-pause"


def test_pause_creates_the_config_map(run: conftest.Run) -> None:
    """The reason, the author and the time are kept with the pause."""
    cluster = fakes.cluster()

    result = run("pause", "--reason", "moving house", cluster=cluster)

    expected = {
        "reason": "moving house",
        "by": "alice@example.com",
        "at": "2026-03-01T12:10:00Z",
    }
    assert expected == cluster.objects[PAUSE]["data"]
    assert 0 == result.code
    assert "Paused by alice@example.com: moving house" == result.out.splitlines()[0]


def test_pausing_twice_keeps_the_first(run: conftest.Run) -> None:
    """Who paused first, and why, is not overwritten by a second pause."""
    cluster = fakes.cluster()
    run("pause", "--reason", "first", cluster=cluster)

    result = run("pause", "--reason", "second", cluster=cluster)

    assert "first" == cluster.objects[PAUSE]["data"]["reason"]
    assert (
        "Nothing was changed. Paused since 2026-03-01 12:10:00 UTC by alice@example.com: first "
        "(`prunella resume` goes on)\n" == result.out
    )


def test_pause_without_the_namespace_says_so(run: conftest.Run) -> None:
    """A wrong operator namespace is named, with the option that sets it."""
    cluster = fakes.cluster(answers={("POST", MAPS): kube.KubeError("not found", 404)})

    result = run("pause", cluster=cluster)

    message = (
        "there is no namespace prunella-system: give --operator-namespace, "
        "or set PRUNELLA_NAMESPACE"
    )
    assert conftest.Result(2, "", f"error: {message}\n") == result


def test_resume_ends_the_pause(run: conftest.Run) -> None:
    """The ConfigMap is deleted, and the user reads what ended."""
    cluster = fakes.cluster()
    run("pause", "--reason", "moving house", cluster=cluster)

    result = run("resume", cluster=cluster)

    assert PAUSE not in cluster.objects
    assert (0, "Resumed: policies act again at their next evaluation.\n") == (
        result.code,
        result.out,
    )


def test_resume_without_a_pause_changes_nothing(run: conftest.Run) -> None:
    """Resuming twice is no error: the wanted state is there."""
    result = run("resume", cluster=fakes.cluster())

    message = "Not paused: there is no ConfigMap prunella-pause in namespace prunella-system.\n"
    assert conftest.Result(0, message, "") == result


def test_a_pause_of_a_scope_is_kept_beside_others(run: conftest.Run) -> None:
    """A namespace and a policy are paused for themselves; the operator as a whole is not."""
    cluster = fakes.cluster(fakes.policy())

    first = run("pause", "-n", "shop", "--reason", "sale", cluster=cluster)
    second = run("pause", "checkout", "-n", "shop", cluster=cluster)

    data = cluster.objects[PAUSE]["data"]
    told = {"reason": "sale", "by": "alice@example.com", "at": "2026-03-01T12:10:00Z"}
    assert {"namespace.shop", "policy.shop.checkout"} == data.keys()
    assert told == json.loads(data["namespace.shop"])
    assert first.out == (
        "Paused namespace shop by alice@example.com: sale\n"
        "No action is started there until `prunella resume -n shop`; "
        "actions on their way are still verified.\n"
    )
    assert "until `prunella resume checkout -n shop`" in second.out
    assert "Paused namespace shop: sale (by alice@example.com since 2026-03-01T12:10:00Z)\n" in (
        run("status", cluster=cluster).out
    )


ENDS = {
    "a namespace": (("-n", "shop"), "Resumed namespace shop.", {"", "policy.shop.checkout"}),
    "a policy": (("checkout",), "Resumed policy shop/checkout.", {"", "namespace.shop"}),
    "everything": (
        (),
        "Resumed: policies act again at their next evaluation.",
        {"namespace.shop", "policy.shop.checkout"},
    ),
}


@pytest.mark.parametrize(("arguments", "told", "left"), ENDS.values(), ids=ENDS)
def test_resume_ends_one_pause_and_tells_of_the_others(
    run: conftest.Run, arguments: tuple[str, ...], told: str, left: set[str]
) -> None:
    """What somebody else has paused stays paused, and is named."""
    cluster = fakes.cluster(fakes.policy())
    for scope in (("-n", "shop"), ("checkout",), ()):
        run("pause", *scope, cluster=cluster)

    result = run("resume", *arguments, cluster=cluster)

    keys = {key if "." in key else "" for key in cluster.objects[PAUSE]["data"]}
    assert (left, [told, "Still paused:"]) == (keys, result.out.splitlines()[:2])


def test_the_last_pause_takes_the_config_map_along(run: conftest.Run) -> None:
    """An empty ConfigMap would pause everything."""
    cluster = fakes.cluster(fakes.policy())
    run("pause", "-n", "shop", cluster=cluster)

    result = run("resume", "-n", "shop", cluster=cluster)

    assert PAUSE not in cluster.objects
    assert conftest.Result(0, "Resumed namespace shop.\n", "") == result


def test_a_pause_that_somebody_changes_meanwhile_is_read_again(run: conftest.Run) -> None:
    """After lost races the user is told to try again; nothing was overwritten."""
    taken = {"metadata": {"name": "prunella-pause"}, "data": {"namespace.cart": "{}"}}
    lost = {("PUT", PAUSE): kube.KubeError("the object has been modified", 409)}
    cluster = fakes.cluster(answers=lost)
    cluster.objects[PAUSE] = taken

    result = run("pause", "-n", "shop", cluster=cluster)

    message = "error: ConfigMap prunella-pause is being changed by others: try again\n"
    assert conftest.Result(2, "", message) == result
    assert taken == cluster.objects[PAUSE]


def test_pausing_a_policy_that_is_not_there_is_a_negative_answer(run: conftest.Run) -> None:
    """A slip in the name must not leave somebody in the belief that it is paused."""
    cluster = fakes.cluster()

    result = run("pause", "chekout", cluster=cluster)

    assert (1, False) == (result.code, PAUSE in cluster.objects)


def test_resume_clears_a_latch_by_an_annotation(run: conftest.Run) -> None:
    """Time and author are written so that the operator's guard reads the time."""
    cluster = fakes.cluster(fakes.policy(status=fakes.latched_status()))

    result = run("resume", "checkout", cluster=cluster)

    policy = parse.policy(cluster.objects[fakes.policy_path("checkout")])
    assert "2026-03-01T12:10:00Z by alice@example.com" == policy.annotations[objects.RESUMED]
    assert fakes.NOW == ledger.resumed_at(policy)
    assert "Resumed shop/checkout, latched 3h5m ago" in result.out
    assert 0 == result.code


def test_resume_clears_what_stopped_the_remedy_of_one_target(run: conftest.Run) -> None:
    """A policy that is not latched as a whole is resumed for the target that it has given up."""
    entry = {
        "name": "checkout",
        "since": "2026-03-01T11:10:00Z",
        "refused": "SameRemedyLimit",
        "refusal": "restart was done 4 times",
    }
    cluster = fakes.cluster(fakes.policy(status={**fakes.sick_status(), "unattended": [entry]}))

    result = run("resume", "checkout", cluster=cluster)

    told = "Resumed shop/checkout, stopped for checkout 60m ago. It had stopped because: restart"
    assert told in result.out
    policy = parse.policy(cluster.objects[fakes.policy_path("checkout")])
    assert fakes.NOW == ledger.resumed_at(policy)


WAITS = ["Rejected", "NotApprovedInTime", "Backoff", "ChangedByOthers", "UndoneByOthers"]


@pytest.mark.parametrize("refused", WAITS)
def test_resume_goes_on_after_whatever_was_refused_until_then(
    run: conftest.Run, refused: str
) -> None:
    """Messages say `prunella resume` of more than latches: it is written whatever is told."""
    status = fakes.sick_status()
    status["sick"][0] |= {"refused": refused, "refusal": "or after `prunella resume`"}
    cluster = fakes.cluster(fakes.policy(status=status))

    result = run("resume", "checkout", cluster=cluster)

    policy = parse.policy(cluster.objects[fakes.policy_path("checkout")])
    assert fakes.NOW == ledger.resumed_at(policy)
    assert result.out == (
        "Resumed shop/checkout, which was not latched: rejections, vetoes and back-off until now "
        "count no more.\n"
        "Recorded as prunella.dev/resumed: 2026-03-01T12:10:00Z by alice@example.com\n"
    )


def test_resume_of_a_paused_policy_ends_more_than_the_pause(run: conftest.Run) -> None:
    """The status of a paused policy does not tell what it waits for beside that."""
    cluster = fakes.cluster(fakes.policy(status=fakes.sick_status()))
    run("pause", "checkout", cluster=cluster)

    result = run("resume", "checkout", cluster=cluster)

    policy = parse.policy(cluster.objects[fakes.policy_path("checkout")])
    assert (False, fakes.NOW) == (PAUSE in cluster.objects, ledger.resumed_at(policy))
    assert result.out.startswith("Resumed policy shop/checkout.\nResumed shop/checkout, which")


def test_resume_of_an_unknown_policy_is_a_negative_answer(run: conftest.Run) -> None:
    """A policy that is not there is named with its namespace."""
    result = run("resume", "checkout", cluster=fakes.cluster())

    assert 1 == result.code
    assert "error: no RemediationPolicy checkout in namespace shop" in result.err


def test_an_old_server_without_reviews_still_resumes(run: conftest.Run) -> None:
    """The author is nice to have: a server that can't tell him does not stop a person."""
    cluster = fakes.cluster(
        fakes.policy(status=fakes.latched_status()),
        answers={("POST", fakes.REVIEW): kube.KubeError("not found", 404)},
    )

    result = run("resume", "checkout", cluster=cluster)

    assert 0 == result.code
    assert "by somebody whom the API server does not name" in result.out


def test_being_refused_is_one_line(run: conftest.Run) -> None:
    """A user without the right reads what the API server said."""
    refused = kube.KubeError("not allowed: user bob cannot create configmaps", 403)

    result = run("pause", cluster=fakes.cluster(answers={("POST", MAPS): refused}))

    assert (
        conftest.Result(2, "", "error: not allowed: user bob cannot create configmaps\n") == result
    )
