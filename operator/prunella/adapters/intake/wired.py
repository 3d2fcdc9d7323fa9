"""The intake as settings want it: who tells, whom it is about, and what listens."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import logging

from prunella import leadership as leaderships
from prunella import ports, settings
from prunella.adapters.intake import (
    alertmanager_poll,
    analysis,
    attribution,
    audit_payload,
    audit_webhook,
    external_changes,
    findings,
    intake,
    kubernetes_state,
    objects,
    polling,
    prometheus_poll,
    server,
    told,
    webhook,
)
from prunella.adapters.kubernetes import client, store
from prunella.core.changes import kinds

_THREADS = 4
_PLAIN = "an API server sends no token over plain HTTP, and is refused"
_log = logging.getLogger(__name__)
_Asking = alertmanager_poll.AlertmanagerAlerts | prometheus_poll.PrometheusAlerts


@dataclasses.dataclass(frozen=True, slots=True)
class Wired:
    """The intake, with what must be started and stopped around it."""

    source: intake.Intake
    findings: findings.Findings
    executor: concurrent.futures.ThreadPoolExecutor
    asking: tuple[_Asking, ...]
    server: server.Server | None = None
    analysis: analysis.Analysis | None = None
    """What answers who asks for verdicts."""

    async def start(self) -> None:
        """Listen, where that is wanted. Raises OSError: the port or a file can't be used."""
        if self.server is not None:
            await self.server.start()

    async def run(self) -> None:
        """Ask, and look after the server, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.source.run())
            if self.server is not None:
                group.create_task(self.server.watch_files())

    async def stop(self) -> None:
        """Stop listening, drop what is asked, close all connections."""
        if self.server is not None:
            await self.server.stop()
        self.executor.shutdown(wait=False, cancel_futures=True)
        for each in self.asking:
            each.close()


def wire(  # noqa: PLR0913, PLR0917 - the ports that it stands on
    wanted: settings.Settings,
    clock: ports.Clock,
    telemetry: ports.Telemetry,
    api: client.KubeApi,
    stores: store.Stores,
    cluster: ports.Cluster,
    scene: objects.Scene,
    journal: ports.Journal | None = None,
    users_told: audit_webhook.Told | None = None,
    leadership: leaderships.Leadership = leaderships.ALONE,
) -> Wired:
    """All that the settings name; nothing is started yet.

    Without a journal nobody can tell of external changes; ``users_told`` takes audit events.
    """
    executor = concurrent.futures.ThreadPoolExecutor(_THREADS, "intake")
    found = findings.Findings(clock)
    polls, asking = polls_of(wanted, clock, telemetry, executor)
    tellers: list[told.Teller] = [*polls, found]
    if wanted.intake.polls.kubernetes:
        looking = kubernetes_state.KubernetesState(api, stores.all_workloads, scene, clock)
        tellers.append(state_poll_of(wanted, looking, clock, telemetry))
    listening = answering = None
    if wanted.intake.webhook.enabled:
        door = webhook.Doorkeeper(wanted.intake.webhook)
        hook = webhook.AlertmanagerWebhook(wanted.intake.webhook, door, clock, telemetry)
        tellers.append(hook)
        routes = {webhook.PATH: hook.handle}
        if journal is not None:
            home = wanted.operator_namespace
            told_of = external_changes.ExternalChanges(
                door, wanted.journal.mapped, journal, home, clock, telemetry
            )
            routes[external_changes.PATH] = told_of.handle
        if users_told is not None and wanted.journal.audit.enabled:
            auditing = audit_of(wanted, door, users_told, clock, telemetry)
            routes[audit_webhook.PATH] = auditing.handle
        answering = analysis_of(wanted, clock, telemetry)
        reads = {analysis.PATH: answering.handle} if answering is not None else {}
        chosen = wanted.intake.webhook
        listening = server.Server(chosen, routes, clock, telemetry, reads, leadership)
    owners = attribution.Attribution(scene, cluster, clock)
    source = intake.Intake(tellers, owners, telemetry, ignore=wanted.intake.ignore)
    return Wired(source, found, executor, asking, listening, answering)


def state_poll_of(
    wanted: settings.Settings,
    looking: kubernetes_state.KubernetesState,
    clock: ports.Clock,
    telemetry: ports.Telemetry,
) -> polling.Poll:
    """What asks for the state of the cluster every few seconds."""
    polls = wanted.intake.polls
    return polling.Poll(
        kubernetes_state.NAME,
        looking.ask,
        clock,
        telemetry,
        every=polls.kubernetes_every_seconds,
        missing=polls.missing_seconds,
    )


def analysis_of(
    wanted: settings.Settings, clock: ports.Clock, telemetry: ports.Telemetry
) -> analysis.Analysis | None:
    """What answers who asks for verdicts: by a token of its own, which may post no alerts."""
    chosen = wanted.intake.analysis
    if not chosen.enabled:
        return None
    update = {"bearer_token_file": chosen.bearer_token_file}
    door = webhook.Doorkeeper(wanted.intake.webhook.model_copy(update=update))
    return analysis.Analysis(chosen, door, clock, telemetry)


def audit_of(
    wanted: settings.Settings,
    door: webhook.Doorkeeper,
    users_told: audit_webhook.Told,
    clock: ports.Clock,
    telemetry: ports.Telemetry,
) -> audit_webhook.AuditWebhook:
    """The audit webhook, with a door of its own where it has a token of its own."""
    chosen = wanted.journal
    if wanted.intake.webhook.tls is None:
        _log.warning("journal.audit without intake.webhook.tls: %s", _PLAIN)
    if (token := chosen.audit.bearer_token_file) is not None:
        own = wanted.intake.webhook.model_copy(update={"bearer_token_file": token})
        door = webhook.Doorkeeper(own)
    scope = audit_payload.Scope(
        kinds.wanted(chosen.kinds), wanted.namespaces, wanted.system_namespaces
    )
    return audit_webhook.AuditWebhook(door, scope, users_told, clock, telemetry)


def polls_of(
    wanted: settings.Settings,
    clock: ports.Clock,
    telemetry: ports.Telemetry,
    executor: concurrent.futures.Executor,
) -> tuple[
    list[polling.Poll],
    tuple[_Asking, ...],
]:
    """A poll for each source that is asked for its active alerts, and what asks."""
    polls = wanted.intake.polls
    asking: list[tuple[str, _Asking, float]] = []
    for name, source in wanted.sources.items():
        if polls.sources is None or name in polls.sources:
            asked = prometheus_poll.PrometheusAlerts(name, source, clock, executor)
            asking.append((asked.name, asked, polls.every_seconds))
    if polls.alertmanager and wanted.alertmanager.url is not None:
        other = alertmanager_poll.AlertmanagerAlerts(wanted.alertmanager, clock, executor)
        asking.append((alertmanager_poll.NAME, other, polls.alertmanager_every_seconds))
    missing = polls.missing_seconds
    made = [
        polling.Poll(name, each.ask, clock, telemetry, every=every, missing=missing)
        for name, each, every in asking
    ]
    return made, tuple(each for _, each, _ in asking)
