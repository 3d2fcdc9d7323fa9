"""gitRevert: the newest applied commit, whole, and never over somebody's later work."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from prunella.actions import git_revert
from prunella.api import reasons
from prunella.core import model
from prunella.core.decisions import gitops, ledger
from tests.unit.actions import manifests
from tests.unit.core import builders

NOW = builders.NOW
Refused = reasons.Refused
OWNER = model.Ref("Kustomization", "flux-system", "shop")
HEALTHY = model.Verdict.HEALTHY
FILE = "apps/checkout/app.yaml"
URL = "https://git.example.com/shop.git"


def commit(letter: str, minutes_ago: float, *files: str, **changes: Any) -> gitops.Commit:
    """A commit whose name is one letter."""
    at = NOW - datetime.timedelta(minutes=minutes_ago)
    made = gitops.Commit(letter * 40, at, "Ada", f"Release {letter}", files or (FILE,))
    return dataclasses.replace(made, **changes)


COMMITS = (commit("c", 5), commit("b", 60), commit("a", 600, first=True))


def plan(
    commits: tuple[gitops.Commit, ...] = COMMITS,
    seen: model.Verdict | None = HEALTHY,
    step: dict[str, Any] | None = None,
    path: str = "apps/checkout",
    **changes: Any,
) -> Any:
    """The plan for a workload, with what the signals said before its newest commit."""
    applied = changes.pop("applied", commits[0].id)
    deployment = gitops.Deployment(OWNER, "k-uid", 3, URL, "main", path, applied)
    request = changes.pop("request", False)
    sources = changes.pop("built_from", (path,))
    requested = changes.pop("requested", {})
    history = gitops.History("main", commits[0].id, commits, sources, request, requested)
    live_state = model.LiveState(builders.workload())
    known = {c.at - git_revert.MOMENT_BEFORE: seen for c in commits} if seen is not None else {}
    asked = manifests.request(live_state, {"gitRevert": step or {}})
    asked = dataclasses.replace(
        asked, deployed=gitops.Looked(deployment, history), verdicts_at=known, now=NOW
    )
    return git_revert.GitRevert().plan(asked)


def test_the_newest_applied_commit_is_reverted_on_the_head() -> None:
    """As data: where, what, and the head that must still be there."""
    (effect,) = plan().effects
    assert (model.Verb.PUSH, OWNER, "k-uid", 3, ()) == (
        effect.verb,
        effect.target,
        effect.uid,
        effect.generation,
        effect.inverse,
    )
    change = effect.git
    assert ("c" * 40, "c" * 40, "main", (FILE,)) == (
        change.revert,
        change.expected_head,
        change.branch,
        change.files,
    )
    assert 'revert cccccccccc "Release c" of Ada' in effect.summary
    assert change.message.startswith(f'Revert "Release c"\n\nThis reverts commit {"c" * 40}.')
    assert effect == manifests.kept(effect), "the record gives it back as it was"


def test_a_commit_beside_the_path_is_passed_over() -> None:
    """What the path is not built from is not its cause."""
    other = commit("d", 1, "apps/other/app.yaml")
    (effect,) = plan((other, *COMMITS)).effects
    assert ("c" * 40, "d" * 40) == (effect.git.revert, effect.git.expected_head)


def test_a_later_commit_elsewhere_does_not_stand_in_the_way() -> None:
    """The revert goes on top of it."""
    later = commit("d", 1, "apps/checkout/readme.md")
    (effect,) = plan((later, *COMMITS), applied="c" * 40).effects
    assert ("c" * 40, "d" * 40) == (effect.git.revert, effect.git.expected_head)


def test_two_questions_come_before_a_plan() -> None:
    """What deploys it, and whether it was well before the commit."""
    live_state = model.LiveState(builders.workload())
    first = git_revert.GitRevert().plan(manifests.request(live_state, {"gitRevert": {}}))
    assert (model.Need(model.NeedKind.DEPLOYMENT, builders.ref()),) == first
    before = COMMITS[0].at - git_revert.MOMENT_BEFORE
    second = plan(seen=None)
    assert (model.Need(model.NeedKind.VERDICT_AT, builders.ref(), before),) == second


LATER = commit("d", 1, author="Bob", subject="Hotfix")
BASE = commit("d", 1, FILE, "base/app.yaml")
REFUSALS = (
    pytest.param(
        {"commits": (LATER, *COMMITS), "applied": "c" * 40},
        Refused.LATER_COMMIT,
        False,
        'dddddddddd "Hotfix" of Bob has changed apps/checkout/app.yaml after cccccccccc',
        id="a later commit",
    ),
    pytest.param(
        {"commits": (BASE, *COMMITS)},
        Refused.NOT_ALLOWED,
        False,
        "1 files outside of apps/checkout, base/app.yaml first",
        id="beyond the path",
    ),
    pytest.param(
        {
            "commits": (commit("d", 1, "base/app.yaml"), *COMMITS),
            "built_from": ("apps/checkout", "base"),
        },
        Refused.NOT_ALLOWED,
        False,
        "1 files outside of apps/checkout",
        id="a base alone",
    ),
    pytest.param(
        {"commits": (commit("d", 1, remediation="shop/one"), *COMMITS)},
        Refused.NO_STEP_LEFT,
        False,
        "the revert by Remediation shop/one",
        id="our own",
    ),
    pytest.param(
        {"requested": {"c" * 40: f"{URL}/pulls/7"}},
        Refused.REQUEST_OPEN,
        False,
        f'a request to revert cccccccccc "Release c" is open: {URL}/pulls/7',
        id="asked for already",
    ),
    pytest.param(
        {
            "commits": (commit("c", 5, subject="Release c (#12)"), *COMMITS[1:]),
            "requested": {"#12": f"{URL}/pulls/13"},
        },
        Refused.REQUEST_OPEN,
        False,
        f'"Release c (#12)" is open: {URL}/pulls/13',
        id="asked for by the number of its request",
    ),
    pytest.param(
        {"step": {"changeWithin": "4m"}},
        Refused.NOT_CHANGED_RECENTLY,
        True,
        "is 300 s old, changeWithin is 240 s",
        id="old",
    ),
    pytest.param(
        {"seen": model.Verdict.UNHEALTHY},
        Refused.NO_KNOWN_GOOD_REVISION,
        True,
        "was Unhealthy just before",
        id="sick before",
    ),
    pytest.param(
        {"seen": model.Verdict.UNKNOWN},
        Refused.NO_KNOWN_GOOD_REVISION,
        True,
        "was Unknown just before",
        id="nobody knows",
    ),
    pytest.param(
        {"applied": "f" * 40},
        Refused.REPOSITORY_UNAVAILABLE,
        False,
        "not among the newest 3 commits of main",
        id="too far back",
    ),
    pytest.param(
        {"path": "apps/none"},
        Refused.NOT_CHANGED_RECENTLY,
        True,
        "none of the newest 3 applied commits touches apps/none",
        id="untouched",
    ),
    pytest.param(
        {"commits": (commit("d", 1, *(f"apps/checkout/{n}" for n in range(65))), *COMMITS)},
        Refused.PLAN_TOO_LARGE,
        False,
        "changes 65 files, at most 64",
        id="too many",
    ),
)


@pytest.mark.parametrize(("given", "reason", "skips", "told"), REFUSALS)
def test_refusals_say_what_was_compared(
    given: dict[str, Any], reason: Refused, skips: bool, told: str
) -> None:
    """Each with the commit, so that a person can go on from there."""
    found = plan(**given)
    assert isinstance(found, model.Refusal), found
    assert (reason, skips) == (found.reason, found.skip_step)
    assert told in found.message


def test_a_request_says_so() -> None:
    """What would be pushed is only asked for."""
    (effect,) = plan(request=True).effects
    assert effect.git.request
    assert "request a merge into main" in effect.summary


def test_plans_of_the_same_commit_are_equal_whatever_the_values_say() -> None:
    """The message tells values that differ from pass to pass; another head is another plan."""
    (effect,) = plan().effects
    other = dataclasses.replace(effect, git=dataclasses.replace(effect.git, message="else"))
    moved = dataclasses.replace(effect, git=dataclasses.replace(effect.git, expected_head="f" * 40))
    first, second, third = (
        ledger.plan_hash("uid", "gitRevert", 0, [each]) for each in (effect, other, moved)
    )
    assert first == second
    assert first != third


SUBJECTS = {
    "squashed": ("Release v2 (#12)", True),
    "merged": ("Merge pull request #12 from ada/release", True),
    "another": ("Release v2 (#123)", False),
    "a revert of it": ('Revert "Release v2 (#12)" (#13)', False),
    "without a number": ("Release v2", False),
}


@pytest.mark.parametrize(("subject", "expected"), SUBJECTS.values(), ids=SUBJECTS)
def test_a_request_may_name_the_request_that_brought_the_commit(
    subject: str, *, expected: bool
) -> None:
    """As GitHub's button does: by its number, which the commit's subject has."""
    url = f"{URL}/pulls/13"
    found = gitops.open_request({"#12": url}, "c" * 40, subject)
    assert (url if expected else "") == found
