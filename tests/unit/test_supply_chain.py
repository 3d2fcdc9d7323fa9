"""What is built, from what, and who vouches for it: the workflows, the locks and the image."""

from __future__ import annotations

import pathlib
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
TEXTS = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.y*ml"))}
# YAML 1.1 reads the key `on` as true.
FLOWS: dict[str, Any] = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
LOCKS = sorted(path.name for path in ROOT.glob("requirements*.txt"))
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
PUBLISH = FLOWS["release.yaml"]["jobs"]["publish"]


def _steps(flow: str) -> Iterator[dict[str, Any]]:
    for job in FLOWS[flow]["jobs"].values():
        yield from job.get("steps", [])


def _scripts() -> str:
    return "\n".join(step.get("run", "") for step in PUBLISH["steps"])


@pytest.mark.parametrize("name", [*TEXTS, "action.yml"])
def test_what_others_wrote_is_pinned_to_a_commit(name: str) -> None:
    """A tag can be moved to other code; a commit can't. Its version stands beside it."""
    text = TEXTS.get(name) or (ROOT / name).read_text()
    uses = re.findall(r"uses: .*$", text, re.MULTILINE)

    assert uses
    assert [] == [
        each for each in uses if not each.startswith("uses: ./") and not PINNED.match(each)
    ]


@pytest.mark.parametrize("flow", FLOWS)
def test_a_workflow_reads_unless_a_job_says_more(flow: str) -> None:
    """Whatever a dependency does in CI, it has no right to write the repository or packages."""
    writing = {
        name: job["permissions"]
        for name, job in FLOWS[flow]["jobs"].items()
        if "permissions" in job
    }

    assert {"contents": "read"} == FLOWS[flow]["permissions"]
    assert ({"publish"} if flow == "release.yaml" else set()) == set(writing)


@pytest.mark.parametrize("flow", FLOWS)
def test_no_text_of_a_stranger_becomes_a_program(flow: str) -> None:
    """A title or a branch name in `run` would be run; with pull_request_target, with our rights."""
    runs = [step["run"] for step in _steps(flow) if "run" in step]

    assert [] == [each for each in runs if "${{" in each]
    assert "pull_request_target" not in FLOWS[flow][True]


@pytest.mark.parametrize("flow", FLOWS)
def test_no_checkout_leaves_a_token_behind(flow: str) -> None:
    """What runs after it can't push."""
    checkouts = [step for step in _steps(flow) if "actions/checkout" in step.get("uses", "")]

    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_only_a_tag_makes_a_release_and_only_after_all_checks() -> None:
    """Nobody publishes from a branch, and nothing that the tests or the audit have not seen."""
    release = FLOWS["release.yaml"]

    assert {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}} == release[True]
    assert ["ci", "audit"] == PUBLISH["needs"]
    assert {
        "ci": {"uses": "./.github/workflows/ci.yml"},
        "audit": {"uses": "./.github/workflows/audit.yaml"},
    } == {name: job for name, job in release["jobs"].items() if name != "publish"}
    assert all("workflow_call" in FLOWS[name][True] for name in ("ci.yml", "audit.yaml"))


@pytest.mark.parametrize(
    "command",
    [
        pytest.param('cosign sign --yes "$IMAGE@$IMAGE_DIGEST"', id="image signed"),
        pytest.param('cosign sign --yes "$CHARTS/prunella@$CHART_DIGEST"', id="chart signed"),
        pytest.param(
            "cosign attest --yes --type cyclonedx --predicate dist/sbom.cdx.json", id="sbom"
        ),
        pytest.param("cosign verify", id="signatures checked"),
        pytest.param("make sbom", id="sbom made"),
    ],
)
def test_a_release_is_signed_by_digest(command: str) -> None:
    """A signature of a tag would be one of whatever the tag becomes."""
    assert command in _scripts()


def test_image_and_chart_have_provenance() -> None:
    """Of the digests that were pushed; a file elsewhere could be of another build."""
    found = {
        step["with"]["subject-name"]: step["with"]["subject-digest"]
        for step in PUBLISH["steps"]
        if "attest-build-provenance" in step.get("uses", "")
    }
    [build] = [step for step in PUBLISH["steps"] if step.get("id") == "image"]

    assert {
        "${{ env.IMAGE }}": "${{ steps.image.outputs.digest }}",
        "${{ env.CHARTS }}/prunella": "${{ steps.chart.outputs.digest }}",
    } == found
    assert ("mode=max", True) == (build["with"]["provenance"], build["with"]["sbom"])
    assert {"contents", "packages", "id-token", "attestations"} == set(PUBLISH["permissions"])


def test_the_published_chart_names_the_published_image() -> None:
    """The release writes the digest into the one line of the values that is there for it."""
    values = (ROOT / "charts/prunella/values.yaml").read_text()

    assert yaml.safe_load(values)["image"]["repository"] == PUBLISH["env"]["IMAGE"]
    assert 1 == len(re.findall(r'^  digest: ""$', values, re.MULTILINE))
    assert 's|^  digest: \\"\\"$|' in _scripts()


def test_program_and_chart_have_one_version() -> None:
    """The tag is compared with the program's; the chart's name and its image's tag follow it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((ROOT / "charts/prunella/Chart.yaml").read_text())

    assert (project, project) == (chart["version"], chart["appVersion"])


@pytest.mark.parametrize("lock", LOCKS)
def test_each_package_of_a_lock_has_a_hash(lock: str) -> None:
    """Another file under the same name and version is refused."""
    entries = re.split(r"^(?=[a-z0-9])", (ROOT / lock).read_text(), flags=re.MULTILINE)[1:]

    assert entries
    assert [] == [each.split()[0] for each in entries if "--hash=sha256:" not in each]
    assert [] == [each.split()[0] for each in entries if not re.match(r"[a-z0-9.-]+==\S+", each)]


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile"])
def test_nothing_is_installed_without_a_hash(name: str) -> None:
    """But the project itself, from its own folder and with nothing else."""
    lines = [each for each in (ROOT / name).read_text().splitlines() if "pip install" in each]
    own = re.compile(r"--no-deps --no-build-isolation (-e )?\.")

    assert lines
    assert [] == [each for each in lines if "--require-hashes" not in each and not own.search(each)]


def test_every_lock_is_audited_on_each_change_and_weekly() -> None:
    """Weaknesses are found after a release, too."""
    target = (ROOT / "Makefile").read_text().partition("\naudit:")[2].partition("\n.PHONY")[0]
    audit = FLOWS["audit.yaml"]

    assert "for lock in requirements*.txt" in target
    assert "pip-audit --strict --disable-pip --require-hashes" in target
    assert "make audit" in [step.get("run") for step in _steps("audit.yaml")]
    assert {"push", "pull_request", "schedule", "workflow_call"} == set(audit[True])
