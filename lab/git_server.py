"""A Git server on localhost: Git's own `http-backend` behind a small HTTP server.

It is real Git on the server's side, with its own rules for pushes (`receive.*`) and hooks.  One
user may read and write; everybody else gets 401.  Source: git-scm.com/docs/git-http-backend.
"""

from __future__ import annotations

import base64
import dataclasses
import http.server
import os
import pathlib
import shutil
import subprocess
import threading
from collections.abc import Mapping
from typing import Final

LOCALHOST: Final = "127.0.0.1"
AUTHOR: Final = {"NAME": "Ada", "EMAIL": "ada@shop.example"}


def program() -> str | None:
    """Where Git is; None without it."""
    return shutil.which("git")


def git(folder: pathlib.Path, *arguments: str, author: Mapping[str, str] = AUTHOR) -> str:
    """What a Git command prints. Raises CalledProcessError."""
    names = {
        f"GIT_{who}_{part}": value
        for who in ("AUTHOR", "COMMITTER")
        for part, value in author.items()
    }
    command = [program() or "git", "-C", str(folder), *arguments]
    kept = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**kept, **names}
    )
    return done.stdout.strip()


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """Who may read and write."""

    user: str = "prunella"
    password: str = "s3cret-of-the-lab"  # noqa: S105 - of a server on localhost that ends with a test

    @property
    def header(self) -> str:
        """What a client sends that is let in."""
        told = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return f"Basic {told}"


class GitServer:
    """Bare repositories in one folder, served until `close`."""

    def __init__(self, folder: pathlib.Path, access: Access | None = None) -> None:
        """Serve the repositories of a folder on a free port."""
        self.folder = folder
        self.access = access or Access()
        self.refused: dict[str, int] = {}
        """HTTP statuses that requests are answered with, by the end of their path."""
        self.drop_answers = 0
        """Pushes that are carried out and whose answers are lost, from now on."""
        self._server = http.server.ThreadingHTTPServer((LOCALHOST, 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address, with a slash at the end."""
        return f"http://{LOCALHOST}:{self._server.server_address[1]}/"

    def create(self, name: str, branch: str = "main") -> pathlib.Path:
        """A new bare repository; returns its folder."""
        made = self.folder / name
        made.mkdir(parents=True)
        git(made, "init", "--quiet", "--bare", f"--initial-branch={branch}")
        git(made, "config", "http.receivepack", "true")
        return made

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def _handler(owner: GitServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(owner, self)

        def do_POST(self) -> None:
            _answer(owner, self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is named
            """Say nothing."""

    return Handler


def _answer(owner: GitServer, asked: http.server.BaseHTTPRequestHandler) -> None:
    body = _body(asked)
    status = next((s for end, s in owner.refused.items() if asked.path.endswith(end)), 0)
    if asked.headers.get("Authorization") != owner.access.header:
        _send(asked, 401, {"WWW-Authenticate": 'Basic realm="lab"'}, b"")
        return
    if status:
        _send(asked, status, {}, b"")
        return
    answer = _backend(owner, asked, body)
    if asked.path.endswith("/git-receive-pack") and owner.drop_answers:
        owner.drop_answers -= 1
        asked.close_connection = True
        return
    _send(asked, *_parsed(answer))


def _body(asked: http.server.BaseHTTPRequestHandler) -> bytes:
    """The whole body, sent in chunks or not (RFC 9112)."""
    if asked.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return asked.rfile.read(int(asked.headers.get("Content-Length") or 0))
    parts = []
    while size := int(asked.rfile.readline().split(b";")[0], 16):
        parts.append(asked.rfile.read(size))
        asked.rfile.readline()
    asked.rfile.readline()
    return b"".join(parts)


def _backend(owner: GitServer, asked: http.server.BaseHTTPRequestHandler, body: bytes) -> bytes:
    """Ask Git, as RFC 3875 (CGI) says."""
    path, _, query = asked.path.partition("?")
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(owner.folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROTOCOL": asked.headers.get("Git-Protocol", ""),
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_METHOD": asked.command,
        "CONTENT_TYPE": asked.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": asked.headers.get("Content-Encoding", ""),
        "REMOTE_USER": owner.access.user,
        "REMOTE_ADDR": LOCALHOST,
    }
    done = subprocess.run(
        [program() or "git", "http-backend"],
        input=body,
        capture_output=True,
        check=False,
        env=environment,
    )
    return done.stdout


def _send(
    asked: http.server.BaseHTTPRequestHandler,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
) -> None:
    asked.send_response(status)
    for name, value in headers.items():
        asked.send_header(name, value)
    asked.send_header("Content-Length", str(len(body)))
    asked.end_headers()
    asked.wfile.write(body)


def _parsed(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """A CGI answer as status, headers and body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    headers = {}
    for line in head.decode().splitlines():
        name, _, value = line.partition(": ")
        headers[name] = value
    status = int(headers.pop("Status", "200 OK").split()[0])
    return status, headers, body
