"""YAML documents that remember the line of every field.

A document is composed to nodes before it is constructed: the nodes know their lines and
still show what construction hides, such as a key that is written twice.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping

import yaml

from prunella.cli.lint import findings
from prunella.cli.lint.findings import Finding, Note, Path, Severity

MOST_NODES = 100_000
"""Nodes of one document after its aliases are followed: a few lines can make billions."""


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """One YAML document, or one item of a ``List``, with the lines of its fields."""

    file: str
    content: object
    lines: Mapping[Path, int]
    root: Path = ()
    notes: tuple[Note, ...] = ()
    """What was found while reading: keys written twice, values that JSON doesn't know."""

    def line(self, path: Path) -> int:
        """The line of a field; of its nearest parent when it is not written."""
        whole = self.root + path
        while whole and whole not in self.lines:
            whole = whole[:-1]
        return self.lines.get(whole, 1)

    def has(self, path: Path) -> bool:
        """Whether the field is written in the file."""
        return self.root + path in self.lines

    def place(self, note: Note) -> Finding:
        """A note with its line."""
        return Finding(
            self.file,
            self.line(note.path),
            findings.show_path(note.path),
            note.severity,
            note.rule,
            note.message,
        )

    def items(self) -> Iterator[Document]:
        """The document itself, or its items when it is a ``List``."""
        content = self.content
        if not (isinstance(content, dict) and content.get("kind") == "List"):
            yield self
            return
        items = content.get("items")
        for index, item in enumerate(items if isinstance(items, list) else ()):
            root = ("items", index)
            notes = tuple(
                dataclasses.replace(note, path=note.path[2:])
                for note in self.notes
                if note.path[:2] == root
            )
            yield dataclasses.replace(self, content=item, root=root, notes=notes)


def read(file: str, text: str) -> tuple[list[Document], list[Finding]]:
    """All documents of a file that are not empty, and what makes the file unreadable.

    A syntax error ends the file: the documents before it are returned.
    """
    documents: list[Document] = []
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                continue
            walk = _Walk(node)
            content = loader.construct_document(node)
            walk.notes.extend(_not_json(content, ()))
            if content is not None:
                documents.append(Document(file, content, walk.lines, (), tuple(walk.notes)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        message = ", ".join(part for part in (error.context, error.problem) if part)
        return documents, [_unreadable(file, line, message)]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return documents, [_unreadable(file, 1, str(error).splitlines()[0])]
    return documents, []


def _unreadable(file: str, line: int, message: str) -> Finding:
    return Finding(file, line, "", Severity.ERROR, "yaml", f"not YAML: {message}")


class _Walk:
    """Collects lines and doubled keys of one document's nodes."""

    def __init__(self, root: yaml.Node) -> None:
        self.lines: dict[Path, int] = {}
        self.notes: list[Note] = []
        self._count = 0
        self._open: set[int] = set()
        self._visit(root, (), root.start_mark.line + 1)

    def _visit(self, node: yaml.Node, path: Path, line: int) -> None:
        self._count += 1
        if self._count > MOST_NODES:
            raise ValueError(f"more than {MOST_NODES} values: too many aliases")
        if id(node) in self._open:
            raise ValueError(f"{findings.show_path(path)} contains itself through an alias")
        self.lines.setdefault(path, line)
        self._open.add(id(node))
        if isinstance(node, yaml.MappingNode):
            self._visit_mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._visit(item, (*path, index), item.start_mark.line + 1)
        self._open.discard(id(node))

    def _visit_mapping(self, node: yaml.MappingNode, path: Path) -> None:
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == "tag:yaml.org,2002:merge":
                for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    self._visit(merged, path, line)
                continue
            name = str(key.value)
            if name in seen:
                message = f"{name} is written twice, first in line {seen[name]}"
                self.notes.append(findings.error("duplicate-key", (*path, name), message))
                self.lines[*path, name] = line
            seen.setdefault(name, line)
            self._visit(value, (*path, name), line)


def _not_json(value: object, path: Path) -> Iterator[Note]:
    """Values that YAML knows and the API server does not."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                message = f"the key {key!r} must be text: write it in quotes"
                yield findings.error("not-json", path, message)
            yield from _not_json(item, (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _not_json(item, (*path, index))
    elif isinstance(value, float) and not math.isfinite(value):
        yield findings.error("not-json", path, f"{value} is not a number that JSON knows")
    elif value is not None and not isinstance(value, str | int | float):
        message = f"{value} is read as a {type(value).__name__}: write it in quotes"
        yield findings.error("not-json", path, message)
