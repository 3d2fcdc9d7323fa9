"""Runs the cases of a test and tells what came of them."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Sequence

from prunella.core import model
from prunella.policytest import cases, fields, judge, stage, timeline
from prunella.policytest import objects as objects_module


@dataclasses.dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of one case."""

    name: str
    rows: tuple[judge.Row, ...]
    seconds: float
    """Real time that it took."""

    @property
    def passed(self) -> bool:
        """Whether all was as expected."""
        return all(row.passed for row in self.rows)


def run_case(
    test: cases.PolicyTest, case: cases.Case, policies: Sequence[timeline.Policy]
) -> CaseResult:
    """Play one case and compare. Raises StoryError when it can't be played."""
    began = time.perf_counter()
    told = asyncio.run(_play(test, case, policies))
    namespace = test.namespace or policies[0].key.namespace
    context = judge.Context(
        namespace=namespace,
        policies=tuple(policy.key for policy in policies),
        targets=tuple(workloads(test, case, namespace)),
    )
    rows = tuple(judge.judge(case.expect, told, context))
    return CaseResult(case.name, rows, time.perf_counter() - began)


async def _play(
    test: cases.PolicyTest, case: cases.Case, policies: Sequence[timeline.Policy]
) -> timeline.Timeline:
    return await stage.Stage(test, case, policies).play()


def workloads(test: cases.PolicyTest, case: cases.Case, namespace: str) -> list[model.Ref]:
    """The workloads of a case, in the order in which they are written."""
    manifests = (
        objects_module.manifest_of(each, namespace) for each in (*test.objects, *case.objects)
    )
    return [
        model.Ref(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"])
        for each in manifests
        if each["kind"] in fields.TARGET_KINDS
    ]
