"""renewCertificate: asked for once, proved by the next revision, and never put back."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from prunella.adapters.simulated import cert_manager
from prunella.api import reasons
from prunella.core import model
from tests.engine import harness
from tests.engine.harness import NAMESPACE, Phase, Story
from tests.engine.restoring import Shop

Refused = reasons.Refused
TLS = model.Ref("Certificate", NAMESPACE, "checkout")
DAY = datetime.timedelta(days=1)


def status_of(shop: Shop) -> Any:
    """The status of the Certificate."""
    found = shop.seen(TLS)
    assert found is not None
    return found["status"]


def revision(shop: Shop) -> int:
    """What was issued last."""
    found: int = status_of(shop)["revision"]
    return found


def ending(story: Story, *steps: Any, helps: bool = True, **metadata: Any) -> Shop:
    """Given checkout, which fails with an old certificate, and a policy."""
    story.world.cluster.add_deployment(NAMESPACE, "checkout", harness.GOOD)
    shop = Shop(story)
    now = story.world.clock.now()
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": "up to date"}
    told = {
        "notBefore": f"{now - 87 * DAY:%Y-%m-%dT%H:%M:%SZ}",
        "notAfter": f"{now + 3 * DAY:%Y-%m-%dT%H:%M:%SZ}",
        "revision": 1,
        "conditions": [ready],
    }
    shop.cluster.add_object(
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": {"name": "checkout", "namespace": NAMESPACE, **metadata},
            "spec": {"secretName": "checkout"},
            "status": told,
        }
    )
    shop.broken_while(lambda: revision(shop) < 2 if helps else True)
    document = harness.spec(*(steps or ({"renewCertificate": {}},)))
    story.apply({**document, "verify": {"within": "60s", "samples": 2}})
    return shop


async def test_it_is_issued_and_that_is_proved(story: Story) -> None:
    """First the status tells of the next revision, and then the signal counts."""
    shop = ending(story)
    await story.until(lambda: story.phases() == [("renewCertificate", Phase.VERIFYING)])
    asked = status_of(shop)["conditions"][-1]
    record = story.records()[0]
    assert ("Issuing", "True", "ManuallyTriggered") == (
        asked["type"],
        asked["status"],
        asked["reason"],
    )
    assert record.name in asked["message"]
    await story.run(cert_manager.ISSUES_AFTER - 5)
    assert story.records()[0].status.verification is None
    await story.until(lambda: story.phases() == [("renewCertificate", Phase.SUCCEEDED)])
    assert 2 == revision(shop)
    proved = story.records()[0].status.verification
    assert proved is not None
    assert proved.synced_at is not None


async def test_a_lost_answer_is_settled_by_the_status(story: Story) -> None:
    """It was asked for once: there is one revision."""
    shop = ending(story)
    story.lose_answer_to_action()
    await story.until(lambda: story.phases() == [("renewCertificate", Phase.SUCCEEDED)])
    assert (1, 2) == (len(story.sent()), revision(shop))


async def test_what_is_not_issued_is_a_persons(story: Story) -> None:
    """The status says why, and nothing more is tried."""
    shop = ending(story)
    story.world.cluster.cert_manager.failing = "the challenge was not answered"
    await story.until(lambda: story.phases() == [("renewCertificate", Phase.UNPROVEN)])
    record = story.records()[0]
    assert "NotIssued" == record.status.reason
    assert "not issued within 60 s" in record.status.message
    assert "Failed: the challenge was not answered" in record.status.message
    assert record.status.escalated_at is not None
    assert 1 == revision(shop)


async def test_the_next_step_follows_what_did_not_help(story: Story) -> None:
    """There is nothing to put back; that cert-manager has written its status is nobody's edit."""
    shop = ending(story, {"renewCertificate": {}}, {"restart": {}}, helps=False)
    wanted = [("renewCertificate", Phase.UNHELPFUL), ("restart", Phase.UNHELPFUL)]
    await story.until(lambda: story.phases() == wanted, 600)
    assert 2 == revision(shop)


OWNER = {"ownerReferences": [{"kind": "Ingress", "name": "web", "controller": True}]}
FLUX = {"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}


@pytest.mark.parametrize("metadata", [OWNER, FLUX], ids=["an Ingress's", "from Git"])
async def test_who_owns_the_certificate_is_no_bar(story: Story, metadata: Any) -> None:
    """It is issued as its owner's spec says."""
    shop = ending(story, **metadata)
    await story.until(lambda: story.phases() == [("renewCertificate", Phase.SUCCEEDED)])
    assert 2 == revision(shop)


@pytest.mark.parametrize("why", ["at work", "no right"])
async def test_it_is_refused(story: Story, why: str) -> None:
    """Nothing is sent, and the status says why."""
    shop = ending(story, helps=False)
    busy = {"type": "Issuing", "status": "True", "reason": "Renewing", "message": "scheduled"}
    if why == "at work":
        shop.cluster.edit_object(TLS, lambda shown: shown["status"]["conditions"].append(busy))
    else:
        shop.cluster.forbid("restore")
    await story.run(60)
    reason = {"at work": Refused.ISSUING, "no right": Refused.FORBIDDEN}[why]
    assert (reason, [], 1) == (story.sick().refused, story.sent(), revision(shop))
