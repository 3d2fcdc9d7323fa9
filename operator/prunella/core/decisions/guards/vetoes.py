"""The guard of vetoes: what a person has taken back is not done again."""

from __future__ import annotations

from prunella.core import model
from prunella.core.decisions import restoring, vetoes
from prunella.core.decisions.guards.case import Answer, Case, Refused


def not_undone_by_others(case: Case) -> Answer:
    """When somebody has changed back what helped, they know something that no signal tells."""
    looked = [*case.also, *case.left.values()]
    if case.looked is not None:
        looked.append(case.looked)
    elif case.action.name == restoring.RESTORE or case.written is not None:
        return "not looked at yet"
    manifests = {each.ref: each.manifest for each in looked if not each.problem}
    workload = case.live_state.workload if case.live_state is not None else case.workload
    found = vetoes.veto(case.policy, workload, case.action.name, manifests, case.others)
    if found is None:
        return f"nobody has changed back what {case.action.name} did to {case.target}"
    summaries = "; ".join(effect.summary for effect in found.spec.effects)
    message = (
        f"{found.name} helped ({summaries}), and somebody else has changed it back: that is a "
        f"veto; `prunella resume {case.policy.key.name} -n {case.policy.key.namespace}` clears it"
    )
    return model.Refusal(Refused.UNDONE_BY_OTHERS, message)
