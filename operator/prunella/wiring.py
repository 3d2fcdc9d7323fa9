"""The only place that names concrete classes: `live` for a cluster, `simulated` for a story.

Both return the same `Engine`; nothing else knows which one it is in.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime
import functools
import pathlib
import socket
from collections.abc import Sequence

from prunella import electing, handlers, ports, trust_settings
from prunella import leadership as leaderships
from prunella import live as lives
from prunella import settings as settings_module
from prunella.actions import registry
from prunella.adapters import clock as clocks
from prunella.adapters import diagnosing, reverting, sources, telemetry, tracing
from prunella.adapters import topology as topologies
from prunella.adapters.intake import objects as scenes
from prunella.adapters.intake import wired as intakes
from prunella.adapters.kubernetes import (
    approvals,
    client,
    cluster,
    credentials,
    incidents,
    ledger,
    notifier,
    policies,
    store,
    watch,
)
from prunella.adapters.kubernetes import surroundings as surroundings_module
from prunella.adapters.kubernetes.journal import recorder
from prunella.adapters.kubernetes.journal import wired as journal_wiring
from prunella.adapters.outward import wired
from prunella.adapters.prometheus import alertmanager, metrics
from prunella.adapters.prometheus import query_cache as rounds
from prunella.adapters.simulated import world as simulated_world
from prunella.core.decisions import guards as guards_module
from prunella.core.decisions import rules
from prunella.core.incidents import limits
from prunella.core.incidents.diagnosis import diagnose
from prunella.core.signals import detect
from prunella.detectors import absent, burn_rate, learning, threshold
from prunella.engine import epochs, incident_traces, incident_world, loop
from prunella.engine import incidents as incident_loop
from prunella.engine import world as worlds

DETECTORS = detect.Detectors(threshold.judge, burn_rate.detect, absent.detect, learning.learner)


def rules_of(settings: settings_module.Settings) -> rules.Rules:
    """The rules that decisions are made by."""
    return rules.Rules(
        operator_namespace=settings.operator_namespace,
        operator_name=settings.operator_name,
        system_namespaces=frozenset(settings.system_namespaces),
        gitops_managers=settings.gitops_managers,
        gitops_labels=settings.gitops_labels,
        **(settings.limits.model_dump() | settings.trust.rules),
        fields=tuple(each.rule for each in settings.patch_field.fields),
        scale_most=settings.scale_bounds.max,
        quota_ceilings=settings.raise_quota.ceilings,
        argocd_namespace=settings.git.argocd_namespace,
        windows=settings.windows,
    )


def options_of(settings: settings_module.Settings) -> worlds.Options:
    """What the engine is told once."""
    return worlds.Options(
        rules=rules_of(settings),
        actions=registry.all_actions(settings.offered),
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


@dataclasses.dataclass(frozen=True, slots=True)
class _Base:
    """What everything on a real cluster stands on."""

    access: credentials.Credentials
    api: client.KubeApi
    stores: store.Stores
    clock: clocks.RealClock
    telemetry: telemetry.PrometheusTelemetry
    metrics: metrics.PrometheusMetrics
    cluster: cluster.KubernetesCluster
    ledger: ports.Ledger
    incidents: incidents.KubernetesIncidents
    elected: electing.Elected | None

    @property
    def leadership(self) -> leaderships.Leadership:
        """Whether this replica decides and writes."""
        return self.elected.election if self.elected is not None else leaderships.ALONE


def _base(
    settings: settings_module.Settings,
    on_change: store.OnChange,
    kubeconfig: pathlib.Path | None,
    context: str | None,
) -> _Base:
    access = credentials.Credentials(kubeconfig, context)
    stores = store.Stores(on_change, settings.system_namespaces, nodes=settings.cluster_policies)
    clock, own_metrics = clocks.RealClock(), telemetry.PrometheusTelemetry()
    place = (settings.operator_namespace, settings.operator_name)
    told = settings.leader_election
    elected = electing.wire(told, access, place, stores, clock, own_metrics)
    leadership = elected.election if elected is not None else leaderships.ALONE
    replica = elected.identity if elected is not None else ""
    threads = settings.kubernetes_threads
    api = client.KubeApi(access, threads, leadership=leadership, replica=replica)
    return _Base(
        access=access,
        api=api,
        stores=stores,
        clock=clock,
        telemetry=own_metrics,
        metrics=metrics.PrometheusMetrics(
            settings.sources, clock, threads=settings.metrics_threads, telemetry=own_metrics
        ),
        cluster=cluster.KubernetesCluster(
            api, stores, settings.operator_namespace, settings.patch_field.fields
        ),
        ledger=epochs.of(ledger.KubernetesLedger(api, stores), leadership),
        incidents=incidents.KubernetesIncidents(api, stores),
        elected=elected,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Around:
    """What is known beyond workloads: who tells, who changed what, who calls whom."""

    recording: recorder.Recorder
    journal: ports.Journal | None
    intake: intakes.Wired
    topology: topologies.SharedTopology
    surroundings: surroundings_module.LiveSurroundings | None


def _around(settings: settings_module.Settings, base: _Base) -> _Around:
    chosen = journal_wiring.options_of(settings)
    recording = recorder.Recorder(base.api, base.clock, base.telemetry, chosen, base.leadership)
    journal = recording.journal if settings.journal.enabled else None
    listed = scenes.ListedScene(base.api, base.cluster)
    scene: scenes.Scene = listed
    if journal is not None:
        scene = scenes.JournalScene(journal, {each.name for each in chosen.kinds}, listed)
    graph = functools.partial(base.metrics.query_whole, settings.intake.service_graph_source)
    topology = topologies.SharedTopology(
        topologies.KnownTopology(scene, base.stores.namespaces, graph, base.api)
    )
    return _Around(
        recording=recording,
        journal=journal,
        intake=intakes.wire(
            settings,
            base.clock,
            base.telemetry,
            base.api,
            base.stores,
            base.cluster,
            scene,
            journal,
            recording.told,
            base.leadership,
        ),
        topology=topology,
        surroundings=diagnosing.wire(
            settings,
            base.access,
            journal,
            lambda: recording.watched,
            topology.current,
            base.metrics,
        ),
    )


def _incidents(
    settings: settings_module.Settings, base: _Base, around: _Around
) -> incident_loop.Incidents | None:
    """The loop of incidents, where it is wanted."""
    if not settings.incidents.enabled:
        return None
    world = incident_world.World(
        clock=base.clock,
        incidents=base.incidents,
        sources=(around.intake.source,),
        ledger=base.ledger,
        cluster=base.cluster,
        telemetry=base.telemetry,
        topology=around.topology.current,
        surroundings=around.surroundings,
        diagnose=diagnose.diagnose if around.surroundings is not None else None,
        journal=around.journal,
    )
    return incident_loop.Incidents(world, incident_options(settings))


def _traces(
    settings: settings_module.Settings, base: _Base, correlating: incident_loop.Incidents | None
) -> incident_traces.IncidentTraces | None:
    """What sends incidents as traces, where that is wanted."""
    if correlating is None or (sending := tracing.open_traces(settings)) is None:
        return None
    return incident_traces.IncidentTraces(
        correlating.mains, base.ledger, sending, base.clock, base.telemetry
    )


def _world(
    settings: settings_module.Settings,
    base: _Base,
    around: _Around,
    alerts: alertmanager.Alertmanager,
    outside: wired.Wired,
) -> worlds.World:
    """What the engine works in."""
    posting = (socket.gethostname(), alerts.escalate)
    return worlds.World(
        clock=base.clock,
        metrics=rounds.SharedRound(base.metrics, base.clock),
        cluster=base.cluster,
        namespaces=base.cluster,
        policies=policies.KubernetesPolicies(base.api, base.stores),
        ledger=base.ledger,
        notifier=notifier.KubernetesNotifier(base.api, base.clock, *posting),
        telemetry=base.telemetry,
        outward=outside.calls,
        incidents=base.incidents,
        findings=around.intake.findings,
        verdicts=around.intake.analysis,
        captures=outside.captures,
        journal=around.journal,
        topology=around.topology.current,
        repositories=reverting.open_repositories(settings.git),
        leadership=base.leadership,
        approvals=approvals.KubernetesApprovals(base.api, base.stores),
    )


def live(
    settings: settings_module.Settings,
    on_change: store.OnChange,
    kubeconfig: pathlib.Path | None = None,
    context: str | None = None,
    guards: Sequence[guards_module.Guard] = guards_module.GUARDS,
) -> lives.Live:
    """An engine on a real cluster; nothing is started yet.

    Raises ClusterError without access, SettingsError without an extra that the settings want.
    ``on_change`` is called in any thread with kind, namespace and name of what has changed.
    """
    base = _base(settings, on_change, kubeconfig, context)
    around = _around(settings, base)
    correlating = _incidents(settings, base, around)
    pool = concurrent.futures.ThreadPoolExecutor(1, "alerts")
    alerts = alertmanager.Alertmanager(settings.alertmanager, base.clock, pool)
    outside = wired.wire(settings, base.api)
    world = _world(settings, base, around, alerts, outside)
    kopf_registry = handlers.registry(base.stores.apply, base.access.connection, base.stores.kinds)
    return lives.Live(
        engine=loop.Engine(world, dataclasses.replace(options_of(settings), guards=guards)),
        api=base.api,
        watch=watch.Watch(kopf_registry, handlers.settings(), settings.namespaces),
        stores=base.stores,
        metrics=base.metrics,
        alerts=alerts,
        outside=outside,
        telemetry=base.telemetry,
        namespaces=settings.namespaces,
        home=settings.operator_namespace,
        intake=around.intake,
        topology=around.topology,
        incidents=correlating,
        traces=_traces(settings, base, correlating),
        surroundings=around.surroundings,
        registry=kopf_registry,
        journal=around.recording if settings.journal.enabled else None,
        elected=base.elected,
    )


def simulated(
    world: simulated_world.World,
    settings: settings_module.Settings | None = None,
    guards: Sequence[guards_module.Guard] = guards_module.GUARDS,
    findings: ports.Findings | None = None,
    leadership: leaderships.Leadership = leaderships.ALONE,
) -> loop.Engine:
    """The same engine on a simulated world; a story may be told about missing ``guards``."""
    options = options_of(settings or settings_module.Settings(trust=trust_settings.AS_POLICIES_SAY))
    world.cluster.allowed_kinds |= {each.kind for each in options.rules.fields}
    return loop.Engine(
        worlds.World(
            clock=world.clock,
            metrics=rounds.SharedRound(world.metrics, world.clock),
            cluster=world.cluster,
            namespaces=world.cluster,
            policies=world.policies,
            ledger=epochs.of(world.ledger, leadership),
            notifier=world.notifier,
            telemetry=world.telemetry,
            outward=world.outward,
            incidents=world.incidents,
            findings=findings,
            captures=world.captures,
            journal=world.journal,
            repositories=world.repositories,
            leadership=leadership,
            approvals=world.approvals,
        ),
        dataclasses.replace(options, guards=guards),
    )
