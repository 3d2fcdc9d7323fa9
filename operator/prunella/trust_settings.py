"""The settings of earned trust: how far policies may go."""

from __future__ import annotations

from typing import Annotated, Self

import pydantic

from prunella import allowed


class Trust(pydantic.BaseModel):
    """How far policies may go, and when one is demoted to Advise."""

    model_config = allowed.CONFIG

    allow_high_risk_live: bool = False
    """Let actions of risk high be Live: those that change what is deployed."""
    bad_before_demotion: Annotated[int, pydantic.Field(ge=1, le=20)] = 5
    """So many actions that did not help..."""
    demotion_window: Annotated[int, pydantic.Field(ge=1, le=20)] = 10
    """...of so many make a policy act as Advise."""
    rejections_before_demotion: Annotated[int, pydantic.Field(ge=1, le=20)] = 3

    @property
    def rules(self) -> dict[str, int]:
        """What `rules.Rules` takes of it."""
        told = self.model_dump(exclude={"allow_high_risk_live"})
        return {**told, "high_risk_live": self.allow_high_risk_live}

    @pydantic.model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        """Make sure that so many can be bad of so many."""
        if self.bad_before_demotion > self.demotion_window:
            raise ValueError(
                f"badBeforeDemotion {self.bad_before_demotion} is more than "
                f"demotionWindow {self.demotion_window}: it could never be reached"
            )
        return self


AS_POLICIES_SAY = Trust(allow_high_risk_live=True)
"""Where there is no administrator: simulations, tests of policies, the demo."""
