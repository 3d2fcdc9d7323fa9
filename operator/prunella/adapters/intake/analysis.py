"""Verdicts for those who roll out: what the last pass over a policy has found, read only.

Argo Rollouts asks with an AnalysisTemplate (provider ``web``).  Unknown is an answer, and not an
error: an analysis that is neither a success nor a failure is inconclusive, and waits for a person.
What is too old to be believed is Unknown, and so is what nobody has judged.
"""

from __future__ import annotations

import dataclasses
import datetime
import http
import math
from collections.abc import Mapping, Sequence
from typing import Final

import orjson
from aiohttp import web

from prunella import ports, settings
from prunella.adapters.intake import webhook
from prunella.core import model, objects
from prunella.core.decisions import step

PATH: Final = "/analysis"
COUNTED: Final = "analysis"
INTERVALS_BELIEVED: Final = 3
LEAST_BELIEVED: Final = datetime.timedelta(seconds=30)
MOST_TEXT: Final = 512
_NEEDED, _OPTIONAL = ("namespace", "policy"), ("signal", "target")


@dataclasses.dataclass(frozen=True, slots=True)
class _Pass:
    """What one pass over a policy has found."""

    at: datetime.datetime
    believed: datetime.timedelta
    verdicts: Mapping[model.Ref, model.Verdict]
    findings: Sequence[model.Finding]


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """An answer: a verdict, one word and the numbers; ``value`` of the finding that decides."""

    verdict: model.Verdict
    reason: str
    message: str
    value: float | None = None
    targets: int = 0


class Analysis:
    """Keeps the last pass of each policy (`outside_ports.Verdicts`), and answers."""

    def __init__(
        self,
        wanted: settings.Analysis,
        door: webhook.Doorkeeper,
        clock: ports.Clock,
        telemetry: ports.Telemetry,
    ) -> None:
        self._namespaces = frozenset(wanted.namespaces)
        self._door = door
        self._clock = clock
        self._telemetry = telemetry
        self._passes: dict[objects.Key, _Pass] = {}

    def judged(
        self,
        policy: objects.Key,
        verdicts: Mapping[model.Ref, model.Verdict],
        findings: Sequence[model.Finding],
        interval: datetime.timedelta,
    ) -> None:
        """What one pass over a policy has found, the next one being due after ``interval``."""
        believed = max(INTERVALS_BELIEVED * interval, LEAST_BELIEVED)
        self._passes[policy] = _Pass(self._clock.now(), believed, verdicts, findings)

    def forget(self, policy: objects.Key) -> None:
        """The policy is gone, or can't be evaluated."""
        self._passes.pop(policy, None)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        try:
            self._door.let_in(request)
            asked = self._asked(request.query)
        except webhook.Refused as refused:
            return webhook.respond(refused.answer, COUNTED, self._telemetry)
        self._telemetry.count(webhook.COUNTER, {"path": COUNTED, "outcome": "accepted"})
        found = dataclasses.asdict(self.find(**asked))
        if found["value"] is None or not math.isfinite(found["value"]):
            del found["value"]
        body = orjson.dumps(found)
        return web.Response(
            body=body, content_type="application/json", headers={"Cache-Control": "no-store"}
        )

    def _asked(self, query: Mapping[str, str]) -> dict[str, str]:
        """The parameters of a request. Raises Refused."""
        known = (*_NEEDED, *_OPTIONAL)
        wrong = [name for name in query if name not in known]
        missing = [name for name in _NEEDED if not query.get(name)]
        if wrong or missing:
            what = f"unknown parameter {wrong[0][:80]!r}" if wrong else f"no {missing[0]}"
            message = f"{what}: give {' and '.join(_NEEDED)}, and {' or '.join(_OPTIONAL)} or both"
            answer = webhook.Answer(http.HTTPStatus.BAD_REQUEST, "malformed", message)
            raise webhook.Refused(answer)
        if self._namespaces and query["namespace"] not in self._namespaces:
            message = (
                "policies of that namespace may not be asked about: intake.analysis.namespaces"
            )
            raise webhook.Refused(webhook.Answer(http.HTTPStatus.FORBIDDEN, "refused", message))
        return {name: query.get(name, "") for name in known}

    def find(self, namespace: str, policy: str, signal: str = "", target: str = "") -> Found:
        """What is known of a policy: of all targets or of one, by all signals or by one."""
        key = objects.Key(namespace, policy)
        last = self._passes.get(key)
        if last is None:
            return _unknown("NotJudged", f"policy {key} was not judged since the operator's start")
        age = self._clock.now() - last.at
        if age > last.believed:
            limit = last.believed.total_seconds()
            message = f"the last pass over {key} is {age.total_seconds():.0f} s old, {limit:.0f} s"
            return _unknown("TooOld", f"{message} are believed")
        refs = {ref for ref in last.verdicts if target in {"", ref.name, str(ref)}}
        if not refs:
            return _unknown("NoTarget", f"{key} has no target {target or 'at all'}")
        findings = [
            each for each in last.findings if each.target in refs and signal in {"", each.signal}
        ]
        if not findings:
            return _unknown("NoSignal", f"{key} has no signal {signal or 'at all'}")
        judged = [last.verdicts[ref] for ref in refs]
        verdict = step.worst([each.verdict for each in findings] if signal else judged)
        telling = next((each for each in findings if each.verdict is verdict), findings[0])
        message = f"{telling.signal} of {telling.target}: {telling.message}"[:MOST_TEXT]
        return Found(verdict, telling.reason, message, telling.value, len(refs))


def _unknown(reason: str, message: str) -> Found:
    return Found(model.Verdict.UNKNOWN, reason, message[:MOST_TEXT])
