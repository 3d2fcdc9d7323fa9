"""A real Git server on localhost, with one repository that a shop is deployed from."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

import pytest

from lab import git_server
from lab.git_server import git

pytest.importorskip("dulwich", reason="the extra git is not installed")


@dataclasses.dataclass(frozen=True, slots=True)
class Shop:
    """The server, and a person's working copy of the repository ``shop``."""

    server: git_server.GitServer
    work: pathlib.Path
    bare: pathlib.Path
    password_file: pathlib.Path

    @property
    def url(self) -> str:
        """The repository's address."""
        return f"{self.server.url}shop.git"

    def commit(self, message: str, **files: str | None) -> str:
        """Write files (``a__b`` is ``a/b.yaml``), commit and push them; returns the commit."""
        for name, content in files.items():
            path = self.work / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content) if content is not None else path.unlink()
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--allow-empty", "--message", message)
        git(self.work, "push", "--quiet", "origin", "HEAD:main")
        return git(self.work, "rev-parse", "HEAD")

    def head(self, branch: str = "main") -> str:
        """The commit that the server has for a branch."""
        return git(self.bare, "rev-parse", branch)

    def show(self, path: str, branch: str = "main") -> str:
        """A file as the server has it."""
        return git(self.bare, "show", f"{branch}:{path}")


@pytest.fixture
def shop(tmp_path: pathlib.Path) -> Iterator[Shop]:
    """The shop's repository on a server of its own."""
    if git_server.program() is None:
        pytest.skip("git is not installed")
    served = tmp_path / "served"
    served.mkdir()
    server = git_server.GitServer(served)
    bare = server.create("shop.git")
    work = tmp_path / "work"
    git(tmp_path, "clone", "--quiet", str(bare), str(work))
    password = tmp_path / "password"
    password.write_text(server.access.password)
    yield Shop(server, work, bare, password)
    server.close()
