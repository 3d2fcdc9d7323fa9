"""What docs/detectors.md shows can be copied: its policies and signals are linted."""

from __future__ import annotations

import pathlib
import re
import textwrap

import pytest

from prunella.api import reasons
from prunella.api import signals as signals_api
from prunella.cli.lint import check

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "detectors.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
POLICY = """\
apiVersion: prunella.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: example, namespace: shop}
spec:
  target: {name: example}
  steps: [{restart: {}}]
  signals:
"""
NODES = POLICY.replace("kind: R", "kind: ClusterR").replace(", namespace: shop", "")
NODES = NODES.replace("restart", "cordon")


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_block_is_a_good_policy(block: str) -> None:
    """Each block is a policy, or signals of one, that lint has nothing to say about."""
    policy = NODES if "nodeCondition:" in block else POLICY
    text = block if "kind: RemediationPolicy" in block else policy + textwrap.indent(block, "  ")

    report = check.check_text("docs/detectors.md", text, 15.0)

    assert [] == [f"{each.line} {each.message} [{each.rule}]" for each in report.findings]
    assert 1 == report.policies


def test_every_detector_has_a_section_with_an_example() -> None:
    """No detector is left out, each with what it is for, its doubts, costs and formula."""
    parts = re.split(r"^## (\w+)\n", TEXT, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))

    assert [*signals_api.DETECTORS, "when"] == list(sections)
    for detector in signals_api.DETECTORS:
        words = (f"\n  {detector}:", "**Unknown**", "**Costs**", "**Formula:**")
        assert [] == [each for each in words if each not in sections[detector]]


def test_reasons_are_those_of_the_operator() -> None:
    """Each reason that is named is one that a verdict can have."""
    unknown = "\n".join(re.findall(r"^- \*\*Unknown\*\*.*?(?=^- )", TEXT, re.MULTILINE | re.DOTALL))
    named = set(re.findall(r"`([A-Z][A-Za-z]+)`", unknown))

    assert named
    assert set() == named - {doubt.value for doubt in reasons.Doubt}
