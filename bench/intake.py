"""How many alerts one core takes in by Alertmanager's webhook, and what it costs in memory.

    python -m bench.intake [--seconds 60] [--batch 50] [--senders 4]

A process of its own, kept to one core, has the operator's listener, its checks (bearer token,
schema, replay), the bounded queue, the mapping to owners in a shop of 500 workloads, and the table
of what fires; what it drains every second is counted and let go.  Senders on another core post as
fast as they are answered: each alert is of a pod that was not heard of before, fires once and
resolves once, so all that is bounded must prove it.  A 503 is sent again, as Alertmanager does.

Lost is what was answered with 200 and did not come out.  Not in it: correlation and diagnosis.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import datetime
import http.client
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / part) for part in ("", "operator")]

from prunella import settings  # noqa: E402 - after the path, so that a plain checkout runs
from prunella.adapters import clock as clocks  # noqa: E402
from prunella.adapters import telemetry  # noqa: E402
from prunella.adapters.intake import attribution, intake, server, webhook  # noqa: E402
from prunella.adapters.simulated import cluster as simulated  # noqa: E402
from prunella.core import model  # noqa: E402

TOKEN = "a-token-for-the-benchmark-only"
WORKLOADS = 500
GOAL, FLOOR = 2000, 500
DRAIN_SECONDS = 1.0


class Shop(simulated.SimulatedCluster):
    """Every pod is one of 500 Deployments'; a question costs no time."""

    async def owners(self, namespace: str, pods: Collection[str]) -> Mapping[str, Any]:
        """The Deployment before the last two dashes."""
        return {p: model.Ref("Deployment", namespace, p.rsplit("-", 2)[0]) for p in pods}

    async def manifests(self, namespaces: Collection[str]) -> Mapping[model.Ref, Any]:
        """The Deployments as manifests."""
        found = {}
        for number in range(WORKLOADS):
            for namespace in namespaces:
                ref = model.Ref("Deployment", namespace, f"app-{number}")
                labels = {"metadata": {"labels": {"app": ref.name}}}
                found[ref] = {"metadata": {"name": ref.name}, "spec": {"template": labels}}
        return found


async def serve(folder: pathlib.Path) -> None:
    """Listen until told to stop; then say what came out."""
    pinned(0)
    (folder / "token").write_text(TOKEN)
    wanted = settings.Webhook(
        enabled=True,
        host="127.0.0.1",
        port=0,
        bearer_token_file=folder / "token",
        requests_per_second=10_000,
        burst=10_000,
    )
    clock, counted = clocks.RealClock(), telemetry.PrometheusTelemetry()
    hook = webhook.AlertmanagerWebhook(wanted, webhook.Doorkeeper(wanted), clock, counted)
    listener = server.Server(wanted, {webhook.PATH: hook.handle}, clock, counted)
    shop = Shop(clock)
    owners = attribution.Attribution(shop, shop, clock)
    source = intake.Intake([hook], owners, counted)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await listener.start()
    (folder / "port.new").write_text(str(listener.port))
    (folder / "port.new").rename(folder / "port")
    drained, began = 0, time.process_time()
    while not stopping.is_set():
        drained += len(await source.drain())
        await asyncio.sleep(DRAIN_SECONDS)
    drained += len(await source.drain())
    await listener.stop()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "drained": drained,
                "cpu": time.process_time() - began,
                "peak_mib": usage.ru_maxrss / 1024,
            }
        )
    )


@dataclasses.dataclass
class Sent:
    """What one sender has been answered."""

    taken: int = 0
    accepted: int = 0
    refused: int = 0
    other: int = 0
    slowest: float = 0.0


def bodies(sender: int, batch: int) -> Iterator[tuple[bytes, int]]:
    """Bodies of new alerts without end: each batch fires, then resolves; with its alerts."""
    starts = datetime.datetime.fromtimestamp(time.time() - 5, datetime.UTC).isoformat()
    ends = datetime.datetime.fromtimestamp(time.time() - 1, datetime.UTC).isoformat()
    number = 0
    while True:
        for status, end in (("firing", "0001-01-01T00:00:00Z"), ("resolved", ends)):
            alerts = [
                {
                    "status": status,
                    "labels": {
                        "alertname": "KubePodCrashLooping",
                        "namespace": f"shop-{n % 10}",
                        "pod": f"app-{n % WORKLOADS}-{sender}x{number}-{n}",
                        "container": "app",
                        "severity": "warning",
                        "prometheus": "monitoring/k8s",
                        "uid": "0b0ec1c4-7ee6-4d2f-9d5f-2f1c7a1d4c7e",
                        "reason": "CrashLoopBackOff",
                    },
                    "annotations": {
                        "summary": "Pod is crash looping.",
                        "description": "Pod is in waiting state (reason: CrashLoopBackOff) on it.",
                        "runbook_url": "https://runbooks.example/runbooks/kubepodcrashlooping",
                    },
                    "startsAt": starts,
                    "endsAt": end,
                    "generatorURL": "http://prometheus/graph?g0.expr=max_over_time%28x%29",
                    "fingerprint": "0123456789abcdef",
                }
                for n in range(batch)
            ]
            message = {
                "version": "4",
                "groupKey": "{}:{}",
                "truncatedAlerts": 0,
                "status": status,
                "alerts": alerts,
            }
            yield json.dumps(message).encode(), batch
        number += 1


def send(port: int, sender: int, batch: int, until: float, sent: Sent) -> None:
    """Post body after body until a time; one that is answered with 503 is posted again."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    for body, alerts in bodies(sender, batch):
        while time.monotonic() < until:
            began = time.monotonic()
            connection.request("POST", webhook.PATH, body, headers)
            answer = connection.getresponse()
            answer.read()
            sent.slowest = max(sent.slowest, time.monotonic() - began)
            if answer.status == 200:
                sent.accepted, sent.taken = sent.accepted + 1, sent.taken + alerts
                break
            sent.refused += answer.status == 503
            sent.other += answer.status != 503
            time.sleep(0.05)
        else:
            return


def rss_mib(pid: int) -> float:
    """Resident memory of a process."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    line = next(each for each in status.splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def pinned(core: int) -> None:
    """Keep this process to one core, where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})


def run(options: argparse.Namespace) -> None:
    """Measure once and print it."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        command = [sys.executable, __file__, "--serve", name]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        pinned(1)
        while not (folder / "port").exists():
            time.sleep(0.05)
        port = int((folder / "port").read_text())
        began = time.monotonic()
        sent = [Sent() for _ in range(options.senders)]
        threads = [
            threading.Thread(
                target=send, args=(port, n, options.batch, began + options.seconds, each)
            )
            for n, each in enumerate(sent)
        ]
        for thread in threads:
            thread.start()
        memory = []
        for _ in range(6):
            time.sleep(options.seconds / 6)
            memory.append(rss_mib(child.pid))
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
        child.send_signal(signal.SIGTERM)
        result = json.loads(child.communicate()[0])
    taken = sum(each.taken for each in sent)
    print(f"alerts: {taken / took:,.0f} a second on one core (goal {GOAL:,}, floor {FLOOR})")
    print(f"lost: {taken - result['drained']} of {taken:,}")
    per_alert = result["cpu"] / max(1, taken) * 1e6
    print(f"cpu: {result['cpu'] / took:.2f} cores, {per_alert:.0f} us an alert")
    print(f"memory: {', '.join(f'{each:.0f}' for each in memory)} MiB, each sixth of the time")
    refused, other = sum(each.refused for each in sent), sum(each.other for each in sent)
    slowest = max(each.slowest for each in sent)
    print(f"answers: {sum(each.accepted for each in sent)} x 200, {refused} x 503, {other} other")
    print(f"slowest answer: {slowest:.2f} s")


def main() -> None:
    """Take the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--batch", type=int, default=50, help="alerts in a body")
    parser.add_argument("--senders", type=int, default=4)
    parser.add_argument("--serve", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        asyncio.run(serve(options.serve))
    else:
        run(options)


if __name__ == "__main__":
    main()
