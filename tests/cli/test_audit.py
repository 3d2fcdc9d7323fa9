"""`prunella audit`: an export that goes on, and a check that finds what was changed."""

from __future__ import annotations

import json
import pathlib

from tests.cli import conftest, fakes


def shop() -> fakes.FakeCluster:
    """Two ended remediations and one under way."""
    second = fakes.record_spec(attempt=2, decidedAt="2026-03-01T12:05:00Z")
    third = fakes.record_spec(attempt=3, decidedAt="2026-03-01T12:09:00Z")
    ended = {**fakes.succeeded_status(), "finishedAt": "2026-03-01T12:08:00Z"}
    return fakes.cluster(
        fakes.record("checkout-1"),
        fakes.record("checkout-2", spec=second, status=ended),
        fakes.record("checkout-3", spec=third, status={"phase": "Verifying"}),
    )


def test_it_exports_and_checks(run: conftest.Run, tmp_path: pathlib.Path) -> None:
    """The hash that the export tells is the one that the check finds."""
    file = tmp_path / "audit.jsonl"
    exported = run("audit", "--output", str(file), cluster=shop())
    checked = run("audit", "verify", str(file))
    last = exported.out.splitlines()[1].removeprefix("last hash ")

    assert f"2 remediations written to {file}, 2 in all" == exported.out.splitlines()[0]
    assert f"{file} is whole: 2 remediations" == checked.out.splitlines()[0]
    assert last in checked.out
    assert 0 == run("audit", "verify", str(file), "--expect", last).code


def test_a_second_export_goes_on(run: conftest.Run, tmp_path: pathlib.Path) -> None:
    """What is in the file is not written again; what has ended since is."""
    file, cluster = tmp_path / "audit.jsonl", shop()
    run("audit", "--output", str(file), cluster=cluster)
    cluster.objects[fakes.record_path("checkout-3")]["status"] = fakes.succeeded_status()
    again = run("audit", "--output", str(file), cluster=cluster)

    assert f"1 remediations written to {file}, 3 in all" == again.out.splitlines()[0]
    names = [json.loads(line)["name"] for line in file.read_text().splitlines()]
    assert ["checkout-1", "checkout-2", "checkout-3"] == names
    assert 0 == run("audit", "verify", str(file)).code


def test_since_leaves_out_what_is_older(run: conftest.Run, tmp_path: pathlib.Path) -> None:
    """The end of a remediation counts."""
    file = tmp_path / "audit.jsonl"
    run("audit", "--output", str(file), "--since", "5m", cluster=shop())

    assert ["checkout-2"] == [json.loads(x)["name"] for x in file.read_text().splitlines()]


def test_a_changed_file_is_found_and_not_continued(
    run: conftest.Run, tmp_path: pathlib.Path
) -> None:
    """Exit code 1, with the line that was changed."""
    file = tmp_path / "audit.jsonl"
    run("audit", "--output", str(file), cluster=shop())
    file.write_text(file.read_text().replace('"Succeeded"', '"Unhelpful"', 1))
    checked = run("audit", "verify", str(file))
    again = run("audit", "--output", str(file), cluster=shop())

    assert 1 == checked.code
    assert checked.err.startswith(f"error: {file}: line 1 was changed: its hash is ")
    assert (1, checked.err) == (again.code, again.err)


def test_missing_lines_at_the_end_are_found_by_the_last_hash(
    run: conftest.Run, tmp_path: pathlib.Path
) -> None:
    """Without the hash a shorter file is whole; with it it is not."""
    file = tmp_path / "audit.jsonl"
    exported = run("audit", "--output", str(file), cluster=shop())
    last = exported.out.splitlines()[1].removeprefix("last hash ")
    file.write_text(file.read_text().splitlines(keepends=True)[0])

    assert 0 == run("audit", "verify", str(file)).code
    told = run("audit", "verify", str(file), "--expect", last)
    assert 1 == told.code
    assert f"expected {last}: lines are missing at its end" in told.err


def test_a_file_that_ends_within_a_line_is_found(run: conftest.Run, tmp_path: pathlib.Path) -> None:
    """A disk that was full leaves half a line."""
    file = tmp_path / "audit.jsonl"
    run("audit", "--output", str(file), cluster=shop())
    file.write_text(file.read_text()[:-10])

    told = f"error: {file} ends within a line: it was not written to its end\n"
    assert conftest.Result(1, "", told) == run("audit", "verify", str(file))


def test_it_says_how_it_is_used(run: conftest.Run, tmp_path: pathlib.Path) -> None:
    """Without a file nothing is exported and nothing checked."""
    usage = "error: give --output FILE to export, or `verify FILE` to check one\n"
    since = "error: --since must be a duration such as 12h or 30d, found soon\n"
    given = ("audit", "--output", str(tmp_path / "x"), "--since", "soon")

    assert usage == run("audit", cluster=shop()).err
    assert since == run(*given, cluster=shop()).err
    assert "error: give the file: prunella audit verify FILE\n" == run("audit", "verify").err
    missing = run("audit", "verify", str(tmp_path / "none"))
    assert (2, True) == (missing.code, missing.err.startswith("error: can't read "))
