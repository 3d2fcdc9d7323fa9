"""The backtest benchmark: its policies, its samples and what it says."""

from __future__ import annotations

import pathlib

import pytest

from bench import backtest, prometheus_chain, rule_series
from prunella.api import policy as policy_api
from prunella.core import objects
from prunella.core.signals import compiled

KEY = objects.Key("shop", "load")


@pytest.mark.parametrize("detector", backtest.DETECTORS)
def test_each_policy_can_be_evaluated(detector: str) -> None:
    """A policy with a mistake would be refused in no time."""
    spec = policy_api.RemediationPolicySpec.model_validate(backtest.policy(detector)["spec"])
    assert ["load"] == [each.name for each in compiled.compile_policy(KEY, spec, {}).signals]


def test_samples_are_of_each_minute_and_some_are_incidents() -> None:
    """Given 20 series of two days, then most minutes are below the limit and a few above."""
    values = backtest.samples(20, 2)
    assert (20, 2 * backtest.DAY) == values.shape
    assert 0.0 < (values > 0.9).mean() < 0.05


def test_each_day_is_written_with_its_own_times(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given two days, then each is one text, and the second goes on where the first ended."""
    texts: list[list[str]] = []
    monkeypatch.setattr(
        prometheus_chain, "load", lambda text, _to: texts.append(text.read_text().splitlines())
    )
    backtest.load(tmp_path, backtest.samples(1, 2))

    assert [backtest.DAY + 2, backtest.DAY + 2] == [len(each) for each in texts]
    stamps = [int(line.split()[-1]) for text in texts for line in text[1:-1]]
    wanted = range(rule_series.START, rule_series.START + 2 * 86_400, backtest.STEP)
    assert list(wanted) == stamps


TOLD = {"quick": (59.0, "goal"), "slow": (90.0, "floor"), "too slow": (130.0, "neither")}


@pytest.mark.parametrize(("seconds", "word"), TOLD.values(), ids=TOLD)
def test_the_last_line_names_what_was_reached(seconds: float, word: str) -> None:
    """The goal, the floor, or neither of them."""
    run = backtest.Run(seconds, 50.0, 3.0, 400.0, 7, 2.5)
    lines = backtest.tell(run).splitlines()
    assert lines[-1].endswith(f"{word} reached")
    assert f"{seconds:.1f} s, of which 50.0 s" in lines[0]
