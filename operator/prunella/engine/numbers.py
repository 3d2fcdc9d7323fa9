"""One number of a metrics source that a step requires: confined, and only while it is fresh."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from prunella import ports
from prunella.core import model
from prunella.core.decisions import requirements
from prunella.core.signals import compiled, freshness, query_analysis


async def ask(
    metrics: ports.Metrics, need: model.Need, confinements: Mapping[str, compiled.Confinement]
) -> model.Number:
    """The number of a need. What can't be known is its problem: never raises."""
    namespace = need.target.namespace
    confinement = confinements.get(need.source, compiled.DEFAULT_CONFINEMENT)
    try:
        query = confinement.apply(need.query, namespace)
        ages = freshness.freshness_query(query, (), windows=freshness.WINDOWS[0])
    except query_analysis.PromqlError as error:
        return model.Number(None, str(error))
    answers = await asyncio.gather(
        *(metrics.query(need.source, namespace, text) for text in (query, ages))
    )
    return requirements.number(*answers)
