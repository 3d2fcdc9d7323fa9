"""The disruption budgets: what counts, how much may be at once, and whose unit is still taken."""

from __future__ import annotations

import dataclasses

import pytest

from prunella.api import reasons
from prunella.core import disruptions, model, objects
from prunella.core.decisions import budgets, rules
from prunella.core.decisions.guards import disruptions as guard
from prunella.core.disruptions import Disruption, Seen, Unit
from tests.unit.core import builders
from tests.unit.core.builders import NOW, minutes, record, ref

Phase, Refused = reasons.Phase, reasons.Refused
TARGET = ref()
CART, WEB = ref("cart"), ref("web")
VAULT = ref("vault", "bank")
TWO = rules.Rules(
    disruptions=rules.DisruptionBudgets(
        rules.DisruptionBudget(2, 50), rules.DisruptionBudget(3, 50)
    )
)


def _rollout(place: model.Ref) -> Disruption:
    return Disruption(place, "rollout")


def _unit(name: str, place: model.Ref, ago: float = 1) -> Unit:
    return Unit(place.namespace, name, tuple(place), NOW - minutes(ago))


def _acting(name: str, place: model.Ref, phase: reasons.Phase = Phase.ACTING) -> objects.Record:
    workload = builders.workload(place.name, place.namespace)
    return record(name, phase, target=workload, namespace=place.namespace)


def _guarding(*covers: model.Ref) -> Disruption:
    return Disruption(("PodDisruptionBudget", "shop", "pdb"), "allows none", frozenset(covers))


NODE = Disruption(("Node", "", "node-a"), "is cordoned")


@pytest.mark.parametrize(
    ("seen", "records", "expected"),
    [
        pytest.param(Seen(), [], [], id="nothing"),
        pytest.param(Seen(), [_acting("a", CART)], [CART], id="a Remediation acts"),
        pytest.param(
            Seen(), [_acting("a", CART, Phase.VERIFYING)], [CART], id="one is being verified"
        ),
        pytest.param(Seen(), [_acting("a", CART, Phase.PENDING)], [], id="one has no unit yet"),
        pytest.param(Seen(), [_acting("a", CART, Phase.SUCCEEDED)], [], id="one is over"),
        pytest.param(
            Seen(taken=(_unit("a", CART),)),
            [_acting("a", CART, Phase.PENDING)],
            [CART],
            id="one has its unit",
        ),
        pytest.param(
            Seen(taken=(_unit("a", CART),)), [_acting("a", CART)], [CART], id="it counts once"
        ),
        pytest.param(
            Seen(taken=(_unit("a", CART),)),
            [_acting("a", CART, Phase.FAILED)],
            [],
            id="the unit of one that is over",
        ),
        pytest.param(
            Seen(taken=(_unit("b", VAULT, 15),)), [], [VAULT], id="the unit of one nobody sees"
        ),
        pytest.param(
            Seen(taken=(_unit("b", VAULT, 15.1),)), [], [], id="for so long that it is dropped"
        ),
        pytest.param(
            Seen(taken=(_unit("own", WEB),)),
            [_acting("own", WEB, Phase.PENDING)],
            [],
            id="its own unit",
        ),
        pytest.param(Seen(others=(_rollout(WEB), NODE)), [], [WEB, NODE.place], id="others"),
        pytest.param(
            Seen(others=(_rollout(CART),)),
            [_acting("a", CART)],
            [CART],
            id="a rollout by a Remediation counts once",
        ),
        pytest.param(Seen(others=(_rollout(TARGET),)), [], [], id="the target itself"),
        pytest.param(
            Seen(others=(_guarding(TARGET),)), [], [], id="a PodDisruptionBudget of the target"
        ),
        pytest.param(
            Seen(others=(_guarding(CART), _rollout(CART))),
            [],
            [CART],
            id="a PodDisruptionBudget of what is rolled out counts once",
        ),
        pytest.param(
            Seen(others=(_guarding(CART),)), [], [_guarding().place], id="a PodDisruptionBudget"
        ),
    ],
)
def test_counted(
    seen: Seen, records: list[objects.Record], expected: list[disruptions.Place]
) -> None:
    """Each place counts once, whoever is at work there; the target itself never does."""
    found = budgets.counted(seen, TARGET, records, NOW, own_record="own")
    assert [tuple(each) for each in expected] == list(found)


ROOM = (
    "1 disruptions in namespace shop, 2 may be at once (at most 2); "
    "2 disruptions in the cluster, 3 may be at once (at most 3)"
)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(Seen(others=(_rollout(WEB), NODE)), ROOM, id="room in both"),
        pytest.param(
            Seen(others=(_rollout(WEB), _rollout(CART))),
            model.Refusal(
                Refused.NAMESPACE_DISRUPTIONS,
                "2 disruptions in namespace shop, 2 may be at once (at most 2): "
                "Deployment/cart: rollout; Deployment/web: rollout",
            ),
            id="none in the namespace",
        ),
        pytest.param(
            Seen(others=(_rollout(WEB), _rollout(VAULT), _rollout(ref("till", "bank")), NODE)),
            model.Refusal(
                Refused.CLUSTER_DISRUPTIONS,
                "4 disruptions in the cluster, 3 may be at once (at most 3): "
                "Deployment/till: rollout; Deployment/vault: rollout; Deployment/web: rollout; "
                "and 1 more",
            ),
            id="none in the cluster",
        ),
        pytest.param(
            Seen(problem="leases is forbidden"),
            model.Refusal(
                Refused.DISRUPTIONS_UNKNOWN,
                "nobody knows what is being disrupted: leases is forbidden",
            ),
            id="nobody knows",
        ),
    ],
)
def test_judge(seen: Seen, expected: model.Refusal | str) -> None:
    """Both budgets must have room; the numbers and the first names are told."""
    assert expected == budgets.judge(seen, TARGET, [], TWO, NOW)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(Seen(workloads=4), 5, id="a small namespace: the number"),
        pytest.param(Seen(workloads=6), 3, id="half of six"),
        pytest.param(Seen(workloads=100), 5, id="never more than the number"),
        pytest.param(Seen(override="2"), 2, id="its own number"),
        pytest.param(Seen(override="0"), 0, id="nothing"),
        pytest.param(Seen(override="40", workloads=6), 40, id="a higher number"),
        pytest.param(Seen(override="30%", workloads=20), 6, id="its own share"),
        pytest.param(Seen(override="30%", workloads=2), 1, id="a share is never less than one"),
        pytest.param(Seen(override="0%", workloads=20), 0, id="but for none"),
        *(
            pytest.param(Seen(override=text), 0, id=f"malformed: {text!r}")
            for text in ("", "many", "-1", "2 ", "1.5", "5%%", "99999")
        ),
    ],
)
def test_namespace_limit(seen: Seen, expected: int) -> None:
    """The Namespace's own budget comes before the settings; a malformed one allows nothing."""
    assert expected == budgets.namespace_limit(seen, rules.Rules()).most


LEASE = Disruption(("Lease", "", "medik8s-leases/node-a"), "is held by snr")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(
            "a",
            model.Refusal(
                Refused.IN_FLIGHT,
                "Lease medik8s-leases/node-a is held by snr: it is at work on Node/a",
            ),
            id="the node of the Lease",
        ),
        pytest.param(
            "b",
            "1 disruptions in the cluster, 3 may be at once (at most 3)",
            id="another node counts for the cluster alone",
        ),
    ],
)
def test_nodes(name: str, expected: model.Refusal | str) -> None:
    """A node that another remediator holds is left to it; a node is in no namespace."""
    target = model.Ref("Node", "", name)
    assert expected == budgets.judge(Seen(others=(LEASE,)), target, [], TWO, NOW)


def test_what_is_stale_counts_no_more() -> None:
    """A state that lasts fills no budget; a node that is held for ever is still left alone."""
    stale = tuple(dataclasses.replace(each, stale=True) for each in (NODE, LEASE, _guarding()))
    assert {} == budgets.counted(Seen(others=stale), TARGET, [], NOW)
    held = dataclasses.replace(stale[1], place=("Lease", "", "medik8s-leases/node-a"))
    answer = budgets.judge(Seen(others=(held,)), model.Ref("Node", "", "a"), [], TWO, NOW)
    assert isinstance(answer, model.Refusal)
    assert Refused.IN_FLIGHT == answer.reason


@pytest.mark.parametrize("action", sorted(budgets.TAKES_BACK - {"returnNode"}))
def test_what_takes_back_waits_for_nothing(action: str) -> None:
    """An end of a disruption is never held up by the others."""
    full = model.LiveState(builders.workload(), disrupted=Seen(problem="nobody knows"))
    case = builders.case(action=action, live_state=full)
    assert f"{action} takes a disruption back" == guard.within_disruption_budgets(case)


ANNOTATION = "the annotation prunella.dev/max-disruptions"


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(Seen(workloads=3), "", id="none-of-its-own"),
        pytest.param(Seen(override="1"), "", id="one"),
        pytest.param(Seen(override="0"), f"({ANNOTATION}: 0)", id="none"),
        pytest.param(Seen(override="x"), f"({ANNOTATION} is malformed: 'x'", id="malformed"),
        pytest.param(Seen(problem="403"), "nobody knows what is being disrupted: 403", id="unread"),
    ],
)
def test_what_forbids_all(seen: Seen, expected: str) -> None:
    """A budget of nothing, and one that nobody can read."""
    told = budgets.forbids_all(seen, "shop", rules.Rules())
    assert (bool(expected), True) == (bool(told), expected in told)


def test_a_malformed_budget_is_told() -> None:
    """Who wrote it reads what is wrong, and what to write."""
    answer = budgets.judge(Seen(override="many"), TARGET, [], TWO, NOW)
    told = (
        "0 disruptions in namespace shop, 0 may be at once (the annotation "
        "prunella.dev/max-disruptions is malformed: 'many'; write a number or a share such as 30%)"
    )
    assert model.Refusal(Refused.NAMESPACE_DISRUPTIONS, told) == answer


def test_with_unit() -> None:
    """Taking one leaves out what is over and what it had before."""
    taken = (_unit("over", CART), _unit("asks", CART), _unit("own", TARGET, 5), _unit("b", VAULT))
    seen = Seen(taken=taken)
    own = _acting("own", TARGET, Phase.PENDING)
    others = [_acting("over", CART, Phase.FAILED), _acting("asks", CART, Phase.AWAITING_APPROVAL)]
    units = budgets.with_unit(seen, own, [own, *others], NOW)
    assert (_unit("b", VAULT), _unit("own", TARGET, 0)) == units


@pytest.mark.parametrize(
    ("live_state", "expected"),
    [
        pytest.param(None, "not looked at yet", id="before the close look"),
        pytest.param(
            model.LiveState(builders.workload()), "nobody counts disruptions here", id="in history"
        ),
        pytest.param(
            model.LiveState(builders.workload(), disrupted=Seen()),
            "0 disruptions in namespace shop, 5 may be at once (at most 5); "
            "0 disruptions in the cluster, 10 may be at once (at most 10)",
            id="nothing is disrupted",
        ),
    ],
)
def test_the_guard(live_state: model.LiveState | None, expected: str) -> None:
    """It answers by the close look; the defaults are five and ten."""
    assert expected == guard.within_disruption_budgets(builders.case(live_state=live_state))
