"""webhook: ask a system outside the cluster to do something, once, and follow it to its end.

A policy only names an endpoint that an administrator has listed, and fills in its parameters.
The name of the Remediation is the idempotency key.  There is no inverse.
"""

from __future__ import annotations

from collections.abc import Mapping

from prunella.actions import offers
from prunella.api import endpoints, trust
from prunella.api import steps as steps_api
from prunella.core import model
from prunella.core.decisions import action, started


class Webhook:
    """Calls an endpoint."""

    name = "webhook"
    owned_field = None
    risk = trust.Risk.HIGH

    def __init__(self, listed: Mapping[str, endpoints.Endpoint]) -> None:
        self._listed = listed

    def plan(self, request: action.Request) -> action.Plan | model.Refusal:
        """One call, when the endpoint is for this namespace and the parameters are as declared."""
        params = request.params
        if not isinstance(params, steps_api.Webhook):
            raise TypeError("webhook is planned from the parameters of such a step")
        target = request.live_state.workload.ref
        endpoint = offers.taken(
            "endpoint", params.endpoint, self._listed, target.namespace, params.parameters
        )
        if isinstance(endpoint, model.Refusal):
            return endpoint
        return action.Plan((_effect(endpoint, params, target),))


def _effect(
    endpoint: endpoints.Endpoint, params: steps_api.Webhook, target: model.Ref
) -> model.Effect:
    values = endpoint.filled(params.parameters)
    call = {
        "parameters": values,
        "target": {"kind": target.kind, "namespace": target.namespace, "name": target.name},
        started.DEADLINE: endpoint.deadline_seconds,
    }
    told = offers.in_words(values)
    what = f"{endpoint.kind.value} {endpoint.job}".rstrip()
    return model.Effect(
        verb=model.Verb.CALL,
        target=model.Ref("Webhook", target.namespace, params.endpoint),
        uid="",
        patch=({"op": "add", "path": "", "value": call},),
        summary=f"call endpoint {params.endpoint} ({what}) for {target} ({told})",
    )
