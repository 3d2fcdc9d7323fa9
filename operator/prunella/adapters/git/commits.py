"""Commits as decisions see them, and the commit that reverts one."""

from __future__ import annotations

import datetime
import posixpath
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import yaml
from dulwich import diff_tree, errors, object_store, objects

from prunella import settings
from prunella.adapters.git.remote import Clone, RemoteError
from prunella.core import pushes
from prunella.core.decisions import gitops

_KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_TRAILER: Final = re.compile(rf"^{gitops.TRAILER}: *(\S+) *$", re.MULTILINE)
_MOST_FOLLOWED: Final = 200
_MOST_YAML: Final = 256 * 1024
"""Bytes of a kustomization.yaml: those of people have some hundred lines."""


def history(clone: Clone) -> tuple[gitops.Commit, ...]:
    """The commits of a branch, newest first, each the first parent of the one before."""
    return tuple(_walk(clone))


def _walk(clone: Clone) -> Iterator[gitops.Commit]:
    store, cut = clone.repo.object_store, clone.repo.get_shallow()
    commit: objects.Commit | None = _commit(clone, clone.head)
    while commit is not None:
        known = commit.parents and commit.id not in cut
        parent = _commit(clone, commit.parents[0]) if known else None
        changes: Sequence[Any] = ()
        if parent is not None:
            changes = tuple(diff_tree.tree_changes(store, parent.tree, commit.tree))
        yield _told(commit, changes, first=parent is None)
        commit = parent


def _commit(clone: Clone, name: bytes) -> objects.Commit:
    found: object = clone.repo.object_store[name]
    if not isinstance(found, objects.Commit):
        raise RemoteError(f"{name.decode(errors='replace')} is no commit")
    return found


def _told(commit: objects.Commit, changes: Sequence[Any], *, first: bool) -> gitops.Commit:
    text = commit.message.decode(errors="replace")
    files = {side.path for each in changes for side in (each.old, each.new) if side is not None}
    trailer = _TRAILER.search(text)
    return gitops.Commit(
        id=commit.id.decode(),
        at=datetime.datetime.fromtimestamp(commit.commit_time, datetime.UTC),
        author=commit.author.decode(errors="replace").partition(" <")[0],
        subject=text.strip().partition("\n")[0],
        files=tuple(sorted(path.decode(errors="replace") for path in files if path is not None)),
        remediation=trailer.group(1) if trailer else "",
        first=first,
    )


def built_from(clone: Clone, commit: str, path: str) -> tuple[str, ...]:
    """The folders and files that a folder is built from, itself first.

    What its kustomization.yaml names outside of it is followed, whatever the field.  Raises
    RemoteError for one that is too large, or has aliases: a few lines of them may be endless.
    """
    tree = _commit(clone, commit.encode()).tree
    found, waiting = [path], [path]
    while waiting and len(found) < _MOST_FOLLOWED:
        folder = waiting.pop()
        for name in _KUSTOMIZATIONS:
            file = posixpath.join(folder, name)
            for told in _texts(_yaml(file, _read(clone, tree, file))):
                for value in (told, told.rpartition("=")[2]):
                    to = posixpath.normpath(posixpath.join(folder, value))
                    if gitops.within(to, tuple(found)) or _entry(clone, tree, to) is None:
                        continue
                    found.append(to)
                    waiting.append(to)
    return tuple(found)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from _texts(each)
        case dict():
            for each in value.values():
                yield from _texts(each)


def _yaml(file: str, content: bytes) -> Any:
    if len(content) > _MOST_YAML:
        raise RemoteError(f"{file} has more than {_MOST_YAML} bytes", 413)
    try:
        events = yaml.parse(content, Loader=yaml.SafeLoader)
        if any(isinstance(each, yaml.AliasEvent) for each in events):
            raise RemoteError(f"{file} has aliases, which are not followed", 422)
        return yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError):
        return None  # The tool that deploys could not read it either.


def _read(clone: Clone, tree: bytes, path: str) -> bytes:
    entry = _entry(clone, tree, path)
    found = clone.repo.object_store[entry[1]] if entry is not None else None
    return found.data if isinstance(found, objects.Blob) else b""


def _entry(clone: Clone, tree: Any, path: str) -> tuple[int, Any] | None:
    """Mode and object of a path; None where nothing is."""
    if path in {"", "."} or path.startswith(("..", "/")):
        return None
    try:
        return object_store.tree_lookup_path(
            clone.repo.object_store.__getitem__, tree, path.encode()
        )
    except (KeyError, errors.NotTreeError, ValueError):
        return None


def revert(clone: Clone, change: pushes.GitChange, mark: str, wanted: settings.Git) -> bytes:
    """Make the commit that puts a commit's files back, on top of the head; returns its name.

    Raises RemoteError with 409 when a file is not as that commit has left it.
    """
    bad = _commit(clone, change.revert.encode())
    if not bad.parents:
        raise RemoteError(f"{change.revert} has no parent to go back to", 409)
    before = _commit(clone, bad.parents[0])
    head = _commit(clone, clone.head)
    back = []
    for file in change.files:
        left, now = _entry(clone, bad.tree, file), _entry(clone, head.tree, file)
        if left != now:
            message = f"{file} is not as {change.revert[:10]} has left it"
            raise RemoteError(message, 409)
        mode, blob = _entry(clone, before.tree, file) or (None, None)
        back.append((file.encode(), mode, blob))
    made = objects.Commit()
    made.tree = object_store.commit_tree_changes(clone.repo.object_store, head.tree, back)
    made.parents = [head.id]
    made.author = made.committer = f"{wanted.author_name} <{wanted.author_email}>".encode()
    made.author_time = made.commit_time = int(time.time())
    made.author_timezone = made.commit_timezone = 0
    made.encoding = b"UTF-8"
    made.message = f"{change.message}\n\n{gitops.TRAILER}: {mark}\n".encode()
    clone.repo.object_store.add_object(made)
    return made.id
