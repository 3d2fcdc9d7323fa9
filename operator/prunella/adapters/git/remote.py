"""One Git repository over HTTP: its newest commits in memory, and pushes that never force.

Sources: Git's HTTP transfer protocols (git-scm.com/docs/http-protocol), dulwich.client.  The server
compares a branch's old commit with the one that a push names, so a branch that has moved in between
is not overwritten.
"""

from __future__ import annotations

import contextlib
import dataclasses
import struct
import tempfile
import zlib
from collections.abc import Iterator
from typing import Any, Final

import urllib3
from dulwich import client, errors, repo

from prunella import settings
from prunella.adapters.git import packs
from prunella.adapters.git.allowed import Allowed

HEADS: Final = "refs/heads/"
NOTHING: Final = b"0" * 40
_IN_MEMORY: Final = 4 * 1024 * 1024
_UNREADABLE = (
    errors.ApplyDeltaError,
    errors.ChecksumMismatch,
    errors.FileFormatException,
    errors.GitProtocolError,
    errors.ObjectMissing,
    errors.WrongObjectException,
    urllib3.exceptions.HTTPError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What dulwich and YAML raise on content that they can't read; asserts among them."""


class RemoteError(Exception):
    """A repository said no, or could not be read. ``status`` is its HTTP status, if it gave one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(frozen=True, slots=True)
class Clone:
    """The newest commits of one branch, in memory."""

    repo: Any
    """A `dulwich.repo.MemoryRepo`."""
    branch: str
    head: bytes


class Remote:
    """One repository, for one thread. What its methods raise, `told` makes a RemoteError of."""

    def __init__(self, allowed: Allowed, wanted: settings.Git) -> None:
        """Read credentials and certificates. Raises RemoteError when they can't be read."""
        self._url = allowed.url
        self._wanted = wanted
        chosen = allowed.settings
        user = password = None
        if chosen.basic_auth is not None:
            user = chosen.basic_auth.username
            password = _secret(chosen.basic_auth)
        self._client = client.HttpGitClient(
            allowed.url,
            pool_manager=_pool(chosen.tls),
            username=user,
            password=password,
            timeout=wanted.timeout_seconds,
            thin_packs=False,
            quiet=True,
        )

    def heads(self) -> tuple[dict[str, bytes], str]:
        """All branches with their commits, and the default one."""
        prefixes = [b"HEAD", HEADS.encode()]
        found: Any = self._client.get_refs(b"", ref_prefix=prefixes)
        heads = {
            name.decode(errors="replace").removeprefix(HEADS): bytes(commit)
            for name, commit in found.refs.items()
            if commit is not None and name.startswith(HEADS.encode())
        }
        default = (found.symrefs or {}).get(b"HEAD", b"").decode(errors="replace")
        return heads, default.removeprefix(HEADS)

    def clone(self, branch: str, head: bytes) -> Clone:
        """A branch's newest commits with their files."""
        made: Any = repo.MemoryRepo()
        limit, read = self._wanted.most_bytes, 0
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as pack:

            def take(data: bytes) -> int:
                nonlocal read
                read += len(data)
                if read > limit:
                    message = f"{self._url} sends more than {limit} bytes (git.mostBytes)"
                    raise RemoteError(message, 413)
                return pack.write(data)

            def wants(refs: Any, depth: int | None = None) -> Any:  # noqa: ARG001 - dulwich's
                return [head]

            result = self._client.fetch_pack(
                b"",
                wants,
                made.get_graph_walker(),
                take,
                depth=self._wanted.most_commits,
            )
            if packs.unpacked(pack, limit) > limit:
                message = f"{self._url} holds more than {limit} bytes (git.mostBytes)"
                raise RemoteError(message, 413)
            pack.seek(0)
            made.object_store.add_thin_pack(pack.read, None)
            made.update_shallow(result.new_shallow, result.new_unshallow)
            made.object_store[head]  # A server that sends something else is found out here.
        return Clone(made, branch, head)

    def push(self, clone: Clone, branch: str, old: bytes, new: bytes | None) -> str:
        """Move a branch from one commit to another; what the server refuses, in its words.

        ``new`` None: only ask whether it could be pushed at all.  Raises RemoteError with 409
        when the branch is not where it was, and with 403 when it may not be written.
        """
        ref = f"{HEADS}{branch}".encode()

        def moved(refs: dict[Any, Any]) -> dict[Any, Any]:
            found = bytes(refs.get(ref, NOTHING))
            if found != old:
                message = f"{branch} is at {found[:10].decode()}, not at {old[:10].decode()}"
                raise RemoteError(message, 409)
            return {} if new is None else {ref: new}

        result = self._client.send_pack(b"", moved, clone.repo.object_store.generate_pack_data)
        return (result.ref_status or {}).get(ref) or ""


@contextlib.contextmanager
def told(url: str) -> Iterator[None]:
    """Whatever a repository's answer leads to, as a RemoteError."""
    try:
        yield
    except client.HTTPUnauthorized as error:
        raise RemoteError(f"{url} does not accept the credentials", 403) from error
    except errors.NotGitRepository as error:
        raise RemoteError(f"{url} is no repository, or hidden (404)", 403) from error
    except _UNREADABLE as error:
        status = 403 if "http resp 403" in str(error) else None
        raise RemoteError(f"{url}: {type(error).__name__}: {error}", status) from error


def _secret(auth: settings.BasicAuth) -> str:
    try:
        return auth.password_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"can't read the credentials in {auth.password_file}: {error}"
        raise RemoteError(message) from error


def _pool(tls: settings.Tls) -> urllib3.PoolManager:
    """Connections that follow no redirect: whatever is read or written is what was allowed."""
    return urllib3.PoolManager(
        headers={"User-Agent": "git/prunella"},
        retries=urllib3.Retry(total=0, redirect=0, raise_on_redirect=True),
        cert_reqs="CERT_NONE" if tls.insecure_skip_verify else "CERT_REQUIRED",
        ca_certs=str(tls.ca_file) if tls.ca_file else None,
        cert_file=str(tls.cert_file) if tls.cert_file else None,
        key_file=str(tls.key_file) if tls.key_file else None,
    )
