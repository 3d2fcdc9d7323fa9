"""Finding, ending and asking the programs of a lab."""

from __future__ import annotations

import dataclasses
import http.server
import pathlib
import socket
import sys
import threading

import pytest

from lab import processes
from lab.binaries import LabError
from tests.lab import conftest

FOLDER = pathlib.Path("/labs/one")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(("/labs/one/bin/etcd", "--name=node0"), {7: "etcd"}, id="program-inside"),
        pytest.param(
            ("/cache/prometheus", "--config.file=/labs/one/prometheus/p.yaml"),
            {7: "prometheus"},
            id="argument-inside",
        ),
        pytest.param(("/cache/etcd", "--data-dir=/labs/one-more/etcd"), {}, id="longer-name"),
        pytest.param(("/cache/etcd", "--data-dir=/labs/two/etcd"), {}, id="other-lab"),
        pytest.param(("/usr/bin/tail", "-f", "/labs/one/kwokctl.log"), {}, id="somebody-reading"),
        pytest.param(("/usr/bin/etcd",), {}, id="reused-process-id"),
    ],
)
def test_process_is_ours_only_with_our_program_and_our_folder(
    arguments: tuple[str, ...], expected: dict[int, str]
) -> None:
    """A process that merely has a recorded id, or merely reads our files, is left alone."""
    assert expected == processes.owned(FOLDER, [(7, arguments)])


def test_end_all_ends_ours_and_leaves_the_others(
    tmp_path: pathlib.Path, start: conftest.Start
) -> None:
    """Only the processes of the folder are killed, whoever started them."""
    ours = [start(tmp_path / "one" / name) for name in ("kwokctl", "etcd")]
    other = start(tmp_path / "two" / "etcd")

    assert processes.end_all(tmp_path / "one") == 2
    assert processes.owned(tmp_path / "one") == {}
    assert all(process.wait(timeout=5) for process in ours)
    assert other.poll() is None


def test_end_all_finds_nothing_the_second_time(
    tmp_path: pathlib.Path, start: conftest.Start
) -> None:
    """Taking a lab down twice is fine."""
    start(tmp_path / "one" / "etcd")
    processes.end_all(tmp_path / "one")

    assert processes.end_all(tmp_path / "one") == 0


def test_end_stops_one_program_only(tmp_path: pathlib.Path, start: conftest.Start) -> None:
    """Stopping Prometheus leaves the control plane running."""
    start(tmp_path / "prometheus")
    etcd = start(tmp_path / "etcd")

    assert processes.end(tmp_path, "prometheus") == 1
    assert {etcd.pid: "etcd"} == processes.owned(tmp_path)


def test_end_all_names_what_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that cannot be killed is named, not waited for for ever."""
    monkeypatch.setattr(processes, "owned", lambda _folder: {4711: "etcd"})
    monkeypatch.setattr(processes, "_signal", lambda _pid, _number: None)

    with pytest.raises(LabError, match=r"by hand: etcd \(4711\)"):
        processes.end_all(FOLDER, within=0.0)


def test_free_ports_are_distinct_and_free() -> None:
    """No port is chosen twice, and each can be listened on."""
    chosen = dataclasses.astuple(processes.free_ports())

    assert len(chosen) == len(set(chosen))
    for port in chosen:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ready")

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def test_fetch_goes_past_a_configured_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment must not see requests to the lab."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with http.server.HTTPServer(("127.0.0.1", 0), _Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            assert processes.fetch(f"http://127.0.0.1:{server.server_port}/") == b"ready"
        finally:
            server.shutdown()


def test_wait_for_quotes_the_log_of_what_never_answered(tmp_path: pathlib.Path) -> None:
    """Whoever reads the error needs no second look for the reason."""
    log = tmp_path / "prometheus.log"
    log.write_text("one\ntwo\nport is taken\n")

    with pytest.raises(LabError, match="port is taken"):
        processes.wait_for("http://127.0.0.1:1/-/ready", log, within=0.0)


def test_missing_program_is_one_line_that_names_it() -> None:
    """A missing program is not a traceback."""
    with pytest.raises(LabError, match="no-such-program was not found: install it"):
        processes.run(["no-such-program"])


def test_failed_command_tells_what_it_said() -> None:
    """The error carries the command and its complaint, and check=False only returns them."""
    command = [sys.executable, "-c", "import sys; sys.exit('denied')"]

    with pytest.raises(LabError, match="denied"):
        processes.run(command)
    assert processes.run(command, check=False).returncode == 1
