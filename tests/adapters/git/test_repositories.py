"""Reverts on a real Git server: at most once, never forced, and nothing that was not allowed."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from lab.git_server import git
from prunella import ports, settings
from prunella.adapters.git import commits, repositories
from prunella.api import reasons
from prunella.core import model, pushes
from prunella.core.decisions import gitops
from tests.adapters.git.conftest import Shop

MARK = "shop/deployment-checkout-1"
OWNER = model.Ref("Kustomization", "flux-system", "shop")


def wanted(shop: Shop, **changes: Any) -> settings.Git:
    """The administrator's word."""
    auth = {"username": shop.server.access.user, "passwordFile": str(shop.password_file)}
    entry = {"urlPrefix": shop.server.url, "mode": "push", "basicAuth": auth, **changes}
    return settings.Git.model_validate({"repositories": [entry], "timeoutSeconds": 5})


@pytest.fixture
def pool() -> Iterator[concurrent.futures.Executor]:
    """Threads for Git."""
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        yield executor


def deployment(shop: Shop, applied: str, **changes: Any) -> gitops.Deployment:
    """What deploys the folder apps/checkout of the branch main."""
    made = gitops.Deployment(OWNER, "uid-1", 3, shop.url, "main", "apps/checkout", applied)
    return dataclasses.replace(made, **changes)


def change(shop: Shop, bad: str, **changes: Any) -> pushes.GitChange:
    """The revert of a commit that is the head."""
    made = pushes.GitChange(
        repository=shop.url,
        branch="main",
        path="apps/checkout",
        revert=bad,
        files=("apps/checkout/app.yaml",),
        expected_head=bad,
        applied=bad,
        message='Revert "Release v2"',
    )
    return dataclasses.replace(made, **changes)


def released(shop: Shop) -> tuple[str, str]:
    """A good release and a bad one."""
    good = shop.commit("Release v1", apps__checkout__app="image: v1\n", readme="hello\n")
    return good, shop.commit("Release v2", apps__checkout__app="image: v2\n")


async def test_history_tells_commits_and_what_a_folder_is_built_from(
    shop: Shop, pool: concurrent.futures.Executor
) -> None:
    """Merges count as one commit, by what they bring into the branch."""
    released(shop)
    git(shop.work, "checkout", "--quiet", "-b", "feature")
    (shop.work / "apps/checkout/kustomization.yaml").write_text("resources: [app.yaml, ../../base]")
    (shop.work / "base").mkdir()
    (shop.work / "base/quota.yaml").write_text("a: 1")
    git(shop.work, "add", "--all")
    git(shop.work, "commit", "--quiet", "--message", "On the way")
    git(shop.work, "checkout", "--quiet", "-B", "main", "origin/main")
    git(shop.work, "merge", "--quiet", "--no-ff", "--message", "Merge the feature", "feature")
    git(shop.work, "push", "--quiet", "origin", "main")
    head = shop.head()

    found = await repositories.GitRepositories(wanted(shop), pool).history(
        deployment(shop, head, branch=""), "shop"
    )

    assert isinstance(found, gitops.History)
    assert ("main", head, False) == (found.branch, found.head, found.request)
    assert ["Merge the feature", "Release v2", "Release v1"] == [c.subject for c in found.commits]
    assert ("apps/checkout/kustomization.yaml", "base/quota.yaml") == found.commits[0].files
    assert [False, False, True] == [commit.first for commit in found.commits]
    assert ("apps/checkout", "base") == found.built_from
    assert "Ada" == found.commits[0].author


async def test_a_revert_is_pushed_once_and_tells_the_remediation(
    shop: Shop, pool: concurrent.futures.Executor
) -> None:
    """The rehearsal leaves nothing, a repeat gives the same answer, and other files stay."""
    _, bad = released(shop)
    known = repositories.GitRepositories(wanted(shop), pool)

    tried = await known.send(change(shop, bad), MARK, dry_run=True)
    assert (ports.Outcome.WOULD_SUCCEED, bad) == (tried.outcome, shop.head())
    first = await known.send(change(shop, bad), MARK, dry_run=False)
    again = await known.send(change(shop, bad), MARK, dry_run=False)
    settled = await known.sent(change(shop, bad), MARK)

    assert ports.Outcome.EFFECTIVE is first.outcome, first.message
    assert {shop.head()} == {first.commit, again.commit, settled.commit}
    assert ("image: v1", "hello") == (shop.show("apps/checkout/app.yaml"), shop.show("readme.yaml"))
    message = git(shop.bare, "log", "-1", "--format=%an %s %(trailers:key=Prunella-Remediation)")
    assert f'Prunella Revert "Release v2" Prunella-Remediation: {MARK}' == message.strip()
    assert bad == git(shop.bare, "rev-parse", "main^")
    assert await known.contains(change(shop, bad), bad, shop.head())
    assert not await known.contains(change(shop, bad), shop.head(), bad)


async def test_added_and_deleted_files_are_put_back(
    shop: Shop, pool: concurrent.futures.Executor
) -> None:
    """What the commit added goes, and what it deleted comes again."""
    shop.commit("Release v1", apps__checkout__app="image: v1\n")
    bad = shop.commit("Move it", apps__checkout__app=None, apps__checkout__deep__new="image: v2\n")
    files = ("apps/checkout/app.yaml", "apps/checkout/deep/new.yaml")

    done = await repositories.GitRepositories(wanted(shop), pool).send(
        change(shop, bad, files=files), MARK, dry_run=False
    )

    assert ports.Outcome.EFFECTIVE is done.outcome, done.message
    assert "apps/checkout/app.yaml" == git(shop.bare, "ls-tree", "-r", "--name-only", "main")


async def test_a_branch_that_has_moved_is_never_overwritten(
    shop: Shop, pool: concurrent.futures.Executor
) -> None:
    """What came in between stays the head, whatever it touches."""
    _, bad = released(shop)
    later = shop.commit("Docs", readme="other\n")
    known = repositories.GitRepositories(wanted(shop), pool)

    for dry_run in (True, False):
        done = await known.send(change(shop, bad), MARK, dry_run=dry_run)
        assert (ports.Outcome.REFUSED, 409) == (done.outcome, done.status)
        assert f"main was at {bad[:10]}, and is at {later[:10]}" == done.message
    assert later == shop.head()
    settled = await known.sent(change(shop, bad), MARK)
    assert (ports.Outcome.REFUSED, 409) == (settled.outcome, settled.status)


async def test_a_file_that_was_changed_again_is_left_alone(
    shop: Shop, pool: concurrent.futures.Executor
) -> None:
    """Even a plan that overlooked it writes nothing."""
    _, bad = released(shop)
    later = shop.commit("Tune it", apps__checkout__app="image: v2\nreplicas: 3\n")

    done = await repositories.GitRepositories(wanted(shop), pool).send(
        change(shop, bad, expected_head=later), MARK, dry_run=False
    )

    assert (ports.Outcome.REFUSED, 409) == (done.outcome, done.status)
    assert f"apps/checkout/app.yaml is not as {bad[:10]} has left it" == done.message
    assert later == shop.head()


async def test_a_lost_answer_is_settled_by_looking(
    shop: Shop, pool: concurrent.futures.Executor
) -> None:
    """The push went through: it is found by its trailer, and not made twice."""
    _, bad = released(shop)
    known = repositories.GitRepositories(wanted(shop), pool)
    shop.server.drop_answers = 1

    lost = await known.send(change(shop, bad), MARK, dry_run=False)
    settled = await known.sent(change(shop, bad), MARK)

    assert (ports.Outcome.UNKNOWN, None) == (lost.outcome, lost.status)
    assert (ports.Outcome.EFFECTIVE, shop.head()) == (settled.outcome, settled.commit)
    assert "3" == git(shop.bare, "rev-list", "--count", "main")


async def test_nothing_is_pushed_when_its_caller_has_gone(
    shop: Shop, pool: concurrent.futures.Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was settled as never pushed by then: whatever follows must not meet it."""
    _, bad = released(shop)
    make = commits.revert
    over, made = threading.Event(), threading.Event()

    def late(*given: Any) -> bytes:
        over.wait(30)
        made.set()
        return make(*given)

    monkeypatch.setattr(commits, "revert", late)
    monkeypatch.setattr(repositories, "_ANSWERS", 0.4)
    known = repositories.GitRepositories(wanted(shop), pool)
    lost = await known.send(change(shop, bad), MARK, dry_run=False)
    settled = await known.sent(change(shop, bad), MARK)
    over.set()
    made.wait(30)
    pool.shutdown()

    assert (ports.Outcome.UNKNOWN, ports.Outcome.REFUSED) == (lost.outcome, settled.outcome)
    assert bad == shop.head()


async def test_what_the_server_refuses_is_told_in_its_words(
    shop: Shop, pool: concurrent.futures.Executor
) -> None:
    """A protected branch: nothing is pushed, and a person is called for it."""
    _, bad = released(shop)
    hook = shop.bare / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho protected >&2\nexit 1\n")
    os.chmod(hook, 0o755)  # noqa: PTH101, S103 - a hook must be executable

    done = await repositories.GitRepositories(wanted(shop), pool).send(
        change(shop, bad), MARK, dry_run=False
    )

    assert (ports.Outcome.REFUSED, 403) == (done.outcome, done.status)
    assert "main: pre-receive hook declined" == done.message
    assert bad == shop.head()


REFUSED = (
    pytest.param(
        {"url_prefix": "http://127.0.0.1:1/"}, {}, "which git.repositories does not allow", id="url"
    ),
    pytest.param(
        {"allowedNamespaces": ["web-*"]},
        {},
        "for namespaces web-*, and this one is shop",
        id="namespace",
    ),
    pytest.param(
        {"branches": ["release-*"]}, {}, "from branch main, and branches is release-*", id="branch"
    ),
    pytest.param(
        {}, {"elsewhere": ("Deployment/api",)}, "1 objects outside of shop", id="elsewhere"
    ),
    pytest.param({}, {"branch": "gone"}, "branches is main, master", id="no such branch"),
)


@pytest.mark.parametrize(("entry", "deployed", "told"), REFUSED)
async def test_only_what_the_administrator_allows_is_looked_at(
    shop: Shop,
    pool: concurrent.futures.Executor,
    entry: dict[str, Any],
    deployed: dict[str, Any],
    told: str,
) -> None:
    """A policy can name none of it."""
    _, bad = released(shop)
    prefix = {"urlPrefix": entry.pop("url_prefix")} if "url_prefix" in entry else {}

    found = await repositories.GitRepositories(wanted(shop, **entry, **prefix), pool).history(
        deployment(shop, bad, **deployed), "shop"
    )

    assert isinstance(found, model.Refusal)
    assert reasons.Refused.NOT_ALLOWED is found.reason
    assert told in found.message


async def test_secrets_are_in_no_message(shop: Shop, pool: concurrent.futures.Executor) -> None:
    """A wrong password is told without it."""
    _, bad = released(shop)
    shop.password_file.write_text("wrong-s3cret")

    known = repositories.GitRepositories(wanted(shop), pool)
    found = await known.history(deployment(shop, bad), "shop")
    done = await known.send(change(shop, bad), MARK, dry_run=False)

    assert isinstance(found, model.Refusal)
    assert reasons.Refused.REPOSITORY_UNAVAILABLE is found.reason
    assert f"{shop.url} does not accept the credentials" == found.message == done.message
    assert (ports.Outcome.REFUSED, 403) == (done.outcome, done.status)


async def test_too_much_is_not_read(shop: Shop, pool: concurrent.futures.Executor) -> None:
    """A repository that is larger than the settings allow is told, and left alone."""
    _, bad = released(shop)
    shop.commit("Large", apps__checkout__large=os.urandom(20_000).hex())
    limited = wanted(shop).model_copy(update={"most_bytes": 4096})

    found = await repositories.GitRepositories(limited, pool).history(deployment(shop, bad), "shop")

    assert isinstance(found, model.Refusal)
    assert f"{shop.url} sends more than 4096 bytes (git.mostBytes)" == found.message


async def test_what_unpacks_to_too_much_is_not_read(
    shop: Shop, pool: concurrent.futures.Executor
) -> None:
    """Given a few KiB that become MiB, then they are counted as they would be in memory."""
    _, bad = released(shop)
    shop.commit("Large", apps__checkout__large="0" * 2_000_000)
    limited = wanted(shop).model_copy(update={"most_bytes": 1_000_000})

    found = await repositories.GitRepositories(limited, pool).history(deployment(shop, bad), "shop")

    assert isinstance(found, model.Refusal)
    assert f"{shop.url} holds more than 1000000 bytes (git.mostBytes)" == found.message


def _exploding() -> str:
    lines = [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)]
    return "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(lines)


KUSTOMIZATIONS = {
    "an alias of itself": ("resources: &a [*a]\n", "kustomization.yaml has aliases"),
    "aliases of aliases": (_exploding(), "kustomization.yaml has aliases"),
    "too large": ("# long\n" * 40_000, "kustomization.yaml has more than 262144 bytes"),
    "too deep": ("[" * 5000 + "]" * 5000, ""),
    "no number": (f"a: {'9' * 5000}\n", "ValueError"),
}


@pytest.mark.parametrize(("content", "told"), KUSTOMIZATIONS.values(), ids=KUSTOMIZATIONS)
async def test_a_hostile_kustomization_ends_no_pass(
    shop: Shop, pool: concurrent.futures.Executor, content: str, told: str
) -> None:
    """It is refused with its name, at once, or passed over as what deploys would."""
    shop.commit("Release v1", apps__checkout__app="image: v1\n")
    bad = shop.commit("Release v2", apps__checkout__kustomization=content)
    known = repositories.GitRepositories(wanted(shop), pool)
    found = await known.history(deployment(shop, bad), "shop")
    if not told:
        assert isinstance(found, gitops.History)
        return
    assert isinstance(found, model.Refusal)
    assert reasons.Refused.REPOSITORY_UNAVAILABLE is found.reason
    assert told in found.message


@pytest.mark.parametrize(
    "error",
    [
        RecursionError("deep"),
        ZeroDivisionError("zero"),
        zlib.error("incorrect header check"),
        IndexError("out of range"),
        TypeError("no bytes"),
        AttributeError("no data"),
        struct.error("4 bytes"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_can_not_be_read_is_a_refusal(
    shop: Shop,
    pool: concurrent.futures.Executor,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    """Given content that libraries stumble over, then that is told, and the pass goes on."""
    _, bad = released(shop)

    def stumble(*_: object) -> None:
        raise error

    monkeypatch.setattr(commits, "history", stumble)
    known = repositories.GitRepositories(wanted(shop), pool)
    found = await known.history(deployment(shop, bad), "shop")
    assert isinstance(found, model.Refusal)
    assert f"{shop.url}: {type(error).__name__}: {error}" == found.message


async def test_an_unreachable_server_is_told(shop: Shop, pool: concurrent.futures.Executor) -> None:
    """No answer: a refusal to look, and a push that is in doubt only once it was begun."""
    _, bad = released(shop)
    shop.server.refused["info/refs?service=git-upload-pack"] = 500
    known = repositories.GitRepositories(wanted(shop), pool)

    found = await known.history(deployment(shop, bad), "shop")
    tried = await known.send(change(shop, bad), MARK, dry_run=True)

    assert isinstance(found, model.Refusal)
    assert "unexpected http resp 500" in found.message
    shop.server.refused.clear()
    again = await known.history(deployment(shop, bad), "shop")
    assert isinstance(again, model.Refusal), "it is left alone for a while"
    assert f"{found.message}; asked again in " in again.message
    shop.server.refused["info/refs?service=git-upload-pack"] = 500
    assert ports.Outcome.REFUSED is tried.outcome
    assert ports.Outcome.UNKNOWN is (await known.sent(change(shop, bad), MARK)).outcome
