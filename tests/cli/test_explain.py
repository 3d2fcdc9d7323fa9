"""`prunella explain`: everything about one remediation or policy."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable

import pytest

from prunella.api import remediation
from prunella.cli import explain_record
from tests.cli import conftest, fakes

GOLDEN = pathlib.Path(__file__).parent / "golden"
INVERSE = '[{"op":"replace","path":"/spec/replicas","value":3}]'


def scaled() -> dict[str, object]:
    """The spec of a scale whose effect can be undone."""
    effect = {
        **fakes.record_spec()["effects"][0],
        "patch": '[{"op":"replace","path":"/spec/replicas","value":5}]',
        "inverse": INVERSE,
        "summary": "Scale Deployment/checkout from 3 to 5 replicas",
    }
    return fakes.record_spec(action="scale", effects=[effect])


def test_windows_are_told_with_the_next_opening(run: conftest.Run) -> None:
    """In UTC as everywhere, and by the clock of the place where people wait for it."""
    night = {"cron": "0 22 * * *", "duration": "8h", "timeZone": "Europe/Berlin"}
    friday = {"cron": "0 0 * * FRI", "duration": "1d"}
    spec = {**fakes.spec(), "windows": {"allow": [night], "deny": [friday]}}
    cluster = fakes.cluster({**fakes.policy(), "spec": spec})

    result = run("explain", "policy/checkout", cluster=cluster)

    lines = [line.strip() for line in result.out.splitlines()]
    begin = next(n for n, line in enumerate(lines) if line.startswith("begins"))
    assert [
        "begins            only in 0 22 * * * for 8h, Europe/Berlin",
        "not in 0 0 * * FRI for 1d, UTC",
        "now outside spec.windows.allow; opens 2026-03-01T21:00:00Z (Sun 22:00 in",
        "Europe/Berlin)",
    ] == lines[begin : begin + 4]


def shop() -> fakes.FakeCluster:
    """One record of each kind of story."""
    failed = {
        "phase": "Unhelpful",
        "reason": "StillUnhealthy",
        "message": "errors: 0.3 is above 0.05 at the deadline",
        "effects": [{"sentAt": "2026-03-01T12:00:06Z", "outcome": "Effective"}],
        "verification": {"healthySamples": 0, "message": "errors: 0.3 is above 0.05"},
        "finishedAt": "2026-03-01T12:06:30Z",
        "escalatedAt": "2026-03-01T12:06:31Z",
    }
    revert = fakes.record_spec(
        action="revert", attempt=4, follows="scaled", evidence=[], guards=[], step=1
    )
    advice = {
        "phase": "Advised",
        "reason": "Advised",
        "finishedAt": "2026-03-01T12:00:05Z",
        "clearedAt": "2026-03-01T12:05:00Z",
        "effects": [{"outcome": "WouldSucceed", "message": "dry run"}],
    }
    refused = fakes.record_spec(
        guards=[
            {"guard": "not_paused", "passed": False, "message": "paused by bob"},
        ]
    )
    condemned = fakes.record_spec(
        leaves="0123456789abcdef", before={"wanted": 3, "available": 2, "lost": 1}
    )
    return fakes.cluster(
        fakes.policy(status=fakes.sick_status()),
        fakes.policy(
            "latched",
            status=fakes.latched_status(),
            annotations={"prunella.dev/resumed": "2026-02-01T00:00:00Z by bob"},
        ),
        fakes.policy("invalid", spec={"mode": "Live"}),
        fakes.policy("learned", spec=learned()),
        fakes.policy("alerted", spec=alerted(), status=alone()),
        fakes.record("checkout-1"),
        fakes.record("scaled", spec=scaled(), status=failed),
        fakes.record("undo", spec=revert, status={"phase": "Acting"}),
        fakes.record("advice", spec=fakes.record_spec(mode="Advise"), status=advice),
        fakes.record("pending", spec=refused, status={}),
        fakes.record("condemned", spec=condemned),
        fakes.record("other", spec={"of": "another version"}),
    )


def alerted() -> dict[str, object]:
    """The spec of a policy on three targets by an alert."""
    alert = {"name": "KubePodCrashLooping", "labels": {"severity": "page"}}
    return {
        "mode": "Live",
        "target": {"selector": {"matchLabels": {"app": "checkout"}}},
        "escalateAfter": "20m",
        "signals": [{"name": "crashing", "alert": alert}],
        "steps": [{"rollback": {"to": "Previous", "whenChangedWithin": "1h"}}],
        "guards": {"maxSameRemedyPerDay": 2},
    }


def alone() -> dict[str, object]:
    """The status of a policy that does nothing about its target, and has called a person."""
    told = "the newest release is 3 h old, older than 1 h"
    message = f"checkout is sick and nothing is done since 2026-03-01T11:40:00Z: {told}"
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "NotChangedRecently",
        "message": message,
        "lastTransitionTime": "2026-03-01T12:00:00Z",
    }
    entry = {
        "name": "checkout",
        "since": "2026-03-01T11:40:00Z",
        "refused": "NotChangedRecently",
        "refusal": told,
        "calledAt": "2026-03-01T12:00:00Z",
    }
    counts = {"selected": 3, "healthy": 2, "unhealthy": 1}
    return {"conditions": [condition], "targets": counts, "unattended": [entry]}


def learned() -> dict[str, object]:
    """The spec of a policy with a signal of each detector."""
    by_pod = {"query": "max by (pod) (memory_bytes)"}
    return {
        "target": {"name": "checkout"},
        "when": "(cpu\n  || burn) && !rising",
        "evaluation": "Rules",
        "steps": [{"restart": {}}],
        "signals": [
            {
                "name": "cpu",
                "prometheus": {"query": "sum by (pod) (rate(cpu_seconds_total[5m]))"},
                "given": {"query": "sum by (deployment) (rate(requests_total[5m]))"},
                "baseline": {
                    "direction": "Above",
                    "timeZone": "Europe/Paris",
                    "exceptions": [
                        {"date": "2026-12-25"},
                        {"date": "2026-05-01", "days": 3, "like": "Sunday"},
                    ],
                },
                "for": "10m",
            },
            {
                "name": "leak",
                "prometheus": by_pod,
                "forecast": {"reaches": "512Mi", "within": "2h"},
            },
            {
                "name": "full",
                "prometheus": {"query": "min by (pod) (free_bytes)"},
                "forecast": {
                    "reachesQuery": "max by (pod) (reserved_bytes)",
                    "within": "4d",
                    "direction": "Falling",
                },
            },
            {"name": "rising", "prometheus": by_pod, "drift": {"direction": "Either"}},
            {"name": "release", "prometheus": by_pod, "change": {"worse": "Lower"}},
            {
                "name": "canary",
                "prometheus": by_pod,
                "change": {"against": "avg(memory_bytes{track='stable'})", "worse": "Either"},
            },
            {
                "name": "burn",
                "ratio": {
                    "bad": 'sum by (deployment) (rate(requests_total{code=~"5.."}[$window]))',
                    "total": "sum by (deployment) (rate(requests_total[$window]))",
                },
                "burnRate": {"objective": 99.9, "minimum": 5},
            },
            {"name": "gone", "prometheus": {"query": "up"}, "absent": {}, "for": "5m"},
        ],
    }


def pushed() -> dict[str, object]:
    """The spec of a revert in Git."""
    change = {
        "repository": "https://git.example.com/shop.git",
        "branch": "main",
        "path": "apps/checkout",
        "revert": "c" * 40,
        "files": ["apps/checkout/app.yaml"],
        "expectedHead": "d" * 40,
        "applied": "c" * 40,
        "message": "Revert",
    }
    effect = {
        "verb": "Push",
        "kind": "Kustomization",
        "namespace": "flux-system",
        "name": "shop",
        "precondition": {"uid": "k-uid", "generation": 2},
        "summary": "revert cccccccccc of Ada",
        "git": change,
    }
    return fakes.record_spec(action="gitRevert", effects=[effect])


PAGES = {
    "remediation_succeeded": "remediation/checkout-1",
    "remediation_unhelpful": "rem/scaled",
    "remediation_revert": "remediations/undo",
    "remediation_advice": "remediations.prunella.dev/advice",
    "remediation_pending": "Remediation/pending",
    "remediation_condemned": "rem/condemned",
    "policy_cooling": "policy/checkout",
    "policy_latched": "rempol/latched",
    "policy_invalid": "remediationpolicy/invalid",
    "policy_learned": "policy/learned",
    "policy_alerted": "policy/alerted",
}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_as_recorded(run: conftest.Run, name: str) -> None:
    """Each story is told in the recorded words, within 100 columns."""
    result = run("explain", PAGES[name], cluster=shop())

    assert (GOLDEN / f"explain_{name}.txt").read_text() == result.out
    assert (0, "") == (result.code, result.err)
    assert 100 >= max(len(line) for line in result.out.splitlines())


RUN = {"state": "Failed", "message": "BackoffLimitExceeded", "log": "connecting\nno such host"}
RUNS: dict[str, tuple[dict[str, object], list[str]]] = {
    "ended": (
        {**RUN, "endedAt": "2026-03-01T12:01:00Z"},
        ["Run  Failed", "said              BackoffLimitExceeded", "    no such host"],
    ),
    "running": (
        {"state": "Running"},
        ["Run  Running", "  ended             not yet"],
    ),
}


@pytest.mark.parametrize(("written", "expected"), RUNS.values(), ids=RUNS)
def test_what_was_started_is_told_with_its_log(
    run: conftest.Run, written: dict[str, object], expected: list[str]
) -> None:
    """How far it has come, its own words, and the end of its log."""
    status = {"phase": "Verifying", "run": written}
    cluster = fakes.cluster(fakes.record("checkout-1", status=status))

    lines = run("explain", "rem/checkout-1", cluster=cluster).out

    assert [] == [each for each in expected if each not in lines]


def test_a_push_is_told_with_commit_files_and_head(run: conftest.Run) -> None:
    """Where it goes, what it takes back, and that only a person undoes it."""
    cluster = fakes.cluster(fakes.policy(), fakes.record("pushed", spec=pushed()))
    out = run("explain", "rem/pushed", cluster=cluster).out
    assert (GOLDEN / "explain_remediation_pushed.txt").read_text() == out


SENT = {"sentAt": "2026-03-01T12:00:06Z", "outcome": "Effective"}
CONFLICT = 'is a conflict with "prunella"'


@pytest.mark.parametrize(("phase", "told"), [("Verifying", True), ("Succeeded", False)])
def test_a_conflict_of_server_side_apply_is_explained_while_it_can_be(
    run: conftest.Run, phase: str, *, told: bool
) -> None:
    """Whoever applies another value meanwhile is told of a manager called prunella."""
    status = {"phase": phase, "effects": [SENT]}
    cluster = fakes.cluster(fakes.record("checkout-1", status=status))

    result = run("explain", "rem/checkout-1", cluster=cluster)

    assert told == (CONFLICT in " ".join(result.out.split()))


def test_times_are_local_and_utc(run: conftest.Run, zone: Callable[[str], None]) -> None:
    """A reader in another zone sees his own time and the one of the logs."""
    zone("Asia/Kolkata")

    result = run("explain", "rem/checkout-1", cluster=shop())

    assert "decided           2026-03-01 17:30:05 IST (12:00:05 UTC), 9m ago" in result.out


def test_json_of_a_remediation_has_its_follow_ups(run: conftest.Run) -> None:
    """Programs get the object as it is, and what followed from it."""
    cluster = shop()

    document = json.loads(run("explain", "rem/scaled", "-o", "json", cluster=cluster).out)

    assert cluster.objects[fakes.record_path("scaled")] == document["remediation"]
    assert ["undo"] == document["followedBy"]


def test_json_of_a_policy_has_its_remediations(run: conftest.Run) -> None:
    """Programs get the object as it is, and the names of its records."""
    cluster = shop()

    document = json.loads(run("explain", "policy/checkout", "-o", "json", cluster=cluster).out)

    assert cluster.objects[fakes.policy_path("checkout")] == document["policy"]
    assert {"checkout-1", "scaled", "undo", "advice", "pending", "condemned"} == set(
        document["remediations"]
    )


ERRORS = {
    "no kind": (
        "checkout",
        2,
        "can't explain 'checkout': write remediation/NAME, policy/NAME or crempol/NAME",
    ),
    "other kind": (
        "pod/checkout",
        2,
        "can't explain 'pod/checkout': write remediation/NAME, policy/NAME or crempol/NAME",
    ),
    "no name": (
        "rem/",
        2,
        "can't explain 'rem/': write remediation/NAME, policy/NAME or crempol/NAME",
    ),
    "not there": (
        "rem/nothing",
        1,
        "no Remediation nothing in namespace shop; `prunella status -A` shows what there is",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_can_not_be_explained(run: conftest.Run, name: str) -> None:
    """A slip in the argument ends in one line that says what to write."""
    argument, code, message = ERRORS[name]

    assert conftest.Result(code, "", f"error: {message}\n") == run(
        "explain", argument, cluster=shop()
    )


def test_a_record_of_another_version_is_not_a_traceback(run: conftest.Run) -> None:
    """What can't be read is said, with the way to see it all the same."""
    result = run("explain", "rem/other", cluster=shop())

    assert 2 == result.code
    assert result.err.startswith("error: remediation other is of another version of prunella")
    assert result.err.endswith("--output json shows it as it is\n")


PATCHES = {
    "none": ("", []),
    "remove": ('[{"op":"remove","path":"/a/b~1c~0d"}]', ["remove /a/b/c~d"]),
    "empty map": ('[{"op":"add","path":"/a","value":{}}]', ["add /a = {}"]),
    "text": ('[{"op":"add","path":"/a","value":"x"}]', ['add /a = "x"']),
    "map": ('[{"op":"add","path":"/a","value":{"b":[1]}}]', ["add /a =", "  b:", "  - 1"]),
}


@pytest.mark.parametrize("name", PATCHES)
def test_patches_are_readable(name: str) -> None:
    """Operations are lines, values of several lines are YAML."""
    patch, expected = PATCHES[name]

    assert expected == explain_record.patch_lines(patch)


def test_a_whole_object_is_called_so() -> None:
    """Its pointer is empty, which says nothing to people."""
    assert ["remove the whole object"] == explain_record.patch_lines(
        '[{"op": "remove", "path": ""}]'
    )


def test_long_values_are_cut_and_say_so() -> None:
    """A pod template of a hundred lines does not hide the rest of the page."""
    patch = json.dumps([{"op": "add", "path": "/a", "value": list(range(100))}])

    lines = explain_record.patch_lines(patch)

    assert "  ... 76 more lines, in --output json" == lines[-1]
    assert 26 == len(lines)


NEEDS = [
    pytest.param({"uid": "u", "generation": 4}, "with uid u, generation 4", id="a workload"),
    pytest.param({"uid": "u", "resourceVersion": "7"}, "with uid u, version 7", id="a Service"),
    pytest.param({"uid": ""}, "while its name is free", id="a creation"),
]


@pytest.mark.parametrize(("condition", "expected"), NEEDS)
def test_preconditions_are_told(condition: dict[str, object], expected: str) -> None:
    """What must hold for an effect to be carried out."""
    found = remediation.Precondition.model_validate(condition)
    assert expected == explain_record.needs(found)
