"""`prunella lint`: files, folders, formats and exit codes."""

from __future__ import annotations

import io
import json
import pathlib
import re
import sys

import pytest

from prunella.cli import main as cli_main
from tests.cli import conftest
from tests.cli.test_lint_policies import GOOD

WARNED = GOOD.replace("sum by (deployment)", "sum")
REFUSED = GOOD.replace("for: 1m", "for: 60")
WARNING = (
    "the result keeps no label that names a target (deployment, pod, exported_pod): "
    "NoMappingLabels; aggregate by (deployment)"
)
ERROR = "must be a duration such as 30s, 5m or 1h30m, found 60"


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A folder with policies and other things, and the working directory."""
    files = {
        "good.yaml": GOOD,
        "warned.yaml": WARNED,
        "refused.yml": f"{GOOD}---\n{REFUSED}",
        "deep/er/good.json": json.dumps({"apiVersion": "prunella.dev/v1alpha1"}),
        "template.yaml": "{{- if .Values.on }}\n",
        "notes.txt": "prunella.dev",
        "app.yaml": "apiVersion: v1\nkind: Service\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


CODES = {
    "good": (("good.yaml",), 0),
    "warned": (("warned.yaml",), 0),
    "warned, strict": (("warned.yaml", "--strict"), 1),
    "good, strict": (("good.yaml", "--strict"), 0),
    "refused": (("refused.yml",), 1),
    "one of two": (("good.yaml", "refused.yml"), 1),
    "refused, as JSON": (("refused.yml", "-o", "json"), 1),
    "no policy": (("app.yaml",), 2),
    "not there": (("nothing.yaml",), 2),
    "no argument": ((), 2),
    "unknown format": (("good.yaml", "-o", "xml"), 2),
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", CODES)
def test_exit_codes(run: conftest.Run, name: str) -> None:
    """0 without errors, 1 with findings that fail, 2 when nothing could be checked."""
    arguments, code = CODES[name]

    assert code == run("lint", *arguments).code


@pytest.mark.usefixtures("folder")
def test_text_begins_with_file_and_line(run: conftest.Run) -> None:
    """Editors and people find the place; a summary counts."""
    expected = f"""\
warned.yaml:9: warning: spec.signals[0].prometheus.query: {WARNING} [mapping]
refused.yml:25: error: spec.signals[0].for: {ERROR} [schema]
3 policies in 2 files: 1 error, 1 warning, 0 hints
"""

    assert expected == run("lint", "warned.yaml", "refused.yml").out


@pytest.mark.usefixtures("folder")
def test_folders_are_searched(run: conftest.Run) -> None:
    """Only YAML and JSON that speak of Prunella are read: templates are no policies."""
    document = json.loads(run("lint", ".", "-o", "json").out)

    files = ["deep/er/good.json", "refused.yml", "warned.yaml"]
    assert files == sorted({finding["file"] for finding in document["findings"]})
    assert (4, 5) == (document["files"], document["policies"])


def test_standard_input_is_a_file(run: conftest.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rendered chart can be piped in."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(REFUSED))

    result = run("lint", "-")

    assert f"<stdin>:11: error: spec.signals[0].for: {ERROR} [schema]" in result.out
    assert 1 == result.code


@pytest.mark.usefixtures("folder")
def test_json_counts_and_lists(run: conftest.Run) -> None:
    """Programs get counts and every finding with its parts."""
    expected = {
        "files": 1,
        "policies": 2,
        "skipped": 0,
        "errors": 1,
        "warnings": 0,
        "hints": 0,
        "findings": [
            {
                "file": "refused.yml",
                "line": 25,
                "path": "spec.signals[0].for",
                "severity": "error",
                "rule": "schema",
                "message": ERROR,
            }
        ],
    }

    assert expected == json.loads(run("lint", "refused.yml", "-o", "json").out)


@pytest.mark.usefixtures("folder")
def test_github_annotations(run: conftest.Run) -> None:
    """A pull request shows each finding at its line; separators are escaped."""
    expected = (
        f"::error file=refused.yml,line=25,title=prunella%3A schema::spec.signals[0].for: {ERROR}\n"
    )

    assert expected == run("lint", "refused.yml", "-o", "github").out


ERRORS = {
    "not there": ("nothing.yaml", "can't read nothing.yaml: No such file or directory"),
    "not text": ("binary.yaml", "can't read binary.yaml: not UTF-8 text (byte 0)"),
    "no policy": ("app.yaml", "no RemediationPolicy of prunella.dev in app.yaml"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_can_not_be_checked_is_one_line(
    run: conftest.Run, folder: pathlib.Path, name: str
) -> None:
    """A check that checks nothing is never green, and says why."""
    (folder / "binary.yaml").write_bytes(b"\xff\xfe")
    file, message = ERRORS[name]

    assert conftest.Result(2, "", f"error: {message}\n") == run("lint", file)


ROOT = pathlib.Path(__file__).parents[2]


def test_every_rule_is_documented() -> None:
    """The tables of docs/cli.md name each rule that a finding can have, and no other."""
    sources = (ROOT / "operator" / "prunella" / "cli" / "lint").glob("*.py")
    made = r'findings\.(?:error|warning|hint)\(\s*"([a-z-]+)"'
    rules = {rule for path in sources for rule in re.findall(made, path.read_text())}
    section = (ROOT / "docs" / "cli.md").read_text().partition("\nErrors are what")[2]
    cells = re.findall(r"^\| (`.*?) \|", section.partition("\n## ")[0], re.MULTILINE)
    documented = {rule for cell in cells for rule in re.findall("`([a-z-]+)`", cell)}

    assert rules | {"yaml"} == documented


DATA = {
    "a range that never has data": (
        "errors_total",
        "checkout",
        (
            'rate(errors_total{namespace="shop"}[5m]) never has data: it needs two samples in its '
            "range, and they are 300 s apart; the smallest range that always can is [10m] "
            "[range-too-short]"
        ),
        0,
    ),
    "another label": (
        "errors_total",
        "",
        "has a label that names a target (deployment, pod, exported_pod); they have namespace",
        0,
    ),
    "another metric": (
        "faults_total",
        "checkout",
        "the metrics found are faults_total; the queries ask for errors_total",
        2,
    ),
}


@pytest.mark.parametrize(("metric", "target", "words", "code"), DATA.values(), ids=DATA)
def test_data_shows_what_queries_can_not_have(
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    metric: str,
    target: str,
    words: str,
    code: int,
) -> None:
    """Given samples of what a query reads, then lint says what does not fit them."""
    rows = [f"{1_700_000_000 + 300 * n},{metric},{target},{n}" for n in range(20)]
    (folder / "data.csv").write_text("\n".join(["time,metric,deployment,value", *rows, ""]))
    monkeypatch.setattr(sys, "argv", ["prunella", "lint", "good.yaml", "--data", "data.csv"])
    with pytest.raises(SystemExit) as ended:
        cli_main.main()
    shown = capsys.readouterr()

    assert code == (ended.value.code or 0)
    assert words in " ".join((shown.out + shown.err).split())
