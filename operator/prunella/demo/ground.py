"""What the demo puts into a cluster before the story, and takes away after it.

It never touches what was there before: definitions that exist are used as they are, and a
namespace of the demo's name that is somebody else's is left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from prunella import ports
from prunella.adapters.kubernetes import client
from prunella.api import crdgen, resources
from prunella.demo import story

GONE_SECONDS = 60.0
ROLLOUT_SECONDS = 180.0
POLL_SECONDS = 1.0
OWNER = "app.kubernetes.io/managed-by"
NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": story.NAMESPACE, "labels": {OWNER: "prunella-demo"}},
}
_CORE = f"/api/v1/namespaces/{story.NAMESPACE}"
_RBAC = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{story.NAMESPACE}"
NAMESPACES = "/api/v1/namespaces"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{story.NAMESPACE}/deployments"
PODS = f"{_CORE}/pods"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PATHS = {
    "Namespace": NAMESPACES,
    "ConfigMap": f"{_CORE}/configmaps",
    "ServiceAccount": f"{_CORE}/serviceaccounts",
    "Role": f"{_RBAC}/roles",
    "RoleBinding": f"{_RBAC}/rolebindings",
    "Deployment": DEPLOYMENTS,
    "RemediationPolicy": (
        f"/apis/prunella.dev/v1alpha1/namespaces/{story.NAMESPACE}/remediationpolicies"
    ),
    "CustomResourceDefinition": DEFINITIONS,
}
_APPLY = {"fieldManager": "prunella-demo", "force": "true"}


@contextlib.asynccontextmanager
async def prepared(api: client.KubeApi) -> AsyncIterator[None]:
    """An empty namespace and the custom resources; both are gone again on leaving.

    Raises ClusterError, also when the namespace is somebody else's.
    """
    await _delete_namespace(api)
    created: list[str] = []
    try:
        await _define(api, created)
        await apply(api, [NAMESPACE])
        yield
    finally:
        await _delete_namespace(api)
        for name in created:
            await api.exchange("DELETE", f"{DEFINITIONS}/{name}", mutating=True)


async def apply(api: client.KubeApi, documents: Iterable[Mapping[str, Any]]) -> None:
    """Server-side apply."""
    for document in documents:
        await api.request(
            "PATCH",
            f"{PATHS[document['kind']]}/{document['metadata']['name']}",
            query=_APPLY,
            body=dict(document),
            content_type="application/apply-patch+yaml",
            mutating=True,
        )


async def rolled_out(api: client.KubeApi, deployment: str) -> None:
    """Wait until all pods of a Deployment are ready; pulling their images may take a while."""
    for _ in range(int(ROLLOUT_SECONDS / POLL_SECONDS)):
        _, found = await api.request("GET", f"{DEPLOYMENTS}/{deployment}", mutating=False)
        ready = found.get("status", {}).get("availableReplicas", 0)
        if ready >= found["spec"]["replicas"]:
            return
        await asyncio.sleep(POLL_SECONDS)
    raise ports.ClusterError(
        f"Deployment {deployment} is not available after {ROLLOUT_SECONDS:.0f} s: "
        f"see kubectl -n {story.NAMESPACE} get pods"
    )


async def _define(api: client.KubeApi, created: list[str]) -> None:
    """Create the custom resource definitions that are missing; their names are noted."""
    for resource in resources.ALL:
        path = f"{DEFINITIONS}/{resource.name}"
        if (await api.exchange("GET", path, mutating=False)).status != 404:
            continue
        created.append(resource.name)
        await apply(api, [crdgen.manifest(resource)])
        await _established(api, path)


async def _established(api: client.KubeApi, path: str) -> None:
    for _ in range(int(GONE_SECONDS / POLL_SECONDS)):
        _, found = await api.request("GET", path, mutating=False)
        conditions = found.get("status", {}).get("conditions")
        if any(c["type"] == "Established" and c["status"] == "True" for c in conditions or ()):
            return
        await asyncio.sleep(POLL_SECONDS)
    raise ports.ClusterError(f"{path} is not established after {GONE_SECONDS:.0f} s")


async def _delete_namespace(api: client.KubeApi) -> None:
    """Delete the demo's namespace and wait until it is gone."""
    path = f"{NAMESPACES}/{story.NAMESPACE}"
    found = await api.exchange("GET", path, mutating=False)
    if found.status == 404:
        return
    if found.ok and OWNER not in found.body["metadata"].get("labels", {}):
        raise ports.ClusterError(
            f"namespace {story.NAMESPACE} exists and is not the demo's: "
            f"delete it, or label it {OWNER}=prunella-demo if it may be deleted"
        )
    await api.request("DELETE", path, mutating=True)
    for _ in range(int(GONE_SECONDS / POLL_SECONDS)):
        if (await api.exchange("GET", path, mutating=False)).status == 404:
            return
        await asyncio.sleep(POLL_SECONDS)
    raise ports.ClusterError(f"namespace {story.NAMESPACE} is not gone after {GONE_SECONDS:.0f} s")
