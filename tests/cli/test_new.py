"""`prunella new`: a policy from a playbook, with names put in."""

from __future__ import annotations

import pathlib

import pytest
import yaml

from prunella.cli import errors
from prunella.cli.lint import check
from prunella.cli.lint.findings import Severity
from prunella.cli.playbooks import filled, shelf
from prunella.core import model
from tests.cli import conftest, fakes

LEAK = ("new", "memory-leak", "--target", "deploy/checkout", "-n", "web")


def test_names_are_put_in(run: conftest.Run) -> None:
    """Of the workload, its namespace and the policy; the comments stay, the mode is Advise."""
    result = run(*LEAK)
    found = yaml.safe_load(result.out)

    assert (0, "") == (result.code, result.err)
    assert {"name": "checkout-memory-leak", "namespace": "web"} == found["metadata"]
    assert {"kind": "Deployment", "name": "checkout"} == found["spec"]["target"]
    assert "Advise" == found["spec"]["mode"]
    assert result.out.startswith("# Memory that will reach")


def test_the_namespace_of_the_context(run: conftest.Run) -> None:
    """It is taken where none is given, and nothing is asked of the cluster."""
    cluster = fakes.cluster(namespace="team-a")
    result = run(*LEAK[:4], "--name", "leak", cluster=cluster)

    assert {"name": "leak", "namespace": "team-a"} == yaml.safe_load(result.out)["metadata"]
    assert [] == cluster.sent


def test_it_is_written_to_a_new_file(run: conftest.Run, tmp_path: pathlib.Path) -> None:
    """A file that is there stays as it is."""
    path = tmp_path / "policy.yaml"
    assert (0, "") == (run(*LEAK, "--out", str(path)).code, run(*LEAK[:1]).err)
    written = path.read_text()
    again = run(*LEAK, "--out", str(path))

    message = f"error: {path} is there already: choose another, or remove it\n"
    assert conftest.Result(2, "", message) == again
    assert written == path.read_text()
    assert "name: checkout-memory-leak" in written


def test_without_a_name_all_are_listed(run: conftest.Run) -> None:
    """Each in a line, with the first sentence of its comment."""
    lines = run("new").out.splitlines()

    assert shelf.names() == [line.split()[0] for line in lines]
    assert all(line.split(maxsplit=1)[1] for line in lines)
    (leak,) = (line for line in lines if line.startswith("memory-leak "))
    assert leak.endswith(": restarted before the kernel kills it")


WRONG = {
    "a playbook that is not there": (
        ("new", "memory-leek", "--target", "deploy/x", "-n", "shop"),
        "there is no playbook memory-leek; did you mean memory-leak? There are: autoscaler-at",
    ),
    "no target": (("new", "memory-leak"), "say which workload: --target KIND/NAME"),
    "a kind that is no workload": (
        ("new", "memory-leak", "--target", "job/x", "-n", "shop"),
        "--target job/x: write KIND/NAME, such as Deployment/checkout; kinds are Deployment, ",
    ),
    "no kind": (
        ("new", "memory-leak", "--target", "checkout", "-n", "shop"),
        "--target checkout: write KIND/NAME",
    ),
    "a workload for a CronJob's playbook": (
        ("new", "nightly-job-failed", "--target", "deploy/web", "-n", "shop"),
        "playbook nightly-job-failed is not for Deployment/web: spec: steps[0]: rerunJob is for",
    ),
    "a CronJob for a workload's playbook": (
        ("new", "memory-leak", "--target", "cj/backup", "-n", "shop"),
        "playbook memory-leak is not for CronJob/backup: spec: steps[0]: restart is for pods",
    ),
    "a name that no object has": (
        ("new", "memory-leak", "--target", "deploy/Check_out", "-n", "shop"),
        "'Check_out' is no name of an object",
    ),
    "signals of another kind": (
        ("new", "error-ratio-after-release", "--target", "sts/db", "-n", "shop"),
        "is not for StatefulSet/db: spec.signals[0].ratio",
    ),
    "a mapping to another kind": (
        ("new", "latency-under-load", "--target", "sts/db", "-n", "shop"),
        "slow: series led by k8s_deployment_name are never of a StatefulSet",
    ),
    "an action of other kinds": (
        ("new", "cpu-throttled", "--target", "ds/agent", "-n", "shop"),
        "playbook cpu-throttled is not for DaemonSet/agent",
    ),
    "a name that a policy can not have": (
        (*LEAK, "--name", "My_Policy"),
        "playbook memory-leak is not for Deployment/checkout: metadata.name",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told(run: conftest.Run, name: str) -> None:
    """Code 2, and one line that says what to do."""
    arguments, message = WRONG[name]
    result = run(*arguments)

    assert (2, "", 1) == (result.code, result.out, result.err.count("\n"))
    assert message in result.err


@pytest.mark.parametrize("name", shelf.names())
def test_every_playbook_can_be_filled(name: str) -> None:
    """For a workload of its own kind; lint has nothing against what is written."""
    playbook = shelf.read(name)
    _, spec = filled.parsed(playbook.text)
    ref = model.Ref(spec.target.kind.value, "web", "x" * 70)
    text = filled.fill(playbook, ref, filled.default_name(playbook, ref))
    findings = check.check_text(name, text, 15.0).findings
    key, filled_spec = filled.parsed(text)

    assert [] == [each for each in findings if each.severity is not Severity.HINT]
    assert (ref.name, None) == (filled_spec.target.name, filled_spec.target.selector)
    assert ("web", True) == (key.namespace, len(key.name) <= filled.MOST_CHARACTERS)
    assert playbook.symptom


def test_an_installation_without_playbooks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """It is said, with what to do."""
    monkeypatch.setattr(shelf, "_PACKAGE", tmp_path / "site-packages" / "prunella")
    with pytest.raises(errors.CliError, match="lacks them; install prunella again"):
        shelf.names()


def test_an_installed_package_has_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """They lie in the package, as pyproject.toml puts them there."""
    package = tmp_path / "site-packages" / "prunella"
    (package / "playbooks" / "mine").mkdir(parents=True)
    (package / "playbooks" / "mine" / "policy.yaml").write_text("# A thing. More.\nkind: X\n")
    monkeypatch.setattr(shelf, "_PACKAGE", package)

    assert ["mine"] == shelf.names()
    assert "A thing" == shelf.read("mine").symptom
