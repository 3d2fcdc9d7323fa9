"""The only place that names concrete classes: `live` for a cluster, `simulated` for a story.

Both return the same `Engine`; nothing else knows which one it is in.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import datetime
import functools
import logging
import pathlib
import socket
from collections.abc import Awaitable, Callable, Sequence

from prunella import handlers, ports
from prunella import settings as settings_module
from prunella.actions import registry
from prunella.adapters import clock as clocks
from prunella.adapters import diagnosing, heap, sources, telemetry
from prunella.adapters import topology as topologies
from prunella.adapters.intake import objects as scenes
from prunella.adapters.intake import wired as intakes
from prunella.adapters.kubernetes import (
    client,
    cluster,
    credentials,
    incidents,
    kinds,
    ledger,
    notifier,
    policies,
    relist,
    store,
    watch,
)
from prunella.adapters.kubernetes.journal import recorder
from prunella.adapters.prometheus import alertmanager, metrics
from prunella.adapters.prometheus import query_cache as rounds
from prunella.adapters.simulated import world as simulated_world
from prunella.core import objects
from prunella.core.changes import entry, noise, retention
from prunella.core.changes import kinds as journalled
from prunella.core.decisions import guards as guards_module
from prunella.core.decisions import rules
from prunella.core.incidents import limits
from prunella.core.incidents.diagnosis import diagnose
from prunella.core.signals import detect
from prunella.detectors import absent, burn_rate, learning, threshold
from prunella.engine import incident_world, loop
from prunella.engine import incidents as incident_loop
from prunella.engine import world as worlds

LOG = logging.getLogger(__name__)
HOME_SECONDS = 15.0
Relist = Callable[[], Awaitable[None]]


@dataclasses.dataclass(frozen=True, slots=True)
class Live:
    """An engine on a real cluster, with what must be started and stopped around it."""

    engine: loop.Engine
    api: client.KubeApi
    watch: watch.Watch
    stores: store.Stores
    metrics: metrics.PrometheusMetrics
    alerts: alertmanager.Alertmanager
    telemetry: telemetry.PrometheusTelemetry
    namespaces: tuple[str, ...]
    home: str
    intake: intakes.Wired
    topology: topologies.KnownTopology
    incidents: incident_loop.Incidents | None
    registry: handlers.Registry
    journal: recorder.Recorder | None

    async def correlate(self) -> None:
        """Run the loop of incidents until cancelled; without one, wait."""
        if self.incidents is None:
            await asyncio.Event().wait()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self.incidents.run())
            if self._home_is_unwatched:
                group.create_task(self._keep_home())

    @property
    def _home_is_unwatched(self) -> bool:
        """Whether incidents of several namespaces are kept where nothing is watched."""
        return bool(self.namespaces) and self.home not in self.namespaces

    async def _keep_home(self) -> None:
        """List the operator's own incidents anew: people may have said a word on them."""
        while True:
            await asyncio.sleep(HOME_SECONDS)
            try:
                await relist.relist_kind(self.api, self.stores, kinds.INCIDENT, self.home)
            except ports.ClusterError as error:
                LOG.warning("can't list incidents in %s: %s", self.home, error)

    async def relist(self) -> None:
        """List everything anew. Raises ClusterError."""
        await relist.relist(self.api, self.stores, self.namespaces)
        if self.incidents is not None and self._home_is_unwatched:
            await relist.relist_kind(self.api, self.stores, kinds.INCIDENT, self.home)
        await heap.give_back()

    async def begin_journal(self) -> None:
        """Read the journal and have its kinds watched, before the watch starts.

        Raises ClusterError.
        """
        if self.journal is not None:
            watched = await self.journal.begin()
            handlers.watch_changes(self.registry, watched, self.journal.apply)
            await heap.give_back()

    async def keep_journal(self) -> None:
        """Write the journal, until cancelled."""
        if self.journal is not None:
            await self.journal.run()
        await asyncio.Event().wait()

    async def end_journal(self) -> None:
        """Write what still waits; what can't be written now is found at the next start."""
        if self.journal is not None:
            await self.journal.end()

    async def wake(self, changed: asyncio.Queue[objects.Key]) -> None:
        """Hand changes of policies from the watch's thread to the engine, until cancelled."""
        while True:
            self.engine.mark_dirty(await changed.get())


DETECTORS = detect.Detectors(threshold.judge, burn_rate.detect, absent.detect, learning.learner)


def rules_of(settings: settings_module.Settings) -> rules.Rules:
    """The rules that decisions are made by."""
    return rules.Rules(
        operator_namespace=settings.operator_namespace,
        operator_name=settings.operator_name,
        system_namespaces=frozenset(settings.system_namespaces),
        gitops_managers=settings.gitops_managers,
        gitops_labels=settings.gitops_labels,
        actions_per_namespace_per_hour=settings.limits.actions_per_namespace_per_hour,
        actions_per_cluster_per_hour=settings.limits.actions_per_cluster_per_hour,
        unhelpful_before_latch=settings.limits.unhelpful_before_latch,
        rollout_seconds=settings.limits.rollout_seconds,
    )


def options_of(settings: settings_module.Settings) -> worlds.Options:
    """What the engine is told once."""
    return worlds.Options(
        rules=rules_of(settings),
        actions=registry.all_actions(),
        detectors=DETECTORS,
        confinements=sources.confinements(settings.sources),
        retention=datetime.timedelta(seconds=settings.record_retention_seconds),
    )


def incident_options(settings: settings_module.Settings) -> incident_world.Options:
    """What the loop of incidents is told once."""
    chosen = settings.incidents
    return incident_world.Options(
        operator_namespace=settings.operator_namespace,
        interval=chosen.interval_seconds,
        namespaces=frozenset(settings.namespaces),
        correlation=limits.Settings(
            quiet=chosen.quiet_seconds, stale=chosen.stale_seconds, reopen=chosen.reopen_seconds
        ),
        retention=datetime.timedelta(seconds=chosen.retention_seconds),
        judged_retention=datetime.timedelta(seconds=chosen.judged_retention_seconds),
        most_kept=chosen.most_kept,
    )


def journal_options(settings: settings_module.Settings) -> recorder.Options:
    """What the journal is told once."""
    chosen = settings.journal
    return recorder.Options(
        kinds=tuple(kind for kind in journalled.ALL if chosen.kinds.get(kind.name, True)),
        namespaces=settings.namespaces,
        closed_namespaces=settings.system_namespaces,
        journalling=entry.Journalling(
            noise=noise.Noise(
                annotations=chosen.ignored_annotations,
                autoscalers=chosen.autoscalers,
                objects=chosen.ignored_objects,
            ),
            values_of=frozenset(chosen.values_of),
            home=settings.operator_namespace,
        ),
        retention=retention.Retention(
            age=datetime.timedelta(seconds=chosen.retention.age_seconds),
            per_object=chosen.retention.per_object,
            total=chosen.retention.total,
        ),
        relist_seconds=chosen.relist_seconds,
    )


def live(
    settings: settings_module.Settings,
    on_change: store.OnChange,
    kubeconfig: pathlib.Path | None = None,
    context: str | None = None,
    guards: Sequence[guards_module.Guard] = guards_module.GUARDS,
) -> Live:
    """An engine on a real cluster; nothing is started yet. Raises ClusterError without access.

    ``on_change`` is called in any thread with kind, namespace and name of what has changed.
    """
    access = credentials.Credentials(kubeconfig, context)
    api = client.KubeApi(access, settings.kubernetes_threads)
    stores = store.Stores(on_change, settings.system_namespaces)
    clock = clocks.RealClock()
    own_metrics = telemetry.PrometheusTelemetry()
    prometheus = metrics.PrometheusMetrics(
        settings.sources, clock, threads=settings.metrics_threads, telemetry=own_metrics
    )
    alerts = alertmanager.Alertmanager(
        settings.alertmanager, clock, concurrent.futures.ThreadPoolExecutor(1, "alerts")
    )
    own_cluster = cluster.KubernetesCluster(api, stores, settings.operator_namespace)
    recording = recorder.Recorder(api, clock, own_metrics, journal_options(settings))
    journal = recording.journal if settings.journal.enabled else None
    scene: scenes.Scene = scenes.ListedScene(api, own_cluster)
    if journal is not None:
        journalled = {each.name for each in journal_options(settings).kinds}
        scene = scenes.JournalScene(journal, journalled, scene)
    intake = intakes.wire(settings, clock, own_metrics, api, stores, own_cluster, scene, journal)
    topology = topologies.KnownTopology(
        scene,
        stores.namespaces,
        functools.partial(prometheus.query_whole, settings.intake.service_graph_source),
        api,
    )
    own_ledger = ledger.KubernetesLedger(api, stores)
    own_incidents = incidents.KubernetesIncidents(api, stores)
    surroundings = diagnosing.wire(
        settings, api, journal, lambda: recording.watched, topology.current, prometheus
    )
    around = incident_world.World(
        clock=clock,
        incidents=own_incidents,
        sources=(intake.source,),
        ledger=own_ledger,
        cluster=own_cluster,
        telemetry=own_metrics,
        topology=topology.current,
        surroundings=surroundings,
        diagnose=diagnose.diagnose if surroundings is not None else None,
        journal=journal,
    )
    world = worlds.World(
        clock=clock,
        metrics=rounds.SharedRound(prometheus, clock),
        cluster=own_cluster,
        policies=policies.KubernetesPolicies(api, stores),
        ledger=own_ledger,
        notifier=notifier.KubernetesNotifier(api, clock, socket.gethostname(), alerts.escalate),
        telemetry=own_metrics,
        incidents=own_incidents,
        findings=intake.findings,
    )
    kopf_registry = handlers.registry(stores.apply, access.connection)
    return Live(
        engine=loop.Engine(world, dataclasses.replace(options_of(settings), guards=guards)),
        api=api,
        watch=watch.Watch(kopf_registry, handlers.settings(), settings.namespaces),
        stores=stores,
        metrics=prometheus,
        alerts=alerts,
        telemetry=own_metrics,
        namespaces=settings.namespaces,
        home=settings.operator_namespace,
        intake=intake,
        topology=topology,
        incidents=incident_loop.Incidents(around, incident_options(settings))
        if settings.incidents.enabled
        else None,
        registry=kopf_registry,
        journal=recording if settings.journal.enabled else None,
    )


def simulated(
    world: simulated_world.World,
    settings: settings_module.Settings | None = None,
    guards: Sequence[guards_module.Guard] = guards_module.GUARDS,
    findings: ports.Findings | None = None,
) -> loop.Engine:
    """The same engine on a simulated world; a story may be told about missing ``guards``."""
    options = options_of(settings or settings_module.Settings())
    return loop.Engine(
        worlds.World(
            clock=world.clock,
            metrics=rounds.SharedRound(world.metrics, world.clock),
            cluster=world.cluster,
            policies=world.policies,
            ledger=world.ledger,
            notifier=world.notifier,
            telemetry=world.telemetry,
            incidents=world.incidents,
            findings=findings,
        ),
        dataclasses.replace(options, guards=guards),
    )
