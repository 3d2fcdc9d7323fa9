"""Helm releases: whose a workload is by its own word, and what a Job of Helm says that it did.

Helm keeps releases in Secrets, which the operator never reads: what is in them the Job judges.
https://helm.sh/docs/topics/advanced/#storage-backends
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from prunella.core import model, objects

HELM_ROLLBACK: Final = "helmRollback"
RELEASE: Final = "meta.helm.sh/release-name"
NAMESPACE: Final = "meta.helm.sh/release-namespace"
"""Annotations that Helm writes on all objects of a release."""
MANAGERS: Final = frozenset({"helm", "Helm"})
"""Helm's names in managedFields."""
RESTARTERS: Final = frozenset({objects.FIELD_MANAGER, "kubectl-rollout"})
"""Who writes nothing of a pod template but the annotation of a restart."""
_REFUSED: Final = "prunella: refused: "
_MADE: Final = re.compile(
    r"^prunella: made revision (\d+) of (\S+) as revision \d+ was, after revision (\d+)$",
    re.MULTILINE,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """The revision that a Job has made, and the one that was the newest before."""

    revision: int
    after: int


def release_of(workload: model.Workload) -> str | model.Ref:
    """The release that a workload belongs to, by name; a Ref for one of another namespace."""
    name = workload.annotations.get(RELEASE, "")
    where = workload.annotations.get(NAMESPACE, workload.ref.namespace)
    return name if where == workload.ref.namespace else model.Ref("release", where, name)


def refusal(log: str) -> str:
    """Why a Job has refused; empty when it did not."""
    lines = log.strip().splitlines()
    told = lines[-1] if lines else ""
    return told.removeprefix(_REFUSED) if told.startswith(_REFUSED) else ""


def has_refused(record: objects.Record) -> bool:
    """Whether a record's Job has refused, so that nothing was done."""
    run = record.status.run
    return record.spec.action == HELM_ROLLBACK and run is not None and bool(refusal(run.log))


def made(record: objects.Record) -> Made | None:
    """What a record's Job says that it has made."""
    found = _MADE.search(record.status.run.log) if record.status.run is not None else None
    return Made(int(found[1]), int(found[3])) if found is not None else None
