"""The surroundings of incidents, as settings choose them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection

from prunella import ports, settings
from prunella.adapters.kubernetes import client, surroundings
from prunella.adapters.prometheus import metrics, service_graph, usage
from prunella.core.signals import history


def wire(
    chosen: settings.Settings,
    api: client.KubeApi,
    journal: ports.Journal | None,
    journalled: Callable[[], Collection[str]],
    topology: surroundings.Topology,
    source: metrics.PrometheusMetrics,
) -> surroundings.LiveSurroundings | None:
    """What a diagnosis looks at; None when there is to be none.

    ``journalled`` gives the kinds whose objects the journal has all seen.
    """
    own = chosen.diagnosis
    if not own.enabled:
        return None

    async def ask(query: str, span: history.Span) -> history.Answer:
        return await source.history_whole(chosen.intake.service_graph_source, query, span)

    graph = service_graph.ServiceGraph(
        ask,
        service_graph.Windows(
            own.usual_seconds, own.recent_seconds, own.step_seconds, own.rate_seconds
        ),
    )
    used = usage.PodUsage(
        functools.partial(source.query_whole, chosen.intake.service_graph_source),
        own.rate_seconds,
    )
    telemetry = surroundings.Telemetry(graph, used) if own.measurements else None
    return surroundings.LiveSurroundings(
        api,
        journal,
        topology,
        telemetry,
        journalled,
        lists=own.objects,
    )
