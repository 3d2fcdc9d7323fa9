"""The chart in the stories' lab: installed once, by whoever is the first one in."""

from __future__ import annotations

import json
import pathlib
import subprocess

from lab.cluster import Lab
from prunella.api import steps as steps_api
from tests.e2e.harness.waiting import wait_until

ROOT = pathlib.Path(__file__).parents[3]
HOME, ACCOUNT = "prunella-system", "prunella"
USERNAME = f"system:serviceaccount:{HOME}:{ACCOUNT}"
POOL_SIZE = {
    "apiVersion": "postgresql.cnpg.io/v1",
    "kind": "Pooler",
    "resource": "poolers",
    "path": "spec.pgbouncer.parameters.default_pool_size",
    "min": 5,
    "max": 100,
}
"""What administrators allow to patchField."""
PROBE = """
apiVersion: prunella.dev/v1alpha1
kind: Remediation
metadata: {name: forged, namespace: default}
spec:
  policy: {name: p, namespace: default, uid: u, generation: 1}
  target: {kind: Deployment, namespace: default, name: t, uid: u}
  attempt: 1
  mode: Live
  step: 0
  action: restart
  decidedAt: "2026-01-01T00:00:00Z"
  reason: forged
"""


TEMPLATE = {
    "namespaces": ["*"],
    "image": f"tools/redis@sha256:{'0' * 64}",
    "serviceAccount": "default",
    "parameters": {"PREFIX": {"pattern": "[a-z]+:"}},
}
ENDPOINT = {"namespaces": ["*"], "url": "http://127.0.0.1:9", "poll": {"path": "/state/{key}"}}
OFFERED = {"jobTemplates": {"purge": TEMPLATE}, "endpoints": {"restart": ENDPOINT}}
"""What the chart's admission rules and the stories' operators know."""


def install(lab: Lab) -> None:
    """CRDs and chart with all actions on, for the whole cluster; waits for its admission rules.

    The chart's own pod runs nothing here: the tests run the operator beside the cluster.
    """
    lab.kubectl("apply", "--server-side", "--filename", str(ROOT / "crds"))
    actions = ",".join(f"actions.{name}=true" for name in steps_api.ACTIONS)
    lab.helm(
        *("upgrade", "--install", ACCOUNT, str(ROOT / "charts" / "prunella")),
        *("--namespace", HOME, "--create-namespace", "--wait", "--timeout", "90s"),
        *("--set", actions),
        *("--set-json", f"offered={json.dumps(OFFERED)}"),
        *("--set-json", f"patchField.fields={json.dumps([POOL_SIZE])}"),
        *("--set-json", 'raiseQuota.ceilings={"pods": 100}'),
        *("--set", "shiftTraffic.kinds.HTTPRoute=true"),
        *("--set", "clusterPolicies.enabled=true"),
    )
    wait_until(lambda: USERNAME in forge(lab).stderr, 60, "the API server guards the records")


def forge(lab: Lab) -> subprocess.CompletedProcess[str]:
    """Try to write a record as somebody else than the operator, without keeping it."""
    arguments = ("create", "--dry-run=server", "--filename", "-")
    return lab.kubectl(*arguments, input=PROBE, check=False)
