"""From a policy to the recording rules of its baselines and burn rates."""

from __future__ import annotations

from collections.abc import Mapping

from prunella.api import policy as policy_api
from prunella.core import objects
from prunella.core.recording import baseline, burn_rate, rules
from prunella.core.signals import compiled


def compile_rules(
    key: objects.Key,
    spec: policy_api.RemediationPolicySpec,
    namespace_labels: Mapping[str, str],
) -> tuple[rules.Group, ...]:
    """All groups of a policy; its queries are confined to its namespace.

    ``namespace_labels`` is by source name, as for `compiled.compile_policy`.  Raises
    compiled.PolicyError for a query that can't be confined, UnsupportedError for what
    recording rules can't compute and for a policy that has nothing to record.
    """
    policy = compiled.compile_policy(key, spec, namespace_labels)
    groups = [group for signal in policy.signals for group in signal_rules(key, signal)]
    if not groups:
        raise rules.UnsupportedError(
            f"policy {key} has no baseline and no burnRate: the operator reads its other signals "
            "from Prometheus itself, there is nothing to record"
        )
    return tuple(groups)


def signal_rules(key: objects.Key, signal: compiled.Signal) -> tuple[rules.Group, ...]:
    """The groups of one signal; none for a detector that is not recorded."""
    names = rules.Names(key, signal.name)
    if not is_recorded(signal):
        return ()
    rules.check_labels(signal)
    if signal.spec.baseline is not None:
        return baseline.groups(names, signal, signal.spec.baseline)
    return burn_rate.groups(names, signal)


def is_recorded(signal: compiled.Signal) -> bool:
    """Whether ``evaluation: Rules`` changes how the signal is read."""
    return signal.spec.baseline is not None or signal.spec.burn_rate is not None
