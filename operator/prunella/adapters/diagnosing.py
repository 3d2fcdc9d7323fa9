"""The surroundings of incidents, as settings choose them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection

from prunella import ports, settings
from prunella.adapters.kubernetes import client, credentials, surroundings
from prunella.adapters.prometheus import metrics, service_graph, usage
from prunella.core.signals import history

THREADS = 8
"""Of its own: neither the journal's backlog nor an action waits for a look, or holds one up."""
TIMEOUT = (1.0, 3.0)
DEADLINE = 4.0
"""Seconds after which a view does without a list."""


def wire(
    chosen: settings.Settings,
    access: credentials.Credentials,
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
        client.KubeApi(access, THREADS, timeout=TIMEOUT, deadline=DEADLINE),
        journal,
        topology,
        telemetry,
        journalled,
        lists=own.objects,
    )
