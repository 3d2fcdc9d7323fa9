"""A real Prometheus and a real Alertmanager tell; what comes out is each alert once."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import itertools
import pathlib
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

import yaml

from lab import binaries, processes
from prunella import settings
from prunella.adapters import clock as clocks
from prunella.adapters.intake import attribution, intake, kubernetes_state, objects, polling
from prunella.adapters.intake import server as servers
from prunella.adapters.intake import webhook as webhooks
from prunella.adapters.intake.wired import polls_of
from prunella.adapters.kubernetes import cluster as clusters
from prunella.adapters.kubernetes import relist, store
from prunella.adapters.simulated import telemetry
from prunella.core import model
from prunella.core.incidents import links, values
from prunella.core.incidents import picture as pictures
from tests.contract import worlds

TOKEN = "a-token-for-the-contract-tests"  # noqa: S105
CART = model.Ref("Deployment", "shop", "cart")
BAD = {
    "alert": "PodBad",
    "expr": "vector(1)",
    "labels": {"namespace": "shop", "pod": "cart-6f5d-abcde"},
    "annotations": {"summary": "it is bad"},
}


class Owners:
    """Knows whose each pod is."""

    async def owners(self, namespace: str, pods: Collection[str]) -> Mapping[str, model.Ref]:
        """The cart's."""
        return dict.fromkeys(pods, CART) if namespace == "shop" else {}

    async def manifests(self, _namespaces: Collection[str]) -> pictures.Manifests:
        """Nothing else is known."""
        return {}


@dataclasses.dataclass
class System:
    """Prometheus, Alertmanager, and the intake that they tell."""

    folder: pathlib.Path
    prometheus: str
    alertmanager: str
    hook: webhooks.AlertmanagerWebhook
    source: intake.Intake
    telemetry: telemetry.RecordingTelemetry

    def rules(self, *rules: dict[str, Any]) -> None:
        """Load alerting rules, instead of those that are there."""
        groups = [{"name": "shop", "interval": "1s", "rules": list(rules)}]
        (self.folder / "rules.yml").write_text(yaml.safe_dump({"groups": groups}))
        request = urllib.request.Request(f"{self.prometheus}/-/reload", method="POST")  # noqa: S310
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310

    async def until(self, count: int, seconds: float = 30.0) -> list[values.Alert]:
        """Drain until so many alerts have come."""
        found: list[values.Alert] = []
        async with asyncio.timeout(seconds):
            while len(found) < count:
                await asyncio.sleep(0.2)
                found += await self.source.drain()
        return found

    async def answered(self, outcome: str) -> None:
        """Wait until a request to the webhook was answered so."""
        async with asyncio.timeout(30):
            for _ in itertools.count():
                if self.telemetry.value(webhooks.COUNTER, path="alertmanager", outcome=outcome):
                    return
                await asyncio.sleep(0.2)


def _alertmanager_config(folder: pathlib.Path, port: int, most: int) -> dict[str, Any]:
    hook = {
        "url": f"http://127.0.0.1:{port}{webhooks.PATH}",
        "max_alerts": most,
        "http_config": {"authorization": {"credentials_file": str(folder / "token")}},
    }
    route = {
        "receiver": "prunella",
        "group_by": ["alertname"],
        "group_wait": "1s",
        "group_interval": "1s",
    }
    return {"route": route, "receivers": [{"name": "prunella", "webhook_configs": [hook]}]}


@contextlib.contextmanager
def _running(commands: Sequence[tuple[list[str], str]], folder: pathlib.Path) -> Any:
    started = []
    try:
        for command, url in commands:
            log = folder / f"{pathlib.Path(command[0]).name}.log"
            started.append(processes.start(command, log))
            processes.wait_for(url, log)
        yield
    finally:
        for process in started:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.asynccontextmanager
async def telling(
    folder: pathlib.Path, *, polls: bool = True, queue: int = 1000, most: int = 0
) -> AsyncIterator[System]:
    """The whole of it, until the end of the block; ``most`` is the receiver's ``max_alerts``."""
    ports = processes.free_ports()
    prometheus = f"http://127.0.0.1:{ports.prometheus}"
    alertmanager = f"http://127.0.0.1:{ports.alertmanager}"
    wanted = settings.Settings.model_validate(
        {
            "sources": {"default": {"url": prometheus}},
            "alertmanager": {"url": alertmanager},
            "intake": {
                "polls": {"everySeconds": 1, "alertmanagerEverySeconds": 1, "missingSeconds": 2},
                "webhook": {
                    "enabled": True,
                    "host": "127.0.0.1",
                    "port": ports.kwok,
                    "bearerTokenFile": str(folder / "token"),
                    "queue": queue,
                },
            },
        }
    )
    (folder / "token").write_text(TOKEN)
    (folder / "rules.yml").write_text("groups: []\n")
    target = {"static_configs": [{"targets": [f"127.0.0.1:{ports.alertmanager}"]}]}
    documents = {
        "prometheus.yml": {
            "global": {"evaluation_interval": "1s"},
            "alerting": {"alertmanagers": [target]},
            "rule_files": ["rules.yml"],
        },
        "alertmanager.yml": _alertmanager_config(folder, ports.kwok, most),
    }
    for name, document in documents.items():
        (folder / name).write_text(yaml.safe_dump(document))
    commands = [
        (
            [
                str(binaries.locate("alertmanager")),
                f"--config.file={folder}/alertmanager.yml",
                f"--storage.path={folder}/alerts",
                f"--web.listen-address=127.0.0.1:{ports.alertmanager}",
                "--cluster.listen-address=",
            ],
            f"{alertmanager}/-/ready",
        ),
        (
            [
                str(binaries.locate("prometheus")),
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/samples",
                f"--web.listen-address=127.0.0.1:{ports.prometheus}",
                "--web.enable-lifecycle",
                # An alert that fires before Alertmanager was discovered is sent again, not lost.
                "--rules.alert.resend-delay=1s",
            ],
            f"{prometheus}/-/ready",
        ),
    ]
    clock, counted, owners = clocks.RealClock(), telemetry.RecordingTelemetry(), Owners()
    door = webhooks.Doorkeeper(wanted.intake.webhook)
    hook = webhooks.AlertmanagerWebhook(wanted.intake.webhook, door, clock, counted)
    routes = {webhooks.PATH: hook.handle}
    listener = servers.Server(wanted.intake.webhook, routes, clock, counted)
    executor = concurrent.futures.ThreadPoolExecutor(4)
    asked = polls_of(wanted, clock, counted, executor)[0] if polls else []
    leading = attribution.Attribution(owners, owners, clock)  # type: ignore[arg-type]
    source = intake.Intake([*asked, hook], leading, counted)
    with _running(commands, folder):
        await listener.start()
        task = asyncio.create_task(source.run())
        try:
            yield System(folder, prometheus, alertmanager, hook, source, counted)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await listener.stop()
            executor.shutdown(cancel_futures=True)


async def test_one_alert_by_three_ways_is_one(tmp_path: pathlib.Path) -> None:
    """It begins once and ends once, whoever told first, with the owner of the pod."""
    async with telling(tmp_path) as system:
        system.rules(BAD)
        (begin,) = await system.until(1)
        assert ("PodBad", CART, True) == (begin.name, begin.target, begin.firing)
        assert "it is bad" == begin.message
        await system.answered("accepted")
        await asyncio.sleep(2)
        assert [] == list(await system.source.drain())
        system.rules()
        (end,) = await system.until(1)
        assert not end.firing
        assert begin.fingerprint == end.fingerprint
        await asyncio.sleep(4)
        assert [] == list(await system.source.drain())


async def test_by_the_webhook_alone(tmp_path: pathlib.Path) -> None:
    """A strict reading takes all that a real Alertmanager posts: beginnings and ends of a group."""
    async with telling(tmp_path, polls=False) as system:
        passing = {**BAD, "expr": f"vector(time()) < {time.time() + 8:.0f}"}
        pods = [{**BAD["labels"], "pod": f"cart-6f5d-{n}"} for n in "abc"]
        several = [
            {**rule, "labels": labels}
            for rule, labels in zip((BAD, passing, passing), pods, strict=True)
        ]
        system.rules(*several)
        begun = await system.until(3)
        assert {True} == {each.firing for each in begun}
        ended = await system.until(2)
        assert {False} == {each.firing for each in ended}
        assert {each.fingerprint for each in ended} < {each.fingerprint for each in begun}


async def test_a_full_queue_loses_nothing(tmp_path: pathlib.Path) -> None:
    """Alertmanager sends again what was answered with 503, until there is room."""
    async with telling(tmp_path, polls=False, queue=100) as system:
        many = [{**BAD, "labels": {**BAD["labels"], "pod": f"cart-6f5d-{n}"}} for n in range(90)]
        system.rules(*many)
        await system.answered("accepted")
        others = [{**each, "alert": "OtherBad"} for each in many]
        system.rules(*many, *others)
        await system.answered("full")
        names = [each.name for each in await system.until(180, 60)]
        assert (90, 90) == (names.count("PodBad"), names.count("OtherBad"))


async def test_a_truncated_group_is_refused(tmp_path: pathlib.Path) -> None:
    """A receiver with ``max_alerts`` is told what to change, and nothing is taken by halves."""
    async with telling(tmp_path, polls=False, most=1) as system:
        pods = (f'label_replace(vector(1), "pod", "cart-6f5d-{n}", "", "")' for n in "ab")
        # Of one rule, so that both are told at once.
        system.rules({**BAD, "expr": " or ".join(pods), "labels": {"namespace": "shop"}})
        await system.answered("truncated")
        assert [] == list(await system.source.drain())
        log = (tmp_path / "alertmanager.log").read_text()
        assert "max_alerts: 0" in log


async def test_a_start_in_the_middle_of_an_outage(tmp_path: pathlib.Path) -> None:
    """What fires already is told at once and as a whole, when all have answered."""
    async with telling(tmp_path) as system:
        system.rules(BAD, {**BAD, "alert": "OtherBad"})
        await system.until(2)
        wanted = settings.Settings.model_validate(
            {
                "sources": {"default": {"url": system.prometheus}},
                "alertmanager": {"url": system.alertmanager},
            }
        )
        clock, owners = clocks.RealClock(), Owners()
        executor = concurrent.futures.ThreadPoolExecutor(2)
        asked, _ = polls_of(wanted, clock, system.telemetry, executor)
        leading = attribution.Attribution(owners, owners, clock)  # type: ignore[arg-type]
        fresh = intake.Intake(asked, leading, system.telemetry)
        assert ((), False) == (await fresh.drain(), fresh.primed)
        await asked[0].ask()
        assert ((), False) == (await fresh.drain(), fresh.primed)
        await asked[1].ask()
        assert {"PodBad", "OtherBad"} == {each.name for each in await fresh.drain()}
        assert fresh.primed
        executor.shutdown()


QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "small"},
    "spec": {"hard": {"pods": "0"}},
}
ADDRESS = {"name": "CART_ADDR", "value": "cart:80"}


async def test_what_a_real_api_server_says(lab_world: worlds.LabWorld) -> None:
    """A quota that forbids pods is a symptom of the Deployment; calls and places are found."""
    world = lab_world
    cart = model.Ref("Deployment", world.namespace, "cart")
    web = model.Ref("Deployment", world.namespace, "web")
    await world.add(cart)
    service = {"selector": {"app": "cart"}, "ports": [{"port": 80}]}
    meta = {"metadata": {"name": "cart"}}
    await world.apply({"apiVersion": "v1", "kind": "Service", **meta, "spec": service})
    await world.apply(QUOTA)
    container = {"name": "app", "image": "shop/app:v1", "env": [ADDRESS]}
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    meta = {"metadata": {"name": "web"}}
    await world.apply({"apiVersion": "apps/v1", "kind": "Deployment", **meta, "spec": spec})

    stores = store.Stores(lambda *_: None)
    cluster = clusters.KubernetesCluster(world.api, stores, world.namespace)
    scene = objects.ListedScene(world.api, cluster)
    clock = clocks.RealClock()
    state = kubernetes_state.KubernetesState(world.api, stores.all_workloads, scene, clock)
    poll = polling.Poll(
        "test", state.ask, clock, telemetry.RecordingTelemetry(), every=1, missing=5
    )
    async with asyncio.timeout(30):
        while not (told := poll.tell()):
            await relist.relist(world.api, stores, [world.namespace])
            await poll.ask()
            await asyncio.sleep(0.5)
    assert [("FailedCreate", web)] == [(each.name, each.target) for each in told]
    assert "exceeded quota: small" in told[0].message

    manifests = await scene.manifests({world.namespace})
    assert {cart} == set(links.from_manifests(manifests).calls[web])
    pods = [
        raw
        async for page in world.api.pages(f"/api/v1/namespaces/{world.namespace}/pods")
        for raw in page["items"]
    ]
    whole = {
        **manifests,
        **{model.Ref("Pod", world.namespace, raw["metadata"]["name"]): raw for raw in pods},
    }
    places = links.from_manifests(whole).places
    assert {"Node"} == {each.kind for each in places[cart]}
