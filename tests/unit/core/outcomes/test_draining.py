"""A drain under way: what is due, what is seen, what is told, and how it ends."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

import pytest

from prunella.api import nodes as nodes_api
from prunella.api import reasons, remediation
from prunella.core import model, node_state
from prunella.core.decisions import nodes
from prunella.core.outcomes import draining
from tests.unit.core import builders

Phase = reasons.Phase
UNHEALTHY, HEALTHY = model.Verdict.UNHEALTHY, model.Verdict.HEALTHY
WEB = [node_state.NodePod("shop", f"web-{n}", f"w{n}", "ReplicaSet/web") for n in range(3)]
DB = node_state.NodePod("shop", "db-0", "d0", "StatefulSet/db")
SENT = remediation.EffectStatus(sent_at=builders.NOW, outcome="Effective")
UNSENT = remediation.EffectStatus()
LATER = datetime.timedelta(seconds=15)


def node(*pods: node_state.NodePod, by: str | None = "drain-1") -> model.Workload:
    """The node as it is."""
    state = node_state.NodeState(unschedulable=by is not None, pods=pods)
    annotations = {nodes.CORDONED_BY: by} if by else {}
    whole = builders.workload(uid="node-0", annotations=annotations)
    return dataclasses.replace(whole, ref=model.Ref("Node", "", "worker-0"), node=state)


def look(
    planned: Sequence[node_state.NodePod],
    there: Sequence[node_state.NodePod],
    statuses: Sequence[remediation.EffectStatus] = (),
    **changes: Any,
) -> draining.Look:
    """A drain of some pods, of which some are still there; begun a minute ago."""
    effects = [nodes.cordoning(node(by=None), "drain-1")]
    for pod in planned:
        target = model.Ref("Pod", pod.namespace, pod.name)
        effects.append(model.Effect(model.Verb.EVICT, target, pod.uid, "evict", paced=True))
    began = remediation.EffectStatus(
        sent_at=builders.NOW - builders.minutes(1), outcome="Effective"
    )
    told = [*statuses, *[UNSENT] * (len(planned) - len(statuses))]
    record = builders.record(
        "drain-1",
        Phase.ACTING,
        target=node(),
        action="drain",
        effects=effects,
        effect_statuses=[began, *told],
    )
    whole = draining.Look(
        record=record,
        node=node(*there),
        now=builders.NOW,
        verdict=UNHEALTHY,
        params=nodes_api.Drain.model_validate({"deadline": "2m"}),
        may_send=True,
    )
    return dataclasses.replace(whole, **changes)


def _ending(pod: node_state.NodePod) -> node_state.NodePod:
    return dataclasses.replace(pod, deleting=True)


DUE = {
    "one of each owner": (look([*WEB, DB], [*WEB, DB]), [1, 4]),
    "one is ending": (look(WEB, [_ending(WEB[0]), *WEB[1:]], [SENT]), []),
    "one has gone": (look(WEB, WEB[1:], [SENT]), [2]),
    "ended by somebody else": (look([*WEB, DB], [*WEB[:2], _ending(DB)]), [1]),
    "paused": (look(WEB, WEB, may_send=False), []),
    "a newcomer is not in the plan": (look(WEB[:1], [*WEB[1:]]), []),
}


@pytest.mark.parametrize("name", DUE)
def test_what_is_due(name: str) -> None:
    """One pod of each owner, and none while another one of it is ending."""
    asked, expected = DUE[name]
    assert expected == draining.due(asked)


OVER = dataclasses.replace(look(WEB, WEB), now=builders.NOW + builders.minutes(2))
ENDS = {
    "goes on": (look(WEB, WEB), None),
    "all gone": (look(WEB, []), None),
    "all gone, after the deadline": (dataclasses.replace(OVER, node=node()), None),
    "the node is gone": (look(WEB, WEB, node=None), (Phase.SUPERSEDED, "TargetGone")),
    "uncordoned": (look(WEB, WEB, node=node(*WEB, by=None)), (Phase.SUPERSEDED, "ChangedByOthers")),
    "taken over": (look(WEB, WEB, node=node(*WEB, by="x")), (Phase.SUPERSEDED, "ChangedByOthers")),
    "Healthy again": (look(WEB, WEB, verdict=HEALTHY), (Phase.SUCCEEDED, "HealthyAgain")),
    "the step is gone": (look(WEB, WEB, params=None), (Phase.UNHELPFUL, "NotDrained")),
    "the deadline is over": (OVER, (Phase.UNHELPFUL, "NotDrained")),
    "just in time": (
        dataclasses.replace(OVER, now=builders.NOW + builders.minutes(1)),
        None,
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_how_it_ends(name: str) -> None:
    """Each end has a phase and a word of its own."""
    asked, expected = ENDS[name]
    found = draining.end(asked)
    assert expected == (found[:2] if found is not None else None)


SEEN = {
    "went by itself": (UNSENT, [], "NotSent"),
    "not asked for yet": (UNSENT, WEB[:1], ""),
    "answer lost, ending": (
        remediation.EffectStatus(sent_at=builders.NOW),
        [_ending(WEB[0])],
        "Effective",
    ),
    "answer lost, gone": (remediation.EffectStatus(sent_at=builders.NOW), [], "Effective"),
    "answer lost, still there": (
        remediation.EffectStatus(sent_at=builders.NOW),
        WEB[:1],
        "",
    ),
}


@pytest.mark.parametrize("name", SEEN)
def test_what_the_node_tells(name: str) -> None:
    """A pod that is ending or gone was evicted; one that stays was not."""
    status, there, expected = SEEN[name]
    asked = look(WEB[:1], there, [status], now=builders.NOW + LATER)
    assert expected == draining.seen(asked, LATER).effects[1].outcome


def test_what_was_lost_on_the_way_is_due_again() -> None:
    """A pod that stays was not evicted: its UID makes it safe to ask once more."""
    sent = remediation.EffectStatus(sent_at=builders.NOW)
    asked = look(WEB[:1], WEB[:1], [sent], now=builders.NOW + LATER)
    assert [] == draining.due(asked)
    status = draining.seen(asked, LATER)
    assert status.effects[1].sent_at is None
    record = dataclasses.replace(asked.record, status=status)
    assert [1] == draining.due(dataclasses.replace(asked, record=record))


def test_an_answer_may_still_be_on_its_way() -> None:
    """It is not settled before the request must be over."""
    sent = remediation.EffectStatus(sent_at=builders.NOW)
    asked = look(WEB[:1], [], [sent], now=builders.NOW + LATER / 2)
    assert "" == draining.seen(asked, LATER).effects[1].outcome


def test_what_is_waited_for_is_told() -> None:
    """With the API server's own words, three of many."""
    blocked = dict.fromkeys(range(1, 5), "the budget needs 2")
    status = draining.progress(look([*WEB, DB], [*WEB, DB]), blocked)
    assert (Phase.ACTING, "Draining") == (status.phase, status.reason)
    assert (
        "0 of 4 pods are gone; shop/web-0 waits: the budget needs 2; shop/web-1 waits: the budget "
        "needs 2; shop/web-2 waits: the budget needs 2 and 1 more" == status.message
    )
    assert [(None, "")] * 4 == [(e.sent_at, e.outcome) for e in status.effects[1:]]


def test_what_no_longer_waits_is_not_told() -> None:
    """A budget that gives way takes its words with it."""
    waiting = remediation.EffectStatus(message="the budget needs 2")
    status = draining.progress(look(WEB[:1], WEB[:1], [waiting]), {})
    assert "0 of 1 pods are gone" == status.message


def test_when_all_are_gone_it_is_to_be_proved() -> None:
    """By the node, as a cordon is."""
    status = draining.progress(look(WEB[:2], [DB], [SENT, SENT]), {})
    assert (Phase.VERIFYING, "2 pods of the plan are gone") == (status.phase, status.message)


def test_what_was_not_sent_is_left_out() -> None:
    """The record says of each pod what became of it."""
    over = draining.ended(look(WEB[:2], WEB[:2], [SENT]), Phase.UNHELPFUL, "NotDrained", "why")
    assert ["Effective", "Effective", "NotSent"] == [each.outcome for each in over.effects]
    assert (Phase.UNHELPFUL, builders.NOW) == (over.phase, over.finished_at)
