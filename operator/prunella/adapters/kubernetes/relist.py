"""Full lists that repair what a broken watch lost.

After a `410 Gone` Kopf lists anew, but tells nobody about objects that vanished in the gap.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from prunella import ports
from prunella.adapters.kubernetes import client, kinds
from prunella.adapters.kubernetes import store as store_module

LOG = logging.getLogger(__name__)
UNWATCHED_SECONDS = 15.0
"""Time between two lists of a kind where nothing is watched."""


async def relist(
    api: client.KubeApi, stores: store_module.Stores, namespaces: Sequence[str] = ()
) -> None:
    """List every watched kind and bring the stores in line. Raises ClusterError.

    ``namespaces`` are those to list; empty means the whole cluster, in one list.
    """
    for kind in stores.kinds:
        of_cluster = kind in kinds.WATCHED_OF_CLUSTER
        for namespace in (None,) if of_cluster else namespaces or (None,):
            await relist_kind(api, stores, kind, namespace)
    await relist_if_there(api, stores, kinds.ROLLOUT, namespaces)


async def relist_if_there(
    api: client.KubeApi,
    stores: store_module.Stores,
    kind: kinds.Kind,
    namespaces: Sequence[str] = (),
) -> bool:
    """The same for a kind that not every cluster has, or lets be read; False when there is none.

    Raises ClusterError when there was no usable answer.
    """
    try:
        for namespace in namespaces or (None,):
            await relist_kind(api, stores, kind, namespace)
    except ports.ClusterError as error:
        if error.status not in {403, 404}:
            raise
        LOG.debug("%s are no targets: %s", kind.plural, error)
        return False
    return True


async def relist_kind(
    api: client.KubeApi, stores: store_module.Stores, kind: kinds.Kind, namespace: str | None
) -> None:
    """List one kind in one namespace, or in all (None). Raises ClusterError."""
    await again_if_too_old(lambda: _once(api, stores, kind, namespace))


async def keep_listing(
    api: client.KubeApi, stores: store_module.Stores, kind: kinds.Kind, namespace: str
) -> None:
    """List one kind anew where nothing is watched, again and again, until cancelled."""
    while True:
        await asyncio.sleep(UNWATCHED_SECONDS)
        try:
            await relist_kind(api, stores, kind, namespace)
        except ports.ClusterError as error:
            LOG.warning("can't list %s in %s: %s", kind.plural, namespace, error)


async def again_if_too_old(list_once: Callable[[], Awaitable[None]]) -> None:
    """List; once more when the list had become too old between two pages. Raises ClusterError."""
    try:
        await list_once()
    except ports.ClusterError as error:
        if error.status != 410:
            raise
        await list_once()


async def _once(
    api: client.KubeApi, stores: store_module.Stores, kind: kinds.Kind, namespace: str | None
) -> None:
    """Page by page, so that the raw objects of a big cluster are never held all at once."""
    store = stores.of_kind(kind.name)
    seen: set[store_module.Name] = set()
    version = ""
    async for page in api.pages(kind.path(namespace)):
        version = version or page["metadata"]["resourceVersion"]
        for raw in page["items"]:
            place = store_module.place_of(raw)
            if stores.keeps(kind.name, place):
                store.put(raw)
                seen.add((place, raw["metadata"]["name"]))
    store.retain(seen, version, namespace)
