"""What can be judged ahead of the passes, for a whole stretch at once."""

from __future__ import annotations

import dataclasses

from prunella.adapters.recorded import metrics as recorded
from prunella.adapters.recorded import workloads
from prunella.api import policy as policy_api
from prunella.backtest import (
    change_verdicts,
    event_verdicts,
    kept_samples,
    learned_verdicts,
    reader,
    recalled,
    skipped_passes,
    spacings,
    unknowns,
    verdicts,
    window_verdicts,
)
from prunella.backtest import request as requests
from prunella.core import model
from prunella.core.signals import compiled, detect, history, learning
from prunella.detectors import learning as memories


class StretchVerdicts:
    """Judges all ahead but what is compared with others beside it: that is left to the passes."""

    def __init__(
        self,
        request: requests.Request,
        metrics: recorded.RecordedMetrics,
        policy: compiled.Policy,
        questions: reader.Questions,
        tracker: kept_samples.Tracker,
    ) -> None:
        self._request = request
        self._metrics = metrics
        self._compiled = policy
        self._questions = questions
        self._tracker = tracker
        self._judge_all = judge_all_of(request.spec)
        ahead = () if request.thorough else policy.signals
        self._learned = {
            signal.name: learned_verdicts.LearnedVerdicts(signal, self._asking(signal))
            for signal in ahead
            if signal.spec.baseline is not None
        }
        self._windows = {
            signal.name: made
            for signal in ahead
            if (made := _windowed(signal, self._asking(signal))) is not None
        }
        self.blind = frozenset(
            signal.name
            for signal in policy.signals
            if not verdicts.can_judge(signal)
            and (request.thorough or not event_verdicts.can_judge(signal))
            and signal.name not in self._learned.keys() | self._windows.keys()
        )
        """The signals that only passes can judge."""

    async def judge_stretch(
        self, recording: recorded.Recording, states: workloads.States
    ) -> skipped_passes.Stretch:
        """Judge what can be, keep it for the report, and tell when something may happen."""
        known: dict[str, verdicts.Judged] = {}
        steps: list[float] = []
        for signal in self._compiled.signals:
            found = await self._judge_ahead(signal, recording, states)
            if found is None:
                step_of = signal.lookback
                steps.append(self._request.interval if step_of is None else step_of.step)
                continue
            known[signal.name] = found
            self._explain(signal, recording, states, found)
            below = signal.spec.threshold is not None and signal.spec.threshold.below is not None
            self._tracker.feed(
                signal.name, states.refs, states.times, found, states.exists, low_is_bad=below
            )
        holds = {signal.name: signal.spec.for_.total_seconds() for signal in self._compiled.signals}
        return skipped_passes.stretch(
            states, known, skipped_passes.Rule(steps, holds, self._judge_all)
        )

    def _explain(
        self,
        signal: compiled.Signal,
        recording: recorded.Recording,
        states: workloads.States,
        judged: verdicts.Judged,
    ) -> None:
        """Keep why points are Unknown."""
        asked = self._questions[signal.name]
        spacing = spacings.together(self._metrics.spacings, asked.values())
        for each in unknowns.explain(signal, recording, asked, states, judged, spacing):
            self._tracker.doubt(signal.name, each.reason, each.message, each.points, told=0)

    async def _judge_ahead(
        self, signal: compiled.Signal, recording: recorded.Recording, states: workloads.States
    ) -> verdicts.Judged | None:
        """All verdicts of a signal on a stretch; None where only passes can tell."""
        asked = self._questions[signal.name]
        spacing = spacings.together(self._metrics.spacings, asked.values())
        if verdicts.can_judge(signal):
            return verdicts.judge(signal, recording, asked, states.refs, spacing)
        if event_verdicts.can_judge(signal) and not self._request.thorough:
            return event_verdicts.judge(signal, recording, asked, states.refs, spacing)
        windows = self._windows.get(signal.name)
        ahead = self._learned.get(signal.name)
        if windows is None and ahead is None:
            return None
        stale = verdicts.stale(signal, recording, asked, states.refs, spacing)
        if windows is not None:
            judged = await windows.judge(states, self._request.interval)
            judged.codes[stale] = verdicts.UNKNOWN
            return judged
        if ahead is None:
            return None
        usual = await ahead.judge(states, self._request.interval)
        usual.judged.codes[stale] = verdicts.UNKNOWN
        self._tracker.feed_band(signal.name, states.refs, states.times, usual.lower, usual.upper)
        return usual.judged

    def _asking(self, signal: compiled.Signal) -> recalled.Ask:
        async def ask(query: str, span: history.Span) -> history.Matrix:
            source, namespace = signal.spec.source, self._request.key.namespace
            answer = await self._metrics.history(source, namespace, query, span)
            if isinstance(answer, model.Failure):
                raise recorded.HistoryError(f"{query}: {answer.message}")
            return answer

        return ask

    def detectors(self, real: detect.Detectors) -> detect.Detectors:
        """The live detectors; what was learned ahead is not learned again."""

        def learner(signal: compiled.Signal) -> learning.Learner | None:
            ahead = self._learned.get(signal.name) or self._windows.get(signal.name)
            return real.learner(signal) if ahead is None else ahead.learner()

        return dataclasses.replace(real, learner=learner)


def _windowed(
    signal: compiled.Signal, ask: recalled.Ask
) -> window_verdicts.WindowVerdicts | change_verdicts.ChangeVerdicts | None:
    """What judges windows of samples ahead; None for other signals."""
    if memories.window_rule(signal) is not None:
        return window_verdicts.WindowVerdicts(signal, ask)
    if change_verdicts.can_judge(signal):
        return change_verdicts.ChangeVerdicts(signal, ask)
    return None


def judge_all_of(spec: policy_api.RemediationPolicySpec) -> skipped_passes.JudgeAll | None:
    """How a target's verdict follows from its signals'; None where any sick one is enough."""
    if spec.when is None:
        return None
    from prunella.core.signals import when  # noqa: PLC0415 - it loads the library for CEL

    compiled_when = when.compile_when(spec.when, [signal.name for signal in spec.signals])
    return lambda found: compiled_when.judge(found)[0]
