"""DNS settings of pods under which names of the cluster do not resolve."""

from __future__ import annotations

from collections.abc import Iterator

from prunella.api.incident import CauseKind
from prunella.core import model
from prunella.core.incidents.diagnosis import faults, read
from prunella.core.incidents.diagnosis.faults import Fault
from prunella.core.incidents.diagnosis.scene import Scene

_SPEC = "spec.template.spec"
_DNS = model.Ref("Service", "kube-system", "kube-dns")


def find(scene: Scene) -> Iterator[Fault]:
    """Workloads that call Services by name and can't resolve their names."""
    callers = {each.workload for each in scene.addresses}
    for workload in sorted(callers):
        spec = read.mapping(scene.template(workload), "spec")
        told = _wrong(scene, spec)
        if told:
            names = [each.text for each in scene.addresses if each.workload == workload]
            yield Fault(
                workload, f"{_SPEC}.{told[0]}", CauseKind.NETWORKING, "reference",
                f"{told[1]}, but {workload} calls {len(names)} Services by name, such as "
                f"{names[0]}",
                faults.SURE, frozenset({workload}),
                fields=(f"{_SPEC}.dnsPolicy", f"{_SPEC}.dnsConfig", f"{_SPEC}.hostNetwork"),
            )  # fmt: skip


def _wrong(scene: Scene, spec: read.Raw) -> tuple[str, str] | None:
    policy = read.text(spec, "dnsPolicy") or "ClusterFirst"
    servers = read.strings(spec, "dnsConfig", "nameservers")
    known = read.text(scene.get(_DNS), "spec", "clusterIP")
    if policy == "Default":
        return "dnsPolicy", "dnsPolicy Default resolves by the node, which knows no Services"
    if policy == "ClusterFirst" and spec.get("hostNetwork") is True:
        return "dnsPolicy", "dnsPolicy ClusterFirst does not hold for pods with hostNetwork"
    if policy == "None" and not (known and known in servers):
        which = f"dnsPolicy None with nameservers {', '.join(servers) or 'none'}"
        return ("dnsPolicy", f"{which}: not the cluster's") if known else ("dnsPolicy", which)
    return None
