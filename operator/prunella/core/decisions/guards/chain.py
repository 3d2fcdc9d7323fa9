"""The chain of guards, in one place: small functions that can refuse, asked in order.

Each gets the same case and answers with the numbers that it compared: as a Refusal, or as
a line for the record.  The first refusal wins.  The chain runs when an action is considered and
again on fresh state just before it is carried out.
"""

from __future__ import annotations

from collections.abc import Sequence

from prunella.core import model
from prunella.core.decisions.guards.backoff import backed_off
from prunella.core.decisions.guards.blast_radius import (
    disruption_budgets_allow,
    not_too_many_unavailable,
    not_too_many_unhealthy,
    not_too_many_unknown,
    spares_healthy_dependents,
)
from prunella.core.decisions.guards.case import Case, Guard
from prunella.core.decisions.guards.clocks import clock_agrees
from prunella.core.decisions.guards.disruptions import within_disruption_budgets
from prunella.core.decisions.guards.error_budget import within_error_budget
from prunella.core.decisions.guards.freezes import not_frozen
from prunella.core.decisions.guards.incidents import named_by_an_incident, waits_for_the_cause
from prunella.core.decisions.guards.limits import not_masking_a_cause, within_hourly_limits
from prunella.core.decisions.guards.nodes import (
    leaves_nodes_in_service,
    spares_the_control_plane,
    stays_uncordoned_by_people,
)
from prunella.core.decisions.guards.ownership import not_owned_by_others, unchanged_by_others
from prunella.core.decisions.guards.rollouts import (
    rollout_is_not_held_up,
    rollout_not_paused,
    rollout_respects_budgets,
    strategy_replaces_pods,
    wants_pods,
)
from prunella.core.decisions.guards.scope import (
    not_in_system_namespace,
    not_the_operator,
    selector_is_not_empty,
)
from prunella.core.decisions.guards.storms import calm_after_a_storm
from prunella.core.decisions.guards.switches import not_latched, not_paused, not_suspended
from prunella.core.decisions.guards.timing import (
    cooled_down,
    held_for_long_enough,
    no_rollout_in_progress,
    nothing_in_flight,
    undone_not_too_often,
)
from prunella.core.decisions.guards.vetoes import not_undone_by_others
from prunella.core.decisions.guards.windows import within_windows

GUARDS: tuple[Guard, ...] = (
    not_suspended,  # Make sure that the policy's owner has not stopped it
    not_paused,  # Make sure that nobody has stopped the operator here
    not_frozen,  # Make sure that what people have frozen is left alone
    within_windows,  # Make sure that it begins only when it may
    selector_is_not_empty,  # Make sure that an empty set is not read as everything
    not_in_system_namespace,  # Make sure that the control plane is left alone
    not_the_operator,  # Make sure that the operator does not act on itself
    not_latched,  # Make sure that what did not help three times is not tried again
    named_by_an_incident,  # Make sure that a policy on causes does not act on a symptom
    held_for_long_enough,  # Make sure that it is a fault and not a flicker
    nothing_in_flight,  # Make sure that nobody is already at work on the target
    waits_for_the_cause,  # Make sure that one remedy for the cause comes before many for symptoms
    wants_pods,  # Make sure that what was scaled to nothing stays so
    rollout_not_paused,  # Make sure that a rollout that a person paused stays so
    no_rollout_in_progress,  # Make sure that the target is not just being changed
    strategy_replaces_pods,  # Make sure that a new template reaches pods at all
    rollout_is_not_held_up,  # Make sure that the rollout would not wait for a lost node
    not_owned_by_others,  # Make sure that no other controller would undo it
    clock_agrees,  # Make sure that hours are counted by the right time
    not_masking_a_cause,  # Make sure that what helps again and again is not all that is done
    cooled_down,  # Make sure that the last action had time to show
    backed_off,  # Make sure that what did not help is tried less and less often
    within_hourly_limits,  # Make sure that a loop of actions ends by itself
    calm_after_a_storm,  # Make sure that many actions at once are followed by none
    not_too_many_unavailable,  # Make sure that only a few targets are worked on at once
    not_too_many_unhealthy,  # Make sure that it is this target and not everything
    not_too_many_unknown,  # Make sure that enough can be seen to judge
    disruption_budgets_allow,  # Make sure that the owner's budget is on the record
    rollout_respects_budgets,  # Make sure that it allows what the rollout takes down
    within_disruption_budgets,  # Make sure that enough is left as it is, whoever disrupts
    within_error_budget,  # Make sure that there is room for an action that makes it worse
    spares_the_control_plane,  # Make sure that the quorum of etcd is left to people
    stays_uncordoned_by_people,  # Make sure that who uncordons a node is not fought
    leaves_nodes_in_service,  # Make sure that not one node after the other is cordoned
    spares_healthy_dependents,  # Make sure that what serves others well is not put back
    unchanged_by_others,  # Make sure that a person's fix is not overtaken by the next step
    not_undone_by_others,  # Make sure that what a person took back is not done again
)
BUDGETS = disruption_budgets_allow.__name__
"""The guard whose answer tells the numbers of the disruption budgets."""
STANDING_GUARDS = GUARDS[:8]
"""The guards about the policy as a whole: their answer is told before any other."""
REVERT_GUARDS: tuple[Guard, ...] = (
    not_suspended,  # Make sure that the policy's owner has not stopped it
    not_paused,  # Make sure that nobody has stopped the operator here
    not_frozen,  # Make sure that what people have frozen is left alone
    nothing_in_flight,  # Make sure that nobody is already at work on the target
    undone_not_too_often,  # Make sure that what can't be sent is not tried in each pass
    not_owned_by_others,  # Make sure that no other controller would undo it
    unchanged_by_others,  # Make sure that nobody has changed it in the meantime
)

RETURN_GUARDS: tuple[Guard, ...] = (
    not_suspended,  # Make sure that the policy's owner has not stopped it
    not_paused,  # Make sure that nobody has stopped the operator here
    not_frozen,  # Make sure that what people have frozen is left alone
    within_windows,  # Make sure that it begins only when it may
    not_in_system_namespace,  # Make sure that the control plane is left alone
    not_latched,  # Make sure that what did not help three times is not tried again
    nothing_in_flight,  # Make sure that nobody is already at work on the target
    waits_for_the_cause,  # Make sure that no incident has just been opened
    not_owned_by_others,  # Make sure that no other controller would undo it
    cooled_down,  # Make sure that what can't be sent is not tried without end
    unchanged_by_others,  # Make sure that nobody has changed it in the meantime
)
"""Of a part of the way back of traffic, to a target that is Healthy."""


def refusal(answers: Sequence[model.GuardAnswer]) -> model.Refusal | None:
    """The refusal that ended a chain, or None when all guards let the action pass."""
    return answers[-1].refusal if answers else None


def evaluate(chain: Sequence[Guard], case: Case) -> list[model.GuardAnswer]:
    """Ask the guards in order, up to and including the first that refuses."""
    answers = []
    for guard in chain:
        answer = guard(case)
        if isinstance(answer, model.Refusal):
            answers.append(model.GuardAnswer(guard.__name__, answer, answer.message))
            break
        answers.append(model.GuardAnswer(guard.__name__, None, answer))
    return answers
