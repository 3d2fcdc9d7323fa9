"""Good sense about `when` and `evaluation`: what the signals mean together."""

from __future__ import annotations

from collections.abc import Iterator

from prunella.api import policy as policy_api
from prunella.cli.lint import findings
from prunella.cli.lint.findings import Note
from prunella.cli.lint.policy import Policy, Rule
from prunella.core import model
from prunella.core.signals import when

_PATH = ("spec", "when")


def sensible_when(policy: Policy) -> Iterator[Note]:
    """The expression can be evaluated, needs all signals, and is not the wrong way round."""
    if policy.spec.when is None:
        return
    names = [signal.name for signal in policy.spec.signals]
    try:
        compiled = when.compile_when(policy.spec.when, names)
    except when.WhenError as error:
        yield findings.error("when", _PATH, str(error))
        return
    for path, signal in policy.signals():
        if signal.name in compiled.without_effect:
            message = f"{signal.name} never changes what `when` says: it is only shown"
            yield findings.hint("when-unused", path, message)
    healthy = dict.fromkeys(names, model.Verdict.HEALTHY)
    if compiled.judge(healthy)[0] is model.Verdict.UNHEALTHY:
        message = "true while every signal is Healthy: a target without a fault would be sick"
        yield findings.warning("when-inverted", _PATH, message)


def evaluated_by_rules(policy: Policy) -> Iterator[Note]:
    """Recording rules exist for baselines and burn rates."""
    spec = policy.spec
    by_rules = spec.evaluation is policy_api.Evaluation.RULES
    if by_rules and all(s.baseline is None and s.burn_rate is None for s in spec.signals):
        message = "no signal has a baseline or a burnRate: there is nothing that rules compute"
        yield findings.warning("evaluation", ("spec", "evaluation"), message)


RULES: tuple[Rule, ...] = (
    sensible_when,  # Make sure the targets that are meant are sick.
    evaluated_by_rules,  # Make sure there is something to evaluate.
)
