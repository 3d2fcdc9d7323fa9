"""The custom resources: the files in crds/ are what the models say, and read well in a table."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml

from prunella.adapters.kubernetes import kinds
from prunella.api import crdgen, resources

CRDS = pathlib.Path(__file__).parents[3] / "crds"


@pytest.mark.parametrize("resource", resources.ALL, ids=lambda resource: resource.kind)
def test_generated_file_is_current(resource: crdgen.CustomResource) -> None:
    """Each file is what the generator makes of the models today."""
    assert crdgen.render(resource) == (CRDS / f"{resource.name}.yaml").read_text()


def test_no_file_is_left_over() -> None:
    """There is one file for each resource and no other."""
    assert {f"{r.name}.yaml" for r in resources.ALL} == {path.name for path in CRDS.iterdir()}


COLUMNS = {
    "RemediationPolicy": "Mode Ready Reason Targets Unhealthy Last-Action Age",
    "Remediation": "Policy Target Action Mode Phase Reason Age",
    "Approval": "Verdict By Accepted Reason Age",
    "Capture": "Taken Expires",
    "Change": "When Summary",
    "JournalSnapshot": "Objects Taken",
    "Incident": "State Severity Alerts Suspect Confidence Age",
}


def manifest(kind: str) -> dict[str, Any]:
    """A resource's definition as the API server reads it."""
    resource = next(each for each in resources.ALL if each.kind == kind)
    found: dict[str, Any] = yaml.safe_load(crdgen.render(resource))["spec"]
    return found


@pytest.mark.parametrize("kind", COLUMNS)
def test_columns(kind: str) -> None:
    """`kubectl get` shows what one looks for first; the rest only when asked for."""
    columns = manifest(kind)["versions"][0]["additionalPrinterColumns"]

    shown = [column["name"] for column in columns if not column.get("priority")]
    assert COLUMNS[kind].split() == shown


@pytest.mark.parametrize(
    ("kind", "short"),
    [
        ("RemediationPolicy", "rempol"),
        ("Remediation", "rem"),
        ("Change", "chg"),
        ("Incident", "inc"),
    ],
)
def test_short_names(kind: str, short: str) -> None:
    """The short names are the documented ones, since other projects use the same kind's name."""
    assert [short] == manifest(kind)["names"]["shortNames"]


def test_spec_of_a_record_is_frozen() -> None:
    """The API server itself refuses to change what was decided; a policy can be changed."""
    specs = {
        kind: manifest(kind)["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        for kind in COLUMNS
    }

    rules = {
        kind: [rule["rule"] for rule in spec.get("x-kubernetes-validations", [])]
        for kind, spec in specs.items()
    }
    assert "self == oldSelf" in rules["Remediation"]
    assert "self == oldSelf" in rules["Approval"]
    assert "self == oldSelf" in rules["Change"]
    assert "self == oldSelf" in rules["Capture"]
    assert "self == oldSelf" not in rules["RemediationPolicy"]


def test_adapters_ask_for_the_same_kinds() -> None:
    """The paths that the adapters use are those of the definitions."""
    declared = {(r.kind, r.plural, r.api_version) for r in resources.ALL}

    assert declared == {
        (kind.name, kind.plural, kind.api_version)
        for kind in (
            kinds.POLICY,
            kinds.CLUSTER_POLICY,
            kinds.RECORD,
            kinds.APPROVAL,
            kinds.CAPTURE,
            kinds.CHANGE,
            kinds.JOURNAL_SNAPSHOT,
            kinds.INCIDENT,
        )
    }
