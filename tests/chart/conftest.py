"""Render the chart with the real helm, as `helm install` would."""

from __future__ import annotations

import functools
import json
import pathlib
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from lab import binaries

CHART = pathlib.Path(__file__).parents[2] / "charts" / "prunella"
NAMESPACE = "prunella-system"

Document = dict[str, Any]
Helm = Callable[..., subprocess.CompletedProcess[str]]
Render = Callable[..., list[Document]]


@pytest.fixture(scope="session")
def helm() -> Helm:
    """Run helm with values given as a mapping; the chart's folder is the last argument."""
    program = _program()

    def run(*arguments: str, values: Document | None = None) -> subprocess.CompletedProcess[str]:
        command = [program, *arguments, str(CHART), "--kube-version", "1.35", "--values", "-"]
        text = yaml.safe_dump(values or {})
        return subprocess.run(  # noqa: S603 - our own command
            command, input=text, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture(scope="session")
def render(helm: Helm) -> Render:
    """The manifests for some values, each set of values rendered once."""

    @functools.cache
    def once(values: str) -> str:
        arguments = ("template", "prunella", "--namespace", NAMESPACE)
        done = helm(*arguments, values=json.loads(values))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def documents(**values: Any) -> list[Document]:
        text = once(json.dumps(values, sort_keys=True))
        return [document for document in yaml.safe_load_all(text) if document]

    return documents


def _program() -> str:
    try:
        return str(binaries.locate("helm"))
    except binaries.LabError as error:
        if (found := shutil.which("helm")) is None:
            pytest.skip(str(error))
        return found
