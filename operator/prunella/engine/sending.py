"""Where an effect is carried out: in the cluster, in a Git repository, or by another system."""

from __future__ import annotations

from prunella import leadership, ports
from prunella.core import model, objects
from prunella.core.decisions import ledger
from prunella.core.outcomes import records
from prunella.engine import world as worlds


async def send(
    world: worlds.World, effect: model.Effect, namespace: str, name: str, *, dry_run: bool
) -> ports.Receipt:
    """Carry out one effect for the Remediation of that name, at most once. Never raises."""
    try:
        with world.leadership.sending():
            return await _send(world, effect, namespace, name, dry_run=dry_run)
    except leadership.NotLeading as error:
        return ports.Receipt(ports.Outcome.REFUSED, str(error))


async def _send(
    world: worlds.World, effect: model.Effect, namespace: str, name: str, *, dry_run: bool
) -> ports.Receipt:
    if effect.verb is model.Verb.CALL:
        return await world.outward.call(effect, name, dry_run=dry_run)
    if effect.git is None:
        return await world.cluster.send(effect, name, dry_run=dry_run)
    if world.repositories is None:
        message = "the operator's settings name no repository"
        return ports.Receipt(ports.Outcome.REFUSED, message, status=403)
    return await world.repositories.send(effect.git, f"{namespace}/{name}", dry_run=dry_run)


async def pushed(
    world: worlds.World, record: objects.Record
) -> tuple[model.Effect, ports.Receipt] | None:
    """A record's push with what the repository shows of it; None for what pushes nothing."""
    effect = next((each for each in ledger.effects_of(record) if each.git is not None), None)
    if effect is None or effect.git is None:
        return None
    if world.repositories is None:
        return effect, ports.Receipt(ports.Outcome.UNKNOWN)
    mark = f"{record.namespace}/{record.name}"
    return effect, await world.repositories.sent(effect.git, mark)


def received(
    record: objects.Record, effect: model.Effect, receipt: ports.Receipt
) -> dict[str, object]:
    """What the status of an effect says after its answer."""
    unknown = receipt.outcome is ports.Outcome.UNKNOWN
    written: dict[str, object] = {
        "outcome": "" if unknown else receipt.outcome.value,
        "message": receipt.message[: records.MESSAGE],
    }
    if receipt.commit:
        written |= {"commit": receipt.commit, "url": receipt.url}
    if receipt.workload is not None and receipt.workload.ref == record.target:
        written["generation"] = receipt.workload.generation
        written["fingerprint"] = ledger.fingerprint(effect, receipt.workload)
    return written
