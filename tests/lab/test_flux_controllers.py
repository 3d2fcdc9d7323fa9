"""Flux's own controllers in a lab: how they are started, without them."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from lab import binaries, config, flux_controllers, processes
from lab.cluster import Lab
from lab.layout import Layout

NAMES = ["source-controller", "kustomize-controller"]


class Machine:
    """What was started, applied and asked for; nothing of it is done."""

    def __init__(self, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        names = config.Ports.__dataclass_fields__
        ports = config.Ports(**{name: 20000 + index for index, name in enumerate(names)})
        self.lab = Lab(Layout("one", folder / "one"), ports)
        self.running: dict[int, str] = {}
        self.started: dict[str, list[str]] = {}
        self.environments: list[dict[str, str]] = []
        self.asked: list[str] = []
        self.applied: list[str] = []
        cache = folder / "cache"
        monkeypatch.setattr(binaries, "locate", lambda name: cache / name)
        monkeypatch.setattr(binaries, "sources", lambda each: cache / f"{each.name}-sources")
        monkeypatch.setattr(processes, "owned", lambda _folder: self.running)
        monkeypatch.setattr(processes, "start", self._start)
        monkeypatch.setattr(processes, "wait_for", lambda url, _log: self.asked.append(url))
        monkeypatch.setattr(Lab, "kubectl", self._kubectl)
        monkeypatch.setattr(Lab, "await_crds", lambda *_names: None)

    def _start(self, command: list[str], _log: pathlib.Path, **environment: str) -> None:
        self.started[pathlib.Path(command[0]).name] = command
        self.environments.append(environment)

    def _kubectl(self, *arguments: str, **_options: Any) -> None:
        self.applied.append(arguments[-1])


@pytest.fixture
def machine(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A lab that was never started, on a machine where both are built."""
    return Machine(tmp_path, monkeypatch)


def test_both_are_started_with_their_kinds(machine: Machine) -> None:
    """Their definitions come with their modules, their rights from the lab's kubeconfig."""
    flux_controllers.start(machine.lab)

    assert NAMES == list(machine.started)
    bases = [pathlib.Path(each) for each in machine.applied]
    assert [f"{name}-sources" for name in NAMES] == [each.parents[2].name for each in bases]
    assert {"bases"} == {each.name for each in bases}
    assert [{"KUBECONFIG": str(machine.lab.kubeconfig)}] * 2 == machine.environments
    assert all(url.endswith("/readyz") for url in machine.asked)
    assert 2 == len(machine.asked)


def test_the_lab_knows_them_as_its_own(machine: Machine) -> None:
    """They run by a path in its folder: who ends the lab ends them, too."""
    flux_controllers.start(machine.lab)

    folder = machine.lab.layout.folder
    for name, command in machine.started.items():
        assert folder in pathlib.Path(command[0]).parents
        assert name == pathlib.Path(command[0]).readlink().name
        assert name in processes.PROGRAMS


def test_they_listen_on_this_machine_only(machine: Machine) -> None:
    """Each address is one of 127.0.0.1, and no two are the same."""
    flux_controllers.start(machine.lab)

    options = [each for command in machine.started.values() for each in command[1:]]
    told = dict(
        each.split("=", 1) for each in options if "-addr=" in each and "metrics" not in each
    )
    addresses = [each.partition("=")[2] for each in options if each.startswith("--health-addr=")]
    addresses += [told["--storage-addr"]]
    assert told["--storage-addr"] == told["--storage-adv-addr"]
    assert all(each.startswith("127.0.0.1:") for each in addresses)
    assert 3 == len(set(addresses))


def test_what_runs_is_left_running(machine: Machine) -> None:
    """A second story of the same lab finds both."""
    machine.running = dict(enumerate(NAMES, 100))

    flux_controllers.start(machine.lab)

    assert {} == machine.started
