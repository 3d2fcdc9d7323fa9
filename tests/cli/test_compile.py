"""`prunella compile`: recording rules of a policy as files."""

from __future__ import annotations

import pathlib

import pytest
import yaml

from tests.cli.conftest import Run

POLICY = """\
apiVersion: prunella.dev/v1alpha1
kind: RemediationPolicy
metadata: {name: checkout, namespace: shop}
spec:
  target: {name: web}
  evaluation: Rules
  signals:
  - name: load
    prometheus: {query: app_load}
    baseline: {}
  steps: [{restart: {}}]
"""


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    """A policy with one baseline."""
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


def test_it_prints_a_prometheus_rule(run: Run, file: pathlib.Path) -> None:
    """Ready for kubectl apply, with the labels asked for."""
    done = run("compile", str(file), "--label", "release=prom")
    found = yaml.safe_load(done.out)

    assert (0, "") == (done.code, done.err)
    assert "PrometheusRule" == found["kind"]
    assert {"release": "prom"} == found["metadata"]["labels"]
    assert done.out.startswith("# Written by `prunella compile`")


def test_several_policies_are_several_documents(run: Run, file: pathlib.Path) -> None:
    """One PrometheusRule each."""
    file.write_text(f"{POLICY}---\n{POLICY.replace('checkout', 'cart')}")
    found = list(yaml.safe_load_all(run("compile", str(file)).out))

    assert ["prunella-checkout", "prunella-cart"] == [each["metadata"]["name"] for each in found]


def test_rules_and_tests_lie_side_by_side(run: Run, file: pathlib.Path) -> None:
    """A plain file, and the tests that name it."""
    rules, tests = file.with_name("rules.yml"), file.with_name("tests.yml")
    done = run(
        "compile", str(file), "--format", "rules", "--out", str(rules), "--tests", str(tests)
    )

    assert (0, "", "") == (done.code, done.out, done.err)
    assert {"groups"} == set(yaml.safe_load(rules.read_text()))
    assert ["rules.yml"] == yaml.safe_load(tests.read_text())["rule_files"]


def test_the_namespace_can_be_given(run: Run, file: pathlib.Path) -> None:
    """A policy that names none is applied somewhere; its queries are confined to that."""
    file.write_text(POLICY.replace(", namespace: shop", ""))

    assert 'app_load{namespace="cart"}' in run("compile", str(file), "-n", "cart").out


def test_the_namespace_label_can_be_given(run: Run, file: pathlib.Path) -> None:
    """By source, as in the operator's settings."""
    done = run("compile", str(file), "--namespace-label", "default=kube_namespace")

    assert 'app_load{kube_namespace="shop"}' in done.out


def test_matchers_can_be_given(run: Run, file: pathlib.Path) -> None:
    """By source, as in the operator's settings."""
    done = run("compile", str(file), "--matcher", "default:cluster=eu-1")

    assert 'app_load{cluster="eu-1",namespace="shop"}' in done.out


@pytest.mark.parametrize("text", ["cluster=eu-1", "default:cluster", ":a=b"])
def test_a_matcher_that_is_none_is_refused(run: Run, file: pathlib.Path, text: str) -> None:
    """It says how one is written."""
    done = run("compile", str(file), "--matcher", text)

    assert done.code == 2
    assert "--matcher must be" in done.err


REFUSED = {
    "what rules can't do": (
        ("baseline: {}", "baseline: {exceptions: [{date: 2026-12-25}]}"),
        (),
        "signal load: baseline.exceptions can't be written as recording rules",
    ),
    "a field that is none": (("baseline: {}", "baseline: {sensitivity: 3}"), (), "unknown field"),
    "PromQL that is none": (("query: app_load", "query: 'app_load{'"), (), "is not PromQL"),
    "no namespace": ((", namespace: shop", ""), (), "needs a name and a namespace"),
    "another kind": (("RemediationPolicy", "Policy"), (), "no kind Policy"),
    "no policy": (("prunella.dev/v1alpha1", "apps/v1"), (), "must be one file"),
    "no YAML": (("metadata: {", "metadata: {{"), (), "not YAML"),
    "a label without a value": (("", ""), ("--label", "release"), "must be KEY=VALUE"),
    "tests of a PrometheusRule": (("", ""), ("--tests", "t.yml"), "--format rules"),
    "nowhere to write": (("", ""), ("--out", "/nowhere/x.yml"), "can't write /nowhere/x.yml"),
}


@pytest.mark.parametrize(("change", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_be_compiled_is_one_line(
    run: Run,
    file: pathlib.Path,
    change: tuple[str, str],
    options: tuple[str, ...],
    message: str,
) -> None:
    """Exit code 2, nothing written, and what to do."""
    file.write_text(POLICY.replace(*change) if change[0] else POLICY)
    done = run("compile", str(file), *options)

    assert (2, "") == (done.code, done.out)
    assert message in done.err
    assert 1 == done.err.count("\n")
