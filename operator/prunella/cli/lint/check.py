"""All checks of all documents of a file, in order."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

from prunella.cli.errors import CliError
from prunella.cli.lint import (
    alert_rules,
    detector_rules,
    documents,
    raw_queries,
    rules,
    schema,
    signal_rules,
    trigger_rules,
    when_rules,
    window_rules,
)
from prunella.cli.lint.documents import Document
from prunella.cli.lint.findings import Finding, Note, Severity
from prunella.cli.lint.policy import Data, Policy

STANDARD_INPUT = "-"
SUFFIXES = frozenset({".yaml", ".yml", ".json"})
MARKS = (schema.GROUP, schema.KIND)
"""A file of a folder is read when it holds one of these: others may be templates of anything."""


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """The findings of a run, by file and line, and how much was checked."""

    findings: tuple[Finding, ...] = ()
    files: int = 0
    policies: int = 0
    skipped: int = 0
    """Documents of other kinds."""

    def count(self, severity: Severity) -> int:
        """How many findings are of this severity."""
        return sum(finding.severity is severity for finding in self.findings)

    def __add__(self, other: Report) -> Report:
        return Report(
            self.findings + other.findings,
            self.files + other.files,
            self.policies + other.policies,
            self.skipped + other.skipped,
        )


def check_text(file: str, text: str, scrape_seconds: float, data: Data | None = None) -> Report:
    """Check every policy of one file; other documents are counted and left.

    ``data`` holds samples of what the queries read. Raises CliError where they can't be read.
    """
    found, broken = documents.read(file, text)
    findings: list[Finding] = list(broken)
    ours = skipped = 0
    for document in (item for whole in found for item in whole.items()):
        if not schema.is_ours(document):
            skipped += 1
            continue
        ours += 1
        findings.extend(map(document.place, _check_document(document, scrape_seconds, data)))
    return Report(tuple(sorted(findings)), 1, ours, skipped)


def _check_document(document: Document, scrape_seconds: float, data: Data | None) -> Iterator[Note]:
    content = document.content
    assert isinstance(content, dict)  # noqa: S101 - is_ours has seen to it
    yield from document.notes
    identity = schema.check_identity(content)
    if identity:
        yield from identity
        return
    yield from schema.check_metadata(content)
    spec, notes = schema.check_spec(document)
    unparsed = list(raw_queries.check(content))
    yield from notes
    yield from unparsed
    if spec is None:
        return
    metadata = content.get("metadata")
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    policy = Policy(document, str(namespace or ""), spec, scrape_seconds)
    of_queries = (
        () if unparsed else (*signal_rules.RULES, *detector_rules.RULES, *alert_rules.RULES)
    )
    of_policies = (*rules.RULES, *when_rules.RULES, *trigger_rules.RULES, *window_rules.RULES)
    for rule in (*of_policies, *of_queries):
        yield from rule(policy)
    if data is not None and not unparsed:
        from prunella.cli.lint import data_rules  # noqa: PLC0415 - it loads the backtest

        yield from data_rules.check(policy, data)


def texts(names: Sequence[str], stdin: str) -> Iterator[tuple[str, str]]:
    """Name and text of every file; folders are searched, ``-`` is ``stdin``.

    Raises CliError when a file is not there or can't be read.
    """
    for name in names:
        if name == STANDARD_INPUT:
            yield "<stdin>", stdin
            continue
        path = pathlib.Path(name)
        if path.is_dir():
            yield from _folder(path)
        else:
            yield name, _read(path)


def _folder(folder: pathlib.Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in SUFFIXES and path.is_file():
            text = _read(path)
            if any(mark in text for mark in MARKS):
                yield str(path), text


def _read(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CliError(f"can't read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CliError(f"can't read {path}: not UTF-8 text (byte {error.start})") from error
