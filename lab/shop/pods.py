"""What kubelets know of pods."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from lab.shop import profiles
from lab.shop.containers import Container
from lab.shop.objects import Object


@dataclasses.dataclass(slots=True)
class PodRecord:
    """What a kubelet knows of one pod."""

    pod: Object
    containers: dict[str, Container]
    inits: dict[str, Container]
    address: str = ""
    started_at: float = 0.0
    conditions: dict[str, tuple[str, float]] = dataclasses.field(default_factory=dict)
    """Status and last transition of each condition."""
    written: dict[str, Any] | None = None
    wrote_at: float = 0.0
    mount_noted: float = 0.0
    stopping_at: float | None = None
    ended: dict[str, Any] | None = None
    """The final status of a pod that was evicted."""
    profile: profiles.Profile | None = None
    """The program of the shop that runs in it."""
    effect: profiles.Effect = profiles.NO_EFFECT

    @property
    def main(self) -> Container | None:
        """The container that runs a program of the shop."""
        return next((c for c in self.containers.values() if c.program.profile), None)


def adopt(pod: Object, now: float) -> PodRecord:
    """A record of a pod, as its status has it when an earlier program has left one."""
    spec, status = pod["spec"], pod.get("status", {})
    record = PodRecord(
        pod,
        {each["name"]: Container(each["name"]) for each in spec["containers"]},
        {each["name"]: Container(each["name"]) for each in spec.get("initContainers") or []},
        address=status.get("podIP", ""),
        started_at=now,
    )
    if status.get("phase") in ("Succeeded", "Failed"):
        record.written = {"phase": status["phase"]}
    for condition in status.get("conditions") or []:
        record.conditions[condition["type"]] = (condition["status"], now)
    for field, known in (
        ("containerStatuses", record.containers),
        ("initContainerStatuses", record.inits),
    ):
        for each in status.get(field) or []:
            if each["name"] in known:
                _restore(known[each["name"]], each, now)
    return record


def _restore(container: Container, status: Mapping[str, Any], now: float) -> None:
    """Restart counts go on, and what has ended stays ended."""
    container.restarts = int(status.get("restartCount", 0))
    ended = (status.get("state") or {}).get("terminated")
    if ended is not None:
        container.state, container.reason = "terminated", ended.get("reason", "")
        container.code, container.since = int(ended.get("exitCode", 0)), now


def restart_policy(pod: Object) -> str:
    """Always, OnFailure or Never."""
    return str(pod["spec"].get("restartPolicy", "Always"))


def completed(container: Container) -> bool:
    """Whether a container has ended well."""
    return container.state == "terminated" and container.code == 0


def lose_power(record: PodRecord) -> None:
    """The node is off: nothing runs, nobody says so."""
    for each in record.containers.values():
        if each.running:
            each.state, each.reason, each.ready = "waiting", "", False
            each.retry_at, each.memory, each.cpu = 0.0, 0.0, 0.0


def running(records: Mapping[str, PodRecord], now: float) -> Iterator[PodRecord]:
    """The pods whose program of the shop serves by now."""
    for record in records.values():
        if any(each.serves(now) for each in record.containers.values()):
            yield record
