"""What other repositories use in CI calls commands and options that there are."""

from __future__ import annotations

import os
import pathlib
import shlex
import subprocess
import sys
from typing import Any

import pytest
import typer.main
import yaml

from prunella.cli import main

ROOT = pathlib.Path(__file__).parents[2]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
PLAYBOOK = ROOT / "playbooks" / "error-ratio-after-release"


@pytest.mark.parametrize("hook", HOOKS, ids=[hook["id"] for hook in HOOKS])
def test_a_hook_calls_a_command(hook: dict[str, Any]) -> None:
    """The command is there and takes these options."""
    program, command, *options = shlex.split(hook["entry"])
    group = typer.main.get_command(main.app)
    found = group.commands[command]  # type: ignore[attr-defined]
    known = {name for parameter in found.params for name in parameter.opts}

    assert ("prunella", "python") == (program, hook["language"])
    assert set(options) <= known


def script(name: str) -> str:
    """A step of the action."""
    return next(each["run"] for each in ACTION["runs"]["steps"] if each.get("name") == name)


def call(name: str, folder: pathlib.Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run a step as the runner does, with our own program in place of an installed one."""
    program = folder / "prunella" / "bin" / "prunella"
    program.parent.mkdir(parents=True)
    start = f"{sys.executable} -c 'from prunella.cli.main import main; main()'"
    program.write_text(f'#!/bin/sh\nexec {start} "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ,
        "RUNNER_TEMP": str(folder),
        "PYTHONPATH": str(ROOT / "operator"),
        **inputs,
    }
    return subprocess.run(  # noqa: S603 - our own
        ["bash", "-e", "-o", "pipefail", "-c", script(name)],  # noqa: S607 - as the runner
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_action_lints(tmp_path: pathlib.Path) -> None:
    """Several paths are several arguments."""
    policy = PLAYBOOK / "policy.yaml"
    result = call("Lint", tmp_path, PATHS=f"{policy} {policy}", STRICT="true")

    assert (0, "") == (result.returncode, result.stderr)


def test_the_action_tests(tmp_path: pathlib.Path) -> None:
    """The results are written where the input says."""
    junit = tmp_path / "results.xml"
    result = call("Test", tmp_path, PATHS=str(PLAYBOOK), JUNIT=str(junit))

    assert (0, "") == (result.returncode, result.stderr)
    assert "<testsuites>" in junit.read_text()


def test_a_path_is_never_run(tmp_path: pathlib.Path) -> None:
    """A text from a pull request is an argument and nothing more."""
    mark = tmp_path / "mark"
    result = call("Test", tmp_path, PATHS=f"$(touch${{IFS}}{mark}) --help", JUNIT="")

    assert 2 == result.returncode
    assert not mark.exists()


def test_inputs_reach_scripts_as_variables_only() -> None:
    """No expression is pasted into a script."""
    assert [] == [s for s in ACTION["runs"]["steps"] if "${{" in s.get("run", "")]
