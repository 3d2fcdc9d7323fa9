"""Who refused a request before the API server would have stored it: told by its message.

The status code says nothing of it: a webhook chooses its own.  Source of the words:
k8s.io/apiserver, ``admission/plugin/webhook/errors`` and ``admission/plugin/policy/validating``.
"""

from __future__ import annotations

import re
from typing import Final

_WEBHOOK: Final = re.compile(
    r'admission webhook "([^"]+)" (?:denied the request|does not support dry run)'
    r'|failed calling webhook "([^"]+)"'
)
_POLICY: Final = re.compile(r"ValidatingAdmissionPolicy '([^']+)' with binding '[^']+' denied")
_OWN_POLICY: Final = "-operator"
"""How the chart calls its policy about the operator's account: what it denies is not enabled."""


def refuser(message: str) -> str:
    """The webhook or policy that refused, or could not be asked; empty when it was neither.

    The chart's own policy is no stranger: it says which rights the operator has.
    """
    if webhook := _WEBHOOK.search(message):
        return f"admission webhook {webhook[1] or webhook[2]}"
    policy = _POLICY.search(message)
    if policy is None or (policy[1].endswith(_OWN_POLICY) and "the operator" in message):
        return ""
    return f"ValidatingAdmissionPolicy {policy[1]}"
