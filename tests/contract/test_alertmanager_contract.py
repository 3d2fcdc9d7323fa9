"""A real Alertmanager takes the escalations that are posted to it."""

from __future__ import annotations

import concurrent.futures
import datetime
import json
import pathlib
import subprocess
from collections.abc import Iterator

import pytest

from lab import binaries, processes
from prunella import ports, settings
from prunella.adapters import clock as clocks
from prunella.adapters.prometheus import alertmanager
from prunella.core import model, objects

ESCALATION = ports.Escalation(
    policy=objects.Key("shop", "checkout"),
    target=model.Ref("Deployment", "shop", "cart"),
    record="deployment-cart-abc-1",
    summary='"checkout" could not heal Deployment/cart\nand gives up',
    description="errors 0.12, above 0.05: é漢",
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An Alertmanager of our own, which pages nobody."""
    folder = tmp_path_factory.mktemp("alertmanager")
    config, log = folder / "alertmanager.yml", pathlib.Path(folder / "log")
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    address = f"127.0.0.1:{processes.free_ports().alertmanager}"
    command = [
        str(binaries.locate("alertmanager")),
        f"--config.file={config}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    process = processes.start(command, log)
    try:
        processes.wait_for(f"http://{address}/-/ready", log)
        yield f"http://{address}"
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def test_posted_twice_is_one_active_alert(url: str) -> None:
    """It is firing for hours, and a repeat after a lost answer pages nobody again."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        wanted = settings.Alertmanager(url=url)
        post = alertmanager.Alertmanager(wanted, clocks.RealClock(), executor)
        assert await post.escalate(ESCALATION)
        assert await post.escalate(ESCALATION)
        post.close()

    (alert,) = json.loads(processes.fetch(f"{url}/api/v2/alerts"))
    assert alert["status"]["state"] in {"active", "unprocessed"}
    assert alert["labels"] == {
        "alertname": "PrunellaEscalation",
        "namespace": "shop",
        "policy": "checkout",
        "target_kind": "Deployment",
        "target": "cart",
        "severity": "critical",
    }
    assert alert["annotations"] == {
        "summary": ESCALATION.summary,
        "description": ESCALATION.description,
        "remediation": ESCALATION.record,
    }
    starts, ends = (datetime.datetime.fromisoformat(alert[key]) for key in ("startsAt", "endsAt"))
    assert ends - starts >= datetime.timedelta(hours=4)


async def test_refused(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """What Alertmanager has against an alert is in the log."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        wanted = settings.Alertmanager(url=url, labels={"": "nameless"})
        post = alertmanager.Alertmanager(wanted, clocks.RealClock(), executor)
        assert not await post.escalate(ESCALATION)
        post.close()

    assert "HTTP 400" in caplog.text
