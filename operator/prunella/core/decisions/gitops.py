"""Who deploys a workload from Git, and from which commit: what a revert is decided by.

The owner is named by the workload's own marks, and must itself list the workload among what it has
applied: a mark that somebody has copied leads nowhere.  Sources: Flux `Kustomization` and
`GitRepository` (kustomize and source toolkit, v1), Argo CD `Application` (v1alpha1).
"""

from __future__ import annotations

import dataclasses
import datetime
import posixpath
import re
from collections.abc import Mapping
from typing import Any, Final

from prunella.api import reasons
from prunella.core import model

GIT_REVERT: Final = "gitRevert"
"""The action that writes a repository and nothing in the cluster."""
KUSTOMIZATION: Final = "Kustomization"
APPLICATION: Final = "Application"
GIT_REPOSITORY: Final = "GitRepository"
OWNERS: Final = (KUSTOMIZATION, GIT_REPOSITORY, APPLICATION)
"""Kinds that are read to learn where a workload comes from, and never written."""
REVERTS: Final = "This reverts commit"
"""How `git revert` names the commit that it puts back, and so do we."""
_BROUGHT: Final = re.compile(r"\((?P<squashed>#\d+)\)$|^Merge pull request (?P<merged>#\d+) from ")
"""How GitHub and Gitea name the pull request in the subject of what it became."""
TRAILER: Final = "Prunella-Remediation"
"""Trailer of our commits: the Remediation's namespace and name."""
_FLUX: Final = "kustomize.toolkit.fluxcd.io"
_ARGO: Final = "argocd.argoproj.io/tracking-id"
_SHA: Final = re.compile(r"(?:^|[:/])([0-9a-f]{40})$")
Manifest = Mapping[str, Any]
Refused = reasons.Refused


@dataclasses.dataclass(frozen=True, slots=True)
class Deployment:
    """Where a workload is deployed from."""

    owner: model.Ref
    uid: str
    generation: int | None
    repository: str
    branch: str
    """Empty: the repository's default branch."""
    path: str
    applied: str
    """The commit that is in the cluster."""
    elsewhere: tuple[str, ...] = ()
    """What the owner deploys outside of the workload's namespace, as ``Kind/name``."""


@dataclasses.dataclass(frozen=True, slots=True)
class Commit:
    """One commit on the way from the branch's head back, each the first parent of the one before.

    ``files`` are those that differ from its first parent; of the first commit there are none.
    """

    id: str
    at: datetime.datetime
    """When it was committed."""
    author: str
    subject: str
    files: tuple[str, ...]
    remediation: str = ""
    """Of a commit of ours: the Remediation that made it."""
    first: bool = False
    """It has no parent that is known."""


@dataclasses.dataclass(frozen=True, slots=True)
class History:
    """The newest commits of a branch."""

    branch: str
    head: str
    commits: tuple[Commit, ...]
    """Newest first."""
    built_from: tuple[str, ...]
    """Folders and files that the deployed path is built from, itself first; empty name: all."""
    request: bool = False
    """The administrator wants requests, no pushes."""
    requested: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Addresses of open requests, anybody's, by the commit that they revert, or by the request
    that brought it, as ``#12``."""


@dataclasses.dataclass(frozen=True, slots=True)
class Looked:
    """What was found of a workload's deployment; a refusal says why there is no more."""

    deployment: Deployment | None = None
    history: History | None = None
    refusal: model.Refusal | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Synced:
    """How far the owner is with a pushed commit."""

    applied: bool
    message: str


def owner_of(workload: model.Workload, argocd_namespace: str) -> model.Ref | None:
    """The Kustomization or Application that a workload's marks name."""
    name, namespace = (workload.labels.get(f"{_FLUX}/{part}") for part in ("name", "namespace"))
    if name and namespace:
        return model.Ref(KUSTOMIZATION, namespace, name)
    # APPLICATION:GROUP/KIND:NAMESPACE/NAME; NAMESPACE_APPLICATION in namespaces beside Argo CD's.
    application, _, _ = workload.annotations.get(_ARGO, "").partition(":")
    if not application:
        return None
    place, _, short = application.rpartition("_")
    return model.Ref(APPLICATION, place or argocd_namespace, short)


def source_of(owner: model.Ref, manifest: Manifest) -> model.Ref | None:
    """The GitRepository that a Kustomization names; None for others, and for other sources."""
    if owner.kind != KUSTOMIZATION:
        return None
    named = manifest["spec"].get("sourceRef") or {}
    if named.get("kind") != GIT_REPOSITORY:
        return None
    return model.Ref(GIT_REPOSITORY, named.get("namespace") or owner.namespace, named["name"])


def deployment(
    owner: model.Ref, manifest: Manifest, source: Manifest | None, target: model.Ref
) -> Deployment | model.Refusal:
    """Where the owner deploys the target from, by its spec and status.

    Of an owner that does not list the target nothing is told: the mark may be copied, and the
    owner another namespace's.
    """
    known = _applied(owner, manifest)
    if target not in known:
        message = f"{target} names {owner}, which does not list it among what it has applied"
        return model.Refusal(Refused.NOT_FROM_GIT, message, skip_step=True)
    if owner.kind == KUSTOMIZATION:
        return _of_kustomization(owner, manifest, source, target, known)
    return _of_application(owner, manifest, target, known)


def _applied(owner: model.Ref, manifest: Manifest) -> set[model.Ref]:
    """What the owner has brought into the cluster, as it says itself."""
    status = manifest.get("status") or {}
    if owner.kind == KUSTOMIZATION:
        # NAMESPACE_NAME_GROUP_KIND, see fluxcd/pkg/ssa `object.ObjMetadata`.
        entries = (status.get("inventory") or {}).get("entries", ())
        names = [str(each["id"]).split("_") for each in entries]
        return {model.Ref(e[3], e[0], e[1]) for e in names if len(e) == 4}
    return {
        model.Ref(r.get("kind", ""), r.get("namespace", ""), r.get("name", ""))
        for r in status.get("resources") or ()
    }


def applied_revision(owner: model.Ref, manifest: Manifest) -> str:
    """The commit that the owner has brought into the cluster; empty: none that is known.

    Flux names a revision applied only once its health checks have passed: while they are made, and
    when they have failed, the attempted one is what runs.
    """
    status = manifest.get("status") or {}
    if owner.kind == KUSTOMIZATION:
        told: object = _of_flux(manifest)
    else:
        operation = status.get("operationState") or {}
        synced = (status.get("sync") or {}).get("status") == "Synced"
        done = (operation.get("syncResult") or {}).get("revision")
        told = (status.get("sync") or {}).get("revision") if synced else done
    found = _SHA.search(str(told or ""))
    return found.group(1) if found else ""


def _of_flux(manifest: Manifest) -> str:
    """The revision that runs, by a Kustomization's status; empty while that is not certain.

    kustomize-controller marks `Healthy` Unknown, and names the revision, after it has applied and
    before it waits for health, for as long as `timeout`.  `Ready` is no help meanwhile, nor while
    a newer revision is built and applied (`Reconciling`, with the reason Progressing).
    """
    status = manifest.get("status") or {}
    attempted = str(status.get("lastAttemptedRevision") or "")
    applied = str(status.get("lastAppliedRevision") or "")
    healthy, reconciling = _condition(manifest, "Healthy"), _condition(manifest, "Reconciling")
    if attempted in ("", applied):
        return applied
    if healthy.get("status") == "Unknown" and attempted in str(healthy.get("message")):
        return attempted
    if reconciling.get("reason") == "Progressing":
        return ""
    if _ready(manifest).get("reason") == "HealthCheckFailed":
        return attempted
    # Health failed for one that is named no more: the newest could not be built or applied.
    return "" if healthy.get("status") in ("False", "Unknown") else applied


def waiting(owner: model.Ref, manifest: Manifest) -> str:
    """What the owner says of itself, for people who wait for it."""
    if owner.kind == KUSTOMIZATION:
        at_work = _condition(manifest, "Reconciling")
        says = at_work if at_work.get("reason") == "Progressing" else _ready(manifest)
        told = f"{says.get('reason', '')}: {says.get('message', '')}"
    else:
        operation = (manifest.get("status") or {}).get("operationState") or {}
        told = f"{operation.get('phase', '')}: {operation.get('message', '')}"
    return told[:256].strip(": ")


def _of_kustomization(
    owner: model.Ref,
    manifest: Manifest,
    source: Manifest | None,
    target: model.Ref,
    known: set[model.Ref],
) -> Deployment | model.Refusal:
    spec = manifest["spec"]
    if source is None:
        kind = (spec.get("sourceRef") or {}).get("kind", "nothing")
        message = f"{owner} deploys from {kind}: only from a GitRepository is anything reverted"
        return model.Refusal(Refused.NOT_FROM_GIT, message, skip_step=True)
    for ref, suspended in ((owner, spec), (source_of(owner, manifest), source["spec"])):
        if suspended.get("suspend"):
            return _suspended(f"{ref} is suspended")
    wanted = source["spec"].get("ref") or {}
    pinned = [word for word in ("tag", "semver", "commit", "name") if wanted.get(word)]
    if pinned:
        return _no_branch(f"its GitRepository follows {pinned[0]} {wanted[pinned[0]]}", owner)
    return _deployment(
        owner,
        manifest,
        repository=str(source["spec"]["url"]),
        branch=str(wanted.get("branch") or "master"),
        path=str(spec.get("path") or ""),
        known=known,
        target=target,
    )


def _of_application(
    owner: model.Ref, manifest: Manifest, target: model.Ref, known: set[model.Ref]
) -> Deployment | model.Refusal:
    spec = manifest["spec"]
    source = spec.get("source") or {}
    if spec.get("sources") or source.get("chart") or not source.get("repoURL"):
        message = f"{owner} deploys from several sources or a chart, not from one folder in Git"
        return model.Refusal(Refused.NOT_FROM_GIT, message, skip_step=True)
    automated = (spec.get("syncPolicy") or {}).get("automated")
    if automated is None or automated.get("enabled") is False:
        return _suspended(f"{owner} is not synced automatically")
    wanted = str(source.get("targetRevision") or "HEAD")
    if _SHA.search(wanted):
        return _no_branch(f"its targetRevision is {wanted}", owner)
    return _deployment(
        owner,
        manifest,
        repository=str(source["repoURL"]),
        branch="" if wanted == "HEAD" else wanted.removeprefix("refs/heads/"),
        path=str(source.get("path") or ""),
        known=known,
        target=target,
    )


def _deployment(
    owner: model.Ref,
    manifest: Manifest,
    *,
    repository: str,
    branch: str,
    path: str,
    known: set[model.Ref],
    target: model.Ref,
) -> Deployment | model.Refusal:
    metadata = manifest["metadata"]
    observed = (manifest.get("status") or {}).get("observedGeneration")
    if observed is not None and observed != metadata.get("generation"):
        message = f"{owner} has seen generation {observed} of {metadata.get('generation')}"
        return model.Refusal(Refused.ROLLOUT_IN_PROGRESS, message)
    applied = applied_revision(owner, manifest)
    if not applied:
        message = f"{owner} names no commit that it has applied ({waiting(owner, manifest)})"
        return model.Refusal(Refused.ROLLOUT_IN_PROGRESS, message)
    own = model.Ref("Namespace", "", target.namespace)
    beside = (ref for ref in known if ref.namespace != target.namespace and ref != own)
    folder = posixpath.normpath(path or ".").strip("/")
    return Deployment(
        owner=owner,
        uid=str(metadata["uid"]),
        generation=metadata.get("generation"),
        repository=plain_url(repository),
        branch=branch,
        path="" if folder == "." else folder,
        applied=applied,
        elsewhere=tuple(sorted(map(str, beside))),
    )


def _suspended(what: str) -> model.Refusal:
    message = f"{what}: a person has that in hand, and a revert would not be applied"
    return model.Refusal(Refused.SYNC_SUSPENDED, message)


def _no_branch(what: str, owner: model.Ref) -> model.Refusal:
    message = f"{owner} follows no branch: {what}"
    return model.Refusal(Refused.NOT_FROM_GIT, message, skip_step=True)


def _ready(manifest: Manifest) -> Mapping[str, Any]:
    return _condition(manifest, "Ready")


def _condition(manifest: Manifest, kind: str) -> Mapping[str, Any]:
    conditions = (manifest.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == kind), {})


def plain_url(url: str) -> str:
    """A URL without password, and over HTTP without user."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    if not separator or not at:
        return url
    kept = "" if scheme in {"http", "https"} else f"{user.partition(':')[0]}@"
    return f"{scheme}://{kept}{host}{slash}{path}"


def within(file: str, roots: tuple[str, ...]) -> bool:
    """Whether a file is one of some paths, or in one; the empty path is the whole repository."""
    return any(root in {"", file} or file.startswith(f"{root}/") for root in roots)


def open_request(requested: Mapping[str, str], commit: str, subject: str) -> str:
    """The address of an open request that reverts a commit; empty without one."""
    found = _BROUGHT.search(subject)
    number = (found["squashed"] or found["merged"]) if found is not None else ""
    return requested.get(commit) or requested.get(number, "")
