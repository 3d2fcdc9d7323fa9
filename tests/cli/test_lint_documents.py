"""Reading YAML: lines, doubled keys, and what must not be read at all."""

from __future__ import annotations

import pytest

from prunella.cli.lint import documents, findings

BROKEN = {
    "syntax": ("a: b\nc: [1\n", "3 not YAML: while parsing a flow sequence"),
    "tab": ("a:\n\tb: 1\n", "2 not YAML: while scanning for the next token"),
    "unknown tag": ("a: !secret x\n", "1 not YAML: could not determine a constructor"),
    "control character": ("a: \x00\n", "1 not YAML: unacceptable character"),
    "date that is none": ("a: 2026-99-99\n", "1 not YAML: month must be in 1..12"),
    "itself": ("a: &a\n  b: *a\n", "1 not YAML: a.b contains itself through an alias"),
    "unhashable key": ("{[1]: 2}\n", "1 not YAML: while constructing a mapping"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_unreadable_files_name_the_line(name: str) -> None:
    """What is no YAML is one error at its line, never an exception."""
    text, expected = BROKEN[name]

    _, found = documents.read("file.yaml", text)

    assert 1 == len(found)
    shown = f"{found[0].line} {found[0].message}"
    assert shown.startswith(expected), shown
    assert ("file.yaml", "yaml") == (found[0].file, found[0].rule)


def test_documents_before_a_syntax_error_are_read() -> None:
    """One broken document does not hide what is wrong with those above it."""
    read, found = documents.read("file.yaml", "a: 1\n---\nb: [\n")

    assert [{"a": 1}] == [document.content for document in read]
    assert 1 == len(found)


def test_aliases_can_not_make_billions() -> None:
    """Ten lines of nested aliases are refused before they fill the memory."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

    _, found = documents.read("file.yaml", "\n".join(lines))

    assert [f"not YAML: more than {documents.MOST_NODES} values: too many aliases"] == [
        finding.message for finding in found
    ]


def test_deep_nesting_is_an_error() -> None:
    """Thousands of brackets exhaust no stack."""
    _, found = documents.read("file.yaml", "[" * 2000)

    assert 1 == len(found)


TEXT = """\
# a comment
kind: A
spec:
  list:
  - name: one
  - {name: two,
     value: 2}
---
kind: B
"""
LINES = {
    ("kind",): 2,
    ("spec", "list"): 4,
    ("spec", "list", 0, "name"): 5,
    ("spec", "list", 1): 6,
    ("spec", "list", 1, "value"): 7,
    ("spec", "list", 1, "missing"): 6,
    ("missing",): 2,
}


@pytest.mark.parametrize("path", LINES, ids=str)
def test_every_field_knows_its_line(path: findings.Path) -> None:
    """A field that is not written is placed at its nearest parent."""
    first = documents.read("file.yaml", TEXT)[0][0]

    assert LINES[path] == first.line(path)


def test_documents_know_their_place_in_the_file() -> None:
    """Lines count from the top of the file, empty documents are passed over."""
    read, _ = documents.read("file.yaml", f"---\n---\n{TEXT}")

    assert [4, 11] == [document.line(("kind",)) for document in read]


def test_merged_keys_have_the_line_of_the_merge() -> None:
    """A merge key is no second writing of what it brings."""
    text = "base: &base {a: 1}\nown:\n  <<: *base\n  b: 2\n"

    document = documents.read("file.yaml", text)[0][0]

    assert {"a": 1, "b": 2} == document.content["own"]  # type: ignore[index]
    assert 1 == document.line(("own", "a"))
    assert () == document.notes


NOT_JSON = {
    "date": ("a: 2026-03-01\n", "a: 2026-03-01 is read as a date: write it in quotes"),
    "nan": ("a: [.nan]\n", "a[0]: nan is not a number that JSON knows"),
    "bytes": ("a: !!binary aGk=\n", "a: b'hi' is read as a bytes: write it in quotes"),
    "number as key": ("a: {1: x}\n", "a: the key 1 must be text: write it in quotes"),
    "yes as key": ("yes: x\n", ": the key True must be text: write it in quotes"),
}


@pytest.mark.parametrize("name", NOT_JSON)
def test_values_that_json_does_not_know(name: str) -> None:
    """YAML can write what no API server reads."""
    text, expected = NOT_JSON[name]

    notes = documents.read("file.yaml", text)[0][0].notes

    assert [expected] == [f"{findings.show_path(note.path)}: {note.message}" for note in notes]
