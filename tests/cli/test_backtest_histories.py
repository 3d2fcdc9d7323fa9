"""Any history: whatever its spacing, gaps and names, the same signal gives the same findings."""

from __future__ import annotations

import csv
import datetime
import json
import math
import pathlib
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from prunella.cli import main as cli_main

START = datetime.datetime(2026, 1, 5, tzinfo=datetime.UTC)
DAYS = 30
SPIKE = (25 * 86_400 + 10 * 3_600, 25 * 86_400 + 12 * 3_600)
"""Seconds from the start: two hours on the 26th day."""
BASELINE = {"name": "latency", "baseline": {}, "for": "10m"}
THRESHOLD = {"name": "latency", "threshold": {"above": 0.5}, "for": "10m"}

Times = Callable[[], list[int]]


def _every(seconds: int, start: int = 0, end: int = DAYS * 86_400) -> list[int]:
    return list(range(start, end, seconds))


def _with_gaps() -> list[int]:
    """Every five minutes, but for a day, some hours each night, and single samples."""
    lost = random.Random(4)  # noqa: S311 - a story, not a secret
    return [
        when
        for when in _every(300)
        if not 8 * 86_400 <= when < 9 * 86_400
        and not 3 * 3_600 <= when % 86_400 < 4 * 3_600
        and lost.random() > 0.02
    ]


def _late() -> list[int]:
    """Every five minutes, some seconds late each time."""
    late = random.Random(5)  # noqa: S311 - a story, not a secret
    return [when + late.randrange(8) for when in _every(300)]


def _value(when: int, noise: random.Random) -> float:
    if SPIKE[0] <= when < SPIKE[1]:
        return 0.9
    daily = 0.02 * math.sin(2 * math.pi * when / 86_400)
    return 0.2 + daily + noise.uniform(-0.01, 0.01)


def write_history(
    folder: pathlib.Path, times: list[int], target: str = "checkout", growth: float = 0.0
) -> pathlib.Path:
    """A CSV of 30 days: a daily rhythm with some noise, and a plain spike of two hours.

    ``growth`` is what is added each day.
    """
    noise = random.Random(3)  # noqa: S311 - a story, not a secret
    path = folder / f"{target}.csv"
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["timestamp", "metric", "deployment", "value"])
        for when in times:
            at = int(START.timestamp()) + when
            value = _value(when, noise) + growth * (when - times[0]) / 86_400
            rows.writerow([at, "latency_seconds", target, f"{value:.5f}"])
    return path


def write_policy(folder: pathlib.Path, *signals: Mapping[str, Any], **spec: Any) -> pathlib.Path:
    """A policy of these signals, with the query that the history answers unless they have one."""
    query = {"prometheus": {"query": "latency_seconds"}}
    document = {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {
            "target": {"selector": {"matchLabels": {"app": "shop"}}},
            "signals": [query | dict(each) for each in signals],
            "steps": [{"restart": {}}],
        }
        | spec,
    }
    (folder / "policy.yaml").write_text(yaml.safe_dump(document))
    return folder / "policy.yaml"


class Command:
    """Runs `prunella` and gives what it printed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def text(self, *arguments: object) -> str:
        """Standard output and error, spaces as in a sentence."""
        self._monkeypatch.setenv("COLUMNS", "200")
        self._monkeypatch.setattr("sys.argv", ["prunella", *map(str, arguments)])
        with pytest.raises(SystemExit):
            cli_main.main()
        shown = self._capsys.readouterr()
        return " ".join((shown.out + shown.err).split())

    def backtest(self, policy: pathlib.Path, data: pathlib.Path, *more: object) -> dict[str, Any]:
        """The JSON of a backtest."""
        self._monkeypatch.setattr(
            "sys.argv",
            ["prunella", "backtest", str(policy), "--data", str(data), "-o", "json", *more],
        )
        with pytest.raises(SystemExit):
            cli_main.main()
        document: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return document


@pytest.fixture
def prunella(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line."""
    return Command(monkeypatch, capsys)


def _seconds(text: str) -> float:
    return (datetime.datetime.fromisoformat(text) - START).total_seconds()


def test_a_plain_spike_of_two_hours_is_one_finding_and_one_action(
    tmp_path: pathlib.Path, prunella: Command
) -> None:
    """Given 30 days at 5 minutes and a baseline, then finding, action and reason are told."""
    policy, data = write_policy(tmp_path, BASELINE), write_history(tmp_path, _every(300))
    found = prunella.backtest(policy, data)
    text = prunella.text("backtest", policy, "--data", data)

    assert found["interval"] == 300.0
    assert len(found["findings"]) == len(found["actions"]) == 1
    finding, action = found["findings"][0], found["actions"][0]
    assert SPIKE[0] <= _seconds(finding["start"]) < SPIKE[0] + 600
    assert SPIKE[1] <= _seconds(finding["end"])
    assert action["timeToDetect"] == 600.0
    assert action["why"].startswith("latency: 0.9, usual 0.")
    assert found["warnings"] == []
    assert "1 actions (0.2 a week), 1 findings (0.2 a week)" in text
    assert action["why"] in text


@pytest.mark.parametrize("interval", ["30s", "5m"])
def test_an_interval_that_is_written_is_kept(
    tmp_path: pathlib.Path, prunella: Command, interval: str
) -> None:
    """Given an interval in the policy, then it is used, and the same is found."""
    policy = write_policy(tmp_path, THRESHOLD, interval=interval)
    found = prunella.backtest(policy, write_history(tmp_path, _every(300)))

    assert found["interval"] == {"30s": 30.0, "5m": 300.0}[interval]
    assert [True] == [each["held"] for each in found["findings"]]
    assert found["verdicts"]["latency"]["unknown"] == 0


SPACINGS: dict[str, tuple[Times, float, float]] = {
    "15 s": (lambda: _every(15), 30.0, 60),
    "a minute": (lambda: _every(60), 60.0, 120),
    "5 minutes": (lambda: _every(300), 300.0, 600),
    "an hour": (lambda: _every(3_600), 3_600.0, 7_200),
    "5 minutes with gaps": (_with_gaps, 300.0, 900),
    "5 minutes, late": (_late, 308.0, 620),
}


@pytest.mark.parametrize(("times", "interval", "late"), SPACINGS.values(), ids=SPACINGS)
@pytest.mark.parametrize("signal", [THRESHOLD, BASELINE], ids=["threshold", "baseline"])
def test_the_same_signal_gives_the_same_findings(
    tmp_path: pathlib.Path,
    prunella: Command,
    signal: Mapping[str, Any],
    times: Times,
    interval: float,
    late: float,
) -> None:
    """Given the same signal at any spacing, then the spike is found, and acted on once."""
    found = prunella.backtest(write_policy(tmp_path, signal), write_history(tmp_path, times()))
    held = [each for each in found["findings"] if each["held"]]

    assert found["interval"] == pytest.approx(interval, rel=0.03)
    assert len(held) == len(found["actions"]) == 1
    assert SPIKE[0] - 1 <= _seconds(held[0]["start"]) <= SPIKE[0] + late
    assert SPIKE[1] - 1 <= _seconds(held[0]["end"])
    # For how long a baseline looks back on what was unusual is for its own tests to say.
    assert signal is BASELINE or _seconds(held[0]["end"]) <= SPIKE[1] + late
    assert not found["warnings"]


def test_targets_of_different_spacing_are_each_judged_by_their_own(
    tmp_path: pathlib.Path, prunella: Command
) -> None:
    """Given one target at a minute and one at ten, then none of them seems stale."""
    data = tmp_path / "data"
    data.mkdir()
    write_history(data, _every(60), "checkout")
    write_history(data, _every(600), "stock")
    found = prunella.backtest(write_policy(tmp_path, THRESHOLD), data)

    assert {"Deployment/checkout", "Deployment/stock"} == {f["target"] for f in found["findings"]}
    assert found["verdicts"]["latency"]["unknown"] == 0


STALE = THRESHOLD | {"staleAfter": "45s"}
NEVER = THRESHOLD | {"prometheus": {"query": "rate(latency_seconds[5m])"}}
PARTLY = THRESHOLD | {"prometheus": {"query": "avg_over_time(latency_seconds[4m])"}}
UNKNOWNS = {
    "stale": (
        STALE,
        "Stale",
        "samples are 300 s apart, data was up to 288 s old, older than 45 s",
        "latency is Unknown 90",
    ),
    "a range that never has data": (
        NEVER,
        "NoData",
        (
            'rate(latency_seconds{namespace="shop"}[5m]) never has data: it needs two samples in '
            "its range, and they are 300 s apart; the smallest range that always can is [10m]"
        ),
        "latency is Unknown 100",
    ),
    "a range that has data part of the time": (
        PARTLY,
        "NoData",
        (
            'avg_over_time(latency_seconds{namespace="shop"}[4m]) has no data part of the time: it '
            "needs one sample in its range, and they are 300 s apart; the smallest range that "
            "always can is [5m]"
        ),
        "latency: avg_over_time",
    ),
}


@pytest.mark.parametrize(
    ("signal", "reason", "message", "warning"), UNKNOWNS.values(), ids=UNKNOWNS
)
def test_unknown_is_explained_and_said_first(
    tmp_path: pathlib.Path,
    prunella: Command,
    signal: Mapping[str, Any],
    reason: str,
    message: str,
    warning: str,
) -> None:
    """Given much doubt, then its share, reason and numbers come before all else."""
    policy = write_policy(tmp_path, signal, interval="30s", target={"name": "checkout"})
    data = write_history(tmp_path, _every(300, end=2 * 86_400))
    found = prunella.backtest(policy, data)
    text = prunella.text("backtest", policy, "--data", data)
    why = found["verdicts"]["latency"]["reasons"][0]

    assert (reason, message) == (why["reason"], why["message"])
    assert why["points"] == found["verdicts"]["latency"]["unknown"]
    assert any(each.startswith(warning) for each in found["warnings"])
    assert text.index(message) < text.index("0 actions")
    assert "Nothing found, and nothing would have been done." in text or reason == "Stale"


def test_a_little_doubt_is_explained_and_no_warning(
    tmp_path: pathlib.Path, prunella: Command
) -> None:
    """Given two days of learning in thirty, then the share is told, and nothing is said first."""
    policy, data = write_policy(tmp_path, BASELINE), write_history(tmp_path, _every(300))
    text = prunella.text("backtest", policy, "--data", data)

    assert "latency Unknown, Learning: 0.8%, the history is shorter than `learn`" in text
    assert "warning" not in text


def test_a_history_without_targets_says_so(tmp_path: pathlib.Path, prunella: Command) -> None:
    """Given series that name no target, then the labels that they have and lack are told."""
    (tmp_path / "x.csv").write_text(
        "timestamp,metric,zone,value\n1700000000,latency_seconds,a,1\n1700000300,latency_seconds,a,1\n"
    )
    text = prunella.text(
        "backtest", write_policy(tmp_path, THRESHOLD), "--data", tmp_path / "x.csv"
    )

    assert "no target was found" in text
    assert "has a label that names a target (deployment, pod, exported_pod)" in text
    assert "they have namespace, zone" in text


def test_series_of_several_clusters_are_told_first(
    tmp_path: pathlib.Path, prunella: Command
) -> None:
    """Given a target in two clusters, then a warning names both and what keeps them apart."""
    rows = [
        f"{1_700_000_000 + 300 * n},latency_seconds,checkout,{cluster},1"
        for cluster in ("eu-1", "us-1")
        for n in range(9)
    ]
    (tmp_path / "x.csv").write_text(
        "\n".join(["timestamp,metric,deployment,cluster,value", *rows, ""])
    )
    found = prunella.backtest(write_policy(tmp_path, THRESHOLD), tmp_path / "x.csv")

    assert found["warnings"][0].startswith("latency: source default has series of 2 clusters")
    assert "(cluster: eu-1, us-1)" in found["warnings"][0]


def test_the_page_says_it_first_and_draws_flickers(
    tmp_path: pathlib.Path, prunella: Command
) -> None:
    """Given only flickers and much doubt, then the page warns, and the timeline has bars."""
    policy = write_policy(tmp_path, STALE, interval="30s")
    report = tmp_path / "report.html"
    data = write_history(tmp_path, _every(300))
    prunella.text("backtest", policy, "--data", data, "--report", report)
    page = report.read_text("utf-8")

    assert page.index("latency is Unknown 90") < page.index("class=tile>")
    assert '"categoryarray":["Deployment/checkout"]' in page
    assert '"name":"flicker"' in page


def test_an_empty_timeline_says_so(tmp_path: pathlib.Path, prunella: Command) -> None:
    """Given nothing found, then the timeline is not just empty."""
    calm = THRESHOLD | {"threshold": {"above": 5}}
    report = tmp_path / "report.html"
    data = write_history(tmp_path, _every(300, end=86_400))
    prunella.text("backtest", write_policy(tmp_path, calm), "--data", data, "--report", report)

    assert "Nothing found: no target was Unhealthy at any time." in report.read_text("utf-8")


EVERY_STEP: dict[str, tuple[Mapping[str, Any], float]] = {
    "threshold": (THRESHOLD, 0.0),
    "baseline": (BASELINE | {"baseline": {"learn": "12h", "history": "1d", "every": "1m"}}, 0.0),
    "drift": ({"name": "latency", "drift": {"window": "2h"}, "for": "10m"}, 2.0),
}


@pytest.mark.parametrize(("signal", "growth"), EVERY_STEP.values(), ids=EVERY_STEP)
def test_passes_at_every_step_tell_the_same_of_samples_far_apart(
    tmp_path: pathlib.Path, prunella: Command, signal: Mapping[str, Any], growth: float
) -> None:
    """Given samples every five minutes and passes every minute, then none that is left out told."""
    begin = 24 * 86_400
    data = write_history(tmp_path, _every(300, begin, begin + 2 * 86_400), growth=growth)
    policy = write_policy(tmp_path, signal, interval="1m")
    fast = prunella.backtest(policy, data)
    slow = prunella.backtest(policy, data, "--every-step")

    assert slow["passes"] >= 2 * 1_440 - 5
    told = ("actions", "findings", "refusals", "escalations", "latched")
    assert {key: slow[key] for key in told} == {key: fast[key] for key in told}
    assert fast["findings"]
