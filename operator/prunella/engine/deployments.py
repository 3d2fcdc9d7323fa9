"""A close look at what deploys a workload from Git, and at how far it is with a pushed commit."""

from __future__ import annotations

from prunella import ports
from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import certificates, gitops, ledger, rules
from prunella.engine import world as worlds

Refused = reasons.Refused


async def look(world: worlds.World, workload: model.Workload, limits: rules.Rules) -> gitops.Looked:
    """The deployment of a workload with its commits. Never raises ClusterError."""
    owner = gitops.owner_of(workload, limits.argocd_namespace)
    if owner is None:
        message = f"neither a Kustomization nor an Application deploys {workload.ref}"
        return _refused(Refused.NOT_FROM_GIT, message, skip_step=True)
    if world.repositories is None:
        message = f"{owner} deploys {workload.ref}, and the operator's settings name no repository"
        return _refused(Refused.REPOSITORY_UNAVAILABLE, message)
    try:
        found = await _deployment(world.cluster, owner, workload.ref)
    except ports.ClusterError as error:
        return _refused(Refused.FORBIDDEN, f"can't look at {owner} in {owner.namespace}: {error}")
    if isinstance(found, model.Refusal):
        return gitops.Looked(refusal=found)
    history = await world.repositories.history(found, workload.ref.namespace)
    if isinstance(history, model.Refusal):
        return gitops.Looked(found, refusal=history)
    return gitops.Looked(found, history)


async def _deployment(
    cluster: ports.Cluster, owner: model.Ref, target: model.Ref
) -> gitops.Deployment | model.Refusal:
    manifest = await cluster.read_object(owner)
    if manifest is None:
        message = f"{target} names {owner} in {owner.namespace}, which is not there"
        return model.Refusal(Refused.NOT_FROM_GIT, message, skip_step=True)
    source = gitops.source_of(owner, manifest)
    origin = await cluster.read_object(source) if source is not None else None
    return gitops.deployment(owner, manifest, origin, target)


async def _reissued(world: worlds.World, record: objects.Record) -> gitops.Synced:
    """How far cert-manager is with the certificate that a record has asked for."""
    (effect,) = ledger.effects_of(record)
    manifest = await world.cluster.read_object(effect.target)
    return gitops.Synced(*certificates.reissued(effect, manifest))


async def synced(world: worlds.World, record: objects.Record) -> gitops.Synced | None:
    """How far others are with what a record has pushed or asked for; None: nobody is waited for.

    Raises ClusterError.
    """
    known = record.status.verification
    if record.spec.action == certificates.RENEW_CERTIFICATE:
        return None if known is not None and known.synced_at else await _reissued(world, record)
    pushed = [each.commit for each in record.status.effects if each.commit]
    if world.repositories is None or not pushed or (known is not None and known.synced_at):
        return None
    (effect,) = ledger.effects_of(record)
    if effect.git is None:
        return None
    owner, commit = effect.target, pushed[0]
    manifest = await world.cluster.read_object(owner)
    if manifest is None:
        return gitops.Synced(applied=False, message=f"{owner} is gone")
    applied = gitops.applied_revision(owner, manifest)
    arrived = applied == commit or (
        applied not in {"", effect.git.applied}
        and await world.repositories.contains(effect.git, commit, applied)
    )
    message = f"{owner} has applied {applied[:10] or 'nothing'} ({gitops.waiting(owner, manifest)})"
    return gitops.Synced(arrived, message)


def _refused(reason: reasons.Refused, message: str, *, skip_step: bool = False) -> gitops.Looked:
    return gitops.Looked(refusal=model.Refusal(reason, message, skip_step=skip_step))
