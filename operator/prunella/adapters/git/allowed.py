"""Which repositories may be written, by whom and where: the administrator's word."""

from __future__ import annotations

import dataclasses
import fnmatch
import re
from collections.abc import Iterable
from typing import Final

from prunella import settings
from prunella.api import reasons
from prunella.core import model
from prunella.core.decisions import gitops

_REST: Final = re.compile(r"[A-Za-z0-9._~/-]*")
"""What may follow a prefix: nothing that a server or a library reads in another way."""
Refused = reasons.Refused


@dataclasses.dataclass(frozen=True, slots=True)
class Allowed:
    """A repository that may be written, and its address over HTTP."""

    settings: settings.GitRepository
    url: str

    @property
    def name(self) -> str:
        """The repository as the APIs of its server name it: ``OWNER/NAME``."""
        return self.url.split("://", 1)[1].partition("/")[2].rstrip("/").removesuffix(".git")


def find(repositories: Iterable[settings.GitRepository], url: str) -> Allowed | None:
    """The first entry whose prefix a URL has; None for one that nobody has allowed."""
    for each in repositories:
        prefix = each.url_prefix
        if not url.startswith(prefix):
            continue
        rest = url[len(prefix) :]
        folder = prefix.endswith(("/", ":"))
        plain = bool(_REST.fullmatch(rest)) and ".." not in rest and "//" not in rest
        if plain and (folder or rest in {"", ".git"}):
            return Allowed(each, (each.push_prefix or prefix) + rest)
    return None


def refusal(
    found: Allowed | None, deployment: gitops.Deployment, namespace: str
) -> model.Refusal | None:
    """Why a namespace's policies may not have this deployment's commits reverted."""
    url = deployment.repository
    if found is None:
        message = f"{deployment.owner} deploys from {url}, which git.repositories does not allow"
        return model.Refusal(Refused.NOT_ALLOWED, message)
    wanted = found.settings.allowed_namespaces
    if not any(fnmatch.fnmatchcase(namespace, each) for each in wanted):
        told = ", ".join(wanted)
        message = f"{url} may be written for namespaces {told}, and this one is {namespace}"
        return model.Refusal(Refused.NOT_ALLOWED, message)
    if deployment.elsewhere and not found.settings.other_namespaces:
        message = (
            f"{deployment.owner} deploys {len(deployment.elsewhere)} objects outside of "
            f"{namespace}, {deployment.elsewhere[0]} first, and otherNamespaces is false"
        )
        return model.Refusal(Refused.NOT_ALLOWED, message)
    return None


def branch_refusal(found: Allowed, url: str, branch: str) -> model.Refusal | None:
    """Why a branch may not be written."""
    if any(fnmatch.fnmatchcase(branch, each) for each in found.settings.branches):
        return None
    told = ", ".join(found.settings.branches)
    message = f"{url} is deployed from branch {branch}, and branches is {told}"
    return model.Refusal(Refused.NOT_ALLOWED, message)
