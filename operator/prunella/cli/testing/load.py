"""Finds and reads test files and the policies they name; what is wrong is told with its line."""

from __future__ import annotations

import dataclasses
import difflib
import pathlib
from collections.abc import Iterator, Sequence

import pydantic
from pydantic_core import ErrorDetails

from prunella.cli import errors
from prunella.cli.lint import check, documents, schema
from prunella.cli.lint.findings import Path, Severity, show_path
from prunella.core import objects
from prunella.policytest import cases, judge, references, timeline

SUFFIXES = frozenset({".yaml", ".yml"})
_DEFAULT_NAMESPACE = "default"
_SCRAPE_SECONDS = 15.0


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """Why a file can't be used."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclasses.dataclass(frozen=True, slots=True)
class TestFile:
    """One test that can be run."""

    __test__ = False  # for pytest: it is none of its own

    file: str
    test: cases.PolicyTest
    policies: tuple[timeline.Policy, ...]
    document: documents.Document

    @property
    def name(self) -> str:
        """What to call it."""
        return self.test.name or pathlib.Path(self.file).stem

    def line(self, number: int, path: judge.Path) -> int:
        """The line of something in the case of that number."""
        return self.document.line(("cases", number, *path))


def load(names: Sequence[str]) -> tuple[list[TestFile], list[Problem]]:
    """All tests of files and folders. Raises CliError when a file can't be read."""
    found: list[TestFile] = []
    problems: list[Problem] = []
    for path in _paths(names):
        for document, broken in _documents(path, whole=str(path) in names):
            problems += broken
            if document is not None:
                loaded = _load(path, document)
                if isinstance(loaded, TestFile):
                    found.append(loaded)
                else:
                    problems += loaded
    return found, problems


def _paths(names: Sequence[str]) -> Iterator[pathlib.Path]:
    for name in names:
        path = pathlib.Path(name)
        if not path.is_dir():
            yield path
            continue
        yield from (each for each in sorted(path.rglob("*")) if _may_be_test(path, each))


def _may_be_test(folder: pathlib.Path, path: pathlib.Path) -> bool:
    """Whether to look into a file of a folder; not in hidden ones, such as environments."""
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.suffix in SUFFIXES and not hidden and path.is_file()


def _documents(
    path: pathlib.Path, *, whole: bool
) -> Iterator[tuple[documents.Document | None, list[Problem]]]:
    """The tests in a file; of a folder's files only those that mention the kind are read."""
    text = _read(path)
    if not whole and f"kind: {cases.KIND}" not in text:
        return
    found, broken = documents.read(str(path), text)
    yield None, [Problem(each.file, each.line, each.message) for each in broken]
    for document in found:
        content = document.content
        if isinstance(content, dict) and content.get("kind") == cases.KIND:
            yield document, []


def _read(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise errors.CliError(f"can't read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise errors.CliError(f"can't read {path}: not UTF-8 text (byte {error.start})") from error


def _load(path: pathlib.Path, document: documents.Document) -> TestFile | list[Problem]:
    notes = [document.place(each) for each in document.notes if each.rule == "duplicate-key"]
    problems = [Problem(each.file, each.line, each.message) for each in notes]
    try:
        test = cases.PolicyTest.model_validate(document.content)
    except pydantic.ValidationError as error:
        return problems + _explain(document, error.errors())
    policies: list[timeline.Policy] = []
    for number, name in enumerate(test.policies):
        read, wrong = _policies(path.parent / name)
        if not read and not wrong:
            message = f"no RemediationPolicy in {path.parent / name}"
            wrong = [Problem(str(path), document.line(("policies", number)), message)]
        policies += read
        problems += wrong
    if problems:
        return problems
    problems = [
        Problem(str(path), document.line(where), message)
        for where, message in references.problems(test, policies)
    ]
    return problems or TestFile(str(path), test, tuple(policies), document)


def _policies(path: pathlib.Path) -> tuple[list[timeline.Policy], list[Problem]]:
    """The policies of a file, or what the operator would refuse in them."""
    text = _read(path)
    found = check.check_text(str(path), text, _SCRAPE_SECONDS).findings
    bad = [each for each in found if each.severity is Severity.ERROR]
    if bad:
        return [], [Problem(each.file, each.line, f"{each.path}: {each.message}") for each in bad]
    policies = []
    whole, _ = documents.read(str(path), text)
    for document in (item for each in whole for item in each.items()):
        content = document.content
        if not (schema.is_ours(document) and isinstance(content, dict)):
            continue
        spec, _ = schema.check_spec(document)
        if content.get("kind") == schema.CLUSTER_KIND:
            message = "policies on nodes can't be played: a test has no nodes"
            return [], [Problem(str(path), document.line(()), message)]
        if spec is not None:
            metadata = content["metadata"]
            namespace = str(metadata.get("namespace") or _DEFAULT_NAMESPACE)
            policies.append(timeline.Policy(objects.Key(namespace, metadata["name"]), spec))
    return policies, []


def _explain(document: documents.Document, found: Sequence[ErrorDetails]) -> list[Problem]:
    problems: dict[tuple[Path, str], Problem] = {}
    for error in found:
        path, message = _placed(document.content, error)
        where = f"{show_path(path)}: " if path else ""
        line = document.line(path)
        problems[path, message] = Problem(document.file, line, f"{where}{message}")
    return list(problems.values())


def _placed(content: object, error: ErrorDetails) -> tuple[Path, str]:
    """The part of pydantic's location that is in the file, and the message in our words."""
    path: list[str | int] = []
    for part in error["loc"]:
        inside = (isinstance(content, dict) and part in content) or (
            isinstance(content, list) and isinstance(part, int) and part < len(content)
        )
        if inside:
            path.append(part)
            content = content[part]  # type: ignore[index]
    if error["type"] == "missing":
        return tuple(path), f"{error['loc'][-1]} is missing"
    if error["type"] == "extra_forbidden":
        return tuple(path), f"unknown field {error['loc'][-1]}{_near(error['loc'])}"
    message = error["msg"].removeprefix("Value error, ")
    return tuple(path), message[0].lower() + message[1:]


def _near(location: tuple[str | int, ...]) -> str:
    """`` - did you mean X?`` for a field of any part of a test file."""
    near = difflib.get_close_matches(str(location[-1]), _FIELDS, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


_FIELDS = sorted(
    {
        field.alias or name
        for each in vars(cases).values()
        if isinstance(each, type) and issubclass(each, pydantic.BaseModel)
        for name, field in each.model_fields.items()
    }
)
