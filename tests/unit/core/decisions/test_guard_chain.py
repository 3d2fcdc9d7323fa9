"""The chain of guards: its order, and that the first refusal wins."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunella.actions import registry
from prunella.api import policy as policy_api
from prunella.api import reasons
from prunella.api import restore as restore_api
from prunella.api import trigger as trigger_api
from prunella.api import types as api_types
from prunella.api import windows as windows_api
from prunella.core import disruptions, model, node_state, objects
from prunella.core.decisions import guards, restoring
from tests.unit.core import builders

Phase, Refused = reasons.Phase, reasons.Refused
Break = Callable[[guards.Case], guards.Case]
ORDER = (
    "not_suspended",
    "not_paused",
    "not_frozen",
    "within_windows",
    "selector_is_not_empty",
    "not_in_system_namespace",
    "not_the_operator",
    "not_latched",
    "named_by_an_incident",
    "held_for_long_enough",
    "nothing_in_flight",
    "waits_for_the_cause",
    "wants_pods",
    "rollout_not_paused",
    "no_rollout_in_progress",
    "strategy_replaces_pods",
    "rollout_is_not_held_up",
    "not_owned_by_others",
    "clock_agrees",
    "not_masking_a_cause",
    "cooled_down",
    "backed_off",
    "within_hourly_limits",
    "calm_after_a_storm",
    "not_too_many_unavailable",
    "not_too_many_unhealthy",
    "not_too_many_unknown",
    "disruption_budgets_allow",
    "rollout_respects_budgets",
    "within_disruption_budgets",
    "within_error_budget",
    "spares_the_control_plane",
    "stays_uncordoned_by_people",
    "leaves_nodes_in_service",
    "spares_healthy_dependents",
    "unchanged_by_others",
    "not_undone_by_others",
)
REFUSING = tuple(name for name in ORDER if name != guards.BUDGETS)
"""Those that can refuse: the budgets' guard only tells their numbers."""
REVERT_ORDER = (
    "not_suspended",
    "not_paused",
    "not_frozen",
    "nothing_in_flight",
    "undone_not_too_often",
    "not_owned_by_others",
    "unchanged_by_others",
)


def _names(chain: tuple[guards.Guard, ...]) -> tuple[str, ...]:
    return tuple(guard.__name__ for guard in chain)


def test_the_order_of_the_guards() -> None:
    """Switches come before facts about the target, and those before limits and budgets."""
    assert _names(guards.GUARDS) == ORDER
    assert ORDER[:8] == _names(guards.STANDING_GUARDS)
    assert _names(guards.REVERT_GUARDS) == REVERT_ORDER


def _spec(case: guards.Case, **changes: object) -> guards.Case:
    return dataclasses.replace(case, spec=case.spec.model_copy(update=changes))


def _rules(case: guards.Case, **changes: object) -> guards.Case:
    rules = dataclasses.replace(case.rules, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(case, rules=rules)


def _look(case: guards.Case, **changes: object) -> guards.Case:
    assert case.live_state is not None
    live_state = dataclasses.replace(case.live_state, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(case, live_state=live_state)


def _act(case: guards.Case, action: str) -> guards.Case:
    return dataclasses.replace(case, action=registry.all_actions()[action])


def _workload(case: guards.Case, **changes: object) -> guards.Case:
    workload = dataclasses.replace(case.workload, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(_act(case, "restart"), workload=workload)


def _more(case: guards.Case, record: objects.Record) -> guards.Case:
    return dataclasses.replace(case, records=(*case.records, record))


def _see(case: guards.Case, verdicts: Mapping[model.Ref, model.Verdict]) -> guards.Case:
    return dataclasses.replace(case, verdicts={**case.verdicts, **verdicts})


LONG_AGO = builders.minutes(120)
OTHER = objects.Key("shop", "other")
CART = builders.workload("cart")
NO_LABELS = policy_api.Target(selector=api_types.LabelSelector())
AGAINST_AN_OLD_ONE = builders.record(phase=Phase.UNHELPFUL, target=builders.workload(uid="old"))
ON_DELETE = model.Strategy(model.Replacement.ON_DELETE)
TRIGGER = trigger_api.Trigger.model_validate({"incident": {"causeKind": ["Release"]}})
RESTORE = restore_api.Restore.model_validate({"kinds": ["ConfigMap"]})
USING = builders.ref("using")
MOUNTS = {"volumes": [{"name": "v", "configMap": {"name": "flags"}}]}
LOOKED = restoring.Looked(
    builders.ref("flags", kind="ConfigMap"),
    {"metadata": {}},
    neighbours={USING: {"spec": {"template": {"spec": MOUNTS}}}},
)
FAILED = builders.record("f0", Phase.FAILED, key=OTHER, ago=builders.minutes(12), action="evictPod")
A_STORM = [
    builders.record(f"s{n}", target=CART, key=OTHER, ago=builders.minutes(90)) for n in range(4)
]
TAKEN_BACK = builders.record(
    "t", ago=LONG_AGO, action="restart", effects=[builders.scale_effect(to=5)]
)
ERROR_BUDGET = policy_api.Guards.model_validate({"errorBudget": {"query": "a", "objective": 99}})
NEVER = windows_api.Windows.model_validate({"deny": [{"cron": "* * * * *", "duration": "1m"}]})
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
TAKEN_OUT = builders.record("out", Phase.SUCCEEDED, action="cordon", ago=LONG_AGO)
NO_BUDGET = policy_api.Guards.model_validate({"maxUnavailable": 0})

BREAKS: dict[str, tuple[Break, reasons.Refused]] = {
    "not_suspended": (lambda case: _spec(case, suspend=True), Refused.SUSPENDED),
    "not_paused": (
        lambda case: dataclasses.replace(case, pause=dataclasses.replace(case.pause, paused=True)),
        Refused.PAUSED,
    ),
    "not_frozen": (
        lambda case: dataclasses.replace(
            case, pause=dataclasses.replace(case.pause, frozen="namespace shop is frozen")
        ),
        Refused.FROZEN,
    ),
    "within_windows": (lambda case: _spec(case, windows=NEVER), Refused.WINDOW_CLOSED),
    "selector_is_not_empty": (lambda case: _spec(case, target=NO_LABELS), Refused.EMPTY_SELECTOR),
    "not_in_system_namespace": (
        lambda case: _rules(case, system_namespaces=frozenset({"shop"})),
        Refused.SYSTEM_NAMESPACE,
    ),
    "not_the_operator": (
        lambda case: _rules(case, operator_namespace="shop", operator_name="checkout"),
        Refused.OWN_WORKLOAD,
    ),
    "not_latched": (
        lambda case: _more(case, builders.record("u", Phase.UNKNOWN, target=CART, ago=LONG_AGO)),
        Refused.LATCHED,
    ),
    "named_by_an_incident": (lambda case: _spec(case, trigger=TRIGGER), Refused.NOT_THE_CAUSE),
    "held_for_long_enough": (
        lambda case: dataclasses.replace(case, held_since=None),
        Refused.NOT_HELD,
    ),
    "nothing_in_flight": (
        lambda case: _more(
            case,
            builders.record("f", Phase.ACTING, key=OTHER, ago=LONG_AGO, target=case.workload),
        ),
        Refused.IN_FLIGHT,
    ),
    "waits_for_the_cause": (
        lambda case: dataclasses.replace(
            case, incidents=(builders.incident(case.now, members=(case.target,)),)
        ),
        Refused.WAITS_FOR_INCIDENT,
    ),
    "wants_pods": (lambda case: _workload(case, replicas=0), Refused.SCALED_TO_ZERO),
    "rollout_not_paused": (lambda case: _workload(case, paused=True), Refused.ROLLOUT_PAUSED),
    "no_rollout_in_progress": (
        lambda case: dataclasses.replace(case, workload=builders.workload(updated=2)),
        Refused.ROLLOUT_IN_PROGRESS,
    ),
    "strategy_replaces_pods": (
        lambda case: _workload(case, strategy=ON_DELETE),
        Refused.UPDATE_STRATEGY,
    ),
    "rollout_is_not_held_up": (
        lambda case: _look(
            _workload(case, ref=builders.ref(kind="DaemonSet")),
            pods=(model.Pod("a", "a-uid", ready=False, stranded=model.Stranded.LOST),),
        ),
        Refused.ROLLOUT_BLOCKED,
    ),
    "not_owned_by_others": (
        lambda case: _look(_act(case, "scale"), autoscalers=("HorizontalPodAutoscaler/a",)),
        Refused.OWNED_BY_AUTOSCALER,
    ),
    "clock_agrees": (
        lambda case: dataclasses.replace(
            case, pause=dataclasses.replace(case.pause, server_time=case.now - LONG_AGO)
        ),
        Refused.CLOCK_WRONG,
    ),
    "not_masking_a_cause": (
        lambda case: dataclasses.replace(
            case, records=[builders.record(f"m{n}", ago=LONG_AGO) for n in range(4)]
        ),
        Refused.SAME_REMEDY_LIMIT,
    ),
    "cooled_down": (
        lambda case: _more(case, builders.record("c", target=CART, ago=builders.minutes(1))),
        Refused.COOLDOWN,
    ),
    "backed_off": (lambda case: _more(case, FAILED), Refused.BACKOFF),
    "within_hourly_limits": (
        lambda case: _rules(case, actions_per_cluster_per_hour=0),
        Refused.CLUSTER_HOURLY_LIMIT,
    ),
    "calm_after_a_storm": (
        lambda case: dataclasses.replace(
            _rules(case, storm_calm_seconds=7200.0), records=(*case.records, *A_STORM)
        ),
        Refused.STORM,
    ),
    "not_too_many_unavailable": (
        lambda case: _spec(case, guards=NO_BUDGET),
        Refused.MAX_UNAVAILABLE,
    ),
    "not_too_many_unhealthy": (
        lambda case: _see(case, builders.verdicts(unhealthy=5)),
        Refused.TOO_MANY_UNHEALTHY,
    ),
    "not_too_many_unknown": (
        lambda case: _see(case, builders.verdicts(unknown=4, prefix="dark")),
        Refused.TOO_MANY_UNKNOWN,
    ),
    "rollout_respects_budgets": (
        lambda case: _look(_act(case, "restart"), budgets=(model.Budget("b", {}, 0, 1, 1),)),
        Refused.DISRUPTION_BUDGET,
    ),
    "within_disruption_budgets": (
        lambda case: _look(case, disrupted=disruptions.Seen(problem="nobody knows")),
        Refused.DISRUPTIONS_UNKNOWN,
    ),
    "within_error_budget": (
        lambda case: dataclasses.replace(
            _spec(case, guards=ERROR_BUDGET), error_budget=model.Number(0.5)
        ),
        Refused.ERROR_BUDGET,
    ),
    "spares_the_control_plane": (
        lambda case: _act(_workload(case, labels={CONTROL_PLANE: ""}), "cordon"),
        Refused.CONTROL_PLANE,
    ),
    "stays_uncordoned_by_people": (
        lambda case: _act(_more(_workload(case, node=node_state.NodeState()), TAKEN_OUT), "cordon"),
        Refused.CHANGED_BY_OTHERS,
    ),
    "leaves_nodes_in_service": (
        lambda case: dataclasses.replace(
            _act(_see(case, {USING: model.Verdict.HEALTHY}), "cordon"),
            nodes={USING: node_state.NodeState(unschedulable=True)},
        ),
        Refused.MAX_UNAVAILABLE,
    ),
    "spares_healthy_dependents": (
        lambda case: dataclasses.replace(
            _see(case, {USING: model.Verdict.HEALTHY}), params=RESTORE, looked=LOOKED
        ),
        Refused.HEALTHY_DEPENDENTS,
    ),
    "unchanged_by_others": (
        lambda case: dataclasses.replace(case, follows=AGAINST_AN_OLD_ONE),
        Refused.CHANGED_BY_OTHERS,
    ),
    "not_undone_by_others": (
        lambda case: _more(case, TAKEN_BACK),
        Refused.UNDONE_BY_OTHERS,
    ),
}
NOT_FOR_FOLLOW_UPS = {
    "named_by_an_incident",
    "held_for_long_enough",
    "cooled_down",
    "backed_off",
}


def _broken(names: set[str]) -> guards.Case:
    """A good case with the named guards' conditions broken."""
    case = builders.case()
    for name in reversed(REFUSING):
        if name in names:
            case = BREAKS[name][0](case)
    return case


def test_a_good_case_passes_them_all() -> None:
    """Every guard has its line in the answers, in order."""
    answers = guards.evaluate(guards.GUARDS, builders.case())
    assert tuple(answer.guard for answer in answers) == ORDER
    assert {None} == {answer.refusal for answer in answers}
    assert all(answer.message for answer in answers)
    assert guards.refusal(answers) is None


@pytest.mark.parametrize("name", REFUSING)
def test_each_guard_alone_refuses(name: str) -> None:
    """All before it pass, it refuses with its own reason, and nobody after it is asked."""
    answers = guards.evaluate(guards.GUARDS, _broken({name}))
    assert ORDER[: ORDER.index(name) + 1] == tuple(answer.guard for answer in answers)
    refusal = guards.refusal(answers)
    assert refusal is not None
    assert (BREAKS[name][1], refusal.message) == (refusal.reason, answers[-1].message)
    assert {None} >= {answer.refusal for answer in answers[:-1]}


@given(st.sets(st.sampled_from(REFUSING)))
def test_the_first_refusal_wins(names: set[str]) -> None:
    """Whatever is wrong together, the earliest guard of the chain answers.

    A follow-up rests on a verification: it need not be held, named nor cooled down.
    """
    refusal = guards.refusal(guards.evaluate(guards.GUARDS, _broken(names)))
    lifted = NOT_FOR_FOLLOW_UPS if "unchanged_by_others" in names else set()
    first = next((name for name in REFUSING if name in names - lifted), None)
    expected = None if first is None else BREAKS[first][1]
    assert expected is (None if refusal is None else refusal.reason)


@given(
    names=st.sets(st.sampled_from(REFUSING)),
    action=st.sampled_from(sorted(registry.all_actions())),
    follows=st.booleans(),
    looked=st.booleans(),
)
def test_an_empty_selector_never_passes(
    names: set[str], action: str, *, follows: bool, looked: bool
) -> None:
    """Nothing else about a case makes up for an empty selector."""
    case = _act(_broken(names | {"selector_is_not_empty"}), action)
    before = builders.record(phase=Phase.UNHELPFUL) if follows else None
    case = dataclasses.replace(case, follows=before, live_state=case.live_state if looked else None)
    assert guards.refusal(guards.evaluate(guards.GUARDS, case)) is not None


def test_without_a_look_the_target_s_surroundings_are_not_judged_yet() -> None:
    """Autoscalers are only known from a close look: the chain runs again then."""
    for name in ("not_owned_by_others", "unchanged_by_others"):
        case = _broken({name})
        unseen = dataclasses.replace(case, live_state=None)
        assert guards.refusal(guards.evaluate(guards.GUARDS, unseen)) is None
        assert guards.refusal(guards.evaluate(guards.GUARDS, case)) is not None


STOPPED_REVERTS = (
    "not_suspended",
    "not_paused",
    "not_frozen",
    "nothing_in_flight",
    "not_owned_by_others",
)


@pytest.mark.parametrize("name", REFUSING)
def test_limits_do_not_keep_a_revert_back(name: str) -> None:
    """An undoing is stopped by switches, by others' work and edits, and by no limit."""
    before = builders.record("r", Phase.UNHELPFUL, effects=[builders.scale_effect()])
    case = _broken({name})
    if name != "not_owned_by_others":
        case = _act(case, "revert")
    case = dataclasses.replace(case, follows=before)
    refusal = guards.refusal(guards.evaluate(guards.REVERT_GUARDS, case))
    expected = BREAKS[name][1] if name in STOPPED_REVERTS else None
    assert expected is (None if refusal is None else refusal.reason)


def test_an_empty_chain_refuses_nothing() -> None:
    """Only as a negative control: without guards there is no answer."""
    assert guards.evaluate((), _broken(set(ORDER))) == []
    assert guards.refusal([]) is None
