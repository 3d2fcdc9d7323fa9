"""The Repositories port on real repositories: in threads, each answer with a time limit."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import time
from collections.abc import Callable
from typing import Final, TypeVar

from prunella import ports, settings
from prunella.adapters.git import allowed, commits, remote, requests_api
from prunella.api import reasons
from prunella.core import model, pushes
from prunella.core.decisions import gitops

Told = TypeVar("Told")
_ANSWERS: Final = 5
"""Most answers that one call waits for, each for the settings' time."""
_MOST_KEPT: Final = 8
SILENT_SECONDS: Final = 60.0
"""How long a repository that did not answer is left alone: other decisions wait for this one."""
_STALE: Final = ("non-fast-forward", "fetch first", "stale info", "failed to update ref", "lock")
"""Words of servers that had another commit on the branch by then."""


class GitRepositories:
    """Repositories that the settings allow."""

    def __init__(self, wanted: settings.Git, executor: concurrent.futures.Executor) -> None:
        self._wanted = wanted
        self._executor = executor
        self._silent: dict[str, tuple[float, str]] = {}
        """Repositories that did not answer: until when nothing is asked, and what was wrong."""
        self._kept: dict[tuple[str, str], remote.Clone] = {}

    async def history(
        self, deployment: gitops.Deployment, namespace: str
    ) -> gitops.History | model.Refusal:
        """The newest commits of what is deployed into a namespace; never raises."""
        found = allowed.find(self._wanted.repositories, deployment.repository)
        refusal = allowed.refusal(found, deployment, namespace)
        if refusal is not None or found is None:
            return refusal or model.Refusal(reasons.Refused.NOT_ALLOWED, deployment.repository)
        unavailable = reasons.Refused.REPOSITORY_UNAVAILABLE
        until, problem = self._silent.get(found.url, (0.0, ""))
        if (left := until - time.monotonic()) > 0:
            return model.Refusal(unavailable, f"{problem}; asked again in {left:.0f} s")
        try:
            return await self._soon(found, functools.partial(self._history, found, deployment))
        except remote.RemoteError as error:
            if error.status is None:
                self._silent[found.url] = (time.monotonic() + SILENT_SECONDS, str(error))
            return model.Refusal(unavailable, str(error))

    async def send(self, change: pushes.GitChange, mark: str, *, dry_run: bool) -> ports.Receipt:
        """Push the revert, or open the request, at most once; never raises."""
        found = self._writable(change)
        if isinstance(found, ports.Receipt):
            return found
        ends = time.monotonic() + self._wanted.timeout_seconds * _ANSWERS
        try:
            if dry_run:
                rehearse = functools.partial(self._rehearse, found, change, mark)
                return await self._soon(found, rehearse)
            return await self._soon(found, functools.partial(self._send, found, change, mark, ends))
        except remote.RemoteError as error:
            lost = error.status is None and not dry_run
            outcome = ports.Outcome.UNKNOWN if lost else ports.Outcome.REFUSED
            return ports.Receipt(outcome, str(error), status=error.status)

    async def sent(self, change: pushes.GitChange, mark: str) -> ports.Receipt:
        """What became of a push whose answer was lost, by what the repository shows."""
        found = self._writable(change)
        if isinstance(found, ports.Receipt):
            return ports.Receipt(ports.Outcome.UNKNOWN, found.message)
        try:
            return await self._soon(found, functools.partial(self._sent, found, change, mark))
        except remote.RemoteError as error:
            return ports.Receipt(ports.Outcome.UNKNOWN, str(error))

    async def contains(self, change: pushes.GitChange, commit: str, newer: str) -> bool:
        """Whether a commit of the branch has another in its history; False where unknown."""
        found = self._writable(change)
        if isinstance(found, ports.Receipt):
            return False
        try:
            known = await self._soon(found, functools.partial(self._commits, found, change.branch))
        except remote.RemoteError:
            return False
        names = [each.id for each in known]
        return commit in names and newer in names and names.index(newer) <= names.index(commit)

    async def _soon(self, found: allowed.Allowed, call: Callable[[], Told]) -> Told:
        """The answer of a call in a thread. Raises RemoteError, also when it takes too long."""

        def asked() -> Told:
            with remote.told(found.url):
                return call()

        running = asyncio.get_running_loop().run_in_executor(self._executor, asked)
        limit = self._wanted.timeout_seconds * _ANSWERS
        try:
            return await asyncio.wait_for(running, limit)
        except TimeoutError:
            raise remote.RemoteError(f"no answer within {limit:.0f} s") from None

    def _writable(self, change: pushes.GitChange) -> allowed.Allowed | ports.Receipt:
        """The settings may have changed since the plan was made."""
        found = allowed.find(self._wanted.repositories, change.repository)
        if found is None:
            message = f"git.repositories does not allow {change.repository}"
            return ports.Receipt(ports.Outcome.REFUSED, message, status=403)
        refusal = allowed.branch_refusal(found, change.repository, change.branch)
        if refusal is not None:
            return ports.Receipt(ports.Outcome.REFUSED, refusal.message, status=403)
        return found

    def _history(
        self, found: allowed.Allowed, deployment: gitops.Deployment
    ) -> gitops.History | model.Refusal:
        heads, default = remote.Remote(found, self._wanted).heads()
        branch = deployment.branch or default
        refusal = allowed.branch_refusal(found, deployment.repository, branch)
        if refusal is not None:
            return refusal
        clone = self._clone(found, branch, heads.get(branch))
        known = commits.history(clone)
        if any(each.id == deployment.applied for each in known):
            sources = commits.built_from(clone, deployment.applied, deployment.path)
        else:
            sources = (deployment.path,)
        asks = found.settings.mode == "request"
        requested = self._requested(found, branch) if asks else {}
        return gitops.History(branch, clone.head.decode(), known, sources, asks, requested)

    def _requested(self, found: allowed.Allowed, branch: str) -> dict[str, str]:
        """Addresses of open requests, by the commits that they revert."""
        if found.settings.requests is None:
            return {}
        seconds = self._wanted.timeout_seconds
        return requests_api.reverting(found.settings.requests, found.name, branch, seconds)

    def _check_requested(self, found: allowed.Allowed, change: pushes.GitChange) -> None:
        """Make sure that nobody else has asked for the same. Raises RemoteError with 409."""
        if change.request:
            title = change.message.partition("\n")[0]
            subject = title.removeprefix('Revert "').removesuffix('"')
            requested = self._requested(found, change.branch)
            if url := gitops.open_request(requested, change.revert, subject):
                message = f"{url} is open, and reverts {change.revert[:10]} as well"
                raise remote.RemoteError(message, 409)

    def _clone(self, found: allowed.Allowed, branch: str, head: bytes | None) -> remote.Clone:
        """A branch's commits; they are read again only when it has moved."""
        if head is None:
            raise remote.RemoteError(f"{found.url} has no branch {branch}", 409)
        kept = self._kept.get((found.url, branch))
        if kept is not None and kept.head == head:
            return kept
        clone = remote.Remote(found, self._wanted).clone(branch, head)
        while len(self._kept) >= _MOST_KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[found.url, branch] = clone
        return clone

    def _commits(self, found: allowed.Allowed, branch: str) -> tuple[gitops.Commit, ...]:
        heads, _ = remote.Remote(found, self._wanted).heads()
        return commits.history(self._clone(found, branch, heads.get(branch)))

    def _rehearse(
        self, found: allowed.Allowed, change: pushes.GitChange, mark: str
    ) -> ports.Receipt:
        """Make the commit, and ask whether it could be pushed; nothing is left."""
        server = remote.Remote(found, self._wanted)
        expected = self._expected(server, change)
        clone = server.clone(change.branch, expected)
        commits.revert(clone, change, mark, self._wanted)
        server.push(clone, change.branch, expected, None)
        self._check_requested(found, change)
        return ports.Receipt(ports.Outcome.WOULD_SUCCEED, f"{change.branch} could be written")

    def _send(
        self, found: allowed.Allowed, change: pushes.GitChange, mark: str, ends: float
    ) -> ports.Receipt:
        done = self._already(found, change, mark)
        if done is not None:
            return done
        server, branch = remote.Remote(found, self._wanted), _branch(change, mark)
        expected = self._expected(server, change)
        clone = server.clone(change.branch, expected)
        made = commits.revert(clone, change, mark, self._wanted)
        self._check_requested(found, change)
        if time.monotonic() >= ends:  # By now it may have been settled as never pushed.
            raise remote.RemoteError("not pushed: what came before it took all the time", 409)
        old = remote.NOTHING if change.request else expected
        refused = server.push(clone, branch, old, made)
        if refused:
            stale = any(word in refused for word in _STALE)
            raise remote.RemoteError(f"{branch}: {refused}", 409 if stale else 403)
        return self._pushed(found, change, mark, made.decode())

    def _expected(self, server: remote.Remote, change: pushes.GitChange) -> bytes:
        """The branch's head, which must be where it was. Raises RemoteError with 409."""
        head = server.heads()[0].get(change.branch, remote.NOTHING)
        if head != change.expected_head.encode():
            was, now = change.expected_head[:10], head.decode()[:10]
            raise remote.RemoteError(f"{change.branch} was at {was}, and is at {now}", 409)
        return head

    def _pushed(
        self, found: allowed.Allowed, change: pushes.GitChange, mark: str, made: str
    ) -> ports.Receipt:
        done, branch = ports.Outcome.EFFECTIVE, _branch(change, mark)
        if not change.request or found.settings.requests is None:
            told = f"pushed {made[:10]} to {branch} of {change.repository}"
            return ports.Receipt(done, told, status=200, commit=made)
        asked = _asked(found, change, mark)
        seconds = self._wanted.timeout_seconds
        try:
            url = requests_api.open_request(found.settings.requests, asked, seconds)
        except remote.RemoteError as error:
            # The branch is there: whatever the server's reason, it is for a person now.
            status = None if error.status is None else 403
            message = f"pushed {made[:10]} to {branch}, without a request: {error}"
            raise remote.RemoteError(message, status) from error
        told = f"opened {url} for {made[:10]} on {branch}"
        return ports.Receipt(done, told, status=201, commit=made, url=url)

    def _sent(self, found: allowed.Allowed, change: pushes.GitChange, mark: str) -> ports.Receipt:
        done = self._already(found, change, mark)
        message = f"{change.branch} has no commit of {mark}"
        return done or ports.Receipt(ports.Outcome.REFUSED, message, status=409)

    def _already(
        self, found: allowed.Allowed, change: pushes.GitChange, mark: str
    ) -> ports.Receipt | None:
        """What was pushed before with this mark; None: nothing."""
        branch = _branch(change, mark)
        server = remote.Remote(found, self._wanted)
        head = server.heads()[0].get(branch)
        if head is None:
            return None
        for each in commits.history(self._clone(found, branch, head)):
            if each.remediation == mark:
                return self._pushed(found, change, mark, each.id)
        return None


def _branch(change: pushes.GitChange, mark: str) -> str:
    """The branch that is written: the deployed one, or one of its own for a request."""
    return f"prunella/{mark.rpartition('/')[2]}" if change.request else change.branch


def _asked(found: allowed.Allowed, change: pushes.GitChange, mark: str) -> requests_api.Asked:
    title, _, text = change.message.partition("\n")
    return requests_api.Asked(
        repository=found.name,
        branch=_branch(change, mark),
        into=change.branch,
        title=title[:200],
        text=f"{text.strip()}\n\n{gitops.TRAILER}: {mark}\n",
    )
