"""Bringing a lab up and down, with fakes in place of its programs."""

from __future__ import annotations

import json
import pathlib
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from lab import __main__ as cli
from lab import binaries, cluster, lifecycle, processes
from lab.binaries import LabError
from tests.lab import conftest

Spawn = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def spawn(tmp_path: pathlib.Path, start: conftest.Start) -> Spawn:
    """Start a process that looks like a program of the lab ``one``."""
    return lambda program: start(tmp_path / "labs" / "one" / "bin" / program)


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The folder of lab ``one`` on a machine where every program is built and starts at once."""
    monkeypatch.setenv("PRUNELLA_LAB_DIR", str(tmp_path / "labs"))
    monkeypatch.delenv("PRUNELLA_LAB", raising=False)
    monkeypatch.setattr(lifecycle, "_require_kubectl", lambda: None)
    monkeypatch.setattr(binaries, "build_all", lambda _say: tmp_path)
    monkeypatch.setattr(binaries, "locate", lambda name: tmp_path / name)
    for stage in ("_create_cluster", "_finish", "_kwokctl", "_await_namespace_defaults"):
        monkeypatch.setattr(lifecycle, stage, lambda *_: None)
    for method in ("start_prometheus", "start_alertmanager", "apply", "kubectl", "wait_ready"):
        monkeypatch.setattr(cluster.Lab, method, lambda *_, **__: None)
    return tmp_path / "labs" / "one"


def _silent(_text: str) -> None:
    """Say nothing."""


STAGES: dict[str, tuple[object, str]] = {
    "writing configuration": (lifecycle, "_write_configuration"),
    "creating the cluster": (lifecycle, "_create_cluster"),
    "starting prometheus": (cluster.Lab, "start_prometheus"),
    "waiting for kwokctl": (lifecycle, "_finish"),
    "adding nodes": (lifecycle, "_kwokctl"),
    "applying metrics": (cluster.Lab, "apply"),
    "waiting for readiness": (cluster.Lab, "wait_ready"),
    "writing lab.json": (lifecycle, "_write_state"),
}


@pytest.mark.parametrize("reason", [KeyboardInterrupt(), SystemExit(143), LabError("no")], ids=repr)
@pytest.mark.parametrize("stage", STAGES)
def test_interrupted_start_leaves_nothing_behind(
    stage: str,
    reason: BaseException,
    folder: pathlib.Path,
    spawn: Spawn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At every stage, whatever ends the start, its processes and its folder are gone after it."""

    def interrupted(*_arguments: object, **_options: object) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "half-written").touch()
        spawn("etcd")
        raise reason

    owner, name = STAGES[stage]
    monkeypatch.setattr(owner, name, interrupted)

    with pytest.raises(type(reason)):
        lifecycle.up("one", say=_silent)

    assert processes.owned(folder) == {}
    assert not folder.parent.exists()


def test_finished_start_is_recorded(folder: pathlib.Path) -> None:
    """lab.json tells where everything is, and Lab.load reads it back."""
    started = lifecycle.up("one", nodes=2, say=_silent)
    state = json.loads((folder / "lab.json").read_text())

    assert started == cluster.Lab.load("one")
    assert started.endpoints().items() <= state.items()
    assert (state["nodes"], state["versions"]["kube-apiserver"]) == (2, "1.35.4")


def test_up_twice_starts_once(
    folder: pathlib.Path, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second start finds the first one's programs and touches nothing."""
    first = lifecycle.up("one", say=_silent)
    for program in lifecycle.COMPONENTS:
        spawn(program)
    before = (folder / "lab.json").stat().st_mtime_ns
    monkeypatch.setattr(lifecycle, "_start", lambda *_, **__: pytest.fail("started again"))

    assert first == lifecycle.up("one", say=_silent)
    assert before == (folder / "lab.json").stat().st_mtime_ns


def test_lab_without_a_shop_does_not_become_one_with(folder: pathlib.Path, spawn: Spawn) -> None:
    """Kwok's nodes are settled when a lab is made; the error says to take it down."""
    lifecycle.up("one", say=_silent)
    for program in lifecycle.COMPONENTS:
        spawn(program)

    with pytest.raises(LabError, match=r"without --shop: run `python -m lab down --name one`"):
        lifecycle.up("one", shop=True, say=_silent)
    assert (folder / "lab.json").exists()


def test_lab_with_a_shop_is_found_again(folder: pathlib.Path, spawn: Spawn) -> None:
    """The second start finds what the first one noted."""
    first = lifecycle.up("one", shop=True, say=_silent)
    for program in lifecycle.COMPONENTS:
        spawn(program)

    assert first == lifecycle.up("one", shop=True, say=_silent)
    assert json.loads((folder / "lab.json").read_text())["shop"] is True


def test_stopped_prometheus_is_started_again(
    folder: pathlib.Path, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that stopped Prometheus and died does not cost a whole new lab."""
    lifecycle.up("one", say=_silent)
    for program in lifecycle.COMPONENTS:
        if program != "prometheus":
            spawn(program)
    restarted: list[str] = []
    monkeypatch.setattr(cluster.Lab, "start_prometheus", lambda lab: restarted.append(lab.name))

    lifecycle.up("one", say=_silent)

    assert restarted == ["one"]
    assert (folder / "lab.json").exists()


def test_leftovers_of_a_killed_start_are_cleared_first(folder: pathlib.Path, spawn: Spawn) -> None:
    """A start that was killed hard could not clear up; the next one does it."""
    (folder / "kwok").mkdir(parents=True)
    leftover = spawn("etcd")

    lifecycle.up("one", say=_silent)

    assert not (folder / "kwok").exists()
    assert leftover.wait(timeout=5) != 0


def test_down_ends_processes_and_removes_the_folder(folder: pathlib.Path, spawn: Spawn) -> None:
    """Down ends even what no file tells about, and says how much it was."""
    lifecycle.up("one", say=_silent)
    spawn("kube-apiserver")
    said: list[str] = []

    lifecycle.down("one", say=said.append)
    lifecycle.down("one", say=said.append)

    assert said == ["lab one is down (1 processes ended)", "lab one was not up"]
    assert not folder.exists()


def test_down_leaves_the_neighbour_alone(folder: pathlib.Path) -> None:
    """Two labs stand side by side in one root."""
    lifecycle.up("one", say=_silent)
    lifecycle.up("two", say=_silent)

    lifecycle.down("one", say=_silent)

    assert (folder.parent / "two" / "lab.json").exists()


@pytest.mark.parametrize(
    ("missing", "expected"),
    [pytest.param(None, True, id="all"), *((name, False) for name in lifecycle.COMPONENTS)],
)
def test_lab_is_up_only_when_every_program_runs(
    missing: str | None, expected: bool, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One stopped program is enough for status to say no."""
    lifecycle.up("one", say=_silent)
    running = {n: name for n, name in enumerate(lifecycle.COMPONENTS) if name != missing}
    monkeypatch.setattr(processes, "owned", lambda _folder: running)

    assert expected == lifecycle.status("one").is_up
    assert folder.exists()


@pytest.mark.parametrize("name", ["Upper", "-dash", "dash-", "a/b", "..", "x" * 31])
def test_unusable_names_are_refused(name: str, folder: pathlib.Path) -> None:
    """A name becomes a folder and a cluster's name; the message says what is allowed."""
    with pytest.raises(LabError, match="cannot name a lab: use up to 30 of a-z"):
        lifecycle.up(name, say=_silent)
    assert not folder.parent.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, r"run `python -m lab up --name one`", id="absent"),
        pytest.param("{", r"lab.json cannot be read", id="cut off"),
        pytest.param('{"ports": {"etcd": 1}}', r"`python -m lab down --name one`", id="old"),
    ],
)
def test_loading_what_is_not_a_lab_says_what_to_do(
    text: str | None, message: str, folder: pathlib.Path
) -> None:
    """Absent, cut off and outdated lab.json files each lead to a command to run."""
    folder.mkdir(parents=True)
    if text is not None:
        (folder / "lab.json").write_text(text)

    with pytest.raises(LabError, match=message):
        cluster.Lab.load("one")


def test_environment_chooses_the_lab(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PRUNELLA_LAB is the name when none is given."""
    monkeypatch.setenv("PRUNELLA_LAB", "one")

    assert folder == lifecycle.status().layout.folder


def test_audit_events_span_rotated_files_and_skip_a_line_in_writing(folder: pathlib.Path) -> None:
    """Records come oldest first, and a line that is not finished yet is no error."""
    lab = lifecycle.up("one", say=_silent)
    logs = lab.audit_log.parent
    logs.mkdir(parents=True)
    (logs / "audit-2026-01-02T00-00-00.000.log").write_text('{"n": 2}\n')
    (logs / "audit-2026-01-01T00-00-00.000.log").write_text('{"n": 1}\n')
    (logs / "audit.log").write_text('{"n": 3}\n{"n": 4')

    assert [event["n"] for event in lab.audit_events()] == [1, 2, 3]
    assert folder.exists()


def test_token_kubeconfig_keeps_the_cluster_and_drops_the_certificate() -> None:
    """A client that has the token must have nothing of the administrator's."""
    here = {"name": "here", "cluster": {"server": "https://127.0.0.1:1"}}
    admin: dict[str, Any] = {
        "current-context": "b",
        "contexts": [
            {"name": "a", "context": {"cluster": "there", "user": "admin"}},
            {"name": "b", "context": {"cluster": "here", "user": "admin"}},
        ],
        "clusters": [{"name": "there", "cluster": {}}, here],
        "users": [{"name": "admin", "user": {"client-key-data": "secret"}}],
    }

    document = cluster.with_token(admin, "abc", "shop")

    assert [here] == document["clusters"]
    assert document["users"] == [{"name": "token", "user": {"token": "abc"}}]
    assert document["contexts"][0]["context"]["namespace"] == "shop"
    assert "secret" not in json.dumps(document)


def test_status_of_no_lab_is_exit_1(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scripts can ask whether the lab is up."""
    assert cli.main(["status", "--name", "one"]) == 1
    assert capsys.readouterr().out == "lab one is not up\n"
    assert not folder.exists()


def test_errors_are_one_line(folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What goes wrong is told on stderr without a traceback."""
    assert cli.main(["up", "--name", "No"]) == 1
    assert capsys.readouterr().err.startswith("error: 'No' cannot name a lab")
    assert not folder.exists()
