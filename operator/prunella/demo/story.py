"""The story: a bad release is rolled back and proved; a service that Git owns is left alone.

It is told by what people would look at: the policies' status, the ledger, and the metrics
themselves.  At the end the teller measures on its own whether the story is true.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import importlib.resources
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import yaml

from prunella.api import reasons
from prunella.core import model, objects
from prunella.core.decisions import guards
from prunella.engine import world as worlds

NAMESPACE = "prunella-demo"
CHECKOUT = objects.Key(NAMESPACE, "checkout")
PAYMENTS = objects.Key(NAMESPACE, "payments")
GOOD, BAD = "v1", "v2-bad"
LIMIT = 0.05
TICK_SECONDS = 1.0
QUIET_SECONDS = 45.0
"""How long v1 runs first, so that history can show that it was Healthy."""
LONGEST_SECONDS = 240.0


class Fault(enum.StrEnum):
    """A story that must fail: each takes away one thing that healing rests on."""

    NONE = "none"
    WRONG_ACTION = "wrong-action"
    METRICS_STOP = "metrics-stop"
    NO_GUARDS = "no-guards"


class Stage(Protocol):
    """Where the story is played."""

    @property
    def title(self) -> str:
        """What the stage is, for the reader."""

    @property
    def world(self) -> worlds.World:
        """The ports that the engine on this stage uses."""

    async def apply(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Create or change objects from their manifests."""

    async def release(self, deployment: str, tag: str) -> None:
        """Do what a person's release does: change the pod template."""

    async def image(self, deployment: str) -> str:
        """What a Deployment runs now; its end is the release."""

    async def stop_metrics(self) -> None:
        """Let no new metrics come in."""


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened: when, in which part of the loop, and what."""

    time: datetime.datetime
    part: str
    text: str
    good: bool | None = None


@dataclasses.dataclass(slots=True)
class Scene:
    """What the reader sees: the lines so far and the error ratio of each service over time."""

    began: datetime.datetime
    lines: list[Line] = dataclasses.field(default_factory=list)
    ratios: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    images: dict[str, str] = dataclasses.field(default_factory=dict)
    part: str = "observe"


Show = Callable[[Scene], None]


def guard_chain(fault: Fault) -> Sequence[guards.Guard]:
    """The guards of a story: all of them, unless the story is about their absence."""
    return () if fault is Fault.NO_GUARDS else guards.GUARDS


def documents(name: str, fault: Fault = Fault.NONE) -> list[dict[str, Any]]:
    """The manifests of a file beside this module, with the fault built in."""
    text = (importlib.resources.files("prunella.demo") / "manifests" / name).read_text()
    found: list[dict[str, Any]] = list(yaml.safe_load_all(text))
    if fault is Fault.WRONG_ACTION:
        for document in found:
            document["spec"]["steps"] = [{"restart": {}}]
    return found


class Teller:
    """Plays the story on a stage and tells it line by line."""

    def __init__(self, stage: Stage, fault: Fault, show: Show) -> None:
        self._stage = stage
        self._world = stage.world
        self._fault = fault
        self._show = show
        self._said: set[str] = set()
        self.scene = Scene(began=self._world.clock.now())

    async def tell(self) -> bool:
        """Play to the end; True only when checkout is healed and proved so."""
        await self._stage.apply(documents("shop.yaml"))
        await self._stage.apply(documents("policies.yaml", self._fault))
        self._say("observe", f"checkout runs {GOOD}; payments runs {GOOD}, owned by Argo CD")
        await self._watch(QUIET_SECONDS, self._never)
        for deployment in ("checkout", "payments"):
            await self._stage.release(deployment, BAD)
        self._say("observe", f"a person releases {BAD} of both", good=False)
        await self._watch(LONGEST_SECONDS, self._over)
        return await self._judge()

    async def _watch(self, seconds: float, over: Callable[[], bool]) -> None:
        deadline = self._world.clock.now() + datetime.timedelta(seconds=seconds)
        while self._world.clock.now() < deadline and not over():
            await self._world.clock.sleep(TICK_SECONDS)
            await self._look()

    def _never(self) -> bool:
        return False

    def _over(self) -> bool:
        record = self._newest(CHECKOUT)
        escalated = record is not None and record.status.escalated_at is not None
        return record is not None and (record.phase is reasons.Phase.SUCCEEDED or escalated)

    async def _look(self) -> None:
        for deployment in ("checkout", "payments"):
            ratio = await self._ratio(deployment)
            if ratio is not None:
                self.scene.ratios.setdefault(deployment, []).append(ratio)
            self.scene.images[deployment] = await self._stage.image(deployment)
        self._tell_policies()
        await self._tell_records()
        self._show(self.scene)

    async def _ratio(self, deployment: str) -> float | None:
        """Measured here, not asked of the operator."""
        name = f',deployment="{deployment}"'
        bad = await self._value(_rate(f'{name},code=~"5.."'))
        total = await self._value(_rate(name))
        return (bad or 0.0) / total if total else None

    async def _value(self, query: str) -> float | None:
        answer = await self._world.metrics.query("default", NAMESPACE, query)
        if isinstance(answer, model.Failure) or not answer.samples:
            return None
        return answer.samples[0].value

    def _tell_policies(self) -> None:
        for policy in self._world.policies.all():
            for target in policy.status.sick:
                if target.verdict == "Unhealthy":
                    self._say("observe", f"{target.name}: {target.message}", good=False)
                if target.refused and target.refused != reasons.Refused.NOT_HELD:
                    text = f"{target.name} is left alone: {target.refused}: {target.refusal}"
                    self._say("decide", text)

    async def _tell_records(self) -> None:
        for record in sorted(self._world.ledger.records(), key=lambda r: r.spec.decided_at):
            if record.target.namespace != NAMESPACE:
                continue
            for effect in record.spec.effects:
                self._say("decide", effect.summary)
            passed = sum(guard.passed for guard in record.spec.guards)
            self._say("decide", f"{record.name}: {passed} guards passed")
            if record.sent_at is not None:
                self._say("act", f"{record.name} is sent, once, and marked on the target")
                if self._fault is Fault.METRICS_STOP:
                    await self._stage.stop_metrics()
            self._tell_verification(record)

    def _tell_verification(self, record: objects.Record) -> None:
        verification = record.status.verification
        if verification is not None and not record.phase.final:
            self._say("verify", f"{record.target}: {verification.message}")
        if record.phase.final:
            healed = record.phase is reasons.Phase.SUCCEEDED
            text = f"{record.target}: {record.phase}: {record.status.message}"
            self._say("verify", text, good=healed)

    def _newest(self, key: objects.Key) -> objects.Record | None:
        own = [record for record in self._world.ledger.records() if record.policy == key]
        return max(own, key=lambda record: record.spec.attempt, default=None)

    async def _judge(self) -> bool:
        """Whether the story is true, by measurement: healed, proved, and nothing else touched."""
        record = self._newest(CHECKOUT)
        ratio = await self._ratio("checkout")
        checks = {
            "checkout runs v1 again": (await self._stage.image("checkout")).endswith(GOOD),
            f"its error ratio is {_percent(ratio)}": ratio is not None and ratio <= LIMIT,
            "its remediation is proved": record is not None
            and record.phase is reasons.Phase.SUCCEEDED
            and record.status.verification is not None,
            "payments was left to Argo CD": self._newest(PAYMENTS) is None,
        }
        for text, true in checks.items():
            self._say("proof", text if true else f"NOT TRUE: {text}", good=true)
        return all(checks.values())

    def _say(self, part: str, text: str, *, good: bool | None = None) -> None:
        if text in self._said:
            return
        self._said.add(text)
        self.scene.part = part
        self.scene.lines.append(Line(self._world.clock.now(), part, text, good))
        self._show(self.scene)


def _rate(matchers: str) -> str:
    selector = f'app_http_requests_total{{namespace="{NAMESPACE}"{matchers}}}'
    return f"sum by (deployment) (rate({selector}[15s]))"


def _percent(ratio: float | None) -> str:
    return "not known" if ratio is None else f"{ratio:.1%}"
