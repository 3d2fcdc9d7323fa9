"""`prunella backtest` from the policy's file to the summary, the JSON and the report."""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any

import pytest
import yaml

from prunella.backtest import page
from prunella.cli import main as cli_main
from tests.engine import recorded
from tests.engine.recorded import START

pytest.importorskip("plotly")

DATA_MINUTES = 24 * 60


def _policy(folder: pathlib.Path, name: str = "policy.yaml", **changes: Any) -> pathlib.Path:
    spec = recorded.spec(recorded.threshold(staleAfter="3m"), interval="1m", **changes)
    document = {
        "apiVersion": "prunella.dev/v1alpha1",
        "kind": "RemediationPolicy",
        "metadata": {"name": "load", "namespace": "shop"},
        "spec": spec.model_dump(by_alias=True, exclude_unset=True, mode="json"),
    }
    (folder / name).write_text(yaml.safe_dump(document))
    return folder / name


def _data(folder: pathlib.Path) -> pathlib.Path:
    """A day of two workloads, one of which is ill for 30 minutes and once for one."""
    lines = []
    for minute in range(DATA_MINUTES):
        when = int(START.timestamp()) + 60 * minute
        ill = 600 <= minute < 630 or minute == 900
        for name, value in (("cart", 2.5 if ill else 0.5), ("stock", 0.5)):
            lines.append(f'app_load{{deployment="{name}"}} {value} {when}')
    (folder / "data.om").write_text("\n".join([*lines, "# EOF", ""]))
    return folder / "data.om"


def _run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["prunella", "backtest", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli_main.main()
    shown = capsys.readouterr()
    return int(ended.value.code or 0), shown.out, shown.err


def test_json_has_everything(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a day with one illness, then actions, findings, guards and caveats are told."""
    labels = tmp_path / "labels.csv"
    start = int(START.timestamp()) + 595 * 60
    labels.write_text(f"start,end,target\n{start},{start + 3600},cart\n")
    arguments = (_policy(tmp_path), "--data", _data(tmp_path), "--labels", labels, "-o", "json")
    code, out, _ = _run(monkeypatch, capsys, *arguments)
    document = json.loads(out)

    assert code == 0
    assert ["restart", "rollback"] == [each["action"] for each in document["actions"]][:2]
    assert {"Deployment/cart"} == {each["target"] for each in document["actions"]}
    assert document["actions"][0]["timeToDetect"] == 75.0
    assert [True, False] == [each["held"] for each in document["findings"]]
    answers = {each["guard"]: each["answer"] for each in document["actions"][0]["guards"]}
    assert answers["no_rollout_in_progress"] == "not judged"
    assert answers["held_for_long_enough"] == "passed"
    assert document["score"]["precision"] == document["score"]["recall"] == 1.0
    assert document["score"]["falseActions"] == 0
    assert document["complete"]
    assert len(document["caveats"]) >= 3
    assert "no_rollout_in_progress" in [each["guard"] for each in document["notJudged"]]


def test_the_summary_is_for_people(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given the same day, then the text says what was done and what can't be told."""
    code, out, _ = _run(monkeypatch, capsys, _policy(tmp_path), "--data", _data(tmp_path))

    assert code == 0
    assert "2 targets" in out
    assert "1 findings" in out
    assert "1 flickers" in out
    assert "restart" in out
    assert "History does not answer to an action" in out
    assert "not judged: not_paused" in out


def test_against_tells_what_a_change_changes(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an older policy without the second step, then its rows are those that were added."""
    old = _policy(tmp_path, "old.yaml", steps=[{"restart": {}}])
    arguments = (_policy(tmp_path), "--data", _data(tmp_path), "--against", old, "-o", "json")
    code, out, _ = _run(monkeypatch, capsys, *arguments)
    changes = json.loads(out)["changes"]

    assert code == 0
    assert {("+", "action")} == {(each["sign"], each["kind"]) for each in changes}
    assert all("back" in each["what"] for each in changes)


def test_the_report_stands_alone(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a report, then it loads nothing, is small enough, and holds charts and tables."""
    report = tmp_path / "out.html"
    arguments = (_policy(tmp_path), "--data", _data(tmp_path), "--report", report)
    code, _, _ = _run(monkeypatch, capsys, *arguments)
    text = report.read_text("utf-8")
    outside = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)

    assert code == 0
    assert len(text.encode()) <= page.MOST_BYTES
    assert "src=" not in outside
    assert "href=" not in outside
    assert "prefers-color-scheme" in text
    assert '"signal-0":{"data"' in text
    assert "restart Deployment/cart" in text


WRONG = {
    "no history": ((), "say where the history is"),
    "both": (("--data", "x", "--prometheus", "http://localhost:1"), "say where the history is"),
    "no such data": (("--data", "/nowhere.om"), "can't read /nowhere.om"),
    "the wrong way round": (("--data", "{data}", "--from", "now", "--to", "-1h"), "must be before"),
    "no time": (("--data", "{data}", "--from", "soon"), "--from or --to: 'soon' is no time"),
    "no labels": (("--data", "{data}", "--labels", "/nowhere.csv"), "can't read /nowhere.csv"),
    "nobody there": (("--prometheus", "http://127.0.0.1:9"), "source 'default'"),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_one_line(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    message: str,
) -> None:
    """Given anything wrong, then one line says what, and the exit code is 2."""
    data = _data(tmp_path)
    given = [each.replace("{data}", str(data)) for each in options]
    code, out, err = _run(monkeypatch, capsys, _policy(tmp_path), *given)

    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


POLICIES = {
    "no YAML": ("a: [", "not YAML"),
    "another kind": ("kind: Pod\napiVersion: v1\n", "holds no RemediationPolicy"),
    "a bad spec": (
        (
            "apiVersion: prunella.dev/v1alpha1\nkind: RemediationPolicy\nmetadata: {name: a}\n"
            "spec: {target: {name: a}, signals: [], steps: [{restart: {}}]}\n"
        ),
        "policy.yaml:4: spec.signals",
    ),
}


@pytest.mark.parametrize(("content", "message"), POLICIES.values(), ids=POLICIES.keys())
def test_a_bad_policy_is_one_line(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str,
    message: str,
) -> None:
    """Given a file that holds no usable policy, then one line says where and what."""
    (tmp_path / "policy.yaml").write_text(content)
    arguments = (tmp_path / "policy.yaml", "--data", _data(tmp_path))
    code, _, err = _run(monkeypatch, capsys, *arguments)

    assert code == 2
    assert message in err
    assert "Traceback" not in err
