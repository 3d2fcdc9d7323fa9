"""Pull and merge requests by the APIs of GitHub, GitLab and Gitea.

Sources: docs.github.com/rest/pulls (API version 2022-11-28), docs.gitlab.com/api/merge_requests
(v4), Gitea's swagger (`repoCreatePullRequest`, v1), which Forgejo shares.
"""

from __future__ import annotations

import dataclasses
import json
import re
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, Final

import requests
import urllib3

from prunella import settings
from prunella.adapters.git.remote import RemoteError
from prunella.adapters.prometheus import session
from prunella.core.decisions import gitops

_MOST_BYTES: Final = 16 * 1024 * 1024
"""A hundred requests, each with a text of the 64 KiB that GitHub allows and all else it tells."""
_OPEN: Final = (200, 201)
_REVERTED: Final = re.compile(rf"\b{gitops.REVERTS} ([0-9a-f]{{40}})\b")
_BUTTON: Final = re.compile(r"^Reverts ([\w.-]+/[\w.-]+)?(#\d+)\b", re.MULTILINE)
"""What GitHub's button writes: it names the request that is reverted, and no commit."""


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A request to be opened."""

    repository: str
    """``OWNER/NAME``, of GitLab with all groups."""
    branch: str
    into: str
    title: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Api:
    """One sort of server: where requests are, and what they are called there."""

    path: Callable[[str], str]
    headers: Callable[[str], Mapping[str, str]]
    body: Callable[[Asked], Mapping[str, object]]
    listed: Callable[[Asked], Mapping[str, str]]
    """The query for open requests of the branch."""
    into: Callable[[str], Mapping[str, str]]
    """The query for the newest open requests into a branch."""
    address: str
    source: Callable[[Mapping[str, Any]], object]
    target: Callable[[Mapping[str, Any]], object]
    text: str


def _pull(asked: Asked) -> Mapping[str, object]:
    return {"title": asked.title, "head": asked.branch, "base": asked.into, "body": asked.text}


def _merge(asked: Asked) -> Mapping[str, object]:
    return {
        "title": asked.title,
        "source_branch": asked.branch,
        "target_branch": asked.into,
        "description": asked.text,
        "remove_source_branch": True,
    }


def _head(found: Mapping[str, Any]) -> object:
    return (found.get("head") or {}).get("ref")


def _base(found: Mapping[str, Any]) -> object:
    return (found.get("base") or {}).get("ref")


_APIS: Final[Mapping[str, _Api]] = {
    "github": _Api(
        path=lambda name: f"/repos/{name}/pulls",
        headers=lambda token: {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        body=_pull,
        listed=lambda asked: {
            "state": "open",
            "head": f"{asked.repository.partition('/')[0]}:{asked.branch}",
        },
        into=lambda branch: {"state": "open", "base": branch, "per_page": "100"},
        address="html_url",
        source=_head,
        target=_base,
        text="body",
    ),
    "gitlab": _Api(
        path=lambda name: f"/projects/{urllib.parse.quote(name, safe='')}/merge_requests",
        headers=lambda token: {"PRIVATE-TOKEN": token},
        body=_merge,
        listed=lambda asked: {"state": "opened", "source_branch": asked.branch},
        into=lambda branch: {"state": "opened", "target_branch": branch, "per_page": "100"},
        address="web_url",
        source=lambda found: found.get("source_branch"),
        target=lambda found: found.get("target_branch"),
        text="description",
    ),
    "gitea": _Api(
        path=lambda name: f"/repos/{name}/pulls",
        headers=lambda token: {"Authorization": f"token {token}"},
        body=_pull,
        listed=lambda asked: {"state": "open", "sort": "recentupdate"},  # noqa: ARG005
        into=lambda branch: {"state": "open", "sort": "recentupdate", "limit": "50"},  # noqa: ARG005
        address="html_url",
        source=_head,
        target=_base,
        text="body",
    ),
}


def open_request(wanted: settings.GitRequests, asked: Asked, seconds: float) -> str:
    """Open a request, or find the one that is open; its address for people.

    Raises RemoteError, without a status where it may have been opened all the same.
    """
    existing = find(wanted, asked, seconds)
    if existing:
        return existing
    body = dict(_APIS[wanted.api].body(asked))
    status, answer = _exchange(wanted, asked.repository, seconds, "POST", json=body)
    if status in _OPEN and isinstance(answer, dict):
        return _address(wanted, answer)
    if status in {409, 422} and (existing := find(wanted, asked, seconds)):
        return existing  # Somebody was faster, or an answer was lost.
    raise _refused(wanted, status, answer)


def find(wanted: settings.GitRequests, asked: Asked, seconds: float) -> str:
    """The address of the open request of a branch; empty without one. Raises RemoteError."""
    api = _APIS[wanted.api]
    listed = dict(api.listed(asked))
    status, answer = _exchange(wanted, asked.repository, seconds, "GET", params=listed)
    if status not in _OPEN or not isinstance(answer, list):
        raise _refused(wanted, status, answer)
    own = (each for each in answer if isinstance(each, dict) and api.source(each) == asked.branch)
    return next((_address(wanted, each) for each in own), "")


def reverting(
    wanted: settings.GitRequests, repository: str, into: str, seconds: float
) -> dict[str, str]:
    """Addresses of the newest open requests into a branch, by what they revert.

    That is a commit, or a request as ``#12``.  Raises RemoteError.
    """
    api, found = _APIS[wanted.api], dict[str, str]()
    listed = dict(api.into(into))
    status, answer = _exchange(wanted, repository, seconds, "GET", params=listed)
    if status not in _OPEN or not isinstance(answer, list):
        raise _refused(wanted, status, answer)
    for each in answer:
        if isinstance(each, dict) and api.target(each) == into:
            for name in _reverted(str(each.get(api.text) or ""), repository):
                found.setdefault(name, _address(wanted, each))
    return found


def _reverted(text: str, repository: str) -> list[str]:
    """The commits and requests that a request's text says it reverts."""
    by_button = _BUTTON.findall(text)
    own = [number for of, number in by_button if of.lower() in {"", repository.lower()}]
    return [*_REVERTED.findall(text), *own]


def _refused(wanted: settings.GitRequests, status: int, answer: Any) -> RemoteError:
    """What a server that fails has done before is not known: no status."""
    message = f"{wanted.api} answered {status}: {_said(answer)}"
    return RemoteError(message, None if status >= 500 else status)


def _address(wanted: settings.GitRequests, found: Mapping[str, Any]) -> str:
    address = str(found.get(_APIS[wanted.api].address) or "")
    if not address.startswith(("https://", "http://")):
        raise RemoteError(f"{wanted.api} gave no address of the request")
    return address[:2048]


def _exchange(
    wanted: settings.GitRequests, repository: str, seconds: float, method: str, **sent: Any
) -> tuple[int, Any]:
    api = _APIS[wanted.api]
    url = wanted.url.rstrip("/") + api.path(repository)
    try:
        token = wanted.token_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RemoteError(f"can't read the token in {wanted.token_file}: {error}", 403) from error
    deadline = time.monotonic() + seconds
    try:
        with session.open_session(session.Access(url, wanted.tls)) as opened:
            opened.headers.update(api.headers(token))
            with opened.request(
                method, url, timeout=seconds, allow_redirects=False, stream=True, **sent
            ) as answer:
                content = session.read_body(answer, _MOST_BYTES, deadline)
                return answer.status_code, json.loads(content or b"null")
    except session.AskError as error:
        raise RemoteError(f"{wanted.api} at {wanted.url}: {error}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise RemoteError(f"{wanted.api} at {wanted.url}: {type(error).__name__}") from error
    except ValueError as error:
        raise RemoteError(f"{wanted.api} at {wanted.url} answers no JSON") from error


def _said(answer: Any) -> str:
    said = answer.get("message") if isinstance(answer, dict) else answer
    return str(said)[:256]
