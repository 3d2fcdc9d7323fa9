"""All checks, one after the other; what can't be looked at is itself something found."""

from __future__ import annotations

import asyncio
import datetime
import http
from collections.abc import Callable, Iterable

from prunella.adapters import clock as clocks
from prunella.adapters import sources as sources_module
from prunella.adapters.prometheus import metrics
from prunella.cli import kube
from prunella.cli.doctor import in_cluster, of_signals, of_sources
from prunella.cli.doctor.found import Found, Report, problem, warning
from prunella.cli.doctor.installed import Installed
from prunella.cli.topology import read as topology_read
from prunella.core.incidents import picture as pictures

CHECKS = (
    "crds",
    "rights",
    "clock",
    "tiers",
    "sources",
    "alertmanager",
    "alerts",
    "signals",
    "labels",
    "ranges",
)
_ROLE = "ask for a Role that has this verb"


def examine(
    cluster: kube.Cluster,
    installed: Installed,
    namespace: str | None,
    now: Callable[[], datetime.datetime],
) -> Report:
    """Make every check; ``namespace`` None is all. Raises KubeError without an API server."""
    found: list[Found] = []
    for name, make in (
        ("crds", lambda: in_cluster.crds(cluster)),
        ("rights", lambda: in_cluster.rights(cluster, installed)),
        ("clock", lambda: in_cluster.clock(cluster, now())),
        ("tiers", lambda: in_cluster.tiers(cluster, namespace)),
    ):
        found += _allowed(name, make)
    if installed.told_by.startswith("the defaults"):
        todo = "give --config FILE or --operator-namespace"
        found.append(warning("settings", "the operator", installed.told_by, todo))
    found += asyncio.run(_asked(cluster, installed, namespace, now))
    return Report(tuple(found), CHECKS)


def _allowed(check: str, make: Callable[[], Iterable[Found]]) -> list[Found]:
    """What a check finds; that one may not look is found, too."""
    try:
        return list(make())
    except kube.KubeError as error:
        if error.status not in {http.HTTPStatus.FORBIDDEN, http.HTTPStatus.NOT_FOUND}:
            raise
        return [warning(check, "this user", str(error), _ROLE)]


async def _asked(
    cluster: kube.Cluster,
    installed: Installed,
    namespace: str | None,
    now: Callable[[], datetime.datetime],
) -> list[Found]:
    """The checks that ask sources; one that is down is not asked for signals."""
    settings = installed.settings
    asking = metrics.PrometheusMetrics(settings.sources, clocks.RealClock())
    try:
        found = await of_sources.sources(settings, asking, now)
        found += await of_sources.alertmanager(settings)
        down = {each.where.removeprefix("source ") for each in found if each.check == "sources"}
        found += await _signals(cluster, installed, namespace, asking, down)
        manifests, notes = topology_read.manifests(cluster, namespace)
        found += [warning("alerts", "this user", each, _ROLE) for each in notes]
        found += await of_sources.alerts(settings, pictures.of(manifests))
    finally:
        asking.close()
    return found


async def _signals(
    cluster: kube.Cluster,
    installed: Installed,
    namespace: str | None,
    asking: metrics.PrometheusMetrics,
    down: set[str],
) -> list[Found]:
    confinements = sources_module.confinements(installed.settings.sources)
    spaces: dict[str, of_signals.Namespace] = {}
    found: list[Found] = []
    try:
        for policy in of_signals.policies(cluster, namespace):
            place = policy.key.namespace
            if policy.spec is not None and all(s.source in down for s in policy.spec.signals):
                continue
            if place not in spaces:
                spaces[place] = of_signals.Namespace(cluster, place)
            found += await of_signals.check(policy, spaces[place], confinements, asking)
    except kube.KubeError as error:
        if error.status not in {http.HTTPStatus.FORBIDDEN, http.HTTPStatus.NOT_FOUND}:
            raise
        found.append(problem("signals", "this user", str(error), _ROLE))
    return found
