"""The shop's alert rules, by Prometheus' own checker."""

from __future__ import annotations

import pathlib
import subprocess

import pytest
import yaml

from lab import addons, binaries

RULES = sorted(addons.SHOP_RULES.glob("*.yaml"))
CASES = sorted((pathlib.Path(__file__).parent / "rules").glob("*.yaml"))
LONGEST_SECONDS = 30


def _promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        program = str(binaries.locate("promtool"))
    except binaries.LabError as error:
        pytest.skip(str(error))
    return subprocess.run(  # noqa: S603
        [program, *arguments], capture_output=True, text=True, check=False
    )


def test_rules_are_valid() -> None:
    """Expressions parse, templates expand, and no two rules are the same."""
    done = _promtool("check", "rules", "--lint=all", "--lint-fatal", *map(str, RULES))

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda path: str(path.stem))
def test_rules_fire_when_they_should(case: pathlib.Path) -> None:
    """Each case of the file has series, and the alerts that fire on them."""
    done = _promtool("test", "rules", str(case))

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_of_rules_has_cases() -> None:
    """A file of rules without a test would be noticed by nobody."""
    assert [each.name for each in RULES] == [each.name for each in CASES]


@pytest.mark.parametrize("path", RULES, ids=lambda path: str(path.stem))
def test_alerts_say_what_is_wrong_and_fire_soon(path: pathlib.Path) -> None:
    """Each has a severity, a summary and a description, and waits at most half a minute."""
    groups = yaml.safe_load(path.read_text())["groups"]
    for rule in (rule for group in groups for rule in group["rules"] if "alert" in rule):
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}, rule["alert"]
        assert {"summary", "description"} <= rule["annotations"].keys(), rule["alert"]
        assert int(rule.get("for", "0s").removesuffix("s")) <= LONGEST_SECONDS, rule["alert"]
