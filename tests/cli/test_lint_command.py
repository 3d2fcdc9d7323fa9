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
        "deployment",
        (
            'rate(errors_total{namespace="shop"}[5m]) never has data: it needs two samples in its '
            "range, and they are 300 s apart; the smallest range that always can is [10m] "
            "[range-too-short]"
        ),
        0,
    ),
    "another label": (
        "errors_total",
        "service",
        "a label that names a target (deployment, pod, exported_pod); they have namespace, service",
        0,
    ),
    "another metric": (
        "faults_total",
        "deployment",
        "the metrics found are faults_total; the queries ask for errors_total",
        2,
    ),
}


@pytest.mark.parametrize(("metric", "column", "words", "code"), DATA.values(), ids=DATA)
def test_data_shows_what_queries_can_not_have(
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    metric: str,
    column: str,
    words: str,
    code: int,
) -> None:
    """Given samples of what a query reads, then lint says what does not fit them."""
    rows = [f"{1_700_000_000 + 300 * n},{metric},checkout,{n}" for n in range(20)]
    (folder / "data.csv").write_text("\n".join([f"time,metric,{column},value", *rows, ""]))
    monkeypatch.setattr(sys, "argv", ["prunella", "lint", "good.yaml", "--data", "data.csv"])
    with pytest.raises(SystemExit) as ended:
        cli_main.main()
    shown = capsys.readouterr()

    assert code == (ended.value.code or 0)
    assert words in " ".join((shown.out + shown.err).split())


MIXED = (
    "spec.signals[0]: source default has series of 2 clusters for namespace shop ({label}: eu-1, "
    "us-1), and the query adds them up: give the source matchers in the operator's settings, as "
    "{{{label}: eu-1}} [many-clusters]"
)
CLUSTERS = {
    "two clusters": ("cluster", ("eu-1", "us-1"), (), True),
    "two clusters by the collector's label": ("k8s_cluster_name", ("eu-1", "us-1"), (), True),
    "one cluster": ("cluster", ("eu-1", "eu-1"), (), False),
    "two datacenters": ("datacenter", ("eu-1", "us-1"), (), False),
    "the source has matchers": (
        "cluster",
        ("eu-1", "us-1"),
        ("--matcher", "default:cluster=eu-1"),
        False,
    ),
    "another source has matchers": (
        "cluster",
        ("eu-1", "us-1"),
        ("--matcher", "thanos:cluster=eu-1"),
        True,
    ),
}


@pytest.mark.parametrize(("label", "values", "more", "told"), CLUSTERS.values(), ids=CLUSTERS)
def test_data_of_several_clusters_is_told(
    run: conftest.Run,
    folder: pathlib.Path,
    label: str,
    values: tuple[str, str],
    more: tuple[str, ...],
    told: bool,
) -> None:
    """Given series of more than one cluster and no matcher that chooses, then lint warns of it."""
    rows = [
        f"{1_700_000_000 + 15 * n},errors_total,checkout,{value},{n}"
        for value in sorted(set(values))
        for n in range(20)
    ]
    (folder / "data.csv").write_text("\n".join([f"time,metric,deployment,{label},value", *rows]))

    result = run("lint", "good.yaml", "--data", "data.csv", *more)

    assert told == (MIXED.format(label=label) in result.out)
    assert told == ("many-clusters" in result.out)


def test_a_panel_is_named_as_for_a_backtest(run: conftest.Run, folder: pathlib.Path) -> None:
    """A file whose series have no name of their own is read with the name that --metric gives."""
    rows = [f"{1_700_000_000 + 15 * n},{n}" for n in range(20)]
    (folder / "panel.csv").write_text("\n".join(["time,checkout", *rows]))

    result = run("lint", "good.yaml", "--data", "panel.csv", "--metric", "errors_total")

    assert conftest.Result(0, "1 policy in 1 file: 0 errors, 0 warnings, 0 hints\n", "") == result


DATA_MISUSE = {
    "a metric without data": (
        ("--metric", "errors_total"),
        "--metric and --matcher are about samples: give --data too",
    ),
    "a matcher that is none": (
        ("--data", "data.csv", "--matcher", "cluster=eu-1"),
        "--matcher must be SOURCE:LABEL=VALUE, found cluster=eu-1",
    ),
    "the namespace as a matcher": (
        ("--data", "data.csv", "--matcher", "default:namespace=shop"),
        "--matcher: namespace is the namespaceLabel, set for each policy",
    ),
    "no name of a label": (
        ("--data", "data.csv", "--matcher", "default:a-b=c"),
        "--matcher default:a-b=c: a-b is no name of a label",
    ),
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("arguments", "message"), DATA_MISUSE.values(), ids=DATA_MISUSE)
def test_options_about_data_are_checked(
    run: conftest.Run, arguments: tuple[str, ...], message: str
) -> None:
    """What can't be used is one line that says why."""
    assert conftest.Result(2, "", f"error: {message}\n") == run("lint", "good.yaml", *arguments)
