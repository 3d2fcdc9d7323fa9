"""What pods use of CPU and memory, by cAdvisor's metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

from prunella.core import model
from prunella.core.incidents.diagnosis.values import Usage

Ask = Callable[[str], Awaitable[model.Answer]]
"""Asks an instant query of all namespaces; never raises."""

_BY = "sum by (namespace, pod)"
_PERIODS = "container_cpu_cfs_periods_total"
_THROTTLED = "container_cpu_cfs_throttled_periods_total"
GROWTH = "5m"
"""What the growth of memory is taken over."""


class PodUsage:
    """Usage of pods, from one metrics source."""

    def __init__(self, ask: Ask, rate: float = 60.0) -> None:
        """``rate`` is what rates are taken over, in seconds: at least two scrapes."""
        self._ask = ask
        self._rate = rate

    async def usage(self, namespaces: Collection[str]) -> dict[model.Ref, Usage]:
        """The usage of the pods of some namespaces; never raises."""
        chosen = '{namespace=~"' + "|".join(sorted(namespaces)) + '",container!=""}'
        over = f"[{self._rate:.0f}s]"
        memory = f"container_memory_working_set_bytes{chosen}"
        queries = (
            f"{_BY} (rate(container_cpu_usage_seconds_total{chosen}{over}))",
            f"{_BY} (rate({_THROTTLED}{chosen}{over})) / {_BY} (rate({_PERIODS}{chosen}{over}))",
            f"{_BY} ({memory})",
            f"{_BY} (deriv({memory}[{GROWTH}]))",
        )
        answers = [_by_pod(each) for each in await asyncio.gather(*map(self._ask, queries))]
        pods = {ref for each in answers for ref in each}
        return {ref: Usage(*(each.get(ref) for each in answers)) for ref in pods}


def _by_pod(answer: model.Answer) -> Mapping[model.Ref, float]:
    if isinstance(answer, model.Failure):
        return {}
    return {
        model.Ref("Pod", labels["namespace"], labels["pod"]): each.value
        for each in answer.samples
        if (labels := each.labels).get("namespace") and labels.get("pod")
    }
