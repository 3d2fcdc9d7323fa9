"""Requests at servers that answer as the documentation of GitHub, GitLab and Gitea says."""

from __future__ import annotations

import concurrent.futures
import http.server
import json
import pathlib
import ssl
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from lab.git_server import git
from prunella import ports
from prunella.adapters.git import remote, repositories, requests_api
from prunella.core.decisions import gitops
from prunella.settings import GitRequests
from tests.adapters.git import test_repositories as pushes
from tests.adapters.git.conftest import Shop
from tests.adapters.intake import test_server as certificates

APIS = ("github", "gitlab", "gitea")
TOKEN = "t0ken-of-the-lab"  # noqa: S105 - of a server that ends with the test
AUTH = {
    "github": ("Authorization", f"Bearer {TOKEN}"),
    "gitlab": ("PRIVATE-TOKEN", TOKEN),
    "gitea": ("Authorization", f"token {TOKEN}"),
}
PATHS = {
    "github": "/repos/shop/deploy/pulls",
    "gitlab": "/projects/shop%2Fdeploy/merge_requests",
    "gitea": "/repos/shop/deploy/pulls",
}
ASKED = requests_api.Asked("shop/deploy", "prunella/one", "main", "Revert", "Because.")


class Forge:
    """One server: holds the requests that were opened, and refuses what the real one does."""

    def __init__(self, api: str) -> None:
        self.api = api
        self.opened: list[dict[str, Any]] = []
        self.queries: list[dict[str, list[str]]] = []
        self.lose_answer = False
        self.status = 0
        """Answer everything with it."""
        self.no_more = 0
        """Answer with it what would open a request."""
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/api"

    def use_tls(self, folder: pathlib.Path) -> None:
        """Answer by HTTPS alone, with a certificate of an authority that nobody knows."""
        certificates.authority(folder, "ca")
        certificates.certificate(folder, "server", "ca")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def source(self, found: dict[str, Any]) -> str:
        """The branch of a request."""
        return str(found["source_branch" if self.api == "gitlab" else "head"])

    def shown(self, found: dict[str, Any]) -> dict[str, Any]:
        """A request as the server shows it."""
        url = f"https://forge.example/shop/deploy/{self.opened.index(found) + 1}"
        if self.api == "gitlab":
            return {**found, "web_url": url, "state": "opened"}
        head, base = ({"ref": found[name]} for name in ("head", "base"))
        return {"html_url": url, "head": head, "base": base, "body": found["body"], "state": "open"}

    def answer(self, method: str, body: dict[str, Any]) -> tuple[int, object]:
        """What is answered to a request."""
        if method == "GET":
            return 200, [self.shown(each) for each in self.opened]
        if any(self.source(each) == self.source(body) for each in self.opened):
            taken = {"message": "A pull request already exists"}
            return (422 if self.api == "github" else 409), taken
        if self.no_more:
            return self.no_more, {"message": "no more"}
        self.opened.append(body)
        return 201, self.shown(body)


def _handler(forge: Forge) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET", {})

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self._answer("POST", json.loads(self.rfile.read(length)))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is named
            """Say nothing."""

        def _answer(self, method: str, body: dict[str, Any]) -> None:
            path, _, query = self.path.partition("?")
            name, value = AUTH[forge.api]
            status, told = 404, {"message": "Not Found"}
            if self.headers.get(name) != value:
                status, told = 401, {"message": "Bad credentials"}
            elif forge.status:
                status, told = forge.status, {"message": "no"}
            elif path.removeprefix("/api") == PATHS[forge.api]:
                forge.queries.append(urllib.parse.parse_qs(query))
                status, answer = forge.answer(method, body)
                told = answer  # type: ignore[assignment]
            if method == "POST" and forge.lose_answer:
                forge.lose_answer = False
                return
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


@pytest.fixture(params=APIS)
def forge(request: pytest.FixtureRequest) -> Iterator[Forge]:
    """A server of each kind."""
    made = Forge(request.param)
    yield made
    made.close()


@pytest.fixture
def wanted(forge: Forge, tmp_path: pathlib.Path) -> GitRequests:
    """The administrator's word."""
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    return GitRequests.model_validate({"api": forge.api, "url": forge.url, "tokenFile": token})


def test_a_request_is_opened_once(forge: Forge, wanted: GitRequests) -> None:
    """With title, branches and text; the same branch again is the same request."""
    first = requests_api.open_request(wanted, ASKED, 5)
    again = requests_api.open_request(wanted, ASKED, 5)

    assert "https://forge.example/shop/deploy/1" == first == again
    (sent,) = forge.opened
    assert {"Revert", "prunella/one", "main", "Because."} <= {str(v) for v in sent.values()}
    other = requests_api.Asked("shop/deploy", "prunella/two", "main", "Revert", "")
    assert "https://forge.example/shop/deploy/2" == requests_api.open_request(wanted, other, 5)


def test_only_the_branch_is_asked_for(forge: Forge, wanted: GitRequests) -> None:
    """As each API filters; Gitea can't, so its answer is gone through."""
    requests_api.find(wanted, ASKED, 5)
    expected = {
        "github": {"state": ["open"], "head": ["shop:prunella/one"]},
        "gitlab": {"state": ["opened"], "source_branch": ["prunella/one"]},
        "gitea": {"state": ["open"], "sort": ["recentupdate"]},
    }
    assert [expected[forge.api]] == forge.queries


def test_a_lost_answer_is_found_again(forge: Forge, wanted: GitRequests) -> None:
    """It was opened: the next call finds it, and opens no other."""
    forge.lose_answer = True
    with pytest.raises(remote.RemoteError) as lost:
        requests_api.open_request(wanted, ASKED, 5)
    assert lost.value.status is None
    assert "https://forge.example/shop/deploy/1" == requests_api.open_request(wanted, ASKED, 5)
    assert 1 == len(forge.opened)


BAD = "b" * 40
OPENED = {
    "ours": ("main", f"This reverts commit {BAD}.\n\nPrunella-Remediation: shop/one\n", True),
    "a person's": ("main", f"Sorry!\n\nThis reverts commit {BAD}.", True),
    "of another commit": ("main", f"This reverts commit {'c' * 40}.", False),
    "into another branch": ("next", f"This reverts commit {BAD}.", False),
    "without a word": ("main", "", False),
}


BUTTON = {
    "this repository's": ("Reverts shop/deploy#12", True),
    "in other letters": ("Reverts Shop/Deploy#12\r\n\nSorry", True),
    "without its name": ("Reverts #12", True),
    "another repository's": ("Reverts blog/deploy#12", False),
    "another request": ("Reverts shop/deploy#123", False),
    "in passing": ("See what Reverts shop/deploy#12 did", False),
}


@pytest.mark.parametrize(("text", "expected"), BUTTON.values(), ids=BUTTON)
def test_the_button_names_a_request(wanted: GitRequests, text: str, *, expected: bool) -> None:
    """In the words of GitHub, which has the commit's hash nowhere in the text."""
    requests_api.open_request(wanted, requests_api.Asked("shop/deploy", "x", "main", "R", text), 5)
    found = requests_api.reverting(wanted, "shop/deploy", "main", 5)
    url = "https://forge.example/shop/deploy/1"
    assert (url if expected else None) == found.get("#12")


@pytest.mark.parametrize(("into", "text", "expected"), OPENED.values(), ids=OPENED)
def test_open_requests_tell_what_they_revert(
    wanted: GitRequests, into: str, text: str, *, expected: bool
) -> None:
    """In the words of `git revert`, whoever has opened them, into the branch that is deployed."""
    requests_api.open_request(wanted, requests_api.Asked("shop/deploy", "x", into, "R", text), 5)
    found = requests_api.reverting(wanted, "shop/deploy", "main", 5)
    url = "https://forge.example/shop/deploy/1"
    assert (url if expected else None) == found.get(BAD)


@pytest.mark.parametrize("known", [True, False], ids=["its authority", "no authority"])
def test_a_server_behind_a_private_authority(
    forge: Forge, wanted: GitRequests, tmp_path: pathlib.Path, *, known: bool
) -> None:
    """Is asked with the administrator's bundle, and with no other."""
    forge.use_tls(tmp_path)
    tls = {"caFile": tmp_path / "ca.crt"} if known else {}
    asks = {**wanted.model_dump(by_alias=True), "url": forge.url.replace("http:", "https:")}
    given = GitRequests.model_validate({**asks, "tls": tls})
    if known:
        assert "https://forge.example/shop/deploy/1" == requests_api.open_request(given, ASKED, 5)
        return
    with pytest.raises(remote.RemoteError, match="SSLError"):
        requests_api.open_request(given, ASKED, 5)


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusal_is_told(forge: Forge, wanted: GitRequests, status: int) -> None:
    """With the server's words, never the token, and no status where it may be open."""
    forge.status = status
    with pytest.raises(remote.RemoteError, match=f"{forge.api} answered {status}: no") as told:
        requests_api.open_request(wanted, ASKED, 5)
    assert (None if status >= 500 else status) == told.value.status
    assert TOKEN not in str(told.value)


def test_a_token_that_can_not_be_read_is_told(wanted: GitRequests) -> None:
    """By the path of its file."""
    wanted.token_file.unlink()
    with pytest.raises(remote.RemoteError, match=r"can't read the token in .*/token"):
        requests_api.open_request(wanted, ASKED, 5)


REFUSALS = {
    "a gateway that gave up": (502, ports.Outcome.UNKNOWN, None),
    "what was sent is not valid": (422, ports.Outcome.REFUSED, 403),
    "requests are switched off": (404, ports.Outcome.REFUSED, 403),
    "somebody else was faster": (409, ports.Outcome.REFUSED, 403),
}


@pytest.mark.parametrize(("answered", "outcome", "status"), REFUSALS.values(), ids=REFUSALS)
async def test_a_branch_without_a_request_is_for_a_person(
    shop: Shop,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    answered: int,
    outcome: ports.Outcome,
    status: int | None,
) -> None:
    """Given a branch that was pushed, then no answer may look as if nothing was done."""
    monkeypatch.setitem(PATHS, "github", "/repos/shop/pulls")
    made = Forge("github")
    made.no_more = answered
    (tmp_path / "token").write_text(TOKEN)
    _, bad = pushes.released(shop)
    asks = {"api": "github", "url": made.url, "tokenFile": str(tmp_path / "token")}
    settings = pushes.wanted(shop, mode="request", requests=asks)
    asked = pushes.change(shop, bad, request=True)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        known = repositories.GitRepositories(settings, pool)
        sent = await known.send(asked, pushes.MARK, dry_run=False)
        made.no_more = 0
        settled = await known.sent(asked, pushes.MARK)
    made.close()

    pushed = shop.head("prunella/deployment-checkout-1")
    told = f"pushed {pushed[:10]} to prunella/deployment-checkout-1, without a request: github "
    assert (outcome, status) == (sent.outcome, sent.status)
    assert sent.message == f"{told}answered {answered}: no more"
    assert (ports.Outcome.EFFECTIVE, pushed) == (settled.outcome, settled.commit)
    assert 1 == len(made.opened)


async def test_a_revert_is_pushed_to_a_branch_of_its_own_and_requested(
    shop: Shop, tmp_path: pathlib.Path
) -> None:
    """The deployed branch stays; a repeat gives the same address."""
    made = Forge("gitea")
    token = tmp_path / "token"
    token.write_text(TOKEN)
    _, bad = pushes.released(shop)
    asks = {"api": "gitea", "url": made.url, "tokenFile": str(token)}
    settings = pushes.wanted(shop, mode="request", requests=asks)
    asked = pushes.change(shop, bad, request=True)
    PATHS["gitea"] = "/repos/shop/pulls"
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            known = repositories.GitRepositories(settings, pool)
            tried = await known.send(asked, pushes.MARK, dry_run=True)
            first = await known.send(asked, pushes.MARK, dry_run=False)
            again = await known.sent(asked, pushes.MARK)
    finally:
        PATHS["gitea"] = "/repos/shop/deploy/pulls"
        made.close()

    assert ports.Outcome.WOULD_SUCCEED is tried.outcome, tried.message
    assert ports.Outcome.EFFECTIVE is first.outcome, first.message
    assert "https://forge.example/shop/deploy/1" == first.url == again.url
    assert bad == shop.head()
    branch = "prunella/deployment-checkout-1"
    assert first.commit == shop.head(branch)
    assert "image: v1" == shop.show("apps/checkout/app.yaml", branch)
    assert bad == git(shop.bare, "rev-parse", f"{branch}^")
    (sent,) = made.opened
    assert ('Revert "Release v2"', branch, "main") == (sent["title"], sent["head"], sent["base"])


async def test_a_commit_is_requested_once_whoever_asks(
    shop: Shop, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an open request to revert it, then another Remediation pushes and opens nothing."""
    monkeypatch.setitem(PATHS, "gitlab", "/projects/shop/merge_requests")
    made = Forge("gitlab")
    (tmp_path / "token").write_text(TOKEN)
    _, bad = pushes.released(shop)
    asks = {"api": "gitlab", "url": made.url, "tokenFile": str(tmp_path / "token")}
    settings = pushes.wanted(shop, mode="request", requests=asks)
    message = f'Revert "Release v2"\n\n{gitops.REVERTS} {bad}.'
    asked = pushes.change(shop, bad, request=True, message=message)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        known = repositories.GitRepositories(settings, pool)
        first = await known.send(asked, pushes.MARK, dry_run=False)
        again = await known.send(asked, pushes.MARK, dry_run=False)
        tried = await known.send(asked, "blog/deployment-blog-1", dry_run=True)
        other = await known.send(asked, "blog/deployment-blog-1", dry_run=False)
        history = await known.history(pushes.deployment(shop, bad), "shop")
    made.close()

    url = "https://forge.example/shop/deploy/1"
    assert (url, url) == (first.url, again.url)
    told = f"{url} is open, and reverts {bad[:10]} as well"
    assert {(ports.Outcome.REFUSED, 409, told)} == {
        (each.outcome, each.status, each.message) for each in (tried, other)
    }
    assert isinstance(history, gitops.History)
    assert {bad: url} == history.requested
    assert 1 == len(made.opened)
    branches = git(shop.bare, "branch", "--list", "prunella/*", "--format=%(refname:short)")
    assert "prunella/deployment-checkout-1" == branches


async def test_the_request_of_a_button_is_seen_before_a_push(
    shop: Shop, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given one that was opened since the plan was made, then nothing is pushed beside it."""
    monkeypatch.setitem(PATHS, "github", "/repos/shop/pulls")
    made = Forge("github")
    made.opened.append({"head": "revert-12", "base": "main", "body": "Reverts #12"})
    (tmp_path / "token").write_text(TOKEN)
    _, bad = pushes.released(shop)
    asks = {"api": "github", "url": made.url, "tokenFile": str(tmp_path / "token")}
    settings = pushes.wanted(shop, mode="request", requests=asks)
    message = 'Revert "Release v2 (#12)"\n\nIt is Unhealthy.'
    asked = pushes.change(shop, bad, request=True, message=message)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        known = repositories.GitRepositories(settings, pool)
        sent = await known.send(asked, pushes.MARK, dry_run=False)
    made.close()

    assert (ports.Outcome.REFUSED, 409) == (sent.outcome, sent.status)
    assert "https://forge.example/shop/deploy/1 is open" in sent.message
    assert 1 == len(made.opened)
    assert "" == git(shop.bare, "branch", "--list", "prunella/*")
