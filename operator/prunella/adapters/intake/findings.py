"""Findings of policies as alerts: a signal that has turned Unhealthy, until it is Healthy again.

Unknown changes nothing: what was Unhealthy is not known to be well.  Only what has held for the
signal's ``for`` is told, as only that may lead to an action.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Final

from prunella import ports
from prunella.adapters.intake.told import Labels, Told
from prunella.core import model, objects

NAME: Final = "policy"
_MOST_TEXT = 512
_Key = tuple[objects.Key, str, model.Ref]


class Findings:
    """What the passes over policies have found (`told.Teller`, `ports.Findings`)."""

    name = NAME
    primed = True

    def __init__(self, clock: ports.Clock) -> None:
        self._clock = clock
        self._firing: dict[_Key, Told] = {}
        self._waiting: list[Told] = []

    def tell(self) -> Sequence[Told]:
        """What has turned since the last call."""
        waiting, self._waiting = self._waiting, []
        return waiting

    async def run(self) -> None:
        """Nothing to do: the passes call."""

    def found(
        self,
        policy: objects.Key,
        findings: Sequence[model.Finding],
        since: Mapping[tuple[str, model.Ref], datetime.datetime],
    ) -> None:
        """The findings of one pass over a policy.

        ``since``: the onset of each signal and target that has been Unhealthy for long enough.
        """
        verdicts = {(policy, each.signal, each.target): each for each in findings}
        for key, finding in verdicts.items():
            onset = since.get((finding.signal, finding.target))
            if finding.verdict is model.Verdict.UNHEALTHY and onset is not None:
                self._begin(key, finding, onset)
            elif finding.verdict is model.Verdict.HEALTHY:
                self._end(key)
        for key in [each for each in self._firing if each[0] == policy and each not in verdicts]:
            self._end(key)

    def forget(self, policy: objects.Key) -> None:
        """The policy is gone, and with it who could say that all is well again."""
        for key in [each for each in self._firing if each[0] == policy]:
            self._end(key)

    def _begin(self, key: _Key, finding: model.Finding, onset: datetime.datetime) -> None:
        if key in self._firing:
            return
        policy, signal, target = key
        labels: Labels = (("namespace", policy.namespace), ("policy", policy.name))
        told = Told(
            source=f"{NAME} {policy.name}",
            name=signal,
            labels=labels,
            starts_at=onset.timestamp(),
            firing=True,
            received=self._now(),
            message=finding.message[:_MOST_TEXT],
            target=target,
        )
        self._firing[key] = told
        self._waiting.append(told)

    def _end(self, key: _Key) -> None:
        told = self._firing.pop(key, None)
        if told is not None:
            now = self._now()
            self._waiting.append(told._replace(firing=False, ended_at=now, received=now))

    def _now(self) -> float:
        return self._clock.now().timestamp()
