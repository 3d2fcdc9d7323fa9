"""Approval: one person's word on one plan.  Its name is that of the Remediation that waits for it.

Whoever may create Approvals in a namespace may decide there: that is all of the right, and RBAC
gives it.  The name is taken once, and the spec is never changed: one plan, one decision.
"""

from __future__ import annotations

import enum
from typing import Annotated

import pydantic

from prunella.api import base, types
from prunella.api import conditions as conditions_api

ACCEPTED = "Accepted"
"""The condition by which the operator says what became of an Approval."""
Written = Annotated[str, pydantic.Field(min_length=1, max_length=253)]


class Verdict(enum.StrEnum):
    """What a person says to a plan."""

    APPROVE = "Approve"
    REJECT = "Reject"


class ApprovalSpec(base.ApiModel):
    """Which plan, what is said to it, and by whom."""

    remediation_uid: Written = pydantic.Field(
        alias="remediationUID", description="UID of the Remediation of the same name."
    )
    plan_hash: Written = pydantic.Field(
        description="The Remediation's spec.planHash: the plan that was looked at."
    )
    verdict: Verdict = pydantic.Field(
        description="Approve: do it. Reject: do not, and do not ask again in this illness."
    )
    decided_by: Written = pydantic.Field(
        description=(
            "The user who decides, as the API server names it; another name than the request's is "
            "refused."
        )
    )
    reason: base.LongText = pydantic.Field("", description="Why, for whoever reads it later.")
    expires_at: types.LocalTime | None = pydantic.Field(
        None,
        description=(
            "An approval that was not carried out by then is void. Default: as long as the "
            "Remediation waits."
        ),
    )


class ApprovalStatus(base.ApiModel):
    """What the operator has made of it."""

    conditions: Annotated[list[conditions_api.Condition], pydantic.Field(max_length=4)] = (
        pydantic.Field(
            default_factory=list,
            description=(
                "Accepted: True once it has decided; False when it was refused, with the reason."
            ),
        )
    )
