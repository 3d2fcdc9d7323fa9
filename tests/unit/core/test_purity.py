"""The core, the actions and the detectors stay pure: what they import is held here."""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterator

import pytest

import prunella

ROOT = pathlib.Path(prunella.__file__).parent
PURE_ROOMS = ("core", "actions", "detectors")
FORBIDDEN = frozenset(
    {
        *("aiohttp", "asyncio", "concurrent", "http", "kopf", "kubernetes", "logging", "os"),
        *("prometheus_api_client", "prometheus_client", "random", "requests", "secrets"),
        *("signal", "socket", "subprocess", "threading", "time", "urllib", "uuid"),
    }
)
ROOMS_BELOW = {
    "core": {"api", "core"},
    "actions": {"api", "core", "actions"},
    "detectors": {"api", "core", "detectors"},
}
MODULES = [path for room in PURE_ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
CLOCK_READS = frozenset({"now", "utcnow", "today"})


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _impurities(source: str) -> list[str]:
    """What a module imports or calls that makes it depend on more than its arguments."""
    tree = ast.parse(source)
    found = [name for name in _imports(tree) if name.split(".")[0] in FORBIDDEN]
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef):
            found.append(f"async def {node.name}")
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute) and called.attr in CLOCK_READS:
                found.append(ast.unparse(called))
            if isinstance(called, ast.Name) and called.id in {"open", "print", "input"}:
                found.append(called.id)
    return found


def _name(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def test_there_are_modules_to_look_at() -> None:
    """All three rooms are found, or the tests below would prove nothing."""
    assert set(PURE_ROOMS) == {path.relative_to(ROOT).parts[0] for path in MODULES}
    assert ROOT / "core" / "decisions" / "step.py" in MODULES


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_pure_module_depends_on_its_arguments_alone(path: pathlib.Path) -> None:
    """No client, event loop, clock, chance, log or file is reached from a pure module."""
    assert _impurities(path.read_text()) == []


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_go_one_way(path: pathlib.Path) -> None:
    """A pure module imports only from its own room and the rooms below it."""
    rooms = {
        name.split(".")[1]
        for name in _imports(ast.parse(path.read_text()))
        if name.startswith("prunella.")
    }
    assert rooms <= ROOMS_BELOW[path.relative_to(ROOT).parts[0]]


@pytest.mark.parametrize(
    ("source", "expected"),
    {
        "a plain import": ("import time", ["time"]),
        "an import from": ("from kubernetes import client", ["kubernetes.client"]),
        "an import in a function": ("def f():\n    import random\n", ["random"]),
        "a submodule": ("import urllib.request", ["urllib.request"]),
        "the clock by another way": (
            "import datetime as d\nd.datetime.now(d.UTC)",
            ["d.datetime.now"],
        ),
        "a coroutine": ("async def f(): ...", ["async def f"]),
        "a file": ("open('x')", ["open"]),
        "nothing wrong": ("import datetime\nfrom prunella.core import model", []),
    }.values(),
)
def test_impurities_are_found(source: str, expected: list[str]) -> None:
    """The check itself sees what it is to see."""
    assert expected == _impurities(source)


def test_the_folder_of_the_operator_is_no_package() -> None:
    """With an ``__init__.py`` there it would hide the standard library's ``operator``."""
    assert not (ROOT.parent / "__init__.py").exists()
