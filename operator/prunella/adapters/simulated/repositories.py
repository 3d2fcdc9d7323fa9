"""The Repositories port in memory: one branch, and a Kustomization that applies it.

Each commit says which image a workload has.  The Kustomization reads the branch again and again, as
Flux does, brings the images into the simulated cluster, and names the commit in its status.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any, Final

from prunella import ports
from prunella.adapters.simulated import clock as clocks
from prunella.adapters.simulated import cluster as clusters
from prunella.adapters.simulated import faults
from prunella.api import reasons
from prunella.core import model, pushes
from prunella.core.decisions import gitops

OWNER: Final = model.Ref(gitops.KUSTOMIZATION, "flux-system", "shop")
SOURCE: Final = model.Ref(gitops.GIT_REPOSITORY, "flux-system", "shop")
MARKS: Final = {
    "kustomize.toolkit.fluxcd.io/name": OWNER.name,
    "kustomize.toolkit.fluxcd.io/namespace": OWNER.namespace,
}
"""Labels of what it deploys."""
URL: Final = "https://git.example.com/shop/deploy"
BRANCH: Final = "main"
MANAGER: Final = "kustomize-controller"
SYNC_SECONDS: Final = 15.0


@dataclasses.dataclass(frozen=True, slots=True)
class _State:
    commit: gitops.Commit
    images: dict[model.Ref, str]


class SimulatedRepositories:
    """A repository with one branch, and what deploys it."""

    def __init__(
        self,
        clock: clocks.VirtualClock,
        cluster: clusters.SimulatedCluster,
        switchboard: faults.Faults | None = None,
    ) -> None:
        self._clock = clock
        self._cluster = cluster
        self.faults = switchboard or faults.Faults()
        self._states: list[_State] = []
        self._applied = ""
        self._paths: dict[model.Ref, str] = {}
        self.suspended = False
        """A person has suspended the Kustomization."""
        self.broken = False
        """The Kustomization applies nothing more, and says why."""
        self.request = False
        """The administrator wants requests, no pushes."""
        self.protected = False
        """The server takes no pushes to the branch."""
        self.requests: dict[str, str] = {}
        """Opened requests: their addresses by the Remediation."""
        self.requested: dict[str, str] = {}
        """Their addresses by the commit that they revert."""

    def deploy(self, ref: model.Ref, image: str, path: str = "") -> None:
        """Let a workload that is there be deployed from a folder of the repository."""
        if not self._paths:
            self._clock.every(SYNC_SECONDS, self._sync)
            self._cluster.deployers |= {OWNER: self._owner, SOURCE: _source}
        self._paths[ref] = path or f"apps/{ref.name}"
        self.commit(f"Deploy {ref.name}", {ref: image})
        self._applied = self.head

    @property
    def head(self) -> str:
        """The branch's newest commit."""
        return self._states[-1].commit.id

    @property
    def images(self) -> dict[model.Ref, str]:
        """What each workload has at the branch's newest commit."""
        return dict(self._states[-1].images)

    @property
    def commits(self) -> tuple[gitops.Commit, ...]:
        """All commits, newest first."""
        return tuple(state.commit for state in reversed(self._states))

    def commit(
        self,
        subject: str,
        images: dict[model.Ref, str],
        author: str = "Ada",
        remediation: str = "",
    ) -> str:
        """Give workloads other images, in one commit; returns its name."""
        before = self._states[-1].images if self._states else {}
        told = f"{len(self._states)} {subject} {sorted(images.items())} {remediation}"
        made = gitops.Commit(
            id=hashlib.sha1(told.encode(), usedforsecurity=False).hexdigest(),
            at=self._clock.now().replace(microsecond=0),
            author=author,
            subject=subject,
            files=tuple(sorted(self._file(ref) for ref in images)),
            remediation=remediation,
            first=not self._states,
        )
        self._states.append(_State(made, {**before, **images}))
        return made.id

    async def history(
        self,
        deployment: gitops.Deployment,
        namespace: str,  # noqa: ARG002 - all may have reverts here
    ) -> gitops.History | model.Refusal:
        """The commits of the branch; never raises."""
        try:
            self.faults.reach(faults.Point.REPOSITORY)
        except ports.ClusterError as error:
            return model.Refusal(reasons.Refused.REPOSITORY_UNAVAILABLE, str(error))
        return gitops.History(
            branch=BRANCH,
            head=self.head,
            commits=self.commits,
            built_from=(deployment.path,),
            request=self.request,
            requested=dict(self.requested) if self.request else {},
        )

    async def send(self, change: pushes.GitChange, mark: str, *, dry_run: bool) -> ports.Receipt:
        """Push the revert, or open the request, at most once; never raises."""
        try:
            self.faults.reach(faults.Point.BEFORE_SEND)
            receipt = self._push(change, mark, dry_run=dry_run)
            self.faults.reach(faults.Point.AFTER_SEND)
        except ports.OutcomeUnknown as error:
            outcome = ports.Outcome.REFUSED if dry_run else ports.Outcome.UNKNOWN
            return ports.Receipt(outcome, str(error))
        except ports.ClusterError as error:
            return ports.Receipt(ports.Outcome.REFUSED, str(error), status=error.status)
        return receipt

    async def sent(self, change: pushes.GitChange, mark: str) -> ports.Receipt:
        """What became of a push whose answer was lost."""
        try:
            self.faults.reach(faults.Point.REPOSITORY)
        except ports.ClusterError as error:
            return ports.Receipt(ports.Outcome.UNKNOWN, str(error))
        message = f"{change.branch} has no commit of {mark}"
        return self._done(mark) or ports.Receipt(ports.Outcome.REFUSED, message, status=409)

    async def contains(
        self,
        change: pushes.GitChange,  # noqa: ARG002 - there is one branch
        commit: str,
        newer: str,
    ) -> bool:
        """Whether a commit of the branch has another in its history."""
        names = [each.id for each in self.commits]
        return commit in names and newer in names and names.index(newer) <= names.index(commit)

    def _push(self, change: pushes.GitChange, mark: str, *, dry_run: bool) -> ports.Receipt:
        if (done := self._done(mark)) is not None:
            return done
        if self.head != change.expected_head:
            was, now = change.expected_head[:10], self.head[:10]
            raise ports.ClusterError(f"{BRANCH} was at {was}, and is at {now}", status=409)
        if change.request and (url := self.requested.get(change.revert)):
            raise ports.ClusterError(f"{url} reverts it as well", status=409)
        if dry_run:
            return ports.Receipt(ports.Outcome.WOULD_SUCCEED, f"{BRANCH} could be written")
        if change.request:
            self.requests[mark] = f"{URL}/pulls/{len(self.requests) + 1}"
            self.requested[change.revert] = self.requests[mark]
        elif self.protected:
            raise ports.ClusterError(f"{BRANCH}: protected branch", status=403)
        else:
            self.commit(change.message.partition("\n")[0], self._before(change), "Prunella", mark)
        receipt = self._done(mark)
        if receipt is None:
            raise ports.ClusterError("nothing was made")
        return receipt

    def _before(self, change: pushes.GitChange) -> dict[model.Ref, str]:
        """The images of the changed files just before a commit."""
        place = next(i for i, s in enumerate(self._states) if s.commit.id == change.revert)
        images = self._states[place - 1].images
        return {ref: image for ref, image in images.items() if self._file(ref) in change.files}

    def _done(self, mark: str) -> ports.Receipt | None:
        if mark in self.requests:
            url, done = self.requests[mark], ports.Outcome.EFFECTIVE
            return ports.Receipt(done, f"opened {url}", status=201, commit=self.head, url=url)
        made = next((each for each in self.commits if each.remediation == mark), None)
        if made is None:
            return None
        message = f"pushed {made.id[:10]} to {BRANCH} of {URL}"
        return ports.Receipt(ports.Outcome.EFFECTIVE, message, status=200, commit=made.id)

    def _file(self, ref: model.Ref) -> str:
        return f"{self._paths[ref]}/{ref.kind.lower()}.yaml"

    def _sync(self) -> None:
        if self.suspended or self.broken or self._applied == self.head:
            return
        for ref, image in self._states[-1].images.items():
            found = self._cluster.read(ref)
            if found is None:
                continue
            containers: Any = found.workload.template["spec"]
            if containers["containers"][0]["image"] != image:
                self._cluster.set_image(ref, image, MANAGER)
        self._applied = self.head

    def _owner(self) -> dict[str, Any]:
        """The Kustomization as Flux shows it."""
        entries = [
            {"id": f"{ref.namespace}_{ref.name}_apps_{ref.kind}", "v": "v1"} for ref in self._paths
        ]
        told = ("BuildFailed", "kustomize build failed") if self.broken else ("Succeeded", "")
        ready = {"type": "Ready", "reason": told[0], "message": told[1]}
        path = next(iter(self._paths.values())) if len(self._paths) == 1 else ""
        return {
            "metadata": {**_metadata(OWNER), "generation": 1},
            "spec": {
                "path": path,
                "suspend": self.suspended,
                "sourceRef": {"kind": SOURCE.kind, "name": SOURCE.name},
            },
            "status": {
                "observedGeneration": 1,
                "conditions": [ready],
                "inventory": {"entries": entries},
                "lastAppliedRevision": f"{BRANCH}@sha1:{self._applied}",
            },
        }


def _source() -> dict[str, Any]:
    return {"metadata": _metadata(SOURCE), "spec": {"url": URL, "ref": {"branch": BRANCH}}}


def _metadata(ref: model.Ref) -> dict[str, Any]:
    return {"name": ref.name, "namespace": ref.namespace, "uid": f"{ref.kind}-uid"}
