"""What an object says of the release that it belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from prunella.api import change as change_api

Manifest = Mapping[str, Any]
REVISION: Final = "deployment.kubernetes.io/revision"
VERSION: Final = "app.kubernetes.io/version"
_COMMIT: Final = re.compile(
    r"(^|[/.])(git[-_.]?)?(commit|sha)([-_.]?(sha|id|hash))?$|vcs[-_.]?ref$"
    r"|org\.opencontainers\.image\.revision$",
    re.IGNORECASE,
)
_MOST_IMAGES: Final = 16
_MOST_TEXT: Final = 253


def facts(manifest: Manifest, *, template_changed: bool) -> change_api.ReleaseFacts | None:
    """Images, revision, commit, version, Helm release and GitOps revision; None without any."""
    meta = manifest.get("metadata") or {}
    template = _template(manifest)
    found = change_api.ReleaseFacts(
        images=list(_images(template))[:_MOST_IMAGES],
        revision=_revision(manifest, template_changed=template_changed),
        commit=_commit(template.get("metadata") or {}) or _commit(meta),
        version=_label(template.get("metadata") or {}, VERSION) or _label(meta, VERSION),
        helm=_helm(meta),
        gitops=_gitops(manifest.get("status") or {}),
    )
    return found if found != change_api.ReleaseFacts() else None


def _template(manifest: Manifest) -> Manifest:
    """The pod template; a CronJob's is within the template of its Jobs."""
    spec = manifest.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    job = spec.get("jobTemplate")
    if isinstance(job, Mapping):
        spec = job.get("spec") or {}
    template = spec.get("template")
    return template if isinstance(template, Mapping) else {}


def _images(template: Manifest) -> Iterator[str]:
    spec = template.get("spec")
    for field in ("initContainers", "containers"):
        for container in (spec.get(field) if isinstance(spec, Mapping) else None) or ():
            if container.get("image"):
                yield str(container["image"])[:1024]


def _revision(manifest: Manifest, *, template_changed: bool) -> str:
    """A Deployment's revision; the controller numbers a new template only after it was written."""
    told = _note(manifest.get("metadata") or {}, REVISION)
    observed = (manifest.get("status") or {}).get("observedGeneration") or 0
    generation = (manifest.get("metadata") or {}).get("generation") or 0
    if told.isdecimal() and template_changed and observed < generation:
        return str(int(told) + 1)
    return told


def _commit(meta: Manifest) -> str:
    notes = {**(meta.get("labels") or {}), **(meta.get("annotations") or {})}
    return next((str(notes[key])[:_MOST_TEXT] for key in sorted(notes) if _COMMIT.search(key)), "")


def _helm(meta: Manifest) -> str:
    """``RELEASE (CHART)``, by the labels and annotations that Helm and its charts write."""
    name, chart = _note(meta, "meta.helm.sh/release-name"), _label(meta, "helm.sh/chart")
    return f"{name} ({chart})" if name and chart else name


def _gitops(status: Manifest) -> str:
    """The revision that Flux or Argo CD has applied."""
    sync = status.get("sync")
    argo = sync.get("revision") if isinstance(sync, Mapping) else None
    found = status.get("lastAppliedRevision") or status.get("lastAttemptedRevision") or argo
    return str(found or "")[:_MOST_TEXT]


def _label(meta: Manifest, key: str) -> str:
    return str((meta.get("labels") or {}).get(key) or "")[:_MOST_TEXT]


def _note(meta: Manifest, key: str) -> str:
    return str((meta.get("annotations") or {}).get(key) or "")[:_MOST_TEXT]
