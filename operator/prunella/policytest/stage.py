"""Plays a case: the simulated world it describes, and the real engine in it."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import functools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from prunella import allowed, ports, trust_settings
from prunella import settings as settings_module
from prunella.adapters.simulated import captures, helm, ledger, metrics
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import world as worlds
from prunella.api import capacity, offers
from prunella.api import offered as offered_module
from prunella.core import model, objects
from prunella.policytest import (
    cases,
    fields,
    incidents,
    journalled,
    recording_world,
    scraper,
    timeline,
)
from prunella.policytest import objects as objects_module
from prunella.policytest import series as series_module

RELIST_SECONDS = 60.0
_SWITCHES = ("true", "false", "on", "off", "enabled", "disabled")
"""Texts that a feature flag may have in a story."""
_WIND_DOWN = 30.0
"""Simulated seconds in which an engine that was stopped ends."""


class StoryError(Exception):
    """A story that can't be told: an object that the API server would refuse."""


class Stage:
    """One case's world."""

    def __init__(
        self, test: cases.PolicyTest, case: cases.Case, policies: Sequence[timeline.Policy]
    ) -> None:
        self._case = case
        self._policies = policies
        self._namespace = test.namespace or policies[0].key.namespace
        self._mode = case.mode or test.mode
        clock = test.clock_of(case)
        self._run = clock.run
        first = clock.start - clock.history
        self.told = timeline.Timeline(clock.start)
        self._settings = _settings(policies, test.offered)
        self._world = self._make_world(first)
        self._watch = journalled.Journalist(self._world).watch
        for each in (*test.objects, *case.objects):
            self._create(each)
        interval = clock.interval.total_seconds()
        alerts = test.alerts_of(case)
        self._world.metrics.rules = [_rule(each, interval) for each in alerts]
        self._scraper = scraper.Scraper(
            self._world.cluster,
            self._world.store,
            [*test.series_of(case), *(each.series(self._namespace) for each in alerts)],
            self._namespace,
            scraper.Times(first, clock.start, interval),
        )
        self._scrape()
        self._world.clock.every(interval, self._scrape)

    def _make_world(self, first: datetime.datetime) -> worlds.World:
        # What the demo's apps report is no part of a story: the clock that moves them stands still.
        idle = worlds.World.create(first)
        clock = clocks.VirtualClock(first)
        cluster = recording_world.Cluster(clock, idle.faults, self.told)
        world = dataclasses.replace(
            idle,
            clock=clock,
            cluster=cluster,
            captures=captures.SimulatedCaptures(clock, cluster),
            outward=recording_world.Outward(clock, idle.faults, self.told),
            repositories=recording_world.Repositories(clock, cluster, idle.faults, self.told),
            ledger_server=(server := ledger.LedgerServer(clock)),
            ledger=ledger.SimulatedLedger(server, idle.faults),
        )
        sources = self._settings.sources
        world.metrics = metrics.SimulatedMetrics(world.store, world.clock, sources=sources)
        return world

    def _scrape(self) -> None:
        self._scraper.scrape(self._world.clock.now())

    def _create(self, each: objects_module.ShortObject | dict[str, Any]) -> None:
        manifest = objects_module.manifest_of(each, self._namespace)
        spec, metadata = manifest.get("spec", {}), manifest["metadata"]
        try:
            if manifest["kind"] in fields.WORKLOAD_KINDS:
                self._create_workload(manifest, each)
            elif manifest["kind"] == "CronJob":
                self._world.cluster.cron_jobs.create(manifest)
            elif objects_module.is_kept(manifest):
                self._world.cluster.add_object(manifest)
            elif manifest["kind"] in objects_module.SCALERS:
                target = spec["scaleTargetRef"]
                kind = target.get("kind", "Deployment")
                ref = model.Ref(kind, metadata["namespace"], target["name"])
                self._world.cluster.add_autoscaler(ref, manifest["kind"])
            else:
                self._world.apply(manifest)
        except (ports.ClusterError, ValueError) as error:
            name = f"{manifest['kind']}/{metadata['name']}"
            raise StoryError(f"{name} can't be created: {error}") from error

    def _create_workload(
        self, manifest: dict[str, Any], each: objects_module.ShortObject | dict[str, Any]
    ) -> None:
        if isinstance(each, objects_module.ShortObject):
            self._world.cluster.create(
                manifest,
                age=each.age,
                manager=helm.MANAGER if each.helm_release is not None else each.manager,
                startup_seconds=each.startup.total_seconds(),
            )
            if each.helm_release is not None:
                ref = self._ref(f"{manifest['kind']}/{manifest['metadata']['name']}")
                self._world.cluster.helm.install(ref, each.helm_release)
            if each.from_git is not None:
                ref = self._ref(f"{manifest['kind']}/{manifest['metadata']['name']}")
                self._world.repositories.deploy(ref, each.image or "", each.from_git)
        else:
            self._world.cluster.create(manifest)

    async def play(self) -> timeline.Timeline:
        """Tell the story to its end."""
        happenings = sorted(self._happenings(), key=lambda each: each[0])
        for at, happen in happenings:
            if at < 0:
                await self._until(at)
                happen()
        await self._until(0.0)
        for policy in self._policies:
            mode = self._mode or policy.spec.mode
            spec = policy.spec.model_copy(update={"mode": mode})
            self._world.policies.apply(policy.key.namespace, policy.key.name, spec)
        engine = recording_world.engine(self._world, self._settings, self.told)
        running = asyncio.create_task(engine.run(self._relist, RELIST_SECONDS))
        for at, happen in happenings:
            if at >= 0:
                await self._until(at)
                happen()
        await self._until(self._run.total_seconds())
        self._note_end()
        engine.stop()
        await self._world.clock.advance(_WIND_DOWN)
        await running
        return self.told

    async def _until(self, offset: float) -> None:
        await self._world.clock.run_until(self.told.start + datetime.timedelta(seconds=offset))

    async def _relist(self) -> None:
        self._world.policies.relist()
        self._world.cluster.relist()

    def _happenings(self) -> Iterator[tuple[float, Callable[[], None]]]:
        """What happens from outside, and when."""
        for event in self._case.events:
            yield event.at, functools.partial(self._happen, event)
        for number, stated in enumerate(self._case.incidents, start=1):
            told = incidents.Told(stated, f"inc-{number}", self._namespace, self._world)
            yield stated.from_, told.open
            if stated.until is not None:
                yield stated.until, told.resolve

    def _happen(self, event: cases.Event) -> None:
        world = self._world
        try:
            self._release(event)
            for target, replicas in (event.scale or {}).items():
                ref = self._ref(target)
                self._watch(ref, functools.partial(world.cluster.scale, ref, replicas))
            for target, ended in (event.run_job or {}).items():
                world.cluster.cron_jobs.run(self._ref(target), model.JobState(ended))
            if event.delete is not None:
                world.cluster.delete(self._ref(event.delete))
        except (KeyError, ports.ClusterError) as error:
            when = fields.clock_time(event.at)
            raise StoryError(f"the event at {when} can't happen: {error}") from error
        if event.source == "up":
            world.metrics.faults.heal()
        elif event.source is not None:
            world.metrics.faults.set(cases.Fault(event.source), world.clock.now())
        if event.pause is not None:
            world.cluster.pause("a test says so") if event.pause else world.cluster.resume()
        if event.resume is not None:
            self._resume(event.resume)

    def _release(self, event: cases.Event) -> None:
        """Give workloads another image: in the cluster, or where they are deployed from."""
        for target, image in (event.set_image or {}).items():
            ref = self._ref(target)
            cluster = self._world.cluster
            release = cluster.helm.release_of(ref)
            setting = functools.partial(cluster.set_image, ref, image)
            if release is not None:
                setting = functools.partial(cluster.helm.upgrade, ref.namespace, release, image)
            self._watch(ref, setting)
        if event.commit is not None:
            images = {self._ref(target): image for target, image in event.commit.items()}
            self._world.repositories.commit("Release", images)

    def _resume(self, name: str) -> None:
        written = f"{self._world.clock.now().isoformat()} by a test"
        for policy in self._policies:
            if policy.key.name == name:
                self._world.policies.annotate(policy.key, objects.RESUMED, written)

    def _ref(self, target: str) -> model.Ref:
        return fields.ref(target, self._namespace)

    def _note_end(self) -> None:
        told, world = self.told, self._world
        told.records = world.records()
        told.escalations = len(world.notifier.escalations)
        told.failed_passes = int(world.telemetry.value("prunella_pass_errors_total"))
        for each in world.cluster.states():
            containers = each.template["spec"]["containers"]
            ready = sum(pod.ready for pod in each.pods)
            replicas = each.view().replicas
            told.workloads[each.ref] = timeline.Workload(containers[0]["image"], replicas, ready)


def _rule(alert: series_module.Alert, interval: float) -> metrics.AlertingRule:
    """The rule of a told alert: it fires while the story's series of it is there."""
    wanted = {**alert.labels, "alertname": alert.name, "alertstate": "firing"}
    inner = ", ".join(f"{key}={json.dumps(value)}" for key, value in wanted.items())
    fires = f"ALERTS{{{inner}}}"
    return metrics.AlertingRule(alert.name, fires, interval=interval, labels=alert.labels)


_HELM = offered_module.JobTemplate.model_validate(
    {
        "namespaces": ["*"],
        "image": f"alpine/helm@sha256:{'0' * 64}",
        "serviceAccount": "prunella-helm",
        "parameters": {
            "RELEASE": {"pattern": ".+"},
            "CHANGED": {"pattern": "[0-9]+"},
            "HOOKS": {"pattern": "Refuse|Run"},
            "EXPECT": {"pattern": "[0-9]*", "default": ""},
            "TO": {"pattern": "[0-9]*", "default": ""},
        },
    }
)
"""The Job of `helmRollback`, where a story does not say what administrators offer."""


def _settings(
    policies: Sequence[timeline.Policy], offered: offers.Offers
) -> settings_module.Settings:
    """Default settings that know every source that the policies name."""
    names = {signal.source for policy in policies for signal in policy.spec.signals}
    sources = {name: settings_module.Source() for name in sorted({"default", *names})}
    steps = [step.patch_field for policy in policies for step in policy.spec.steps]
    written = [each for each in steps if each is not None]
    fields_ = allowed.PatchField(fields=tuple(_allowed(each, written) for each in written))
    helm_steps = [step for policy in policies for step in policy.spec.steps if step.helm_rollback]
    if helm_steps and offered.helm_rollback is None:
        offered = offered.model_copy(update={"helm_rollback": _HELM})
    return settings_module.Settings(
        sources=sources,
        patch_field=fields_,
        offered=offered,
        trust=trust_settings.AS_POLICIES_SAY,
    )


def _allowed(
    step: capacity.PatchField, steps: Sequence[capacity.PatchField]
) -> allowed.AllowedField:
    """What administrators must allow for a step; texts, to and fro, whatever they are."""
    same = [e for e in steps if (e.api_version, e.kind, e.path) == _field(step)]
    return allowed.AllowedField(
        api_version=step.api_version,
        kind=step.kind,
        resource=f"{step.kind.lower()}s",
        path=step.path,
        max=None if step.value is not None else capacity.MOST,
        values=_SWITCHES + tuple(e.value for e in same if e.value is not None),
    )


def _field(step: capacity.PatchField) -> tuple[str, str, str]:
    return step.api_version, step.kind, step.path
