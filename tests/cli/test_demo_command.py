"""`prunella demo` plays on playgrounds, and elsewhere only when it is told to."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml

from prunella.demo import real
from tests.cli import conftest


def kubeconfig(folder: pathlib.Path, context: str) -> str:
    """A kubeconfig whose current context has this name."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {}}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return f"--kubeconfig={path}"


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the stage was asked to play on: Prometheus, kubeconfig, context."""
    asked: list[Any] = []

    async def play(_fault: object, _show: object, *where: object) -> bool:
        asked.append(where)
        return True

    monkeypatch.setattr(real, "play", play)
    return asked


PLAYGROUNDS = {
    "kind": ("kind-prunella", (), True),
    "the lab": ("kwok-default", (), True),
    "production": ("prod-eu", (), False),
    "a name with kind in it": ("mankind-prod", (), False),
    "production, meant": ("prod-eu", ("--yes",), True),
    "another context by option": ("kind-prunella", ("--context=prod-eu",), False),
    "a playground by option": ("prod-eu", ("--context=kind-prunella",), True),
}


@pytest.mark.parametrize("name", PLAYGROUNDS)
def test_production_is_not_played_on_by_mistake(
    run: conftest.Run, tmp_path: pathlib.Path, played: list[Any], name: str
) -> None:
    """Only kind and the lab are taken for playgrounds; the context decides, not the file."""
    context, options, plays = PLAYGROUNDS[name]
    result = run("demo", "--cluster=current", kubeconfig(tmp_path, context), *options)

    assert (0 if plays else 2, int(plays)) == (result.code, len(played))
    assert plays == ("--yes if you mean it" not in result.err)


def test_demo_runs_its_own_prometheus_unless_told(
    run: conftest.Run, tmp_path: pathlib.Path, played: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option and the variable name one that reports the pods already."""
    monkeypatch.delenv("PRUNELLA_PROMETHEUS", raising=False)
    file = kubeconfig(tmp_path, "kind-prunella")
    run("demo", "--cluster=current", file)
    run("demo", "--cluster=current", file, "--prometheus=http://127.0.0.1:9")

    assert [None, "http://127.0.0.1:9"] == [where[0] for where in played]


def test_no_cluster_is_one_line(run: conftest.Run, tmp_path: pathlib.Path) -> None:
    """Without a kubeconfig the demo says which one it looked for."""
    missing = tmp_path / "none"
    result = run("demo", "--cluster=current", f"--kubeconfig={missing}")

    assert (2, 1) == (result.code, len(result.err.splitlines()))
    assert str(missing) in result.err
