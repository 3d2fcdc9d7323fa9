"""`prunella test` as people and CI run it."""

from __future__ import annotations

import copy
import json
import pathlib
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.cli import conftest
from tests.unit.policytest import stories

GOOD = {"name": "it scales", "expect": {"effects": [stories.SCALED]}}
BAD = {"name": "it restarts", "expect": {"effects": [{"action": "restart"}]}}


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with a policy, and another file that is none of ours."""
    policy = {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": stories.POLICY,
    }
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy))
    (tmp_path / "values.yaml").write_text("replicas: {{ .Values.replicas }}\n")
    return tmp_path


def write(folder: pathlib.Path, *cases: dict[str, Any], **changes: Any) -> str:
    """A test file with these cases; returns its name."""
    test = {**copy.deepcopy(stories.TEST), "metadata": {"name": "checkout"}, **changes}
    path = folder / "checkout-test.yaml"
    path.write_text(yaml.safe_dump({**test, "cases": list(cases)}, sort_keys=False))
    return str(path)


def test_all_passed(run: conftest.Run, folder: pathlib.Path) -> None:
    """A table of all comparisons, a summary, code 0."""
    write(folder, GOOD)
    result = run("test", str(folder))

    assert (0, "") == (result.code, result.err)
    assert "cases: 1 passed, 0 failed" in result.out
    assert all(word in result.out for word in ("CASE", "it scales", "effect 1", "Pass"))
    assert "\x1b" not in result.out, "plain without a terminal"
    assert "│" not in result.out


def test_one_failed(run: conftest.Run, folder: pathlib.Path) -> None:
    """Code 1, and a line that an editor can jump to."""
    name = write(folder, GOOD, BAD)
    result = run("test", str(folder))
    text = pathlib.Path(name).read_text().splitlines()
    line = next(number for number, each in enumerate(text, 1) if "action: restart" in each)

    assert 1 == result.code
    assert "cases: 1 passed, 1 failed" in result.out
    expected = f"{name}:{line}: it restarts: effect 1 Deployment/checkout: expected restart, found "
    assert f"{expected}scale at 3m" in result.out


def test_only_what_failed(run: conftest.Run, folder: pathlib.Path) -> None:
    """The rest is counted and not shown."""
    write(folder, GOOD, BAD)
    result = run("test", str(folder), "--fail-only", "--jobs", "1")

    assert "it scales" not in result.out
    assert "cases: 1 passed, 1 failed" in result.out


def test_cases_can_be_chosen(run: conftest.Run, folder: pathlib.Path) -> None:
    """By a pattern of their names."""
    name = write(folder, GOOD, BAD)

    assert "cases: 1 passed, 0 failed" in run("test", name, "--case", "*scales").out
    nothing = run("test", name, "--case", "other")
    assert (2, f"error: no case of a PolicyTest in {name}\n") == (nothing.code, nothing.err)


def test_json(run: conftest.Run, folder: pathlib.Path) -> None:
    """Everything that the table shows, for programs."""
    name = write(folder, GOOD, BAD)
    result = run("test", name, "-o", "json")
    found = json.loads(result.out)

    assert (1, 1, 1) == (result.code, found["passed"], found["failed"])
    (test,) = found["tests"]
    assert (name, "checkout") == (test["file"], test["name"])
    assert [("it scales", True), ("it restarts", False)] == [
        (case["name"], case["passed"]) for case in test["cases"]
    ]
    (check,) = test["cases"][1]["checks"]
    assert ("effect 1", False, "restart") == (check["check"], check["passed"], check["expected"])
    assert check["line"] > 1


def test_junit(run: conftest.Run, folder: pathlib.Path) -> None:
    """A suite for each file, a test case for each case."""
    written = folder / "results.xml"
    assert 1 == run("test", write(folder, GOOD, BAD), "--junit", str(written)).code

    (suite,) = ElementTree.fromstring(written.read_text())  # noqa: S314 - written by us
    assert ("checkout", "2", "1") == tuple(
        suite.get(each) for each in ("name", "tests", "failures")
    )
    good, bad = suite
    assert [] == list(good)
    (failure,) = bad
    assert "it restarts" == bad.get("name")
    assert "expected restart, found scale" in (failure.get("message") or "")


def test_junit_into_no_folder(run: conftest.Run, folder: pathlib.Path) -> None:
    """A folder that is not there is named."""
    path = folder / "none" / "results.xml"
    result = run("test", write(folder, GOOD), "--junit", str(path))

    assert (2, f"error: can't write {path}: No such file or directory\n") == (
        result.code,
        result.err,
    )


SLIPS: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown field": (
        {"cases": [{**GOOD, "expcet": {}}]},
        "expcet",
        "cases[0].expcet: unknown field expcet; did you mean expect?",
    ),
    "a field that is missing": ({"cases": [{"name": "x"}]}, "name: x", "expect is missing"),
    "no verdict": (
        {"cases": [{"name": "x", "expect": {"checks": [{"at": "1m", "verdict": "Ill"}]}}]},
        "verdict: Ill",
        "cases[0].expect.checks[0].verdict: input should be 'Healthy', 'Unhealthy' or 'Unknown'",
    ),
    "no time": (
        {"cases": [{"name": "x", "expect": {"checks": [{"at": "later", "refused": ""}]}}]},
        "at: later",
        "must be a time such as 90s",
    ),
    "no notation": (
        {"series": [{"metric": "load", "values": "1..2"}]},
        "metric: load",
        "'1..2' is not in the series notation",
    ),
    "a target that is not there": (
        {"cases": [{"name": "x", "events": [{"at": "1m", "delete": "cart"}], "expect": {}}]},
        "at: 1m",
        "Deployment/cart is not among the objects: Deployment/checkout",
    ),
    "a policy file without a policy": (
        {"policies": ["checkout-test.yaml"]},
        "- checkout-test.yaml",
        "no RemediationPolicy in ",
    ),
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_told_with_its_line(run: conftest.Run, folder: pathlib.Path, name: str) -> None:
    """Code 2; one line for each problem, with file, line and what is wrong."""
    changes, place, message = SLIPS[name]
    cases = changes.get("cases", [GOOD])
    others = {field: value for field, value in changes.items() if field != "cases"}
    file = write(folder, *cases, **others)
    lines = pathlib.Path(file).read_text().splitlines()
    line = next(number for number, each in enumerate(lines, 1) if place in each)
    result = run("test", str(folder))

    assert (2, "") == (result.code, result.out)
    first, *rest = result.err.splitlines()
    assert "error: nothing was run:" == first
    assert rest[0].startswith(f"{file}:{line}: ")
    assert message in rest[0]


def test_a_slip_in_the_policy_is_told_with_its_line(
    run: conftest.Run, folder: pathlib.Path
) -> None:
    """What the operator would refuse is refused here too."""
    write(folder, GOOD)
    policy = folder / "policy.yaml"
    policy.write_text(policy.read_text().replace("threshold:", "treshold:"))
    result = run("test", str(folder))

    assert 2 == result.code
    assert "did you mean threshold?" in result.err
    assert f"\n{policy}:" in result.err


UNUSABLE = {
    "not YAML": "kind: PolicyTest\n a: [",
    "a key twice": "kind: PolicyTest\nkind: PolicyTest\n",
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_file_that_is_no_test(run: conftest.Run, folder: pathlib.Path, name: str) -> None:
    """The file and a line are named."""
    path = folder / "x.yaml"
    path.write_text(UNUSABLE[name])
    result = run("test", str(folder))

    assert 2 == result.code
    assert f"\n{path}:2: " in result.err


def test_hidden_folders_are_left_alone(run: conftest.Run, folder: pathlib.Path) -> None:
    """They hold environments and caches, and other people's tests."""
    hidden = folder / ".venv"
    hidden.mkdir()
    (hidden / "x.yaml").write_text("kind: PolicyTest\n")
    write(folder, GOOD)

    assert 0 == run("test", str(folder)).code


def test_several_at_a_time(run: conftest.Run, folder: pathlib.Path) -> None:
    """In processes of their own; the results are the same, in the order of the file."""
    cases = [{**GOOD, "name": f"{number}"} for number in range(3)]
    name = write(folder, *cases, BAD)
    result = run("test", name, "-o", "json", "-j", "2")
    (found,) = json.loads(result.out)["tests"]

    assert ["0", "1", "2", "it restarts"] == [case["name"] for case in found["cases"]]
    assert [True, True, True, False] == [case["passed"] for case in found["cases"]]


def test_nothing_to_test(run: conftest.Run, folder: pathlib.Path) -> None:
    """A check that checks nothing is not green."""
    result = run("test", str(folder))

    assert conftest.Result(2, "", f"error: no case of a PolicyTest in {folder}\n") == result


def test_a_file_that_is_not_there(run: conftest.Run, tmp_path: pathlib.Path) -> None:
    """It is named."""
    path = tmp_path / "none.yaml"
    result = run("test", str(path))

    assert (
        conftest.Result(2, "", f"error: can't read {path}: No such file or directory\n") == result
    )


def test_a_story_that_can_not_be_told(run: conftest.Run, folder: pathlib.Path) -> None:
    """An object that the API server would refuse: file, line and case are named."""
    bad = {
        "kind": "Deployment",
        "metadata": {"name": "bad"},
        "spec": {
            "selector": {"matchLabels": {"app": "x"}},
            "template": {"metadata": {"labels": {"app": "y"}}, "spec": {"containers": [{}]}},
        },
    }
    name = write(folder, {**GOOD, "objects": [bad]}, GOOD | {"name": "other"})
    result = run("test", name)

    assert 2 == result.code
    assert result.err.startswith(f"error: {name}:")
    assert "it scales: Deployment/bad can't be created: " in result.err
