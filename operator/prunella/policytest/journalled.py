"""What happens to workloads in a story, journalled as the operator's journal would have it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Final

from prunella.adapters.simulated import world as worlds
from prunella.core import model
from prunella.core.changes import entry, kinds
from prunella.core.changes.values import Change

RULES: Final = entry.Journalling()


class Journalist:
    """Writes a Change of what somebody does to a workload, with the object before it."""

    def __init__(self, world: worlds.World) -> None:
        self._world = world

    def watch(self, ref: model.Ref, happen: Callable[[], object]) -> None:
        """Let something happen to a workload; what it changed is in the journal afterwards."""
        kind = kinds.BY_NAME[ref.kind]
        before = self._world.cluster.object_of(ref)
        happen()
        after = self._world.cluster.object_of(ref)
        if before is None or after is None:
            return
        now = self._world.clock.now()
        was, found = (entry.sight(kind, each, RULES) for each in (before, after))
        occasion = entry.Occasion(_made_now(after, now.isoformat()), now, late=False)
        change = entry.modified(kind, was, found, occasion, RULES)
        journal = self._world.journal.server
        journal.manifests[ref] = copy.deepcopy(after)
        if change is not None:
            journal.create(Change(change.name, change.namespace, change.spec))


def _made_now(manifest: Mapping[str, Any], at: str) -> dict[str, Any]:
    """As somebody unknown left it: a story does not say who that was."""
    metadata = {**manifest["metadata"], "creationTimestamp": at, "managedFields": []}
    return {**manifest, "metadata": metadata}
